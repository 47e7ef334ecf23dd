"""Dates in all usual forms. Expected values are written by hand or are Python's datetime."""

import json
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.data import TablePreprocessing
from cutaway.data.dates import DateRecipe, find_dates, find_times


def read(texts, name="x"):
    series = pl.Series(name, texts)
    recipe = find_dates(series)
    assert recipe is not None, texts
    return recipe.parse(series).to_list()


MORNING = datetime(2011, 1, 2, 9, 5, 7)
DAY = datetime(2011, 1, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2011-01-02", DAY),
        ("2011/1/2", DAY),
        ("2011.01.02", DAY),
        (" 2011-01-02  ", DAY),
        ("2011-01-02 09:05:07", MORNING),
        ("2011-01-02T09:05:07", MORNING),
        ("2011-01-02T09:05:07Z", MORNING),
        ("2011-01-02 09:05:07.25", MORNING.replace(microsecond=250_000)),
        ("2011-01-02T09:05:07.123456789+00:00", MORNING.replace(microsecond=123_456)),
        ("2011-01-02T09:05", MORNING.replace(second=0)),
        ("2011-01-02 9", MORNING.replace(minute=0, second=0)),
        ("2011-01-02T24:00:00", datetime(2011, 1, 3)),
        ("2 Jan 2011", DAY),
        ("2-Jan-11", DAY),
        ("02JAN2011:09:05:07", MORNING),
        ("2nd of January 2011", DAY),
        ("Jan 2, 2011", DAY),
        ("Jan. 2, 2011 9:05:07 am", MORNING),
        ("January 2 2011 at 9:05 PM", datetime(2011, 1, 2, 21, 5)),
        ("Sunday, January 2, 2011", DAY),
        ("2. Januar 2011", DAY),
        ("2 de enero de 2011", DAY),
        ("2 janvier 2011", DAY),
        ("2011 Jan 2", DAY),
        ("Sun, 02 Jan 2011 09:05:07 GMT", MORNING),
        ("Sun Jan  2 09:05:07 2011", MORNING),
        ("Sun Jan 02 09:05:07 +0000 2011", MORNING),
        ("02/Jan/2011:09:05:07 -0700", MORNING),
        ("2011-01-02T09:05:07+01:00[Europe/Paris]", MORNING),
        ("January 2011", datetime(2011, 1, 1)),
        ("2011-January", datetime(2011, 1, 1)),
        ("Jan-11", datetime(2011, 1, 1)),
        ("2011-04", datetime(2011, 4, 1)),
        ("04/2011", datetime(2011, 4, 1)),
        ("2011Q2", datetime(2011, 4, 1)),
        ("Q2 2011", datetime(2011, 4, 1)),
        ("20110102", DAY),
        ("20110102T090507Z", MORNING),
        ("20110102090507", MORNING),
    ],
)
def test_each_form_names_the_instant_that_a_person_reads(text, expected):
    assert read([text]) == [expected]


@pytest.mark.parametrize(
    "texts",
    [
        ["1.2.3", "1.10.0", "2.0.1"],
        ["1.2.11", "1.2.12", "1.3.10"],
        ["555-123-4567", "555-765-4321"],
        ["555-1234", "555-4321"],
        ["12-34-5678", "98-76-5432"],
        ["10:30", "11:45"],
        ["1-2", "3-4"],
        ["2011", "2012"],
        ["12345678", "87654321"],
        ["1.5", "2.5"],
        ["192.168.0.1", "10.0.0.1"],
        ["2011-13-01", "2011-02-30"],
        ["1/2/2011 25:00", "1/2/2011 10:61"],
        ["2011-01-02 13:00 PM", "2011-01-02 14:00 PM"],
        ["May", "June"],
        ["ABC-12-2011", "ABD-13-2012"],
        ["201101", "201102"],
        ["Monday", "", None],
        [None, ""],
        [],
    ],
)
def test_versions_phone_numbers_codes_and_plain_numbers_are_no_dates(texts):
    assert find_dates(pl.Series("x", texts, dtype=pl.String)) is None


def test_a_column_of_versions_is_none_also_where_each_could_be_a_date():
    assert find_dates(pl.Series("app version", ["01.02.11", "13.02.11"])) is None


