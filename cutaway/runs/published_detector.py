"""Published detectors in place of a run: what can be predicted and scored without a training."""

import os

from cutaway.errors import DataError
from cutaway.models.pretrained_detectors import PRETRAINED_DETECTORS, pretrained_detector
from cutaway.runs.finished_run import Run, trainer_for
from cutaway.runs.objects import ObjectRows


class PublishedDetector(Run):
    """A published detector, used like a Run: it predicts, detects in files and is scored.

    Args:
        source: "NAME" of models.PRETRAINED_DETECTORS, or "NAME:WEIGHTS".
    """

    def __init__(self, source: str):
        about, weights = pretrained_detector(source)
        self.path = source
        self.about = about
        self.net = about.build(weights)
        self.preprocessing = ObjectRows(
            about.size,
            3,
            about.classes,
            [0] * len(about.classes),
            how=about.how,
            threshold=about.threshold,
        )
        self.precision = "float32"
        name = source.partition(":")[0]
        network = {"model": name, "loss": name, "source": about.source}
        self.config = {
            "task": "detection",
            "target": "objects",
            "kind": "objects",
            "network": network,
            "options": {},
        }
        self._trainer = trainer_for(self.net, {}, self.preprocessing, precision=self.precision)

    def source(self) -> str:
        raise DataError(
            f"{self.path} is a published detector, which has no training data here",
            expected="a picture, or pictures",
            fix=f"name them, for example: cutaway explain {self.path} photo.jpg",
        )

    def notes_of_seen(self, frame):
        return []


def is_published(source) -> bool:
    """Whether this is the name of a published detector, and no folder."""
    name = str(source).partition(":")[0]
    return name in PRETRAINED_DETECTORS and not os.path.isdir(str(source))


def open_detector_or_run(source) -> Run:
    """The published detector of that name, or the run in that folder."""
    return PublishedDetector(str(source)) if is_published(source) else Run.open(source)
