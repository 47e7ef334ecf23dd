import dataclasses

import numpy as np
import pytest

from cutaway.data import read_ucr
from cutaway.errors import DataError, OptionError
from cutaway.nn import Sequential
from cutaway.runs import Run, prepare, write_report
from cutaway.runs.time_series_classification import (
    TimeSeriesClassificationOptions,
    TimeSeriesClassificationRows,
    prepare_time_series_classification,
    ucr_frame,
)

LENGTH = 20
QUICK = TimeSeriesClassificationOptions(epochs=2)


def write(path, rows, *, length=LENGTH, classes=("rise", "fall"), seed=0):
    """Noisy ramps that rise or fall, in the form of the UCR archive."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(-1, 1, length)
    lines = []
    for k in range(rows):
        name = classes[k % len(classes)]
        values = (-1) ** (k % len(classes)) * ramp + rng.normal(0, 0.2, length)
        lines.append("\t".join([name, *(f"{v:.4f}" for v in values)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "ramps"
    place.mkdir()
    write(place / "Ramps_TRAIN.tsv", 40)
    write(place / "Ramps_TEST.tsv", 30, seed=1)
    return place


def test_series_are_read_split_and_standardized_by_what_is_trained_on(folder):
    prepared = prepare_time_series_classification(folder, QUICK, why="a pair of files")
    rows = prepared.preprocessing
    assert (rows.length, rows.classes) == (LENGTH, ["fall", "rise"])
    assert prepared.x.shape == (40, LENGTH, 1) and prepared.test[0].shape == (30, LENGTH, 1)
    assert sorted([*prepared.training, *prepared.validation]) == list(range(40))
    assert np.bincount(prepared.y[prepared.validation]).tolist() == [4, 4]
    assert rows.target.counts == [16, 16]
    known = prepared.x[prepared.training]
    assert prepared.spec["mean"] == [pytest.approx(known.mean())]
    assert prepared.spec["std"] == [pytest.approx(known.std())]
    assert isinstance(prepared.net, Sequential)
    assert "test file: 30 series, used for the final scores only" in prepared.notes


def test_a_run_is_trained_saved_opened_and_used(folder, tmp_path):
    prepared = prepare_time_series_classification(folder, QUICK, why="a pair of files")
    run = prepared.train(tmp_path / "run", progress=False)
    page = write_report(prepared, run).read_text()
    assert "a pair of files" in page and "rise" in page
    assert run.metrics["epochs"] == 2 and run.config["kind"] == "time-series-classification"

    again = Run.open(tmp_path / "run")
    assert again.preprocessing.to_json() == prepared.preprocessing.to_json()
    scores, notes = again.evaluate(folder)
    assert scores == run.metrics["test"] and notes == []
    predicted, _ = again.predict(folder / "Ramps_TEST.tsv")
    assert predicted.columns[:3] == ["class", "prediction", "probability"]
    assert all(name.startswith("probability of ") for name in predicted.columns[3:])
    right = (predicted["prediction"] == predicted["class"]).mean()
    assert right == pytest.approx(scores["accuracy"])


def test_one_file_is_enough(tmp_path):
    options = dataclasses.replace(QUICK, epochs=20)
    prepared = prepare_time_series_classification(write(tmp_path / "ramps.tsv", 40), options)
    assert prepared.test is None
    run = prepared.train(tmp_path / "run", progress=False)
    assert run.metrics["validation"]["accuracy"] == 1 and "test" not in run.metrics


def test_series_of_several_channels_are_recognized_trained_and_predicted(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["@problemName Turns", "@classLabel true left right", "@data"]
    for k in range(40):  # the same two signals in the other order
        one, other = rng.normal(100, 1, 12), np.linspace(-1, 1, 12) + rng.normal(0, 0.1, 12)
        pair = (other, -other) if k % 2 else (-other, other)
        cells = [",".join(f"{v:.3f}" for v in channel) for channel in (one, *pair)]
        lines.append(":".join([*cells, ("left", "right")[k % 2]]))
    path = tmp_path / "turns.ts"
    path.write_text("\n".join(lines))
    prepared = prepare(path, epochs=10)
    assert prepared.kind == "time-series-classification" and ".ts file" in prepared.why
    assert prepared.x.shape == (40, 12, 3)
    known = prepared.x[prepared.training]
    np.testing.assert_allclose(prepared.spec["mean"], known.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(prepared.spec["std"], known.std(axis=(0, 1)), rtol=1e-5)
    run = prepared.train(tmp_path / "run", progress=False)
    again = Run.open(run.path)
    assert again.preprocessing.channels == 3
    predicted, _ = again.predict(path)
    assert (predicted["prediction"] == predicted["class"]).mean() > 0.9
    with pytest.raises(DataError, match=r"1 channels\n.*3 channels, as in training"):
        again.preprocessing.transform(ucr_frame(read_ucr(write(tmp_path / "a.tsv", 4, length=12))))


def test_series_of_another_length_are_named(folder, tmp_path):
    rows = prepare_time_series_classification(folder, QUICK).preprocessing
    frame = rows.read(write(tmp_path / "longer.tsv", 4, length=LENGTH + 1))
    with pytest.raises(
        DataError, match=f"the series have 21 steps\n.*{LENGTH} steps, as in training"
    ):
        rows.transform(frame)


def test_a_class_that_training_does_not_have_is_named(folder, tmp_path):
    rows = prepare_time_series_classification(folder, QUICK).preprocessing
    other = write(tmp_path / "other.tsv", 6, classes=("rise", "fall", "rest"))
    with pytest.raises(DataError, match="has the class 'rest', which is not in the training data"):
        rows.read(other)


def test_what_cannot_be_learned_is_named(tmp_path):
    with pytest.raises(DataError, match="holds only one class, 'rise'"):
        prepare_time_series_classification(write(tmp_path / "same.tsv", 6, classes=("rise",)))
    ragged = tmp_path / "ragged.tsv"
    ragged.write_text("a\t1\t2\t3\nb\t1\t2\n")
    with pytest.raises(DataError, match="line 2 has 2 values"):
        prepare_time_series_classification(ragged)
    with pytest.raises(DataError, match="cannot be read"):
        prepare_time_series_classification(tmp_path / "nowhere.tsv")
    with pytest.raises(OptionError, match="model for time-series classification"):
        TimeSeriesClassificationOptions(model="mlp")
    with pytest.raises(DataError, match="time-series-classification"):
        TimeSeriesClassificationRows.from_json({"kind": "table", "format": 1})
