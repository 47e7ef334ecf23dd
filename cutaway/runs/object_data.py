"""What of pictures with boxes reaches a detector: checks, sizes, augmentation, fit of priors."""

from collections.abc import Callable

import numpy as np

from cutaway.boxes import best_grid_iou, best_prior_iou
from cutaway.data import (
    Compose,
    ExampleAugmentation,
    ObjectFolder,
    RandomColor,
    RandomGeometry,
    RandomLight,
    RandomPatch,
)
from cutaway.errors import DataError, OptionError
from cutaway.runs.object_networks import shapes_of_priors
from cutaway.runs.objects import GRAY, ObjectRows
from cutaway.runs.options.objects import ObjectOptions

LARGEST = 320  # pixels along the longer side by default
MULTIPLE = 32  # of the sizes: the smallest map has 1/32 of the picture
ZOOM = (0.8, 1.25)
SHIFT = 0.1  # of the size
HUE = 100.0  # degrees, for a change of color of 1


def expect_boxes(folder: ObjectFolder, sets: dict[str, np.ndarray], name: str) -> None:
    """Raise DataError unless a set has boxes, without which nothing is learned or measured."""
    counts = folder.counts.sum(axis=1)
    own = sets[name]
    if not counts[own].any():
        raise DataError(
            f"the {name} set of {folder.root} has no boxes: {len(own):,} of the {len(folder):,} "
            f"pictures, {int((counts == 0).sum()):,} of which have none",
            expected="pictures with boxes for training and for validation",
            fix="use more pictures with boxes, another --seed, or --split",
        )


def expect_outlines(folder: ObjectFolder) -> None:
    """The objects of a folder are outlined.

    Raises:
        OptionError: one is not.
    """
    if not folder.has_outlines:
        pairs = zip(folder.outlines, folder.ignored, strict=True)
        bare = sum(
            o is None for all_, skip in pairs for o, s in zip(all_, skip, strict=True) if not s
        )
        raise OptionError(
            f"--model mask-rcnn, but {bare:,} of {int(folder.counts.sum()):,} objects of "
            f"{folder.root} have a box without an outline",
            expected='polygons or run lengths of every object: COCO\'s json with "segmentation", '
            "or YOLO's txt files with polygons",
            fix="take --model faster-rcnn, or add outlines",
        )


def framed_example(rows: ObjectRows, x, y) -> tuple:
    """A picture and its target as the network takes them."""
    geometry = rows.framing.geometry(x.shape[:2])
    boxes = geometry.boxes(y["boxes"]).astype(np.float32)
    boxes = np.where(y["valid"][:, None], boxes, 0)
    moved = {"boxes": boxes, "frames": boxes} if "frames" in y else {"boxes": boxes}
    return geometry.picture(x, fill=GRAY), {**y, **moved}


def augmentation(
    rows: ObjectRows, options: ObjectOptions, *, turns: bool = False
) -> ExampleAugmentation:
    """Random flips, zoom, shift and light, windows and color, as far as asked for."""
    roles = {"boxes": "boxes", "classes": "other", "valid": "valid"}
    if rows.masks:
        roles |= {"crops": "crops", "frames": "frames"}
    steps: list[Callable] = []
    if options.color:
        steps.append(RandomColor(options.color, HUE * options.color))
    geometry = RandomGeometry(rows.size)
    if options.augment:
        flips = (0, 1) if turns else (1,)
        geometry = RandomGeometry(rows.size, flips=flips, zoom=ZOOM, shift=SHIFT * min(rows.size))
        steps.append(RandomLight(0.2, 0.2))
    return ExampleAugmentation(
        geometry,
        y_roles=roles,
        light=Compose(*steps) if steps else None,
        patch=RandomPatch(options.patches) if options.patches else None,
        fill=GRAY,
    )


def picture_size(given, sizes) -> tuple[int, int]:
    """(height, width) of the pictures as the network takes them, multiples of MULTIPLE.

    Args:
        given: the longer side, (height, width) or None: LARGEST for the longer side, if the
            pictures have as much.
        sizes: (pictures, 2).
    """
    if given is None or isinstance(given, int):
        height, width = np.median(sizes, axis=0)
        if (sizes != sizes[0]).any():  # of all forms
            height = width = max(height, width)
        side = min(LARGEST, max(height, width)) if given is None else given
        scale = side / max(height, width)
        given = round(height * scale), round(width * scale)
    height, width = (max(1, -(-int(n) // MULTIPLE)) * MULTIPLE for n in given)
    return height, width


def framed_boxes(rows: ObjectRows, frame) -> tuple[np.ndarray, np.ndarray]:
    """(boxes (n, 4) as the network sees them, classes (n,)) of a frame, without ignored ones."""
    boxes, labels = [np.zeros((0, 4))], [np.zeros(0, int)]
    for row in frame.to_dicts():
        truth = rows.framed_truth(row)
        kept = ~truth["ignored"]
        boxes.append(truth["boxes"][kept])
        labels.append(truth["classes"][kept])
    return np.concatenate(boxes), np.concatenate(labels)


def fits_of_boxes(rows: ObjectRows, frame, spec) -> tuple[np.ndarray, np.ndarray]:
    """(the largest IoU of each box (n,) of a frame before training, classes (n,)).

    With a prior that has its center; with the boxes of a grid where they are.
    """
    boxes, labels = framed_boxes(rows, frame)
    if "share" in spec:
        return best_grid_iou(boxes, rows.size, spec["priors"], share=spec["share"]), labels
    return best_prior_iou(boxes[:, 2:] - boxes[:, :2], shapes_of_priors(spec)), labels
