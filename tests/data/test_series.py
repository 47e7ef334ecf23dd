import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import (
    Scaling,
    Series,
    forecasting_task,
    read_series,
    read_ucr,
    read_ucr_pair,
    seasonal_naive,
    windows,
)
from cutaway.data.forecast import chronological_split, find_season
from cutaway.data.times import as_times, equal_steps, step_between
from cutaway.errors import DataError, OptionError


def days(count, step=1):
    first = datetime.date(2024, 1, 1)
    return [(first + datetime.timedelta(days=k * step)).isoformat() for k in range(count)]


def test_a_table_with_dates_is_read_as_series(tmp_path):
    pl.DataFrame(
        {"day": days(4), "a": [1, 2, 3, 4], "b": [0.5, 1, 2, 4], "note": list("wxyz")}
    ).write_csv(tmp_path / "s.csv")
    series = read_series(tmp_path / "s.csv")
    assert (series.names, series.step) == (["a", "b"], "day")
    assert series.values.tolist() == [[1, 0.5], [2, 1], [3, 2], [4, 4]]
    assert series.times[-1] == datetime.date(2024, 1, 4)
    assert read_series(tmp_path / "s.csv", columns=["b"]).names == ["b"]
    alone = read_series({"v": [3.0, 1.0, 2.0]})
    assert (alone.names, alone.times, alone.step) == (["v"], None, None)


def test_series_that_cannot_be_are_named():
    with pytest.raises(DataError, match="2024-01-02 follows 2024-01-03"):
        read_series({"day": ["2024-01-01", "2024-01-03", "2024-01-02"], "v": [1, 2, 3]})
    with pytest.raises(DataError, match="'v' has no number in 1 of 3 rows, first at 2024-01-02"):
        read_series({"day": days(3), "v": [1.0, None, 3.0]})
    with pytest.raises(DataError, match="no numeric column"):
        read_series({"day": days(3), "v": list("abc")})
    with pytest.raises(DataError, match="'v' holds String"):
        read_series({"day": days(3), "v": list("abc")}, columns=["v"])
    with pytest.raises(DataError, match="there is no column 'w'"):
        read_series({"day": days(3), "v": [1, 2, 3]}, columns=["w"])
    with pytest.raises(DataError, match="'v' does not hold dates, for example 1"):
        read_series({"day": days(3), "v": [1, 2, 3]}, time="v")


@pytest.mark.parametrize(
    "step, times",
    [
        ("day", days(30)),
        ("week", days(30, 7)),
        ("month", [f"{2000 + k // 12}-{k % 12 + 1:02}" for k in range(40)]),
        ("quarter", [f"{2000 + k // 4}-{k % 4 * 3 + 1:02}-01" for k in range(12)]),
        ("year", [f"{2000 + k}-01-01" for k in range(12)]),
        ("hour", [f"2024-01-{k // 24 + 1:02} {k % 24:02}:00:00" for k in range(60)]),
        (None, days(30, 3)),
    ],
)
def test_steps_between_times_have_names(step, times):
    found = as_times(pl.Series(times))
    assert step_between(found) == step and equal_steps(found)


def test_steps_that_differ_are_not_equal_and_a_few_gaps_do_no_harm():
    rng = np.random.default_rng(0)
    places = np.cumsum(rng.integers(1, 20, 40))
    every = days(800)
    assert not equal_steps(as_times(pl.Series([every[k] for k in places])))
    assert equal_steps(as_times(pl.Series(days(100)[:50] + days(100)[51:])))
    assert as_times(pl.Series(["2024-01-01", "x"])) is None
    assert as_times(pl.Series([1, 2])) is None


