"""The plane in which features spread most, with what is to be told as colors."""

import dataclasses

import numpy as np

from cutaway.runs.charts import scatter

MOST_CLASSES = 10  # with colors of their own


@dataclasses.dataclass(frozen=True)
class PrincipalPlane:
    """Two directions through standardized features.

    Pearson 1901, "On lines and planes of closest fit to systems of points in space".

    Attributes:
        mean, spread: (width,) by which features are standardized.
        directions: (2, width); zeros where rows or features are fewer than two.
        shares: (2,) of the variance.
    """

    mean: np.ndarray
    spread: np.ndarray
    directions: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, features) -> "PrincipalPlane":
        """The plane of largest spread of features (rows, ...)."""
        features = np.asarray(features, np.float64).reshape(len(features), -1)
        spread = features.std(axis=0)
        mean, spread = features.mean(axis=0), np.where(spread > 1e-6, spread, 1)
        _, s, vt = np.linalg.svd((features - mean) / spread, full_matrices=False)
        directions, variance = np.zeros((2, features.shape[1])), np.zeros(2)
        count, total = min(2, len(s)), float((s**2).sum())
        directions[:count] = vt[:count]
        variance[:count] = s[:count] ** 2 / total if total else 0
        return cls(mean, spread, directions, variance)

    def standardized(self, features) -> np.ndarray:
        """Features (rows, ...) as (rows, width), each with the mean 0 and the spread 1."""
        features = np.asarray(features, np.float64).reshape(len(features), -1)
        return (features - self.mean) / self.spread

    def points(self, features) -> np.ndarray:
        """Where features (rows, ...) lie in the plane: (rows, 2)."""
        return self.standardized(features) @ self.directions.T


def projection_chart(
    plane: PrincipalPlane, features, truth, classes, target: str, marked=None
) -> str:
    """SVG: rows in the plane, colored by class or value.

    Args:
        features: (rows, ...); truth: (rows,) numbers of classes, or values.
        classes: names, or None.
        marked: features (...) of one more row, shown by a cross; None: no such row.
    """
    if classes is None:
        groups = None
    else:
        names = [str(c) for c in classes]
        common = np.argsort(-np.bincount(truth, minlength=len(names)), kind="stable")
        shown = [int(k) for k in common[:MOST_CLASSES]]
        groups = [(names[k], truth == k) for k in sorted(shown)]
        if len(names) > MOST_CLASSES:
            groups.append(("others", ~np.isin(truth, shown)))
    cross = None if marked is None else plane.points(np.asarray(marked)[None])[0]
    return scatter(plane.points(features), plane.shares, groups, truth, target, cross)


def projection_section(features, truth, classes, target: str) -> str:
    """HTML: the held-out rows in the plane of the largest spread of their features."""
    plane = PrincipalPlane.of(features)
    chart = projection_chart(plane, features, truth, classes, target)
    return (
        f"<p>Each point is a held-out example, where its {features.shape[1]:,} features put it; "
        f"shown are the two directions in which they spread most, {plane.shares.sum():.0%} of the "
        "variance. The head reads all of them: classes that lie in each other here may still be "
        f'separate.</p><div class="chart">{chart}</div>'
    )
