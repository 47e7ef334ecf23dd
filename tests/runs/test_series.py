import datetime
import json

import numpy as np
import polars as pl
import pytest

from cutaway.data import seasonal_naive
from cutaway.errors import DataError, OptionError
from cutaway.runs import Run, prepare, write_report
from cutaway.runs.series import SeriesOptions, prepare_series
from cutaway.runs.series_rows import SeriesRows

RNG = np.random.default_rng(0)
MONTHS = 120
QUICK = {"epochs": 2, "hidden": 4}


def monthly(rows=MONTHS, start=2000):
    k = np.arange(rows)
    months = [f"{start + i // 12}-{i % 12 + 1:02}" for i in k]
    sold = 100 + k + 20 * np.sin(2 * np.pi * k / 12) + RNG.normal(0, 1, rows)
    return pl.DataFrame({"month": months, "sold": sold})


FRAME = monthly()


def test_a_run_holds_all_that_is_needed_to_forecast(tmp_path):
    path = tmp_path / "sold.csv"
    FRAME.write_csv(path)
    prepared = prepare_series(path, SeriesOptions(**QUICK), why="it looks like one")
    rows = prepared.preprocessing
    assert (rows.window, rows.horizon, rows.season) == (24, 12, 12)
    run = prepared.train(tmp_path / "run", progress=False)
    page = write_report(prepared, run).read_text()
    assert "baseline (seasonal naive forecast, season 12):" in page
    assert "12-step forecasts" in page and "it looks like one" in page

    again = Run.open(tmp_path / "run")
    assert json.dumps(again.preprocessing.to_json()) == json.dumps(rows.to_json())
    ahead, _ = again.predict(path)
    assert ahead["month"].to_list() == [datetime.date(2010, m, 1) for m in range(1, 13)]
    last = prepared.preprocessing.scaling.scale(FRAME.select("sold").to_numpy()[-24:])
    np.testing.assert_allclose(
        ahead["prediction"], run.outputs(last[None].astype(np.float32))[0], rtol=1e-6
    )
    assert again.evaluate(path)[0] == run.evaluate(FRAME)[0]


def test_scores_are_in_own_units_beside_the_seasonal_naive_forecast(tmp_path):
    prepared = prepare_series(FRAME, SeriesOptions(horizon=6, season=12, **QUICK))
    run = prepared.train(tmp_path / "run", progress=False)
    values = FRAME["sold"].to_numpy()
    begins = prepared.row_numbers[prepared.validation] - 1
    truth = values[begins[:, None] + np.arange(6)]
    outputs = run.outputs(prepared.x[prepared.validation])
    assert outputs.shape == truth.shape
    naive = seasonal_naive(values, begins, 12, 6)[:, :, 0]
    scores = run.metrics["validation"]
    np.testing.assert_allclose(
        [
            scores["mean_absolute_error"],
            scores["root_mean_squared_error"],
            scores["baseline_mean_absolute_error"],
        ],
        [
            np.abs(outputs - truth).mean(),
            np.sqrt(((outputs - truth) ** 2).mean()),
            np.abs(naive - truth).mean(),
        ],
        rtol=1e-5,
    )


def test_rows_are_held_out_in_the_order_of_time_and_nothing_leaks():
    prepared = prepare_series(FRAME, SeriesOptions(window=10, horizon=5, validation=0.25))
    split = 90
    first = prepared.row_numbers - 1  # of the values to forecast
    assert (first[prepared.training] + 5 <= split).all() and (
        first[prepared.validation] >= split
    ).all()
    assert first[prepared.training].max() == split - 5 and first[prepared.validation].min() == split
    known = FRAME["sold"].to_numpy()[:split]
    assert prepared.preprocessing.target.mean == pytest.approx(known.mean())
    assert prepared.preprocessing.target.scale == pytest.approx(known.std())
    truth = prepared.preprocessing.truth(prepared.y)
    np.testing.assert_allclose(truth[0], FRAME["sold"].to_numpy()[10:15], rtol=1e-6)


def test_other_columns_of_numbers_are_seen_too(tmp_path):
    cause = RNG.normal(size=200)
    effect = np.r_[0.0, cause[:-1]]  # what the other column said one step before
    frame = pl.DataFrame({"cause": cause, "effect": effect})
    options = SeriesOptions(column="effect", window=4, epochs=60, hidden=8, batch_size=16)
    run = prepare_series(frame, options).train(tmp_path / "run", progress=False)
    scores = run.metrics["validation"]
    assert scores["mean_absolute_error"] < 0.4 * scores["baseline_mean_absolute_error"]
    ahead, _ = Run.open(run.path).predict(frame)
    assert ahead.columns == ["step", "prediction", "lower", "upper"]
    assert ahead["step"].to_list() == [1]


