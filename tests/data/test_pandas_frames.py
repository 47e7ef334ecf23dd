"""pandas frames, as pandas itself makes them, become polars frames and come back."""

import datetime
import decimal
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cutaway as ct
from cutaway.data import read_table
from cutaway.data.pandas_frames import from_pandas, index_of, like
from cutaway.errors import DataError
from cutaway.runs import TableOptions

UTC = datetime.UTC


@pytest.fixture(params=["through Arrow", "without Arrow"])
def arrow(request, monkeypatch):
    if request.param == "without Arrow":
        pd.Series(["a"]).astype("category")  # pandas itself imports parts of Arrow when first used
        monkeypatch.setitem(sys.modules, "pyarrow", None)


def only(values, **options):
    """The one column of a pandas frame of these values."""
    return from_pandas(pd.DataFrame({"c": pd.Series(values, **options)}))["c"]


@pytest.mark.parametrize(
    ("values", "dtype", "kind", "expected"),
    [
        ([1, 2], "int64", pl.Int64, [1, 2]),
        ([200, 2], "uint8", pl.UInt8, [200, 2]),
        ([1.5, np.nan], "float64", pl.Float64, [1.5, None]),
        ([1.5, np.nan], "float16", pl.Float32, [1.5, None]),
        ([True, False], "bool", pl.Boolean, [True, False]),
        ([2**62 + 1, None], "Int64", pl.Int64, [2**62 + 1, None]),
        ([7, None], "UInt16", pl.UInt16, [7, None]),
        ([0.5, None], "Float32", pl.Float32, [0.5, None]),
        ([True, None], "boolean", pl.Boolean, [True, None]),
        (["C85", None], None, pl.String, ["C85", None]),
        (["C85", None], "object", pl.String, ["C85", None]),
        (["C85", np.nan], "object", pl.String, ["C85", None]),
        (["C85", pd.NA], "string", pl.String, ["C85", None]),
        (["NA", ""], "object", pl.String, ["NA", ""]),
        ([True, None], "object", pl.Boolean, [True, None]),
        ([3, None], "object", pl.Int64, [3, None]),
        ([3, 0.5], "object", pl.Float64, [3.0, 0.5]),
        ([decimal.Decimal("0.25"), None], "object", pl.Float64, [0.25, None]),
        ([2**70, None], "object", pl.Float64, [2.0**70, None]),
        (["a", 3, None, 0.5], "object", pl.String, ["a", "3", None, "0.5"]),
        ([None, None], "object", pl.String, [None, None]),
        (["b", None, "a"], "category", pl.String, ["b", None, "a"]),
        ([30, None, 10], "category", pl.Int64, [30, None, 10]),
        ([None, None], "category", pl.String, [None, None]),
        ([0.0, 2.0, np.nan], pd.SparseDtype("float64", 0.0), pl.Float64, [0.0, 2.0, None]),
        ([datetime.date(2024, 2, 29), None], "object", pl.Date, [datetime.date(2024, 2, 29), None]),
    ],
)  # fmt: skip
def test_each_kind_of_column_keeps_its_values_and_what_is_missing(
    arrow, values, dtype, kind, expected
):
    column = only(values, dtype=dtype)
    assert column.dtype == kind
    assert column.to_list() == expected


def test_integer_categories_stay_integers_and_codes_do_not_leak(arrow):
    kind = pd.CategoricalDtype([30, 20, 10])
    assert only([10, 30, None], dtype=kind).to_list() == [10, 30, None]


NOON = datetime.datetime(2024, 3, 31, 12, 30)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_unit_are_times(arrow, unit):
    column = only([NOON, None], dtype=f"datetime64[{unit}]")
    assert column.dtype.is_temporal() and column.to_list() == [NOON, None]
    spans = only([datetime.timedelta(hours=36), None], dtype=f"timedelta64[{unit}]")
    assert spans.to_list() == [datetime.timedelta(hours=36), None]


def test_time_zones_are_kept_across_the_change_of_clocks(arrow):
    # clocks in Berlin went from 2:00 to 3:00 on this day: 0:30 UTC is 1:30, 1:30 UTC is 3:30
    times = pd.to_datetime(["2024-03-31 00:30", "2024-03-31 01:30", None], utc=True)
    column = from_pandas(pd.DataFrame({"c": times.tz_convert("Europe/Berlin")}))["c"]
    assert column.dtype.time_zone == "Europe/Berlin"
    assert column.dt.hour().to_list() == [1, 3, None]


def test_an_offset_becomes_utc(arrow):
    times = pd.to_datetime(["2024-03-31 12:30:00+05:30"])
    column = from_pandas(pd.DataFrame({"c": times}))["c"]
    assert column.dtype.time_zone == "UTC"
    assert column[0] == datetime.datetime(2024, 3, 31, 7, 0, tzinfo=UTC)


def test_objects_of_several_zones_become_utc(arrow):
    plus = datetime.timezone(datetime.timedelta(hours=2))
    column = only([NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=plus), None], dtype="object")
    assert column.dt.hour().to_list() == [12, 10, None]


def test_a_period_is_the_time_it_begins_and_an_interval_a_text(arrow):
    months = only(pd.PeriodIndex(["2024-02", "2024-03", None], freq="M"))
    assert months.dt.date().to_list() == [
        datetime.date(2024, 2, 1),
        datetime.date(2024, 3, 1),
        None,
    ]
    bins = only(pd.cut(pd.Series([1, 9, np.nan]), [0, 5, 10]))
    assert bins.to_list() == ["(0, 5]", "(5, 10]", None]


