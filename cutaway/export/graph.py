"""OnnxGraph: the nodes and constants of an ONNX model under construction."""

from typing import overload

import numpy as np
from numpy.typing import DTypeLike

OPSET = 23


class Value:
    """A tensor of the graph, available with channels last (as in Cutaway), channels first, or both.

    Attributes:
        shape: with channels last; a negative size is a multiple of the batch size.
        dtype: of its elements.
        array: its value, if constant.
        last, first: its names in the graph in these layouts, None if not available.
    """

    def __init__(self, shape, dtype, *, last=None, first=None, array=None, hint=""):
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.last = last
        self.first = first
        self.array = array
        self.hint = hint

    @property
    def ndim(self) -> int:
        return len(self.shape)


class OnnxGraph:
    """The nodes in order; the ONNX forms of operations are written with its methods.

    A form receives the operation's inputs in order, as Values (or None, or plain numbers), and
    returns a Value made by `out`, `elementwise`, `reduced` or `result`.

    Attributes:
        shape, dtype: of the result of the current step; of several the first.
        shapes, dtypes: of all its results.
    """

    def __init__(self):
        self.nodes = []
        self.initializers = {}
        self.shape = ()
        self.dtype = np.dtype(np.float32)
        self.shapes, self.dtypes = [self.shape], [self.dtype]
        self.batch_of = None  # name of an input, whose first axis is the batch
        self._count = 0
        self._small = {}
        self._batch = None

    # ---- writing ----

    @overload
    def node(self, kind: str, *inputs, **attributes) -> str: ...

    @overload
    def node(self, kind: str, *inputs, outputs: int, **attributes) -> tuple[str, ...]: ...

    def node(self, kind: str, *inputs, outputs: int = 1, **attributes) -> str | tuple[str, ...]:
        """Add a node; returns the name of its output, or a tuple of names.

        Args:
            inputs: Values (channels last), names, numbers, arrays, or None if omitted.
        """
        from onnx import helper

        like = self._type_beside(inputs)
        names = ["" if x is None else self.name(x, like) for x in inputs]
        while names and not names[-1]:
            names.pop()
        self._count += 1
        outs = [f"{kind.lower()}_{self._count}" + (f"_{k}" if k else "") for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, outs, name=outs[0], **attributes))
        return outs[0] if outputs == 1 else tuple(outs)

    def _type_beside(self, inputs):
        """Dtype of a plain number: that of the first input tensor that is not boolean."""
        types = [x.dtype for x in inputs if isinstance(x, Value) and x.dtype != bool]
        return types[0] if types else self.dtype

    def constant(self, array, hint: str = "constant") -> str:
        """Name of a constant array; equal small ones are shared."""
        array = np.ascontiguousarray(array)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= 64 else None
        if key is not None and hint == "constant" and key in self._small:
            return self._small[key]
        name = hint
        while name in self.initializers:
            self._count += 1
            name = f"{hint}_{self._count}"
        self.initializers[name] = array
        if key is not None and hint == "constant":
            self._small[key] = name
        return name

    def integers(self, values) -> str:
        """Name of constant integers: axes, sizes, indices."""
        return self.constant(np.array(values, np.int64))

    def name(self, x, like: DTypeLike = np.float32) -> str:
        """Name of a value with its channels last."""
        if isinstance(x, str):
            return x
        if not isinstance(x, Value):
            return self.constant(np.asarray(x, None if isinstance(x, np.ndarray) else like))
        if x.last is None:
            if x.array is not None:
                x.last = self.constant(x.array, x.hint or "constant")
            else:
                order = [0, *range(2, x.ndim), 1]
                x.last = self.node("Transpose", x.first, perm=order)
        return x.last

    def channels_first(self, x: Value) -> str:
        """Name of a value with its channels on axis 1."""
        if x.ndim < 3:
            return self.name(x)
        if x.first is None:
            if x.array is not None:
                x.first = self.constant(np.moveaxis(x.array, -1, 1), x.hint or "constant")
            else:
                x.first = self.node("Transpose", x, perm=[0, x.ndim - 1, *range(1, x.ndim - 1)])
        return x.first

    # ---- inputs ----

    def is_value(self, x) -> bool:
        """Whether x is a tensor of the graph, not a plain number, slice or None."""
        return isinstance(x, Value)

    def is_first(self, x: Value) -> bool:
        """Whether x is available with channels first only."""
        return x.first is not None and x.last is None and x.array is None

    # ---- results ----

    def result(self, last=None, *, first=None) -> Value:
        """The step's result, under its name with the channels last or first."""
        return Value(self.shape, self.dtype, last=last, first=first)

    def results(self, *names) -> tuple:
        """The results of a step that has several, under their names with the channels last."""
        kinds = zip(self.shapes, self.dtypes, names, strict=True)
        return tuple(Value(shape, dtype, last=name) for shape, dtype, name in kinds)

    def out(self, kind: str, *inputs, **attributes) -> Value:
        """The step's result as one node on values with channels last."""
        return self.result(self.node(kind, *inputs, **attributes))

    def elementwise(self, kind: str, *inputs, **attributes) -> Value:
        """The same, in the layout of the inputs, without transposing them."""
        tensors = [x for x in inputs if isinstance(x, Value)]
        axes = len(self.shape)
        if not any(self.is_first(x) and x.ndim == axes for x in tensors):
            return self.out(kind, *inputs, **attributes)
        like = self._type_beside(inputs)
        names = [self._beside_first(x, axes, like) for x in inputs]
        if None in names:
            return self.out(kind, *inputs, **attributes)
        return self.result(first=self.node(kind, *names, **attributes))

    def reduced(self, kind: str, x: Value, axis, keepdims=False) -> Value:
        """A reduction over axes; one over all positions of a map keeps the layout of x."""
        axes = self.axes(x, axis)
        if not axes:
            return self.out("Identity", x)
        positions = list(range(1, x.ndim - 1))
        if self.is_first(x) and axes == positions:
            moved = self.integers([a + 1 for a in positions])
            name = self.node(kind, x.first, moved, keepdims=int(keepdims))
            return self.result(first=name) if keepdims else self.result(name)
        return self.out(kind, x, self.integers(axes), keepdims=int(keepdims))

    def _beside_first(self, x, axes, like):
        """Name of x in a form that broadcasts with channels-first values, or None."""
        if not isinstance(x, Value) or x.ndim == 0:
            return None if x is None else self.name(x, like)
        if x.ndim == axes:
            return self.channels_first(x)
        if x.ndim == 1:
            shape = np.array([-1, *[1] * (axes - 2)])
            if x.array is not None:
                return self.constant(x.array.reshape(shape), f"{x.hint or 'constant'}_first")
            return self.node("Reshape", x, shape)
        return None

    # ---- axes and sizes ----

    def axes(self, x: Value, axis) -> list[int]:
        """Sorted nonnegative axes of x; axis: an integer, several, or None for all."""
        axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        return sorted(a % x.ndim for a in axes)

    def pads(self, pairs) -> list[int]:
        """((before, after), ...) in ONNX's order: all before, then all after."""
        return [before for before, _ in pairs] + [after for _, after in pairs]

    def sizes(self, shape) -> str:
        """Name of a shape tensor, in which multiples of the batch size are computed."""
        if all(n >= 0 for n in shape):
            return self.constant(np.array(shape, np.int64))
        parts = []
        for n in shape:
            if n >= 0:
                parts.append(self.constant(np.array([n], np.int64)))
            elif n == -1:
                parts.append(self.batch())
            else:
                parts.append(self.node("Mul", self.batch(), np.array([-n], np.int64)))
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=0)

    def batch(self) -> str:
        """Name of the batch size, shape (1,)."""
        if self._batch is None:
            self._batch = self.node("Shape", self.batch_of, start=0, end=1)
        return self._batch

    def reshaped(self, x, shape) -> str:
        """Name of x reshaped to `shape`; negative sizes are multiples of the batch size."""
        if sum(n < 0 for n in shape) <= 1 and 0 not in shape:
            target = np.array([-1 if n < 0 else n for n in shape], np.int64)
            return self.node("Reshape", x, self.constant(target))
        return self.node("Reshape", x, self.sizes(shape))

    def cast(self, x, dtype) -> str:
        from onnx import helper

        return self.node("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
