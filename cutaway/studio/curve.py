"""Curve: a value over the steps of a training, in a bounded number of points."""

import math

import numpy as np

MOST_POINTS = 512


class Curve:
    """The means of stretches of steps; a stretch grows as the training gets longer.

    Args:
        most_points: an even number; with one more, neighbors are joined in pairs.
    """

    def __init__(self, most_points: int = MOST_POINTS):
        self.most_points = most_points
        self._width = 1  # steps in a full stretch
        self._steps: list[int] = []  # the last step of each
        self._sums: list[float] = []
        self._counts: list[int] = []

    def add(self, first: int, values) -> None:
        """Values of the steps first, first + 1, ..., the first of all being 1."""
        values = np.asarray(values, np.float64)
        done = 0
        while done < len(values):
            if not self._counts or self._counts[-1] >= self._width:
                self._join()
                self._steps.append(0)
                self._sums.append(0.0)
                self._counts.append(0)
            count = min(self._width - self._counts[-1], len(values) - done)
            part = values[done : done + count]
            self._sums[-1] += float(part.sum())
            self._counts[-1] += count
            self._steps[-1] = first + done + count - 1
            done += count

    def cut(self, last: int) -> None:
        """Drop what came after step `last`, to whole stretches."""
        while self._steps and self._steps[-1] > last:
            for kept in (self._steps, self._sums, self._counts):
                kept.pop()

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """(steps int32, means float32)."""
        means = np.array(self._sums) / np.maximum(self._counts, 1)
        return np.array(self._steps, np.int32), means.astype(np.float32)

    def last(self) -> float | None:
        """The mean of the last stretch; None if it is not finite, or there is none."""
        if not self._counts:
            return None
        value = self._sums[-1] / self._counts[-1]
        return value if math.isfinite(value) else None

    def copied(self) -> "Curve":
        """Another one with the same points."""
        other = Curve(self.most_points)
        other._width = self._width
        other._steps, other._sums = list(self._steps), list(self._sums)
        other._counts = list(self._counts)
        return other

    def _join(self) -> None:
        if len(self._steps) < self.most_points:
            return
        self._width *= 2
        self._steps = self._steps[1::2]
        self._sums = [a + b for a, b in zip(self._sums[::2], self._sums[1::2], strict=True)]
        self._counts = [a + b for a, b in zip(self._counts[::2], self._counts[1::2], strict=True)]
