"""The target: its task, and how it is encoded."""

import dataclasses
from typing import Literal

import msgspec
import numpy as np

from cutaway.data.class_codes import notes_of_codes
from cutaway.data.columns import clean
from cutaway.data.float32 import expect_float32, to_float32
from cutaway.data.json_types import Count, Finite, Positive
from cutaway.data.level_names import other_spellings
from cutaway.errors import DataError, OptionError, counted, expect_choice

TASKS = ("binary", "multiclass", "regression")
TRANSFORMS = ("none", "log1p")
LARGEST_LOG = 88.0  # e^88 is about the largest float32
# integers are classes by default if there are so few of them ...
FEW_INTEGERS = 10
FEW_ROWS = 2  # ... and so many rows of each on average
# or, numbered from 0 or 1 without a gap, a few more, none of them rare
MANY_INTEGERS = 30
MANY_ROWS = 5
RARE = 0.25  # of the mean number of rows
MOST_CLASSES = 0.5  # fraction of the rows: with more, hardly a class is seen twice


@dataclasses.dataclass(frozen=True)
class Target:
    """The column to predict.

    Attributes:
        name: the column.
        task: "binary", "multiclass" or "regression".
        classes: the sorted values, for classification; None for regression.
        mean, scale: for regression: y is (value - mean) / scale, of the transformed value.
        counts: rows per class; for regression the number of rows.
        notes: messages for the user.
        transform: for regression: "log1p" if ln(1 + value) is standardized, for skewed targets;
            or "none".
        center: the mean of the values themselves, if they are transformed; otherwise None.
        bounds: (least, largest) of the values, to which predictions are limited; None: they are
            not.
    """

    name: str
    task: str
    classes: list | None
    mean: Finite
    scale: Positive
    counts: list[Count]
    notes: list[str]
    transform: Literal["none", "log1p"] = "none"
    center: Finite | None = None
    bounds: tuple[Finite, Finite] | None = None

    @classmethod
    def fit(
        cls,
        series,
        task=None,
        *,
        transform: Literal["none", "log1p"] = "none",
        clamp: bool = False,
    ):
        """The target of a column.

        Args:
            series: the column.
            task: one of TASKS; None: depends on the values.
            transform: see Target; of classes it has no effect.
            clamp: whether predicted numbers are limited to the range of these values.

        Raises:
            DataError: no values, one class, or a number that is none.
            OptionError: a task or a transform that does not fit the values.
        """
        name = series.name
        expect_choice(transform, TRANSFORMS, what="transform of the target")
        notes = []
        missing = series.null_count()
        series = clean(series.drop_nulls())
        broken = series.null_count()
        if broken:
            raise DataError(
                f"the target {name!r} is NaN or infinite in {broken} rows",
                expected="a value, or an empty cell",
                fix="fix these rows or empty their cells; rows without a target are skipped",
            )
        if missing:
            notes.append(f"{name}: skipped {counted(missing, 'row')} without a value")
        if len(series) == 0:
            raise DataError(
                f"the target {name!r} has no values",
                expected="a value in at least two rows",
                fix="choose another column as target",
            )
        if task is None:
            task, why = _usual_task(series)
            notes += [f"{name}: {why}"] if why else []
        expect_choice(task, TASKS, what="task")
        if task == "regression":
            return cls._fit_numbers(series, notes, transform, clamp)
        return cls._fit_classes(series, task, notes)

    @classmethod
    def _fit_numbers(cls, series, notes, transform, clamp):
        if not series.dtype.is_numeric():
            raise OptionError(
                f"the target {series.name!r} holds {series.dtype}, for example {series[0]!r}",
                expected="numbers, for regression",
                fix="omit the task, or choose another target",
            )
        values = series.to_numpy().astype(np.float64)
        expect_float32(values, f"the target {series.name!r}")
        low, high, center = float(values.min()), float(values.max()), None
        if transform == "log1p":
            if low < 0:
                raise OptionError(
                    f"the target {series.name!r} holds {low:g}, and its logarithm was asked for",
                    expected="numbers >= 0, for ln(1 + value)",
                    fix='choose the transform "none"',
                )
            center = float(values.mean())
            values = np.log1p(values)
        scale = float(values.std())
        if scale == 0:
            raise DataError(
                f"the target {series.name!r} is constant: {low:g} in every row",
                expected="values that differ",
                fix="choose another column as target",
            )
        return cls(
            series.name,
            "regression",
            None,
            float(values.mean()),
            scale,
            [len(values)],
            notes,
            transform,
            center,
            (low, high) if clamp else None,
        )

    @classmethod
    def _fit_classes(cls, series, task, notes):
        table = series.alias("value").value_counts(name="count").sort("value")
        classes, counts = table["value"].to_list(), table["count"].to_list()
        if len(classes) == 1:
            raise DataError(
                f"the target {series.name!r} has only one class, {classes[0]!r}, "
                f"in all {counts[0]} rows",
                expected="at least two classes",
                fix="choose another column, or add rows of another class",
            )
        if len(classes) > max(20, MOST_CLASSES * sum(counts)):
            raise DataError(
                f"the target {series.name!r} has {len(classes):,} classes in {sum(counts):,} rows, "
                f"for example {classes[0]!r}",
                expected="two rows of each class and more, on average",
                fix='choose another column; for a numeric target set task="regression" '
                "(--task regression)",
            )
        if task == "binary" and len(classes) != 2:
            raise OptionError(
                f"the target {series.name!r} has {len(classes)} classes",
                expected="two, for a binary task",
                fix="omit the task",
            )
        alone = [c for c, n in zip(classes, counts, strict=True) if n == 1]
        if alone:
            shown = ", ".join(map(repr, alone[:5])) + (", ..." if len(alone) > 5 else "")
            notes.append(f"{series.name}: only one row of {shown}, too few to learn or to score")
        notes += notes_of_codes(series.name, classes, counts)
        task = "binary" if len(classes) == 2 else "multiclass"
        return cls(series.name, task, classes, 0.0, 1.0, counts, notes)

    def refit(self, series) -> "Target":
        """The same task and classes, with mean and scale, or counts, of other rows."""
        if self.task == "regression":
            clamp = self.bounds is not None
            return Target.fit(series, self.task, transform=self.transform, clamp=clamp)
        counts = np.bincount(self.encode(series), minlength=len(self.classes or []))
        return dataclasses.replace(self, counts=counts.tolist())

    def encode(self, series) -> np.ndarray:
        """Class numbers (rows,) int32, or standardized values (rows,) float32."""
        if self.task == "regression":
            if not series.dtype.is_numeric():
                raise DataError(
                    f"the target {self.name!r} holds {series.dtype}, for example {series[0]!r}",
                    expected="numbers, as in training",
                )
            values = series.to_numpy().astype(np.float64)
            if not np.isfinite(values).all():
                raise DataError(
                    f"the target {self.name!r} is NaN or infinite in "
                    f"{(~np.isfinite(values)).sum()} rows",
                    expected="numbers, or empty cells",
                )
            expect_float32(values, f"the target {self.name!r}")
            if self.transform == "log1p":
                self._expect_logarithms(values)
                values = np.log1p(values)
            return to_float32(
                (values - self.mean) / self.scale, f"the target {self.name!r}, scaled,"
            )
        classes = self.classes or []
        places = {_key(c): k for k, c in enumerate(classes)}
        keys = self._keys(series)
        unseen = sorted({str(k) for k in keys if k not in places})
        if unseen:
            raise DataError(
                f"the target {self.name!r} holds {unseen[0]!r} in {keys.count(unseen[0])} rows, "
                "a class that is not in the training data",
                expected="one of " + ", ".join(map(str, classes)),
                fix="remove these rows, or train again with rows of that class",
            )
        return np.fromiter((places[k] for k in keys), np.int32, len(keys))

    def _expect_logarithms(self, values) -> None:
        if (values <= -1).any():
            raise DataError(
                f"the target {self.name!r} holds {values.min():g}",
                expected="numbers above -1: the network was trained on ln(1 + value)",
                fix="remove these rows, or train again with them and another transform",
            )

    def decode(self, encoded) -> np.ndarray:
        """Standardized values back in the target's unit, float64; they are not limited.

        Example:
            >>> import polars as pl
            >>> from cutaway.data.target import Target
            >>> values = pl.Series("y", [0.0, 1.0, 9.0])
            >>> target = Target.fit(values, "regression", transform="log1p")
            >>> target.decode(target.encode(pl.Series("y", [4.0]))).round(4).tolist()
            [4.0]
        """
        values = np.asarray(encoded, np.float64) * self.scale + self.mean
        return np.expm1(np.minimum(values, LARGEST_LOG)) if self.transform == "log1p" else values

    def limited(self, values) -> np.ndarray:
        """Predicted values in the target's unit, within the bounds if there are some."""
        return np.asarray(values) if self.bounds is None else np.clip(values, *self.bounds)

    @property
    def unit_mean(self) -> float:
        """The mean of the training rows in the target's unit."""
        return self.mean if self.center is None else self.center

    def unseen(self, series):
        """(rows,) polars booleans: whether a value is none of the classes; a missing one may be."""
        import polars as pl

        known = {_key(c) for c in self.classes or []}
        unseen = [key is not None and key not in known for key in self._keys(series)]
        return pl.Series(series.name, unseen, dtype=pl.Boolean)

    def _keys(self, series) -> list:
        """The values as classes are compared, None where missing; 7,4 is the class 7.4."""
        keys: list = [None if value is None else _key(value) for value in clean(series).to_list()]
        same = other_spellings(keys, map(_key, self.classes or []))
        return [same.get(key, key) for key in keys] if same else keys

    def summary_row(self) -> tuple:
        """The target's row in TablePreprocessing.summary_rows."""
        if self.classes is None:
            done = f"standardized (mean {self.mean:.4g}, std {self.scale:.4g})"
            if self.transform == "log1p":
                done = f"ln(1 + value), {done}"
            if self.bounds is not None:
                done += ", predictions limited to {:.4g} to {:.4g}".format(*self.bounds)
            return (self.name, "target", done, "", "", "regression")
        counts = [f"{c}: {n:,}" for c, n in zip(self.classes[:6], self.counts[:6], strict=True)]
        more = f", {len(self.classes) - 6} more" if len(self.classes) > 6 else ""
        done = f"training rows of {', '.join(counts)}{more}"
        return (self.name, "target", done, "", f"{len(self.classes)}", self.task)

    def to_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict) -> "Target":
        """The target that `to_json` returned.

        Raises:
            ValueError: it is something else.
        """
        found = msgspec.convert(value, type=cls)
        classes = found.classes or []
        expect_choice(found.task, TASKS, what="task")
        if (found.task == "regression") != (found.classes is None):
            raise ValueError(f"a {found.task} with classes {found.classes}")
        if len({type(name) for name in classes}) > 1:
            raise ValueError("classes of several types")
        if found.classes is not None and not 2 <= len(classes) == len(found.counts):
            raise ValueError(f"{len(classes)} classes and {len(found.counts)} counts")
        if not isinstance(next(iter(classes), ""), str | int | float):
            raise ValueError(f"a class {classes[0]!r}")
        if len({_key(name) for name in classes}) < len(classes):
            raise ValueError("two classes of one name")
        if (found.task == "binary") != (len(classes) == 2):
            raise ValueError(f"a {found.task} target with {len(classes)} classes")
        if found.task == "regression" and len(found.counts) != 1:
            raise ValueError(f"{len(found.counts)} counts of rows")
        if found.classes is not None and (found.transform != "none" or found.bounds is not None):
            raise ValueError("classes that are transformed or limited")
        if (found.transform == "none") != (found.center is None):
            raise ValueError(f"the transform {found.transform} and the mean {found.center}")
        if found.bounds is not None and found.bounds[0] > found.bounds[1]:
            raise ValueError(f"bounds {found.bounds}")
        return found


