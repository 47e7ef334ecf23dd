"""The statistics of a probe: of a layer's output, gradient, weights and update.

Each function works on JAX arrays inside a compiled program, or on NumPy arrays after it.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from cutaway.losses import expects
from cutaway.nn.module import Module
from cutaway.nn.state import Parameter, Stateful

SATURATED = 0.05  # a slope below this fraction of the function's largest slope
SAMPLE = 1024  # number of elements for quantiles and histograms
BINS = 30  # of a histogram


def own_parameters(module) -> list:
    """Parameters of the module itself, excluding those of its submodules."""
    found, waiting = [], list(vars(module).values())
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, Parameter):
            found.append(value)
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, Stateful) and not isinstance(value, Module):
            waiting += vars(value).values()
    return found


def raw_of(found, moves) -> dict:
    """The arrays from which the statistics of a location are computed."""
    location = found.location
    out = found.record.out if found.out is None else found.out.data
    raw = {"out": as_float(out), "grads": [as_float(g) for g in found.grads]}
    if location.role == "activation":
        function = location.function
        traits = None if function is None else function.traits
        if traits is not None and traits.activation and traits.activation.own_slope:
            raw["slope"] = traits.activation.own_slope(raw["out"])
        elif found.record is not None and traits is not None and traits.is_function:
            ones = jnp.ones_like(found.record.out)
            raw["slope"] = as_float(found.record.operation.pullback(found.record, ones)[0])
        return raw
    own = own_parameters(location.module)
    own = [p for p in own if p.ndim > 1] or own
    kept = [(p, moves[p]) for p in own if p in moves]
    raw["weights"] = [as_float(moves[p][0] if p in moves else p.data) for p in own]
    raw["weight_grads"] = [as_float(grad) for _, (_, grad, _, _) in kept]
    raw["changes"] = [as_float(change) for _, (_, _, change, _) in kept]
    raw["rates"] = [_sample(as_float(rate)) for _, (_, _, _, (rate, _)) in kept]
    raw["damped"] = [fraction for _, (_, _, _, (_, fraction)) in kept if fraction is not None]
    bias = getattr(location.module, "bias", None)
    if isinstance(bias, Parameter) and bias.shape == own[0].shape[-1:]:
        raw["bias"] = as_float(moves[bias][0] if bias in moves else bias.data)
    return raw


def numbers_of(location, raw) -> dict[str, Any]:
    """The statistics of a location from its arrays."""
    out = raw["out"]
    off = out == 0
    size = sum(g.size for g in raw["grads"])
    numbers: dict[str, Any] = {
        "mean": out.mean(),
        "std": out.std(),
        "sample": _sample(out),
        "off": off.mean(),
        "grad": _norm(raw["grads"]) / math.sqrt(size) if size else math.nan,
    }
    if location.role == "activation":
        numbers["dead"] = off.reshape(-1, out.shape[-1] if out.ndim else 1).all(axis=0).mean()
        if "slope" in raw:
            numbers["saturated"] = _saturated(location.function, out, raw["slope"])
        return numbers
    weight = _norm(raw["weights"])
    numbers |= {
        "weight": weight,
        "weight_grad": _norm(raw["weight_grads"]),
        "update": _norm(raw["changes"]) / (weight + (weight == 0)),
        "rates": raw["rates"],
        "samples": {
            "weight": [_sample(a) for a in raw["weights"]],
            "weight_grad": [_sample(a) for a in raw["weight_grads"]],
        },
        "damped": sum(raw["damped"]) / max(1, len(raw["damped"])) if raw["damped"] else math.nan,
    }
    # the vectors of a table are no units
    if location.role == "weights" and location.module.layer_kind != "embedding":
        numbers["units_apart"] = _units_apart(raw["weights"][0], raw.get("bias"))
    return numbers


def finished(numbers: dict[str, Any]) -> dict[str, Any]:
    """The statistics as floats, with quantiles of the samples: sorting is slow to compile.

    Of layers with weights also "histograms": see `histogram`.
    """
    samples = numbers.pop("samples", {})
    sample, rates = numbers.pop("sample"), numbers.pop("rates", None)
    found: dict[str, Any] = {name: float(value) for name, value in numbers.items()}
    with np.errstate(all="ignore"):
        found["low"], found["high"] = np.quantile(sample, (0.01, 0.99)).tolist()
    if rates is not None:
        found["step_size"] = float(np.median(np.concatenate(rates))) if rates else 0.0
    drawn = {name: histogram(values) for name, values in samples.items()}
    return found | {"histograms": {name: one for name, one in drawn.items() if one is not None}}


def histogram(samples: list) -> tuple[np.ndarray, np.ndarray] | None:
    """(counts (BINS,), edges (BINS + 1,)) of all values; None if none of them is finite."""
    values = np.concatenate([np.ravel(one) for one in samples]) if samples else np.zeros(0)
    values = values[np.isfinite(values)].astype(np.float64)
    return np.histogram(values, BINS) if values.size else None


def _saturated(function, out, slope):
    activation = function.traits.activation
    flat = abs(slope) < SATURATED * (activation.largest_slope or 1.0)
    # a unit of a rectifier at 0 is off, not saturated
    return ((flat & (out != 0)) if activation.rectifies else flat).mean()


def _units_apart(w, bias):
    """Largest distance of a unit's weights from the first unit's, over the largest norm."""
    w = w.reshape(-1, w.shape[-1])
    if w.shape[-1] < 2:
        return math.nan
    square, apart = (w**2).sum(axis=0), ((w - w[:, :1]) ** 2).sum(axis=0)
    if bias is not None:
        square, apart = square + bias**2, apart + (bias - bias[0]) ** 2
    largest = square.max()
    return (apart.max() / (largest + (largest == 0))) ** 0.5


def top_class(loss, out):
    """Fraction of rows predicted as the most frequent class; NaN without classes."""
    wants = expects(loss)
    if wants is None or wants.target not in ("labels", "one_hot", "binary"):
        return jnp.nan
    if out.shape[-1] > 1 and wants.target != "binary":
        chosen = jnp.argmax(out.data, axis=-1).ravel()
        return jnp.bincount(chosen, length=out.shape[-1]).max() / chosen.size
    yes = (out.data > (0.5 if wants.output == "probability" else 0.0)).mean(axis=0)
    return jnp.maximum(yes, 1 - yes).mean()


def _sample(array):
    """About SAMPLE elements, spread evenly over an array and over its last axis."""
    every = max(1, array.size // SAMPLE)
    while array.ndim and math.gcd(every, array.shape[-1]) > 1:
        every += 1
    return array.ravel()[::every]


def _norm(arrays):
    return sum((a**2).sum() for a in arrays) ** 0.5 if arrays else 0.0


def as_float(array):
    return jnp.asarray(array).astype(jnp.float32)
