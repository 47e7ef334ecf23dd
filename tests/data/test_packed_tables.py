"""Tables packed by gzip, zip, bzip2, xz, and what is damaged, large or ambiguous in them."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from cutaway.data.cells import holds_table, read_cells
from cutaway.errors import DataError
from cutaway.files.limits import ROOM, set_max_bytes
from cutaway.files.packing import unpack

TEXT = b"a,b\n" + b"1,2\n" * 50
ROWS = [("1", "2")] * 50


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


PACKED = {
    "t.csv.gz": gzip.compress(TEXT),
    "t.csv.bz2": bz2.compress(TEXT),
    "t.csv.xz": lzma.compress(TEXT),
    "t.csv.zip": zipped({"t.csv": TEXT}),
    "t.zip": zipped({"inner/": b"", "inner/t.csv": TEXT, "__MACOSX/inner/._t.csv": b"x"}),
    "misnamed.csv": bz2.compress(TEXT),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_tables_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(PACKED[name])
    assert read_cells(tmp_path / name).frame.rows() == ROWS
    assert holds_table(tmp_path / name)


def test_the_name_inside_says_the_format(tmp_path):
    (tmp_path / "t.zip").write_bytes(zipped({"t.jsonl": b'{"a": 1}\n'}))
    assert read_cells(tmp_path / "t.zip").frame.rows() == [(1,)]
    (tmp_path / "t.tsv.xz").write_bytes(lzma.compress(b"a,b\tc\n1,2\t3\n"))
    assert read_cells(tmp_path / "t.tsv.xz").frame.columns == ["a,b", "c"]
    (tmp_path / "words.txt.gz").write_bytes(gzip.compress(b"once upon a time\nthere was\n"))
    assert not holds_table(tmp_path / "words.txt.gz")


@pytest.mark.parametrize("name", [name for name in PACKED if name.count(".") == 2])
def test_what_is_cut_off_or_of_another_kind_is_named(tmp_path, name):
    kind = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zip": "zip"}[name.rpartition(".")[2]]
    for content in (PACKED[name][: len(PACKED[name]) // 2], b"a,b\n1,2\n"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} cannot be read: not a valid {kind} file"):
            read_cells(tmp_path / name)


def test_an_archive_of_several_files_or_none_is_refused(tmp_path):
    for members, words in (
        ({"a.csv": TEXT, "b.csv": TEXT}, r"holds 2 files: a\.csv, b\.csv"),
        ({}, "holds 0 files"),
    ):
        (tmp_path / "t.zip").write_bytes(zipped(members))
        with pytest.raises(DataError, match=words):
            read_cells(tmp_path / "t.zip")


@pytest.mark.parametrize("ending", ["zip", "bz2", "xz"])
def test_what_unpacks_to_much_is_refused(ending):
    zeros = bytes(ROOM + 2**20)
    pack = {
        "zip": lambda content: zipped({"t.csv": content}),
        "bz2": bz2.compress,
        "xz": lambda content: lzma.compress(content, preset=0),
    }[ending]
    with pytest.raises(DataError, match=rf"bomb\.csv\.{ending} unpacks to much: 129\.0 MiB"):
        unpack(pack(zeros), f"bomb.csv.{ending}")


def test_the_limit_can_be_set(tmp_path):
    set_max_bytes(100)
    try:
        with pytest.raises(DataError, match="unpacks to much"):
            unpack(bz2.compress(TEXT), "t.csv.bz2")
    finally:
        set_max_bytes(None)
