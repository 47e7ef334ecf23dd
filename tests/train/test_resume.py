"""A training that was interrupted and resumed ends with the weights of one that was not."""

import signal

import numpy as np
import polars as pl
import pytest
from PIL import Image

import cutaway as ct
from cutaway.runs import Run, prepare
from cutaway.train import Callback

EPOCHS, BROKEN = 4, 2  # the third epoch is broken off in its middle


class Watcher(Callback):
    """Breaks a training off in its third epoch, and takes down the state after each epoch."""

    def __init__(self, interrupt=None):
        self.interrupt = interrupt
        self.states = []

    def on_chunk(self, trainer, done, total, loss):
        if self.interrupt is not None and trainer.epoch == BROKEN:
            self.interrupt()

    def on_epoch(self, trainer, row):
        state = {name: v.numpy().copy() for name, v in trainer.program.variables().items()}
        self.states.append((row["loss"], row["val_loss"], row["lr"], state))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photos")
    for name, level in (("bright", 160), ("dark", 90)):
        (root / name).mkdir()
        for k in range(20):
            pixels = np.clip(rng.normal(level, 60, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    rng = np.random.default_rng(0)
    words = ["a", "the", "film", "cast", "plot", "good", "bad", "dull", "fun", "long", "end"]
    texts = [" ".join(rng.choice(words, rng.integers(3, 12))) for _ in range(60)]
    path = tmp_path_factory.mktemp("texts") / "reviews.csv"
    praise = ["yes" if "good" in t or "fun" in t else "no" for t in texts]
    pl.DataFrame({"review": texts, "praise": praise}).write_csv(path)
    return path


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


def crash():
    raise MemoryError("the process is at its end")


def check(tmp_path, interrupt, data, target=None, **options):
    def train(out, seed, interrupt=None, resume=False):
        ct.seed(seed)  # what was drawn before must not matter
        watcher = Watcher(interrupt)
        prepared = prepare(data, target, epochs=EPOCHS, batch_size=8, dropout=0.2, **options)
        prepared.train(tmp_path / out, resume=resume, callbacks=[watcher], progress=False)
        return watcher

    whole = train("whole", 1)
    broken = Watcher()
    try:
        broken = train("broken", 2, interrupt)
    except MemoryError:
        assert not (tmp_path / "broken" / "metrics.json").exists()
    else:
        assert Run.open(tmp_path / "broken").metrics["stopped"] == "interrupted"
    resumed = train("broken", 3, resume=True)
    # an epoch of a single chunk ends with it, so it counts
    complete = max(BROKEN, len(broken.states))
    assert complete in (BROKEN, BROKEN + 1) and len(resumed.states) == EPOCHS - complete
    expect_equal(broken.states, whole.states[: len(broken.states)])
    expect_equal(resumed.states, whole.states[complete:])
    expect_same_run(Run.open(tmp_path / "broken"), Run.open(tmp_path / "whole"))


@pytest.mark.slow
def test_images_seen_with_augmentation_resume_to_the_same_bits_after_ctrl_c(photos, tmp_path):
    check(tmp_path, ctrl_c, photos, augment=True)


@pytest.mark.slow
def test_texts_resume_to_the_same_bits_after_a_crash(reviews, tmp_path):
    check(tmp_path, crash, reviews, "praise", kind="text", model="bag")


def expect_equal(found, expected):
    """After each epoch the same losses, rates, weights, statistics, slots and random keys."""
    for (*numbers, state), (*others, other) in zip(found, expected, strict=True):
        assert numbers == others
        assert list(state) == list(other)
        for name, value in state.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)


def expect_same_run(run, other):
    assert run.metrics["best_epoch"] == other.metrics["best_epoch"]
    assert run.metrics["validation"] == other.metrics["validation"]
    for name, value in other.net.state_dict().items():
        np.testing.assert_array_equal(run.net.state_dict()[name], value, err_msg=name)
