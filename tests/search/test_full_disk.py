"""A full disk ends a search in words, and what it has found stays; with room it goes on."""

import errno
import os
import sqlite3

import pytest

import cutaway as ct
from cutaway.errors import RunError
from cutaway.files import writing
from cutaway.search import trial as trials_module
from cutaway.search.study import Study

SMALL = {"kind": "table", "epochs": 2, "layers": (4,)}


def values(found):
    return found.trials.select("trial", "state", "value", "lr").rows()


@pytest.mark.slow
def test_a_full_disk_fails_no_trial_and_the_search_goes_on_later(points, tmp_path, monkeypatch):
    train = trials_module._train

    def full(base, study, trial, drawn, path, log):
        if path.name == "002":
            raise RunError(f"{path} cannot be written: No space left on device")
        return train(base, study, trial, drawn, path, log)

    monkeypatch.setattr(trials_module, "_train", full)
    with pytest.raises(RunError, match="No space left on device"):
        ct.tune(points, "where", trials=2, out=tmp_path / "t", **SMALL)
    monkeypatch.undo()
    found = ct.tune(points, "where", trials=2, out=tmp_path / "t", **SMALL)
    whole = ct.tune(points, "where", trials=2, out=tmp_path / "whole", **SMALL)
    assert values(found) == values(whole)
    assert found.trials["state"].to_list() == ["complete", "complete"]

    flush = writing._flush

    def full_at_the_end(path):
        if ".new" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    monkeypatch.setattr(writing, "_flush", full_at_the_end)
    with pytest.raises(RunError, match=r"kB were needed, .* MB are free in .*default\.new"):
        ct.tune(points, "where", trials=2, out=tmp_path / "t", **SMALL)
    assert sorted(os.listdir(tmp_path / "t")) == sorted(os.listdir(tmp_path / "whole"))


def test_what_sqlite_says_of_a_full_disk_names_the_database(tmp_path, monkeypatch):
    path = tmp_path / "study.db"
    study = Study(path, {}, higher_is_better=False, epochs=2, seed=0)

    def full(*_, **__):
        raise RuntimeError("in a commit") from sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(study._study, "ask", full)
    with pytest.raises(RunError) as caught:
        study.ask(0)
    assert f"{path} cannot be read or written: database or disk is full: " in caught.value.came
    assert f"MB are free in {tmp_path}" in caught.value.came
