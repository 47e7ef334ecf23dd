"""Which held-out examples a row is like, by the features of the run's body."""

import dataclasses
import io
import textwrap
import zipfile
from collections import Counter

import numpy as np

from cutaway.errors import RunError
from cutaway.files import write_atomically
from cutaway.models import features_of
from cutaway.ops.precision import matmul_precision
from cutaway.runs.projection import PrincipalPlane, projection_chart
from cutaway.story.panels import cut
from cutaway.story.text import WIDTH, Story, number

KEPT = 2000  # held-out examples, evenly through all of them
NEAREST = 10
SHOWN = 3  # of the nearest, by name
SAME = 1e-3  # that near is the row itself


@dataclasses.dataclass(frozen=True)
class KeptFeatures:
    """Features of held-out examples, in the run's folder.

    Attributes:
        features: (rows, width) float32.
        truth: (rows,) numbers of classes, or values.
        names: (rows,) what the examples are: paths of images, texts.
    """

    features: np.ndarray
    truth: np.ndarray
    names: np.ndarray

    @classmethod
    def chosen(cls, features, truth, names) -> "KeptFeatures":
        rows = np.unique(np.linspace(0, len(truth) - 1, KEPT).astype(int))
        features = np.asarray(features, np.float32).reshape(len(truth), -1)
        return cls(features[rows], np.asarray(truth)[rows], np.asarray(names, str)[rows])

    def save(self, path) -> None:
        """Write to `path` as npz, whole or not at all."""
        file = io.BytesIO()
        np.savez(file, features=self.features, truth=self.truth, names=self.names)
        write_atomically(path, file.getvalue())

    @classmethod
    def read(cls, path) -> "KeptFeatures":
        """What `save` has written.

        Raises:
            RunError: the file is damaged.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
                return cls(found["features"], found["truth"], found["names"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(
                f"{path} is damaged: {error}",
                expected="features of held-out examples, as `cutaway train --from` writes them",
                fix="train again, take the file from a backup, or delete it: only `explain` "
                "reads it",
            ) from error


def nearest_neighbors_of(run, x) -> "NearestNeighbors | None":
    """Which held-out examples x (1, ...) is like; None for a run that has kept no features."""
    if not run.folder.features.exists():
        return None
    kept = KeptFeatures.read(run.folder.features)
    with matmul_precision(run.precision):
        own = features_of(run.net, x)[0].reshape(-1)
    return NearestNeighbors.found(kept, own, run.preprocessing.classes, run.config["target"])


@dataclasses.dataclass(frozen=True, repr=False)
class NearestNeighbors(Story):
    """Which held-out examples a row is like, by its features.

    Attributes:
        kept: the KeptFeatures.
        own: (width,) features of the row.
        plane: the PrincipalPlane of the kept features.
        nearest: numbers of the nearest kept examples, the row itself left out.
        distances: root of the mean squared difference of their standardized features.
        classes: names, or None; target: what they are of.
    """

    kept: KeptFeatures
    own: np.ndarray
    plane: PrincipalPlane
    nearest: np.ndarray
    distances: np.ndarray
    classes: object
    target: str

    @classmethod
    def found(cls, kept: KeptFeatures, own, classes, target: str) -> "NearestNeighbors":
        """The neighbors of a row with the features `own` (width,)."""
        plane = PrincipalPlane.of(kept.features)
        away = plane.standardized(kept.features) - plane.standardized(own[None])
        distances = np.sqrt((away**2).mean(axis=1))
        order = np.argsort(distances, kind="stable")
        order = order[distances[order] > SAME][:NEAREST]
        return cls(kept, own, plane, order, distances[order], classes, target)

    def text(self, width: int = WIDTH) -> str:
        kept = len(self.kept.truth)
        told = f"Of {kept:,} held-out examples the {len(self.nearest)} whose features are nearest"
        lines = textwrap.wrap(f"{told} have {self.target} {self._summary()}.", width)
        for place, away in list(zip(self.nearest, self.distances, strict=True))[:SHOWN]:
            told = f"  {number(away, 3):>6} away  {self._told(place)}: "
            lines.append(told + cut(self.kept.names[place], max(width - len(told), 14)))
        return "\n".join(lines)

    def _told(self, place) -> str:
        truth = self.kept.truth[place]
        return number(truth) if self.classes is None else str(self.classes[int(truth)])

    def _summary(self) -> str:
        if self.classes is None:
            values = self.kept.truth[self.nearest]
            low, high = number(values.min()), number(values.max())
            return f"from {low} to {high}, mean {number(values.mean())}"
        counts = Counter(self._told(place) for place in self.nearest)
        return "= " + ", ".join(f"{name} ({count})" for name, count in counts.most_common())

    def html(self) -> str:
        chart = projection_chart(
            self.plane,
            self.kept.features,
            self.kept.truth,
            self.classes,
            self.target,
            marked=self.own,
        )
        return (
            f"{super().html()}<p>The cross is this row, the points are held-out examples, in the "
            "two directions in which their features spread most, "
            f'{self.plane.shares.sum():.0%} of the variance.</p><div class="chart">{chart}</div>'
        )

    def to_dict(self) -> dict:
        return {
            "held_out": len(self.kept.truth),
            "point": [float(v) for v in self.plane.points(self.own[None])[0]],
            "nearest": [
                {
                    "name": str(self.kept.names[place]),
                    "truth": self._told(place),
                    "distance": float(away),
                }
                for place, away in zip(self.nearest, self.distances, strict=True)
            ],
        }
