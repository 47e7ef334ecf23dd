"""Durations are numbers of hours or seconds; times of day stay times of day."""

import dataclasses
import datetime
import json

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest

from cutaway.data import TablePreprocessing
from cutaway.data.dates import find_times
from cutaway.data.number_recipe import NumberRecipe
from cutaway.data.numerals import find_numbers
from cutaway.data.table_reading import TableReading, read_encoded


def read(cells):
    series = pl.Series("t", cells)
    recipe = find_numbers(series)
    assert recipe is not None and recipe.duration is not None
    return recipe.duration.unit, recipe.parse(series).to_list()


@pytest.mark.parametrize(
    ("cells", "unit", "numbers"),
    [
        (["7:30", "26:30", "31:00", "", "n/a"], "hours", [7.5, 26.5, 31.0, None, None]),
        (["26:30:36", "100:00:00"], "hours", [26.51, 100.0]),
        (["59:30", "1:02:15", "1:15:00", "25:00:00", "24:00:01"], "hours",
         [59.5 / 60, 1 + 2.25 / 60, 1.25, 25.0, 24 + 1 / 3600]),
        (["1 days 02:30:00", "0 days 00:45:00"], "hours", [26.5, 0.75]),
        (["1 day, 2:30:00", "45:00:00"], "hours", [26.5, 45.0]),
        (["0 days 00:00:12.500000", "0 days 00:01:00"], "seconds", [12.5, 60.0]),
        (["-1 days +23:00:00", "0 days 01:30:00"], "hours", [-1.0, 1.5]),
        (["-0:30", "1:30", "-2:00"], "hours", [-0.5, 1.5, -2.0]),
    ],
)  # fmt: skip
def test_durations_are_numbers(cells, unit, numbers):
    found_unit, found = read(cells)
    assert found_unit == unit
    assert found == [None if x is None else pytest.approx(x, rel=1e-12) for x in numbers]


def test_what_pandas_writes_of_timedeltas_is_what_it_says_of_them():
    rng = np.random.default_rng(0)
    deltas = pd.Series(pd.to_timedelta(rng.integers(-(10**14), 10**15, 50), unit="ns"))
    _, found = read([str(delta) for delta in deltas])
    assert found == pytest.approx((deltas.dt.total_seconds() / 3600).tolist(), rel=1e-9)


def test_times_of_day_are_no_durations():
    for cells in (["7:30", "23:59", "24:00"], ["10:30"] * 60 + ["25:00"]):
        series = pl.Series("t", cells)
        assert find_numbers(series) is None and find_times(series) is not None


def test_uhr_is_a_time_of_day():
    series = pl.Series("t", ["14:30 Uhr", "8 Uhr", "9.15 Uhr", "0:05 uhr"])
    assert find_numbers(series) is None
    times = find_times(series).parse(series).dt.time().to_list()
    assert times == [
        datetime.time(14, 30),
        datetime.time(8),
        datetime.time(9, 15),
        datetime.time(0, 5),
    ]
    found, _, _ = read_encoded({"a": ["31.01.2011 14:30 Uhr", "1.2.2011 8:00 Uhr"], "b": [1, 2]})
    fitted = TablePreprocessing.fit(found.vstack(found), "b", task="regression")
    assert fitted.columns[0].kind == "date"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timedelta_columns_are_features_and_targets(unit):
    hours = np.arange(1.0, 41.0)
    deltas = pd.to_timedelta(hours * 3600, unit="s").astype(f"timedelta64[{unit}]")
    table = pd.DataFrame({"wait": deltas, "x": hours % 7, "target": deltas[::-1]})
    table.loc[3, "wait"] = pd.NaT
    frame, reading, cells = read_encoded(table)
    expected = [None if k == 3 else x for k, x in enumerate(hours)]
    assert frame["wait"].to_list() == expected
    assert frame["target"].to_list() == hours[::-1].tolist()
    assert reading.notes(cells) == [
        "wait: durations, read as numbers of hours",
        "target: durations, read as numbers of hours",
    ]
    fitted = TablePreprocessing.fit(frame, "target")
    assert (fitted.task, fitted.columns[0].kind) == ("regression", "number")
    text = json.dumps(dataclasses.asdict(reading))
    assert msgspec.json.decode(text, type=TableReading) == reading
    one = reading.apply(reading.cells(table.head(1)))
    assert one["wait"].to_list() == [1.0]
    written = reading.apply(reading.cells({"wait": ["1 days 02:30:00"], "x": [1.0]}))
    assert written["wait"].to_list() == [26.5]


def test_a_note_says_the_unit_and_how_to_choose():
    series = pl.Series("t", ["7:30", "26:30", "31:00", "late"] + ["8:00"] * 30)
    recipe = find_numbers(series)
    assert recipe.sentences(series) == [
        "t: durations, read as numbers of hours, for example '26:30' as 26.5; if they are none: "
        "--column t=category",
        "t: 1 of 34 values is not a number ('late'), treated as missing",
    ]
    old = {k: v for k, v in dataclasses.asdict(recipe).items() if k != "duration"}
    assert msgspec.convert(old, type=NumberRecipe).duration is None  # runs of earlier versions
