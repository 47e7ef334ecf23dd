"""TablePreprocessing: from a table to input arrays, fitted once and saved as JSON."""

import dataclasses
import shlex
from typing import Literal

import msgspec
import numpy as np

from cutaway.data.columns import USED, Column, find_columns
from cutaway.data.date_integers import DAYS_REASON
from cutaway.data.encoders import Date, EmbeddedCategory, fit_encoder, from_json
from cutaway.data.float32 import to_float32
from cutaway.data.target import Target
from cutaway.data.text_column import TextColumn
from cutaway.errors import DataError, OptionError, counted, did_you_mean, expect_choice, option_name

FORMAT = 1
SCALINGS = ("standard", "robust")


@dataclasses.dataclass(frozen=True)
class TableArrays:
    """A table as arrays.

    Attributes:
        x: (rows, features) float32; columns as in `TablePreprocessing.features`.
        y: class numbers (rows,) int32, or standardized values (rows,) float32; None without a
            target.
        rows: (rows,) indices of these rows in the table: those with a target.
        notes: messages about the data.
    """

    x: np.ndarray
    y: np.ndarray | None
    rows: np.ndarray
    notes: list

    @property
    def targets(self) -> np.ndarray:
        """y, of arrays with a target."""
        assert self.y is not None
        return self.y


