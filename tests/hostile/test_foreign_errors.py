"""Whatever a library raises while it reads a file becomes an error that names the file."""

import csv
import gzip
import io
import json
import struct
import zlib

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cutaway.data import (
    Tokenizer,
    WordPiece,
    read_image,
    read_table,
    read_texts,
    read_ucr,
)
from cutaway.errors import DataError, RunError, ShapeError
from cutaway.files.content import naming, naming_source
from cutaway.runs import recognize
from cutaway.weights import read_weights


class PanicException(BaseException):
    """As polars and tokenizers raise it: not an Exception."""


FOREIGN = (
    csv.Error("field larger than field limit"), zlib.error("invalid bit length"),
    struct.error("unpack requires 4 bytes"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    KeyError("x"), TypeError("not subscriptable"), RecursionError("maximum depth"),
    OverflowError("too large"), PanicException("Option::unwrap() on None"), EOFError(),
    Image.DecompressionBombError("bomb"), Image.UnidentifiedImageError("cannot identify"),
    SyntaxError("broken PNG"), np.exceptions.AxisError("axis"), ZeroDivisionError("division"),
    pl.exceptions.ComputeError("parquet"), OSError("I/O"), MemoryError("745 GiB"), Exception("?"),
)  # fmt: skip


@pytest.mark.parametrize("raised", FOREIGN, ids=lambda error: type(error).__name__)
def test_any_foreign_exception_becomes_one_that_names_the_file(raised):
    with (
        pytest.raises(RunError, match=r"a\.npz (cannot be read as an npz|does not fit)") as caught,
        naming("a.npz", "an npz file", error=RunError),
    ):
        raise raised
    assert caught.value.__cause__ is raised


def test_errors_of_cutaway_get_the_name_and_interruptions_pass():
    for came, shown in (("3 axes", "a.npz: 3 axes"), ("a.npz has 3 axes", "a.npz has 3 axes")):
        with pytest.raises(ShapeError) as caught, naming("a.npz", "an npz file"):
            raise ShapeError(came, expected="two", fix="reshape")
        assert (caught.value.came, caught.value.fix) == (shown, "reshape")
    for passing in (KeyboardInterrupt, SystemExit):
        with pytest.raises(passing), naming("a.npz", "an npz file"):
            raise passing
    with pytest.raises(DataError, match=r"a\.npz cannot be read as data: x{190,197}\.\.\.\n"):
        naming_source("data")(lambda source: int("x" * 5, 40) if 0 else _raise("x" * 500))("a.npz")


def _raise(text):
    raise ValueError(text)


def test_carriage_returns_and_quotes_in_a_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,y\n1,x\ry,3\n4,5,6,7\n")
    with pytest.raises(DataError, match=r"a\.csv cannot be read as a table: line 3 has 4 cells"):
        read_table(path)
    path.write_bytes(b"a,b,y\r1,2,3\r4,5,6\r")  # of an old Macintosh
    assert read_table(path).rows() == [(1, 2, 3), (4, 5, 6)]
    path.write_bytes(b'"a,x","b,x",y\n1,2,3\n')
    assert read_table(path).columns == ["a,x", "b,x", "y"]
    path.write_bytes(b'"say ""hi""",b,y\n1,2,3\n')
    assert read_table(path).columns == ['say "hi"', "b", "y"]
    path.write_bytes(b'"' + b"a" * 200_000 + b"\n1\n")
    with pytest.raises(DataError, match=r"a\.csv cannot be read as a table: field larger"):
        read_table(path)


def test_two_columns_of_labeled_lines_with_one_name(tmp_path):
    path = tmp_path / "a.txt"
    lines = [f"{'ab'[k % 2]}\tthis is the message {k} of them" for k in range(40)]
    path.write_text("\n".join(["text\ttext", *lines]))
    found = read_texts(path)
    assert (found.label, found.text, len(found.texts)) == ("label", "text", 40)
    assert recognize(path).kind == "text"


def test_errors_about_what_stands_in_a_table_name_its_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    for reader in (read_texts, lambda path: read_texts(path, text="c")):
        with pytest.raises(DataError, match=r"a\.csv: "):
            reader(path)


def test_a_gzip_file_that_is_damaged_inside(tmp_path):
    packed = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 500, mtime=0))
    for place in range(10, len(packed)):
        for bit in (1, 64):
            damaged = bytearray(packed)
            damaged[place] ^= bit
            (tmp_path / "a.csv.gz").write_bytes(damaged)
            with pytest.raises(DataError, match=r"a\.csv\.gz cannot be read: not a valid gzip"):
                read_table(tmp_path / "a.csv.gz")
            recognizing = pytest.raises(DataError, match=r"a\.csv\.gz cannot be read")
            with recognizing:
                recognize(tmp_path / "a.csv.gz")


