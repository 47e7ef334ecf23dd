"""The numbers of an encoded row of a table, each in the unit of its column."""

from cutaway.data.encoders import Date, Number
from cutaway.runs.kinds.contract import InputColumn


def table_columns(rows) -> list[InputColumn]:
    """The numbers of an encoded row of a TableRows, in the units of the table's columns."""
    return [column for encoder in rows.encoders for column in _columns_of(encoder)]


def _columns_of(encoder) -> list[InputColumn]:
    names = encoder.names
    if isinstance(encoder, Date):
        unit = "days since 1970-01-01" if encoder.recipe.has_day else "hours since midnight"
        return [_standardized_column(encoder.day, unit), *map(InputColumn, names[1:])]
    if isinstance(encoder, Number):
        return [_standardized_column(encoder), *map(InputColumn, names[1:])]
    return [*map(InputColumn, names)]


def _standardized_column(encoder: Number, unit: str = "") -> InputColumn:
    name = f"ln(1 + {encoder.name})" if encoder.log else encoder.name
    return InputColumn(name, encoder.scale, encoder.mean, unit)