def test_numbers_are_dates_only_where_the_name_says_so():
    numbers = [20110102, 20110131]
    assert find_dates(pl.Series("count", numbers)) is None
    assert read(numbers, "order_date") == [DAY, datetime(2011, 1, 31)]
    assert find_dates(pl.Series("order_date", [20110102, 31])) is None
    assert find_dates(pl.Series("date", [2011, 2012])) is None
    assert find_dates(pl.Series("date", [1.0, 2.0])) is None
    assert read(["201101", "201112"], "month") == [datetime(2011, 1, 1), datetime(2011, 12, 1)]


def test_what_the_user_calls_dates_are_dates_if_any_cell_is_one():
    half = pl.Series("x", ["2011-01-02", "unknown", "201103", "2012"])
    assert find_dates(half) is None
    recipe = find_dates(half, sure=True)
    assert recipe is not None
    expected = [DAY, None, datetime(2011, 3, 1), datetime(2012, 1, 1)]
    assert recipe.parse(half).to_list() == expected
    years = pl.Series("x", [2011, 2012])
    recipe = find_dates(years, sure=True)
    assert recipe is not None
    assert recipe.parse(years).to_list() == [datetime(2011, 1, 1), datetime(2012, 1, 1)]
    assert find_dates(pl.Series("x", ["a", "b"]), sure=True) is None


@pytest.mark.parametrize(
    "damage", [{"forms": ["unknown"]}, {"orders": ["|mdy"]}, {"orders": ["/xyz"]},
               {"offset_minutes": 10**6}, {"forms": 3}]
)  # fmt: skip
def test_a_damaged_recipe_is_not_restored(damage):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(damage, DateRecipe)


def recipe_of(texts, **options):
    recipe = find_dates(pl.Series("x", texts), **options)
    assert recipe is not None
    return recipe


def test_a_value_above_12_anywhere_in_the_column_decides_the_order():
    recipe = recipe_of(["1/2/2011"] * 999 + ["1/13/2011"])
    assert recipe.orders == ("/mdy",) and not recipe.ambiguous
    assert recipe.sentence() == ("dates as month/day/year: 13 to 31 occur in the second place only")
    recipe = recipe_of(["13-1-11", "1-2-11"])
    assert recipe.orders == ("-dmy",)
    assert recipe.sentence() == "dates as day-month-year: 13 to 31 occur in the first place only"
    assert recipe.parse(pl.Series(["1-2-11"])).to_list() == [datetime(2011, 2, 1)]


def test_the_order_of_time_decides_where_no_value_is_above_12():
    first_days = [f"1/{m}/2011" for m in (1, 2, 3)] + ["2/3/2011", "5/3/2011", "1/4/2011"]
    recipe = recipe_of(first_days)
    assert recipe.orders == ("/dmy",) and "order of time" in recipe.sentence()


def test_equal_steps_decide_where_both_orders_are_sorted_or_none_is():
    months = [f"01/{m:02d}/{y}" for y in (2011, 2012) for m in range(1, 13)]
    for texts in (months, [*months[12:], *months[:12]]):
        recipe = recipe_of(texts)
        assert recipe.orders == ("/dmy",) and "steps" in recipe.sentence()
    american = [f"{m:02d}/01/{y}" for y in (2011, 2012) for m in range(1, 13)]
    assert recipe_of(american).orders == ("/mdy",)


def test_without_evidence_dots_have_the_day_first_and_slashes_the_month_and_it_is_said():
    recipe = recipe_of(["1/2/2011", "3/4/2011"])
    assert recipe.orders == ("/mdy",) and recipe.ambiguous
    assert "ambiguous" in recipe.sentence() and "year-month-day" in recipe.sentence()
    assert recipe_of(["1.2.2011", "3.4.2011"]).orders == (".dmy",)
    chosen = recipe_of(["1/2/2011", "3/4/2011"], day_first=True)
    assert chosen.orders == ("/dmy",) and not chosen.ambiguous


def test_the_year_may_be_first_with_two_digits():
    recipe = recipe_of([f"11-01-{d:02d}" for d in range(1, 32)])
    assert recipe.parse(pl.Series(["11-01-02"])).to_list() == [DAY]
    assert recipe_of(["99-12-31", "98-01-02"]).orders == ("-ymd",)