@given(
    length=st.integers(1, 30),
    window=st.integers(1, 8),
    horizon=st.integers(1, 4),
    stride=st.integers(1, 3),
    channels=st.integers(1, 3),
)
def test_windows_and_what_follows_them_align(length, window, horizon, stride, channels):
    values = np.arange(length * channels).reshape(length, channels)
    if length < window + horizon:
        with pytest.raises(DataError, match=f"the series has {length} values"):
            windows(values, window, horizon)
        return
    targets = [channels - 1]
    x, y = windows(values, window, horizon, stride=stride, targets=targets)
    assert len(x) == len(y) == (length - window - horizon) // stride + 1
    assert x.shape[1:] == (window, channels) and y.shape[1:] == (horizon, 1)
    for k in range(len(x)):
        at = k * stride
        np.testing.assert_array_equal(x[k], values[at : at + window])
        np.testing.assert_array_equal(y[k], values[at + window :][:horizon, targets])


def test_a_series_of_another_shape_is_named():
    with pytest.raises(OptionError, match=r"shape \(2, 3, 4\)"):
        windows(np.zeros((2, 3, 4)), 1)
    with pytest.raises(OptionError, match="window is 0"):
        windows(np.zeros(5), 0)


def test_scaling_gives_the_values_back():
    values = np.random.default_rng(0).normal(5, 3, (50, 3)) * [1, 100, 0]
    scaling = Scaling.fit(values)
    scaled = scaling.scale(values)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 0], atol=1e-12)
    np.testing.assert_allclose(scaling.unscale(scaled), values, rtol=1e-12)
    np.testing.assert_allclose(scaling.unscale(scaled[:, [1]], targets=[1]), values[:, [1]])


def test_the_naive_forecast_repeats_the_last_season():
    values = np.arange(10)
    forecast = seasonal_naive(values, [4, 10], season=4, horizon=6)[:, :, 0]
    assert forecast.tolist() == [[0, 1, 2, 3, 0, 1], [6, 7, 8, 9, 6, 7]]
    assert seasonal_naive(values, [3], season=1, horizon=2)[0, :, 0].tolist() == [2, 2]
    with pytest.raises(DataError, match="at least 4 values before it"):
        seasonal_naive(values, [3], season=4, horizon=1)


def test_the_season_is_found():
    k = np.arange(300)
    noise = np.random.default_rng(0).normal(0, 0.1, 300)
    assert find_season(np.sin(2 * np.pi * k / 12) + noise, "month") == 12
    assert find_season(np.sin(2 * np.pi * k / 7) + noise, "day") == 7
    assert find_season(np.sin(2 * np.pi * k / 23) + noise) == 23
    assert find_season(np.cumsum(noise), "month") == 1
    assert find_season(np.zeros(5), "month") == 1


def make(length=100, channels=2):
    values = np.cumsum(np.random.default_rng(0).normal(size=(length, channels)), axis=0) + 50
    return Series(values, [f"s{k}" for k in range(channels)], None, None)


def test_a_forecasting_task_never_looks_ahead():
    series = make()
    task = forecasting_task(series, window=10, horizon=3, test=0.25, targets=["s1"], season=1)
    assert task.split == 75 and task.x.dtype == task.y.dtype == np.float32
    assert task.x.shape == (63, 10, 2) and task.y.shape == (63, 3, 1)
    assert task.x_test.shape == (23, 10, 2) and task.naive_test.shape == (23, 3, 1)
    # what comes after the split changes nothing before it
    changed = make()
    changed.values[75:] = 1e6
    other = forecasting_task(changed, window=10, horizon=3, test=25, targets=["s1"], season=1)
    assert other.scaling == task.scaling == Scaling.fit(series.values[:75])
    np.testing.assert_array_equal(other.x, task.x)
    np.testing.assert_array_equal(other.y, task.y)
    # every target of the test part lies after it, and the first window ends where training ends
    values = series.values
    np.testing.assert_allclose(task.unscale(task.y_test[0]), values[75:78, [1]], rtol=1e-5)
    np.testing.assert_allclose(task.unscale(task.y_test[-1]), values[97:100, [1]], rtol=1e-5)
    np.testing.assert_allclose(task.scaling.unscale(task.x_test[0]), values[65:75], rtol=1e-5)
    np.testing.assert_array_equal(task.naive_test[4], np.repeat(values[78:79, [1]], 3, axis=0))


