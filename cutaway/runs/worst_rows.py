"""The rows that a run predicts worst: those of a wrong class, or of the largest errors."""

import dataclasses

import numpy as np


def without_dust(values) -> np.ndarray:
    """Values in which those that only rounding keeps from 0 are 0.

    A standardized 0 in float32, back in its unit, may be 4e-7.
    """
    values = np.asarray(values, np.float64)
    dust = 1e-6 * np.abs(values).max(initial=0.0)
    return np.where(np.abs(values) < dust, 0.0, values)


@dataclasses.dataclass(frozen=True)
class WorstRows:
    """Rows in the order of their errors.

    Attributes:
        order: indices, the worst first: of classes the wrong rows, the surest first, and then the
            right ones, the least sure first; of values the largest error first.
        wrong: how many of them have a wrong class; of values 0.
        errors: (rows,) mean absolute errors of values; of classes 1 minus the probability of the
            true one.
    """

    order: np.ndarray
    wrong: int
    errors: np.ndarray

    @classmethod
    def of(cls, truth, outputs, predicted=None) -> "WorstRows":
        """Of the truth (rows,), and what was predicted.

        Args:
            outputs: probabilities (rows, classes), or values of the shape of the truth.
            predicted: (rows,) class numbers; None: values were predicted.

        Example:
            >>> import numpy as np
            >>> from cutaway.runs.worst_rows import WorstRows
            >>> p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
            >>> found = WorstRows.of(np.array([0, 0, 1, 1]), p, p.argmax(axis=1))
            >>> found.order.tolist(), found.wrong
            ([1, 2, 3, 0], 2)
        """
        rows = len(truth)
        if predicted is None:
            apart = np.abs(np.reshape(outputs, (rows, -1)) - np.reshape(truth, (rows, -1)))
            errors = apart.mean(axis=1) if rows else np.zeros(0)
            return cls(np.argsort(-errors, kind="stable"), 0, errors)
        wrong = predicted != truth
        sure = outputs[np.arange(rows), predicted]
        order = np.lexsort((np.where(wrong, -sure, sure), ~wrong))
        return cls(order, int(wrong.sum()), 1 - outputs[np.arange(rows), truth])
