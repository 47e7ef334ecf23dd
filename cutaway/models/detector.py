"""Base of networks that find objects: a box, a class and a score for each."""

from typing import NamedTuple

import jax

from cutaway import boxes as arithmetic
from cutaway.engine import Tensor, as_array
from cutaway.losses import yolo3_loss
from cutaway.models.yolo import Yolo
from cutaway.nn import Module


class DetectionOptions(NamedTuple):
    """Which of the candidates are detections.

    Attributes:
        score: least score.
        threshold: IoU with a better box of the same class above which a box is left out.
        candidates: of each class that are considered, the best ones.
        limit: detections of each image.
    """

    score: float = 0.01
    threshold: float = 0.45
    candidates: int = 400
    limit: int = 100


DETECTIONS = DetectionOptions()


class Detector(Module):
    """Base of networks that find objects.

    In training `losses` is minimized, as `Trainer(net, objective=detection_objective)` does; called
    with images the network detects.

    Attributes:
        num_classes: K, without the background.
        multiple: of what height and width of the images must be a multiple.

    Shapes:
        x: (batch, height, width, channels)
        y: {"boxes": (batch, limit, 4) x1, y1, x2, y2 in pixels of x, "scores": (batch, limit),
            "classes": (batch, limit) from 0, -1 where there is none, "valid": (batch, limit)}, the
            best first
    """

    num_classes: int
    multiple: int = 1

    def losses(self, x, y) -> dict[str, Tensor]:
        """Terms of the loss of a batch, by name.

        Args:
            x: images.
            y: {"boxes": (batch, M, 4), "classes": (batch, M) from 0, "valid": (batch, M)}.
        """
        raise NotImplementedError


def detection_objective(net: Detector, x, y) -> dict[str, Tensor]:
    """The objective of a Trainer for a Detector: the terms of its loss."""
    return net.losses(x, y)


class SingleStage(Detector):
    """Base of detectors that give each prior of each position numbers, at one go.

    A subclass has `raw` and `candidates`.

    Attributes:
        detection: DetectionOptions.
    """

    detection: DetectionOptions

    def raw(self, x):
        """The outputs of the network for images, a tree of Tensors."""
        raise NotImplementedError

    def candidates(self, raw, size) -> dict[str, Tensor]:
        """All boxes and their scores.

        Args:
            raw: of `raw`.
            size: (height, width) of the images.

        Returns:
            {"boxes": (batch, N, 4) in pixels, "scores": (batch, N, num_classes)}.
        """
        raise NotImplementedError

    def forward(self, x):
        size = x.shape[1:3]
        found = self.candidates(self.raw(x), size)
        options = self.detection

        def of_image(boxes, scores):
            return arithmetic.select_detections(
                arithmetic.clip_to_picture(boxes, size),
                scores,
                score_threshold=options.score,
                iou_threshold=options.threshold,
                candidates=options.candidates,
                limit=options.limit,
            )

        chosen = jax.vmap(of_image)(*(as_array(found[name]) for name in ("boxes", "scores")))
        return {name: Tensor(value) for name, value in chosen.items()}


class YoloDetector(SingleStage):
    """A Yolo with its loss and its detections.

    Args:
        net: the Yolo.
        detection: see DetectionOptions.
        ignore: see losses.yolo3_loss.

    Shapes:
        See Detector.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import YoloDetector, yolo3_tiny
        >>> net = YoloDetector(yolo3_tiny(2)).eval()
        >>> net(np.zeros((1, 64, 96, 3)))["boxes"].shape
        (1, 100, 4)
    """

    def __init__(
        self,
        net: Yolo,
        *,
        detection: DetectionOptions = DETECTIONS,
        ignore: float = 0.7,
    ):
        self.net = net
        self.num_classes = net.num_classes
        self.multiple = net.strides[0]
        self.detection, self.ignore = detection, ignore

    def raw(self, x):
        return self.net(x)

    def candidates(self, raw, size):
        found = self.net.decode(raw)
        batch, count = found["objectness"].shape
        objectness = found["objectness"].reshape(batch, count, 1)
        return {"boxes": found["boxes"], "scores": objectness * found["classes"]}

    def losses(self, x, y):
        return yolo3_loss(
            list(self.raw(x)),
            y,
            priors=self.net.priors,
            heads=[scale.priors for scale in self.net.table],
            size=x.shape[1:3],
            ignore=self.ignore,
        )
