"""The loss of one row of a run, with its numbers, in the words and units of the data."""

import math

import numpy as np

from cutaway.losses import LOSSES, expects
from cutaway.story.equation import equation
from cutaway.story.text import number

STEPS = 4  # of a forecast whose losses are written out


def loss_lines(run, raw, truth, explanation) -> list:
    """How the loss of one row was computed, a line for each step.

    Losses that have a meaning in the data, in the unit of the target or as the probability of the
    true class, are written here; all others as their `LossStory` writes them.

    Args:
        run: the Run.
        raw: (outputs,) of the network.
        truth: (targets,) as encoded.
        explanation: the Explanation of the row. A formula that gives another value than the loss
            that the engine computed is not shown.
    """
    name, loss = run.config["network"]["loss"], explanation.loss
    rows = run.preprocessing
    if rows.task == "regression":
        lines, value = _of_numbers(rows, raw, truth, name)
    else:
        lines, value = _of_classes(rows, raw, truth, name)
    if value is not None and math.isclose(value, loss, rel_tol=1e-6, abs_tol=1e-12):
        return lines
    found = explanation.losses().equations()
    if not found:
        return [f"L = {number(loss)}, by {name}"]
    return [*_standardized_targets(rows, truth), *found] if rows.task == "regression" else found


def _of_classes(rows, raw, truth, name) -> tuple:
    is_probability, k = output_of(name) == "probability", int(truth[0])
    if rows.task == "binary":
        p = raw[0] if is_probability else 1 / (1 + np.exp(-raw[0]))
        own = p if k else 1 - p
        symbol = " ŷ" if k else "(1 - ŷ)"
        written = equation("-ln {0}" if k else "-ln(1 - {0})", _minus_log if k else _minus_log1, p)
    else:
        z = raw[-count_classes(rows) :]
        p = z if is_probability else np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        own, symbol = p[k], f" ŷ_{k + 1}"
        written = equation("-ln {0}", _minus_log, own)
    what = f"the probability of the true {'token' if rows.task == 'language' else 'class'}"
    if name.removesuffix("_with_logits") in CROSS_ENTROPIES:
        return [f"L = -ln{symbol} = {written}: {what} is {number(own)}"], -math.log(own)
    return [], None


CROSS_ENTROPIES = (
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "sparse_categorical_cross_entropy",
)


def count_classes(rows) -> int:
    """Number of classes of a run, or of tokens of a language model."""
    return rows.tokenizer.size if rows.classes is None else len(rows.classes)


def output_of(loss: str) -> str:
    """What the loss of that name expects of a network: "logit", "score", "probability", "any"."""
    wants = expects(LOSSES[loss])
    assert wants is not None  # every loss of LOSSES declares what it expects
    return wants.output


def _minus_log(p):
    return -math.log(p) if p > 0 else math.inf


def _minus_log1(p):
    return _minus_log(1 - p)


def _square(z, y):
    return (z - y) ** 2


def _distance(z, y):
    return abs(z - y)


def _of_numbers(rows, raw, truth, name) -> tuple:
    """Losses of standardized outputs, and what they are in the unit of the target."""
    each = {
        "mean_squared_error": ("({0:n} - {1})²", _square, 2, "(z{k} - y{k})²", "(ŷ{k} - {t})²"),
        "mean_absolute_error": ("|{0:n} - {1}|", _distance, 1, "|z{k} - y{k}|", "|ŷ{k} - {t}|"),
    }.get(name)
    if each is None:
        return [], None
    template, compute, power, symbols, unit = each
    y = truth.astype(np.float64)
    losses = [float(compute(a, b)) for a, b in zip(raw, y, strict=True)]
    one, lines = len(losses) == 1, []
    targets = _standardized_targets(rows, truth)
    for j, (z, target, line) in enumerate(zip(raw[:STEPS], y, targets, strict=False)):
        k, value = "" if one else f"_{j + 1}", float(rows.target.decode(target))
        lines.append(line)
        left = "L" if one else f"L{k}"
        lines.append(f"{left} = {symbols.format(k=k)} = {equation(template, compute, z, target)}")
        predicted = float(rows.target.limited(rows.target.decode(z)))
        in_unit = equation(template, compute, predicted, value)
        factor = "σ²" if power == 2 else "σ"
        is_scaled = rows.target.transform == "none" and rows.target.bounds is None
        lines.append(
            f"in the unit of {rows.target.name}: {unit.format(k=k, t='truth')} = {in_unit}"
            + (f", which is L{k} · {factor}" if is_scaled else "")
        )
    value = float(np.mean(losses))
    if len(losses) > STEPS:
        lines.append(f"and {len(losses) - STEPS} more steps ahead, likewise")
        lines.append(f"L = {number(value)}: mean of L_1 to L_{len(losses)}")
    elif not one:
        parts = " + ".join(f"{{{k}}}" for k in range(len(losses)))
        lines.append(f"L = {equation(f'({parts}) / {len(losses)}', _mean, *losses)}: their mean")
    return lines, value


def _standardized_targets(rows, truth) -> list:
    """How the first targets y were standardized, a line each."""
    mean, scale = rows.target.mean, rows.target.scale
    lines = []
    for j, target in enumerate(truth[:STEPS].astype(np.float64)):
        k = "" if len(truth) == 1 else f"_{j + 1}"
        value = float(rows.target.decode(target))
        if rows.target.transform == "log1p":
            template = "(ln(1 + {0:n}) - {1}) / {2}"
            standard = equation(template, _log_standardized, value, mean, scale)
            lines.append(f"y{k} = (ln(1 + truth) - μ) / σ = {standard}")
            continue
        standard = equation("({0:n} - {1}) / {2}", _standardized, value, mean, scale)
        lines.append(f"y{k} = (truth - μ) / σ = {standard}")
    return lines


def _standardized(value, mean, scale):
    return (value - mean) / scale


def _log_standardized(value, mean, scale):
    return (math.log1p(value) - mean) / scale


def _mean(*values):
    return sum(values) / len(values)
