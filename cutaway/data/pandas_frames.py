"""pandas frames as polars frames, and results as the kind of frame that went in."""

import datetime
import decimal
from typing import Any

import numpy as np

from cutaway.errors import DataError

DATES = (datetime.date, datetime.time, datetime.timedelta)
NO_NUMBERS = (str, bool, np.bool_, *DATES)
SCALARS = (str, bool, np.bool_, int, float, np.number, decimal.Decimal, *DATES)


def is_pandas(value) -> bool:
    """Whether a value is of pandas, or of a class derived from one of pandas; imports nothing."""
    return any(kind.__module__.partition(".")[0] == "pandas" for kind in type(value).__mro__)


def from_pandas(frame):
    """A pandas frame as a polars frame.

    None, NaN, NaT and pd.NA are missing. Categories become their values, nullable numbers plain
    ones, periods the time they begin, intervals texts; times keep their zone, or UTC where polars
    does not know it. A column of Python objects becomes what they all are, otherwise texts as they
    would be written to a CSV. The index is no column: see `index_of`.

    Args:
        frame: pandas.DataFrame, or pandas.Series as a frame of one column.

    Returns:
        polars.DataFrame.

    Raises:
        DataError: two columns of one name, or cells that are neither numbers, texts nor times.

    Example:
        >>> import pandas as pd
        >>> from cutaway.data.pandas_frames import from_pandas
        >>> frame = pd.DataFrame({"cabin": ["C85", None], "age": pd.array([22, pd.NA], "Int64")})
        >>> from_pandas(frame).to_dict(as_series=False)
        {'cabin': ['C85', None], 'age': [22, None]}
    """
    import polars as pl

    if hasattr(frame, "to_frame") and not hasattr(frame, "columns"):  # a Series
        frame = frame.to_frame("0" if frame.name is None else frame.name)
    if not hasattr(frame, "columns"):
        raise DataError(
            f"the table is a pandas {type(frame).__name__}",
            expected="a pandas DataFrame",
            fix="pass the frame itself",
        )
    names = _names(frame)
    return pl.DataFrame([_column(frame.iloc[:, k], name) for k, name in enumerate(names)])


def index_of(frame):
    """The index of a pandas frame as a polars frame: a column for each level, named as the level.

    A level without a name is called "index", or "level_1", ... if there are several.
    """
    index = frame.index
    several = len(index.names) > 1
    names = [
        (f"level_{k}" if several else "index") if name is None else name
        for k, name in enumerate(index.names)
    ]
    return from_pandas(index.to_frame(index=False, name=names if several else names[0]))


def like(given, found):
    """Results as the kind of frame that went in.

    Args:
        given: what went in: a pandas frame, or anything else.
        found: polars.DataFrame with as many rows.

    Returns:
        for a pandas frame a pandas.DataFrame with its index, otherwise `found`.

    Raises:
        DataError: another number of rows than the pandas frame has.

    Example:
        >>> import pandas as pd, polars as pl
        >>> from cutaway.data.pandas_frames import like
        >>> given = pd.DataFrame({"age": [22, 38]}, index=["ann", "bob"])
        >>> like(given, pl.DataFrame({"prediction": [0.5, 1.5]})).loc["bob", "prediction"].item()
        1.5
    """
    if not is_pandas(given):
        return found
    import pandas as pd

    if len(found) != len(given):
        raise DataError(
            f"{len(found)} rows of results for {len(given)} rows of the frame",
            expected="as many rows as in the frame, whose index they get",
        )
    columns = {column.name: _to_pandas(column, given.index) for column in found.get_columns()}
    return pd.DataFrame(columns, index=given.index)


def _names(frame) -> list[str]:
    """The names of the columns; those of several levels joined by _."""
    names = [
        "_".join(str(part) for part in name if part != "") if isinstance(name, tuple) else str(name)
        for name in frame.columns
    ]
    for k, name in enumerate(names):
        if name in names[:k]:
            raise DataError(
                f"the pandas frame has {names.count(name)} columns called {name!r}",
                expected="unique column names",
                fix="rename them: frame.columns = [...]",
            )
    return names


