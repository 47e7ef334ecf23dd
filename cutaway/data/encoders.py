"""Encoders of table columns: fitted on the training rows, stored as plain JSON values.

Each encoder is a frozen dataclass whose fields are JSON-safe, with `names` (of the output columns),
`fit` and `encode`. scikit-learn's SimpleImputer, StandardScaler and OneHotEncoder give the same
values (tested); they are not used because importing them takes a second.
"""

import dataclasses
from typing import Literal

import msgspec
import numpy as np

from cutaway.data.columns import clean
from cutaway.data.date_cycles import (
    CYCLES,
    EVERY_DATE,
    cycle_names,
    days,
    encode_cycles,
    varying_cycles,
)
from cutaway.data.dates import DateRecipe, find_dates, find_times
from cutaway.data.float32 import expect_float32
from cutaway.data.json_types import Finite, NotNegative
from cutaway.data.level_names import other_spellings
from cutaway.data.robust_scaling import LIMIT, center_and_spread, smooth_clip
from cutaway.data.text_column import TextColumn
from cutaway.errors import DataError, counted

MANY_LEVELS = 24  # with more levels, one column per level would be more noise than signal
SKEW = 2.0  # a non-negative column with a larger skewness is log-transformed
INDICATOR_FRACTION = 0.01  # with a larger fraction of missing values, missingness is a feature


@dataclasses.dataclass(frozen=True)
class Number:
    """A numeric column: the median for missing values, then (x - mean) / scale.

    Attributes:
        name: the column.
        median: of the values; replaces missing ones.
        log: whether ln(1 + x) is applied first.
        mean, scale: mean and standard deviation after that, of the imputed column. Of robust
            scaling median and interquartile range, or what takes its place, see center_and_spread;
            with a scale of 0 every value is encoded as 0.
        indicator: whether a 0/1 column marks the missing values.
        scaling: "standard", or "robust": then a smooth clip follows, and there is no logarithm.
    """

    name: str
    median: Finite
    log: bool
    mean: Finite
    scale: NotNegative
    indicator: bool
    kind: str = "number"
    scaling: Literal["standard", "robust"] = "standard"

    def __post_init__(self):
        if self.scaling == "standard" and not self.scale > 0:
            raise ValueError(f"the scale of {self.name!r} is {self.scale}")

    @classmethod
    def fit(cls, series, kind="number", scaling: Literal["standard", "robust"] = "standard"):
        values = _values(series)
        known = values[np.isfinite(values)]
        missing = 1 - len(known) / len(values)
        median = float(np.median(known)) if len(known) else 0.0
        filled = np.where(np.isfinite(values), values, median)
        indicator = missing >= INDICATOR_FRACTION
        if scaling == "robust":
            center, spread = center_and_spread(filled)
            return cls(series.name, median, False, center, spread, indicator, kind, scaling)
        log = bool(len(known)) and float(known.min()) >= 0 and _skew(filled) > SKEW
        if log:
            filled = np.log1p(filled)
        scale = float(filled.std())
        return cls(
            series.name,
            median,
            log,
            float(filled.mean()),
            scale if scale > 0 else 1.0,
            indicator,
            kind,
        )

    @property
    def names(self):
        return [self.name, f"{self.name} is missing"] if self.indicator else [self.name]

    def encode(self, series, notes):
        values = _values(_expect_numbers(series))
        missing = ~np.isfinite(values)
        if series.dtype.is_float() and missing.any():
            infinite = int(series.is_infinite().sum())
            if infinite:
                notes.append(f"{self.name}: {infinite} infinite values, treated as missing")
        if missing.any() and not self.indicator:
            notes.append(
                f"{self.name}: {missing.sum()} missing values, replaced by {self.median:g}"
            )
        filled = np.where(missing, self.median, values)
        if self.log:
            # fitted on values >= 0: clip negative ones
            filled = np.log1p(np.maximum(filled, 0))
        scaled = (filled - self.mean) / self.scale if self.scale else np.zeros(len(filled))
        columns = [smooth_clip(scaled) if self.scaling == "robust" else scaled]
        if self.indicator:
            columns.append(missing.astype(float))
        return columns

    def summary(self) -> str:
        steps = ["log-transformed" if self.log else "", "standardized"]
        if self.scaling == "robust":
            steps = [f"scaled by median and quartiles, smoothly clipped to ±{LIMIT:g}"]
        if self.indicator:
            steps.append(f"missing ones {self.median:g}, with an indicator column")
        return ", ".join(s for s in steps if s)


