"""Parquet files: their structure is checked before polars reads them.

polars believes what a file says of itself: damaged numbers make it ask for exabytes, which ends the
process. The structure is written in Thrift's compact protocol; what is needed of it is read here.

References:
    Apache Parquet 2.11, "File format" and parquet.thrift; Apache Thrift, "Compact protocol".
"""

import contextlib
import io
import os
import zlib
from pathlib import Path
from typing import Any, NoReturn

from cutaway.errors import DataError
from cutaway.files.content import naming, readable
from cutaway.files.limits import expect_columns, expect_unpacked
from cutaway.files.panics import silent_panics

PARQUET = b"PAR1"  # how a file begins and ends
HEADER_BYTES = 2**16  # of a page, at most: it may hold the least and the greatest value
DEPTH = 32  # of nested structures
# bytes of a value in memory, by physical type: boolean, int32, int64, int96, float, double, text
WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8, 6: 16, 7: 16}
UNCOMPRESSED = 0
REPEATED = 2
SLACK = 100  # bytes that some writers leave out of the size of a column (PARQUET-816)
DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = range(4)


def read_parquet(path, content: bytes | None = None):
    """The table in a Parquet file as a polars frame.

    Args:
        path: of the file; its name is no pattern.
        content: of the file, if it has been read already.

    Raises:
        DataError: no such file, damaged, or larger than the limit.
    """
    import polars as pl

    expect_parquet(path, content)
    with naming(path, "a Parquet file", fix="write or copy it again"), silent_panics():
        if content is not None:
            return pl.read_parquet(io.BytesIO(content))
        with scannable(path) as source:
            return pl.read_parquet(source, glob=False, hive_partitioning=False)


@contextlib.contextmanager
def scannable(path):
    """What polars takes for the file of exactly this name: an absolute path, or an open file.

    A relative path could begin with ~ or a scheme; a name that is not UTF-8 cannot be given.
    """
    text = os.path.abspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        with open(path, "rb") as file:
            yield file
    else:
        yield text


def expect_parquet(path, content: bytes | None = None, *, is_whole: bool = True) -> None:
    """Raise DataError unless the structure of a Parquet file is sound, and within the limits.

    Every size in it lies inside the file, numbers of values add up to numbers of rows, and what
    it unpacks to is below the limit.

    Args:
        path: of the file.
        content: of the file, if it has been read already.
        is_whole: whether the whole table is to be in memory, or only parts of it at a time.
    """
    path = Path(path)
    if content is not None:
        _check(path, io.BytesIO(content), len(content), is_whole)
        return
    with readable(path) as file:
        _check(path, file, os.fstat(file.fileno()).st_size, is_whole)


def _check(path, file, size: int, is_whole: bool) -> None:
    begin = file.read(4)
    if size < 12 or begin != PARQUET:
        _damaged(path, f"it starts with {begin.hex(' ') or 'nothing'}")
    file.seek(size - 8)
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != PARQUET or length > size - 12:
        _damaged(path, "its end is missing")
    file.seek(size - 8 - length)
    try:
        footer = _Compact(file.read(length)).structure()
        _check_footer(path, footer, size, is_whole)
        is_flat = all(
            element.get(3) != REPEATED and not element.get(5) for element in footer[2][1:]
        )
        unpacked = 0
        for group in footer[4]:
            rows = group[3] if is_flat else None
            found = [
                _check_pages(path, file, chunk[3], rows, size - 8 - length, sums=is_whole)
                for chunk in group[1]
            ]
            unpacked = sum(found) + (unpacked if is_whole else 0)
            expect_unpacked(unpacked, size, f"{path} unpacks to much")
    except DataError:
        raise
    # what is missing, cut off, or of another type than the format says
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _error(path, "its description is damaged") from error


def _check_footer(path, footer, size: int, is_whole: bool) -> None:
    rows, groups, schema = footer[3], footer[4], footer[2]
    leaves = [element for element in schema if not element.get(5)]
    if _depth_of(schema) > DEPTH:
        _damaged(path, f"its columns are nested more than {DEPTH} deep")
    expect_columns(len(leaves), path)
    counts = [group[3] for group in groups]
    if rows != sum(counts) or min(counts, default=0) < 0:
        _damaged(path, f"it declares {rows:,} rows, and other numbers in its parts")
    for group in groups:
        if len(group[1]) != len(leaves):
            _damaged(path, f"{len(group[1])} columns in a part of {len(leaves)} columns")
    wide = sum(WIDTHS.get(leaf.get(1), 16) for leaf in leaves)
    unpacked = [sum(chunk[3][6] for chunk in group[1]) for group in groups]
    came = f"{path} declares {rows:,} rows"
    if is_whole:
        expect_unpacked(max(rows * wide, sum(unpacked)), size, came)
    else:
        most = max(counts, default=0)
        expect_unpacked(max(most * wide, *unpacked, 0), size, f"{came}, {most:,} in one part")


