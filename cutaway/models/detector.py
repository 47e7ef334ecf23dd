"""Base of networks that find objects: a box, a class and a score for each."""

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from cutaway import boxes as arithmetic
from cutaway import ops
from cutaway.engine import Tensor, as_array
from cutaway.errors import OptionError, expect_choice
from cutaway.losses import single_shot_loss, yolo3_loss
from cutaway.models.backbone import freeze_body
from cutaway.models.ssd import CODING, SSD
from cutaway.models.yolo import Yolo
from cutaway.nn import Module

POSITIVE = 0.5  # IoU from which an SSD's prior learns a truth


class DetectionOptions(NamedTuple):
    """Which of the candidates are detections.

    Attributes:
        score: least score.
        threshold: IoU with a better box of the same class above which a box is left out.
        candidates: of all classes that are considered, the best ones.
        limit: detections of each image.
    """

    score: float = 0.01
    threshold: float = 0.45
    candidates: int = 1000
    limit: int = 100


DETECTIONS = DetectionOptions()


class Detector(Module):
    """Base of networks that find objects.

    In training `losses` is minimized, as `Trainer(net, objective=detection_objective)` does; called
    with images the network detects.

    Attributes:
        num_classes: K, without the background.
        multiple: of what height and width of the images must be a multiple.
        class_weights: (num_classes,) factors of what objects of each class teach of their class;
            None: all 1.

    Shapes:
        x: (batch, height, width, channels)
        y: {"boxes": (batch, limit, 4) x1, y1, x2, y2 in pixels of x, "scores": (batch, limit),
            "classes": (batch, limit) from 0, -1 where there is none, "valid": (batch, limit)}, the
            best first
    """

    num_classes: int
    multiple: int = 1
    class_weights: tuple[float, ...] | None = None

    @property
    def backbone(self) -> Module:
        """The body, which is frozen by `freeze_backbone`."""
        raise NotImplementedError

    def freeze_backbone(self, *, batch_statistics: bool = False) -> Self:
        """Train the other layers alone; returns self. See BackboneUNet.freeze_backbone."""
        freeze_body(self.backbone, batch_statistics=batch_statistics)
        return self

    def forward(self, x):
        """Detections in a batch of images; see Shapes."""
        raise NotImplementedError

    def all_boxes(self, x) -> dict:
        """The boxes among which detections are chosen: what "rows" of them count.

        Returns:
            {"boxes": (batch, N, 4) in pixels of x, or (batch, N, num_classes, 4) where each class
            has its own, "scores": a Tensor (batch, N, num_classes)}.
        """
        raise NotImplementedError

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

    def all_boxes(self, x):
        return self.candidates(self.raw(x), x.shape[1:3])

    def forward(self, x):
        size = x.shape[1:3]
        found = self.all_boxes(x)
        options = self.detection

        def of_image(boxes, scores):
            return arithmetic.select_detections(
                arithmetic.clip_to_picture(boxes, size),
                scores,
                score_threshold=options.score,
                iou_threshold=options.threshold,
                candidates=options.candidates,
                limit=options.limit,
                together=True,
            )

        chosen = jax.vmap(of_image)(*(as_array(found[name]) for name in ("boxes", "scores")))
        return {name: Tensor(value) for name, value in chosen.items()}


class YoloDetector(SingleStage):
    """A Yolo with its loss and its detections.

    Args:
        net: the Yolo.
        loss: losses.yolo3_loss or yolo4_loss.
        detection: see DetectionOptions.

    Shapes:
        See Detector.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import BasicBlock, PyramidYolo, ResNet, YoloDetector
        >>> body = ResNet(BasicBlock, (1, 1, 1, 1), widths=(4, 4, 4, 4))
        >>> net = PyramidYolo(body, 2, priors=[(8, 8), (20, 20), (50, 50)], channels=8)
        >>> YoloDetector(net).multiple
        32
    """

    def __init__(
        self,
        net: Yolo,
        *,
        loss=yolo3_loss,
        detection: DetectionOptions = DETECTIONS,
    ):
        self.net = net
        self.loss = loss
        self.num_classes = net.num_classes
        self.multiple = net.strides[0]
        self.detection = detection

    @property
    def backbone(self):
        return self.net.body

    def raw(self, x):
        return self.net(x)

    def candidates(self, raw, size):
        found = self.net.decode(raw)
        batch, count = found["objectness"].shape
        objectness = found["objectness"].reshape(batch, count, 1)
        return {"boxes": found["boxes"], "scores": objectness * found["classes"]}

    def losses(self, x, y):
        weights = {} if self.class_weights is None else {"class_weights": self.class_weights}
        return self.loss(
            list(self.raw(x)),
            y,
            priors=self.net.priors,
            heads=[scale.priors for scale in self.net.table],
            size=x.shape[1:3],
            **weights,
        )