@dataclasses.dataclass(frozen=True)
class Category:
    """A categorical column, one-hot encoded, with a column for missing values if there were any.

    A level that was not seen in fitting is encoded as zeros.
    """

    name: str
    levels: list[str]
    missing: bool
    kind: str = "category"

    @classmethod
    def fit(cls, series):
        texts = _texts(series)
        levels = sorted({t for t in texts if t is not None}, key=_natural)
        return cls(series.name, levels, any(t is None for t in texts))

    @property
    def names(self):
        names = [f"{self.name}={level}" for level in self.levels]
        return [*names, f"{self.name} is missing"] if self.missing else names

    def encode(self, series, notes):
        codes = _codes(self, series, notes, missing=len(self.levels) if self.missing else None)
        return [(codes == k).astype(float) for k in range(len(self.names))]

    def summary(self) -> str:
        return f"one-hot, {len(self.names)} columns" + (", one for missing" if self.missing else "")


@dataclasses.dataclass(frozen=True)
class EmbeddedCategory:
    """A categorical column with many levels: the index of a learned embedding vector.

    Index 0 is for missing values and for levels that were not seen in fitting.
    """

    name: str
    levels: list[str]
    kind: str = "embedded"

    @classmethod
    def fit(cls, series):
        levels = sorted({t for t in _texts(series) if t is not None}, key=_natural)
        return cls(series.name, levels)

    @property
    def names(self):
        return [self.name]

    @property
    def size(self) -> tuple[int, int]:
        """(levels with the unknown one, width of the vector: half as many, at most 50)."""
        count = len(self.levels) + 1
        return count, min(50, (count + 1) // 2)

    def encode(self, series, notes):
        return [_codes(self, series, notes, missing=-1) + 1.0]

    def summary(self) -> str:
        return f"embedding: {self.size[0]} vectors of size {self.size[1]}"


@dataclasses.dataclass(frozen=True)
class Presence:
    """A text column of which only the presence of a value is used."""

    name: str
    kind: str = "presence"

    @classmethod
    def fit(cls, series):
        return cls(series.name)

    @property
    def names(self):
        return [f"{self.name} is present"]

    def encode(self, series, notes):
        return [series.is_not_null().to_numpy().astype(float)]

    def summary(self) -> str:
        return "1 if present, 0 if missing"


@dataclasses.dataclass(frozen=True)
class Date:
    """A date column: the day as a number, and sine and cosine of the cycles it is in.

    With a time of day, the day is a fraction, and the hour of day a cycle with two harmonics.

    Attributes:
        name: the column.
        day: of days since 1970-01-01; of a column of times alone, of hours since midnight.
        recipe: how its dates are written.
        cycles: of date_cycles.CYCLES, those in which the training rows differ.
    """

    name: str
    day: Number
    kind: str = "date"
    recipe: DateRecipe = dataclasses.field(default_factory=DateRecipe)
    cycles: tuple[str, ...] = EVERY_DATE

    def __post_init__(self):
        if not set(self.cycles) <= set(CYCLES):
            raise ValueError(f"no such cycles: {self.cycles}")

    @classmethod
    def fit(
        cls,
        series,
        recipe: DateRecipe | None = None,
        scaling: Literal["standard", "robust"] = "standard",
    ):
        """The encoder for a column.

        Args:
            recipe: found on a whole column, of which `series` holds the training rows.
            scaling: of the day, see Number.
        """
        series = clean(series)
        if recipe is None:
            found = find_dates(series) or find_times(series) or find_dates(series, sure=True)
            recipe = found or DateRecipe()
        values = days(recipe.parse(series), whole=not recipe.has_time)
        known = values[np.isfinite(values)]
        cycles = varying_cycles(known, has_day=recipe.has_day, has_time=recipe.has_time)
        day = Number.fit(_days(series.name, values, recipe), scaling=scaling)
        return cls(series.name, day, "date", recipe, cycles)

    @property
    def names(self):
        day = [self.name, *(f"{self.name} is missing" for _ in range(self.day.indicator))]
        return [*day, *(f"{self.name} {c}" for c in cycle_names(self.cycles))]

    def encode(self, series, notes):
        series = _expect_dates(clean(series), self.recipe)
        times = self.recipe.parse(series)
        _note_unreadable(series, times, notes)
        values = days(times, whole=not self.recipe.has_time)
        scaled = self.day.encode(_days(self.name, values, self.recipe), notes)
        usual = self.day.median if self.recipe.has_day else self.day.median / 24
        filled = np.where(np.isfinite(values), values, usual)
        return scaled + encode_cycles(filled, self.cycles)

    def summary(self) -> str:
        number = "day" if self.recipe.has_day else "hour"
        return f"{number} as a number, cycles of {', '.join(self.cycles)}"


ENCODERS = {"number": Number, "boolean": Number, "category": Category, "date": Date}
ENCODERS |= {"embedded": EmbeddedCategory, "presence": Presence, "text": TextColumn}


def fit_encoder(
    kind: str,
    series,
    like=None,
    *,
    recipe: DateRecipe | None = None,
    scaling: Literal["standard", "robust"] = "standard",
):
    """The encoder for a cleaned column of that kind.

    Args:
        like: the encoder of the whole column, if `series` holds a part of its rows; how its dates
            are written and its numbers scaled is known from there.
        recipe: how its dates are written, if that is known.
        scaling: of numbers, see Number.
    """
    if isinstance(like, Number | Date):
        scaling = like.day.scaling if isinstance(like, Date) else like.scaling
    if kind == "date":
        return Date.fit(series, like.recipe if isinstance(like, Date) else recipe, scaling)
    if kind == "category":
        plain = Category.fit(series)
        return EmbeddedCategory.fit(series) if len(plain.levels) > MANY_LEVELS else plain
    if kind == "boolean":
        if series.dtype == _string():
            return Category.fit(series)
        return Number.fit(series, "boolean", scaling)
    return Number.fit(series, kind, scaling) if kind == "number" else ENCODERS[kind].fit(series)


def from_json(value: dict):
    """The encoder from the value of dataclasses.asdict.

    Raises:
        msgspec.ValidationError: a field is of another type. KeyError, TypeError: it has no kind.
    """
    return msgspec.convert(value, type=ENCODERS[value["kind"]])


def _string():
    import polars as pl

    return pl.String


def _values(series) -> np.ndarray:
    """float64 values, NaN where missing, none beyond the range of float32."""
    import polars as pl

    values = series.cast(pl.Float64).to_numpy()
    expect_float32(values, f"column {series.name!r}")
    return values


def _days(name: str, values, recipe: DateRecipe):
    """Days since 1970, or hours of a column of times alone, as a polars Series."""
    import polars as pl

    return pl.Series(name, values if recipe.has_day else 24 * values).fill_nan(None)


def _expect_dates(series, recipe: DateRecipe):
    """The column, unless it holds numbers or other values where the recipe reads texts."""
    import polars as pl

    readable = series.dtype in (pl.String, pl.Null) or series.dtype.is_temporal()
    if readable or (recipe.digits and series.dtype.is_integer()):
        return series
    raise DataError(
        f"column {series.name!r} holds {series.dtype}",
        expected=f"{recipe.sentence()}, as in training",
        fix="write them as in the training data, or leave the cells empty",
    )


def _note_unreadable(series, times, notes):
    """Note the cells of a column that are neither dates nor blank."""
    import polars as pl

    if series.dtype != pl.String:
        return
    bad = series.filter(times.is_null() & series.str.contains(r"\S").fill_null(False))
    if len(bad):
        notes.append(f"{series.name}: {len(bad)} cells are no dates ({bad[0]!r}), read as missing")


def _texts(series) -> list:
    """Values as strings, None if missing; 1 and 1.0 are the same."""
    series = clean(series)
    if series.dtype.is_numeric():
        return [None if v is None else f"{v:.15g}" for v in series.to_list()]
    return [None if v is None else _plain_integer(str(v)) for v in series.to_list()]


def _plain_integer(text: str) -> str:
    """1 of 1.0, as pandas writes integers beside a missing value; 007 and 1.10 stay."""
    whole, point, rest = text.partition(".")
    return whole if point and rest and not rest.strip("0") and whole.isdecimal() else text


def _natural(text: str):
    """Sort key: numbers by value, before strings in alphabetical order."""
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)


