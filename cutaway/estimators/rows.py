"""The rows of a fit: their weights, and which of them validate."""

import dataclasses
from typing import Any

import numpy as np

from cutaway.data import stratified_split

# with so few different rows a training is full-batch gradient descent, and too few would validate
# to tell a good epoch from a lucky one
FEW_ROWS = 32


@dataclasses.dataclass(frozen=True)
class WeightedRows:
    """Rows with targets and weights.

    Attributes:
        x: array (rows, features), or a polars frame.
        y: (rows,) class numbers or values.
        weights: (rows,).
    """

    x: Any
    y: np.ndarray
    weights: np.ndarray

    def __len__(self):
        return len(self.y)

    def of_weight(self) -> "WeightedRows":
        """The rows whose weight is not 0."""
        counts = self.weights > 0
        if counts.all():
            return self
        if not counts.any():
            raise ValueError("all sample weights are zero: give some rows a positive weight")
        x = self.x[counts] if isinstance(self.x, np.ndarray) else self.x.filter(counts)
        return WeightedRows(x, self.y[counts], self.weights[counts])

    def summed(self) -> "WeightedRows":
        """A few rows of an array in a fixed order, equal ones as one with their summed weight.

        Full-batch gradient descent does not ask for the order of rows, and a row that is there
        twice is one of weight 2. So the same rows give the same network, bit for bit. More than
        FEW_ROWS different rows, and frames, stay as they are.
        """
        if not isinstance(self.x, np.ndarray):
            return self
        both = np.column_stack([self.x, self.y.astype(np.float64)])
        if len(both) > FEW_ROWS and len(np.unique(both[: 8 * FEW_ROWS], axis=0)) > FEW_ROWS:
            return self
        distinct, first, place = np.unique(both, axis=0, return_index=True, return_inverse=True)
        if len(distinct) > FEW_ROWS:
            return self
        weights = np.bincount(place.reshape(-1), self.weights)
        return WeightedRows(self.x[first], self.y[first], weights)

    def split(self, fraction: float, *, seed: int, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
        """(training, validation): sorted indices; none validate of FEW_ROWS rows or fewer."""
        if not fraction or len(self) <= FEW_ROWS:
            return np.arange(len(self)), np.arange(0)
        return stratified_split(self.y, fraction, seed=seed, stratify=stratify)
