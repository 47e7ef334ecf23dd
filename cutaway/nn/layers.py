"""Basic layers: linear, dropout, embedding, standardization, residual connections."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import (
    DataError,
    OptionError,
    ShapeError,
    expect_axis,
    expect_integer,
    expect_range,
)
from cutaway.nn import init as initializers
from cutaway.nn.drop_rates import survivors
from cutaway.nn.module import Module
from cutaway.nn.random import new_key
from cutaway.nn.state import Buffer, Parameter
from cutaway.nn.units import assign_arrays, units_along


class Linear(Module):
    """Affine map of the last axis: y = x W + b.

    Args:
        in_features: size of the last axis of x.
        out_features: size of the last axis of y.
        bias: whether b is added.
        init: initializer of the weight, see cutaway.init.

    Shapes:
        x: (..., in_features)
        y: (..., out_features)

    Parameters:
        weight: (in_features, out_features); weight[i, j] connects input i to neuron j. Glorot
            uniform [1] by default.
        bias: (out_features,), zeros.

    References:
        [1] Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward
        neural networks", eq. 16.

    Example:
        >>> import numpy as np
        >>> from cutaway.nn import Linear
        >>> Linear(3, 4)(np.ones((2, 3))).shape
        (2, 4)
    """

    layer_kind = "dense"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        init=initializers.glorot_uniform,
    ):
        expect_integer(in_features, what="Linear: in_features", least=1)
        expect_integer(out_features, what="Linear: out_features", least=1)
        self.weight = Parameter(init((in_features, out_features)))
        self.bias = Parameter(initializers.zeros((out_features,))) if bias else None

    def forward(self, x):
        expect_axis(x, -1, self.weight.shape[0], where=self.label(), name="in_features")
        y = x @ self.weight
        return y if self.bias is None else y + self.bias

    def output_units(self):
        fresh = initializers.glorot_uniform
        return units_along((self.weight, 1, fresh), (self.bias, 0), count=self.weight.shape[1])

    def input_units(self):
        return units_along((self.weight, 0))

    def become_identity(self):
        rows, columns = self.weight.shape
        if rows != columns:
            raise ShapeError(
                f"Linear({rows}, {columns}) cannot begin as the identity",
                expected="as many outputs as inputs",
                fix=f"insert Linear({rows}, {rows})",
            )
        assign_arrays(self, weight=np.eye(rows), bias=np.zeros(rows))

    def become_zero(self):
        assign_arrays(self, weight=np.zeros(self.weight.shape), bias=np.zeros(self.weight.shape[1]))

    def describe(self):
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}{bias}"


class Dropout(Module):
    """In training, sets each unit to 0 with probability p and multiplies the others by 1/(1-p).

    This keeps the expected value of every unit, so evaluation does nothing (inverted dropout). The
    paper (and many textbooks) instead leave the kept units unscaled in training and multiply the
    outgoing weights by the fraction kept, w · (1 - p), at test time: the same network up to that
    factor.

    Args:
        p: fraction of units dropped, in [0, 1).

    Shapes:
        x and y: any, the same

    References:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
        overfitting", JMLR 15.
    """

    layer_kind = "dropout"

    keeps_features = True
    is_per_feature = True

    def __init__(self, p: float = 0.5):
        expect_range(p, what="Dropout: p", least=0, below=1)
        self.p = p
        self.key = Buffer(new_key())

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        self.key.data, key = jax.random.split(self.key.data)
        return x * Tensor(survivors(key, self.p, x.shape, x.dtype))

    def become_identity(self):
        """It is, in evaluation; in training, on average."""

    def become_zero(self):
        """0 stays 0."""

    def describe(self):
        return f"p={self.p}"


class Flatten(Module):
    """Flattens all axes but the first: (batch, ...) -> (batch, features)."""

    layer_kind = "pooling"
    is_per_feature = True  # of its input, at each position

    def forward(self, x):
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Standardize(Module):
    """y = (x - mean) / std with constants: the first layer of networks for images.

    This lets a dataset of images stay uint8 until a batch is used, and stores the constants with
    the weights.

    Args:
        mean, std: one number per feature, or one for all.

    Shapes:
        x: (..., features), of any numerical dtype
        y: (..., features), floating point
    """

    layer_kind = "normalization"

    keeps_features = True

    def __init__(self, mean, std):
        try:
            means, stds = (np.atleast_1d(np.asarray(v, np.float32)) for v in (mean, std))
            fits = means.shape == stds.shape and (stds > 0).all()
        except (TypeError, ValueError):  # no numbers
            fits = False
        if not fits:
            raise OptionError(
                f"Standardize: mean {mean}, std {std}",
                expected="mean and std of equal shapes, std > 0",
            )
        self.mean = Buffer(means)
        self.std = Buffer(stds)

    def forward(self, x):
        if not jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(self.mean.dtype)
        return (x - self.mean) / self.std

    def feature_units(self):
        return None if self.mean.size == 1 else units_along((self.mean, 0), (self.std, 0, 1.0))

    def describe(self):
        return f"{self.mean.shape[0]}"


class Embedding(Module):
    """A lookup table of vectors.

    Args:
        num_embeddings: number of vectors; indices are 0 to num_embeddings - 1.
        features: size of a vector.
        padding_index: index of padding; its vector is always 0.

    Shapes:
        x: (...), indices, as integers or floats
        y: (..., features)

    Parameters:
        weight: (num_embeddings, features), normal with standard deviation 1/√features.
    """

    layer_kind = "embedding"

    def __init__(self, num_embeddings: int, features: int, *, padding_index: int | None = None):
        expect_integer(num_embeddings, what="Embedding: num_embeddings", least=1)
        expect_integer(features, what="Embedding: features", least=1)
        if padding_index is not None:
            expect_integer(
                padding_index, what="Embedding: padding_index", least=0, below=num_embeddings
            )
        self.padding_index = padding_index
        std = 1 / math.sqrt(features)
        self.weight = Parameter(initializers.normal((num_embeddings, features), std))

    def forward(self, x):
        indices = x.data
        if not isinstance(indices, Tracer):  # in compiled code, values are unknown
            self._expect_indices(np.asarray(indices))
        if jnp.issubdtype(indices.dtype, jnp.floating):
            indices = indices.astype(jnp.int32)
        y = ops.take(self.weight, indices)
        if self.padding_index is None:
            return y
        return y * Tensor((indices != self.padding_index)[..., None].astype(y.dtype))

    def output_units(self):
        fresh = functools.partial(initializers.normal, std=1 / math.sqrt(self.weight.shape[1]))
        return units_along((self.weight, 1, fresh), count=self.weight.shape[1])

    def _expect_indices(self, indices):
        count = self.weight.shape[0]
        if indices.size and not (indices.min() >= 0 and indices.max() < count):
            raise DataError(
                f"{self.label()}: indices from {indices.min():g} to {indices.max():g}",
                expected=f"0 to {count - 1} (set by num_embeddings={count})",
                fix="increase num_embeddings, or map unknown values to one of them",
            )
        if indices.dtype.kind == "f" and (indices != np.floor(indices)).any():
            raise DataError(
                f"{self.label()}: indices that are not integers, for example "
                f"{indices[indices != np.floor(indices)][0]:g}",
                expected="integers, stored as integers or floats",
                fix="use a Linear layer for real numbers, or number the categories",
            )

    def describe(self):
        padding = "" if self.padding_index is None else f", padding_index={self.padding_index}"
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}{padding}"


class Residual(Module):
    """y = x + f(x): a residual connection, through which the gradient passes unchanged.

    Args:
        inner: the module f; its output must have the shape of its input.

    References:
        He et al. 2016, "Deep residual learning for image recognition", arXiv:1512.03385.
    """

    is_wrapper = True

    keeps_features = True

    def __init__(self, inner: Module):
        self.inner = inner

    def forward(self, x):
        y = self.inner(x)
        if y.shape != x.shape:
            raise ShapeError(
                f"{self.label()}: the inner module maps shape {x.shape} to {y.shape}",
                expected="an output with the shape of the input, for the addition",
                fix="give the inner module as many outputs as inputs, or use Add with a "
                "projection as the second branch",
            )
        return x + y

    def become_identity(self):
        self.inner.become_zero()


class Add(Module):
    """y = f(x) + g(x) + ...: the sum of parallel branches."""

    def __init__(self, *branches: Module):
        self.branches = branches

    def forward(self, x):
        results = [branch(x) for branch in self.branches]
        if len({r.shape for r in results}) > 1:
            raise ShapeError(
                f"{self.label()}: the branches output shapes {[r.shape for r in results]}",
                expected="equal shapes, for the addition",
            )
        total = results[0]
        for result in results[1:]:
            total = total + result
        return total
