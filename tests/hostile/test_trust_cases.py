"""The cases of ../shared/cases/data/trust, each by the command that meets it."""

import json
import shutil
from pathlib import Path

import pytest

from cutaway.cli.app import app
from cutaway.errors import CutawayError, DataError, RunError
from cutaway.runs import prepare
from cutaway.runs.run_folder import FORMAT, RunFolder
from tests.hostile.run_samples import write_runs

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "data" / "trust"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not at {CASES}")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    write_runs(folder)
    return folder


def cutaway(*arguments):
    app(args=[str(a) for a in arguments], prog_name="cutaway", standalone_mode=False)


TABLES = {
    "lone-cr.csv": ("y", "line 3 has 4 cells"),
    "zlib-kinds198.csv.gz": ("y", "not a valid gzip file"),
    "damaged.parquet": ("y", "is not a valid Parquet file"),
    "quoted-separator-header.csv": ("a,x", "the target 'a,x' has only one class, 1"),
    "doubled-quote-header.csv": ('say "hi"', "the target 'say \"hi\"' has only one class, 1"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_or_an_error_says_what_is_wrong(tmp_path, name):
    target, words = TABLES[name]
    with pytest.raises(DataError) as caught:
        cutaway("train", CASES / name, "--target", target, "--out", tmp_path / "run")
    assert words in str(caught.value)
    assert name in str(caught.value) or "header" in name  # those are read, and have one row
    assert not (tmp_path / "run").exists()


def test_labeled_lines_of_columns_with_one_name_are_read():
    prepared = prepare(CASES / "labelled-same-names.txt")
    assert prepared.kind == "text" and len(prepared.frame) == 12


FILES = {
    "tiff-130bytes-1.3GB.tif": ("images", "a", "an image of 1 x 67,108,884 pixels: 256.0 MiB"),
    "rate-4294967295.wav": ("recordings", "low", "resampling from 4,294,967,295"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_declared_size_is_refused_by_a_limit_that_is_said(tmp_path, kinds, name):
    kind, label, words = FILES[name]
    shutil.copytree(kinds / "data" / kind, tmp_path / "data")
    shutil.copy(CASES / name, tmp_path / "data" / label)
    run = kinds / "runs" / kind
    for command in (("train", tmp_path / "data"), ("predict", run, CASES / name)):
        with pytest.raises(DataError) as caught:
            cutaway(*command)
        text = str(caught.value)
        assert name in text and words in text and "at most 128.0 MiB (for a small file)" in text
        assert "raise the limit: --max-bytes" in text
        assert ("--skip-unreadable 1" in text) is (command[0] == "train")


ARTIFACTS = [*sorted(p.name for p in CASES.glob("run-*.json")), "zero2.safetensors"]


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_file_in_the_place_of_a_runs_is_named_as_damaged(tmp_path, kinds, name):
    run, data = tmp_path / "run", kinds / "data" / "table" / "data.csv"
    shutil.copytree(kinds / "runs" / "table", run)
    file = "weights.safetensors" if "zero2" in name else f"{name.split('-')[1]}.json"
    content = (CASES / name).read_bytes()
    if file == "config.json":  # of an earlier format, which is refused as such
        content = json.dumps({**json.loads(content), "format": FORMAT}).encode()
    (run / file).write_bytes(content)
    RunFolder(run).accept([file])
    for command in (("predict", run, data), ("evaluate", run, data), ("summary", run)):
        with pytest.raises(RunError) as caught:
            cutaway(*command)
        assert str(run / file) in str(caught.value)
        assert "is damaged" in str(caught.value) or "is corrupted" in str(caught.value)


def test_a_damaged_history_is_named_and_predictions_do_not_need_it(tmp_path, kinds, capsys):
    from cutaway.runs import Run

    run, data = tmp_path / "run", kinds / "data" / "table" / "data.csv"
    shutil.copytree(kinds / "runs" / "table", run)
    (name,) = CASES.glob("run-history-*.csv")
    shutil.copy(name, run / "history.csv")
    RunFolder(run).accept(["history.csv"])
    cutaway("predict", run, data)
    assert capsys.readouterr().out.count("\n") == 41
    with pytest.raises(CutawayError, match=r"history\.csv of this run is damaged"):
        Run.open(run).history  # noqa: B018
