"""Initializers of weights. Each is a function from a shape to a float32 NumPy array.

The scale of the weights decides whether signals and gradients keep their size through many layers:
var(z) = fan_in · var(w) · var(O).
"""

import math

import numpy as np

from cutaway.errors import ShapeError, expect_range
from cutaway.files.limits import free_memory
from cutaway.nn.random import generator

MUCH = 2**27  # bytes: fewer are not worth asking how many are free


def fans(shape) -> tuple[int, int]:
    """(fan_in, fan_out): number of inputs per output, and of outputs per input.

    (in, out) for a matrix; for a convolution kernel (*window, in, out) both times the size of the
    window; (n, n) for a vector of size n.
    """
    shape = tuple(shape)
    if not shape:
        raise ShapeError("a scalar has no fan_in", expected="a shape with at least one axis")
    if len(shape) == 1:
        return shape[0], shape[0]
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def zeros(shape) -> np.ndarray:
    """All 0: for biases. With zero weights, all neurons of a layer keep the same gradient."""
    _expect_room(shape)
    return np.zeros(shape, np.float32)


def constant(shape, value: float = 1.0) -> np.ndarray:
    """All `value`."""
    _expect_room(shape)
    return np.full(shape, value, np.float32)


def normal(shape, std: float = 0.01) -> np.ndarray:
    """Normal with mean 0."""
    expect_range(std, what="std", least=0)
    return _normal(shape, std)


def uniform(shape, limit: float = 0.05) -> np.ndarray:
    """Uniform in ±limit."""
    expect_range(limit, what="limit", least=0)
    return _uniform(shape, limit)


def uniform_fan_in(shape) -> np.ndarray:
    """Uniform in ±1/√fan_in. LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp", sec. 4.6."""
    return _uniform(shape, 1 / math.sqrt(max(1, fans(shape)[0])))


def glorot_uniform(shape) -> np.ndarray:
    """Xavier: uniform in ±√(6 / (fan_in + fan_out)). Glorot & Bengio 2010, eq. 16."""
    return _uniform(shape, math.sqrt(6 / max(1, sum(fans(shape)))))


def glorot_normal(shape) -> np.ndarray:
    """Xavier: normal with variance 2 / (fan_in + fan_out). Glorot & Bengio 2010, eq. 12."""
    return _normal(shape, math.sqrt(2 / max(1, sum(fans(shape)))))


def he_uniform(shape) -> np.ndarray:
    """Uniform in ±√(6 / fan_in), for ReLU. He et al. 2015, arXiv:1502.01852, eq. 10."""
    return _uniform(shape, math.sqrt(6 / max(1, fans(shape)[0])))


def he_normal(shape) -> np.ndarray:
    """Normal with variance 2 / fan_in, for ReLU. He et al. 2015, arXiv:1502.01852, eq. 10."""
    return _normal(shape, math.sqrt(2 / max(1, fans(shape)[0])))


def lecun_uniform(shape) -> np.ndarray:
    """Uniform in ±√(3 / fan_in). LeCun et al. 1998, "Efficient BackProp", eq. 16."""
    return _uniform(shape, math.sqrt(3 / max(1, fans(shape)[0])))


def lecun_normal(shape) -> np.ndarray:
    """Normal with variance 1 / fan_in; for SELU. LeCun et al. 1998, "Efficient BackProp"."""
    return _normal(shape, math.sqrt(1 / max(1, fans(shape)[0])))


def orthogonal(shape, gain: float = 1.0) -> np.ndarray:
    """Orthonormal rows or columns, times gain. Saxe, McClelland & Ganguli 2014, arXiv:1312.6120.

    The shape is treated as a matrix (product of all axes but the last, last axis).
    """
    shape = tuple(shape)
    if len(shape) < 2:
        raise ShapeError(
            f"orthogonal weights of shape {shape}", expected="a shape with at least two axes"
        )
    rows, columns = math.prod(shape[:-1]), shape[-1]
    drawn = generator().normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
    q = q if rows >= columns else q.T
    return (gain * q).reshape(shape).astype(np.float32)


def _normal(shape, std) -> np.ndarray:
    _expect_room(shape)
    return (std * generator().standard_normal(shape)).astype(np.float32)


def _uniform(shape, limit) -> np.ndarray:
    _expect_room(shape)
    return generator().uniform(-limit, limit, shape).astype(np.float32)


xavier_uniform = glorot_uniform
xavier_normal = glorot_normal

INITIALIZERS = {
    f.__name__: f
    for f in (
        zeros,
        constant,
        normal,
        uniform,
        uniform_fan_in,
        glorot_normal,
        glorot_uniform,
        he_normal,
        he_uniform,
        lecun_normal,
        lecun_uniform,
        orthogonal,
    )
} | {"xavier_normal": glorot_normal, "xavier_uniform": glorot_uniform}


def _expect_room(shape) -> None:
    """Raise MemoryError for weights larger than the free memory.

    Linux promises memory that it does not have, and ends the process when it is written to.
    """
    size = math.prod(shape) * (np.dtype(np.float64).itemsize + np.dtype(np.float32).itemsize)
    if size < MUCH:
        return
    free = free_memory()
    if free is not None and size > free:
        raise MemoryError(f"Unable to allocate {size} for weights of shape {tuple(shape)}")
