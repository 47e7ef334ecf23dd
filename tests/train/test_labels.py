"""Targets that are texts: numbered in sorted order, and said again of predictions."""

import functools

import numpy as np
import pandas as pd
import polars as pl
import pytest

import cutaway as ct
from cutaway import losses, metrics
from cutaway.errors import DataError, OptionError
from cutaway.train import Trainer

RNG = np.random.default_rng(0)
NUMBERS = np.arange(60) % 3
X = np.eye(3, dtype=np.float32)[NUMBERS] + 0.1 * RNG.normal(size=(60, 3)).astype(np.float32)
NAMES = np.array(["ape", "bee", "Cat"])  # sorted as Python sorts: capitals first
TEXTS = NAMES[NUMBERS]
SORTED = ["Cat", "ape", "bee"]
CODES = np.array([1, 2, 0])[NUMBERS]


def trainer(loss=losses.sparse_categorical_cross_entropy_with_logits, outputs=3, *layers):
    ct.seed(0)
    net = ct.Sequential(ct.Linear(3, outputs), *layers)
    return Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=0.2), metrics=[metrics.accuracy])


@pytest.mark.parametrize(
    "form",
    [
        np.array, list, lambda y: y.astype(object), lambda y: y[:, None], lambda y: y.astype("S"),
        pl.Series, lambda y: pl.DataFrame({"y": y}), lambda y: pl.Series(y, dtype=pl.Categorical),
        pd.Series, lambda y: pd.DataFrame({"y": y}), lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, dtype="object"), tuple, pd.Categorical,
    ],
)  # fmt: skip
def test_texts_of_every_form_train_as_their_numbers_do(form):
    y = form(TEXTS)
    by_name, by_number = trainer(), trainer()
    options = {"epochs": 3, "batch_size": 15, "seed": 0, "progress": False, "validation": 0.2}
    by_name.fit(X, y, **options)
    by_number.fit(X, CODES, **options)
    assert by_name.classes == SORTED and by_number.classes is None
    np.testing.assert_array_equal(by_name.net[0].weight, by_number.net[0].weight)
    assert by_name.history["val_accuracy"] == by_number.history["val_accuracy"]
    assert by_name.evaluate(X, y) == by_number.evaluate(X, CODES)


def test_predictions_are_asked_as_labels():
    led = trainer()
    led.fit(X, TEXTS, epochs=30, validation=(X[:6], list(TEXTS[:6])), progress=False)
    assert led.predict_labels(X).tolist() == TEXTS.tolist()
    assert led.evaluate(X, TEXTS)["accuracy"] == 1
    plain = trainer()
    plain.fit(X, NUMBERS, epochs=30, progress=False)
    assert plain.predict_labels(X).tolist() == NUMBERS.tolist()


ENDS = {
    "binary_cross_entropy_with_logits": (),
    "binary_cross_entropy": (ct.Sigmoid,),
    "hinge": (),
}


@pytest.mark.parametrize("name", ENDS)
def test_two_classes_of_a_single_output(name):
    rows = NUMBERS < 2
    led = trainer(losses.LOSSES[name], 1, *(layer() for layer in ENDS[name]))
    led.fit(X[rows], TEXTS[rows], epochs=40, progress=False)
    assert led.classes == ["ape", "bee"]
    assert led.predict_labels(X[rows]).tolist() == TEXTS[rows].tolist()
    assert led.predict_labels(X[rows]).shape == (40,)
    with pytest.raises(DataError, match="y holds 'Cat' in row 2, which is none of the classes"):
        led.fit(X, TEXTS, progress=False)
    led.classes = None
    with pytest.raises(DataError, match="y has 3 classes for a loss of two: 'Cat', 'ape', 'bee'"):
        led.fit(X, TEXTS, progress=False)


def test_a_loss_on_one_hot_rows_gets_them():
    by_name = trainer(losses.categorical_cross_entropy_with_logits)
    by_row = trainer(losses.categorical_cross_entropy_with_logits)
    by_name.metrics = by_row.metrics = ()
    by_name.fit(X, TEXTS, epochs=2, seed=0, progress=False)
    by_row.fit(X, np.eye(3, dtype=np.float32)[CODES], epochs=2, seed=0, progress=False)
    np.testing.assert_array_equal(by_name.net[0].weight, by_row.net[0].weight)


def test_the_order_of_the_classes_can_be_given_and_is_kept():
    led = trainer()
    led.classes = ["bee", "ape", "Cat"]
    led.fit(X, TEXTS, epochs=30, progress=False)
    assert led.predict(X).argmax(axis=1).tolist() == np.array([1, 0, 2])[NUMBERS].tolist()
    led.fit(X[NUMBERS == 0], TEXTS[NUMBERS == 0], epochs=1, batch_size=4, progress=False)
    assert led.classes == ["bee", "ape", "Cat"]


def test_losses_with_options_are_known_as_those_without():
    loss = functools.partial(
        losses.sparse_categorical_cross_entropy_with_logits, class_weights=(1.0, 2.0, 1.0)
    )
    led = trainer(loss)
    led.fit(X, TEXTS, epochs=1, progress=False)
    assert led.classes == SORTED


@pytest.mark.parametrize(
    ("loss", "y", "words"),
    [
        (losses.mean_squared_error, TEXTS, "y holds texts, like 'ape', 'bee', for mean_squared"),
        (lambda p, y: ((p - y) ** 2).mean(), TEXTS, "y holds texts, like .*, for <lambda>"),
        (None, [*TEXTS[:-1], None], "1 of 60 labels are none: that of row 59 is missing"),
        (None, [*TEXTS[:-2], 3, np.nan], "2 of 60 labels are none: that of row 58 is 3, a int"),
        (None, {"a": TEXTS}, r"y\['a'\] holds texts"),
    ],
)
def test_texts_that_are_no_classes_are_refused_in_words(loss, y, words):
    led = trainer(*() if loss is None else (loss, 1))
    before = led.net[0].weight.numpy()
    with pytest.raises(DataError, match=words):
        led.fit(X, y, progress=False)
    np.testing.assert_array_equal(led.net[0].weight, before)
    assert led.classes is None


def test_classes_that_were_never_trained_on_are_named():
    led = trainer()
    led.fit(X, TEXTS, epochs=1, progress=False)
    for call in (
        lambda y: led.evaluate(X, y),
        lambda y: led.fit(X, y, more=1, progress=False),
        lambda y: led.fit(X, TEXTS, validation=(X, y), progress=False),
    ):
        with pytest.raises(DataError, match=r"y holds 'dog' in row 4.* \(2 such rows\)"):
            call([*TEXTS[:4], "dog", "dog", *TEXTS[6:]])
    four = trainer(outputs=4)
    four.fit(X, TEXTS, epochs=1, progress=False)
    four.net[0].bias.data = four.net[0].bias.data.at[3].set(100.0)
    with pytest.raises(OptionError, match="the network has 4 outputs, but there are 3 classes"):
        four.predict_labels(X)
    with pytest.raises(OptionError, match="labels were asked of a training without a loss of"):
        Trainer(ct.Linear(3, 1), loss=losses.mean_squared_error).predict_labels(X)
