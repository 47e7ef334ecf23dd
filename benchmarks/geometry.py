"""Milliseconds for an augmented example: picture, mask and light, on one core.

    python -m benchmarks.geometry
    python -m benchmarks.geometry --rounds 200

Prints the median and the least of the rounds: crops of 192 x 192 from pictures of 512 x 512 with
flips and turns, with elastic deformation, rotation and zoom; a volume of 48 x 64 x 48; resizing,
letterbox, tiles, and U-Net's weights of borders.
"""

import argparse
import statistics
import time

import numpy as np

from cutaway.data import (
    ExampleAugmentation,
    Framing,
    RandomGeometry,
    RandomLight,
    border_weights,
    predict_tiles,
)

SIZE = (192, 192)
FLIPS = {"flips": (0, 1), "quarter_turns": True}


def cases() -> dict:
    """{what is measured: function of a random generator}."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (512, 512, 1), np.uint8)
    color = np.repeat(picture, 3, axis=-1)
    blobs = np.kron(rng.integers(0, 2, (32, 32)), np.ones((16, 16))).astype(np.uint8)
    volume = rng.normal(size=(48, 64, 48, 1)).astype(np.float32)
    labels = rng.integers(0, 3, volume.shape[:3], np.uint8)

    def augmented(x, y, **options):
        geometry = RandomGeometry(**options)
        augment = ExampleAugmentation(geometry, light=RandomLight(), border="mirrored")
        return lambda own: augment.example(x, y, own)

    everything = {"rotation": 20, "zoom": (0.8, 1.25), "elastic": 10}
    letterbox = Framing("letterbox", (416, 416)).geometry((512, 512))
    return {
        "crop, flips, turns": augmented(picture, blobs, size=SIZE, **FLIPS),
        "and elastic deformation": augmented(picture, blobs, size=SIZE, elastic=10, **FLIPS),
        "and rotation, zoom": augmented(picture, blobs, size=SIZE, **everything, **FLIPS),
        "the same in color": augmented(color, blobs, size=SIZE, **everything, **FLIPS),
        "volume: shift, flips": augmented(volume, labels, shift=4, flips=(0,)),
        "volume: elastic, rotation": augmented(volume, labels, rotation=10, elastic=2),
        "letterbox 512 to 416, color": lambda _: letterbox.picture(color),
        "tiles of 256, 1024 x 1024": lambda _: predict_tiles(
            lambda tiles: tiles, np.tile(picture, (2, 2, 1)), (256, 256)
        ),
        "weights of borders, 512 x 512": lambda _: border_weights(blobs),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    for name, function in cases().items():
        function(rng)
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            function(rng)
            seconds.append(time.perf_counter() - start)
        median, least = 1000 * statistics.median(seconds), 1000 * min(seconds)
        print(f"{name:32} {median:8.2f} ms   least {least:8.2f}")


if __name__ == "__main__":
    main()
