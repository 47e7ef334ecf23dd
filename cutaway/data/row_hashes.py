"""Hashes of rows: 64 bits of the contents of a row, equal on every machine and in every version.

What counts is the value, not how it is written: 1, 1.0 and the text "1" have one hash, and so have
a date and its text. The hash of a row is a sum over its columns, each mixed with the column's name,
so that the order of the columns does not matter.
"""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

GAMMA = 0x9E3779B97F4A7C15  # 2^64 / golden ratio
DATE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?$"  # ISO 8601


def mixed(values) -> np.ndarray:
    """The bits of uint64 values, stirred: each bit of the result depends on all of them.

    It is one to one. Steele et al. 2014, "Fast splittable pseudorandom number generators", fig. 17.
    """
    z = np.atleast_1d(np.asarray(values, np.uint64)) + np.uint64(GAMMA)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hash_numbers(values) -> np.ndarray:
    """(n,) uint64 of numbers (n,); 0.0 and -0.0 are equal, and so are all NaN."""
    numbers = np.asarray(values, np.float64) + 0.0  # -0.0 + 0.0 = 0.0
    numbers = np.where(np.isnan(numbers), np.nan, numbers)
    return mixed(numbers.view(np.uint64))


MISSING = hash_numbers([np.nan])[0]  # of a missing value of any type


def hash_bytes(parts: Iterable[bytes]) -> np.ndarray:
    """(n,) uint64 of n byte strings."""
    digests = b"".join(hashlib.blake2b(part, digest_size=8).digest() for part in parts)
    return _as_numbers(digests)


def hash_texts(texts: Iterable[str]) -> np.ndarray:
    """(n,) uint64 of n texts, byte for byte."""
    return hash_bytes(text.encode("utf-8", "surrogatepass") for text in texts)


def hash_arrays(x) -> np.ndarray:
    """(n,) uint64 of the rows of an array (n, ...): of values and shape, whatever the type."""
    x = np.asarray(x)
    if x.dtype.kind == "f":
        x = x.astype("<f8") + 0.0
        x[np.isnan(x)] = np.nan
    elif x.dtype != np.uint8:
        x = x.astype("<i8")
    x = np.ascontiguousarray(x).reshape(len(x), -1) if x.size else np.zeros((len(x), 0))
    return hash_bytes(row.tobytes() for row in x)


def hash_value(value: Any) -> bytes:
    """A digest of a value made of arrays, tuples, lists, dicts, numbers and texts."""
    digest = hashlib.blake2b(digest_size=8)
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, np.ndarray):
            digest.update(f"array{one.shape}{one.dtype.str}".encode())
            digest.update(np.ascontiguousarray(one).tobytes())
        elif isinstance(one, dict):
            digest.update(f"dict{len(one)}".encode())
            waiting += [part for pair in one.items() for part in pair]
        elif isinstance(one, list | tuple):
            digest.update(f"list{len(one)}".encode())
            waiting += one
        else:
            one = one.item() if isinstance(one, np.generic) else one
            digest.update(f"{type(one).__name__}:{one!r};".encode("utf-8", "surrogatepass"))
    return digest.digest()


def hash_column(column: "pl.Series") -> np.ndarray:
    """(n,) uint64 of the values of a polars column.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.row_hashes import hash_column
        >>> same = [pl.Series([1, None]), pl.Series([1.0, None]), pl.Series(["1.00", ""])]
        >>> len({tuple(hash_column(column).tolist()) for column in same})
        1
    """
    import polars as pl

    dtype = column.dtype
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        return hash_numbers(column.cast(pl.Float64).to_numpy())
    if dtype == pl.Duration:
        return hash_numbers(column.dt.total_microseconds().cast(pl.Float64).to_numpy())
    if isinstance(dtype, pl.Array):
        return hash_arrays(column.to_numpy())
    if dtype == pl.Binary:
        return hash_bytes(part or b"" for part in column)
    if dtype.is_nested() or dtype == pl.Object:
        return _as_numbers(b"".join(hash_value(value) for value in column.to_list()))
    return _hash_strings(_as_strings(column))


def hash_rows(columns: dict[str, np.ndarray]) -> np.ndarray:
    """(n,) uint64 of rows, from {name: hashes (n,) of a column}, in any order of the names."""
    total = np.zeros(len(next(iter(columns.values()))), np.uint64)
    for name, hashes in columns.items():
        total += mixed(hashes ^ hash_texts([name]))
    return mixed(total)


def digest_in_order(hashes) -> str:
    """A digest of hashes (n,) that depends on their order, in hexadecimal."""
    places = mixed(np.arange(len(hashes), dtype=np.uint64))
    return _in_hexadecimal(mixed(hashes ^ places))


def digest_in_any_order(hashes) -> str:
    """A digest of hashes (n,) that does not depend on their order, in hexadecimal."""
    return _in_hexadecimal(mixed(hashes))


def _in_hexadecimal(stirred: np.ndarray) -> str:
    return f"{int(stirred.sum(dtype=np.uint64)):016x}"


def _as_numbers(digests: bytes) -> np.ndarray:
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _as_strings(column: "pl.Series") -> "pl.Series":
    """Texts, categories, dates and times as texts."""
    import polars as pl

    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is not None:
            column = column.dt.convert_time_zone("UTC")
        return column.dt.cast_time_unit("us").dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
    return column.cast(pl.String)


def _hash_strings(texts: "pl.Series") -> np.ndarray:
    import polars as pl

    distinct = texts.unique().drop_nulls()
    if distinct.is_empty():
        return np.full(len(texts), MISSING)
    hashes = pl.Series(_hash_distinct(distinct), dtype=pl.UInt64)
    found = texts.replace_strict(distinct, hashes, default=None, return_dtype=pl.UInt64)
    return found.fill_null(int(MISSING)).to_numpy()


def _hash_distinct(texts: "pl.Series") -> np.ndarray:
    """Texts by what they say: numbers as numbers, dates in one form, blanks as missing."""
    import polars as pl

    texts = texts.str.strip_chars()
    is_date = texts.str.contains(DATE)
    if is_date.any():
        plain = texts.str.replace("T", " ", literal=True).str.strip_chars_end("Z")
        plain = plain.str.replace(r"(\.\d*?)0+$", "${1}").str.strip_suffix(".")
        plain = plain.str.replace(r"( \d{2}:\d{2}):00$", "${1}").str.strip_suffix(" 00:00")
        texts = plain.zip_with(is_date, texts)
    found = hash_texts(texts.to_list())
    numbers = texts.cast(pl.Float64, strict=False)
    is_number = numbers.is_finite().fill_null(False).to_numpy()
    found[is_number] = hash_numbers(numbers.to_numpy()[is_number])
    found[(texts == "").to_numpy()] = MISSING
    return found