def test_columns_that_pandas_holds_in_arrow():
    pa = pytest.importorskip("pyarrow")
    for values, kind, expected in [
        (["a", None], pa.string(), ["a", None]),
        ([1, None], pa.int32(), [1, None]),
        ([decimal.Decimal("1.25"), None], pa.decimal128(5, 2), [1.25, None]),
        ([True, None], pa.bool_(), [True, None]),
        (["a", None], pa.dictionary(pa.int8(), pa.string()), ["a", None]),
    ]:
        assert only(values, dtype=pd.ArrowDtype(kind)).to_list() == expected
    with pytest.raises(DataError, match="column 'c' of the pandas frame holds"):
        only([[1, 2], None], dtype=pd.ArrowDtype(pa.list_(pa.int64())))


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"x", 1j, np.zeros(2)])
def test_what_is_no_cell_is_named_with_its_column_and_row(value):
    cells = np.empty(2, object)
    cells[:] = [None, None]
    cells[1] = value
    with pytest.raises(DataError, match=r"column 'c' .* \(.*\) in row 1"):
        only(cells, dtype="object")
    with pytest.raises(DataError, match="column 'c'"):
        only([1j, 2j])


def test_names_are_texts_and_must_be_unique():
    frame = pd.DataFrame(np.zeros((2, 2)), columns=[0, 1])
    assert from_pandas(frame).columns == ["0", "1"]
    several = pd.DataFrame(
        np.zeros((1, 2)), columns=pd.MultiIndex.from_tuples([("p", "a"), ("q", "")])
    )
    assert from_pandas(several).columns == ["p_a", "q"]
    frame.columns = ["a", "a"]
    with pytest.raises(DataError, match="2 columns called 'a'"):
        from_pandas(frame)
    assert from_pandas(pd.Series([1, 2], name="age")).columns == ["age"]


def test_the_index_is_no_column_but_can_be_had():
    index = pd.MultiIndex.from_tuples([("ann", 3), ("bob", 5)], names=["who", None])
    frame = pd.DataFrame({"age": [22, 38]}, index=index)
    assert from_pandas(frame).columns == ["age"]
    assert index_of(frame).to_dict(as_series=False) == {"who": ["ann", "bob"], "level_1": [3, 5]}
    assert index_of(pd.DataFrame({"a": [1]}, index=[7]))["index"].to_list() == [7]


FOUND = pl.DataFrame(
    {
        "x": [0.5, None],
        "n": [3, None],
        "k": [3, 4],
        "is_paid": [True, None],
        "label": ["yes", None],
        "day": [datetime.date(2024, 2, 29), None],
        "time": [NOON, None],
        "zoned": pl.Series([NOON, None]).dt.replace_time_zone("Europe/Berlin"),
        "list": [[1], None],
    }
)


def test_results_come_back_with_the_index_that_went_in(arrow):
    source = pd.DataFrame({"a": [1, 2]}, index=["ann", "ann"])
    back = like(source, FOUND)
    assert back.index.tolist() == ["ann", "ann"] and list(back.columns) == FOUND.columns
    first, last = back.iloc[0], back.iloc[1]
    assert (first.x, first.n, first.k, first.is_paid, first.label) == (0.5, 3, 3, True, "yes")
    assert back["k"].dtype == np.int64 and str(back["n"].dtype) == "Int64"
    assert first.day == pd.Timestamp(2024, 2, 29) and first.time == pd.Timestamp(NOON)
    assert first.zoned == pd.Timestamp(NOON, tz="Europe/Berlin") and first.list == [1]
    missing = [name for name in FOUND.columns if pd.isna(last[name])]
    assert missing == [name for name in FOUND.columns if name != "k"]
    with pytest.raises(DataError, match="2 rows of results for 1 rows"):
        like(source.iloc[:1], FOUND)


def test_results_for_anything_else_stay_a_polars_frame():
    for source in (FOUND, FOUND.lazy(), {"a": [1, 2]}, "table.csv"):
        assert like(source, FOUND) is FOUND


CELLS = {
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    "time": st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),
    "truth": st.booleans(),
}


@given(st.sampled_from(sorted(CELLS)).flatmap(lambda k: st.lists(st.none() | CELLS[k], min_size=1)))
def test_there_and_back_every_cell_is_what_it_was(values):
    source = pd.DataFrame({"c": pd.Series(values, dtype="object")})
    back = like(source, from_pandas(source))["c"]
    found = [None if pd.isna(v) else v for v in back]
    assert found == values


def test_read_table_takes_a_frame_with_a_missing_text_and_pandas_na():
    frame = pd.DataFrame(
        {"age": pd.array([22, pd.NA], "Int64"), "cabin": ["C85", None]}, index=["ann", "bob"]
    )
    table = read_table(frame)
    assert table.to_dict(as_series=False) == {"age": [22, None], "cabin": ["C85", None]}


def test_a_table_with_missing_texts_is_trained_on_and_predicted(tmp_path):
    frame = pd.DataFrame(
        {
            "age": [22.0, 38, 26, 35] * 20,
            "cabin": ["C85", None, "E46", None] * 20,
            "class": pd.Categorical(["a", "b", None, "a"] * 20),
            "y": [0, 1, 1, 0] * 20,
        }
    )
    run = ct.train_table(frame, "y", options=TableOptions(epochs=2), out=tmp_path / "run")
    given = frame.drop(columns="y").set_axis(range(100, 180))
    predicted, _ = run.predict(given)
    assert predicted["cabin"].isna().to_list() == [False, True, False, True] * 20
    assert predicted["cabin"].dropna().to_list() == ["C85", "E46"] * 20
    assert predicted.index.tolist() == list(range(100, 180))
    assert predicted.columns[:4].tolist() == ["age", "cabin", "class", "prediction"]
