"""Preprocessing: one interface for every kind of data.

A preprocessing reads a source (path or frame) into a polars frame with one row per example, and
turns that frame into arrays. It is fitted once and saved with the run as JSON. This
module is quick to import: numpy and the readers are loaded when they are used.
"""

from typing import TYPE_CHECKING

from cutaway.errors import DataError, OptionError

if TYPE_CHECKING:
    import numpy as np

    from cutaway.data import TableArrays
    from cutaway.data.target import Target
    from cutaway.runs.schema import Classes


class Preprocessing:
    """Base class. A subclass has `read`, `transform`, `to_json` and `from_json`.

    Attributes:
        target: the Target: task, classes and their counts, or mean and scale.
        examples: what an example is, in the plural.
        headings: of `summary_rows`.
        baseline: of baseline_mean_absolute_error, in words.
    """

    target: "Target"
    examples = "rows"
    headings: tuple[str, ...] = ("class", "training rows", "fraction")

    @property
    def baseline(self) -> str:
        return "predicting the mean"

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that a training records in every epoch."""
        return ["r2"] if self.task == "regression" else ["accuracy"]

    @property
    def task(self) -> str:
        return self.target.task

    @property
    def classes(self) -> list | None:
        return self.target.classes

    def read(self, source):
        """A polars frame with one row per example in `source`."""
        raise NotImplementedError

    def transform(self, frame, *, with_target: bool = True) -> "TableArrays":
        """TableArrays of the examples: x, y, rows of the frame, notes."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: dict) -> "Preprocessing":
        """The preprocessing that `to_json` returned."""
        raise NotImplementedError

    def to_json(self) -> dict:
        """All fitted values, as JSON values."""
        raise NotImplementedError

    @property
    def outputs(self) -> int:
        """Number of outputs of the network, per example."""
        return len(self.class_names()) if self.task == "multiclass" else 1

    def expect_network(self, spec: dict) -> None:
        """Raise ValueError unless the network of this spec is one for these examples."""
        if spec["outputs"] != self.outputs:
            raise ValueError(f"the network has {spec['outputs']} outputs, not {self.outputs}")

    def class_names(self) -> list:
        """The classes; OptionError for a regression."""
        if self.classes is None:
            raise OptionError(f"{self.target.name} has no classes", expected="a classification")
        return self.classes

    def class_numbers(self, frame) -> "np.ndarray":
        """(rows,) int32 numbers of the classes in the column `class` of a frame.

        Raises:
            DataError: no such column, or a class that is not in the training data.
        """
        import numpy as np

        if "class" not in frame.columns:
            raise DataError(
                f"the {self.examples} have no classes",
                expected=f"one folder of {self.examples} per class",
                fix="use predict instead",
            )
        numbers = {name: k for k, name in enumerate(self.class_names())}
        unknown = sorted(set(frame["class"]) - set(numbers))
        if unknown:
            raise DataError(
                f"the class {unknown[0]!r} is not in the training data",
                expected="one of " + ", ".join(self.class_names()[:12]),
            )
        return np.array([numbers[name] for name in frame["class"]], np.int32)

    def truth(self, y) -> "np.ndarray":
        """Encoded targets as class numbers, or as values in the target's unit."""
        import numpy as np

        return self.untransform_target(y) if self.task == "regression" else np.asarray(y)

    def untransform_target(self, y) -> "np.ndarray":
        """Standardized values back in the target's unit, float64."""
        import numpy as np

        return np.asarray(y, np.float64) * self.target.scale + self.target.mean

    def score(self, y, outputs, x) -> dict:
        """Scores of a run's outputs for encoded targets, in the target's unit.

        Args:
            y: (rows,) encoded targets, from `transform`.
            outputs: from Run.outputs.
            x: the encoded inputs that the outputs were computed from.

        Returns:
            {score: number}; baseline_accuracy and baseline_mean_absolute_error are the scores of
            always predicting the majority class, or the mean, of the training rows.
        """
        import numpy as np

        from cutaway.metrics import classification_scores, regression_scores

        if self.task == "regression":
            truth = self.truth(y)
            baseline = float(np.abs(truth - self.target.mean).mean())
            scores = regression_scores(truth, outputs)
            return {**scores, "baseline_mean_absolute_error": baseline}
        majority = int(np.argmax(self.target.counts))
        baseline = float((np.asarray(y) == majority).mean())
        return {**classification_scores(y, outputs), "baseline_accuracy": baseline}

    def score_run(self, run, x, y) -> dict:
        """Scores of a run on encoded rows and targets."""
        return self.score(y, run.outputs(x), x)

    def predictions(self, frame, outputs):
        """The plain columns of the frame, and the predictions as further columns."""
        import polars as pl

        plain = [c for c in frame.columns if not frame[c].dtype.is_nested()]
        frame = frame.select(plain)
        if self.task == "regression":
            return frame.with_columns(pl.Series(_unused_name("prediction", frame), outputs))
        classes = self.class_names()
        labels = [classes[k] for k in outputs.argmax(axis=1)]
        probabilities = outputs.max(axis=1).round(6)
        return frame.with_columns(
            pl.Series(_unused_name("prediction", frame), labels),
            pl.Series(_unused_name("probability", frame), probabilities),
        )

    def summary_rows(self) -> list:
        """Rows of a table that describes the data, under `headings`."""
        total = sum(self.target.counts)
        return [
            (str(name), f"{count:,}", f"{count / total:.1%}")
            for name, count in zip(self.class_names(), self.target.counts, strict=True)
        ]

    def pictures(self, x) -> list | None:
        """A function that returns an image element, for each encoded example; or None."""
        return None

    def chart(self, frame, truth, outputs) -> str | None:
        """An SVG of validation rows and their predictions, or None.

        Args:
            frame: the validation rows.
            truth: see `truth`.
            outputs: from Run.outputs.
        """
        return None


def class_target(name: str, classes, y) -> "Target":
    """The Target of these classes, with the counts of the class numbers y."""
    import numpy as np

    from cutaway.data.target import Target

    counts = np.bincount(y, minlength=len(classes)).tolist()
    return Target(name, "multiclass", list(classes), 0.0, 1.0, counts, [])


def stored_classes(form: "Classes") -> "Target":
    """The Target of classes that were read from a preprocessing.json."""
    from cutaway.data.target import Target

    return Target("class", "multiclass", form.classes, 0.0, 1.0, form.counts, [])


def expect_format(value: dict, kind: str) -> None:
    """Raise DataError unless `value` is the JSON of a preprocessing of that kind, format 1."""
    if not isinstance(value, dict) or (value.get("kind"), value.get("format")) != (kind, 1):
        raise DataError(
            f"this is not a preprocessing of kind {kind}",
            expected="a preprocessing.json written by `cutaway train`, format 1",
            fix="train again, or restore the file from a backup",
        )


def _unused_name(name: str, frame) -> str:
    """`name`, with underscores appended if the table already has such a column."""
    while name in frame.columns:
        name += "_"
    return name
