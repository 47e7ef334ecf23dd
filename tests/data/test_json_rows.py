"""Tables in JSON: an object per line, or a list of objects."""

import polars as pl
import pytest

from cutaway.data.cells import read_cells
from cutaway.errors import DataError

LINES = """{"a": 1, "b": "x", "c": {"d": 1.5, "e": {"f": true}}, "g": [1, 2]}

{"a": 2, "b": null, "c": {"d": NaN}, "late": "00501"}
"""


def write(tmp_path, text, name="t.jsonl"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json"])
def test_objects_in_lines(tmp_path, name):
    cells = read_cells(write(tmp_path, LINES, name))
    assert cells.frame.to_dict(as_series=False) == {
        "a": [1, 2],
        "b": ["x", None],
        "c.d": [1.5, None],
        "c.e.f": [True, None],
        "g": ["[1, 2]", None],
        "late": [None, "00501"],
    }
    assert cells.notes == ["g: values of several types, or lists, are read as texts"]


def test_a_list_of_objects(tmp_path):
    cells = read_cells(write(tmp_path, '[{"a": 1, "y": 2.5},\n {"y": 3, "a": 4}]', "t.json"))
    assert cells.frame.rows() == [(1, 2.5), (4, 3.0)]
    assert cells.frame.dtypes == [pl.Int64, pl.Float64]


def test_values_of_several_types_are_texts(tmp_path):
    cells = read_cells(write(tmp_path, '{"a": 1}\n{"a": "x"}\n{"a": 2.5}\n'))
    assert cells.frame["a"].to_list() == ["1", "x", "2.5"] and len(cells.notes) == 1


def test_integers_that_no_64_bits_hold_are_floats(tmp_path):
    frame = read_cells(write(tmp_path, f'{{"a": {2**70}}}\n{{"a": 1}}\n')).frame
    assert frame["a"].to_list() == [2.0**70, 1.0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.jsonl", '{"a": 1}\n\n{"a": }\n', "line 3 is not JSON"),
        ("t.json", '[{"a": 1},\n{"a"]', "line 2 is not JSON"),
        ("t.jsonl", '{"a": 1}\n[2]\n', "row 2 is a list"),
        ("t.jsonl", '"a"\n', "row 1 is a text"),
        ("t.json", "[]", "holds no values"),
        ("t.json", "[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, text, words):
    with pytest.raises(DataError, match=words) as caught:
        read_cells(write(tmp_path, text, name))
    assert name in str(caught.value)
