"""What features separate: the plane in which they spread most, coloured by what is to be told."""

import numpy as np

from cutaway.runs.charts import scatter

MOST_CLASSES = 10  # with colours of their own


def principal_plane(features) -> tuple:
    """(points (rows, 2), shares of the variance (2,)) of standardised features.

    Pearson 1901, "On lines and planes of closest fit to systems of points in space".
    """
    features = np.asarray(features, np.float64).reshape(len(features), -1)
    spread = features.std(axis=0)
    z = (features - features.mean(axis=0)) / np.where(spread > 1e-6, spread, 1)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    # fewer than two rows or features leave the rest of the plane empty
    points, variance = np.zeros((len(z), 2)), np.zeros(2)
    count = min(2, len(s))
    points[:, :count] = u[:, :count] * s[:count]
    total = float((s**2).sum())
    variance[:count] = s[:count] ** 2 / total if total else 0
    return points, variance


def projection_section(features, truth, classes, target: str) -> str:
    """HTML: the held-out rows in the plane of the largest spread of their features."""
    points, shares = principal_plane(features)
    if classes is None:
        groups = None
    else:
        names = [str(c) for c in classes]
        common = np.argsort(-np.bincount(truth, minlength=len(names)), kind="stable")
        shown = [int(k) for k in common[:MOST_CLASSES]]
        groups = [(names[k], truth == k) for k in sorted(shown)]
        if len(names) > MOST_CLASSES:
            groups.append(("others", ~np.isin(truth, shown)))
    chart = scatter(points, shares, groups, truth, target)
    return (
        f"<p>Each point is a held-out example, where its {features.shape[1]:,} features put it; "
        f"shown are the two directions in which they spread most, {shares.sum():.0%} of the "
        "variance. The head reads all of them: classes that lie in each other here may still be "
        f'separate.</p><div class="chart">{chart}</div>'
    )