def _depth_of(schema) -> int:
    """Levels of the tree that the schema lists parent first; polars descends it by recursion."""
    left, deepest = [], 0  # children still to come, of each open element
    for element in schema:
        while left and left[-1] == 0:
            left.pop()
        if left:
            left[-1] -= 1
        left.append(element.get(5) or 0)
        deepest = max(deepest, len(left))
    return deepest


def _check_pages(path, file, chunk, rows: int | None, end: int, *, sums: bool) -> int:
    """Check the pages of one column in one part of the rows; the bytes they unpack to.

    Args:
        rows: values that it must have; None if it is nested.
        end: of the columns in the file.
        sums: whether the checksums of the pages are verified, where they have some.
    """
    starts = [chunk[9], *([chunk[11]] if chunk.get(11) else [])]
    at, stop = min(starts), min(starts) + chunk[7]
    if at < 4 or stop > end or chunk[7] < 0:
        _damaged(path, "a column lies outside of it")
    stop = min(stop + SLACK, end)
    values, unpacked = 0, 0
    while at < stop and values < chunk[5]:
        file.seek(at)
        reader = _Compact(file.read(min(HEADER_BYTES, stop - at)))
        page = reader.structure()
        kind, whole, packed = page[1], page[2], page[3]
        at += reader.at + packed
        unpacked += reader.at + whole
        if packed < 0 or whole < 0 or at > stop:
            _damaged(path, "a page lies outside of its column")
        if chunk[4] == UNCOMPRESSED and whole != packed:
            _damaged(path, "a page has two sizes")
        if sums and page.get(4) is not None:  # polars does not look at them
            file.seek(at - packed)
            if zlib.crc32(file.read(packed)) != page[4] % 2**32:
                _damaged(path, "the checksum of a page does not match")
        if kind == DICTIONARY_PAGE:
            if not 0 <= page[7][1] <= max(whole * 8, 8):
                _damaged(path, f"a dictionary of {page[7][1]:,} values in {whole:,} bytes")
        elif kind in (DATA_PAGE, DATA_PAGE_V2):
            header = page[5] if kind == DATA_PAGE else page[8]
            if header[1] < 0:
                _damaged(path, f"a page of {header[1]:,} values")
            if kind == DATA_PAGE_V2 and not 0 <= header[5] + header[6] <= whole:
                _damaged(path, "the levels of a page are longer than the page")
            values += header[1]
        elif kind != INDEX_PAGE:
            _damaged(path, f"a page of the unknown kind {kind}")
    if values != chunk[5]:
        _damaged(path, f"{values:,} of {chunk[5]:,} values in a column")
    if rows is not None and values != rows:
        _damaged(path, f"a column of {values:,} values in {rows:,} rows")
    return unpacked


def _error(path, why: str) -> DataError:
    return DataError(
        f"{path} is not a valid Parquet file: {why}",
        expected="a complete Parquet file",
        fix="write or copy it again",
    )


def _damaged(path, why: str) -> NoReturn:
    raise _error(path, why)


class _Compact:
    """Structures of Thrift's compact protocol as {number of the field: value}."""

    def __init__(self, content: bytes):
        self.content = content
        self.at = 0

    def structure(self, depth: int = DEPTH) -> dict[int, Any]:
        found, number = {}, 0
        while True:
            byte = self._byte()
            kind, delta = byte & 15, byte >> 4
            if kind == 0:
                return found
            number = number + delta if delta else self._signed()
            # the value of a boolean field stands in its kind
            found[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth - 1)

    def _value(self, kind: int, depth: int):
        if depth < 0:
            raise ValueError("nested too deeply")
        if kind in (1, 2):
            return self._byte() == 1
        if kind == 3:
            return int.from_bytes(self._bytes(1), "little", signed=True)
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._unsigned())
        if kind in (9, 10):
            byte = self._byte()
            count = self._unsigned() if byte >> 4 == 15 else byte >> 4
            if count > len(self.content) - self.at:  # an element takes a byte at least
                raise ValueError(f"a list of {count} elements")
            return [self._element(byte & 15, depth - 1) for _ in range(count)]
        if kind == 11:
            return self._mapping(depth)
        if kind == 12:
            return self.structure(depth)
        raise ValueError(f"a field of kind {kind}")

    def _element(self, kind: int, depth: int):
        return self._byte() == 1 if kind in (1, 2) else self._value(kind, depth)

    def _mapping(self, depth: int):
        count = self._unsigned()
        if count > len(self.content) - self.at:
            raise ValueError(f"a mapping of {count} elements")
        kinds = self._byte() if count else 0
        for _ in range(count):
            self._element(kinds >> 4, depth - 1)
            self._element(kinds & 15, depth - 1)
        return {}

    def _byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self.content) - self.at:
            raise ValueError(f"{count} bytes are missing")
        self.at += count
        return self.content[self.at - count : self.at]

    def _unsigned(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
