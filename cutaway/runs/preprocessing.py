"""Preprocessing: one interface for every kind of data.

A preprocessing reads a source (path or frame) into a polars frame with one row per example, and
turns that frame into arrays. It is fitted once and saved with the run as JSON. This
module is quick to import: numpy and the readers are loaded when they are used.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutaway.errors import DataError, OptionError
from cutaway.runs.evaluation import Evaluation
from cutaway.runs.row_predictions import RowPredictions
from cutaway.runs.validation_kind import ValidationKind

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from cutaway.data import TableArrays
    from cutaway.data.cells import Cells
    from cutaway.data.fingerprint import Hashes
    from cutaway.data.table_reading import TableReading
    from cutaway.data.target import Target
    from cutaway.runs.decision import DecisionThreshold
    from cutaway.runs.interval import PredictionInterval
    from cutaway.runs.schema import Classes


CAPITALS = {
    **{"dice": "Dice", "iou": "IoU", "l1": "L1", "rand": "Rand", "ssim": "SSIM"},
    **{"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar": "AR"},
}


def score_in_words(name: str) -> str:
    """The name of a score as people write it.

    Example:
        >>> from cutaway.runs.preprocessing import score_in_words
        >>> score_in_words("mean_iou"), score_in_words("ap_small"), score_in_words("ap50_red_cell")
        ('mean IoU', 'AP small', 'AP50 red cell')
    """
    return " ".join(CAPITALS.get(word, word) for word in name.split("_"))


@dataclasses.dataclass(frozen=True)
class ExampleFiles:
    """What was predicted for one example, as files.

    Attributes:
        files: {name: content, or a function that writes the file at a path}; the first one is what
            `--out FILE` writes.
        rows: {column: value} of each row of the frame that Run.predict returns.
    """

    files: Mapping[str, bytes | Callable[[Path], Any]]
    rows: list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class FilePredictions:
    """Predictions of examples as files, each made when it is asked for.

    Attributes:
        names: of all files, in order.
        inputs: the files that are read.
        each: the ExampleFiles of each example; can be gone through once.
        notes: messages about the data.
        columns: of the rows, if there may be none.
        last: function that returns the files of all examples together, after `each`; None: none.
    """

    names: list[str]
    inputs: list[str]
    each: Iterator[ExampleFiles]
    notes: list[str]
    columns: "Mapping[str, Any] | None" = None
    last: Callable[[], Mapping[str, bytes]] | None = None

    def frame(self, rows: list[dict]):
        """The frame of all rows."""
        import polars as pl

        return pl.DataFrame(rows, schema=self.columns, infer_schema_length=None)


@dataclasses.dataclass(frozen=True)
class Headline:
    """The main score in a sentence: `before`, the score itself, and what follows it."""

    before: str
    score: str
    after: str


@dataclasses.dataclass(frozen=True)
class Reasons:
    """Why a run predicts what it predicts, for its report.

    Attributes:
        sections: [(heading, HTML)].
        columns: of the data, those that matter most first.
    """

    sections: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    columns: list[str] = dataclasses.field(default_factory=list)


class Preprocessing:
    """Base class. A subclass has `read`, `transform`, `to_json` and `from_json`.

    Attributes:
        target: the Target: task, classes and their counts, or mean and scale.
        examples: what an example is, in the plural.
        headings: of `summary_rows`.
        baseline: of baseline_mean_absolute_error, in words.
        predicts_files: whether predictions are pictures or volumes, written to a folder.
        interval: the PredictionInterval of predicted numbers; None for classes, and if there were
            too few validation rows for one.
        decision: of two classes, from which probability on one of them is predicted; None: the
            more probable one is. A training chooses it.
        given_decision: the one that was asked for, which a training takes; None: none was.
        reading: how the cells of a table are read; None: by their looks, or there is no table.
        file_columns: of the frame that `read` returns: paths of files, whose contents count.
        key_columns: what makes an example the same in other data; None: all its columns.
    """

    predicts_files = False
    interval: "PredictionInterval | None" = None
    decision: "DecisionThreshold | None" = None
    given_decision: "DecisionThreshold | None" = None
    reading: "TableReading | None" = None
    file_columns: tuple[str, ...] = ()
    key_columns: tuple[str, ...] | None = None

    target: "Target"
    examples = "rows"
    headings: tuple[str, ...] = ("class", "training rows", "fraction")

    @property
    def baseline(self) -> str:
        return (
            "predicting the mean"
            if self.task == "regression"
            else "always predicting the majority class"
        )

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that a training records in every epoch."""
        return ["r2"] if self.task == "regression" else ["accuracy"]

    def metric_functions(self) -> list:
        """The metrics that a training records in every epoch."""
        from cutaway.metrics import METRICS

        return [METRICS[name] for name in self.metrics]

    @property
    def number_columns(self) -> list[str]:
        """The columns of a table that are read as numbers."""
        return []

    @property
    def task(self) -> str:
        return self.target.task

    @property
    def classes(self) -> list | None:
        return self.target.classes

    def read(self, source):
        """A polars frame with one row per example in `source`."""
        return self.read_written(source)[0]

    def read_written(self, source) -> "tuple[pl.DataFrame, Cells | None]":
        """What `read` returns, and the cells of a table as they were written, row by row."""
        return self.read(source), None

    def transform(self, frame, *, with_target: bool = True) -> "TableArrays":
        """TableArrays of the examples: x, y, rows of the frame, notes."""
        raise NotImplementedError

    def transform_numbered(self, frame, numbers: "np.ndarray") -> "TableArrays":
        """What `transform` returns for rows with a target; its notes name rows by these numbers.

        Args:
            numbers: (rows,) of the rows in the source, counted from 1.
        """
        return self.transform(frame)

    def used_columns(self, frame) -> list[str]:
        """The columns of a frame from `read` that a training depends on."""
        return frame.columns

    def hashes(self, frame, *, sampled: bool | None = None) -> "Hashes":
        """Hashes of the examples of a frame from `read`; see data.fingerprint.hash_examples."""
        from cutaway.data.fingerprint import hash_examples

        return hash_examples(
            frame,
            unit=self.examples,
            columns=self.used_columns(frame),
            files=self.file_columns,
            key=self.key_columns,
            sampled=sampled,
        )

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

    @property
    def class_counts(self) -> list[int]:
        """Training examples of each class; for masks pixels."""
        return self.target.counts

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
        return self.target.decode(y)

    def score(self, y, outputs, x) -> dict:
        """Scores of a run's outputs for encoded targets, in the target's unit.

        Args:
            y: (rows,) encoded targets, from `transform`.
            outputs: from Run.outputs.
            x: the encoded inputs that the outputs were computed from.

        Returns:
            {score: number}; baseline_accuracy and baseline_mean_absolute_error are the scores of
            always predicting the majority class, or the mean, of the training rows. With a
            `decision`, precision, recall and f1 are those of its class, and baseline_f1 is that
            of always predicting it.
        """
        import numpy as np

        from cutaway.metrics import classification_scores, regression_scores

        if self.task == "regression":
            truth = self.truth(y)
            baseline = float(np.abs(truth - self.target.unit_mean).mean())
            scores = regression_scores(truth, outputs)
            return {**scores, "baseline_mean_absolute_error": baseline}
        majority = int(np.argmax(self.target.counts))
        baseline = {"baseline_accuracy": float((np.asarray(y) == majority).mean())}
        if self.decision is None:
            return {**classification_scores(y, outputs), **baseline}
        positive = self.decision.positive
        share = float((np.asarray(y) == positive).mean())
        found = classification_scores(y, outputs, self.decide(outputs), positive=positive)
        return {**found, **baseline, "baseline_f1": 2 * share / (1 + share)}

    def decide(self, outputs) -> "np.ndarray":
        """(rows,) numbers of the predicted classes, of probabilities (rows, classes)."""
        return outputs.argmax(axis=1) if self.decision is None else self.decision.decide(outputs)

    def decision_notes(self) -> list[str]:
        """[a sentence] if something else than the most probable class is predicted."""
        if self.decision is None:
            return []
        return [self.decision.in_words(self.target.name, self.class_names())]

    def interval_scores(self, y, outputs) -> dict:
        """How often the intervals hold the truth, for encoded targets; {} without intervals.

        Only of rows that the intervals were not made from, and the weights not fitted to.
        """
        if self.interval is None:
            return {}
        return self.interval.scores(self.truth(y), outputs)

    def score_run(self, run, x, y) -> dict:
        """Scores of a run on encoded rows and targets."""
        return self.score(y, run.outputs(x), x)

    def to_predictions(self, raw, loss) -> "np.ndarray":
        """Raw network outputs (rows, outputs) as probabilities or values; see Run.outputs.

        Args:
            raw: from Trainer.predict.
            loss: that the network was trained with.
        """
        import numpy as np

        from cutaway.train.evaluation import to_probabilities

        if self.task == "regression":
            values = self.untransform_target(raw[:, 0] if raw.shape[1] == 1 else raw)
            return self.target.limited(values)
        probabilities = np.asarray(to_probabilities(loss, raw), np.float64)
        if self.task == "binary":
            p = np.clip(probabilities[:, 0], 0, 1)
            return np.stack([1 - p, p], axis=1)
        return probabilities

    def predict(self, run, data) -> tuple:
        """(frame, notes): see Run.predict."""
        if self.predicts_files:
            found = self.predict_files(run, data)
            return found.frame([row for one in found.each for row in one.rows]), found.notes
        found = self.predict_rows(run, data)
        return found.frame, found.notes

    def predict_rows(self, run, data) -> RowPredictions:
        """The predictions for new data, a row of a table for each."""
        frame, cells = self.read_written(data)
        arrays = self.transform(frame, with_target=False)
        outputs = run.outputs(arrays.x)
        if cells is None:
            notes = [*arrays.notes, *self.decision_notes()]
            return RowPredictions(self.predictions(frame[arrays.rows], outputs), notes)
        found = self.predictions(frame[arrays.rows], outputs)
        added = [name for name in found.columns if name not in frame.columns]
        # the columns of the input as they were written, not as they were read
        plain = [c.name for c in cells.frame.get_columns() if not c.dtype.is_nested()]
        written = cells.frame.select(plain)[arrays.rows].with_columns(found.select(added))
        notes = [*self.notes_of(cells), *arrays.notes, *self.decision_notes()]
        return RowPredictions.like(cells, written, notes, len(plain), self.decimal_of(cells))

    def decimal_of(self, cells: "Cells") -> str:
        """The decimal mark of the numbers of a table."""
        return "." if self.reading is None else self.reading.decimal_of(cells)

    def notes_of(self, cells: "Cells") -> list[str]:
        """How the cells of a table were read, where it may be wrong."""
        return cells.notes if self.reading is None else self.reading.losses(cells)

    def predict_files(self, run, data) -> FilePredictions:
        """The predictions for new data as files; see Run.predict_files."""
        raise OptionError(
            f"the predictions of the run {run.path} are a table, not pictures or volumes",
            expected="a run whose predictions are files",
            fix="use Run.predict",
        )

    def evaluate(self, run, data) -> tuple[dict, list]:
        """(scores, notes) of a run on labeled data."""
        frame, cells = self.read_written(data)
        unseen = self._of_unseen_classes(frame)
        arrays = self.transform_numbered(frame.filter(~unseen), (~unseen).arg_true().to_numpy() + 1)
        read = [] if cells is None else self.notes_of(cells)
        notes = [
            *read,
            *arrays.notes,
            *self.decision_notes(),
            *run.notes_of_seen(frame.filter(~unseen)[arrays.rows]),
        ]
        scores = self.score_run(run, arrays.x, arrays.targets)
        if self.interval is not None:
            scores |= self.interval_scores(arrays.targets, run.outputs(arrays.x))
        count = int(unseen.sum())
        if count:
            right = len(arrays.x) / (len(arrays.x) + count)
            for name in {"accuracy", "baseline_accuracy"} & set(scores):
                scores[name] *= right
            names = frame.filter(unseen)[self.target.name].cast(str).unique().sort().to_list()
            shown = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
            notes.append(
                f"{count:,} {self.examples} of classes that are not in the training data "
                f"({shown}) count as wrong in the accuracy; the other scores are of the rest"
            )
        return scores, notes

    def _of_unseen_classes(self, frame):
        """(rows,) polars booleans: whether a row has a class that is not in the training data.

        Raises:
            DataError: all have.
        """
        import polars as pl

        nobody = pl.repeat(False, len(frame), dtype=pl.Boolean, eager=True)
        if self.task not in ("binary", "multiclass"):
            return nobody
        name = self.target.name
        if name not in frame.columns:
            return nobody
        unseen = self.target.unseen(frame[name])
        if len(frame) and unseen.all():
            raise DataError(
                f"none of the {len(frame):,} {self.examples} has a class of the training data, "
                f"but for example {frame[name][0]!r}",
                expected="one of " + ", ".join(map(str, self.class_names()[:12])),
            )
        return unseen

    def evaluation(self, run, data) -> Evaluation:
        """What `evaluate` returns, and the tables and curves behind it, if there are some."""
        return Evaluation(*self.evaluate(run, data))

    def headline(
        self,
        scores: dict,
        target: str,
        rows: int,
        kind: ValidationKind = ValidationKind.VALIDATION,
    ) -> Headline:
        """The main validation score beside that of a baseline.

        Args:
            scores: of the validation rows.
            target: its name, as it is to be shown.
            rows: number of validation rows.
            kind: what they are.
        """
        examples = self.examples if rows != 1 else self.examples[:-1]
        if self.task == "regression":
            error, baseline = (
                f"{scores[name]:.4g}"
                for name in ("mean_absolute_error", "baseline_mean_absolute_error")
            )
            return Headline(
                f"Mean absolute error of {target}: ",
                error,
                f" on {rows} {kind.adjective} {examples}; baseline ({self.baseline}): {baseline}",
            )
        accuracy, baseline = scores["accuracy"], scores["baseline_accuracy"]
        if self.decision is not None:
            name = self.class_names()[self.decision.positive]
            return Headline(
                f"{kind.adjective.capitalize()} F1 score of {target} = {name}: ",
                f"{scores['f1']:.3f}",
                f" (precision {scores['precision']:.3f}, recall {scores['recall']:.3f}); always "
                f"predicting it: {scores['baseline_f1']:.3f}. Accuracy: {accuracy:.3f}; "
                f"majority-class baseline: {baseline:.3f}",
            )
        return Headline(
            f"{kind.adjective.capitalize()} accuracy for {target}: ",
            f"{accuracy:.3f}",
            f" ({round(accuracy * rows)} of {rows}); majority-class baseline: {baseline:.3f}",
        )

    def predictions(self, frame, outputs):
        """The plain columns of the frame, and the predictions as further columns.

        For numbers `prediction`, and `lower` and `upper` if there are intervals; for classes
        `prediction`, its `probability`, and `probability of NAME` for each class.
        """
        plain = [c for c in frame.columns if not frame[c].dtype.is_nested()]
        return with_columns(frame.select(plain), self.prediction_columns(outputs))

    def prediction_columns(self, outputs) -> dict:
        """{name: (rows,) values} of the columns that say what was predicted."""
        if self.task == "regression":
            if self.interval is None:
                return {"prediction": outputs}
            lower, upper = self.interval.around(outputs)
            return {"prediction": outputs, "lower": lower, "upper": upper}
        classes, rounded, guess = self.class_names(), outputs.round(6), self.decide(outputs)
        each = {f"probability of {name}": rounded[:, k] for k, name in enumerate(classes)}
        return {
            "prediction": [classes[k] for k in guess],
            "probability": rounded[range(len(rounded)), guess],
            **each,
        }

    def summary_rows(self) -> list:
        """Rows of a table that describes the data, under `headings`."""
        total = sum(self.target.counts)
        return [
            (str(name), f"{count:,}", f"{count / total:.1%}")
            for name, count in zip(self.class_names(), self.target.counts, strict=True)
        ]

    def reasons(self, run, x, truth, outputs) -> Reasons:
        """Why the run predicts what it predicts, for the report.

        Args:
            run: the Run.
            x: (rows, ...) encoded validation inputs.
            truth: see `truth`.
            outputs: from Run.outputs.
        """
        return Reasons()

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


def with_columns(frame, columns: dict):
    """The frame and further columns; underscores are appended to names that it has already."""
    import polars as pl

    taken, added = set(frame.columns), []
    for name, values in columns.items():
        while name in taken:
            name += "_"
        taken.add(name)
        added.append(pl.Series(name, values))
    return frame.with_columns(added)
