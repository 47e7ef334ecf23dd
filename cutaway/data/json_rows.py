"""Tables in JSON: an object in each line, or a list of objects."""

import json

from cutaway.data.header import unique_names
from cutaway.errors import DataError
from cutaway.files.limits import expect_columns

DEPTH = 8  # of objects in objects, whose names are joined


def read_json_rows(text: str, path):
    """(frame, notes): a row for each object, a column for each name, with the types of JSON.

    An object inside an object becomes columns whose names are joined by a dot; a list stays JSON
    text. A name that an object does not have is a missing value.

    Args:
        text: of the file.
        path: of the file, for errors.

    Raises:
        DataError: not JSON, or not objects; names the line.
    """
    import polars as pl

    rows = _objects(text, path)
    columns: dict[str, list] = {}
    for number, row in enumerate(rows):
        for name, value in _flat(row):
            column = columns.setdefault(name, [])
            column.extend([None] * (number - len(column)))
            if len(column) > number:  # {"a": {"b": 1}, "a.b": 2}
                column.pop()
            column.append(value)
    if not columns:
        raise DataError(f"{path} holds no values", expected="objects with names and values")
    expect_columns(len(columns), path)
    notes, series = [], []
    names, _ = unique_names([name or None for name in columns])
    for name, values in zip(names, columns.values(), strict=True):
        values.extend([None] * (len(rows) - len(values)))
        series.append(_as_series(name, values, notes))
    return pl.DataFrame(series), notes


def begins_with_objects(text: str) -> bool:
    """Whether a text in JSON begins with an object, or a list of them, and holds rows, so."""
    begin = text.lstrip()
    return begin.startswith("[") and begin[1:].lstrip().startswith("{")


def _objects(text: str, path) -> list[dict]:
    text = text.strip()
    if text.startswith("["):
        rows = _decoded(text, path, 1)
    else:
        lines = enumerate(text.split("\n"), 1)
        rows = [_decoded(line, path, number) for number, line in lines if line.strip()]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(
                f"{path}: row {number} is {_kind(row)}",
                expected="an object with names and values in each row: {...}",
                fix="write the table as CSV, or an object per line",
            )
    return rows


def _decoded(text: str, path, line: int):
    import msgspec

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        pass
    try:
        return json.loads(text)  # it also knows NaN, which Python and pandas write
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {line + error.lineno - 1} is not JSON: {error.msg} at "
            f"character {error.colno}",
            expected="an object in each line, or a list of objects",
            fix="fix that line, or export the file again",
        ) from error


def _flat(row: dict, before: str = "", depth: int = DEPTH):
    """(name, value) of an object and the objects in it."""
    for name, value in row.items():
        if isinstance(value, dict) and value and depth:
            yield from _flat(value, f"{before}{name}.", depth - 1)
        else:
            yield f"{before}{name}", value


def _as_series(name: str, values: list, notes: list[str]):
    import polars as pl

    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float}:
        numbers = [None if v is None or v != v else float(v) for v in values]
        return pl.Series(name, numbers, dtype=pl.Float64)
    if kinds != {str}:
        notes.append(f"{name}: values of several types, or lists, are read as texts")
    texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return pl.Series(name, texts, dtype=pl.String)


def _kind(value) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
