"""A forecasting task from a series: parts in the order of time, and the forecast to beat."""

import dataclasses

import numpy as np

from cutaway.data.series import SEASONS, Scaling, Series, as_channels, windows
from cutaway.errors import DataError, OptionError, expect_range


@dataclasses.dataclass(frozen=True)
class ForecastingTask:
    """Windows to train on and windows to test on, scaled.

    All targets of the test part lie after the training part; the windows before them may reach
    back into it, as they would when one forecasts.

    Attributes:
        x, y: (rows, window, channels), (rows, horizon, targets) float32, to train on.
        x_test, y_test: as many later ones, to test on.
        naive_test: (rows, horizon, targets) the seasonal-naive forecast of y_test, unscaled.
        scaling: fitted on the training part.
        targets: numbers of the channels that are forecast.
        season: of the naive forecast; 1 repeats the last value.
        split: times before this one are for training.
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
        """Forecasts (rows, horizon, targets) in the units of the series."""
        return self.scaling.unscale(y, self.targets)


def forecasting_task(
    series: Series, *, window: int, horizon: int = 1, test=0.2, targets=None, season=None
) -> ForecastingTask:
    """Divide a series in the order of time and cut it into windows.

    Args:
        series: from read_series.
        window: times that are seen.
        horizon: times that are forecast.
        test: share of the times at the end that is held out, or how many times.
        targets: names of the series to forecast; by default all.
        season: steps after which the naive forecast repeats; by default the best of the usual
            ones on the training part.

    Raises:
        DataError: too short for that window, horizon and share.
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
    scaled = scaling.scale(values).astype(np.float32)
    x, y = windows(scaled[:split], window, horizon, targets=chosen)
    x_test, y_test = windows(scaled[split - window :], window, horizon, targets=chosen)
    if season is None:
        season = find_season(values[:split, chosen], series.step, horizon)
    origins = np.arange(split, len(values) - horizon + 1)
    naive = seasonal_naive(values[:, chosen], origins, season, horizon)
    copies = (np.ascontiguousarray(array) for array in (x, y, x_test, y_test))
    return ForecastingTask(*copies, naive, scaling, chosen, season, split)


def expect_long_enough(length: int, split: int, window: int, horizon: int) -> None:
    """Raise DataError unless both parts of a series have at least one window and horizon.

    The windows of the test part may reach back into the training part.
    """
    expect_range(window, what="window", least=1)
    expect_range(horizon, what="horizon", least=1)
    if split < window + horizon or length - split < horizon:
        raise DataError(
            f"the series has {length} values, {split} of them to train on and "
            f"{length - split} to test on",
            expected=f"at least {window + horizon} to train on (a window of {window} and a horizon "
            f"of {horizon}), and {horizon} to test on",
            fix="give a shorter window or horizon, or another share to test on",
        )


def chronological_split(length: int, test) -> int:
    """How many of the first times are for training if a share or a number is held out."""
    if isinstance(test, int):
        expect_range(test, what="times to test on", least=1, below=length)
        return length - test
    expect_range(test, what="share of times to test on", above=0, below=1)
    held = max(1, round(length * test))
    if held >= length:
        raise DataError(f"{length} values cannot be divided", expected="at least 2")
    return length - held


def seasonal_naive(values, origins, season: int, horizon: int) -> np.ndarray:
    """The forecast that everything is as it was a season ago.

        forecast[k, h] = values[origins[k] + h - season ceil((h + 1) / season)]

    so that only values before the origin are read.

    Args:
        values: (time, channels).
        origins: times of the first value to be forecast, at least `season`.
        season: steps; 1 repeats the last value.
        horizon: how many values.

    Returns:
        (origins, horizon, channels)

    References:
        Hyndman & Athanasopoulos, "ForecastingTask: principles and practice", 3rd edition, 5.2.

    Example:
        >>> seasonal_naive(np.array([[1], [2], [3], [4]]), [4], season=2, horizon=3)[0, :, 0]
        array([3, 4, 3])
    """
    values = as_channels(values)
    expect_range(season, what="season", least=1)
    origins = np.asarray(origins)
    if len(origins) and origins.min() < season:
        raise DataError(
            f"a forecast from time {origins.min()} on",
            expected=f"at least {season} values before it: one season",
            fix="give a shorter season, or a longer series",
        )
    ahead = np.arange(horizon)
    back = season * (ahead // season + 1)
    return values[origins[:, None] + ahead - back]


def find_season(values, step=None, horizon: int = 1, *, longest=None) -> int:
    """The season whose naive forecast errs least, in mean, on these values.

    Args:
        values: (time, channels).
        step: between two times; says which seasons are usual. Without it, the lag of the highest
            autocorrelation of the differences is tried.
        horizon: of the forecast.
        longest: steps that a season may have; by default as many as there are seasons for.

    Returns:
        that season, or 1 if to repeat the last value is better.
    """
    values = as_channels(values)
    usual = SEASONS.get(step) or _correlated_lag(values)
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