@pytest.mark.parametrize(
    ("first", "every", "following"),
    [
        ("2024-01-31", "1mo", ["2027-02-28", "2027-03-31", "2027-04-30"]),
        ("2024-01-30", "1d", ["2024-03-06", "2024-03-07", "2024-03-08"]),
        ("2023-12-01", "1q", ["2032-12-01", "2033-03-01", "2033-06-01"]),
        ("2024-01-01", "3d", ["2024-04-18", "2024-04-21", "2024-04-24"]),
    ],
)
def test_dates_go_on_as_they_went(tmp_path, first, every, following):
    begin = datetime.date.fromisoformat(first)
    number = int(every[0])
    times = [pl.Series([begin]).dt.offset_by(f"{number * k}{every[1:]}")[0] for k in range(36)]
    if first == "2024-01-31":
        times = pl.Series(times).dt.month_end().to_list()
        following = ["2027-01-31", "2027-02-28", "2027-03-31"]
    frame = pl.DataFrame({"day": times, "value": RNG.normal(size=36)})
    prepared = prepare_series(frame, SeriesOptions(window=4, horizon=3, season=1))
    ahead = prepared.preprocessing.predictions(frame[-1:], np.zeros((1, 3)))
    assert [str(day) for day in ahead["day"]] == following


def test_hours_go_on_too():
    times = [f"2024-01-{k // 24 + 1:02} {k % 24:02}:00" for k in range(72)]
    values = np.sin(np.arange(72) * np.pi / 12) + RNG.normal(0, 0.1, 72)
    prepared = prepare_series({"time": times, "load": values}, SeriesOptions(horizon=2))
    rows = prepared.preprocessing
    assert (rows.season, rows.every) == (24, (1, "h"))
    ahead = rows.predictions(rows.read({"time": times, "load": values})[-1:], np.zeros((1, 2)))
    assert [str(t) for t in ahead["time"]] == ["2024-01-04 00:00:00", "2024-01-04 01:00:00"]


def american(rows=100):
    first = datetime.date(2020, 1, 1)
    k = np.arange(rows)
    days = [f"{first + datetime.timedelta(days=int(i)):%m/%d/%Y}" for i in k]
    return pl.DataFrame({"day": days, "sales": 10 + 3 * np.sin(2 * np.pi * k / 7)})


def two_shops(rows=100):
    """Two shops in one table, day by day; the second sells five times as much."""
    one = american(rows)
    other = one.with_columns(pl.col("sales") * 5)
    both = [f.with_columns(store=pl.lit(name)) for name, f in (("A", one), ("B", other))]
    order = [n + rows * k for n in range(rows) for k in (0, 1)]
    return pl.concat(both).select("day", "store", "sales")[order]


def test_a_series_of_american_dates_is_recognized_and_said(tmp_path):
    path = tmp_path / "sales.csv"
    american().write_csv(path)
    prepared = prepare(path)
    assert prepared.kind == "series" and "one per day" in prepared.why
    assert prepared.preprocessing.every == (1, "d")
    assert any("month/day/year: 13 to 31 occur in the second" in n for n in prepared.notes)


def test_the_dates_of_new_data_are_read_as_those_of_the_training_data():
    days = [f"{d}/{m}/2020" for m in (1, 2, 3) for d in range(1, 29)]
    frame = pl.DataFrame({"day": days, "sales": np.sin(np.arange(84.0))})
    rows = prepare_series(frame, SeriesOptions(window=4, horizon=1, season=1)).preprocessing
    again = SeriesRows.from_json(json.loads(json.dumps(rows.to_json())))
    few = again.read(frame[28:34])  # 1/2/2020 to 6/2/2020, by themselves ambiguous
    assert few["day"].to_list() == [datetime.date(2020, 2, d) for d in range(1, 7)]


