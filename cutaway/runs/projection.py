"""Features projected on their first two principal components, colored by class or value."""

import dataclasses

import numpy as np

from cutaway.runs.charts import scatter

MAX_CLASSES = 10  # that get their own color


@dataclasses.dataclass(frozen=True)
class PrincipalPlane:
    """The first two principal components of standardized features.

    Pearson 1901, "On lines and planes of closest fit to systems of points in space".

    Attributes:
        mean, std: (width,) for standardizing the features.
        directions: (2, width); zeros if there are fewer than two rows or features.
        explained: (2,) fraction of the variance along each direction.
    """

    mean: np.ndarray
    std: np.ndarray
    directions: np.ndarray
    explained: np.ndarray

    @classmethod
    def of(cls, features) -> "PrincipalPlane":
        """The plane of largest variance of features (rows, ...)."""
        features = np.asarray(features, np.float64).reshape(len(features), -1)
        std = features.std(axis=0)
        mean, std = features.mean(axis=0), np.where(std > 1e-6, std, 1)
        _, s, vt = np.linalg.svd((features - mean) / std, full_matrices=False)
        directions, variance = np.zeros((2, features.shape[1])), np.zeros(2)
        count, total = min(2, len(s)), float((s**2).sum())
        directions[:count] = vt[:count]
        variance[:count] = s[:count] ** 2 / total if total else 0
        return cls(mean, std, directions, variance)

    def standardized(self, features) -> np.ndarray:
        """Features (rows, ...) as (rows, width) with mean 0 and standard deviation 1."""
        features = np.asarray(features, np.float64).reshape(len(features), -1)
        return (features - self.mean) / self.std

    def points(self, features) -> np.ndarray:
        """Features (rows, ...) projected on the plane: (rows, 2)."""
        return self.standardized(features) @ self.directions.T


def projection_chart(
    plane: PrincipalPlane, features, truth, classes, target: str, marked=None
) -> str:
    """SVG: rows in the plane, colored by class or value.

    Args:
        features: (rows, ...); truth: (rows,) class numbers, or values.
        classes: names, or None.
        marked: features (...) of one more row, shown as a cross; or None.
    """
    if classes is None:
        groups = None
    else:
        names = [str(c) for c in classes]
        common = np.argsort(-np.bincount(truth, minlength=len(names)), kind="stable")
        shown = [int(k) for k in common[:MAX_CLASSES]]
        groups = [(names[k], truth == k) for k in sorted(shown)]
        if len(names) > MAX_CLASSES:
            groups.append(("others", ~np.isin(truth, shown)))
    cross = None if marked is None else plane.points(np.asarray(marked)[None])[0]
    return scatter(plane.points(features), plane.explained, groups, truth, target, cross)


def projection_section(features, truth, classes, target: str) -> str:
    """HTML: the validation rows on the first two principal components of their features."""
    plane = PrincipalPlane.of(features)
    chart = projection_chart(plane, features, truth, classes, target)
    return (
        f"<p>Each point is a validation example, its {features.shape[1]:,} features projected on "
        f"the first two principal components ({plane.explained.sum():.0%} of the variance). "
        "The head uses all features: classes that overlap here may still be separable.</p>"
        f'<div class="chart">{chart}</div>'
    )