def test_a_parquet_file_that_makes_polars_panic_or_ask_for_exabytes(tmp_path):
    """polars ends the process where it believes a damaged size; so the file is checked first."""
    table = pl.DataFrame({"a": [1.5, None, 2.5] * 40, "b": ["x", "y", "z"] * 40})
    path = tmp_path / "a.parquet"
    table.write_parquet(path, compression="uncompressed")
    content = path.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    outcomes = set()
    for place in range(4, len(content) - 8, 2 if len(content) < 3000 else 7):
        damaged = bytearray(content)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            read_table(path)
            outcomes.add("value")
        except DataError as error:
            assert "a.parquet" in str(error)
            outcomes.add("description" if place >= end else "data")
    assert {"description", "data"} <= outcomes


def test_columns_of_a_parquet_file_that_are_nested_deep(tmp_path):
    path = tmp_path / "a.parquet"
    for depth, is_read in ((8, True), (40, False)):
        value, kind = 1, pl.Int64
        for _ in range(depth):
            value, kind = [value], pl.List(kind)
        pl.DataFrame({"a": pl.Series([value], dtype=kind)}).write_parquet(path)
        if is_read:
            assert read_table(path).dtypes == [kind]
        else:
            with pytest.raises(DataError, match=r"a\.parquet .* nested more than 32 deep"):
                read_table(path)


def test_json_on_the_command_line_that_is_nested_deep_is_a_text():
    from cutaway.cli.options import settings

    assert settings(["text=" + "[" * 100_000])["text"].startswith("[[[")


def test_tokenizers_and_vocabularies_that_are_damaged(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"[PAD]\n[UNK]\n\xff\n")
    with pytest.raises(DataError, match=r"vocab\.txt: line 3 is not UTF-8"):
        WordPiece.load(path)
    path.write_text("[PAD]\n")
    with pytest.raises(DataError, match=r"vocab\.txt: this vocabulary has no \[UNK\]"):
        WordPiece.load(path)
    path = tmp_path / "tokenizer.json"
    for content in (b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"", b"{}"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"tokenizer\.json is not a tokenizer"):
            Tokenizer.load(path)
    value = json.loads(Tokenizer.train(["a cat"]).to_json())
    value["model"]["vocab"]["cat"] = 2**31
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"tokenizer\.json .* its largest id is 2,147,483,648"):
        Tokenizer.load(path)


def test_a_tokenizer_that_cannot_encode_is_found_when_it_is_loaded(tmp_path):
    path = tmp_path / "t.json"
    value = json.loads(WordPiece.train(["a cat"], size=40).to_json())
    special = value["post_processor"]["special_tokens"]
    special["[SEP]"]["ids"] = [2**31]
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"t\.json: this tokenizer has .* by the id 2,147,483,648"):
        WordPiece.load(path)
    special.pop("[SEP]")  # at which the library panics
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"t\.json is not a tokenizer"):
        Tokenizer.load(path)
    value = json.loads(Tokenizer.train(["a cat"]).to_json())
    value["padding"] = {
        "strategy": {"Fixed": 10**6}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>",
    }  # fmt: skip
    path.write_text(json.dumps(value))
    assert Tokenizer.load(path).encode(["a cat", "cat"]).lengths.tolist() == [2, 1]


def replaced(old, new):
    return {"type": "Replace", "pattern": {"String": old}, "content": new}


def template(count):
    part = {"Sequence": {"id": "A", "type_id": 0}}
    both = [part, {"Sequence": {"id": "B", "type_id": 1}}]
    made = {"type": "TemplateProcessing", "single": [part] * count, "pair": both}
    return made | {"special_tokens": {}}


def cutting(most, stride):
    """Truncation: most tokens, and those that pieces have in common."""
    made = {"direction": "Right", "max_length": most, "strategy": "LongestFirst"}
    return made | {"stride": stride}


