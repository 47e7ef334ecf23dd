"""Tables: options, and preparation for training."""

import dataclasses
from pathlib import Path

from cutaway.data import TablePreprocessing, read_table, students_path
from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.losses import LOSSES
from cutaway.nn import ACTIVATIONS, INITIALIZERS, seed
from cutaway.runs.experiment import Experiment, write_report
from cutaway.runs.finished_run import Run
from cutaway.runs.networks import DEFAULT_LOSSES, build_network, table_spec
from cutaway.runs.options import TrainingOptions
from cutaway.runs.preprocessing import TableRows
from cutaway.runs.space import Choice, Integer
from cutaway.runs.split import make_test_set, split_validation
from cutaway.train.blocks import expect_batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableOptions(TrainingOptions):
    """Training options for tables; None means a default that depends on the data.

    The defaults gave the best scores on small and medium-sized tables (benchmarks/tables.py):
    enough steps, and enough regularization.

    Attributes:
        layers: sizes of the hidden layers.
        activation: name of the activation after each hidden layer.
        loss: name of the loss.
        init: name of the weight initializer.
        task: "binary", "multiclass" or "regression".
        ignore: columns to ignore.
        kinds: {column: kind}, for columns that are detected wrongly.
        others: see TrainingOptions.
    """

    layers: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    loss: str | None = None
    init: str = "glorot_uniform"
    task: str | None = None
    ignore: tuple[str, ...] = ()
    kinds: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        super().__post_init__()
        for n in self.layers:
            expect_range(n, what="a layer size", least=1)
        expect_choice(self.activation, ACTIVATIONS, what="activation")
        if self.loss is not None:
            expect_choice(self.loss, LOSSES, what="loss")
        expect_choice(self.init, INITIALIZERS, what="init")
        if self.task is not None:
            expect_choice(self.task, DEFAULT_LOSSES, what="task")

    def space(self, rows):
        width = max(self.layers, default=128)
        inits = dict.fromkeys((self.init, "glorot_uniform", "he_normal", "lecun_normal"))
        return super().space(rows) | {
            "width": Integer(min(16, width), max(512, width), start=width, log=True),
            "depth": Integer(1, max(5, len(self.layers)), start=max(1, len(self.layers))),
            "init": Choice(tuple(inits)),
        }

    def drawn(self, values):
        values = dict(values)
        width, depth = values.pop("width", None), values.pop("depth", None)
        if width is not None:
            values["layers"] = (width,) * depth
        return super().drawn(values)

    def respec(self, spec):
        changed = {"layers": list(self.layers), "activation": self.activation, "init": self.init}
        return super().respec(spec) | changed


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
        >>> run = train_table("students.csv", "passed")                # doctest: +SKIP
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
    if data is None:
        data, target = students_path(), target or "passed"
    if target is None:
        raise OptionError(
            "no target was given",
            expected="the column to predict",
            fix='name it: train_table(data, "passed"), or cutaway train DATA --target passed',
        )
    source = str(data) if isinstance(data, str | Path) else "a frame"
    frame = read_table(data)
    whole = TablePreprocessing.fit(
        frame, target, task=options.task, kinds=options.kinds, ignore=options.ignore
    )
    arrays = whole.transform(frame)
    frame, row_numbers = frame[arrays.rows], arrays.rows + 1
    training, validation, test = split_validation(
        arrays.targets, options, stratify=whole.task != "regression"
    )
    expect_batch(options.batch(len(training)), len(training))
    # refitted on the training rows alone: no leakage from the validation and test rows
    preprocessing = whole.refit(frame[training])
    arrays = preprocessing.transform(frame)
    test_set, test_notes = make_test_set(arrays.x, arrays.targets, test, "rows")
    seed(options.seed)
    spec = table_spec(options, preprocessing)
    return Experiment(
        kind="table",
        source=source,
        target=target,
        options=options,
        frame=frame,
        preprocessing=TableRows(preprocessing),
        training=training,
        validation=validation,
        row_numbers=row_numbers,
        x=arrays.x,
        y=arrays.targets,
        spec=spec,
        net=build_network(spec),
        notes=[*whole.notes, *test_notes],
        test=test_set,
    )
