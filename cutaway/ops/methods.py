"""Operators and methods of Tensor: `a + b`, `x.sum(axis=0)`, `x[1:3]`.

The engine knows no operations, so they are put on Tensor here.
"""

from cutaway.engine import Tensor, as_array
from cutaway.ops import activations, arithmetic, elementwise, reductions, shapes


def _reflected(operation):
    return lambda self, other: operation(other, self)


def _operator(operation):
    return lambda self, other: operation(self, other)


def _unary(operation):
    def method(self):
        return operation(self)

    method.__doc__ = operation.__doc__
    return method


def _reduction(operation):
    def method(self, axis=None, keepdims=False):
        return operation(self, axis=axis, keepdims=keepdims)

    method.__doc__ = operation.__doc__
    return method


def _getitem(self, index):
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(as_array(p) if isinstance(p, Tensor | list) else p for p in parts)
    return shapes.getitem(self, index=parts)


def _reshape(self, *shape):
    return shapes.reshape(self, shape=shape[0] if _is_sequence(shape) else shape)


def _transpose(self, *axes):
    axes = axes[0] if _is_sequence(axes) else axes
    return shapes.transpose(self, axes=axes or None)


def _is_sequence(arguments) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], tuple | list)


_METHODS = {
    "__add__": _operator(arithmetic.add),
    "__radd__": _reflected(arithmetic.add),
    "__sub__": _operator(arithmetic.subtract),
    "__rsub__": _reflected(arithmetic.subtract),
    "__mul__": _operator(arithmetic.multiply),
    "__rmul__": _reflected(arithmetic.multiply),
    "__truediv__": _operator(arithmetic.divide),
    "__rtruediv__": _reflected(arithmetic.divide),
    "__pow__": _operator(arithmetic.power),
    "__rpow__": _reflected(arithmetic.power),
    "__matmul__": _operator(arithmetic.matmul),
    "__rmatmul__": _reflected(arithmetic.matmul),
    "__eq__": _operator(arithmetic.equal),
    "__ne__": _operator(arithmetic.not_equal),
    "__lt__": _operator(arithmetic.less),
    "__le__": _operator(arithmetic.less_equal),
    "__gt__": _operator(arithmetic.greater),
    "__ge__": _operator(arithmetic.greater_equal),
    "__neg__": _unary(elementwise.negative),
    "__abs__": _unary(elementwise.absolute),
    "__getitem__": _getitem,
    "abs": _unary(elementwise.absolute),
    "exp": _unary(elementwise.exp),
    "log": _unary(elementwise.log),
    "sqrt": _unary(elementwise.sqrt),
    "square": _unary(elementwise.square),
    "sigmoid": _unary(activations.sigmoid),
    "tanh": _unary(activations.tanh),
    "relu": _unary(activations.relu),
    "clip": lambda self, low=None, high=None: elementwise.clip(self, low=low, high=high),
    "sum": _reduction(reductions.sum),
    "mean": _reduction(reductions.mean),
    "max": _reduction(reductions.max),
    "min": _reduction(reductions.min),
    "var": _reduction(reductions.var),
    "std": _reduction(reductions.std),
    "argmax": lambda self, axis=None: reductions.argmax(self, axis=axis),
    "argmin": lambda self, axis=None: reductions.argmin(self, axis=axis),
    "reshape": _reshape,
    "transpose": _transpose,
    "T": property(lambda self: shapes.transpose(self)),
    "flatten": lambda self: shapes.reshape(self, shape=(-1,)),
    "squeeze": lambda self, axis=None: shapes.squeeze(self, axis=axis),
    "expand_dims": lambda self, axis: shapes.expand_dims(self, axis=axis),
    "take": lambda self, indices, axis=0: shapes.take(self, indices, axis=axis),
    "split": lambda self, parts, axis=0: shapes.split(self, parts, axis),
}

for _name, _method in _METHODS.items():
    if not isinstance(_method, property):
        _method.__name__ = _name
    setattr(Tensor, _name, _method)