EXPLODING = {  # parts of a tokenizer.json by which the library ends the process, or panics
    "doubled 40 times": {
        "normalizer": {"type": "Sequence", "normalizers": [replaced("a", "aa")] * 40}
    },
    "made long": {"normalizer": replaced("a", "a" * 10**5)},
    "put in front": {"normalizer": {"type": "Prepend", "prepend": "a" * 10**5}},
    "between all letters": {"normalizer": replaced("", "x" * 10**5)},
    "doubled in templates": {
        "post_processor": {"type": "Sequence", "processors": [template(2)] * 40}
    },
    "doubled when decoded": {
        "decoder": {"type": "Sequence", "decoders": [replaced("a", "aa")] * 40}
    },
    "long table": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="}},
    "empty table": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8="}},
    "cut to none": {"truncation": cutting(0, 0)},
    "cut with a stride": {"truncation": cutting(2, 5)},
    "pieces of no letter": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    "large ids": {
        "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "a": 2**31 - 10}}
    },
    "stripped beyond its end": {
        "decoder": {"type": "Strip", "content": "a", "start": 2**60, "stop": 2**60}
    },
}


@pytest.mark.parametrize("name", EXPLODING)
def test_a_tokenizer_that_explodes_or_panics_is_refused_and_prints_nothing(tmp_path, capfd, name):
    path = tmp_path / "t.json"
    model = {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1}, "unk_token": "<unk>"}
    plain = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": []}
    plain |= {"normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None}
    plain |= {"decoder": None, "model": model}
    path.write_text(json.dumps(plain))
    Tokenizer.load(path)
    path.write_text(json.dumps(plain | EXPLODING[name]))
    with pytest.raises(DataError, match=r"t\.json is not a tokenizer|the tokenizer cannot decode"):
        tokenizer = Tokenizer.load(path)
        tokenizer.decode([1])
    assert capfd.readouterr().err == ""


def test_a_flipped_bit_in_a_page_of_parquet_with_checksums_is_always_noticed(tmp_path):
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    table = pl.DataFrame({"a": [1.5, None, 2.5] * 40, "b": ["x", "y", "z"] * 40})
    for version in ("1.0", "2.0"):
        pyarrow.parquet.write_table(
            table.to_arrow(), path, write_page_checksum=True, data_page_version=version
        )
        assert read_table(path).equals(table)
        content = path.read_bytes()
        end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        for place in range(4, end, 3):
            damaged = bytearray(content)
            damaged[place] ^= 0x10
            path.write_bytes(damaged)
            try:
                # what is left are fields of headers of pages that nobody reads (statistics)
                assert read_table(path).equals(table)
            except DataError as error:
                assert "a.parquet" in str(error)


def test_ids_of_a_tokenizer_with_gaps_are_all_below_its_size(tmp_path):
    value = json.loads(Tokenizer.train(["a cat"]).to_json())
    value["model"]["vocab"]["cat"] = 70
    (tmp_path / "t.json").write_text(json.dumps(value))
    tokenizer = Tokenizer.load(tmp_path / "t.json")
    assert tokenizer.encode(["cat"]).ids.tolist() == [[70]] and tokenizer.size == 71


def test_a_picture_of_a_format_that_runs_other_programs_is_not_opened(tmp_path, monkeypatch):
    from PIL import EpsImagePlugin

    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    ran = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: ran.append(a))
    with pytest.raises(DataError, match=r"a\.jpg cannot be read as an image: unknown image format"):
        read_image(tmp_path / "a.jpg")
    assert not ran


def test_broken_chunks_of_a_picture(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    content = file.getvalue()
    for name in (b"IHDR", b"IDAT"):
        at = content.index(name)
        (tmp_path / "a.png").write_bytes(content[:at] + b"\0\0\0\0" + content[at + 4 :])
        with pytest.raises(DataError, match=r"a\.png cannot be read as an image"):
            read_image(tmp_path / "a.png")


def test_labeled_series_that_are_not_text(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"1\t2\n\xff\t2\n")
    with pytest.raises(DataError, match=r"a\.tsv: line 2 is not UTF-8"):
        read_ucr(tmp_path / "a.tsv")


def test_weights_under_a_wrong_suffix(tmp_path):
    for name in ("a.safetensors", "a.pth"):
        for content in (b"", b"\0" * 50, b"PK\3\4" + b"\0" * 90, b"\xff" * 16, b"{}"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(RunError, match=name):
                read_weights(tmp_path / name)