def _usual_task(series) -> tuple[str, str]:
    """(task, why, for integers): strings, booleans and a few distinct integers are classes."""
    distinct, rows = series.n_unique(), len(series)
    if distinct == 2:
        return "binary", ""
    if not series.dtype.is_numeric():
        return "multiclass", ""
    if not (series.dtype.is_integer() or bool((series == series.round()).all())):
        return "regression", ""
    least, most = int(series.min()), int(series.max())
    what = f"{distinct} different integers, {least} to {most}, in {rows:,} rows"
    rarest = int(series.alias("value").value_counts(name="count")["count"].min())
    numbered = least in (0, 1) and most - least == distinct - 1
    is_class = distinct <= FEW_INTEGERS and rows >= FEW_ROWS * distinct
    is_class |= (
        distinct <= MANY_INTEGERS and numbered and rarest >= max(MANY_ROWS, RARE * rows / distinct)
    )
    if is_class:
        return (
            "multiclass",
            f"{what}, are taken as classes; --task regression takes them as numbers",
        )
    few = distinct <= MANY_INTEGERS
    how = f"{what}, are taken as numbers; --task multiclass takes them as classes"
    return "regression", how if few else ""


def _key(value) -> str:
    """1, 1.0 and "1" are the same class."""
    if isinstance(value, bool):
        return str(value)
    return f"{value:.15g}" if isinstance(value, int | float) else str(value)
