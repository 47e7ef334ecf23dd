"""Leaks: what tells the target of a table before any training, and would not in real use."""

import numpy as np

from cutaway.data.columns import USED, Column, clean
from cutaway.data.duplicate_rows import find_duplicates
from cutaway.data.found_leak import Leak, leave_out, some_rows
from cutaway.data.leak_classes import class_leak
from cutaway.data.leak_formulas import find_formula
from cutaway.data.leak_values import value_leak
from cutaway.data.target import Target

SAMPLE = 4000  # rows that columns are measured on
MOST_MISSING = 0.05  # a column with a larger fraction of missing values is in no formula
SORTED = 0.999  # rank correlation of row number and target in a table that is sorted by it


def find_leaks(
    frame, target: Target, columns: list[Column], *, y=None, training=None, held_out=None
) -> list[Leak]:
    """The leaks of a table: single columns, formulas of several, and rows in several sets.

    Args:
        frame: polars frame whose rows all have a target.
        target: the fitted Target.
        columns: as from find_columns; those that are not used are not examined.
        y: (rows,) class numbers or values of the target, if they are known.
        training: indices of the training rows, for rows in several sets; None: these are not
            looked for.
        held_out: {"validation": indices, "test": indices}.

    Example:
        >>> import polars as pl
        >>> from cutaway.data import TablePreprocessing
        >>> from cutaway.data.leaks import find_leaks
        >>> frame = pl.DataFrame({"x": [1, 2] * 50, "y": ["no", "yes"] * 50})
        >>> fitted = TablePreprocessing.fit(frame, "y")
        >>> [leak.kind for leak in find_leaks(frame, fitted.target, fitted.columns)]
        ['copy']
    """
    used = [column for column in columns if column.kind in USED]
    if y is None:
        y = _values(frame, target)
    rows = _sample(y, target.task)
    part = frame[rows]
    series_of = {series.name: series for series in part.get_columns()}
    found, alone, numbers = [], set(), {}
    for column in used:
        values = as_values(series_of[column.name], column.kind)
        is_category = column.kind == "category"
        if target.classes is not None:
            leak = class_leak(column.name, values, column.kind, y[rows], target, len(used))
        elif column.kind == "date":
            leak = None  # what is smooth in time is no leak
        else:
            leak = value_leak(column.name, values, is_category, y[rows], target.name)
        if leak is not None:
            alone.add(column.name)
            leak = _as_row_order(leak, frame[column.name], y, target)
        if leak is not None:
            found.append(leak)
        is_number = series_of[column.name].dtype.is_numeric()
        if column.kind == "number" and is_number and column.name not in alone:
            numbers[column.name] = values
    if target.classes is None:
        found += _formulas(numbers, y[rows], target.name)
    if training is not None:
        names = [column.name for column in used]
        found += find_duplicates(frame, target.name, names, training, held_out or {})
    return found


def _values(frame, target) -> np.ndarray:
    """Class numbers, or the values as they stand."""
    series = clean(frame[target.name])
    if target.classes is None and series.dtype.is_numeric():
        return series.cast(float).to_numpy()
    encoded = target.encode(frame[target.name])
    return encoded if target.classes is not None else target.decode(encoded)


def _sample(y, task) -> np.ndarray:
    """Sorted indices of at most about SAMPLE rows; rare classes are kept whole where they fit."""
    if len(y) <= SAMPLE:
        return np.arange(len(y))
    order = np.random.default_rng(0).permutation(len(y))
    if task == "regression":
        return np.sort(order[:SAMPLE])
    classes = np.bincount(y)
    most = max(2, SAMPLE // len(classes))
    by_class = order[np.argsort(y[order], kind="stable")]
    rank = np.arange(len(y)) - np.repeat(np.cumsum(classes) - classes, classes)
    return np.sort(by_class[rank < most])


def as_values(series, kind: str) -> np.ndarray:
    """(rows,) float64: numbers, of texts their order in the alphabet; infinite where missing."""
    import polars as pl

    if kind == "presence":
        return series.is_not_null().cast(pl.Float64).to_numpy()
    series = clean(series)
    if series.dtype.is_temporal():
        series = series.to_physical()
    elif not series.dtype.is_numeric() and series.dtype != pl.Boolean:
        series = series.cast(pl.String).rank("dense")
    values = series.cast(pl.Float64).fill_null(float("inf")).to_numpy()
    return np.where(np.isnan(values), np.inf, values)


def _as_row_order(leak, series, y, target) -> Leak | None:
    """The leak, or that it is one of the order of the rows, or None if it is of smooth rows."""
    values = clean(series)
    if not values.dtype.is_integer() or values.null_count():
        return leak
    steps = np.diff(values.to_numpy().astype(np.float64))
    if not len(steps) or not (steps > 0).all():
        return leak
    name = leak.columns[0]
    if target.classes is None and leak.kind != "copy":
        ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
        if abs(np.corrcoef(ranks, np.arange(len(y)))[0, 1]) < SORTED:
            return None
    return Leak(
        "row_order",
        leak.columns,
        leak.number,
        leak.measured,
        f"the rows are sorted by `{target.name}` and `{name}` grows from row to row, so that the "
        f"number alone tells `{target.name}`",
        leave_out((name,)),
    )


def _formulas(numbers, y, target) -> list[Leak]:
    complete = {k: v for k, v in numbers.items() if np.isinf(v).mean() <= MOST_MISSING}
    if len(complete) < 2:
        return []
    x = np.column_stack(list(complete.values()))
    rows = np.isfinite(x).all(axis=1)
    formula = find_formula(list(complete), x[rows], y[rows])
    if formula is None:
        return []
    count = int(rows.sum())
    return [
        Leak(
            "formula",
            formula.columns,
            formula.fraction,
            "fraction of rows that obey the formula",
            f"`{target}` = {formula.text} in {some_rows(round(formula.fraction * count), count)}",
            leave_out(formula.columns),
        )
    ]