def _column(series, name: str):
    import pandas as pd
    import polars as pl

    dtype, kinds = series.dtype, pd.api.types
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(series, name)
    if isinstance(dtype, pd.ArrowDtype):
        return _of_arrow(series, name)
    if isinstance(dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
        dtype = series.dtype
    if isinstance(dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
        dtype = series.dtype
    if isinstance(dtype, pd.IntervalDtype):
        return _objects(name, [None if is_missing(v) else str(v) for v in series])
    if isinstance(dtype, pd.DatetimeTZDtype):
        plain = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return _in_zone(_times(plain, name), str(dtype.tz))
    if kinds.is_datetime64_dtype(dtype) or kinds.is_timedelta64_dtype(dtype):
        return _times(series, name)
    if kinds.is_bool_dtype(dtype) or (kinds.is_numeric_dtype(dtype) and dtype.kind in "iuf"):
        missing = series.isna().to_numpy()
        if missing.any():
            values = series.to_numpy(_number_dtype(dtype), na_value=dtype.type(0))
        else:
            values = series.to_numpy(_number_dtype(dtype))
        if values.dtype == np.float16:  # polars computes with those of 32 bits on
            values = values.astype(np.float32)
        column = pl.Series(name, values)
        return column.set(pl.Series(missing), None) if missing.any() else column
    if kinds.is_string_dtype(dtype) and not kinds.is_object_dtype(dtype):
        return _texts(series, name)
    return _objects(name, list(series))


def _number_dtype(dtype):
    """The dtype in NumPy of numbers that may be of a nullable kind."""
    return np.dtype(getattr(dtype, "numpy_dtype", dtype))


def _categories(series, name: str):
    """The value of each row's category."""
    import pandas as pd
    import polars as pl

    codes = series.cat.codes.to_numpy().astype(np.int64)
    values = _column(pd.Series(series.cat.categories), name)
    if values.is_empty():
        return pl.Series(name, [None] * len(codes), dtype=pl.String)
    places = pl.Series(np.maximum(codes, 0))
    return values.gather(places).set(pl.Series(codes < 0), None).alias(name)


def _of_arrow(series, name: str):
    """A column that pandas holds as an array of Arrow."""
    import polars as pl
    import pyarrow as pa

    column = pl.from_arrow(pa.Array.from_pandas(series))
    assert isinstance(column, pl.Series)
    column = column.alias(name)
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if column.dtype.is_nested() or isinstance(column.dtype, pl.Binary):
        row = column.is_not_null().arg_max() or 0
        raise _not_a_cell(name, row, column[row])
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    return column.fill_nan(None) if column.dtype.is_float() else column


def _texts(series, name: str):
    """A column of texts: through Arrow, which copies no text one by one, where it is there."""
    import polars as pl

    try:
        import pyarrow as pa
    except ImportError:
        texts = [None if is_missing(value) else str(value) for value in series]
        return pl.Series(name, texts, dtype=pl.String)
    column = pl.from_arrow(pa.Array.from_pandas(series))
    assert isinstance(column, pl.Series)
    return column.cast(pl.String).alias(name)


def _times(series, name: str):
    """A column of times or durations without a zone; NaT is missing."""
    import polars as pl

    values = series.to_numpy()
    if np.datetime_data(values.dtype)[0] == "s":  # of which polars has none
        values = values.astype(values.dtype.str.replace("[s]", "[ms]"))
    return pl.Series(name, values)


def _in_zone(column, zone: str):
    """Times in UTC as those of a zone."""
    import polars as pl

    column = column.dt.replace_time_zone("UTC")
    try:
        return column.dt.convert_time_zone(zone)
    except pl.exceptions.PolarsError:  # an offset, which is no zone to polars
        return column


def _objects(name: str, values: list):
    """A column of Python objects."""
    import polars as pl

    values = [None if is_missing(value) else value for value in values]
    present = [value for value in values if value is not None]
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, SCALARS):
            raise _not_a_cell(name, row, value)
    if all(isinstance(v, str) for v in present):
        return pl.Series(name, values, dtype=pl.String)
    if all(isinstance(v, bool | np.bool_) for v in present):
        return pl.Series(name, [v if v is None else bool(v) for v in values], dtype=pl.Boolean)
    numbers = [v for v in present if not isinstance(v, NO_NUMBERS)]
    if len(numbers) == len(present):
        return _number_objects(name, values, numbers)
    if all(isinstance(v, datetime.datetime) for v in present):
        return _moments(name, values, present)
    if len({_kind_of_date(v) for v in present}) == 1 and isinstance(present[0], DATES):
        return pl.Series(name, values)
    return pl.Series(name, [v if v is None else str(v) for v in values], dtype=pl.String)


def _number_objects(name: str, values: list, numbers: list):
    import polars as pl

    if any(isinstance(v, complex | np.complexfloating) for v in numbers):
        row, value = next((k, v) for k, v in enumerate(values) if isinstance(v, complex))
        raise _not_a_cell(name, row, value)
    are_integers = all(isinstance(v, int | np.integer) for v in numbers)
    if are_integers and all(-(2**63) <= v < 2**63 for v in numbers):
        whole = [v if v is None else int(v) for v in values]
        return pl.Series(name, whole, dtype=pl.Int64)
    return pl.Series(name, [v if v is None else float(v) for v in values], dtype=pl.Float64)


def _moments(name: str, values: list, present: list):
    """Python times; those of several zones in UTC."""
    import pandas as pd

    if all(v.tzinfo is None for v in present):
        return _times(pd.Series(pd.to_datetime(values)), name)
    if any(v.tzinfo is None for v in present):
        return _objects(name, [v if v is None else str(v) for v in values])
    plain = pd.to_datetime(values, utc=True).tz_localize(None)
    return _in_zone(_times(pd.Series(plain), name), "UTC")


def _kind_of_date(value) -> type:
    kinds = (datetime.datetime, *DATES)
    return next((kind for kind in kinds if isinstance(value, kind)), type(value))


def is_missing(value) -> bool:
    """Whether a cell is None, NaN, NaT or pd.NA."""
    if value is None:
        return True
    if isinstance(value, str) or not (isinstance(value, SCALARS) or is_pandas(value)):
        return False
    import pandas as pd

    found = pd.isna(value)
    return isinstance(found, bool | np.bool_) and bool(found)


def _not_a_cell(name: str, row: int, value) -> DataError:
    shown = repr(value)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    return DataError(
        f"column {name!r} of the pandas frame holds {shown} ({type(value).__name__}) in row {row}",
        expected="numbers, texts, booleans, dates or times",
        fix="leave this column out, or split it into columns of such cells",
    )


def _to_pandas(column, index) -> Any:
    """A polars column as what pandas makes a column of: missing values stay missing."""
    import pandas as pd
    import polars as pl

    dtype, missing = column.dtype, column.null_count() > 0
    if dtype.is_float():
        return column.to_numpy()  # a null becomes NaN
    if dtype.is_integer() or dtype == pl.Boolean:
        if not missing:
            return column.to_numpy()
        nullable = "boolean" if dtype == pl.Boolean else str(dtype)
        return pd.array(column.to_list(), dtype=nullable)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        plain = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
        return pd.DatetimeIndex(plain).tz_localize("UTC").tz_convert(dtype.time_zone)
    if isinstance(dtype, pl.Datetime | pl.Duration):
        return column.to_numpy()
    if isinstance(dtype, pl.Date):
        return column.cast(pl.Datetime("ms")).to_numpy()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pd.Categorical(column.cast(pl.String).to_list())
    texts = pd.Series(["a"]).dtype  # from pandas 3 on a dtype of its own
    own = texts if isinstance(dtype, pl.String) else object
    return pd.Series(column.to_list(), index=index, dtype=own)
