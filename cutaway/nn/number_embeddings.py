"""Embeddings of numbers: each column of a table becomes several features of its own.

A network of smooth units learns thresholds and fast changes of one column only slowly. Waves or
bins of the column bring them within reach of its first layer.
"""

import math

import jax.numpy as jnp
import numpy as np

from cutaway import ops
from cutaway.errors import (
    DataError,
    OptionError,
    ShapeError,
    expect_axis,
    expect_integer,
    expect_range,
)
from cutaway.nn import init as initializers
from cutaway.nn.activations import ReLU
from cutaway.nn.module import Module
from cutaway.nn.state import Buffer, Parameter


class ColumnLinear(Module):
    """A linear map of its own for each column: y_c = x_c W_c + b_c.

    Args:
        columns: number of columns.
        in_features: numbers of each column in x.
        out_features: numbers of each column in y.

    Shapes:
        x: (batch, columns, in_features)
        y: (batch, columns, out_features)

    Parameters:
        weight: (columns, in_features, out_features), uniform in ±1/√in_features.
        bias: (columns, out_features), likewise.
    """

    layer_kind = "dense"

    def __init__(self, columns: int, in_features: int, out_features: int):
        expect_integer(columns, what="ColumnLinear: columns", least=1)
        expect_integer(in_features, what="ColumnLinear: in_features", least=1)
        expect_integer(out_features, what="ColumnLinear: out_features", least=1)
        limit = 1 / math.sqrt(in_features)
        self.weight = Parameter(initializers.uniform((columns, in_features, out_features), limit))
        self.bias = Parameter(initializers.uniform((columns, out_features), limit))

    def forward(self, x):
        if x.ndim != 3 or x.shape[1:] != self.weight.shape[:2]:
            columns, in_features, _ = self.weight.shape
            raise ShapeError(
                f"{self.label()}: the input has shape {x.shape}",
                expected=f"(batch, {columns}, {in_features}): columns, and numbers of each",
                fix="build the layer with the sizes of its input",
            )
        return self.of_columns(x.transpose(1, 2, 0))

    def of_columns(self, x):
        """y for x of shape (columns, in_features, batch).

        With the rows last, the products are wide ones, which take half the time on a CPU.
        """
        by_column = self.weight.transpose(0, 2, 1) @ x  # (columns, out_features, batch)
        return by_column.transpose(2, 0, 1) + self.bias

    def describe(self):
        return ", ".join(map(str, self.weight.shape))


class _NumberEmbedding(Module):
    """Base of the embeddings: features of each column, a linear map of them, the column beside."""

    layer_kind = "embedding"

    linear: ColumnLinear
    activation: Module | None
    keeps_input: bool

    @property
    def out_features(self) -> int:
        """Size of the last axis of y: what the next Linear takes in."""
        columns, _, width = self.linear.weight.shape
        return columns * (width + self.keeps_input)

    def encode(self, x):
        """The features of each column that the linear map reads: (batch, features, numbers)."""
        return self._encoded(x.transpose(1, 0)[:, None]).transpose(2, 0, 1)

    def _encoded(self, x):
        """The same as (features, numbers, batch), of x as (features, 1, batch)."""
        raise NotImplementedError

    def forward(self, x):
        columns = self.linear.weight.shape[0]
        expect_axis(x, -1, columns, where=self.label(), name="features")
        if x.ndim != 2:
            raise ShapeError(
                f"{self.label()}: the input has shape {x.shape}",
                expected=f"(batch, {columns})",
                fix="for a single row: x[None]",
            )
        if not jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(self.linear.weight.dtype)
        y = self.linear.of_columns(self._encoded(x.transpose(1, 0)[:, None]))
        # y: (batch, features, width)
        if self.activation is not None:
            y = self.activation(y)
        if self.keeps_input:
            y = ops.concatenate([y, x[..., None]], axis=2)  # (batch, features, width + 1)
        return y.reshape(x.shape[0], self.out_features)

    def describe(self):
        columns, _, width = self.linear.weight.shape
        options = "" if self.keeps_input else ", keeps_input=False"
        activation = "" if self.activation is None else f", {type(self.activation).__name__}"
        return f"{columns}, {self._describe_encoding()}, width={width}{activation}{options}"

    def _describe_encoding(self) -> str:
        raise NotImplementedError

    def __repr__(self):
        return f"{type(self).__name__}({self.describe()})"


