"""Kinds of data are found by being there, and say of themselves what others ask."""

import dataclasses
import subprocess
import sys

import pytest

from cutaway.errors import DataError, OptionError, RunError
from cutaway.runs import KINDS, prepare, recognize
from cutaway.runs.kinds.contract import AT_FIRST, CERTAIN, DataKind, Sign
from cutaway.runs.kinds.data_source import DataSource
from cutaway.runs.networks import build_network
from cutaway.runs.recognition import kind_of_run


class Notes(DataKind):
    """Files that start with NOTE."""

    name = "notes"
    title = "notes"

    def __init__(self, strength=1.0, problem=None):
        self.sign = Sign("the file starts with NOTE", strength, problem)

    def recognize(self, source):
        return self.sign if source.begins_with(4) == b"NOTE" else None


@pytest.fixture
def note(tmp_path):
    (tmp_path / "a.csv").write_text("NOTE,b\n1,2\n3,4\n")
    return tmp_path / "a.csv"


def test_kinds_stand_in_their_place_and_new_ones_behind():
    assert list(KINDS)[:7] == [
        "table",
        "images",
        "text",
        "language",
        "series",
        "time-series-classification",
        "recordings",
    ]


def test_kinds_are_quick_to_import():
    code = "import sys, cutaway.cli.app; print(set(sys.modules) & {'numpy', 'jax', 'polars'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_a_kind_that_is_asked_first_comes_before_any_table(note, monkeypatch):
    assert recognize(note).kind == "table"
    monkeypatch.setitem(KINDS, "notes", Notes())
    found = recognize(note)
    assert (found.kind, found.reason) == ("notes", "the file starts with NOTE")


def test_the_strongest_sign_counts_and_may_be_a_problem(note, monkeypatch):
    monkeypatch.setitem(KINDS, "notes", Notes())
    monkeypatch.setitem(KINDS, "other", Notes(strength=2.0))
    assert recognize(note).kind == "other"
    monkeypatch.setitem(KINDS, "third", Notes(CERTAIN, DataError("these notes are too old")))
    with pytest.raises(DataError, match="too old"):
        recognize(note)


def test_frames_are_tables_and_files_of_no_kind_are_refused(tmp_path, monkeypatch):
    assert recognize({"a": [1, 2]}).kind == "table"
    monkeypatch.setattr(type(KINDS["language"]), "recognize", lambda self, source: None)
    (tmp_path / "a.bin").write_bytes(b"\0\1")
    with pytest.raises(DataError, match=r"a\.bin is no data of a known kind\n  expected: a table"):
        recognize(tmp_path / "a.bin")


def test_a_target_goes_where_the_kind_wants_it(note, monkeypatch):
    with pytest.raises(OptionError, match=r"'b' was given, but .* holds a plain text, not a"):
        prepare(note, "b", kind="language")
    seen = {}

    class Dated(Notes):
        options = dataclasses.make_dataclass("Options", [("column", str)])
        target_option = "column"
        network = "a ruler"

        def prepare(self, data, target, options, *, why):
            seen.update(target=target, column=options.column, why=why)

    monkeypatch.setitem(KINDS, "notes", Dated())
    prepare(note, "b")
    why = "Detected as notes: the file starts with NOTE. Network: a ruler."
    assert seen == {"target": None, "column": "b", "why": why}
    prepare(note, "b", kind="notes")
    assert seen["why"] == "Network: a ruler."
    with pytest.raises(
        OptionError, match=r"model for notes\n.*one of labeled images, labeled texts"
    ):
        prepare(note, kind="notes", from_="resnet50")


def test_what_a_run_names_and_is_not_there_is_named():
    with pytest.raises(RunError, match="here is a run of the unknown kind 'sound'"):
        kind_of_run("sound", "here")
    with pytest.raises(RunError, match="no kind of data has a network 'perceptron'"):
        build_network({"model": "perceptron"})


def test_a_kind_without_baselines_is_not_compared():
    compared = {name for name, kind in KINDS.items() if kind.is_compared}
    assert compared >= {"table", "images", "text", "time-series-classification", "recordings"}
    assert not compared & {"language", "series"}
    assert Notes().baselines(None) == {} and Notes.asked == AT_FIRST


def test_a_source_is_read_once_however_many_ask(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    source = DataSource(str(tmp_path / "a.csv"))
    assert source.is_table and source.folder is None and source.begins_with(2) == b"a,"
    assert source.frame is source.frame and [c.name for c in source.columns] == ["a", "b"]
    assert DataSource(tmp_path).files((".csv",)) == [tmp_path / "a.csv"]
    frame = DataSource(source.frame)
    assert frame.path is None and not frame.is_table and frame.begins_with(2) == b""
