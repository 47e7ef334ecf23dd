"""Invariant 8: the examples about images run, here on a few small ones."""

import numpy as np
import pytest
from PIL import Image

from cutaway.models.resnet import BasicBlock, ResNet, SmallImageStem
from tests.docs.scripts import example


def bright_and_dark(folder):
    rng = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 50)):
        for split, count in (("train", 40), ("test", 10)):
            (folder / split / name).mkdir(parents=True)
            for k in range(count):
                pixels = np.clip(rng.normal(level, 30, (12, 12)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{k}.png")
    return folder


@pytest.mark.slow
def test_the_images_example_tells_bright_from_dark(tmp_path):
    data = bright_and_dark(tmp_path / "data")
    run = example("images").main(data, epochs=6, out=tmp_path / "run")
    assert run.metrics["test"]["accuracy"] == 1.0


def test_the_cifar_example_trains_a_residual_network_of_its_kind(tmp_path):
    def small(classes):
        return ResNet(BasicBlock, (1, 1), num_classes=classes, widths=(8, 16), stem=SmallImageStem)

    data = bright_and_dark(tmp_path / "data")
    found = example("cifar_resnet").main(data, epochs=16, networks={"small": (small, 1e-2)})
    assert found["small"]["accuracy"] == 1.0
