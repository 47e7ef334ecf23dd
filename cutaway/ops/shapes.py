"""Operations that move elements without changing them. Their derivatives move the gradient back."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor
from cutaway.engine.operation import operation
from cutaway.errors import OptionError, ShapeError
from cutaway.ops.arithmetic import unbroadcast


@operation(edges="movement", plumbing=True)
def reshape(x, *, shape):
    """x with another shape and the same order of elements; one size may be -1."""
    known = math.prod(n for n in shape if n != -1)
    fits = x.size == known if -1 not in shape else known and x.size % known == 0
    if not fits or list(shape).count(-1) > 1:
        raise ShapeError(
            f"reshape: {x.size} elements of shape {x.shape} cannot take shape {tuple(shape)}",
            expected=f"a shape of {x.size} elements",
        )
    return jnp.reshape(x, shape)


@reshape.backward
def reshape_backward(grad, out, x, *, shape):
    return grad.reshape(x.shape)


@reshape.onnx
def reshape_onnx(g, x, *, shape):
    return g.result(g.reshaped(x, g.shape))


@operation(edges="movement", plumbing=True)
def transpose(x, *, axes=None):
    """x with its axes permuted; None reverses their order."""
    if axes is not None and sorted(k % max(x.ndim, 1) for k in axes) != list(range(x.ndim)):
        raise ShapeError(
            f"transpose: axes {tuple(axes)} of an array of shape {x.shape}",
            expected=f"each of the axes 0 to {x.ndim - 1} once",
        )
    return jnp.transpose(x, axes)


@transpose.backward
def transpose_backward(grad, out, x, *, axes=None):
    if axes is None:
        return jnp.transpose(grad)
    axes = [k % x.ndim for k in axes]
    return jnp.transpose(grad, sorted(range(x.ndim), key=axes.__getitem__))


@transpose.onnx
def transpose_onnx(g, x, *, axes=None):
    return g.out("Transpose", x, perm=list(axes or range(x.ndim)[::-1]))


@operation(edges="elementwise", role="arithmetic")
def astype(x, *, dtype):
    """x in another type of numbers. No gradient flows through integers."""
    return x.astype(dtype)


@astype.backward
def astype_backward(grad, out, x, *, dtype):
    return grad.astype(x.dtype)


@astype.onnx
def astype_onnx(g, x, *, dtype):
    return g.result(g.cast(x, g.dtype))


@operation(edges="movement", plumbing=True)
def broadcast_to(x, *, shape):
    """x repeated along axes of size 1 and new leading axes."""
    return jnp.broadcast_to(x, shape)


@broadcast_to.backward
def broadcast_to_backward(grad, out, x, *, shape):
    return unbroadcast(grad, x)


@broadcast_to.onnx
def broadcast_to_onnx(g, x, *, shape):
    return g.out("Expand", x, g.sizes(g.shape))


@operation(edges="movement", plumbing=True)
def squeeze(x, *, axis=None):
    """x without its axes of size 1, or without the given ones."""
    return jnp.squeeze(x, axis)


@squeeze.backward
def squeeze_backward(grad, out, x, *, axis=None):
    return grad.reshape(x.shape)


@squeeze.onnx
def squeeze_onnx(g, x, *, axis=None):
    return g.result(g.reshaped(x, g.shape))


@operation(edges="movement", plumbing=True)
def expand_dims(x, *, axis):
    """x with a new axis of size 1."""
    return jnp.expand_dims(x, axis)


@expand_dims.backward
def expand_dims_backward(grad, out, x, *, axis):
    return grad.reshape(x.shape)


@expand_dims.onnx
def expand_dims_onnx(g, x, *, axis):
    return g.result(g.reshaped(x, g.shape))


@operation(edges="movement")
def flip(x, *, axis=None):
    """x with the elements along the axes reversed; None for all axes."""
    return jnp.flip(x, axis)


@flip.backward
def flip_backward(grad, out, x, *, axis=None):
    return jnp.flip(grad, axis)


@flip.onnx
def flip_onnx(g, x, *, axis=None):
    return g.result(_sliced(g, x, {k: slice(None, None, -1) for k in g.axes(x, axis)}))


@operation(edges="movement")
def pad(x, *, widths, value=0.0):
    """x with `value` around it; widths: ((before, after), ...) for each axis."""
    return jnp.pad(x, widths, constant_values=value)


@pad.backward
def pad_backward(grad, out, x, *, widths, value=0.0):
    inner = [slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True)]
    return grad[tuple(inner)]


@pad.onnx
def pad_onnx(g, x, *, widths, value=0.0):
    first = g.is_first(x)
    order = [0, x.ndim - 1, *range(1, x.ndim - 1)] if first else range(x.ndim)
    amounts = g.integers(g.pads([widths[i] for i in order]))
    out = g.node("Pad", x.first if first else x, amounts, value)
    return g.result(first=out) if first else g.result(out)


@operation(edges="movement", sign="join")
def _join(*parts, axis):
    return jnp.concatenate(parts, axis)


@_join.backward
def _join_backward(grad, out, *parts, axis):
    ends = []
    for part in parts[:-1]:
        ends.append((ends[-1] if ends else 0) + part.shape[axis])
    return tuple(jnp.split(grad, ends, axis))


@_join.onnx
def _join_onnx(g, *parts, axis):
    axes = len(g.shape)
    if axes > 2 and axis % axes == axes - 1 and all(map(g.is_first, parts)):
        return g.result(first=g.node("Concat", *(part.first for part in parts), axis=1))
    return g.out("Concat", *parts, axis=axis)


def concatenate(tensors, axis: int = 0) -> Tensor:
    """Concatenate tensors along an axis; their other axes must be equal."""
    shapes = [jnp.shape(t.data if isinstance(t, Tensor) else t) for t in tensors]
    rest = {(len(s), *(n for k, n in enumerate(s) if k != axis % max(len(s), 1))) for s in shapes}
    if len(rest) != 1 or not shapes[0]:
        raise ShapeError(
            f"concatenate along axis {axis}: shapes {', '.join(map(str, shapes))}",
            expected="arrays whose other axes are equal",
        )
    return _join(*tensors, axis=axis)


def stack(tensors, axis: int = 0) -> Tensor:
    """Stack tensors of equal shape along a new axis."""
    return concatenate([expand_dims(t, axis=axis) for t in tensors], axis)


def split(x, parts, axis: int = 0) -> list:
    """Split along an axis.

    Args:
        parts: how many equal pieces, or the indices before which to cut.
    """
    size = x.shape[axis]
    if isinstance(parts, int):
        if parts < 1 or size % parts:
            raise ShapeError(
                f"split: axis {axis} of size {size} into {parts} equal pieces",
                expected="a number of pieces that divides the size",
            )
        parts = range(size // parts, size, size // parts)
    ends = [0, *parts, size]
    before = (slice(None),) * (axis % len(x.shape))
    return [getitem(x, index=(*before, slice(a, b))) for a, b in itertools.pairwise(ends)]


@operation(edges="movement", role="part")
def getitem(x, *, index):
    """x[index]: integers, slices, None, ..., integer arrays, boolean masks."""
    return x[index]


@getitem.backward
def getitem_backward(grad, out, x, *, index):
    widths = _widths_around(index, x.shape)
    if widths is not None:  # a block of x: zeros around it, in one pass
        taken = [n - before - after for n, (before, after) in zip(x.shape, widths, strict=True)]
        return jnp.pad(grad.reshape(taken), widths)
    # an element that was taken twice gets both gradients
    return jnp.zeros_like(x).at[index].add(grad)


def _widths_around(index, shape):
    """((before, after), ...) of the block selected by integers and slices; None: not a block."""
    index = index if isinstance(index, tuple) else (index,)
    if not all(isinstance(i, int | slice) and not isinstance(i, bool) for i in index):
        return None
    widths = [(0, 0)] * len(shape)
    for axis, (i, n) in enumerate(zip(index, shape, strict=False)):
        if isinstance(i, int):
            i = slice(i % n, i % n + 1) if -n <= i < n else slice(0, 0, 2)
        start, stop, step = i.indices(n)
        if step != 1:
            return None
        widths[axis] = (start, n - max(start, stop))
    return widths


@getitem.onnx
def getitem_onnx(g, x, *, index):
    index = index if isinstance(index, tuple) else (index,)
    if len(index) == 1 and g.is_value(index[0]) and index[0].dtype.kind in "iu":
        return g.out("Gather", x, index[0], axis=0)
    if not all(i is None or i is Ellipsis or isinstance(i, int | slice) for i in index):
        raise OptionError(
            f"x[{', '.join(type(i).__name__ for i in index)}] cannot be exported to ONNX",
            expected="integers, slices, None and ..., or one integer array",
            fix="use ops.take",
        )
    if Ellipsis in index:
        place = index.index(Ellipsis)
        given = len([i for i in index if i is not None]) - 1
        index = (*index[:place], *[slice(None)] * (x.ndim - given), *index[place + 1 :])
    slices = {}
    for axis, i in enumerate(i for i in index if i is not None):
        slices[axis] = i if isinstance(i, slice) else slice(i, i + 1 if i != -1 else None)
    return g.result(g.reshaped(_sliced(g, x, slices), g.shape))


def _sliced(g, x, slices: dict) -> str:
    """Name of x with a slice taken along some axes."""
    end = np.iinfo(np.int64).max
    starts, stops, axes, steps = [], [], [], []
    for axis, s in slices.items():
        if s == slice(None):
            continue
        step = 1 if s.step is None else s.step
        starts.append((0 if step > 0 else end) if s.start is None else s.start)
        stops.append((end if step > 0 else -end) if s.stop is None else s.stop)
        axes.append(axis)
        steps.append(step)
    if not axes:
        return g.name(x)
    return g.node("Slice", x, *map(g.integers, (starts, stops, axes, steps)))


@operation(edges="movement", role="lookup")
def take(x, indices, *, axis=0):
    """Slices of x along an axis, in the order of the integer array `indices`.

    Shapes:
        x: (..., n, ...)
        out: (..., *indices.shape, ...)
    """
    return jnp.take(x, indices, axis=axis)


@take.backward
def take_backward(grad, out, x, indices, *, axis=0):
    before = (slice(None),) * (axis % x.ndim)
    return jnp.zeros_like(x).at[(*before, indices)].add(grad), None


@take.onnx
def take_onnx(g, x, indices, *, axis=0):
    return g.out("Gather", x, indices, axis=axis)


@operation(differentiable=False)
def one_hot(labels, *, num_classes):
    """1 at the index of the label, 0 elsewhere: (...,) -> (..., num_classes)."""
    return jax.nn.one_hot(labels, num_classes)


@one_hot.onnx
def one_hot_onnx(g, labels, *, num_classes):
    values = g.constant(np.array([0, 1], g.dtype))
    return g.out("OneHot", labels, g.integers([num_classes]), values, axis=-1)
