"""Boxes from what a network predicts relative to priors; the inverse of `boxes.encode_boxes`."""

import math

import jax.numpy as jnp
import numpy as np

from cutaway.boxes.coding import to_centers
from cutaway.engine.operation import operation
from cutaway.errors import OptionError, ShapeError

LARGEST = math.log(1000 / 16)  # of tw and th: a prior of 16 pixels becomes 1000 wide at most


def _parts(codes, priors, weights, largest):
    """(shifts, sizes relative to the prior, which of them are not clamped, centers and sizes)."""
    if codes.shape != priors.shape or codes.shape[-1:] != (4,):
        raise ShapeError(
            f"decode_boxes: codes of shape {codes.shape}, priors of shape {priors.shape}",
            expected="equal shapes (..., 4)",
            fix="broadcast the priors to the predictions",
        )
    if len(weights) != 4 or not all(weight > 0 for weight in weights):
        raise OptionError(
            f"decode_boxes: weights is {weights}", expected="four positive numbers (wx, wy, ww, wh)"
        )
    codes = codes / jnp.asarray(weights, codes.dtype)
    prior = to_centers(priors)
    free = codes[..., 2:] < largest
    growth = jnp.exp(jnp.where(free, codes[..., 2:], largest))
    return codes[..., :2], growth, free, prior[..., :2], prior[..., 2:]


@operation(edges="rowwise")
def decode_boxes(codes, priors, *, weights=(1.0, 1.0, 1.0, 1.0), largest=LARGEST):
    """Boxes of codes t and priors with center a and size p: x = a + t p / w, side = p e^(t/w).

    Args:
        weights: (wx, wy, ww, wh): (10, 10, 5, 5) for SSD and the second stage of R-CNN, 1 for
            region proposals.
        largest: t/w of the sides is clamped here, by default at ln(1000/16), so that a wild
            prediction does not overflow. Beyond it no gradient flows.

    Shapes:
        codes, priors: (..., 4); priors are x1 y1 x2 y2
        out: (..., 4) x1 y1 x2 y2
    """
    shift, growth, _, center, size = _parts(codes, priors, weights, largest)
    center, half = center + shift * size, growth * size / 2
    return jnp.concatenate([center - half, center + half], axis=-1)


@decode_boxes.backward
def decode_boxes_backward(
    grad, out, codes, priors, *, weights=(1.0, 1.0, 1.0, 1.0), largest=LARGEST
):
    shift, growth, free, _, size = _parts(codes, priors, weights, largest)
    low, high = grad[..., :2], grad[..., 2:]
    to_center, to_half = low + high, high - low
    # ∂x/∂t = p/w, ∂(half)/∂t = p e^(t/w) / (2 w)
    to_codes = [to_center * size, jnp.where(free, to_half * growth * size / 2, 0)]
    to_codes = jnp.concatenate(to_codes, axis=-1) / jnp.asarray(weights, codes.dtype)
    # the prior's center is (lo + hi) / 2, its size hi - lo
    to_size = to_center * shift + to_half * growth / 2
    to_priors = jnp.concatenate([to_center / 2 - to_size, to_center / 2 + to_size], axis=-1)
    return to_codes, to_priors


@decode_boxes.onnx
def decode_boxes_onnx(g, codes, priors, *, weights=(1.0, 1.0, 1.0, 1.0), largest=LARGEST):
    last, dtype = g.integers([-1]), g.dtype

    def halves(value):
        return [
            g.node("Slice", value, g.integers([start]), g.integers([start + 2]), last)
            for start in (0, 2)
        ]

    shift, growth = halves(g.node("Div", codes, np.array(weights, dtype)))
    growth = g.node("Exp", g.node("Min", growth, np.array(largest, dtype)))
    low, high = halves(priors)
    size = g.node("Sub", high, low)
    middle = g.node("Mul", g.node("Add", low, high), np.array(0.5, dtype))
    center = g.node("Add", middle, g.node("Mul", shift, size))
    half = g.node("Mul", g.node("Mul", growth, size), np.array(0.5, dtype))
    return g.out("Concat", g.node("Sub", center, half), g.node("Add", center, half), axis=-1)
