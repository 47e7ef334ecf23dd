"""Operations that move elements, in ONNX."""

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError
from cutaway.export.graph import Value, is_first
from cutaway.export.operations.registry import exports


@exports(ops.reshape)
def _reshape(g, x, *, shape):
    return g.result(g.reshaped(x, g.shape))


@exports(ops.expand_dims)
def _expand_dims(g, x, *, axis):
    return g.result(g.reshaped(x, g.shape))


@exports(ops.squeeze)
def _squeeze(g, x, *, axis=None):
    return g.result(g.reshaped(x, g.shape))


@exports(ops.transpose)
def _transpose(g, x, *, axes=None):
    return g.out("Transpose", x, perm=list(axes or range(x.ndim)[::-1]))


@exports(ops.broadcast_to)
def _broadcast_to(g, x, *, shape):
    return g.out("Expand", x, g.sizes(g.shape))


@exports(ops.pad)
def _pad(g, x, *, widths, value=0.0):
    first = is_first(x)
    order = [0, x.ndim - 1, *range(1, x.ndim - 1)] if first else range(x.ndim)
    pads = [widths[i][0] for i in order] + [widths[i][1] for i in order]
    name = g.channels_first(x) if first else g.name(x)
    filled = g.constant(np.asarray(value, x.dtype))
    out = g.node("Pad", name, g.constant(np.array(pads, np.int64)), filled)
    return g.result(first=out) if first else g.result(out)


@exports(ops.pad_borders)
def _pad_borders(g, x, *, padding, mode):
    pads = [0, 0, *(lo for lo, _ in padding), 0, 0, *(hi for _, hi in padding)]
    mode = {"reflect": "reflect", "replicate": "edge"}[mode]
    amounts = g.constant(np.array(pads, np.int64))
    return g.result(first=g.node("Pad", g.channels_first(x), amounts, mode=mode))


@exports(ops.shapes._join)
def _join(g, *parts, axis):
    axes = len(g.shape)
    if axes > 2 and axis % axes == axes - 1 and all(is_first(part) for part in parts):
        return g.result(first=g.node("Concat", *(part.first for part in parts), axis=1))
    return g.out("Concat", *parts, axis=axis)


@exports(ops.flip)
def _flip(g, x, *, axis=None):
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return g.result(_sliced(g, x, {a % x.ndim: slice(None, None, -1) for a in axes}))


@exports(ops.getitem)
def _getitem(g, x, *, index):
    index = index if isinstance(index, tuple) else (index,)
    if any(i is Ellipsis for i in index):
        place = next(k for k, i in enumerate(index) if i is Ellipsis)
        given = sum(i is not None for i in index) - 1
        rest = (slice(None),) * (x.ndim - given)
        index = (*index[:place], *rest, *index[place + 1 :])
    fits = all(i is None or isinstance(i, int | slice) for i in index)
    if len(index) == 1 and isinstance(index[0], Value) and index[0].dtype.kind in "iu":
        return g.out("Gather", x, index[0], axis=0)
    if not fits:
        raise OptionError(
            f"x[{', '.join(type(i).__name__ for i in index)}] cannot be written in ONNX",
            expected="numbers, slices, None and ..., or one array of whole numbers",
            fix="use ops.take",
        )
    slices, axis = {}, 0
    for i in index:
        if i is None:
            continue
        if isinstance(i, slice):
            slices[axis] = i
        else:
            slices[axis] = slice(i, i + 1 if i != -1 else None)
        axis += 1
    return g.result(g.reshaped(_sliced(g, x, slices), g.shape))


def _sliced(g, x, slices: dict) -> str:
    """Name of x with a slice taken along some axes."""
    big = np.iinfo(np.int64).max
    starts, ends, axes, steps = [], [], [], []
    for axis, s in slices.items():
        if s == slice(None):
            continue
        step = 1 if s.step is None else s.step
        starts.append((0 if step > 0 else big) if s.start is None else s.start)
        ends.append((big if step > 0 else -big) if s.stop is None else s.stop)
        axes.append(axis)
        steps.append(step)
    if not axes:
        return g.name(x)
    return g.node("Slice", x, *(g.constant(np.array(n, np.int64))
                                for n in (starts, ends, axes, steps)))  # fmt: skip


@exports(ops.take)
def _take(g, x, indices, *, axis=0):
    return g.out("Gather", x, indices, axis=axis)


@exports(ops.one_hot)
def _one_hot(g, labels, *, num_classes):
    values = g.constant(np.array([0, 1], g.dtype))
    return g.out("OneHot", labels, g.constant(np.array([num_classes])), values, axis=-1)
