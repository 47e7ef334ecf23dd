"""Detectors from their specs, and the priors of detectors for a set of boxes."""

import functools
from typing import Any

import numpy as np

from cutaway.boxes import grid_of_boxes, kmeans_priors
from cutaway.losses import yolo4_loss
from cutaway.models import (
    Detector,
    FasterRcnn,
    SSDDetector,
    YoloDetector,
    fast_rcnn_on_backbone,
    rcnn_on_backbone,
    ssd_on_backbone,
    yolo_on_backbone,
)
from cutaway.models.fast_rcnn import GRID_REGIONS
from cutaway.models.rcnn import SMALL_REGIONS
from cutaway.models.region_proposals import base_anchors

LEAST_SCORE = 0.01  # of a detection: average precision counts them all
CLUSTERS = {"yolo": 9, "ssd": 12, "fast-rcnn": 9}  # priors of a model by k-means
SHARE = 2.5  # of the grid of Fast R-CNN, see boxes.grid_axes
GRID = 6000  # boxes of a grid: of small objects, they lie farther apart
LEVELS = 3  # maps of a detector on a backbone
BETWEEN = 2**0.5  # ratio of two sizes of anchors on one map


def yolo_of(spec, source, pretrained) -> Detector:
    """YOLO's heads on a backbone."""
    net = yolo_on_backbone(
        source, spec["outputs"], priors=spec["priors"], channels=spec["width"],
        pretrained=pretrained,
    )  # fmt: skip
    return YoloDetector(net, loss=functools.partial(yolo4_loss, rescore=True))


def ssd_of(spec, source, pretrained) -> Detector:
    """SSD's heads on a backbone."""
    height, width = spec["size"]
    priors = np.asarray(spec["priors"]) / (width, height)
    return SSDDetector(
        ssd_on_backbone(source, spec["outputs"], priors=priors, pretrained=pretrained)
    )


def faster_rcnn_of(spec, source, pretrained) -> Detector:
    """Faster R-CNN on a backbone, and Mask R-CNN."""
    return rcnn_on_backbone(
        source,
        spec["outputs"],
        masks=spec["model"] == "mask-rcnn",
        sizes=spec["anchors"],
        regions=SMALL_REGIONS._replace(score=LEAST_SCORE),
        pretrained=pretrained,
    )


def fast_rcnn_of(spec, source, pretrained) -> Detector:
    """Fast R-CNN on a backbone; its regions are a grid over the picture, or a network's."""
    is_grid = "network" not in spec
    return fast_rcnn_on_backbone(
        source,
        spec["outputs"],
        shapes=spec["priors"] if is_grid else None,
        share=spec["share"] if is_grid else SHARE,
        network=None if is_grid else proposing_network(spec["network"]),
        regions=GRID_REGIONS._replace(score=LEAST_SCORE),
        pretrained=pretrained,
    )


def proposing_network(spec) -> FasterRcnn:
    """The first stage of the Faster R-CNN of a spec, with random weights."""
    net = rcnn_on_backbone(
        spec["from"], spec["outputs"], sizes=spec["anchors"], regions=SMALL_REGIONS,
        pretrained=False,
    )  # fmt: skip
    del net.box_head  # of the second stage
    return net


DETECTORS = {
    "yolo": yolo_of,
    "ssd": ssd_of,
    "faster-rcnn": faster_rcnn_of,
    "fast-rcnn": fast_rcnn_of,
    "mask-rcnn": faster_rcnn_of,
}


def detector_of(spec, source: str | None = None) -> Detector:
    """The detector of a spec.

    Args:
        source: a pretrained backbone with the weights it begins with; None: random ones, which
            those of a run replace.
    """
    found = DETECTORS[spec["model"]](spec, source or spec["from"], source is not None)
    if spec.get("class_weights") is not None:
        found.class_weights = tuple(spec["class_weights"])
    return found if spec["unfrozen"] else found.freeze_backbone()


def shapes_of_priors(spec) -> np.ndarray:
    """(priors, 2) widths and heights of the priors, or anchors, of a spec, in pixels."""
    if "network" in spec:
        return shapes_of_priors(spec["network"])
    if "priors" in spec:
        return np.asarray(spec["priors"], np.float64)
    corners = np.concatenate([base_anchors(sizes) for sizes in spec["anchors"]])
    return (corners[:, 2:] - corners[:, :2]).astype(np.float64)


def fitted_share(shapes, size) -> dict[str, float]:
    """{"share": of a grid of these shapes over a picture of this (height, width)}."""
    share = SHARE
    while len(grid_of_boxes(size, shapes, share=share)) > GRID and share > 1:
        share = round(share - 0.1, 1)
    return {"share": share}


def fitted_priors(model: str, sides, labels, seed: int, size) -> dict[str, Any]:
    """What the spec of a model holds of the boxes of a training set.

    All classes together count as much as each other: otherwise the priors fit the most frequent one
    only.

    Args:
        sides: (boxes, 2) widths and heights in pixels of the input.
        labels: (boxes,) classes.
        seed: of the clusters.
        size: (height, width) of the input.
    """
    if model in CLUSTERS:
        weights = 1 / np.bincount(labels)[labels]
        found = kmeans_priors(sides, CLUSTERS[model], weights=weights, seed=seed)
        priors = [[round(float(n), 2) for n in one] for one in found]
        grid = fitted_share(priors, size) if model == "fast-rcnn" else {}
        return {"priors": priors, **grid}
    roots = np.sqrt(np.prod(sides, axis=1))
    order = np.argsort(roots)
    shares = np.cumsum((1 / np.bincount(labels)[labels])[order])
    places = np.searchsorted(shares / shares[-1], (np.arange(LEVELS) + 0.5) / LEVELS)
    middle = roots[order][np.minimum(places, len(order) - 1)]
    factors = BETWEEN**-0.5, BETWEEN**0.5
    return {"anchors": [[round(float(m * f), 2) for f in factors] for m in middle]}
