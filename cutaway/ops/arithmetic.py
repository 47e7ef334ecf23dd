"""Arithmetic of two arrays, with broadcasting: + - * / ** maximum minimum, and comparisons."""

import math

import jax.numpy as jnp

from cutaway.engine.operation import operation
from cutaway.errors import ShapeError
from cutaway.ops.precision import product


def unbroadcast(grad, x):
    """Sum `grad` over the axes along which x was broadcast, back to the shape of x.

    An element that was copied k times has k paths to the loss, and gradients of paths add up.
    """
    shape = jnp.shape(x)
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    stretched = [extra + i for i, n in enumerate(shape) if n == 1 and grad.shape[extra + i] != 1]
    grad = grad.sum(axis=(*range(extra), *stretched), keepdims=True)
    return grad.reshape(shape)


def _expect_broadcast(name, a, b):
    a, b = jnp.shape(a), jnp.shape(b)
    for m, n in zip(reversed(a), reversed(b), strict=False):
        if m != n and m != 1 and n != 1:
            raise ShapeError(
                f"{name}: shapes {a} and {b} cannot be broadcast together",
                expected="equal sizes, or size 1, from the last axis backwards",
                fix="reshape one of them, for example x.reshape(-1, 1)",
            )


@operation(edges="elementwise", role="arithmetic", sign="+", neutral=0)
def add(a, b):
    """a + b."""
    _expect_broadcast("add", a, b)
    return jnp.add(a, b)


@add.backward
def add_backward(grad, out, a, b):
    return unbroadcast(grad, a), unbroadcast(grad, b)


add.onnx("Add")


@operation(edges="elementwise", role="arithmetic", sign="−")
def subtract(a, b):
    """a - b."""
    _expect_broadcast("subtract", a, b)
    return jnp.subtract(a, b)


@subtract.backward
def subtract_backward(grad, out, a, b):
    return unbroadcast(grad, a), unbroadcast(-grad, b)


subtract.onnx("Sub")


@operation(edges="elementwise", role="arithmetic", sign="×", neutral=1)
def multiply(a, b):
    """a * b."""
    _expect_broadcast("multiply", a, b)
    return jnp.multiply(a, b)


@multiply.backward
def multiply_backward(grad, out, a, b):
    return unbroadcast(grad * b, a), unbroadcast(grad * a, b)


multiply.onnx("Mul")


@operation(edges="elementwise", role="arithmetic", sign="÷")
def divide(a, b):
    """a / b."""
    _expect_broadcast("divide", a, b)
    return jnp.divide(a, b)


@divide.backward
def divide_backward(grad, out, a, b):
    return unbroadcast(grad / b, a), unbroadcast(-grad * out / b, b)


divide.onnx("Div")


@operation(edges="elementwise", role="arithmetic", sign="power")
def power(a, b):
    """a ** b."""
    _expect_broadcast("power", a, b)
    return jnp.power(a, b)


@power.backward
def power_backward(grad, out, a, b):
    # ∂(a^b)/∂b = a^b ln a; where a = 0 the limit for b > 0 is 0
    positive = jnp.asarray(a) > 0
    log_a = jnp.where(positive, jnp.log(jnp.where(positive, a, 1)), 0)
    # where b = 0 the result is 1 whatever a is
    slope = jnp.where(jnp.asarray(b) == 0, 0, b * jnp.power(a, jnp.where(b == 0, 1, b - 1)))
    return unbroadcast(grad * slope, a), unbroadcast(grad * out * log_a, b)


power.onnx("Pow")


@operation(edges="product", role="weights", sign="@")
def matmul(a, b):
    """Matrix product over the last two axes; earlier axes broadcast.

    Shapes:
        a: (..., n, k) or (k,)
        b: (..., k, m) or (k,)
        out: (..., n, m), without the axis added for a vector
    """
    a_shape, b_shape = jnp.shape(a), jnp.shape(b)
    if not a_shape or not b_shape or a_shape[-1] != b_shape[-2 if len(b_shape) > 1 else 0]:
        raise ShapeError(
            f"matmul: shapes {a_shape} and {b_shape} are incompatible",
            expected="(..., n, k) @ (..., k, m) with the same k",
            fix="transpose or reshape one of them",
        )
    if len(a_shape) > 2 and len(b_shape) == 2:  # all leading axes in one product
        flat = product(jnp.matmul, _rows(a), b)
        return flat.reshape(*a_shape[:-1], b_shape[-1])
    return product(jnp.matmul, a, b)


@matmul.backward
def matmul_backward(grad, out, a, b):
    # y = a b: ∂L/∂a = ∂L/∂y bᵀ, ∂L/∂b = aᵀ ∂L/∂y; a vector is a matrix of one row or column
    rows, columns = jnp.atleast_2d(a), b if b.ndim > 1 else b[:, None]
    if b.ndim == 1:
        grad = grad[..., None]
    if a.ndim == 1:
        grad = jnp.expand_dims(grad, -2)
    if columns.ndim == 2 and rows.ndim > 2:
        to_rows = product(jnp.matmul, _rows(grad), columns.T).reshape(rows.shape)
        to_columns = product(jnp.matmul, _rows(rows).T, _rows(grad))
    else:
        to_rows = product(jnp.matmul, grad, jnp.swapaxes(columns, -1, -2))
        to_columns = product(jnp.matmul, jnp.swapaxes(rows, -1, -2), grad)
    return (
        unbroadcast(to_rows, rows).reshape(a.shape),
        unbroadcast(to_columns, columns).reshape(b.shape),
    )


matmul.onnx("MatMul")


def _rows(x):
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@operation(edges="elementwise", role="choice")
def maximum(a, b):
    """The larger of a and b, elementwise. Where they are equal, each gets half the gradient."""
    _expect_broadcast("maximum", a, b)
    return jnp.maximum(a, b)


@maximum.backward
def maximum_backward(grad, out, a, b):
    return _split_ties(grad, out == a, out == b, a, b)


maximum.onnx("Max")


@operation(edges="elementwise", role="choice")
def minimum(a, b):
    """The smaller of a and b, elementwise. Where they are equal, each gets half the gradient."""
    _expect_broadcast("minimum", a, b)
    return jnp.minimum(a, b)


@minimum.backward
def minimum_backward(grad, out, a, b):
    return _split_ties(grad, out == a, out == b, a, b)


minimum.onnx("Min")


def _split_ties(grad, a_chosen, b_chosen, a, b):
    both = a_chosen & b_chosen
    to_a = grad * jnp.where(both, 0.5, a_chosen)
    to_b = grad * jnp.where(both, 0.5, b_chosen)
    return unbroadcast(to_a, a), unbroadcast(to_b, b)


def _comparison(name, compare):
    def forward(a, b):
        _expect_broadcast(name, a, b)
        return compare(a, b)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"Elementwise {name.replace('_', ' ')}: booleans, without a gradient."
    return operation(differentiable=False, edges="elementwise", role="arithmetic")(forward)


equal = _comparison("equal", jnp.equal)
equal.onnx("Equal")
less = _comparison("less", jnp.less)
less.onnx("Less")
less_equal = _comparison("less_equal", jnp.less_equal)
less_equal.onnx("LessOrEqual")
greater = _comparison("greater", jnp.greater)
greater.onnx("Greater")
greater_equal = _comparison("greater_equal", jnp.greater_equal)
greater_equal.onnx("GreaterOrEqual")
not_equal = _comparison("not_equal", jnp.not_equal)


@not_equal.onnx
def not_equal_onnx(g, a, b):
    return g.out("Not", g.node("Equal", a, b))