def test_forecasting_tasks_that_cannot_be_are_named():
    with pytest.raises(
        DataError, match="100 values: 80 for training and 20 for validation or test"
    ):
        forecasting_task(make(), window=80)
    with pytest.raises(DataError, match="a horizon of 30"):
        forecasting_task(make(), window=5, horizon=30)
    with pytest.raises(OptionError, match="there is no series 's9'"):
        forecasting_task(make(), window=5, targets=["s9"])
    with pytest.raises(OptionError, match="test fraction"):
        chronological_split(10, 1.5)
    with pytest.raises(OptionError, match="number of test steps"):
        chronological_split(10, 10)
    with pytest.raises(DataError, match="1 values cannot be split"):
        chronological_split(1, 0.2)


def write(path, text):
    path.write_text(text)
    return path


def test_labeled_series_are_read_with_any_separator(tmp_path):
    for name, separator in (("a.tsv", "\t"), ("b.csv", ","), ("c.txt", "   ")):
        lines = [["2", "0.5", "1.5"], ["1.0000000e+00", "2", "-1e-1"], ["-1", "0", "0"]]
        path = write(tmp_path / name, "\n".join(separator.join(row) for row in lines) + "\n")
        read = read_ucr(path)
        assert read.x.shape == (3, 2, 1) and read.x.dtype == np.float32
        np.testing.assert_allclose(read.x[1, :, 0], [2, -0.1])
        assert (read.classes, read.y.tolist()) == (["-1", "1", "2"], [2, 1, 0])


def test_labeled_series_that_cannot_be_are_named(tmp_path):
    path = tmp_path / "X_TRAIN.tsv"
    with pytest.raises(DataError, match="cannot be read"):
        read_ucr(path)
    with pytest.raises(DataError, match="is empty"):
        read_ucr(write(path, "\n"))
    with pytest.raises(DataError, match="line 2 has 1 values"):
        read_ucr(write(path, "1\t2\t3\n2\t2\n"))
    with pytest.raises(DataError, match="line 2: could not convert"):
        read_ucr(write(path, "1\t2\t3\n2\t2\tx\n"))
    with pytest.raises(DataError, match="line 1 has 1 missing"):
        read_ucr(write(path, "1\t2\tNaN\n2\t2\t2\n"))
    with pytest.raises(DataError, match="only one class, '1', in all 2 lines"):
        read_ucr(write(path, "1\t2\t3\n1\t2\t4\n"))
    with pytest.raises(DataError, match="not a pair"):
        read_ucr_pair(tmp_path)
    write(path, "1\t2\t3\n2\t2\t4\n")
    write(tmp_path / "X_TEST.tsv", "3\t2\t3\n")
    with pytest.raises(DataError, match="the class '3', which is not in the training data"):
        read_ucr_pair(tmp_path)
    test = write(tmp_path / "X_TEST.tsv", "2\t2\t3\n")
    assert read_ucr_pair(test)[1].y.tolist() == [1]


def test_real_series_are_read(shared_data):
    series = read_series(shared_data / "airline_passengers" / "airline-passengers.csv")
    assert series.values.shape == (144, 1) and series.step == "month"
    task = forecasting_task(series, window=24, horizon=12)
    assert task.season == 12
    truth = task.unscale(task.y_test)
    by_hand = np.abs(series.values[115 + 11 : 144] - series.values[115 - 1 : 132])
    np.testing.assert_allclose(
        np.abs(truth - task.naive_test)[:, -1].mean(), by_hand.mean(), rtol=1e-5
    )
    daily = read_series(shared_data / "daily_min_temperatures" / "daily-min-temperatures.csv")
    assert daily.values.shape == (3650, 1) and daily.step == "day"
    for name, shapes in (("gunpoint", (50, 150, 150)), ("italy_power", (67, 1029, 24))):
        train, test = read_ucr_pair(shared_data / f"ucr_{name}")
        assert (len(train.x), len(test.x), test.x.shape[1]) == shapes
        assert set(test.y) == {0, 1} and train.classes == ["1", "2"]
