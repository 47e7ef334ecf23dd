"""Trained work is never deleted, damage is never believed, and a folder has one owner."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from cutaway.errors import DataError, OutOfMemoryError, RunError
from cutaway.files import Manifest, Owner
from cutaway.runs import Run, TableOptions, prepare_table, train_table
from cutaway.train import Callback

RNG = np.random.default_rng(0)
FRAME = pl.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60)})
FRAME = FRAME.with_columns(y=pl.Series(np.where(FRAME["a"] > FRAME["b"], "yes", "no")))
QUICK = TableOptions(epochs=6, layers=(4,), dropout=0.1)
DAMAGE = ("config.json", "history.csv", "metrics.json", "preprocessing.json", "probes.parquet")
DAMAGE += ("fingerprint.npz",)


def train(out, *callbacks, resume=False, **given):
    options = dataclasses.replace(QUICK, **given)
    return prepare_table(FRAME, "y", options).train(out, resume=resume, callbacks=callbacks)


class FailingAt(Callback):
    def __init__(self, epoch, error):
        self.epoch, self.error = epoch, error

    def on_epoch(self, trainer, row):
        if row["epoch"] == self.epoch:
            raise self.error


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train_table(FRAME, "y", options=QUICK, out=tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def copied(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("error", [DataError("no row"), OutOfMemoryError("none", fix="less")])
def test_an_error_after_an_epoch_keeps_what_was_trained_and_says_how_to_go_on(tmp_path, run, error):
    with pytest.raises(type(error)) as caught:
        train(tmp_path / "run", FailingAt(3, error))
    words = f"the state after epoch 3 was saved to {tmp_path / 'run'}"
    assert words in caught.value.fix and f"--out {tmp_path / 'run'} --resume" in caught.value.fix
    resumed = train(tmp_path / "run", FailingAt(99, error), resume=True)
    for name, value in resumed.net.state_dict().items():
        np.testing.assert_array_equal(value, run.net.state_dict()[name])


def test_an_error_before_the_first_epoch_leaves_nothing(tmp_path):
    class Failing(Callback):
        def on_start(self, trainer):
            raise DataError("no row")

    with pytest.raises(DataError):
        train(tmp_path / "runs" / "run", Failing())
    assert os.listdir(tmp_path) == []


def test_a_disk_that_became_read_only_does_not_hide_why_nothing_was_trained(tmp_path, monkeypatch):
    class Failing(Callback):
        def on_start(self, trainer):
            def read_only(self, missing_ok=False):
                raise OSError(30, "Read-only file system")

            monkeypatch.setattr(type(tmp_path), "unlink", read_only)
            raise DataError("no row")

    with pytest.raises(DataError, match="no row"):
        train(tmp_path / "run", Failing())


def test_what_someone_else_put_into_the_folder_is_not_removed(tmp_path):
    class Failing(Callback):
        def on_start(self, trainer):
            (tmp_path / "run" / "mine.txt").write_text("mine")
            raise DataError("no row")

    with pytest.raises(DataError):
        train(tmp_path / "run", Failing())
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("how", ["moved", "replaced", "removed"])
def test_a_folder_that_is_gone_at_the_end_is_made_again_with_all_of_the_run(tmp_path, how):
    class Moving(Callback):
        def on_epoch(self, trainer, row):
            if row["epoch"] != 2:
                return
            if how == "removed":
                shutil.rmtree(tmp_path / "run")
            else:
                os.rename(tmp_path / "run", tmp_path / "elsewhere")
            if how == "replaced":
                (tmp_path / "run").mkdir()
                (tmp_path / "run" / "mine.txt").write_text("mine")

    with pytest.warns(UserWarning, match="was moved or removed during training"):
        run = train(tmp_path / "run", Moving())
    assert run.path == tmp_path / ("run-2" if how == "replaced" else "run")
    again = Run.open(run.path)
    assert len(again.history) == 6 and again.metrics["epochs"] == 6
    assert again.predict(FRAME)[0].height == 60
    if how == "replaced":
        assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


def test_a_second_training_in_the_same_folder_is_refused_before_it_changes_anything(tmp_path):
    (tmp_path / "run").mkdir()
    words = f"is in use: process {os.getpid()} has been training there since"
    with Owner(tmp_path / "run", "training"), pytest.raises(RunError, match=words):
        train(tmp_path / "run")
    assert os.listdir(tmp_path / "run") == []
    assert train(tmp_path / "run").metrics["epochs"] == 6


@pytest.mark.parametrize("resume", [False, True])
def test_what_is_left_of_a_training_that_was_killed_at_its_first_file_is_no_content(
    tmp_path, resume
):
    code = """
import os, sys
from cutaway.files import writing
from cutaway.runs.run_folder import RunFolder
replace, left = os.replace, [int(sys.argv[2])]
def killed(*paths):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
    replace(*paths)
