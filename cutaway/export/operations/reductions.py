"""Sums, means, largest and smallest over axes, in ONNX."""

import numpy as np

from cutaway import ops
from cutaway.export.graph import Value, is_first
from cutaway.export.operations.registry import EXPORTS, exports


def _reduction(kind):
    def write(g, x, *, axis=None, keepdims=False):
        return reduced(g, kind, x, axis, keepdims)

    return write


def reduced(g, kind, x, axis, keepdims=False) -> Value:
    """A reduction over axes; over all positions of a map in the order in which it is there."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = sorted(a % x.ndim for a in axes)
    if not axes:
        return g.out("Identity", x)
    positions = list(range(1, x.ndim - 1))
    if is_first(x) and axes == positions:
        moved = g.constant(np.array([a + 1 for a in positions], np.int64))
        name = g.node(kind, x.first, moved, keepdims=int(keepdims))
        return g.result(first=name) if keepdims else g.result(name)
    return g.out(kind, x, g.constant(np.array(axes, np.int64)), keepdims=int(keepdims))


for _operation, _kind in (
    (ops.sum, "ReduceSum"), (ops.mean, "ReduceMean"), (ops.max, "ReduceMax"),
    (ops.min, "ReduceMin"), (ops.logsumexp, "ReduceLogSumExp"),
):  # fmt: skip
    EXPORTS[_operation] = _reduction(_kind)


@exports(ops.var)
def _var(g, x, *, axis=None, keepdims=False):
    return g.result(_variance(g, x, axis, keepdims))


@exports(ops.std)
def _std(g, x, *, axis=None, keepdims=False):
    return g.result(g.node("Sqrt", _variance(g, x, axis, keepdims)))


def _variance(g, x, axis, keepdims):
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    over = g.constant(np.array([a % x.ndim for a in axes], np.int64))
    deviation = g.node("Sub", x, g.node("ReduceMean", x, over, keepdims=1))
    return g.node("ReduceMean", g.node("Mul", deviation, deviation), over, keepdims=int(keepdims))


@exports(ops.argmax)
def _argmax(g, x, *, axis=None):
    return _arg(g, "ArgMax", x, axis)


@exports(ops.argmin)
def _argmin(g, x, *, axis=None):
    return _arg(g, "ArgMin", x, axis)


def _arg(g, kind, x, axis):
    if axis is None:
        x, axis = g.node("Reshape", x, g.constant(np.array([-1]))), 0
    return g.result(g.cast(g.node(kind, x, axis=axis, keepdims=0), g.dtype))
