"""Weights of rows by either name: ones are none, integers are repeated rows."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch

import cutaway as ct
from cutaway import losses, metrics
from cutaway.errors import OptionError
from cutaway.train import Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype(np.float32)
LABELS = np.arange(24) % 3
COUNTS = np.arange(24) % 4
REPEATED = np.repeat(np.arange(24), COUNTS)
SPARSE = losses.sparse_categorical_cross_entropy_with_logits
TARGETS = {
    "mean_squared_error": (X.sum(axis=1), 1),
    "mean_absolute_error": (X[:, :2] ** 2, 2),
    "huber": (X.sum(axis=1), 1),
    "binary_cross_entropy_with_logits": (LABELS % 2, 1),
    "sparse_categorical_cross_entropy_with_logits": (LABELS, 3),
    "categorical_cross_entropy_with_logits": (np.eye(3, dtype=np.float32)[LABELS], 3),
    "hinge": (LABELS % 2, 1),
}


def trainer(loss, outputs, *own):
    ct.seed(0)
    net = ct.Linear(3, outputs)
    return Trainer(net, loss=loss, optimizer=ct.SGD(net, lr=0.1), metrics=own)


@pytest.mark.parametrize("name", TARGETS)
def test_integer_weights_are_repeated_rows(name):
    y, outputs = TARGETS[name]
    by_weight, by_row = (trainer(losses.LOSSES[name], outputs) for _ in range(2))
    options = {"epochs": 5, "seed": 0, "progress": False}
    by_weight.fit(X, y, batch_size=24, sample_weight=COUNTS, **options)
    by_row.fit(X[REPEATED], y[REPEATED], batch_size=len(REPEATED), **options)
    np.testing.assert_allclose(by_weight.net.weight, by_row.net.weight, rtol=1e-5, atol=1e-6)
    found = by_weight.evaluate(X, y, sample_weight=COUNTS)["loss"]
    assert found == pytest.approx(by_weight.evaluate(X[REPEATED], y[REPEATED])["loss"], rel=1e-5)


@pytest.mark.parametrize("weight", [1, 3.7])
@pytest.mark.parametrize("name", TARGETS)
def test_equal_weights_are_none_bit_for_bit(name, weight):
    y, outputs = TARGETS[name]
    plain, weighted = (trainer(losses.LOSSES[name], outputs) for _ in range(2))
    ones = np.full(24, weight)
    options = {"epochs": 3, "batch_size": 7, "seed": 0, "progress": False}
    plain.fit(X, y, validation=(X, y), **options)
    weighted.fit(X, y, validation=(X, y, ones), sample_weight=ones, **options)
    np.testing.assert_array_equal(plain.net.weight, weighted.net.weight)
    assert plain.history["val_loss"] == weighted.history["val_loss"]
    assert plain.evaluate(X, y) == weighted.evaluate(X, y, sample_weight=ones)


def test_weights_of_classes_and_of_rows_multiply_as_in_pytorch():
    of_classes = (1.0, 2.0, 0.5)
    loss = functools.partial(SPARSE, class_weights=of_classes)
    led = trainer(loss, 3)
    z = torch.tensor(led.predict(X))
    each = torch.nn.functional.cross_entropy(
        z, torch.tensor(LABELS), weight=torch.tensor(of_classes), reduction="none"
    ).numpy()
    both = COUNTS * np.array(of_classes)[LABELS]
    expected = (COUNTS * each).sum() / both.sum()
    assert led.evaluate(X, LABELS, sample_weight=COUNTS)["loss"] == pytest.approx(
        expected, rel=1e-5
    )


def test_a_metric_with_weights_gets_them():
    def mean_error(prediction, target, weights=None):
        error = abs(prediction[:, 0] - target)
        return error.mean() if weights is None else (error * weights).sum() / weights.sum()

    mean_error.task, mean_error.higher_is_better = "regression", False
    led = trainer(losses.mean_squared_error, 1, mean_error, metrics.mean_absolute_error)
    y = X.sum(axis=1)
    scores = led.evaluate(X, y, sample_weight=COUNTS)
    error = np.abs(led.predict(X)[:, 0] - y)
    assert scores["mean_error"] == pytest.approx(np.average(error, weights=COUNTS), rel=1e-5)
    assert led.evaluate(X, y)["mean_error"] == pytest.approx(error.mean(), rel=1e-5)


@pytest.mark.parametrize(
    "form", [list, pd.Series, torch.tensor, lambda w: pd.DataFrame({"w": w}), lambda w: w[:, None]]
)
def test_weights_of_every_form_are_the_same(form):
    y = X.sum(axis=1)
    found = []
    for weights in (COUNTS, form(COUNTS)):
        led = trainer(losses.mean_squared_error, 1)
        led.fit(X, y, epochs=1, batch_size=6, seed=0, sample_weight=weights, progress=False)
        found.append(led.net.weight.numpy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": COUNTS, "sample_weight": COUNTS}, "both weights and sample_weight"),
        ({"sample_weight": COUNTS[:5]}, r"weights of shape \(5,\)"),
        ({"sample_weight": -COUNTS}, "from -3 to"),
        ({"sample_weight": COUNTS * 0}, "all weights are 0"),
    ],
)
def test_weights_that_are_none_are_named(options, words):
    led = trainer(losses.mean_squared_error, 1)
    with pytest.raises(OptionError, match=words):
        led.fit(X, X.sum(axis=1), progress=False, batch_size=8, **options)
    with pytest.raises(OptionError, match=words):
        led.evaluate(X, X.sum(axis=1), **options)