def _codes(encoder, series, notes, *, missing) -> np.ndarray:
    """Index of each value's level; `missing` for missing values, -1 for unseen levels."""
    places = {level: k for k, level in enumerate(encoder.levels)}
    texts = _texts(series)
    same = other_spellings(texts, encoder.levels)
    if same:
        texts: list = [same.get(t, t) for t in texts]
    places[None] = -1 if missing is None else missing
    codes = np.fromiter((places.get(t, -1) for t in texts), int, len(texts))
    unseen = [t for t in texts if t not in places]
    if unseen:
        new = sorted(set(unseen), key=_natural)
        shown = ", ".join(map(repr, new[:3])) + (" ..." if len(new) > 3 else "")
        notes.append(
            f"{encoder.name}: {counted(len(unseen), 'row')} with values not seen in training "
            f"({shown}), "
            "encoded as unknown"
        )
    lost = sum(t is None for t in texts) if missing is None else 0
    if lost:
        notes.append(f"{encoder.name}: {lost} missing values; the training data had none")
    return codes


def _expect_numbers(series):
    """The column as numbers; strings that hold numbers are converted."""
    import polars as pl

    series = clean(series)
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series
    if series.dtype == pl.Null:
        return series.cast(pl.Float64)
    numbers = series.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    bad = numbers.is_null() & series.is_not_null()
    if bad.any():
        row = int(bad.arg_max())
        raise DataError(
            f"column {series.name!r} holds {series[row]!r} in row {row + 1} "
            f"({bad.sum()} such values)",
            expected="numbers, as in training",
            fix="fix the values, or leave the cells empty if they are unknown",
        )
    return numbers


def _skew(values) -> float:
    std = values.std()
    return float((((values - values.mean()) / std) ** 3).mean()) if std > 0 else 0.0
