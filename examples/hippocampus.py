"""The hippocampus in magnetic resonance images: a V-Net, trained on Dice alone.

    python examples/hippocampus.py ../shared/data/hippocampus [--epochs N]

The folder has a dataset.json that lists 40 training and 10 test volumes. Beside the network stands
the mean place of the training labels: each voxel has the class that is most frequent there.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data import Geometry
from cutaway.metrics import MaskScores
from cutaway.runs import prepare


def main(folder, **options) -> dict:
    """{method: {"anterior", "posterior", "worst"}} on the test volumes.

    Args:
        options: of the training, see runs.options.volumes.VolumeOptions.
    """
    began = time.perf_counter()
    prepared: Any = prepare(folder, **options)
    with tempfile.TemporaryDirectory() as temporary:
        run = prepared.train(Path(temporary) / "run")
    seconds = time.perf_counter() - began
    found = {"mean place": _mean_place(prepared)}
    counted = MaskScores(3)
    counted.matrices = [one.counts for one in prepared.found["test"]]
    counted.confusion = np.sum(counted.matrices, axis=0)
    found["V-Net"] = _figures(counted)
    for name, one in found.items():
        print(
            f"{name}: Dice {one['anterior']:.3f} anterior, {one['posterior']:.3f} posterior; of "
            f"the worst volume {one['worst']:.3f}"
        )
    print(f"{run.metrics['epochs']} epochs, {seconds:.0f} s")
    return found


def _mean_place(prepared) -> dict:
    rows, size = prepared.preprocessing, prepared.preprocessing.size
    votes = np.zeros((*size, 3), np.int64)
    for k in np.concatenate([prepared.sets["train"], prepared.sets["validation"]]):
        truth = rows.target_of(prepared.frame.row(int(k), named=True))
        placed = Geometry.of(truth.shape).center(size).mask(truth)
        votes += np.eye(3, dtype=np.int64)[placed]
    mean = votes.argmax(axis=-1)
    scores = MaskScores(3)
    for row in prepared.rows_of("test"):
        truth = rows.target_of(row)
        scores.collect(truth, Geometry.of(size).center(truth.shape).mask(mean))
    return _figures(scores)


def _figures(scores: MaskScores) -> dict:
    dice = scores.result()["dice"]
    worst = min(one["mean_dice"] for one in scores.of_pictures())
    return {"anterior": dice[1], "posterior": dice[2], "worst": worst}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    main(given.folder, **({} if given.epochs is None else {"epochs": given.epochs}))
