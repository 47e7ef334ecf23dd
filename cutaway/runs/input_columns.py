"""The numbers of an encoded row of a table, each in the unit of its column."""

from cutaway.data.encoders import Date, Number
from cutaway.runs.kinds.contract import ColumnScale


def table_columns(rows) -> list[ColumnScale]:
    """The numbers of an encoded row of a TableRows, in the units of the table's columns."""
    return [column for encoder in rows.encoders for column in _columns_of(encoder)]


def _columns_of(encoder) -> list[ColumnScale]:
    names = encoder.names
    if isinstance(encoder, Date):
        unit = "days since 1970-01-01" if encoder.recipe.has_day else "hours since midnight"
        return [_scaled_column(encoder.day, unit), *map(ColumnScale, names[1:])]
    if isinstance(encoder, Number):
        return [_scaled_column(encoder), *map(ColumnScale, names[1:])]
    return [*map(ColumnScale, names)]


def _scaled_column(encoder: Number, unit: str = "") -> ColumnScale:
    name = f"ln(1 + {encoder.name})" if encoder.log else encoder.name
    return ColumnScale(name, encoder.scale, encoder.mean, unit, encoder.scaling == "robust")
