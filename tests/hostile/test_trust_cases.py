"""Tables and lines of ../shared/cases/data/trust, each by the command that meets it."""

from pathlib import Path

import pytest

from cutaway.cli.app import app
from cutaway.errors import DataError
from cutaway.runs import prepare

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "data" / "trust"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not at {CASES}")


def cutaway(*arguments):
    app(args=[str(a) for a in arguments], prog_name="cutaway", standalone_mode=False)


TABLES = {
    "lone-cr.csv": ("y", "line 3 has 4 cells"),
    "zlib-kinds198.csv.gz": ("y", "not a valid gzip file"),
    "damaged.parquet": ("y", "is not a valid Parquet file"),
    "quoted-separator-header.csv": ("a,x", "the target 'a,x' is constant: 1"),
    "doubled-quote-header.csv": ('say "hi"', "the target 'say \"hi\"' is constant: 1"),
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