def test_several_series_of_one_table_are_forecast_each_by_itself(tmp_path):
    path = tmp_path / "shops.csv"
    two_shops().write_csv(path)
    prepared = prepare(path, window=14, **QUICK)
    assert prepared.kind == "series" and "2 values of 'store'" in prepared.why
    assert any("2 series, one for each value of 'store'" in note for note in prepared.notes)
    rows = prepared.preprocessing
    values = two_shops().with_columns(x=(pl.col("sales") - rows.target.mean) / rows.target.scale)
    for name in "AB":
        own = values.filter(store=name)["x"].to_numpy()
        mine = (prepared.frame["store"] == name).to_numpy()
        begins = np.arange(14, 94)  # of the 7 steps to forecast
        windows = np.stack([own[b - 14 : b] for b in begins])
        np.testing.assert_allclose(prepared.x[mine, :, 0], windows, atol=1e-5)
        places = {k: n for n, k in enumerate(np.flatnonzero(mine))}
        training = [begins[places[k]] for k in prepared.training if mine[k]]
        validation = [begins[places[k]] for k in prepared.validation if mine[k]]
        assert training == list(range(14, 74)) and validation == list(range(80, 94))
    known = two_shops().filter(pl.col("day").is_in(american(80)["day"].to_list()))["sales"]
    assert rows.target.mean == pytest.approx(known.mean())
    run = prepared.train(tmp_path / "run", progress=False)
    assert "sales (store A)" in write_report(prepared, run).read_text()
    ahead, _ = Run.open(tmp_path / "run").predict(path)
    assert ahead.columns == ["store", "day", "prediction", "lower", "upper"]
    assert ahead["store"].to_list() == ["A"] * 7 + ["B"] * 7
    next_days = [datetime.date(2020, 4, d) for d in range(10, 17)]  # 100 days from January 1
    assert ahead["day"].to_list() == next_days * 2
    last = two_shops().filter(store="B")["sales"].to_numpy()[None, -14:, None]
    own = run.outputs(rows.scaling.scale(last).astype(np.float32))[0]
    np.testing.assert_allclose(ahead["prediction"][7:], own, rtol=1e-5)


def test_series_that_are_too_short_are_left_out_with_a_note():
    frame = two_shops()
    short = frame[:6].with_columns(store=pl.lit("C")).unique("day", maintain_order=True)
    prepared = prepare_series(pl.concat([frame, short]), SeriesOptions(window=14, horizon=7))
    assert any("1 of 3 series are too short" in n and "'C'" in n for n in prepared.notes)
    assert "C" not in prepared.frame["store"].to_list()
    rows = prepared.preprocessing
    arrays = rows.transform(rows.read(pl.concat([frame, short])), with_target=False)
    assert len(arrays.x) == 2 and "'C'" in arrays.notes[0]


def test_the_group_may_be_named():
    frame = two_shops().with_columns(region=pl.col("store").replace({"A": "x", "B": "y"}))
    prepared = prepare_series(frame, SeriesOptions(group="region", **QUICK))
    assert prepared.preprocessing.group == "region"
    one = prepare_series(american(), SeriesOptions(window=14, horizon=7)).preprocessing
    with pytest.raises(DataError, match="several series, one for each value of 'store'"):
        one.read(two_shops())


def shuffled():
    return FRAME[[1, 0, *range(2, MONTHS)]]


def with_a_gap():
    return FRAME.with_columns(pl.when(pl.arange(MONTHS) == 7).then(None).otherwise("sold"))


@pytest.mark.parametrize(
    ("frame", "options", "error", "message"),
    [
        (FRAME[:20], {"window": 24}, DataError, "the series has 20 values: 16 for training"),
        (FRAME[:3], {"horizon": 2}, DataError, "the series has 3 values"),
        (shuffled(), {}, DataError, "the times in 'month' are not in order"),
        (with_a_gap(), {}, DataError, "no number in 1 of 120 rows, first at 2000-08-01"),
        (FRAME, {"horizon": 0}, OptionError, "horizon is 0"),
        (
            FRAME,
            {"window": 12, "season": 24},
            OptionError,
            "the season is 24 steps and the window 12",
        ),
        (FRAME, {"model": "arima"}, OptionError, "arima"),
        (FRAME, {"column": "price"}, OptionError, "no numeric column 'price'"),
        ({"a": [1.0] * 50, "b": [2.0] * 50}, {}, OptionError, "no column to forecast was given"),
        ({"a": [1.0] * 50}, {}, DataError, "the series 'a' is constant: 1 in all 40 training rows"),
        ({"month": FRAME["month"]}, {}, DataError, "no numeric column"),
    ],
)
def test_what_cannot_be_forecast_is_named(frame, options, error, message):
    with pytest.raises(error, match=message):
        prepare_series(frame, SeriesOptions(**options))


def test_new_data_that_do_not_fit_the_run_are_named():
    rows = prepare_series(FRAME, SeriesOptions(window=10, horizon=5)).preprocessing
    with pytest.raises(DataError, match="the series has 9 values"):
        rows.transform(rows.read(FRAME[:9]), with_target=False)
    with pytest.raises(DataError, match="the series has 14 values"):
        rows.transform(rows.read(FRAME[:14]))
    with pytest.raises(DataError, match="there is no column 'sold'"):
        rows.read(FRAME.rename({"sold": "bought"}))


def test_a_short_series_gets_a_window_that_leaves_rows_to_train_on():
    prepared = prepare_series(FRAME[:30])
    assert len(prepared.training) >= 8 and len(prepared.validation) >= 1
