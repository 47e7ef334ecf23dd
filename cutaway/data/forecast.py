"""Forecasting tasks: a chronological split of a series, and the seasonal naive baseline."""

import dataclasses

import numpy as np

from cutaway.data.float32 import to_float32
from cutaway.data.series import SEASONS, Scaling, Series, as_channels, windows
from cutaway.errors import DataError, OptionError, expect_range


@dataclasses.dataclass(frozen=True)
class ForecastingTask:
    """Scaled windows for training and test.

    All targets of the test windows lie after the training part; their inputs may reach back into
    it, as in a real forecast.

    Attributes:
        x, y: (rows, window, channels), (rows, horizon, targets) float32, for training.
        x_test, y_test: the same for the test.
        naive_test: (rows, horizon, targets) the seasonal naive forecast of y_test, unscaled.
        scaling: fitted on the training part.
        targets: indices of the channels to forecast.
        season: of the seasonal naive forecast; 1 repeats the last value.
        split: number of time steps in the training part.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    naive_test: np.ndarray
    scaling: Scaling
    targets: list
    season: int
    split: int

    def unscale(self, y) -> np.ndarray:
        """Forecasts (rows, horizon, targets) in the unit of the series."""
        return self.scaling.unscale(y, self.targets)


def forecasting_task(
    series: Series, *, window: int, horizon: int = 1, test=0.2, targets=None, season=None
) -> ForecastingTask:
    """Split a series by time and cut it into windows.

    Args:
        series: from read_series.
        window: time steps per input window.
        horizon: time steps to forecast.
        test: fraction or number of the last time steps, for the test.
        targets: names of the series to forecast; by default all.
        season: of the seasonal naive forecast; by default the best of the usual ones on the
            training part.

    Raises:
        DataError: too short for that window, horizon and fraction.
        OptionError: an unknown target.
    """
    values = as_channels(series.values)
    split = chronological_split(len(values), test)
    names = list(series.names) if targets is None else list(targets)
    for name in names:
        if name not in series.names:
            raise OptionError(
                f"there is no series {name!r}", expected="one of " + ", ".join(series.names)
            )
    chosen = [series.names.index(name) for name in names]
    expect_long_enough(len(values), split, window, horizon)
    scaling = Scaling.fit(values[:split])
    scaled = to_float32(scaling.scale(values), "the series, scaled as in its training part,")
    x, y = windows(scaled[:split], window, horizon, targets=chosen)
    x_test, y_test = windows(scaled[split - window :], window, horizon, targets=chosen)
    if season is None:
        season = find_season(values[:split, chosen], series.step, horizon)
    origins = np.arange(split, len(values) - horizon + 1)
    naive = seasonal_naive(values[:, chosen], origins, season, horizon)
    return ForecastingTask(
        x=np.ascontiguousarray(x),
        y=np.ascontiguousarray(y),
        x_test=np.ascontiguousarray(x_test),
        y_test=np.ascontiguousarray(y_test),
        naive_test=naive,
        scaling=scaling,
        targets=chosen,
        season=season,
        split=split,
    )


def expect_long_enough(length: int, split: int, window: int, horizon: int) -> None:
    """Raise DataError unless both parts of a series have at least one window and horizon.

    The windows of the test part may reach back into the training part.
    """
    expect_range(window, what="window", least=1)
    expect_range(horizon, what="horizon", least=1)
    if split < window + horizon or length - split < horizon:
        raise DataError(
            f"the series has {length} values: {split} for training and {length - split} for "
            "validation or test",
            expected=f"at least {window + horizon} for training (a window of {window} and a "
            f"horizon of {horizon}), and {horizon} for validation or test",
            fix="use a shorter window or horizon, or another split",
        )


def chronological_split(length: int, test) -> int:
    """The number of training steps at the start; test: fraction or number of the last steps."""
    if isinstance(test, int):
        expect_range(test, what="number of test steps", least=1, below=length)
        return length - test
    expect_range(test, what="test fraction", above=0, below=1)
    last = max(1, round(length * test))
    if last >= length:
        raise DataError(f"{length} values cannot be split", expected="at least 2")
    return length - last


def seasonal_naive(values, origins, season: int, horizon: int) -> np.ndarray:
    """The seasonal naive forecast: the values of one season before.

        forecast[k, h] = values[origins[k] + h - season ceil((h + 1) / season)]

    It uses only values before the origin.

    Args:
        values: (time, channels).
        origins: indices of the first value to forecast, at least `season`.
        season: in steps; 1 repeats the last value.
        horizon: number of values.

    Returns:
        (origins, horizon, channels)

    References:
        Hyndman & Athanasopoulos, "Forecasting: principles and practice", 3rd edition, 5.2.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import seasonal_naive
        >>> seasonal_naive(np.array([[1], [2], [3], [4]]), [4], season=2, horizon=3)[0, :, 0]
        array([3, 4, 3])
    """
    values = as_channels(values)
    expect_range(season, what="season", least=1)
    origins = np.asarray(origins)
    if len(origins) and origins.min() < season:
        raise DataError(
            f"the first forecast is at index {origins.min()}",
            expected=f"at least {season} values before it, one season",
            fix="use a shorter season, or a longer series",
        )
    ahead = np.arange(horizon)
    back = season * (ahead // season + 1)
    return values[origins[:, None] + ahead - back]


def find_season(values, step=None, horizon: int = 1, *, longest=None) -> int:
    """The season whose naive forecast has the lowest mean absolute error on these values.

    Args:
        values: (time, channels).
        step: between two times; determines the usual seasons. Without it, the lag with the highest
            autocorrelation of the differences is tried.
        horizon: of the forecast.
        longest: maximum season; by default limited by the length of the series.

    Returns:
        that season, or 1 if repeating the last value is better.
    """
    values = as_channels(values)
    usual = SEASONS.get(step or "") or _correlated_lag(values)
    most = len(values) if longest is None else longest
    candidates = [1, *(s for s in usual if s <= most and 2 * s + horizon <= len(values))]
    first = max(candidates)  # the same origins for all, so that the errors compare
    origins = np.arange(first, len(values) - horizon + 1)
    scale = values.std(axis=0)
    scale = np.where(scale > 0, scale, 1)

    def error(season):
        truth = values[origins[:, None] + np.arange(horizon)]
        return float(
            (np.abs(seasonal_naive(values, origins, season, horizon) - truth) / scale).mean()
        )

    return min(candidates, key=error) if len(origins) else 1


def _correlated_lag(values) -> tuple:
    changes = np.diff(values, axis=0)
    changes = changes - changes.mean(axis=0)
    length = len(changes)
    if length < 8:
        return ()
    power = np.abs(np.fft.rfft(changes, 2 * length, axis=0)) ** 2
    correlation = np.fft.irfft(power, axis=0)[: length // 2].sum(axis=1)
    lag = int(np.argmax(correlation[2:])) + 2
    return (lag,)
