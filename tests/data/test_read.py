import gzip

import numpy as np
import pandas as pd
import polars as pl
import pytest

from cutaway.data import read_idx, read_table
from cutaway.errors import DataError


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(tmp_path, separator):
    text = separator.join(["a", "b", "c d"]) + "\n" + separator.join(["1", "x", "2.5"]) + "\n"
    frame = read_table(write(tmp_path / "t.csv", text))
    assert frame.rows() == [(1, "x", 2.5)] and frame.columns == ["a", "b", "c d"]


def test_quoted_numbers_are_numbers_and_quoted_separators_are_text(tmp_path):
    frame = read_table(write(tmp_path / "t.csv", 'a;"b"\n"5";"x;y"\n"7";"z"\n'))
    assert frame.rows() == [(5, "x;y"), (7, "z")]


def test_text_far_down_makes_a_text_column(tmp_path):
    rows = ["1"] * 5000 + ["many"]
    frame = read_table(write(tmp_path / "t.csv", "a\n" + "\n".join(rows) + "\n"))
    assert frame["a"].dtype == pl.String and frame["a"][-1] == "many"


def test_missing_values_bom_line_ends_and_blanks(tmp_path):
    text = b"\xef\xbb\xbf a , b \r\n1,?\r\n,NA\r\n 3 , x \r\nNaN,null\r\n"
    frame = read_table(write(tmp_path / "t.csv", text))
    assert frame.columns == ["a", "b"]
    assert frame["a"].to_list() == [1, None, 3, None]
    assert frame["b"].to_list() == [None, "NA", "x", None]  # NA may be a class


def test_booleans_and_decimals(tmp_path):
    frame = read_table(write(tmp_path / "t.csv", "a,b\ntrue,1\nFalse,2.5\n"))
    assert frame["a"].to_list() == [True, False] and frame["b"].to_list() == [1.0, 2.5]


@pytest.mark.parametrize("kind", ["csv", "parquet", "csv.gz", "polars", "lazy", "pandas", "dict"])
def test_all_sources_give_the_same_table(tmp_path, kind):
    data = {"n": [1, 2, 3], "x": [0.5, 1.5, -2.0], "t": ["a", "b", "a"]}
    frame = pl.DataFrame(data)
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        frame.write_csv(path)
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(frame.write_csv().encode()))
    elif kind == "parquet":
        frame.write_parquet(path)
    source = {
        "polars": frame,
        "lazy": frame.lazy(),
        "pandas": pd.DataFrame(data),
        "dict": data,
    }.get(kind, path)
    assert read_table(source).rows() == frame.rows()


def test_real_tables_are_read_whole(shared_data):
    for file, shape, nulls in (
        ("titanic/titanic.csv", (891, 12), 177 + 687 + 2),
        ("student_performance/student-mat.csv", (395, 33), 0),
        ("iris/iris.csv", (150, 5), 0),
    ):
        frame = read_table(shared_data / file)
        assert frame.shape == shape
        assert sum(frame.null_count().row(0)) == nulls
    grades = read_table(shared_data / "student_performance/student-mat.csv")
    assert grades["G1"].dtype == pl.Int64  # quoted in the file
    assert grades["G3"].mean() == pytest.approx(10.415, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", "", "is empty"),
        ("blank.csv", "\n\n", "is empty"),
        ("header.csv", "a,b\n", "has a header and no rows"),
        ("ragged.csv", "a,b\n1,2\n3,4,5\n", "line 3 has 3 cells"),
        ("bytes.csv", b"a,b\n1,2\nx,\0\xff\n", "line 3 is not UTF-8"),
        ("table.doc", "a", "has an unknown file format"),
        ("table.xlsx", "a", "is no spreadsheet: it starts with 61"),
        ("broken.parquet", b"PAR1 not really", "not a valid Parquet file"),
        ("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:30], "not a valid gzip file"),
    ],
)
def test_files_that_are_no_tables_are_named(tmp_path, name, content, words):
    with pytest.raises(DataError, match=words) as caught:
        read_table(write(tmp_path / name, content))
    assert name in str(caught.value)


def test_a_missing_file_suggests_a_near_one(tmp_path):
    write(tmp_path / "students.csv", "a\n1\n")
    with pytest.raises(DataError, match=r'did you mean "students.csv"'):
        read_table(tmp_path / "studnets.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)


def test_what_is_no_table_is_named():
    with pytest.raises(DataError, match="the table is a int"):
        read_table(5)
    with pytest.raises(DataError, match="0 rows and 1 columns"):
        read_table({"a": []})


def test_mnist_is_read(shared_data):
    images = read_idx(shared_data / "mnist/t10k-images-idx3-ubyte.gz")
    labels = read_idx(shared_data / "mnist/t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10_000, 28, 28) and labels.shape == (10_000,)
    assert images.mean() == pytest.approx(33.7912, abs=1e-4)  # as published
    assert np.bincount(labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


def test_idx_of_other_types_and_broken_ones(tmp_path):
    path = tmp_path / "x.idx"
    values = np.array([[1, -2], [300, 4]], ">i4")
    header = bytes([0, 0, 0x0C, 2]) + np.array([2, 2], ">u4").tobytes()
    path.write_bytes(header + values.tobytes())
    np.testing.assert_array_equal(read_idx(path), values)
    for content, words in (
        (header + values.tobytes()[:-1], "has 27 bytes"),
        (b"PK\3\4", "is not an IDX file"),
        (b"", "is not an IDX file"),
        (b"\x1f\x8b123", "cannot be read"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            read_idx(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "none")
