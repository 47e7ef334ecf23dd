"""Dates go on as the column writes them. Expected texts are Python's strftime, or by hand."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from cutaway.data.date_writing import date_writer
from cutaway.data.dates import find_dates


def continued(cells, dates):
    series = pl.Series("date", cells)
    recipe = find_dates(series)
    assert recipe is not None
    writer = date_writer(series, recipe.parse(series), recipe)
    return None if writer is None else writer(dates)


MOMENTS = [datetime(2011, 1, 3, 8, 5, 9) + timedelta(days=9 * k, hours=5 * k) for k in range(40)]
NEXT = [datetime(2012, 2, 1, 14, 30, 1), datetime(2012, 11, 25, 0, 0, 0)]


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d", "%d.%m.%Y", "%-d.%-m.%Y", "%m/%d/%Y", "%-m/%-d/%y", "%Y/%m/%d", "%d-%m-%Y",
        "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%-m/%-d/%Y %-I:%M %p",
        "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %H:%M:%S.%f", "%Y%m%d", "%d %b %Y", "%B %-d, %Y",
        "%d-%b-%y", "%a, %d %b %Y %H:%M:%S", "%A, %d %B %Y",
    ],
)  # fmt: skip
def test_dates_are_written_as_strftime_does(form):
    cells = [moment.strftime(form) for moment in MOMENTS]
    assert continued(cells, NEXT) == [moment.strftime(form) for moment in NEXT]


@pytest.mark.parametrize("form", ["%Y-%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%y"])
def test_months_and_years_are_written_as_strftime_does(form):
    months = [date(2005 + k // 12, k % 12 + 1, 1) for k in range(60)]
    cells = [month.strftime(form) for month in months]
    ahead = [date(2010, 1, 1), date(2010, 9, 1)]
    assert continued(cells, ahead) == [month.strftime(form) for month in ahead]


def test_quarters_and_capitals_are_kept():
    cells = [f"{2000 + k // 4} Q{k % 4 + 1}" for k in range(20)]
    assert continued(cells, [date(2005, 1, 1), date(2005, 10, 1)]) == ["2005 Q1", "2005 Q4"]
    cells = [moment.strftime("%d %b %Y").upper() for moment in MOMENTS]
    assert continued(cells, NEXT) == ["01 FEB 2012", "25 NOV 2012"]
    cells = [moment.strftime("%-I:%M %p").lower() for moment in MOMENTS]
    cells = [f"2011-01-{k + 1:02} {c}" for k, c in enumerate(cells[:30])]
    assert continued(cells, NEXT)[0] == "2012-02-01 2:30 pm"


def test_german_months_that_occur_are_known_and_others_are_not():
    names = ["Januar", "Februar", "März", "April", "Mai", "Juni"]
    cells = [f"{day}. {name} 2011" for name in names for day in (3, 17)]
    assert continued(cells, [date(2012, 3, 4)]) == ["4. März 2012"]
    assert continued(cells, [date(2012, 3, 4), date(2012, 7, 4)]) is None


def test_a_column_of_several_forms_has_no_writer():
    cells = [m.strftime("%Y-%m-%d" if k % 2 else "%d %b %Y") for k, m in enumerate(MOMENTS)]
    assert continued(cells, NEXT) is None
