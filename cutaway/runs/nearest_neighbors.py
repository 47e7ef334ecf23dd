"""Nearest neighbors of a row among the validation examples, by the backbone's features."""

import dataclasses
import io
import textwrap
from collections import Counter

import numpy as np

from cutaway.errors import RunError
from cutaway.files.arrays import read_arrays
from cutaway.models import features_of
from cutaway.ops.precision import matmul_precision
from cutaway.runs.damage import explaining_damage
from cutaway.runs.projection import PrincipalPlane, projection_chart
from cutaway.runs.run_folder import RunFolder
from cutaway.story.panels import cut
from cutaway.story.text import WIDTH, Story, number

MAX_SAVED = 2000  # validation examples whose features are saved, evenly spaced
NEAREST = 10
SHOWN = 3  # of the nearest, by name
SAME = 1e-3  # a smaller distance means the row itself


@dataclasses.dataclass(frozen=True)
class ValidationFeatures:
    """Features of validation examples, saved in the run's folder.

    Attributes:
        features: (rows, width) float32.
        truth: (rows,) class numbers, or values.
        names: (rows,) paths of the images, or texts.
    """

    features: np.ndarray
    truth: np.ndarray
    names: np.ndarray

    @classmethod
    def sample(cls, features, truth, names) -> "ValidationFeatures":
        """At most MAX_SAVED of these examples."""
        rows = np.unique(np.linspace(0, len(truth) - 1, MAX_SAVED).astype(int))
        features = np.asarray(features, np.float32).reshape(len(truth), -1)
        return cls(features[rows], np.asarray(truth)[rows], np.asarray(names, str)[rows])

    def save(self, folder: RunFolder) -> None:
        """Write features.npz."""
        file = io.BytesIO()
        np.savez(file, features=self.features, truth=self.truth, names=self.names)
        folder.write(folder.features, file.getvalue())

    @classmethod
    def read(cls, folder: RunFolder) -> "ValidationFeatures":
        """Read what `save` wrote.

        Raises:
            RunError: the file is damaged.
        """
        folder.read(folder.features)  # whether it is what was written
        found = read_arrays(
            folder.features,
            ("features", "truth", "names"),
            expected="features of validation examples, written by `cutaway train --from`",
            fix="train again, restore the file from a backup, or delete it: only `explain` "
            "needs it",
            error=RunError,
        )
        with explaining_damage(folder.features):
            features, truth, names = found["features"], found["truth"], found["names"]
            if features.ndim != 2 or truth.shape != names.shape or len(features) != len(truth):
                raise ValueError("its arrays have different numbers of rows")
            return cls(features, truth, names)


def nearest_neighbors_of(run, x) -> "NearestNeighbors | None":
    """The nearest neighbors of x (1, ...); None for a run without saved features."""
    if not run.folder.features.exists():
        return None
    saved = ValidationFeatures.read(run.folder)
    with matmul_precision(run.precision):
        own = features_of(run.net, x)[0].reshape(-1)
    return NearestNeighbors.of(saved, own, run.preprocessing.classes, run.config["target"])


@dataclasses.dataclass(frozen=True, repr=False)
class NearestNeighbors(Story):
    """The validation examples whose features are nearest to those of a row.

    Attributes:
        saved: the ValidationFeatures.
        own: (width,) features of the row.
        plane: the PrincipalPlane of the saved features.
        nearest: indices of the nearest saved examples, without the row itself.
        distances: root mean squared differences of their standardized features.
        classes: names, or None.
        target: name of the target.
    """

    saved: ValidationFeatures
    own: np.ndarray
    plane: PrincipalPlane
    nearest: np.ndarray
    distances: np.ndarray
    classes: list | None
    target: str

    @classmethod
    def of(cls, saved: ValidationFeatures, own, classes, target: str) -> "NearestNeighbors":
        """The neighbors of a row with the features `own` (width,)."""
        plane = PrincipalPlane.of(saved.features)
        difference = plane.standardized(saved.features) - plane.standardized(own[None])
        distances = np.sqrt((difference**2).mean(axis=1))
        order = np.argsort(distances, kind="stable")
        order = order[distances[order] > SAME][:NEAREST]
        return cls(saved, own, plane, order, distances[order], classes, target)

    def text(self, width: int = WIDTH) -> str:
        head = f"{len(self.nearest)} nearest of {len(self.saved.truth):,} validation examples"
        lines = textwrap.wrap(f"{head}: {self.target} {self._summary()}.", width)
        for index, distance in list(zip(self.nearest, self.distances, strict=True))[:SHOWN]:
            start = f"  distance {number(distance, 3):>6}  {self._truth(index)}: "
            lines.append(start + cut(self.saved.names[index], max(width - len(start), 14)))
        return "\n".join(lines)

    def _truth(self, index) -> str:
        truth = self.saved.truth[index]
        return number(truth) if self.classes is None else str(self.classes[int(truth)])

    def _summary(self) -> str:
        if self.classes is None:
            values = self.saved.truth[self.nearest]
            low, high = number(values.min()), number(values.max())
            return f"from {low} to {high}, mean {number(values.mean())}"
        counts = Counter(self._truth(index) for index in self.nearest)
        return "= " + ", ".join(f"{name} ({count})" for name, count in counts.most_common())

    def html(self) -> str:
        chart = projection_chart(
            self.plane,
            self.saved.features,
            self.saved.truth,
            self.classes,
            self.target,
            marked=self.own,
        )
        return (
            f"{super().html()}<p>This row (cross) and validation examples (points), projected on "
            f"the first two principal components ({self.plane.explained.sum():.0%} of the "
            f'variance).</p><div class="chart">{chart}</div>'
        )

    def to_dict(self) -> dict:
        return {
            "validation": len(self.saved.truth),
            "point": [float(v) for v in self.plane.points(self.own[None])[0]],
            "nearest": [
                {
                    "name": str(self.saved.names[index]),
                    "truth": self._truth(index),
                    "distance": float(distance),
                }
                for index, distance in zip(self.nearest, self.distances, strict=True)
            ],
        }
