"""Tables: options, and preparation for training."""

import dataclasses
import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from cutaway.data import TablePreprocessing, students_path
from cutaway.data.columns import USED
from cutaway.data.duplicate_rows import groups_of_copies
from cutaway.data.encoders import Date
from cutaway.data.leaks import find_leaks
from cutaway.data.table_reading import TableReading, read_encoded
from cutaway.data.target import Target
from cutaway.errors import OptionError, counted
from cutaway.losses import LOSSES, expects
from cutaway.nn import seed
from cutaway.runs import table_recipe, target_trial
from cutaway.runs.decision import DecisionThreshold, decision_json, stored_decision
from cutaway.runs.experiment import IN_MEMORY, Experiment, write_report
from cutaway.runs.finished_run import Run
from cutaway.runs.fold_ensemble import CrossFittedExperiment, EnsembleExperiment
from cutaway.runs.interval import interval_json, stored_interval
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options.table import TableOptions
from cutaway.runs.preprocessing import Preprocessing
from cutaway.runs.split import make_test_set, split_table
from cutaway.runs.validation_kind import ValidationKind
from cutaway.train.blocks import expect_batch


class TableRows(Preprocessing):
    """A TablePreprocessing as the preprocessing of a run."""

    headings = ("column", "kind", "preprocessing", "missing", "distinct")

    def __init__(self, fitted: TablePreprocessing, reading: TableReading | None = None):
        self.fitted = fitted
        self.target = fitted.target
        self.reading = reading

    @classmethod
    def from_json(cls, value: dict) -> "TableRows":
        reading = msgspec.convert(value.get("reading"), type=TableReading | None)
        rows = cls(TablePreprocessing.from_json(value), reading)
        rows.interval = stored_interval(value)
        rows.decision = stored_decision(value)
        return rows

    def to_json(self) -> dict:
        return {
            **self.fitted.to_json(),
            "interval": interval_json(self.interval),
            "decision": decision_json(self.decision),
            "reading": None if self.reading is None else dataclasses.asdict(self.reading),
        }

    def read_written(self, source):
        if self.reading is None:  # a run of an earlier version
            frame, _, cells = read_encoded(source)
            return frame, cells
        cells = self.reading.cells(source)
        return self.reading.apply(cells), cells

    def used_columns(self, frame):
        return [*dict.fromkeys(encoder.name for encoder in self.encoders), self.target.name]

    @property
    def number_columns(self):
        return [] if self.reading is None else list(self.reading.numbers)

    def transform(self, frame, *, with_target: bool = True):
        return self.fitted.transform(frame, with_target=with_target)

    def summary_rows(self) -> list:
        return [row[:5] for row in self.fitted.summary_rows()]

    @property
    def features(self) -> list[str]:
        return self.fitted.features

    def input_parts(self) -> list[tuple[str, tuple]]:
        """(column, index of its features in an encoded row) of each column of the table."""
        places: dict[str, list[int]] = {}
        for k, name in enumerate(self.fitted.feature_sources):
            places.setdefault(name, []).append(k)
        return [(name, (columns,)) for name, columns in places.items()]

    def reasons(self, run, x, truth, outputs):
        kind = ValidationKind.of(run.metrics)
        return self.importance(lambda rows: run.outputs, x, truth, kind.adjective)

    def importance(self, predictor, x, truth, which: str):
        """Which columns the predictions rest on; the arguments are those of importance_reasons."""
        from cutaway.runs.importance import importance_reasons

        return importance_reasons(
            predictor, x, truth, self.input_parts(), self.classes,
            examples=self.examples, target=self.target.name,
            which=which,
        )  # fmt: skip

    @property
    def encoders(self) -> list:
        return self.fitted.encoders


def table_spec(options, preprocessing) -> dict:
    """The spec of the network for a table: JSON values, for `build_network`."""
    task = preprocessing.task
    loss = options.loss or DEFAULT_LOSSES[task]
    outputs = len(preprocessing.classes) if task == "multiclass" else 1
    return {
        "model": "mlp",
        "loss": loss,
        "num_features": len(preprocessing.features)
        - len(preprocessing.embeddings)
        - sum(text.length for text in preprocessing.texts),
        "embeddings": [[levels, width] for _, levels, width in preprocessing.embeddings],
        "texts": [
            [text.tokens, text.length, table_recipe.WORD_FEATURES] for text in preprocessing.texts
        ],
        "layers": list(options.layers),
        "outputs": outputs,
        "activation": options.activation,
        "output": _output_activation(task, loss),
        "dropout": options.dropout,
        "init": options.init,
    }


