"""Eight overfitted pictures: what a detector that has no mistake in it can do.

    python -m benchmarks.overfitted_boxes ../shared/data/coco128/instances_train.json [--model yolo]

Trains each detector, its backbone too, on the first eight pictures with boxes, without
augmentation, and prints the average precision on the same pictures: of boxes, and of masks.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from cutaway.data import find_objects
from cutaway.runs.object_training import prepare_objects
from cutaway.runs.options.objects import ObjectOptions

PICTURES = 8
STEPS = 20  # in an epoch
MODELS = ("yolo", "ssd", "faster-rcnn", "mask-rcnn")


def overfitted(path, model: str, epochs: int) -> dict:
    """Scores of a detector on the eight pictures that it was trained on."""
    folder = find_objects(path)
    rows = np.flatnonzero(folder.counts.sum(axis=1))[:PICTURES]
    options = ObjectOptions(
        model=model, epochs=epochs, fine_tune=True, augment=False, turns=False, lr=1e-3
    )
    # the detections after an epoch take as long as some steps
    repeated = np.tile(rows, STEPS)
    experiment = prepare_objects(path, options, sets={"train": repeated, "validation": rows})
    with tempfile.TemporaryDirectory() as place:
        run = experiment.train(Path(place) / "run", progress=False)
    return run.metrics["validation"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="pictures with boxes")
    parser.add_argument("--model", default=",".join(MODELS), help="with commas between")
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    for model in options.model.split(","):
        began = time.perf_counter()
        scores = overfitted(options.path, model, options.epochs)
        names = [name for name in ("ap", "ap50", "mask_ap", "mask_ap50") if name in scores]
        found = ", ".join(f"{name} {scores[name]:.3f}" for name in names)
        print(f"{model}: {found} ({time.perf_counter() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
