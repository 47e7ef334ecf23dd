import re

import numpy as np
import pytest

from cutaway.data import write_wav
from cutaway.errors import DataError, OptionError
from cutaway.runs import Run, write_report
from cutaway.runs.recordings import RecordingOptions, find_sets, prepare_recordings

RATE = 4000
QUICK = RecordingOptions(epochs=3, bands=12)


def hum(folder, name, frequency, seed, seconds=0.2):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 0.3 * np.sin(2 * np.pi * frequency * time) + 0.01 * rng.normal(size=len(time))
    write_wav(folder / name, sound, RATE)


@pytest.fixture
def flat(tmp_path):
    """Files whose names begin with their class."""
    for k in range(12):
        hum(tmp_path / "flat", f"high_{k}.wav", 1200, k)
        hum(tmp_path / "flat", f"low_{k}.wav", 200, 50 + k, seconds=0.15)
    return tmp_path / "flat"


@pytest.fixture
def split(tmp_path):
    """Folders for training and test, with a folder for each class."""
    for part, rows in (("train", 10), ("test", 3)):
        for k in range(rows):
            hum(tmp_path / "split" / part / "high", f"{k}.wav", 1200, k)
            hum(tmp_path / "split" / part / "low", f"{k}.wav", 200, 50 + k)
    return tmp_path / "split"


def test_names_of_files_tell_the_class_where_there_are_no_folders(flat):
    prepared = prepare_recordings(flat, QUICK)
    assert prepared.preprocessing.classes == ["high", "low"]
    assert (prepared.preprocessing.rate, prepared.preprocessing.seconds) == (RATE, 0.2)
    assert prepared.x.shape == (24, 18, 12)  # of 0.2 s, windows of 25 ms that begin each 10 ms
    assert prepared.test is None
    known = prepared.x[prepared.training]
    np.testing.assert_allclose(prepared.spec["mean"], known.mean(axis=(0, 1)), rtol=1e-6)


def test_a_run_is_trained_saved_opened_and_used(split, tmp_path):
    prepared = prepare_recordings(split, RecordingOptions(epochs=25, bands=12), why="WAV files")
    run = prepared.train(tmp_path / "run", progress=False)
    assert "WAV files" in write_report(prepared, run).read_text()
    assert run.metrics["test"]["accuracy"] == 1

    again = Run.open(tmp_path / "run")
    assert again.preprocessing.to_json() == prepared.preprocessing.to_json()
    assert again.evaluate(split)[0] == run.metrics["test"]
    folder = split / "test" / "high"
    predicted, _ = again.predict(folder)
    assert predicted.columns == [
        *("path", "prediction", "probability"),
        *("probability of high", "probability of low"),
    ]
    assert set(predicted["prediction"]) == {"high"} and len(predicted) == 3
    one, _ = again.predict(folder / "0.wav")
    assert one["prediction"].to_list() == ["high"]


def test_what_cannot_be_used_is_named(flat, tmp_path):
    rows = prepare_recordings(flat, QUICK).preprocessing
    assert rows.read(flat)["class"].unique().sort().to_list() == ["high", "low"]
    hum(tmp_path / "other", "siren.wav", 900, 0)
    with pytest.raises(DataError, match="no classes"):
        rows.transform(rows.read(tmp_path / "other"))
    (tmp_path / "names").mkdir()
    for name in ("anna", "bob"):
        hum(tmp_path / "names", f"{name}.wav", 300, 0)
    with pytest.raises(DataError, match="only one name starts with 'anna'"):
        find_sets(tmp_path / "names")
    with pytest.raises(DataError, match="no folder"):
        find_sets(tmp_path / "nowhere")
    (flat / "high_0.wav").write_bytes(b"no sound")
    with pytest.raises(DataError, match="is not a WAV file"):
        prepare_recordings(flat, QUICK)
    notes = prepare_recordings(flat, RecordingOptions(skip_unreadable=1)).notes
    assert re.match(r"skipped 1 of 24 recordings: .*high_0.wav is not a WAV file", notes[0])
    with pytest.raises(OptionError, match="model for recordings"):
        RecordingOptions(model="mlp")