def test_each_separator_has_its_order_and_forms_may_mix():
    texts = ["31.12.2010", "01.02.2011", "12/31/2010", "2/1/2011", "2011-02-01", "Feb 1, 2011"]
    last, first = datetime(2010, 12, 31), datetime(2011, 2, 1)
    assert read(texts) == [last, first, last, first, first, first]


def test_two_digit_years_break_at_69_as_in_posix():
    assert read(["1/31/69", "1/31/68"]) == [datetime(1969, 1, 31), datetime(2068, 1, 31)]


def test_one_offset_keeps_wall_time_and_several_become_utc():
    same = ["2011-07-01T10:00:00+02:00", "2011-07-01 11:30:00+0200"]
    assert read(same) == [datetime(2011, 7, 1, 10), datetime(2011, 7, 1, 11, 30)]
    mixed = ["2011-07-01T10:00:00+02:00", "2011-07-01T10:00:00Z", "2011-07-01T10:00:00 EST"]
    assert read(mixed) == [datetime(2011, 7, 1, h) for h in (8, 10, 15)]
    recipe = recipe_of(same)
    later = recipe.parse(pl.Series(["2011-07-01T10:00:00Z", "2011-07-01T10:00:00"]))
    assert later.to_list() == [datetime(2011, 7, 1, 12), datetime(2011, 7, 1, 10)]
    assert find_dates(pl.Series(["2011-07-01T10:00:00+99:00"])) is None


def test_frames_with_zones_are_read_as_the_same_column_written_as_text():
    zone = ZoneInfo("Europe/Berlin")
    summer = [datetime(2011, 7, 1, 10, tzinfo=zone), datetime(2011, 7, 2, 11, tzinfo=zone)]
    both = [*summer, datetime(2011, 12, 1, 10, tzinfo=zone)]
    for times in (summer, both):
        assert read(times) == read([t.isoformat() for t in times])
    assert read(summer)[0].hour == 10 and read(both)[0].hour == 8


def test_dates_and_datetimes_of_a_frame_need_no_reading():
    assert read([date(2011, 1, 2), None]) == [DAY, None]
    assert read([MORNING]) == [MORNING]
    nanoseconds = pl.Series("x", [MORNING]).cast(pl.Datetime("ns"))
    assert find_dates(nanoseconds).parse(nanoseconds).to_list() == [MORNING]
    categories = pl.Series("x", ["2011-01-02"], dtype=pl.Categorical)
    assert find_dates(categories).parse(categories).to_list() == [DAY]


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ms"), pl.Datetime("us", "UTC")])
def test_dates_outside_the_calendar_are_missing(dtype):
    far = 2**31 - 1 if dtype == pl.Date else 2**62
    series = pl.Series("x", [far, 0, -far]).cast(dtype)
    recipe = find_dates(series)
    assert recipe is not None and not recipe.has_time
    assert recipe.parse(series).to_list() == [None, datetime(1970, 1, 1), None]


def test_up_to_5_percent_of_other_cells_become_missing():
    texts = ["2011-01-02"] * 19 + ["unknown", None, ""]
    assert read(texts) == [DAY] * 19 + [None] * 3
    assert find_dates(pl.Series(["2011-01-02"] * 9 + ["unknown"])) is None


def test_midnight_everywhere_is_no_time_of_day():
    assert not recipe_of(["2011-01-02 00:00:00", "2011-01-03T00:00"]).has_time
    assert recipe_of(["2011-01-02 00:00:00", "2011-01-03T00:01"]).has_time


def test_a_later_column_is_read_alike_also_in_forms_that_need_no_decision():
    recipe = recipe_of(["13/1/2011", "1/2/2011"])
    later = recipe.parse(
        pl.Series(["1/2/2011", "2011-02-01", "1 Feb 2011", "1.2.2011", "1/13/2011"])
    )
    assert later.to_list() == [datetime(2011, 2, 1)] * 3 + [None, None]
    assert recipe.parse(pl.Series([1, 2])).to_list() == [None, None]


def test_a_recipe_survives_json():
    recipe = recipe_of(["13/1/2011 10:00 +02:00", "1/2/2011 11:00 +02:00"])
    stored = json.loads(msgspec.json.encode(recipe))
    assert msgspec.convert(stored, DateRecipe) == recipe