class PeriodicEmbedding(_NumberEmbedding):
    """Cosines of each column with learned frequencies and phases, mapped linearly: "PBLD" [1].

    For each column c by itself: h_k = cos(2π w_ck x_c + b_ck), and y_c is h V_c + v_c with x_c
    beside. The sigma of the frequencies decides how fast y changes with x; it is meant for columns
    of about unit spread.

    Args:
        features: number of columns.
        frequencies: number of cosines for each column.
        width: numbers that the linear map makes of them.
        sigma: standard deviation of the initial frequencies w.
        activation: class of an activation after the linear map, such as nn.ReLU; None: none.
        keeps_input: whether x_c stands behind the numbers of column c.

    Shapes:
        x: (batch, features)
        y: (batch, features · (width + 1)), column by column; features · width without the input

    Parameters:
        frequency: (features, frequencies), normal with standard deviation sigma.
        phase: (features, frequencies), uniform in ±π.
        linear: ColumnLinear, frequencies -> width.

    Raises:
        ShapeError: x is not (batch, features).
        OptionError: a size below 1, a sigma that is not positive, an activation that is no class.

    References:
        [1] Holzmüller, Grinsztajn & Steinwart 2024, "Better by default: strong pre-tuned MLPs and
        boosted trees on tabular data", arXiv:2407.04491, sec. 3.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.nn.PeriodicEmbedding(5)(np.zeros((2, 5))).shape
        (2, 20)
    """

    def __init__(
        self,
        features: int,
        frequencies: int = 16,
        width: int = 3,
        *,
        sigma: float = 0.1,
        activation: type[Module] | None = None,
        keeps_input: bool = True,
    ):
        _expect_sizes("PeriodicEmbedding", features, frequencies, width, sigma)
        self.frequency = Parameter(initializers.normal((features, frequencies), sigma))
        self.phase = Parameter(initializers.uniform((features, frequencies), math.pi))
        self.linear = ColumnLinear(features, frequencies, width)
        self.activation = _made(activation, type(self).__name__)
        self.keeps_input = keeps_input

    def _encoded(self, x):
        phase = self.phase * (1 / (2 * math.pi))
        return ops.cos_turns(x * self.frequency[..., None] + phase[..., None])

    def _describe_encoding(self):
        return f"frequencies={self.frequency.shape[1]}"


class SineCosineEmbedding(_NumberEmbedding):
    """Sines and cosines of each column with learned frequencies, then linear and ReLU: "PLR" [1].

    For each column c by itself: h = (sin 2π w_c x_c, cos 2π w_c x_c), y_c = ReLU(h V_c + v_c).

    Args:
        features: number of columns.
        frequencies: number of sines, and of cosines, for each column.
        width: numbers that the linear map makes of them.
        sigma: standard deviation of the initial frequencies w; the most important option, to be
            tuned between 0.01 and 10.
        activation: class of the activation after the linear map; None: none.
        keeps_input: whether x_c stands behind the numbers of column c.

    Shapes:
        x: (batch, features)
        y: (batch, features · width), column by column; features · (width + 1) with the input

    Parameters:
        frequency: (features, frequencies), normal with standard deviation sigma.
        linear: ColumnLinear, 2 · frequencies -> width.

    Raises:
        ShapeError: x is not (batch, features).
        OptionError: a size below 1, a sigma that is not positive, an activation that is no class.

    References:
        [1] Gorishniy, Rubachev & Babenko 2022, "On embeddings for numerical features in tabular
        deep learning", arXiv:2203.05556, sec. 3.3.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.nn.SineCosineEmbedding(5, width=8)(np.zeros((2, 5))).shape
        (2, 40)
    """

    def __init__(
        self,
        features: int,
        frequencies: int = 48,
        width: int = 24,
        *,
        sigma: float = 0.01,
        activation: type[Module] | None = ReLU,
        keeps_input: bool = False,
    ):
        _expect_sizes("SineCosineEmbedding", features, frequencies, width, sigma)
        self.frequency = Parameter(initializers.normal((features, frequencies), sigma))
        self.linear = ColumnLinear(features, 2 * frequencies, width)
        self.activation = _made(activation, type(self).__name__)
        self.keeps_input = keeps_input

    def _encoded(self, x):
        turns = x * self.frequency[..., None]
        return ops.concatenate([ops.sin_turns(turns), ops.cos_turns(turns)], axis=1)

    def _describe_encoding(self):
        return f"frequencies={self.frequency.shape[1]}"


