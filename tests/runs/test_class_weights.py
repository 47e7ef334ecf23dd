"""Weights of classes in the loss, for all kinds of data that have classes."""

import numpy as np
import polars as pl
import pytest

from cutaway.errors import OptionError
from cutaway.losses import LOSSES
from cutaway.runs import prepare
from cutaway.runs.class_weights import weights_of_classes
from cutaway.runs.networks import loss_of
from cutaway.runs.options.series import SeriesOptions
from cutaway.runs.options.table import TableOptions
from cutaway.runs.series import prepare_series
from cutaway.runs.table import prepare_table, train_table

RNG = np.random.default_rng(0)


def rare(count=400, rare=20):
    """Two classes that overlap, the second in few rows."""
    y = np.repeat(["no", "yes"], [count - rare, rare])
    x = RNG.normal(size=count) + 1.5 * (y == "yes")
    return pl.DataFrame({"x": x, "y": y})


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    frame = rare()
    found = prepare_table(frame, "y", TableOptions(class_weights="balanced"))
    expected = compute_class_weight("balanced", classes=np.array(["no", "yes"]), y=frame["y"])
    assert found.spec["loss_options"]["class_weights"] == pytest.approx(list(expected))
    loss = loss_of(found.spec)
    z, y = RNG.normal(size=(30, 1)).astype("f4"), RNG.integers(0, 2, 30)
    plain = LOSSES[found.spec["loss"]]
    parts = [float(plain(z[y == k], y[y == k, None].astype("f4"))) * (y == k).sum() for k in (0, 1)]
    weight = [expected[k] * (y == k).sum() for k in (0, 1)]
    mean = sum(w * p for w, p in zip(expected, parts, strict=True)) / sum(weight)
    assert float(loss(z, y[:, None].astype("f4"))) == pytest.approx(mean, rel=1e-5)


def test_balanced_weights_find_the_rare_class_that_is_missed_without(tmp_path):
    recalls = []
    frame, new = rare(), rare(2000, 1000)
    for name, given in (("plain", None), ("balanced", "balanced")):
        options = TableOptions(class_weights=given, epochs=30, layers=(8,))
        run = train_table(frame, "y", options=options, out=tmp_path / name)
        predicted, _ = run.predict(new)
        recalls.append((predicted.filter(pl.col("y") == "yes")["prediction"] == "yes").mean())
    assert recalls[0] < 0.45 and recalls[1] > recalls[0] + 0.25


def test_classes_with_commas_and_equals_signs_are_named_in_quotes():
    names = ["a,b", "c=d", "e"]
    found = weights_of_classes('"a,b"=2,c=d=0.5', names, [1, 1, 1])
    assert found == [2.0, 0.5, 1.0]
    with pytest.raises(OptionError, match="'a' without a weight") as caught:
        weights_of_classes("a,b=2", names, [1, 1, 1])
    assert "--class-weights '\"a,b\"=2'" in caught.value.fix
    with pytest.raises(OptionError, match="no class 'f'") as caught:
        weights_of_classes("f=2", names, [1, 1, 1])
    assert caught.value.expected == 'one of "a,b", c=d, e'


def test_texts_take_them_too():
    words = [f"good {k}" if k % 4 else f"bad {k}" for k in range(80)]
    labels = [word.split()[0] for word in words]
    frame = pl.DataFrame({"text": words, "label": labels})
    found = prepare(frame, "label", kind="text", text="text", class_weights="bad=3")
    assert found.spec["loss_options"]["class_weights"] == [3.0, 1.0]


def test_what_has_no_classes_refuses_them():
    frame = pl.DataFrame({"x": np.arange(50.0) % 7, "y": np.arange(50.0) % 11 / 3})
    with pytest.raises(OptionError, match="y, which has no classes"):
        prepare_table(frame, "y", TableOptions(class_weights="balanced"))
    with pytest.raises(OptionError, match="no classes"):
        prepare_series(frame.select("y"), SeriesOptions(class_weights="balanced"))
    with pytest.raises(OptionError, match="no class 'maybe'"):
        prepare_table(rare(), "y", TableOptions(class_weights="maybe=2"))
    with pytest.raises(OptionError, match="the loss mean_squared_error"):
        options = TableOptions(class_weights="balanced", loss="mean_squared_error")
        prepare_table(rare(), "y", options)


def test_what_weights_do_to_probabilities_is_said_once():
    found = prepare_table(rare(), "y", TableOptions(class_weights="balanced"))
    again = found.with_options(found.options)
    assert [n.startswith("with class weights") for n in again.notes].count(True) == 1