os.replace = killed
RunFolder.begin(sys.argv[1], name="x", config={"a": 1}, preprocessing={})
"""
    for after in (1, 2):  # the manifest, config.json
        command = [sys.executable, "-c", code, tmp_path / f"run{after}", str(after)]
        assert subprocess.run(command, check=False).returncode == -9
        assert os.listdir(tmp_path / f"run{after}")
        run = train(tmp_path / f"run{after}", resume=resume)
        assert [name for name in os.listdir(run.path) if name.startswith(".")] == []


def test_a_kill_while_a_file_is_noted_leaves_nothing_half_written_among_the_notes(tmp_path):
    code = """
import os, sys
from cutaway.runs.own_files import remember
def killed(*_):
    os.kill(os.getpid(), 9)
os.replace = os.fsync = killed
remember(sys.argv[1], anywhere=True)
"""
    (tmp_path / "file").write_text("mine")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "caches")}
    command = [sys.executable, "-c", code, tmp_path / "file"]
    subprocess.run(command, env=environment, check=False)
    assert [path.name[:1] for path in (tmp_path / "caches" / "cutaway" / "written").iterdir()] != [
        "."
    ]


def uses(path):
    """All that a run's files are read for."""
    run = Run.open(path)
    run.evaluate(FRAME)
    return run.predict(FRAME)[0], run.history.rows, run.metrics, run.probes


@pytest.mark.parametrize("name", [*DAMAGE, "weights.safetensors", "manifest.json"])
def test_a_flipped_bit_anywhere_is_named_with_its_file(copied, name):
    path = copied / name
    whole = path.read_bytes()
    before = uses(copied)
    rng = np.random.default_rng(0)
    for bit in rng.integers(0, 8 * len(whole), 12):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            found = uses(copied)
        except RunError as error:
            assert str(path) in str(error)
        else:  # white space of the manifest
            assert name == "manifest.json" and found[0].equals(before[0])


def test_predictions_do_not_need_the_history(copied):
    (copied / "history.csv").write_bytes(b"\xff")
    assert Run.open(copied).predict(FRAME)[0].height == 60


WRONG = [
    b"",
    b"[]",
    b"null",
    b'{"a":' * 5000,
    b'"text"',
    b"{}",
    b"\xff\xfe",
    b'{"format": 3}',
    b'{"format": 3, "kind": "table", "network": 5}',
]


@pytest.mark.parametrize("name", [*DAMAGE, "weights.safetensors"])
@pytest.mark.parametrize("content", WRONG)
def test_content_of_another_form_is_damage_even_with_a_checksum_that_matches(copied, name, content):
    (copied / name).write_bytes(content)
    Manifest(copied).accept([name])
    with pytest.raises(RunError, match=re.escape(name)):
        uses(copied)


def mutations(value, path=()):
    """(path, JSON value) with one place of it changed, dropped or of another type."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield (*path, key), {k: v for k, v in value.items() if k != key}
            for where, changed in mutations(part, (*path, key)):
                yield where, {**value, key: changed}
    elif isinstance(value, list):
        yield path, []
        for i, part in enumerate(value[:3]):
            for where, changed in mutations(part, (*path, i)):
                yield where, [*value[:i], changed, *value[i + 1 :]]
    for wrong in (None, -1, 10**30, 1e30, "text", [], {}, [[1]], True):
        yield path, wrong


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "preprocessing.json"])
def test_any_changed_value_of_a_runs_json_gives_a_run_or_names_the_file(copied, name):
    path = copied / name
    whole = json.loads(path.read_text())
    manifest = Manifest(copied)
    drawn = list(mutations(whole))
    foreign = []
    for where, changed in drawn[:: max(1, len(drawn) // 60)]:
        path.write_text(json.dumps(changed))
        manifest.accept([name])
        try:
            uses(copied)
        except Exception as error:
            is_named = isinstance(error, RunError) and str(copied) in str(error)
            if not is_named and not isinstance(error, OutOfMemoryError):
                foreign.append((where, repr(error)))
    assert foreign == []


def test_a_run_that_another_user_made_leads_to_no_file_without_the_users_word(
    tmp_path, monkeypatch
):
    from cutaway.doctor.sources import experiment_of_run
    from cutaway.runs import own_files
    from cutaway.runs.explain import open_row

    monkeypatch.setattr(own_files, "user_folder", lambda: tmp_path / "mine")
    data = tmp_path / "data.csv"
    FRAME.write_csv(data)
    run = train_table(data, "y", options=QUICK, out=tmp_path / "run")
    shutil.copytree(run.path, tmp_path / "moved")
    assert open_row(Run.open(tmp_path / "moved"))[3] == "data.csv"
    monkeypatch.setattr(own_files, "user_folder", lambda: tmp_path / "theirs")
    for use in (open_row, experiment_of_run):
        opened = Run.open(run.path)
        with pytest.raises(RunError, match=f"not trained by you.*names {re.escape(str(data))}"):
            use(opened)
        opened.trusted = True
        assert use(opened)
    assert open_row(Run.open(run.path), data, 3)[1].shape == (1, 2)