class PiecewiseLinearEmbedding(_NumberEmbedding):
    """Where in its bins each column lies, mapped linearly: piecewise-linear encoding [1].

    A column with the edges e_0 < ... < e_T has T bins, and of bin t the position
    p_t = (x - e_{t-1}) / (e_t - e_{t-1}), between 0 below it and 1 above it; that of the first bin
    goes below 0 and that of the last above 1. y_c = p V_c + v_c is then a function of x_c that is
    linear in each bin.

    Columns with fewer bins than others are filled up with positions that are always 0. So is the
    only one of a column with a single edge, such as a constant one: whatever it holds later, it
    gives the same y_c.

    Args:
        edges: for each column its edges in ascending order; data.quantile_edges makes them.
        width: numbers that the linear map makes of the positions.
        activation: class of an activation after the linear map, such as nn.ReLU; None: none.
        keeps_input: whether x_c stands behind the numbers of column c.

    Shapes:
        x: (batch, features), features the number of columns in `edges`
        y: (batch, features · width), column by column; features · (width + 1) with the input

    Parameters:
        linear: ColumnLinear, bins -> width.
        start, slope, lowest, highest: (features, bins), constants: p_t is (x - start) · slope
            between the last two.

    Raises:
        DataError: edges that are not finite numbers in ascending order.
        OptionError: no column, a width below 1, an activation that is no class.
        ShapeError: x is not (batch, features).

    References:
        [1] Gorishniy, Rubachev & Babenko 2022, "On embeddings for numerical features in tabular
        deep learning", arXiv:2203.05556, sec. 3.2.

    Example:
        >>> import cutaway as ct
        >>> layer = ct.nn.PiecewiseLinearEmbedding([[0, 1, 3], [0, 1]], width=4)
        >>> layer.encode(ct.Tensor([[2.0, 0.25]])).tolist()
        [[[1.0, 0.5], [0.25, 0.0]]]
        >>> layer([[2.0, 0.25]]).shape
        (1, 8)
    """

    def __init__(
        self,
        edges,
        width: int,
        *,
        activation: type[Module] | None = None,
        keeps_input: bool = False,
    ):
        columns = [_expect_edges(column, k) for k, column in enumerate(_listed(edges))]
        expect_integer(len(columns), what="PiecewiseLinearEmbedding: columns of edges", least=1)
        expect_integer(width, what="PiecewiseLinearEmbedding: width", least=1)
        bins = max(1, *(len(column) - 1 for column in columns))
        shape = (len(columns), bins)
        start, slope = np.zeros(shape), np.zeros(shape)
        lowest, highest = np.zeros(shape), np.ones(shape)
        for row, column in enumerate(columns):
            count = len(column) - 1
            start[row, :count] = column[:-1]
            slope[row, :count] = 1 / np.diff(column)
            if count:
                lowest[row, 0], highest[row, count - 1] = -math.inf, math.inf
        self.start, self.slope, self.lowest, self.highest = (
            Buffer(values.astype(np.float32)) for values in (start, slope, lowest, highest)
        )
        self.linear = ColumnLinear(len(columns), bins, width)
        self.activation = _made(activation, type(self).__name__)
        self.keeps_input = keeps_input

    def _encoded(self, x):
        position = (x - self.start[..., None]) * self.slope[..., None]
        return ops.minimum(ops.maximum(position, self.lowest[..., None]), self.highest[..., None])

    def _describe_encoding(self):
        return f"bins={self.start.shape[1]}"


def _expect_sizes(name, features, frequencies, width, sigma):
    expect_integer(features, what=f"{name}: features", least=1)
    expect_integer(frequencies, what=f"{name}: frequencies", least=1)
    expect_integer(width, what=f"{name}: width", least=1)
    expect_range(sigma, what=f"{name}: sigma", above=0)


def _made(activation, name) -> Module | None:
    """An activation of this class; OptionError if it is none."""
    if activation is None:
        return None
    if not (isinstance(activation, type) and issubclass(activation, Module)):
        raise OptionError(
            f"{name}: activation is {activation!r}",
            expected="the class of a layer, or None",
            fix="pass the class, such as nn.ReLU, without calling it",
        )
    return activation()


def _listed(edges) -> list:
    try:
        return list(edges)
    except TypeError:
        raise DataError(
            f"PiecewiseLinearEmbedding: edges is {edges!r}",
            expected="a list with the edges of each column",
            fix="make them by data.quantile_edges(rows)",
        ) from None


def _expect_edges(column, number) -> np.ndarray:
    """The edges of a column as float64; DataError unless they ascend and are finite."""
    try:
        edges = np.asarray(column, np.float64)
        ascend = edges.ndim == 1 and edges.size > 0 and np.isfinite(edges).all()
        ascend = ascend and bool((np.diff(edges.astype(np.float32)) > 0).all())
    except (TypeError, ValueError):  # no numbers
        ascend = False
    if not ascend:
        raise DataError(
            f"PiecewiseLinearEmbedding: the edges of column {number} are {column}",
            expected="a list of finite numbers, each larger than the one before, also in float32",
            fix="make them by data.quantile_edges(rows), or sort them and drop repeated ones",
        )
    return edges
