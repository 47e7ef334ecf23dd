"""What a run keeps of its data, and the same calls for every kind of it.

A preprocessing turns a source (path or frame) into a polars frame with one row for each example,
and that frame into arrays. It is fitted once and saved with the run as JSON.
"""

import numpy as np

from cutaway.data import TablePreprocessing, read_table
from cutaway.data.target import Target
from cutaway.errors import DataError
from cutaway.metrics import classification_scores, regression_scores


class Preprocessing:
    """Base of the preprocessings. A subclass has `read`, `transform`, `to_json`, `from_json`.

    Attributes:
        target: the Target: task, classes and their counts, or mean and scale.
        examples: what the examples are, in the plural.
        headings: of `summary_rows`.
        baseline: what baseline_mean_absolute_error is the error of, in words.
    """

    target: Target
    examples = "rows"
    headings = ("class", "training rows", "share")
    baseline = "always guessing the mean"

    task = property(lambda self: self.target.task)
    classes = property(lambda self: self.target.classes)

    def read(self, source):
        """A polars frame with one row for each example in `source`."""
        raise NotImplementedError

    def transform(self, frame, *, with_target: bool = True):
        """TableArrays of the examples: x, y, rows of the frame, notes."""
        raise NotImplementedError

    def truth(self, y) -> np.ndarray:
        """Targets as people read them: class numbers, or values in their own units."""
        return self.untransform_target(y) if self.task == "regression" else np.asarray(y)

    def untransform_target(self, y) -> np.ndarray:
        """Standardized values back in the target's own units, float64."""
        return np.asarray(y, np.float64) * self.target.scale + self.target.mean

    def score(self, y, outputs, x) -> dict:
        """Scores of a run's outputs for encoded targets, in the target's own units.

        Args:
            y: (rows,) as `transform` gives them.
            outputs: as Run.outputs gives them.
            x: the encoded inputs that they were computed from.

        Returns:
            {score: number}; baseline_accuracy and baseline_mean_absolute_error are those of
            always saying the commonest class, or the mean, of what was trained on.
        """
        if self.task == "regression":
            truth = self.truth(y)
            guess = float(np.abs(truth - self.target.mean).mean())
            scores = regression_scores(truth, outputs)
            return {**scores, "baseline_mean_absolute_error": guess}
        commonest = int(np.argmax(self.target.counts))
        guess = float((np.asarray(y) == commonest).mean())
        return {**classification_scores(y, outputs), "baseline_accuracy": guess}

    def score_run(self, run, x, y) -> dict:
        """Scores of a run on encoded rows and targets."""
        return self.score(y, run.outputs(x), x)

    def predictions(self, frame, outputs):
        """The frame of what was predicted: its plain columns, then what the outputs mean."""
        import polars as pl

        plain = [c for c in frame.columns if not frame[c].dtype.is_nested()]
        frame = frame.select(plain)
        if self.task == "regression":
            return frame.with_columns(pl.Series(_free("prediction", frame), outputs))
        labels = [self.classes[k] for k in outputs.argmax(axis=1)]
        chances = outputs.max(axis=1).round(6)
        return frame.with_columns(
            pl.Series(_free("prediction", frame), labels),
            pl.Series(_free("probability", frame), chances),
        )

    def summary_rows(self) -> list:
        """Rows about the data for people, under `headings`."""
        total = sum(self.target.counts)
        return [
            (str(name), f"{count:,}", f"{count / total:.1%}")
            for name, count in zip(self.classes, self.target.counts, strict=True)
        ]

    def pictures(self, x):
        """For each encoded example a function that gives an image element, or None."""
        return None

    def chart(self, frame, truth, outputs):
        """An SVG of held-out rows beside what was predicted for them, or None.

        Args:
            frame: their rows.
            truth: see `truth`.
            outputs: as Run.outputs gives them.
        """
        return None


class TableRows(Preprocessing):
    """A TablePreprocessing as the preprocessing of a run."""

    headings = ("column", "kind", "what is done with it", "missing", "different")

    def __init__(self, fitted: TablePreprocessing):
        self.fitted = fitted
        self.target = fitted.target

    @classmethod
    def from_json(cls, value: dict) -> "TableRows":
        return cls(TablePreprocessing.from_json(value))

    def to_json(self) -> dict:
        return self.fitted.to_json()

    def read(self, source):
        return read_table(source)

    def transform(self, frame, *, with_target: bool = True):
        return self.fitted.transform(frame, with_target=with_target)

    def summary_rows(self) -> list:
        return [row[:5] for row in self.fitted.summary_rows()]

    features = property(lambda self: self.fitted.features)
    encoders = property(lambda self: self.fitted.encoders)


def class_target(name: str, classes, y) -> Target:
    """The Target of classes that are known by their numbers y."""
    counts = np.bincount(y, minlength=len(classes)).tolist()
    return Target(name, "multiclass", list(classes), 0.0, 1.0, counts, [])


def expect_format(value: dict, kind: str) -> None:
    """Raise DataError unless `value` is the JSON of a preprocessing of that kind, format 1."""
    if not isinstance(value, dict) or (value.get("kind"), value.get("format")) != (kind, 1):
        raise DataError(
            f"this is no preprocessing of {kind}",
            expected="preprocessing.json as `cutaway train` writes it, format 1",
            fix="train again, or take the file from a backup",
        )


def _free(name: str, frame) -> str:
    """`name`, or with an underscore if the table has such a column already."""
    while name in frame.columns:
        name += "_"
    return name