def test_times_alone_are_of_a_kind_of_their_own():
    series = pl.Series("start", ["10:30", "9:15 pm", "23:59:30", None])
    recipe = find_times(series)
    assert recipe is not None and not recipe.has_day and recipe.has_time
    hours = [t and (t.hour, t.minute, t.second) for t in recipe.parse(series).to_list()]
    assert hours == [(10, 30, 0), (21, 15, 0), (23, 59, 30), None]
    assert find_times(pl.Series(["10", "11"])) is None
    assert find_times(pl.Series(["75:30", "80:10"])) is None
    assert find_times(pl.Series(["2011-01-02"])) is None


FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%SZ",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%d-%m-%y %H:%M:%S",
    "%d %B %Y %H:%M:%S",
    "%b %d, %Y, %I:%M:%S %p",
    "%a %b %d %H:%M:%S %Y",
    "%Y%m%d%H%M%S",
)
LEAST, MOST = datetime(1970, 1, 1), datetime(2060, 1, 1)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.datetimes(LEAST, MOST), min_size=1, max_size=30),
    st.sampled_from(FORMATS),
    st.sampled_from([None, -210, 0, 120]),
)
def test_any_instant_written_in_any_form_is_read_back(times, form, offset):
    times = [t.replace(microsecond=t.microsecond if "%f" in form else 0) for t in times]
    times.append(datetime(2011, 1, 31))  # above 12: decides the order
    zone = "" if offset is None else timezone(timedelta(minutes=offset))
    marks = (
        "" if offset is None or "Z" in form else datetime(2011, 1, 1, tzinfo=zone).strftime("%z")
    )
    if form.endswith(("%Y", "%p")):
        marks = marks and f" {marks}" if form.endswith("%p") else ""
    series = pl.Series("x", [t.strftime(form) + marks for t in times])
    recipe = find_dates(series)
    assert recipe is not None
    assert recipe.parse(series).to_list() == times
    assert recipe.offset_minutes == (offset if marks else 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_any_text_is_a_date_or_none_and_nothing_fails(texts):
    series = pl.Series("x", texts)
    for find in (find_dates, find_times):
        recipe = find(series)
        if recipe is not None:
            assert recipe.parse(series).null_count() < len(series)
    assert len(DateRecipe(digits=True).parse(series)) == len(series)


# integers like 20110131 under a name that says nothing


def day_numbers(count=40, step=11):
    start = date(2010, 12, 1)
    days = [start + timedelta(days=step * k) for k in range(count)]
    return days, [int(day.strftime("%Y%m%d")) for day in days]


def test_integers_that_are_all_days_are_dates_whatever_their_name():
    days, numbers = day_numbers()
    series = pl.Series("x7", numbers)
    recipe = find_dates(series)
    assert recipe is not None and recipe.digits and not recipe.has_time
    assert recipe.parse(series).dt.date().to_list() == days
    assert recipe.sentence() == "dates as yyyymmdd: all its integers are days"
    assert recipe.parse(pl.Series("x7", [20110131]))[0] == datetime(2011, 1, 31)


@pytest.mark.parametrize(
    "numbers",
    [
        [*day_numbers(19)[1]],  # few
        [20110101 + k for k in range(28)],  # a counter, or a month of days
        [*day_numbers()[1], 20110231],  # no such day
        [20110000 + k for k in range(100, 140)],
        [n - 2_000_000 for n in day_numbers()[1]],  # of the year 1810
        [*range(20)],
    ],
)
def test_other_integers_are_no_dates(numbers):
    assert find_dates(pl.Series("x7", numbers)) is None


def test_integers_that_are_days_are_told_in_a_note_and_may_be_numbers():
    days, numbers = day_numbers()
    frame = pl.DataFrame({"x7": numbers, "y": [float(day.month) for day in days]})
    fitted = TablePreprocessing.fit(frame, "y")
    (column,) = fitted.columns
    assert column.kind == "date"
    assert (
        "x7: dates as yyyymmdd: all its integers are days; --column x7=number takes them as numbers"
    ) in fitted.notes
    with_gap = frame.with_columns(x7=pl.when(pl.int_range(40) > 3).then("x7"))
    assert TablePreprocessing.fit(with_gap, "y").columns[0].kind == "date"
    plain = TablePreprocessing.fit(frame, "y", kinds={"x7": "number"})
    assert plain.columns[0].kind == "number"
