"""Edges of bins for the columns of a table."""

import numpy as np

from cutaway.errors import DataError, ShapeError, expect_integer


def quantile_edges(x, bins: int = 48) -> list[np.ndarray]:
    """For each column the edges of up to `bins` bins, each with about as many of the rows.

    They are the quantiles 0, 1/bins, ..., 1, linear between neighboring values. Repeated ones are
    kept once, so a column in which one value is frequent has fewer bins. A column of at most
    bins + 1 different values has these as its edges, each with a slope of its own to either side:
    a column of 0 and 1 has one bin, and a constant one a single edge and no bin.

    Args:
        x: (rows, columns) of the training data.
        bins: at most this many for each column.

    Returns:
        For each column (2 to bins + 1,) ascending edges in float32; (1,) of a constant one.

    Raises:
        ShapeError: x is not (rows, columns) with at least one of each.
        DataError: a value that is not finite.

    References:
        Gorishniy, Rubachev & Babenko 2022, "On embeddings for numerical features in tabular deep
        learning", arXiv:2203.05556, sec. 3.2.1.

    Example:
        >>> from cutaway.data import quantile_edges
        >>> [edges.tolist() for edges in quantile_edges([[0, 7], [1, 7], [2, 7], [8, 7]], bins=3)]
        [[0.0, 1.0, 2.0, 8.0], [7.0]]
    """
    expect_integer(bins, what="quantile_edges: bins", least=1)
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise ShapeError(
            f"quantile_edges: x has shape {x.shape}",
            expected="(rows, columns), at least one of each",
            fix="for a single column: x[:, None]",
        )
    finite = np.isfinite(x).all(axis=0)
    if not finite.all():
        raise DataError(
            f"quantile_edges: column {int(np.argmin(finite))} has values that are not finite",
            expected="finite numbers",
            fix="fill in missing values first",
        )
    return [_edges_of(column, bins) for column in x.T]


def _edges_of(column, bins: int) -> np.ndarray:
    values = np.unique(column.astype(np.float32))
    if len(values) <= bins + 1:
        return values
    quantiles = np.quantile(column, np.linspace(0, 1, bins + 1))
    return np.unique(quantiles.astype(np.float32))
