"""Membranes of cells in electron micrographs: a U-Net, with the figures of ISBI's challenge.

    python examples/membrane.py ../shared/data/membrane [--epochs N]

The folder has images/ and labels/ with 30 slices: white cells, black membranes. The last six slices
are the test set; weights and threshold are chosen on some of the others. Beside the network stands
a threshold of the smoothed gray values, chosen in the same way.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from cutaway.metrics import MaskScores, adapted_rand_error, connected_regions
from cutaway.runs import prepare

TEST = range(24, 30)


def main(folder, *, tested=TEST, **options) -> dict:
    """{method: {"dice", "rand_error"}} on the test slices, of the membranes.

    Args:
        tested: numbers of the test slices.
        options: of the training, see runs.options.masks.MaskOptions.
    """
    with tempfile.TemporaryDirectory() as temporary:
        listed = Path(temporary) / "test.txt"
        listed.write_text("".join(f"{k:02}\n" for k in tested))
        began = time.perf_counter()
        prepared: Any = prepare(folder, split=str(listed), **options)
        run = prepared.train(Path(temporary) / "run")
        seconds = time.perf_counter() - began
    rows = prepared.preprocessing
    found = {"gray values": _by_gray_values(prepared)}
    scores = run.metrics["test"]
    found["U-Net"] = {
        "dice": scores[f"dice_{rows.classes[0]}"],
        "rand_error": scores["adapted_rand_error"],
    }
    for name, one in found.items():
        print(f"{name}: Dice {one['dice']:.3f}, adapted Rand error {one['rand_error']:.3f}")
    print(f"threshold {rows.threshold:g}, {run.metrics['epochs']} epochs, {seconds:.0f} s")
    return found


def _by_gray_values(prepared) -> dict:
    """The scores of a threshold of smoothed gray values, chosen on the other slices."""

    def examples(sets):
        rows = prepared.preprocessing
        for name in sets:
            for row in prepared.rows_of(name):
                x = rows.input_of(row)[..., 0].astype(np.float32)
                yield ndimage.gaussian_filter(x, 2.0), rows.target_of(row)

    known = list(examples(("train", "validation")))
    best = max(range(60, 200, 10), key=lambda t: _dice(known, t))
    tested, errors = list(examples(("test",))), []
    for smoothed, truth in tested:
        regions = (connected_regions(mask) for mask in (truth == 1, smoothed >= best))
        errors.append(adapted_rand_error(*regions)[0])
    return {"dice": _dice(tested, best), "rand_error": float(np.mean(errors))}


def _dice(examples, threshold) -> float:
    scores = MaskScores(2)
    for smoothed, truth in examples:
        scores.collect(truth, (smoothed >= threshold).astype(int))
    return scores.result()["dice"][0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    main(given.folder, **({} if given.epochs is None else {"epochs": given.epochs}))
