"""Tensor: an array that remembers how it was computed."""

from __future__ import annotations

import contextlib
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.errors import JAXTypeError
from jax.typing import ArrayLike

from cutaway.engine import tape
from cutaway.errors import GradientError, ShapeError, expect_type


class _Operations(dict):
    """Functions by name; asked for one before `cutaway.ops` is imported, it says so."""

    def __missing__(self, name):
        raise GradientError(
            f"the operation {name!r} is not there",
            expected="the operations to be loaded",
            fix="import cutaway.ops, or take Tensor from cutaway: import cutaway as ct; ct.Tensor",
        )


OPERATIONS = _Operations()  # what Tensor's operators and methods call, filled by ops

Axis: TypeAlias = int | tuple[int, ...] | None


class Tensor:
    """An array, and the record of the operation that made it.

    Arithmetic, indexing and reductions are methods and operators (see `cutaway.ops`).

    Args:
        data: array, number, nested list, or another Tensor. float64 becomes float32 except
            inside `cutaway.float64()`.
        requires_grad: whether `backward` shall leave ∂L/∂(this) in `.grad`.

    Attributes:
        data: the jax.Array.
        grad: a jax.Array of the same shape after `backward`, None before.
        record: the Record that made it; None for a leaf.
        output: which of the record's outputs it is; 0 where there is one.

    Example:
        >>> import cutaway as ct
        >>> x = ct.Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad.tolist()
        [2.0, 4.0]
    """

    __slots__ = ("__weakref__", "data", "grad", "output", "record", "requires_grad")

    __array_priority__ = 1000  # NumPy leaves `array + tensor` to us
    __hash__ = object.__hash__  # == compares elements; a tensor as a key is itself

    def __init__(self, data: TensorLike, *, requires_grad: bool = False):
        self.data: jax.Array = as_array(data)
        self.grad: jax.Array | None = None
        self.record: tape.Record | None = None
        self.output = 0
        self.requires_grad = requires_grad
        if requires_grad and not jnp.issubdtype(self.data.dtype, jnp.floating):
            raise GradientError(
                f"a Tensor of {self.data.dtype} cannot have a gradient",
                expected="floating-point data",
                fix="give floats, for example Tensor([1.0, 2.0], requires_grad=True)",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    def backward(self, grad: TensorLike | None = None) -> None:
        """Add ∂(this)/∂(leaf) to `.grad` of every leaf that needs it.

        Args:
            grad: gradient of the loss with respect to this tensor, same shape; 1 by default,
                for which this tensor must be a single number.

        Raises:
            GradientError: nothing was recorded, or several numbers and no `grad`.
        """
        for leaf, g in gradients(self, grad):
            leaf.grad = g if leaf.grad is None else leaf.grad + g

    def detach(self) -> Tensor:
        """The same values, cut off from the tape."""
        return Tensor(self.data)

    def numpy(self) -> np.ndarray:
        return np.asarray(self.data)

    def item(self):
        """The one number in it, as a Python number."""
        return self.data.item()

    def tolist(self):
        return self.data.tolist()

    def astype(self, dtype) -> Tensor:
        """The values in another type. Gradients flow from float to float, and stop at integers."""
        return OPERATIONS["astype"](self, dtype=dtype)

    # operators and methods: what they do is in ops, which fills OPERATIONS

    def __add__(self, other) -> Tensor:
        return OPERATIONS["add"](self, other)

    def __radd__(self, other) -> Tensor:
        return OPERATIONS["add"](other, self)

    def __sub__(self, other) -> Tensor:
        return OPERATIONS["subtract"](self, other)

    def __rsub__(self, other) -> Tensor:
        return OPERATIONS["subtract"](other, self)

    def __mul__(self, other) -> Tensor:
        return OPERATIONS["multiply"](self, other)

    def __rmul__(self, other) -> Tensor:
        return OPERATIONS["multiply"](other, self)

    def __truediv__(self, other) -> Tensor:
        return OPERATIONS["divide"](self, other)

    def __rtruediv__(self, other) -> Tensor:
        return OPERATIONS["divide"](other, self)

    def __pow__(self, other) -> Tensor:
        return OPERATIONS["power"](self, other)

    def __rpow__(self, other) -> Tensor:
        return OPERATIONS["power"](other, self)

    def __matmul__(self, other) -> Tensor:
        return OPERATIONS["matmul"](self, other)

    def __rmatmul__(self, other) -> Tensor:
        return OPERATIONS["matmul"](other, self)

    def __eq__(self, other) -> Tensor:
        return OPERATIONS["equal"](self, other)

    def __ne__(self, other) -> Tensor:
        return OPERATIONS["not_equal"](self, other)

    def __lt__(self, other) -> Tensor:
        return OPERATIONS["less"](self, other)

    def __le__(self, other) -> Tensor:
        return OPERATIONS["less_equal"](self, other)

    def __gt__(self, other) -> Tensor:
        return OPERATIONS["greater"](self, other)

    def __ge__(self, other) -> Tensor:
        return OPERATIONS["greater_equal"](self, other)

    def __neg__(self) -> Tensor:
        return OPERATIONS["negative"](self)

    def __abs__(self) -> Tensor:
        return OPERATIONS["absolute"](self)

    def __getitem__(self, index) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(as_array(p) if isinstance(p, Tensor | list) else p for p in parts)
        return OPERATIONS["getitem"](self, index=parts)

    def abs(self) -> Tensor:
        """|x|, elementwise."""
        return OPERATIONS["absolute"](self)

    def exp(self) -> Tensor:
        """eˣ, elementwise."""
        return OPERATIONS["exp"](self)

    def log(self) -> Tensor:
        """Natural logarithm, elementwise."""
        return OPERATIONS["log"](self)

    def sqrt(self) -> Tensor:
        """√x, elementwise."""
        return OPERATIONS["sqrt"](self)

    def square(self) -> Tensor:
        """x², elementwise."""
        return OPERATIONS["square"](self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + e⁻ˣ), elementwise."""
        return OPERATIONS["sigmoid"](self)

    def tanh(self) -> Tensor:
        """Hyperbolic tangent, elementwise."""
        return OPERATIONS["tanh"](self)

    def relu(self) -> Tensor:
        """max(x, 0), elementwise."""
        return OPERATIONS["relu"](self)

    def clip(self, low=None, high=None) -> Tensor:
        """The nearest to x within [low, high], elementwise."""
        return OPERATIONS["clip"](self, low=low, high=high)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Sum along axis, a number or several; None: of all elements."""
        return OPERATIONS["sum"](self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Mean along axis, a number or several; None: of all elements."""
        return OPERATIONS["mean"](self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Largest along axis, a number or several; None: of all elements."""
        return OPERATIONS["max"](self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Smallest along axis, a number or several; None: of all elements."""
        return OPERATIONS["min"](self, axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Variance (divided by n) along axis, a number or several; None: of all elements."""
        return OPERATIONS["var"](self, axis=axis, keepdims=keepdims)

    def std(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Standard deviation (divided by n) along axis, one or several; None: of all elements."""
        return OPERATIONS["std"](self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Tensor:
        """Index of the largest along axis; None: in the flattened array."""
        return OPERATIONS["argmax"](self, axis=axis)

    def argmin(self, axis: int | None = None) -> Tensor:
        """Index of the smallest along axis; None: in the flattened array."""
        return OPERATIONS["argmin"](self, axis=axis)

    def reshape(self, *shape) -> Tensor:
        """The same elements in another shape; one size may be -1."""
        return OPERATIONS["reshape"](self, shape=_one_or_several(shape))

    def transpose(self, *axes) -> Tensor:
        """The axes in another order; turned around without arguments."""
        return OPERATIONS["transpose"](self, axes=_one_or_several(axes) or None)

    @property
    def T(self) -> Tensor:
        """The axes turned around."""
        return OPERATIONS["transpose"](self)

    def flatten(self) -> Tensor:
        """All elements along one axis."""
        return OPERATIONS["reshape"](self, shape=(-1,))

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Without axes of size 1: those given, or all."""
        return OPERATIONS["squeeze"](self, axis=axis)

    def expand_dims(self, axis: int) -> Tensor:
        """With a new axis of size 1."""
        return OPERATIONS["expand_dims"](self, axis=axis)

    def take(self, indices, axis: int = 0) -> Tensor:
        """The elements at these indices along axis."""
        return OPERATIONS["take"](self, indices, axis=axis)

    def split(self, parts: int, axis: int = 0) -> list[Tensor]:
        """Equal parts along axis."""
        return OPERATIONS["split"](self, parts, axis)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data, dtype=dtype)

    def __len__(self):
        if not self.shape:
            raise ShapeError("a Tensor of shape () has no length", fix="use .item()")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        if self.size != 1:
            raise ShapeError(
                f"a Tensor of {self.size} elements is neither true nor false",
                fix="say which: (x > 0).numpy().all() or .any()",
            )
        return bool(self.data)

    def __float__(self):
        return float(self.data)

    def __int__(self):
        return int(self.data)

    def __index__(self):
        return self.data.__index__()

    def __repr__(self):
        if isinstance(self.data, Tracer):
            return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype}, traced)"
        values = np.array2string(self.numpy(), precision=4, separator=", ", threshold=20)
        flag = ", requires_grad=True" if self.requires_grad else ""
        return f"{type(self).__name__}({values}, dtype={self.dtype}{flag})"


def gradients(tensor: Tensor, grad: TensorLike | None = None, visit=None) -> list:
    """[(leaf, gradient)] of `tensor` with respect to every leaf below it that needs one.

    The pure form of `Tensor.backward`: no `.grad` is touched.

    Args:
        grad: see `Tensor.backward`.
        visit: function (record, ∂L/∂out, gradients of its inputs) that is told of every record.
    """
    expect_type(tensor, Tensor, what="gradients: tensor", expected="a Tensor")
    if not tensor.requires_grad:
        raise GradientError(
            "backward: this Tensor was not computed from anything that needs a gradient",
            expected="a result of parameters or of Tensor(..., requires_grad=True)",
            fix="check that it was not made under no_grad(), detached, or from labels only",
        )
    if grad is None:
        if tensor.size != 1:
            raise GradientError(
                f"backward: this Tensor has shape {tensor.shape}, so it is not one number",
                expected="a loss that is a single number",
                fix="reduce it first (.mean() or .sum()), or pass grad of the same shape",
            )
        grad = jnp.ones_like(tensor.data)
    else:
        grad = as_array(grad).astype(tensor.dtype)
        if grad.shape != tensor.shape:
            raise ShapeError(
                f"backward: grad has shape {grad.shape}",
                expected=f"the shape of this Tensor, {tensor.shape}",
            )
    if tensor.record is None:
        return [(tensor, grad)]
    return tape.gradients(tensor.record, grad, visit, output=tensor.output)


def _one_or_several(arguments):
    """reshape((2, 3)) means reshape(2, 3)."""
    if len(arguments) == 1 and isinstance(arguments[0], tuple | list):
        return arguments[0]
    return arguments


# what becomes a Tensor: nested lists of these too
TensorLike: TypeAlias = Tensor | ArrayLike | list | tuple


def as_array(value: TensorLike) -> jax.Array:
    """The jax.Array behind a Tensor, array, number or nested list."""
    if isinstance(value, Tensor):
        return value.data
    if isinstance(value, jax.Array):
        return value
    if isinstance(value, list | tuple):
        value = np.asarray([np.asarray(v) for v in value])
        if value.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
            value = value.astype(np.float32)
    if isinstance(value, str):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biufcV":
        raise ShapeError(
            f"an array of {value.dtype} is not made of numbers",
            expected="numbers (float, int or bool)",
            fix="encode text first, for example with cutaway.data.TablePreprocessing",
        )
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError) as error:
        if isinstance(error, JAXTypeError):  # about values while compiling: JAX says it best
            raise
        what = "None" if value is None else type(value).__name__
        raise ShapeError(
            f"{what} is not an array",
            expected="numbers: an array, a Tensor, a number or a nested list of them",
        ) from error


def float64() -> contextlib.AbstractContextManager[None]:
    """Context in which arrays may be float64: for gradient checks and explanations.

    Example:
        >>> import cutaway as ct
        >>> with ct.float64():
        ...     ct.Tensor(1 / 3).dtype
        dtype('float64')
    """
    return jax.enable_x64(True)