def _output_activation(task: str, loss: str) -> str | None:
    """Name of the output activation that the loss expects."""
    wants = expects(LOSSES[loss])
    assert wants is not None  # every loss of LOSSES declares what it expects
    fits = {
        "binary": wants.target != "labels" and wants.target != "one_hot",
        "multiclass": wants.target in ("labels", "one_hot", "real"),
        "regression": wants.target == "real",
    }
    if not fits[task]:
        raise OptionError(
            f"the loss {loss} does not fit the target: it is for "
            f"{'classes' if task == 'regression' else wants.target + ' targets'}, and this is a "
            f"{task} task",
            expected=f"a loss for {task}, by default {DEFAULT_LOSSES[task]}",
            fix="omit the loss, or set task",
        )
    if task == "regression" or wants.output in ("logit", "score"):
        return None
    return "sigmoid" if task == "binary" else "softmax"


def train_table(
    data=None,
    target: str | None = None,
    *,
    options: TableOptions | None = None,
    out=None,
    resume: bool = False,
    callbacks=(),
) -> Run:
    """Train a network on a table and save it as a run.

    Args:
        data: path of a CSV, TSV or Parquet file, or a polars or pandas frame; None for the
            bundled students table.
        target: the column to predict.
        options: TableOptions.
        out: folder of the run; None for a new one under `runs/`.
        resume: continue the training in `out`.
        callbacks: more callbacks for the Trainer.

    Raises:
        DataError, OptionError, RunError: invalid input; nothing was written.
        TrainingError: the loss became NaN; the run holds the last finite weights.

    Example:
        >>> import cutaway as ct
        >>> run = ct.train_table("students.csv", "passed")                # doctest: +SKIP
        >>> run.predict("new.csv")                                     # doctest: +SKIP
    """
    experiment = prepare_table(data, target, options)
    run = experiment.train(out, resume=resume, callbacks=callbacks)
    write_report(experiment, run)
    return run


def prepare_table(
    data=None, target: str | None = None, options: TableOptions | None = None
) -> Experiment:
    """Read, encode and split a table, and build a network for it; see train_table."""
    options = TableOptions() if options is None else options
    is_bundled = data is None
    if data is None:
        data, target = students_path(), target or "passed"
    if target is None:
        raise OptionError(
            "no target was given",
            expected="the column to predict",
            fix='name it: train_table(data, "passed"), or cutaway train DATA --target passed',
        )
    source = str(data) if isinstance(data, str | Path) else IN_MEMORY
    how = options.reading()
    if options.task == "regression":
        how["kinds"] = {target: "number", **options.kinds}
    frame, reading, cells = read_encoded(data, **how)
    written = _Written(source, target, reading, reading.notes(cells), is_bundled)
    return _experiment(written, frame, options)


class _Written(NamedTuple):
    """A table that was read, and what is known of it beside its frame."""

    source: str
    target: str
    reading: TableReading
    notes: list[str]
    is_bundled: bool


