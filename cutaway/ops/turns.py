"""Sine and cosine of an angle in turns, which is what a learned frequency gives: sin 2πu, cos 2πu.

Whole turns are taken off exactly, as u - round(u), and the rest is at most half of one. So float32
needs a short polynomial and none of the reduction by π that sine and cosine in radians begin with:
on a CPU XLA takes about ten times as long for these as for a tanh.
"""

import math

import jax.numpy as jnp

from cutaway.engine.operation import operation

TURN = 2 * math.pi
# sin 2πs = s Σ cₖ s²ᵏ for |s| ≤ 1/4, within 2e-10: least squares at 400 Chebyshev nodes
COEFFICIENTS = (
    6.283185306,
    -41.341701929,
    81.605209382,
    -76.703666015,
    41.999960824,
    -14.336855927,
)


def _cos(u):
    part = u - jnp.round(u)  # in [-1/2, 1/2]
    if u.dtype != jnp.float32:
        return jnp.cos(TURN * part)
    return _sin_near(0.25 - jnp.abs(part))  # cos 2πp = sin 2π(1/4 - |p|)


def _sin(u):
    part = u - jnp.round(u)
    if u.dtype != jnp.float32:
        return jnp.sin(TURN * part)
    half = jnp.copysign(jnp.float32(0.5), part)
    return _sin_near(
        jnp.where(jnp.abs(part) > 0.25, half - part, part)
    )  # sin 2π(1/2 - p) = sin 2πp


def _sin_near(s):
    """sin 2πs of a quarter of a turn to either side."""
    square = s * s
    total = jnp.full_like(s, COEFFICIENTS[-1])
    for coefficient in COEFFICIENTS[-2::-1]:
        total = total * square + coefficient
    return total * s


@operation(edges="elementwise")
def cos_turns(u):
    """cos 2πu: the cosine of an angle of u turns."""
    return _cos(u)


@cos_turns.backward
def cos_turns_backward(grad, out, u):
    # d cos 2πu/du = -2π sin 2πu
    return grad * (-TURN * _sin(u))


@cos_turns.onnx
def cos_turns_onnx(g, u):
    return g.elementwise("Cos", g.elementwise("Mul", u, TURN))


@operation(edges="elementwise")
def sin_turns(u):
    """sin 2πu: the sine of an angle of u turns."""
    return _sin(u)


@sin_turns.backward
def sin_turns_backward(grad, out, u):
    # d sin 2πu/du = 2π cos 2πu
    return grad * (TURN * _cos(u))


@sin_turns.onnx
def sin_turns_onnx(g, u):
    return g.elementwise("Sin", g.elementwise("Mul", u, TURN))
