"""Edges of bins for the columns of a table."""

import numpy as np

from cutaway.errors import DataError, ShapeError, expect_integer


def quantile_edges(x, bins: int = 48) -> list[np.ndarray]:
    """For each column the edges of up to `bins` bins, each with about as many of the rows.

    They are the quantiles 0, 1/bins, ..., 1, linear between neighboring values. Repeated ones are
    kept once, so a column in which one value is frequent has fewer bins; a column of two values
    has one bin, from the smaller to the larger, or a few more where a quantile falls between them;
    and a constant column has one edge and no bin.

    Args:
        x: (rows, columns) of the training data.
        bins: at most this many for each column.

    Returns:
        For each column (2 to bins + 1,) ascending edges in float32, or (1,) for a constant one.

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
    edges = np.quantile(x, np.linspace(0, 1, bins + 1), axis=0).astype(np.float32)
    return [np.unique(column) for column in edges.T]