def _experiment(written: _Written, frame, options: TableOptions) -> Experiment:
    """The Experiment of a frame that was read."""
    target = written.target
    fit = functools.partial(
        TablePreprocessing.fit,
        frame,
        target,
        task=options.task,
        kinds=options.kinds,
        target_transform=options.target_transform or "none",
        clamp_target=options.target_transform == "log1p",
    )
    whole = fit(ignore=options.ignore)
    arrays = whole.transform(frame)
    total, frame, row_numbers = frame.height, frame[arrays.rows], arrays.rows + 1
    recipe = table_recipe.chosen(options, frame.height, is_bundled=written.is_bundled)
    options = dataclasses.replace(options, recipe=recipe)
    split = split_table(
        frame,
        arrays.targets,
        options,
        stratify=whole.task != "regression",
        numbers=row_numbers,
        total=total,
        target=target,
    )
    is_ensemble = recipe == "ensemble"
    deals_out = is_ensemble and table_recipe.deals_out(options)
    if deals_out:
        split = split.without_validation()
    training, validation = split.training, split.validation
    if split.unused is not None:
        kinds = {name: kind for name, kind in options.kinds.items() if name != split.unused}
        whole = fit(ignore=(*options.ignore, split.unused), kinds=kinds)
        column = next(c for c in whole.columns if c.name == split.unused)
        place = whole.columns.index(column)
        whole.columns[place] = dataclasses.replace(column, reason="tells the groups apart")
    if not is_ensemble:
        expect_batch(options.batch(len(training)), len(training))
    leaks = find_leaks(
        frame,
        whole.target,
        whole.columns,
        y=None if whole.task == "regression" else arrays.targets,
        training=training,
        held_out={
            **({"validation": validation} if options.validation and not deals_out else {}),
            "test": split.test,
        },
    )
    tried: list[str] = []
    is_open = is_ensemble and whole.task == "regression" and options.target_transform is None
    if is_open and frame[target].min() >= 0:  # also of the test rows, whose logarithm is taken
        prepare = functools.partial(_experiment, written)
        transform, tried = target_trial.choose(frame[training], target, options, prepare)
        if transform != "none":
            chosen = Target.fit(frame[target], "regression", transform=transform, clamp=True)
            whole.target = dataclasses.replace(chosen, notes=whole.target.notes)
        options = dataclasses.replace(options, target_transform=transform)
    # refitted on the training rows alone: no leakage from the validation and test rows
    preprocessing = whole.refit(frame[training])
    arrays = preprocessing.transform(frame)
    test_set, test_notes = make_test_set(arrays.x, arrays.targets, split.test, "rows")
    seed(options.seed)
    make: Callable
    if deals_out:
        groups, note = _groups(split, frame, whole, training)
        split = dataclasses.replace(split, notes=(*split.notes, *note))
        folds = table_recipe.deal(arrays.targets[training], whole.task, options.seed, groups)
        spec = table_recipe.network(preprocessing, arrays.x[training], folds.networks)
        make = functools.partial(CrossFittedExperiment, folds=folds)
    elif is_ensemble:
        spec = table_recipe.network(preprocessing, arrays.x[training], table_recipe.MEMBERS)
        make = EnsembleExperiment
    else:
        spec, make = table_spec(options, preprocessing), Experiment
    rows = TableRows(preprocessing, written.reading)
    rows.given_decision = _given_threshold(options, whole)
    net = build_network(spec)
    if is_ensemble:
        table_recipe.initialize(net, arrays.x[training], preprocessing)
    return make(
        kind="table",
        source=written.source,
        target=target,
        options=options,
        frame=frame,
        preprocessing=rows,
        training=training,
        validation=validation,
        row_numbers=row_numbers,
        x=arrays.x,
        y=arrays.targets,
        spec=spec,
        net=net,
        notes=[
            *written.notes,
            *whole.notes,
            *tried,
            *split.notes,
            *_advice(whole, options),
            *test_notes,
            *(leak.sentence for leak in leaks),
        ],
        leaks=tuple(leaks),
        test=test_set,
    )


def _given_threshold(options, fitted: TablePreprocessing) -> DecisionThreshold | None:
    """The threshold that was asked for, which is one of two classes."""
    given = options.decision_threshold
    if given is None:
        return None
    if fitted.task != "binary":
        raise OptionError(
            f"decision_threshold {given:g} for a {fitted.task} task",
            expected="a target with two classes",
            fix="omit it",
        )
    return DecisionThreshold(1, given)


def _groups(split, frame, fitted: TablePreprocessing, training):
    """((training rows,) of those that stay in one fold, or None; notes): as asked, or copies."""
    if split.groups is not None:
        return split.groups[training], ()
    names = [column.name for column in fitted.columns if column.kind in USED]
    used = [name for name in names if name != fitted.target.name]
    groups = groups_of_copies(frame[training], fitted.target.name, used)
    if groups is None:
        return None, ()
    count = len(groups) - len(np.unique(groups))
    note = (
        f"{counted(count, 'row')} {'repeats' if count == 1 else 'repeat'} another one: equal rows "
        "are in the same fold, so that none is predicted by a network that knows it"
    )
    return groups, (note,)


def _advice(fitted: TablePreprocessing, options) -> list[str]:
    """That the rows of a dated table may rather be split by time."""
    dated = [e.name for e in fitted.encoders if isinstance(e, Date) and e.recipe.has_day]
    if options.split is not None or not dated:
        return []
    return [
        f"{dated[0]} holds dates: if later rows are to be predicted from earlier ones, scores are "
        f"more honest with a split by time: --split {shlex.quote(f'time:{dated[0]}')}"
    ]
