"""Numbers that no network can compute with, and tables that are wide."""

import sys

import numpy as np
import polars as pl
import pytest

from cutaway.data import ParquetBatches, TablePreprocessing, read_series, read_table, read_ucr
from cutaway.data.columns import find_columns
from cutaway.data.series import Scaling
from cutaway.errors import DataError, OptionError
from cutaway.runs import TableOptions, prepare
from cutaway.runs.options.flags import parse_sizes
from tests.cli.conftest import run_cutaway

WORDS = r"holds 1e\+(39|200), at index \d+[\s\S]*up to 3\.4e\+38, the range of float32"


def table(value) -> pl.DataFrame:
    numbers = np.random.default_rng(0).normal(size=(30, 2))
    numbers[4, 0] = value
    return pl.DataFrame(numbers, ["a", "y"])


@pytest.mark.parametrize("value", [1e39, 1e200])
def test_a_cell_beyond_float32_is_named(tmp_path, value):
    with pytest.raises(DataError, match=f"column 'a' {WORDS}"):
        prepare(table(value), "y", epochs=1)
    with pytest.raises(DataError, match=f"the target 'a' {WORDS}"):
        prepare(table(value), "a", epochs=1)
    fitted = TablePreprocessing.fit(table(0.0), "y")
    with pytest.raises(DataError, match=f"column 'a' {WORDS}"):
        fitted.transform(table(value))
    table(value).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=rf"column 'a' of .*a\.parquet {WORDS}"):
        list(ParquetBatches(tmp_path / "a.parquet", target="y").blocks(0))
    with pytest.raises(DataError, match=f"the column 'a' {WORDS}"):
        read_series(table(value))
    (tmp_path / "a.tsv").write_text(f"1\t2\t3\n2\t1\t{value}\n")
    with pytest.raises(DataError, match=rf"a\.tsv: line 2 {WORDS}"):
        read_ucr(tmp_path / "a.tsv")


def test_a_number_that_only_standardizing_takes_beyond_float32_is_named():
    small = table(0.0).with_columns(a=pl.col("a") * 1e-9)
    fitted = TablePreprocessing.fit(small, "y")
    with pytest.raises(DataError, match=r"the table, standardized as in training, holds 1.*at ind"):
        fitted.transform(table(1e35))
    assert Scaling.fit(np.array([1e38, 3e38])).std == (1e38,)


@pytest.mark.parametrize(
    "option, value, words",
    [
        ("weight_decay", float("inf"), "weight decay is inf"),
        ("weight_decay", float("nan"), "weight decay is nan"),
        ("lr", float("nan"), "learning rate lr is nan"),
        ("lr", float("inf"), "learning rate lr is inf"),
        ("dropout", float("nan"), "dropout is nan"),
        ("epochs", 10**22, "epochs is 10000000000000000000000"),
        ("layers", (10**20,), "a layer size is 100000000000000000000"),
    ],
)
def test_options_that_are_no_finite_numbers_of_32_bits_are_named(option, value, words):
    with pytest.raises(OptionError, match=words):
        TableOptions(**{option: value})


def test_more_steps_than_32_bits_count_are_named():
    with pytest.raises(OptionError, match="number of steps of all epochs is 4000000000"):
        prepare(table(0.0), "y", epochs=2 * 10**9, batch_size=12, layers=()).make_trainer()


def test_sizes_of_layers_are_each_given():
    assert parse_sizes("16, 8") == (16, 8) and parse_sizes("") == parse_sizes(" ") == ()
    for text in ("3,,3", "3,", ",", "3,x", "3 3", "1e3"):
        with pytest.raises(OptionError, match="layer sizes"):
            parse_sizes(text)


def test_an_empty_path_on_the_command_line_is_named(tmp_path):
    for arguments, words in (
        (["train", "--out", ""], "--out is empty"),
        (["train", "--out="], "--out is empty"),
        (["train", ""], "an argument is empty"),
        (["predict", "run", " "], "an argument is empty"),
    ):
        done = run_cutaway(*arguments, folder=tmp_path)
        assert done.returncode == 2 and words in done.stderr, done.stderr
    done = run_cutaway("train", "--layers", "", "--weight-decay", "inf", folder=tmp_path)
    assert done.returncode == 2 and "weight decay is inf" in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())


def calls_of(function) -> int:
    """Calls of functions of Python and of C while it runs: a clock that does not tremble."""
    count = 0

    def counting(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def wide(columns: int) -> str:
    names = ",".join(["y", *(f"c{k}" for k in range(columns))])
    rows = [
        ",".join(
            [
                str(r % 2),
                *("abc"[(k + r) % 3] if k % 9 == 0 else f"{k % 7 + r / 4}" for k in range(columns)),
            ]
        )
        for r in range(6)
    ]
    return "\n".join([names, *rows])


class Counted(list):
    """Names of columns that count how often they are all looked through."""

    looks = 0

    def __contains__(self, name):
        Counted.looks += 1
        return super().__contains__(name)


def test_work_on_a_wide_table_is_linear_in_its_columns(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"

    def work():
        frame = read_table(path)
        find_columns(frame)
        fitted = TablePreprocessing.fit(frame, "y")
        fitted.refit(frame).transform(frame)

    path.write_text(wide(20))
    work()  # imports
    counts = []
    for columns in (200, 400):
        path.write_text(wide(columns))
        counts.append(calls_of(work))
    assert counts[1] < 2.2 * counts[0]
    # asking a frame for one column by its name looks through all of them
    path.write_text(wide(400))
    frame, asked = read_table(path), []
    original = pl.DataFrame.__getitem__
    monkeypatch.setattr(
        pl.DataFrame, "__getitem__", lambda self, key: (asked.append(key), original(self, key))[1]
    )
    properties = pl.DataFrame.columns.fget
    monkeypatch.setattr(pl.DataFrame, "columns", property(lambda self: Counted(properties(self))))
    Counted.looks = 0
    find_columns(frame)
    fitted = TablePreprocessing.fit(frame, "y")
    fitted.refit(frame).transform(frame)
    assert len(asked) + Counted.looks < 20
