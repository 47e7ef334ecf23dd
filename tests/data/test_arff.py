"""ARFF files, with what Weka's documentation allows in them."""

import datetime

import polars as pl
import pytest

from cutaway.data import read_table
from cutaway.data.cells import read_cells
from cutaway.errors import DataError

TEXT = r"""% 1. Title: weather
@RELATION weather

@ATTRIBUTE 'outside temperature' NUMERIC
@attribute humidity	real
@attribute outlook {sunny, 'partly cloudy', "rain"}
@attribute code {0,1}
@attribute note string
@attribute day date "yyyy-MM-dd"
@DATA
% the rows
85, 0.5, sunny, 0, 'it\'s, hot', 2020-01-31
?, 1e-1, 'partly cloudy', 1, ?, ?

70,?,rain,?,"?",'2020-02-01'
{0 3, 2 rain, 4 'a, b', 5 2021-01-01}
"""


def write(tmp_path, text, name="t.arff"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_types_are_those_that_the_file_states(tmp_path):
    cells = read_cells(write(tmp_path, TEXT))
    frame = cells.frame
    assert frame.columns == ["outside temperature", "humidity", "outlook", "code", "note", "day"]
    assert frame["outside temperature"].to_list() == [85, None, 70, 3]
    assert frame["humidity"].to_list() == [0.5, 0.1, None, 0]
    assert frame["outlook"].to_list() == ["sunny", "partly cloudy", "rain", "rain"]
    # sparse rows leave out what is the first level; a class of digits is no number
    assert frame["code"].to_list() == ["0", "1", None, "0"]
    assert frame["note"].to_list() == ["it's, hot", None, "?", "a, b"]
    days = [datetime.datetime(2020, 1, 31), None, datetime.datetime(2020, 2, 1)]
    assert frame["day"].to_list()[:3] == days
    assert (cells.notes, cells.separator) == ([], None)
    assert read_table(tmp_path / "t.arff").equals(frame)


def test_dates_in_the_form_that_is_the_default(tmp_path):
    frame = read_cells(write(tmp_path, "@attribute d date\n@data\n'2020-01-31T13:05:09'\n")).frame
    assert frame["d"].to_list() == [datetime.datetime(2020, 1, 31, 13, 5, 9)]


def test_weights_of_rows_and_repeated_names(tmp_path):
    text = "@attribute a integer\n@attribute a integer\n@data\n1,2,{5}\n3,4\n"
    cells = read_cells(write(tmp_path, text))
    assert cells.frame.columns == ["a", "a 2"] and cells.frame.rows() == [(1, 2), (3, 4)]
    assert cells.frame.dtypes == [pl.Int64] * 2 and len(cells.notes) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@attribute a numeric\n@data\n1\nx\n", "line 4 has 'x' in the column 'a'"),
        ("@attribute a {x,y}\n@data\nx\n\nz\n", "line 5 has 'z' in the column 'a'"),
        ("@attribute a numeric\n@data\n1,2\n", "line 3 has 2 cells"),
        ("@attribute a string\n@data\n'x\n", "line 3 has a quote that is not closed"),
        ("@attribute a numeric\n@data\n{3 1}\n", "line 3 holds '3 1'"),
        ("@attribute a money\n@data\n1\n", "line 1 declares the type 'money'"),
        ("@attribute a {x\n@data\nx\n", "line 1 has no closing"),
        ("@attribute\n@data\nx\n", "line 1 names no attribute"),
        ("@attribute a numeric\n@data\n% none\n", "has no rows below @data"),
        ("@attribute a numeric\n", "has no @data line"),
        ("@data\n1\n", "has no @attribute lines"),
        ("a,b\n1,2\n", "line 1 is 'a,b'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, words):
    with pytest.raises(DataError, match=words) as caught:
        read_cells(write(tmp_path, text))
    assert "t.arff" in str(caught.value)
