"""Time-series forecasting, from a table with a row per time: preparation."""

from pathlib import Path

import numpy as np

from cutaway.data import Scaling, read_series
from cutaway.data.forecast import chronological_split, expect_long_enough, find_season
from cutaway.data.grouped_series import TimeSplit, split_parts
from cutaway.data.groups import SeriesPart, parts_of
from cutaway.data.leak_series import find_future
from cutaway.data.table_reading import read_encoded
from cutaway.data.times import step_between
from cutaway.errors import DataError, OptionError, expect_range
from cutaway.nn import seed
from cutaway.runs.experiment import IN_MEMORY, Experiment
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options.series import SeriesOptions
from cutaway.runs.series_rows import SeriesRows, series_frame, series_target
from cutaway.runs.split import expect_in_order, make_test_set
from cutaway.train.blocks import expect_batch

# usual forecast horizons
HORIZONS = {"hour": 24, "day": 7, "week": 4, "month": 12, "quarter": 4}
LEAST_WINDOW = 24
LONGEST_SEASON = 200  # an LSTM learns little over more steps; excludes a yearly season of days
OFFSETS = {
    "hour": (1, "h"),
    "day": (1, "d"),
    "week": (7, "d"),
    "month": (1, "mo"),
    "quarter": (3, "mo"),
    "year": (12, "mo"),
}


def prepare_series(path, options: SeriesOptions | None = None, *, why: str = "") -> Experiment:
    """Read series, cut them into windows, split these by time, and build a network for them.

    The validation windows are those whose targets all lie in the last part of their series;
    windows whose targets lie only partly in it are not used.

    Args:
        path: of a table with a row per time, or per time and group; or a frame or dict of columns.
        options: SeriesOptions.
        why: why the data were detected as a series.

    Raises:
        DataError: times out of order, missing values, a series that is too short or constant.
        OptionError: no such column, or several columns and no choice.
    """
    options = SeriesOptions() if options is None else options
    expect_in_order(options.split, "a time series")
    expect_range(options.validation, what="validation of a series", above=0)
    table, reading, cells = read_encoded(path, **options.reading())
    series = read_series(table, group=options.group)
    column = _choose_column(series, options.column)
    channel = series.names.index(column)
    frame = series_frame(series)
    parts = parts_of(frame, series.group)
    window, horizon, season = _choose_sizes(options, series, _usual(parts), channel)

    def expect_room(length, end, split):
        expect_long_enough(end, split, window, horizon)
        if options.test:
            expect_long_enough(length, end, window, horizon)

    split, short = split_parts(parts, options.test, options.validation, expect_room)
    _expect_varying(series.values[:, channel], parts, split, column)
    scaling = Scaling.fit(series.values[split.known])
    times = None if series.time is None else frame[series.time][_usual(parts).rows]
    every, month_end = (None, False) if times is None else _spacing(times)
    rows = SeriesRows(
        columns=series.names,
        time=series.time,
        every=every,
        month_end=month_end,
        window=window,
        horizon=horizon,
        season=season,
        scaling=scaling,
        target=series_target(column, scaling, channel, int(split.known.sum())),
        group=series.group,
        dates=series.dates,
        reading=reading,
    )
    arrays = rows.transform(frame)
    training, validation, test = split.windows(arrays.rows, horizon)
    test_set, test_notes = make_test_set(arrays.x, arrays.targets, test, "windows")
    expect_batch(options.batch(len(training)), len(training))
    leaks = [] if series.group is not None else find_future(series, column)
    seed(options.seed)
    spec = {
        "model": options.model,
        "loss": DEFAULT_LOSSES["regression"],
        "channels": len(series.names),
        "outputs": horizon,
        "hidden": options.hidden,
        "target": channel,
        "dropout": options.dropout,
    }
    return Experiment(
        kind="series",
        source=str(path) if isinstance(path, str | Path) else IN_MEMORY,
        target=column,
        options=options,
        frame=frame[arrays.rows],
        preprocessing=rows,
        training=training,
        validation=validation,
        row_numbers=arrays.rows + 1,
        x=arrays.x,
        y=arrays.targets,
        spec=spec,
        net=build_network(spec),
        notes=[
            *reading.notes(cells),
            *_notes(series, rows, parts, split, short),
            *test_notes,
            *(leak.sentence for leak in leaks),
        ],
        leaks=tuple(leaks),
        why=why,
        test=test_set,
        known=(frame, np.flatnonzero(split.known)),
    )


