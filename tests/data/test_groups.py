"""Several series in one table: the group column, windows and splits within each."""

import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import read_series
from cutaway.data.forecast import expect_long_enough
from cutaway.data.grouped_series import split_parts, windows_of_parts
from cutaway.data.groups import find_group, parts_of
from cutaway.data.times import as_times
from cutaway.errors import DataError


def days(count):
    first = datetime.date(2020, 1, 1)
    return [first + datetime.timedelta(days=k) for k in range(count)]


def two_shops(count=30):
    """Two shops day by day, the second a hundred times as large."""
    rows = [
        (d, shop, k + 100 * n) for k, d in enumerate(days(count)) for n, shop in enumerate("AB")
    ]
    return pl.DataFrame(rows, schema=["day", "store", "sales"], orient="row")


@pytest.mark.parametrize("change", [
    lambda f: f,
    lambda f: f.sort("store", "day"),
    lambda f: f.with_columns(pl.col("day").dt.strftime("%m/%d/%Y")),
    lambda f: f.select("store", "day", "sales"),
    lambda f: f.with_columns(store=pl.when(pl.col("store") == "A").then(7).otherwise(9)),
])  # fmt: skip
def test_the_column_that_makes_dates_unique_is_the_group(change):
    series = read_series(change(two_shops()))
    assert (series.time, series.group, series.names) == ("day", "store", ["sales"])
    assert series.step == "day" and len(set(series.groups)) == 2


def test_dates_that_repeat_without_a_group_are_refused():
    frame = two_shops().drop("store")
    with pytest.raises(DataError, match="the times in 'day' repeat: 60 rows hold 30 times"):
        read_series(frame)
    with pytest.raises(DataError, match="of kind 'x' repeat: 60 rows hold 30 times"):
        read_series(frame.with_columns(kind=pl.lit("x")), group="kind")
    with pytest.raises(DataError, match="of store 'B' are not in order"):
        read_series(two_shops().reverse())
    with pytest.raises(DataError, match="there is no column 'shop'"):
        read_series(two_shops(), group="shop")
    empty = two_shops().with_columns(store=pl.when(pl.col("sales") != 3).then("store"))
    with pytest.raises(DataError, match="'store' is empty in 1 of 60 rows"):
        read_series(empty, group="store")


def test_dates_that_cannot_be_read_are_named_with_their_row():
    texts = [f"{d:%m/%d/%Y}" for d in days(40)]
    texts[7] = "tomorrow"
    frame = pl.DataFrame({"day": texts, "sales": range(40)})
    with pytest.raises(DataError, match="holds 'tomorrow' in row 8, 1 cells that are no dates"):
        read_series(frame)


def test_a_count_that_happens_to_make_dates_unique_is_no_group():
    pairs = [(3, 4), (3, 5), (5, 4), (3, 6), (6, 4)] * 6
    frame = two_shops().with_columns(store=pl.Series([n for pair in pairs for n in pair]))
    times = as_times(frame["day"])
    assert find_group(frame, "day", times) is None
    assert find_group(two_shops(), "day", as_times(two_shops()["day"])) == "store"


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 4), st.integers(1, 3))
def test_windows_lie_within_one_series_each_and_are_all_of_them(labels, window, horizon):
    frame = pl.DataFrame({"g": labels})
    values = np.arange(float(len(labels)))[:, None]  # a value is its row
    parts = parts_of(frame, "g")
    assert sorted(np.concatenate([p.rows for p in parts])) == list(range(len(labels)))
    lengths = [len(p.rows) for p in parts]
    if max(lengths) < window + horizon:
        with pytest.raises(DataError, match=f"the series has {max(lengths)} values"):
            windows_of_parts(values, parts, window, horizon, [0])
        return
    x, y, rows = windows_of_parts(values, parts, window, horizon, [0])
    assert len(x) == sum(max(0, n - window - horizon + 1) for n in lengths)
    np.testing.assert_array_equal(y[:, 0, 0], rows)
    for k in range(len(x)):
        seen = np.r_[x[k, :, 0], y[k, :, 0]].astype(int)
        own = np.flatnonzero(np.array(labels) == labels[seen[0]])
        begin = list(own).index(seen[0])
        np.testing.assert_array_equal(seen, own[begin : begin + window + horizon])


def test_each_series_is_split_in_time_and_short_ones_are_left_out():
    frame = pl.DataFrame({"g": ["a", "b"] * 10 + ["a"] * 10 + ["c"] * 3})
    parts = parts_of(frame, "g")  # 20 rows of a, 10 of b, 3 of c

    def fits(length, end, split):
        expect_long_enough(end, split, 4, 2)
        expect_long_enough(length, end, 4, 2)

    split, short = split_parts(parts, 0.2, 0.25, fits)
    assert [part.label for part in short] == ["c"]
    # of a: 4 test and 4 validation rows, so 12 for training; of b: 2, 2 and 6
    assert split.known[parts[0].rows].tolist() == [True] * 12 + [False] * 8
    assert split.known[parts[1].rows].tolist() == [True] * 6 + [False] * 4
    assert not split.known[parts[2].rows].any()
    first = np.concatenate([part.rows[4:-1] for part in parts])
    training, validation, test = split.windows(first, 2)
    for found, begin, end in ((training, 0, 12), (validation, 12, 16), (test, 16, 20)):
        of_a = [r for r in first[found] if r in parts[0].rows]
        places = [list(parts[0].rows).index(r) for r in of_a]
        assert places == list(range(max(begin, 4), end - 1))
    with pytest.raises(DataError, match="the series has 20 values"):
        split_parts(parts, 0, 0.05, fits)