class TablePreprocessing:
    """The encoders of the columns and of the target. Made by `fit` or `from_json`.

    Attributes:
        columns: list of Column, without the target.
        encoders: one for each column that is used.
        target: the Target: name, task, classes or mean and scale.
        notes: messages about the table.

    Example:
        >>> from cutaway.data import TablePreprocessing
        >>> import polars as pl
        >>> frame = pl.DataFrame({"hours": [1.0, 2.0, 3.0, 4.0], "passed": [0, 0, 1, 1]})
        >>> TablePreprocessing.fit(frame, "passed").transform(frame).x[:, 0].round(2).tolist()
        [-1.340000033378601, -0.44999998807907104, 0.44999998807907104, 1.340000033378601]
    """

    def __init__(self, columns, encoders, target, notes=()):
        self.columns = list(columns)
        # indices of embeddings come last, those of words at the end: a network splits them off
        self.encoders = sorted(
            encoders, key=lambda e: (isinstance(e, TextColumn), isinstance(e, EmbeddedCategory))
        )
        self.target = target
        self.notes = list(notes)

    @classmethod
    def fit(
        cls,
        frame,
        target: str,
        *,
        task=None,
        kinds=None,
        ignore=(),
        scaling: Literal["standard", "robust"] = "standard",
        target_transform: Literal["none", "log1p"] = "none",
        clamp_target: bool = False,
    ):
        """Detect the kinds of the columns of a polars frame, and fit their encoders.

        Args:
            target: the column to predict.
            task: "binary", "multiclass" or "regression"; by default depends on the target.
            kinds: {column: "number" | "boolean" | "category" | "date" | "text" | "id" | "ignore"},
                for columns that are detected wrongly.
            ignore: columns to ignore.
            scaling: of numbers, the days of dates among them: "standard" by mean and standard
                deviation, "robust" by median and quartiles with a smooth clip; see Number.
            target_transform: of a numeric target, before it is standardized, see Target; undone
                before an error is told.
            clamp_target: whether predictions of a numeric target are limited to the range of its
                training values.

        Raises:
            DataError: no such column; a target without values or with one class; no usable column.
        """
        expect_choice(scaling, SCALINGS, what="scaling")
        if target not in frame.columns:
            raise DataError(
                f"the table has no column {target!r}",
                expected="the column to predict",
                fix=did_you_mean(target, frame.columns),
            )
        kinds = dict(kinds or {})
        if target in kinds:
            task = _task_of(target, kinds.pop(target), task)
        if target in ignore:
            raise OptionError(
                f"the target {target!r} is to be ignored",
                expected="other columns",
                fix="choose another target, or do not ignore it",
            )
        fitted = Target.fit(frame[target], task, transform=target_transform, clamp=clamp_target)
        known = frame.filter(frame[target].is_not_null())
        recipes: dict = {}
        columns = find_columns(known.drop(target), kinds=kinds, ignore=ignore, recipes=recipes)
        notes = list(fitted.notes)
        series_of = _by_name(known)
        for column in columns:
            series = series_of[column.name]
            if column.missing and series.dtype.is_float():
                bad = int(series.is_infinite().sum())
                if bad:
                    notes.append(f"{series.name}: {bad} infinite values, treated as missing")
        notes += [
            f"{c.name}: not used ({c.reason}); --column {_use_of(c, series_of)} uses it"
            for c in columns
            if c.kind == "identifier" and c.name not in kinds
        ]
        notes += [
            f"{c.name}: not used ({c.reason})"
            for c in columns
            if c.kind in ("constant", "empty", "unsupported") and c.name not in kinds
        ]
        used = [c for c in columns if c.kind in USED]
        if not used:
            reasons = "; ".join(f"{c.name}: {c.reason}" for c in columns[:6])
            raise DataError(
                f"no usable column to predict {target!r} from"
                + (f": {reasons}" if reasons else ": the table has no other column"),
                expected="at least one column of numbers, categories or dates",
                fix="add columns, or set the kind of a column with kinds",
            )
        encoders = [
            fit_encoder(c.kind, series_of[c.name], recipe=recipes.get(c.name), scaling=scaling)
            for c in used
        ]
        notes += [
            f"{e.name}: {e.recipe.sentence()}" + _or_numbers(e)
            for e in encoders
            if isinstance(e, Date) and e.recipe.reason
        ]
        return cls(columns, encoders, fitted, notes)

    def refit(self, frame):
        """The same columns and kinds, fitted on the rows of another frame.

        Kinds are detected on the whole table, encoders then fitted on its training rows alone.
        """
        series_of = _by_name(frame)
        used = [c for c in self.columns if c.kind in USED]
        fitted = {e.name: e for e in self.encoders}
        encoders = [fit_encoder(c.kind, series_of[c.name], fitted[c.name]) for c in used]
        target = self.target.refit(frame[self.target.name])
        return TablePreprocessing(self.columns, encoders, target, self.notes)

    @property
    def task(self) -> str:
        return self.target.task

    @property
    def classes(self) -> list | None:
        return self.target.classes

    @property
    def features(self) -> list[str]:
        """Names of the columns of x."""
        return [name for encoder in self.encoders for name in encoder.names]

    @property
    def feature_sources(self) -> list[str]:
        """For each column of x, the column of the table it comes from."""
        return [encoder.name for encoder in self.encoders for _ in encoder.names]

    @property
    def embeddings(self) -> list:
        """(column, levels, width) for each of the last columns of x that hold codes."""
        return [(e.name, *e.size) for e in self.encoders if isinstance(e, EmbeddedCategory)]

    @property
    def texts(self) -> list[TextColumn]:
        """The encoders of texts; their word ids are the last columns of x."""
        return [e for e in self.encoders if isinstance(e, TextColumn)]

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        """The arrays for a table with the columns of the training table.

        Raises:
            DataError: a column is missing or holds text instead of numbers, or the target has an
                unknown class.
        """
        notes = []
        rows = np.arange(frame.height)
        y = None
        if with_target:
            self._expect(frame.columns, self.target.name)
            known = frame[self.target.name].is_not_null().to_numpy()
            if not known.all():
                lost = counted(int((~known).sum()), "row")
                notes.append(f"{self.target.name}: skipped {lost} without a value")
                rows = rows[known]
                frame = frame.filter(known)
            y = self.target.encode(frame[self.target.name])
        columns, series_of = [], _by_name(frame)
        for encoder in self.encoders:
            self._expect(series_of, encoder.name)
            columns += encoder.encode(series_of[encoder.name], notes)
        # (rows, features)
        x = to_float32(np.stack(columns, axis=1), "the table, standardized as in training,")
        return TableArrays(x, y, rows, notes)

    def _expect(self, names, name):
        if name not in names:
            raise DataError(
                f"the table has no column {name!r}, which training used",
                expected="the columns of the training table",
                fix=did_you_mean(name, names),
            )

    def untransform_target(self, y) -> np.ndarray:
        """Standardized values back in the target's unit, float64."""
        return self.target.decode(y)

    def summary_rows(self) -> list:
        """(column, kind, preprocessing, missing, distinct, reason) of each column."""
        done = {e.name: e.summary() for e in self.encoders}
        rows = [
            (
                c.name,
                c.kind,
                done.get(c.name, f"not used: {c.reason}"),
                f"{c.missing:,}",
                f"{c.distinct:,}",
                c.reason,
            )
            for c in self.columns
        ]
        return [*rows, self.target.summary_row()]

    def to_json(self) -> dict:
        """All fitted values, as JSON values."""
        return {
            "format": FORMAT,
            "columns": [dataclasses.asdict(c) for c in self.columns],
            "encoders": [dataclasses.asdict(e) for e in self.encoders],
            "target": self.target.to_json(),
            "notes": self.notes,
        }

    @classmethod
    def from_json(cls, value: dict) -> "TablePreprocessing":
        """The preprocessing that `to_json` returned; gives bit-identical arrays.

        Raises:
            DataError: `value` is something else.
        """
        try:
            if value["format"] != FORMAT:
                raise KeyError("format")
            columns = msgspec.convert(value["columns"], type=list[Column])
            encoders = [from_json(e) for e in value["encoders"]]
            unknown = {e.name for e in encoders} - {c.name for c in columns}
            if unknown or not encoders:
                raise ValueError(f"encoders of {unknown or 'no column'}")
            notes = msgspec.convert(value["notes"], type=list[str])
            return cls(columns, encoders, Target.from_json(value["target"]), notes)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"this is not a preprocessing of a table (failed at {error})",
                expected=f"a preprocessing.json written by `cutaway train`, format {FORMAT}",
                fix="train again, or restore the file from a backup",
            ) from error


def _task_of(target: str, kind: str, task: str | None) -> str | None:
    """The task of a target that the user calls a number or a category."""
    if kind == "number":
        return "regression"
    if kind in ("category", "boolean"):
        return task or "multiclass"
    raise OptionError(
        f"the target {target!r} as {kind}", expected="number or category", fix="omit its kind"
    )


def _use_of(column: Column, series_of: dict) -> str:
    """How a column that is left out is used, as a shell takes it."""
    kind = "number" if series_of[column.name].dtype.is_numeric() else "category"
    return shlex.quote(f"{option_name(column.name)}={kind}")


def _or_numbers(encoder: Date) -> str:
    """How dates that nothing but their digits tells are taken as numbers."""
    if encoder.recipe.reason != DAYS_REASON:
        return ""
    name = shlex.quote(f"{option_name(encoder.name)}=number")
    return f"; --column {name} takes them as numbers"


def _by_name(frame) -> dict:
    """{name: column}: asking a frame for each of many columns would take time in their square."""
    return {series.name: series for series in frame.get_columns()}
