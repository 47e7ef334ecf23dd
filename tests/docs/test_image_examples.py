"""Invariant 8: examples/images.py runs, here on a few small images."""

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]


def test_the_images_example_tells_bright_from_dark(tmp_path):
    spec = importlib.util.spec_from_file_location("images", ROOT / "examples" / "images.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    rng = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 50)):
        for split, count in (("train", 40), ("test", 10)):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for k in range(count):
                pixels = np.clip(rng.normal(level, 30, (12, 12)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{k}.png")
    run = example.main(tmp_path / "data", epochs=6, out=tmp_path / "run")
    assert run.metrics["test"]["accuracy"] == 1.0
