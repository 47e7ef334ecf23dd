"""A run knows its data: resume refuses other data, evaluate says which rows it was trained on."""

import dataclasses
import json
import re
import shutil

import numpy as np
import polars as pl
import pytest

from cutaway.cli.app import app
from cutaway.errors import CutawayError, RunError
from cutaway.files import Manifest
from cutaway.runs import Run, TableOptions, prepare, prepare_table
from cutaway.runs.run_folder import RunFolder
from tests.hostile.run_samples import MAKERS
from tests.runs.small_backbone import with_small_backbone
from tests.runs.untrained import write_untrained

RNG = np.random.default_rng(0)
FRAME = pl.DataFrame({"a": RNG.normal(size=60).round(3), "b": RNG.integers(0, 999, 60)})
FRAME = FRAME.with_columns(y=pl.Series(np.where(FRAME["a"] > 0, "yes", "no")))
QUICK = TableOptions(epochs=2, layers=(3,), validation=0.2)
SEEN = "are among the training {}: scores on them say nothing about new data"


def train(out, path, *, epochs=2, resume=False):
    experiment = prepare_table(path, "y", dataclasses.replace(QUICK, epochs=epochs))
    return experiment.train(out, resume=resume, progress=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("known")
    FRAME.write_csv(folder / "data.csv")
    train(folder / "run", folder / "data.csv")
    return folder


@pytest.fixture
def copied(trained, tmp_path, monkeypatch):
    """The working folder, which holds the run and its data.csv."""
    shutil.copytree(trained / "run", tmp_path / "run")
    FRAME.write_csv(tmp_path / "data.csv")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["data"] = "data.csv"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    RunFolder(tmp_path / "run").accept(["config.json"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_same_data_written_in_another_way_are_resumed(copied):
    text = FRAME.with_columns(id=pl.lit(7)).write_csv(float_precision=6, separator=";")
    assert text.splitlines()[1] == "0.126000;569;yes;7"  # the constant column is not used
    (copied / "data.csv").write_bytes(text.replace("\n", "\r\n").encode())
    assert train("run", "data.csv", epochs=3, resume=True).metrics["epochs"] == 3


def test_columns_in_another_order_are_refused_since_the_inputs_would_change_places(copied):
    FRAME.select("y", "b", "a").write_csv(copied / "data.csv")
    with pytest.raises(RunError, match="on other data: its columns are in another order"):
        train("run", "data.csv", epochs=3, resume=True)


OTHER = {
    "60 rows, now 61; the first difference is in row 61": pl.concat([FRAME, FRAME[:1]]),
    "60 rows, now 59; the first difference is in row 31": pl.concat([FRAME[:30], FRAME[31:]]),
    "the same rows in another order; the first difference is in row 1": FRAME[::-1],
    "the column 'b' is changed; the first difference is in row 8": FRAME.with_columns(
        b=pl.when(pl.int_range(60) == 7).then(1234).otherwise("b")
    ),
    "the column 'c' is new; the first difference is in row 1": FRAME.with_columns(c=FRAME["a"] + 1),
}


@pytest.mark.parametrize("words", OTHER)
def test_other_data_under_the_same_name_are_refused_with_what_differs(copied, words):
    OTHER[words].write_csv(copied / "data.csv")
    before = {p: p.read_bytes() for p in (copied / "run").rglob("*") if p.is_file()}
    refused = re.escape(f"run was trained on other data: {words}")
    with pytest.raises(RunError, match=refused):
        train("run", "data.csv", epochs=3, resume=True)
    assert {p: p.read_bytes() for p in (copied / "run").rglob("*") if p.is_file()} == before


def test_other_options_are_named_before_other_data(copied):
    FRAME[:50].write_csv(copied / "data.csv")
    options = dataclasses.replace(QUICK, epochs=3, dropout=0.3)
    with pytest.raises(RunError, match="with other options: dropout was 0"):
        prepare_table("data.csv", "y", options).train("run", resume=True)


def test_a_run_of_before_fingerprints_is_resumed_and_evaluated_as_before(copied):
    config = json.loads((copied / "run" / "config.json").read_text())
    del config["fingerprint"]
    (copied / "run" / "config.json").write_text(json.dumps(config))
    (copied / "run" / "fingerprint.npz").unlink()
    Manifest(copied / "run").accept(["config.json"])
    assert Run.open("run").evaluate("data.csv")[1] == []
    assert train("run", "data.csv", epochs=3, resume=True).metrics["epochs"] == 3
    assert Run.open("run").evaluate("data.csv")[1] == ["48 of 60 rows " + SEEN.format("rows")]


def test_a_run_that_lost_its_hashes_refuses_other_data_all_the_same(copied):
    (copied / "run" / "fingerprint.npz").unlink()
    assert Run.open("run").evaluate("data.csv")[1] == []
    FRAME[:59].write_csv(copied / "data.csv")
    with pytest.raises(RunError, match=r"trained on other data: 60 rows, now 59\n"):
        train("run", "data.csv", epochs=3, resume=True)


def test_evaluate_says_how_many_rows_the_run_was_trained_on(copied, capsys):
    run = Run.open("run")
    assert run.evaluate(FRAME)[1] == ["48 of 60 rows " + SEEN.format("rows")]
    assert run.evaluate(FRAME.with_columns(b=FRAME["b"] + 1000))[1] == []
    # another order of rows and columns, and a column that the training had not
    mixed = FRAME.select("y", note=pl.lit("x"), b="b", a="a").sample(60, shuffle=True, seed=1)
    assert run.evaluate(mixed)[1] == ["48 of 60 rows " + SEEN.format("rows")]
    labels = FRAME.with_columns(y=pl.when(pl.int_range(60) < 30).then("y"))  # rows without a label
    assert "of 30 rows are among" in run.evaluate(labels)[1][-1]
    app(args=["evaluate", "run", "data.csv"], prog_name="cutaway", standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "48 of 60 rows are among the training rows" in shown


def test_the_run_that_train_returns_knows_its_rows_too(tmp_path):
    FRAME.write_csv(tmp_path / "data.csv")
    run = train(tmp_path / "run", tmp_path / "data.csv")
    assert run.evaluate(FRAME)[1] == ["48 of 60 rows " + SEEN.format("rows")]


# every kind of data

UNITS = {
    "table": "rows",
    "regression": "rows",
    "series": "time steps",
    "images": "images",
    "text": "texts",
    "recordings": "recordings",
    "labeled series": "series",
    "masks": "pictures",
    "volumes": "volumes",
    "pairs": "pairs",
    "objects": "pictures",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{name: (Run, its data, the experiment)} of a run of each kind, without training."""
    folder, found = tmp_path_factory.mktemp("kinds"), {}
    for name, make in MAKERS.items():
        place = folder / "data" / name
        place.mkdir(parents=True)
        with with_small_backbone():
            data, options = make(place)
            experiment = prepare(data, **options)
            found[name] = write_untrained(folder / "runs" / name, experiment), data, options
    return found


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_data_have_the_same_fingerprint_in_every_kind(runs, name):
    run, data, options = runs[name]
    with with_small_backbone():
        again = prepare(data, **options).fingerprint()
    stored, arrays = run.folder.read_fingerprint(run.config)
    assert again.difference(stored, arrays) is None
    assert len(arrays["training"]) > 0 and stored.count > stored.training > 0


@pytest.mark.parametrize("name", UNITS)
def test_evaluate_warns_in_every_kind(runs, name):
    run, data, _ = runs[name]
    if name == "labeled series":
        data = data / "X_TRAIN.tsv"  # of the folder its test file is taken
        assert run.evaluate(data.parent)[1] == []
    with with_small_backbone():
        notes = run.evaluate(data)[1]
    (note,) = [n for n in notes if "are among" in n or "is among" in n]
    assert re.fullmatch(rf"[\d,]+ of [\d,]+ {UNITS[name]} .*the training {UNITS[name]}: .*", note)


def changed(name, data):
    """Change one example of a data set, in its place."""
    if data.is_file():
        text = data.read_text()
        last = text.rstrip("\n").rpartition("\n")[0]
        data.write_text(last + "\n")
        return
    files = [p for p in sorted(data.rglob("*")) if p.suffix in (".png", ".wav", ".tsv")]
    files = files or [p for p in sorted(data.rglob("*")) if p.name.endswith(".nii.gz")]
    content = bytearray(files[0].read_bytes())
    if files[0].suffix == ".tsv":
        files[0].write_bytes(bytes(content).rpartition(b"\n")[0])
    else:
        files[0].write_bytes(content + bytes(2))


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "language"])
def test_other_data_have_another_fingerprint_in_every_kind(runs, name, tmp_path, monkeypatch):
    run, data, options = runs[name]
    root = data if data.is_dir() else data.parent
    kept = tmp_path / "kept"
    shutil.copytree(root, kept)
    try:
        changed(name, data)
        with with_small_backbone():
            again = prepare(data, **options).fingerprint()
        assert again.difference(*run.folder.read_fingerprint(run.config))
    finally:
        shutil.rmtree(root)
        shutil.copytree(kept, root)


def test_sentences_of_another_text_that_were_read_are_counted(tmp_path):
    words = RNG.integers(0, 10**6, (200, 4))
    text = "\n".join(f"Item {a} stands {b} by {c} in row {d}." for a, b, c, d in words)
    path = tmp_path / "text.txt"
    path.write_text(text)
    options = {"kind": "language", "length": 16, "hidden": 3, "validation": 0.1}
    run = write_untrained(tmp_path / "run", prepare(path, **options))
    lines = text.split("\n")
    (tmp_path / "more.txt").write_text(" ".join(lines[:50] + [s.upper() for s in lines[:50]]))
    notes = run.evaluate(tmp_path / "more.txt")[1]
    assert notes[-1] == "50 of 100 sentences " + SEEN.format("sentences")
    path.write_text(text.replace(lines[7], "Another."))
    again = prepare(path, **options).fingerprint()
    assert "the first difference is in sentence 8" in again.difference(
        *run.folder.read_fingerprint(run.config)
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"PK\x03\x04", None])
def test_damaged_hashes_are_named(copied, content):
    path = copied / "run" / "fingerprint.npz"
    if content is None:
        with open(path, "wb") as file:
            np.savez(file, rows=np.ones(60), names=np.ones(0), training=np.ones(48))
    else:
        path.write_bytes(content)
    assert Run.open("run").predict("data.csv")[0].height == 60
    for _ in range(2):
        with pytest.raises(CutawayError, match=r"fingerprint\.npz.* is damaged"):
            Run.open("run").evaluate("data.csv")
        RunFolder(copied / "run").accept(["fingerprint.npz"])