class SSDDetector(SingleStage):
    """An SSD with its loss and its detections.

    Args:
        net: the SSD.
        scores: "softmax" of all classes and the background, or "sigmoid" of each class by itself,
            as the published detector of MediaPipe has it, which cannot be trained further so.
        least_negatives: see losses.single_shot_loss.
        detection: see DetectionOptions.

    Shapes:
        See Detector.
    """

    def __init__(
        self,
        net: SSD,
        *,
        scores: str = "softmax",
        least_negatives: int = 3,
        detection: DetectionOptions = DETECTIONS,
    ):
        expect_choice(scores, ("softmax", "sigmoid"), what="SSDDetector: scores")
        self.net = net
        self.scores, self.least_negatives = scores, least_negatives
        self.num_classes = net.num_outputs - 1
        self.detection = detection

    @property
    def backbone(self):
        return getattr(self.net.body, "body", self.net.body)  # without a pyramid on it

    def raw(self, x):
        return self.net(x)

    def candidates(self, raw, size):
        height, width = size
        sides = np.array([width, height, width, height], np.float32)
        boxes = self.net.decode(raw["codes"], self.net.priors(height, width)) * sides
        if self.scores == "sigmoid":
            return {"boxes": boxes, "scores": ops.sigmoid(raw["classes"])[..., 1:]}
        return {"boxes": boxes, "scores": ops.softmax(raw["classes"], axis=-1)[..., 1:]}

    def matches(self, size, boxes, valid):
        """(N,) which of the objects of an image each prior learns, -1 for none.

        Args:
            size: (height, width) of the image.
            boxes, valid: (M, 4) in its pixels, and which of them are there.
        """
        overlaps = arithmetic.pairwise_iou(boxes, self.prior_corners(size))
        valid = arithmetic.usable(boxes, valid)
        return arithmetic.match_with_forced(overlaps, valid, positive=POSITIVE)

    def prior_corners(self, size):
        """(N, 4) x1 y1 x2 y2 of the priors in pixels of an image of this (height, width)."""
        height, width = size
        sides = jnp.array([width, height, width, height], jnp.float32)
        return arithmetic.to_corners(self.net.priors(height, width) * sides)

    def losses(self, x, y):
        if self.scores == "sigmoid":
            raise OptionError(
                f"{self.label()}: a training with scores='sigmoid'",
                expected="scores='softmax', which SSD's loss teaches",
                fix="make SSDDetector(net, scores='softmax'), with new heads for the classes",
            )
        raw = self.raw(x)
        size = x.shape[1:3]
        priors = self.prior_corners(size)
        truths = (as_array(y[name]) for name in ("boxes", "classes", "valid"))

        def of_image(boxes, classes, valid):
            matches = self.matches(size, boxes, valid)
            codes = arithmetic.encode_boxes(
                arithmetic.matched(boxes, matches), priors, weights=CODING
            )
            labels = jnp.where(matches >= 0, arithmetic.matched(classes, matches) + 1, 0)
            return jnp.where((matches >= 0)[:, None], codes, 0), labels

        codes, labels = jax.vmap(of_image)(*truths)
        return single_shot_loss(
            raw["codes"],
            raw["classes"],
            codes,
            labels,
            least_negatives=self.least_negatives,
            class_weights=self.class_weights,
        )
