"""Spreadsheets. Without fastexcel, an extra, only the error that names it is tested."""

import datetime
import importlib.util
import sys

import polars as pl
import pytest

from cutaway.data import read_table
from cutaway.data.cells import read_cells
from cutaway.errors import DataError
from tests.data.spreadsheets import Day, ods, xlsx

installed = pytest.mark.skipif(
    importlib.util.find_spec("fastexcel") is None, reason="fastexcel is not installed"
)
ROWS = [
    ["name", "n", "n", "x", "day", "time", "ok", "mixed"],
    ["Bob", 1, 2, 0.5, Day(43831), Day(43831), True, 1],
    ["Al", 3, None, 1.5, Day(43832), Day(43832.5), False, "n/a"],
    ["Cy", 4, 5, 2, Day(43833), Day(43833), True, 2.5],
]


def write(tmp_path, content, name="t.xlsx"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@installed
def test_cells_have_the_types_of_the_sheet(tmp_path):
    cells = read_cells(write(tmp_path, xlsx({"S": ROWS})))
    frame = cells.frame
    assert frame.columns == ["name", "n", "n 2", "x", "day", "time", "ok", "mixed"]
    assert frame["n"].dtype == pl.Int64 and frame["n 2"].to_list() == [2, None, 5]
    assert frame["x"].to_list() == [0.5, 1.5, 2.0]
    assert frame["day"].to_list() == [datetime.date(2020, 1, day) for day in (1, 2, 3)]
    assert frame["time"][1] == datetime.datetime(2020, 1, 2, 12)
    assert frame["ok"].to_list() == [True, False, True]
    # fastexcel would leave out the text among numbers
    assert frame["mixed"].to_list() == ["1", "n/a", "2.5"]
    assert read_table(tmp_path / "t.xlsx")["mixed"].to_list() == [1.0, None, 2.5]
    assert len(cells.notes) == 1 and "'n'" in cells.notes[0]


@installed
def test_titles_blank_rows_and_other_sheets(tmp_path):
    sheet = [[], ["Report of 2020"], [], ROWS[0], ROWS[1], [], *ROWS[2:]]
    cells = read_cells(write(tmp_path, xlsx({"A": sheet, "B": [["z"], [1]], "C": []})))
    plain = read_cells(write(tmp_path, xlsx({"S": ROWS}), "plain.xlsx"))
    assert cells.frame.equals(plain.frame)
    assert cells.notes[0] == "read the sheet 'A'; there are also 'B', 'C'"
    assert cells.notes[1] == "the line 'Report of 2020' above the header is read as a title"


@installed
def test_a_sheet_without_a_header(tmp_path):
    path = write(tmp_path, xlsx({"S": [[1, "x", 3], [2, "x", 5], [2, "y", 5]]}))
    assert read_cells(path).frame.columns == ["column 1", "column 2", "column 3"]
    assert read_cells(path, header=True).frame.rows() == [(2, "x", 5), (2, "y", 5)]


@installed
def test_open_documents_and_files_with_the_wrong_name(tmp_path):
    rows = [["a", "b"], [1, "x"], [2.5, "y"]]
    for name, content in (("t.ods", ods(rows)), ("t.csv", xlsx({"S": rows}))):
        cells = read_cells(write(tmp_path, content, name))
        assert cells.frame.rows() == [(1.0, "x"), (2.5, "y")]
        assert cells.separator is None


def test_a_text_with_the_name_of_a_spreadsheet_is_read_as_text(tmp_path):
    cells = read_cells(write(tmp_path, b"a\tb\n1\t2\n3\t4\n", "export.xls"))
    assert cells.frame.rows() == [("1", "2"), ("3", "4")]
    assert "the file is a text" in cells.notes[0]


@installed
@pytest.mark.parametrize(
    ("sheets", "words"),
    [
        ({"S": [["a", "b"]]}, "has a header and no rows in the sheet 'S'"),
        ({"S": []}, "has no rows"),
    ],
)
def test_sheets_without_rows(tmp_path, sheets, words):
    with pytest.raises(DataError, match=words):
        read_cells(write(tmp_path, xlsx(sheets)))


def test_damaged_spreadsheets_are_named(tmp_path):
    content = xlsx({"S": ROWS})
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0x55
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    cases = [("t.xlsx", content[:-30]), ("t.xlsx", bytes(flipped)), ("t.xlsx", b"nothing")]
    cases += [("t.xls", old)] if importlib.util.find_spec("fastexcel") else []
    for name, damaged in cases:
        with pytest.raises(DataError, match=rf"{name} (is|cannot be read as) "):
            read_cells(write(tmp_path, damaged, name))


def test_the_error_without_fastexcel_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(DataError, match=r"t\.xlsx is a spreadsheet[\s\S]*pip install") as caught:
        read_cells(write(tmp_path, xlsx({"S": ROWS})))
    assert "[excel]" in str(caught.value)