def _expect_varying(values, parts: list[SeriesPart], split: TimeSplit, column: str):
    """Raise DataError unless the training part of any series varies."""
    known = [values[part.rows[split.known[part.rows]]] for part in parts]
    known = [own for own in known if len(own)]
    if all(own.std() == 0 for own in known):
        raise DataError(
            f"the series {column!r} is constant: {known[0][0]:g} in all "
            f"{sum(map(len, known))} training rows",
            expected="values that differ",
        )


def _usual(parts: list[SeriesPart]) -> SeriesPart:
    """The series of median length."""
    return sorted(parts, key=lambda part: len(part.rows))[len(parts) // 2]


def _notes(series, rows: SeriesRows, parts: list[SeriesPart], split: TimeSplit, short) -> list[str]:
    """What a user has to know about how the series were read and split."""
    notes = []
    if series.group is None:
        end, first = int(split.end[0]), int(split.split[0])
        notes.append(f"the last {end - first:,} of {end:,} time steps are used for validation")
    else:
        notes.append(
            f"{len(parts):,} series, one for each value of {series.group!r}; of each the last time "
            "steps are used for validation (--group names another column)"
        )
    if short:
        notes.append(rows.left_out(short, "too short for training and validation", len(parts)))
    if series.dates is not None and series.dates.reason:
        notes.append(f"{series.time}: {series.dates.sentence()}")
    if series.time is not None and series.step is None:
        notes.append(f"the dates in {series.time!r} are not equally spaced")
    return notes


def _choose_column(series, column) -> str:
    if column is None and len(series.names) == 1:
        return series.names[0]
    if column is not None and column in series.names:
        return column
    raise OptionError(
        "no column to forecast was given"
        if column is None
        else f"there is no numeric column {column!r}",
        expected="one of " + ", ".join(series.names),
        fix=f"name it: column={series.names[-1]!r} (--target {series.names[-1]})",
    )


def _choose_sizes(options, series, part: SeriesPart, channel: int) -> tuple:
    """(window, horizon, season), as given or as they suit this series."""
    length = len(part.rows)
    end = chronological_split(length, options.test) if options.test else length
    split = chronological_split(end, options.validation)
    horizon = options.horizon or min(HORIZONS.get(series.step, 1), max(1, (length - split) // 2))
    if options.horizon is not None:
        expect_long_enough(end, split, options.window or 1, horizon)
    known = series.values[part.rows[:split]][:, [channel]]
    season = options.season or find_season(
        known, series.step, horizon, longest=options.window or LONGEST_SEASON
    )
    # for a short series: leave at least half of it to cut windows from
    room = max(season, split // 2 - horizon + 1)
    window = options.window or max(1, min(max(2 * season, LEAST_WINDOW), room))
    return window, horizon, season


def _spacing(times) -> tuple:
    """((count, unit) from one of the times to the next, whether all are last days of months)."""
    import polars as pl

    step = step_between(times)
    if step is not None:
        ends = OFFSETS[step][1] == "mo" and bool((times == times.dt.month_end()).all())
        return OFFSETS[step], ends
    if len(times) < 2:
        return (1, "d"), False
    seconds = times.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy() / 1e6
    usual = max(1, round(float(np.median(np.diff(seconds)))))
    return ((round(usual / 86_400), "d") if times.dtype == pl.Date else (usual, "s")), False
