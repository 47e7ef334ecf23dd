"""Reductions over axes: sum, mean, max, min, .... axis: an integer, several, or None for all."""

import jax.numpy as jnp
from jax.scipy.special import logsumexp as jax_logsumexp

from cutaway.engine.operation import operation
from cutaway.errors import ShapeError


def _axes(x, axis) -> tuple[int, ...]:
    """The reduced axes, as nonnegative integers."""
    if axis is None:
        return tuple(range(x.ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    for k in axes:
        if not -x.ndim <= k < x.ndim:
            raise ShapeError(
                f"axis {k} of an array of shape {x.shape}",
                expected=f"an axis from {-x.ndim} to {x.ndim - 1}" if x.ndim else "no axis",
            )
    return tuple(k % x.ndim for k in axes)


def _expanded(value, x, axis):
    """Restore the reduced axes of an array, with size 1, for broadcasting to x."""
    kept = [1 if k in _axes(x, axis) else n for k, n in enumerate(x.shape)]
    return jnp.reshape(value, kept)


def _count(x, axis) -> int:
    count = 1
    for k in _axes(x, axis):
        count *= x.shape[k]
    return count


def _expect_some(name, x, axis):
    if _count(x, axis) == 0:
        raise ShapeError(
            f"{name} over axis {axis} of an array of shape {x.shape}, which is empty",
            expected="at least one element along the reduced axes",
        )


@operation(edges="reduction")
def sum(x, *, axis=None, keepdims=False):
    """Sum over the axes."""
    return jnp.sum(x, axis=_axes(x, axis), keepdims=keepdims)


@sum.backward
def sum_backward(grad, out, x, *, axis=None, keepdims=False):
    # every element counts once
    return jnp.broadcast_to(_expanded(grad, x, axis), x.shape)


@sum.onnx
def sum_onnx(g, x, *, axis=None, keepdims=False):
    return g.reduced("ReduceSum", x, axis, keepdims)


@operation(edges="reduction")
def mean(x, *, axis=None, keepdims=False):
    """Mean over the axes."""
    _expect_some("mean", x, axis)
    return jnp.mean(x, axis=_axes(x, axis), keepdims=keepdims)


@mean.backward
def mean_backward(grad, out, x, *, axis=None, keepdims=False):
    return jnp.broadcast_to(_expanded(grad, x, axis) / float(_count(x, axis)), x.shape)


@mean.onnx
def mean_onnx(g, x, *, axis=None, keepdims=False):
    return g.reduced("ReduceMean", x, axis, keepdims)


@operation(edges="reduction")
def max(x, *, axis=None, keepdims=False):
    """Largest element over the axes; equal ones share the gradient."""
    _expect_some("max", x, axis)
    return jnp.max(x, axis=_axes(x, axis), keepdims=keepdims)


@max.backward
def max_backward(grad, out, x, *, axis=None, keepdims=False):
    return _to_chosen(grad, out, x, axis)


@max.onnx
def max_onnx(g, x, *, axis=None, keepdims=False):
    return g.reduced("ReduceMax", x, axis, keepdims)


@operation(edges="reduction")
def min(x, *, axis=None, keepdims=False):
    """Smallest element over the axes; equal ones share the gradient."""
    _expect_some("min", x, axis)
    return jnp.min(x, axis=_axes(x, axis), keepdims=keepdims)


@min.backward
def min_backward(grad, out, x, *, axis=None, keepdims=False):
    return _to_chosen(grad, out, x, axis)


@min.onnx
def min_onnx(g, x, *, axis=None, keepdims=False):
    return g.reduced("ReduceMin", x, axis, keepdims)


def _to_chosen(grad, out, x, axis):
    chosen = (x == _expanded(out, x, axis)).astype(grad.dtype)
    weights = chosen / jnp.sum(chosen, axis=_axes(x, axis), keepdims=True)
    return weights * _expanded(grad, x, axis)


@operation(edges="reduction")
def var(x, *, axis=None, keepdims=False):
    """Variance over the axes: mean of (x - mean)², divided by n, not n - 1."""
    _expect_some("var", x, axis)
    return jnp.var(x, axis=_axes(x, axis), keepdims=keepdims)


@var.backward
def var_backward(grad, out, x, *, axis=None, keepdims=False):
    # ∂var/∂x_i = 2 (x_i - mean) / n; the mean's own part adds up to 0
    deviation = x - jnp.mean(x, axis=_axes(x, axis), keepdims=True)
    return _expanded(grad, x, axis) * 2 * deviation / float(_count(x, axis))


@var.onnx
def var_onnx(g, x, *, axis=None, keepdims=False):
    return g.result(_variance_node(g, x, axis, keepdims))


@operation(edges="reduction")
def std(x, *, axis=None, keepdims=False):
    """Standard deviation over the axes: √var."""
    _expect_some("std", x, axis)
    return jnp.std(x, axis=_axes(x, axis), keepdims=keepdims)


@std.backward
def std_backward(grad, out, x, *, axis=None, keepdims=False):
    # ∂√var/∂x_i = (x_i - mean) / (n √var); where all are equal it has no slope: 0
    deviation = x - jnp.mean(x, axis=_axes(x, axis), keepdims=True)
    spread = _expanded(out, x, axis)
    slope = jnp.where(spread > 0, deviation / jnp.where(spread > 0, spread, 1), 0)
    return _expanded(grad, x, axis) * slope / float(_count(x, axis))


@std.onnx
def std_onnx(g, x, *, axis=None, keepdims=False):
    return g.out("Sqrt", _variance_node(g, x, axis, keepdims))


def _variance_node(g, x, axis, keepdims):
    over = g.integers(g.axes(x, axis))
    deviation = g.node("Sub", x, g.node("ReduceMean", x, over, keepdims=1))
    return g.node("ReduceMean", g.node("Mul", deviation, deviation), over, keepdims=int(keepdims))


@operation(edges="reduction")
def logsumexp(x, *, axis=None, keepdims=False):
    """ln Σ eˣ over the axes, without overflow."""
    _expect_some("logsumexp", x, axis)
    return jax_logsumexp(x, axis=_axes(x, axis), keepdims=keepdims)


@logsumexp.backward
def logsumexp_backward(grad, out, x, *, axis=None, keepdims=False):
    # ∂/∂x_i = e^{x_i} / Σ eˣ: softmax
    return _expanded(grad, x, axis) * jnp.exp(x - _expanded(out, x, axis))


@logsumexp.onnx
def logsumexp_onnx(g, x, *, axis=None, keepdims=False):
    return g.reduced("ReduceLogSumExp", x, axis, keepdims)


@operation(differentiable=False)
def argmax(x, *, axis=None):
    """Index of the largest element along the axis, the first of equal ones."""
    return jnp.argmax(x, axis=axis)


@argmax.onnx
def argmax_onnx(g, x, *, axis=None):
    return _index_of(g, "ArgMax", x, axis)


@operation(differentiable=False)
def argmin(x, *, axis=None):
    """Index of the smallest element along the axis, the first of equal ones."""
    return jnp.argmin(x, axis=axis)


@argmin.onnx
def argmin_onnx(g, x, *, axis=None):
    return _index_of(g, "ArgMin", x, axis)


def _index_of(g, kind, x, axis):
    if axis is None:
        x, axis = g.node("Reshape", x, g.integers([-1])), 0
    return g.result(g.cast(g.node(kind, x, axis=axis, keepdims=0), g.dtype))
