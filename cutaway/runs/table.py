"""From a table to a run: prepare (read, look, encode, split, build), then train."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from cutaway.data import TablePreprocessing, read_table, stratified_split, students_path
from cutaway.errors import CutawayError, OptionError, TrainingError
from cutaway.losses import LOSSES, expects
from cutaway.nn import seed
from cutaway.runs.folder import RunFolder
from cutaway.runs.options import TableOptions, build_network, network_spec
from cutaway.runs.report import ReportData, render
from cutaway.runs.run import Run, trainer_for
from cutaway.runs.scores import score
from cutaway.train import Checkpoints, EarlyStopping, write_atomically
from cutaway.train.blocks import expect_batch


def train_table(
    data=None, target: str | None = None, *, options=None, out=None, resume=False, callbacks=()
) -> Run:
    """Train a network on a table and save it as a run.

    Args:
        data: path of a CSV, TSV or Parquet file, or a polars or pandas frame; None for the
            students table that the package carries.
        target: the column to predict.
        options: TableOptions.
        out: folder of the run; None for a new one under `runs/`.
        resume: go on with the training that was begun in `out`.
        callbacks: more callbacks for the Trainer.

    Raises:
        DataError, OptionError, RunError: input that does not fit; nothing was written.
        TrainingError: the loss became NaN; the run holds the last good weights.

    Example:
        >>> run = train_table("students.csv", "passed")                # doctest: +SKIP
        >>> run.predict("new.csv")                                     # doctest: +SKIP
    """
    prepared = prepare_table(data, target, options)
    run = prepared.train(out, resume=resume, callbacks=callbacks)
    write_report(prepared, run)
    return run


@dataclasses.dataclass
class PreparedTable:
    """A table that was read, encoded and split, and the network for it. Made by prepare_table.

    Attributes:
        source: the path, or "a frame".
        frame: the polars frame, rows with a target.
        row_numbers: of these rows in the table, 1 for the first.
        preprocessing: fitted on the training rows only.
        training, held: indices of the rows of `frame`.
        arrays: encoded x (rows, features) and y for all rows.
        net: the network, with new weights.
        notes: what a user should know about the data.
    """

    source: str
    target: str
    options: TableOptions
    frame: object
    preprocessing: TablePreprocessing
    training: np.ndarray
    held: np.ndarray
    row_numbers: np.ndarray
    arrays: object
    spec: dict
    net: object
    notes: list

    @property
    def batch_size(self) -> int:
        return self.options.batch(len(self.training))

    @property
    def epochs(self) -> int:
        return self.options.count_epochs(len(self.training))

    def train(self, out=None, *, resume: bool = False, callbacks=(), progress=None, command=""):
        """Train and save the run; see train_table."""
        began = time.perf_counter()
        folder = RunFolder.begin(
            out, name=Path(self.source).stem, config=self._config(), resume=resume
        )
        folder.write_json(folder.preprocessing, self.preprocessing.to_json())
        optimizer = self.options.make_optimizer(self.net, len(self.training))
        trainer = trainer_for(self.net, self.spec["loss"], self.preprocessing, optimizer)
        stopping = EarlyStopping(self.options.patience)
        checkpoints = Checkpoints(folder.checkpoints, resume=resume)
        if not resume:
            checkpoints.clear()
        x, y = self.arrays.x, self._targets()
        trouble = None
        try:
            trainer.fit(
                x[self.training],
                y[self.training],
                epochs=self.epochs,
                batch_size=self.batch_size,
                validation=(x[self.held], y[self.held]),
                callbacks=[stopping, checkpoints, *callbacks],
                seed=self.options.seed,
                progress=progress,
            )
        except TrainingError as error:
            trouble = error
        except CutawayError:
            folder.discard()  # nothing was trained: leave nothing half-made behind
            raise
        run = Run(folder, self._config(), self.preprocessing, self.net, trainer.history)
        results = {
            "task": self.preprocessing.task,
            "train": self._score(run, self.training),
            "validation": self._score(run, self.held),
            "parameters": self.net.summary().total,
            "seconds": 0.0,
            "epochs": trainer.epoch,
            "best_epoch": stopping.best_epoch,
            "stopped": trainer.stopped,
        }
        results["seconds"] = round(time.perf_counter() - began, 3)
        run.metrics = results
        run.save()
        if trouble is not None:
            raise trouble
        return run

    def _targets(self) -> np.ndarray:
        wants = expects(LOSSES[self.spec["loss"]])
        y = self.arrays.y
        if self.preprocessing.task == "multiclass" and wants.target in ("one_hot", "real"):
            return np.eye(self.spec["outputs"], dtype=np.float32)[y]
        return y

    def _score(self, run, rows) -> dict:
        return score(self.preprocessing, self.arrays.y[rows], run.outputs(self.arrays.x[rows]))

    def _config(self) -> dict:
        return {
            "kind": "table",
            "data": self.source,
            "target": self.target,
            "task": self.preprocessing.task,
            "options": dataclasses.asdict(self.options),
            "batch_size": self.batch_size,
            "lr": self.options.rate(),
            "network": self.spec,
        }


def prepare_table(data=None, target: str | None = None, options=None) -> PreparedTable:
    """Read, look at, encode and split a table, and build the network for it; see train_table."""
    options = TableOptions() if options is None else options
    if data is None:
        data, target = students_path(), target or "passed"
    if target is None:
        raise OptionError(
            "no target was named",
            expected="the column to predict",
            mend='name it: train_table(data, "passed"), or cutaway train DATA --target passed',
        )
    source = str(data) if isinstance(data, str | Path) else "a frame"
    frame = read_table(data)
    looked = TablePreprocessing.fit(
        frame, target, task=options.task, kinds=options.kinds, ignore=options.ignore
    )
    arrays = looked.transform(frame)
    frame, row_numbers = frame[arrays.rows], arrays.rows + 1
    training, held = stratified_split(
        arrays.y, options.validation, seed=options.seed, stratify=looked.task != "regression"
    )
    expect_batch(options.batch(len(training)), len(training))
    # fitted again on the training rows alone: nothing of the held-out rows leaks into it
    preprocessing = looked.refit(frame[training])
    arrays = preprocessing.transform(frame)
    seed(options.seed)
    spec = network_spec(options, preprocessing)
    return PreparedTable(
        source=source,
        target=target,
        options=options,
        frame=frame,
        preprocessing=preprocessing,
        training=training,
        held=held,
        row_numbers=row_numbers,
        arrays=arrays,
        spec=spec,
        net=build_network(spec),
        notes=[*looked.notes],
    )


def write_report(prepared: PreparedTable, run: Run, *, command: str = "") -> Path:
    """Write report.html into the run's folder; returns its path."""
    held, preprocessing = prepared.held, prepared.preprocessing
    y = prepared.arrays.y[held]
    options = {k: v for k, v in run.config["options"].items() if v not in (None, (), [], {})}
    page = render(
        ReportData(
            title=f"{Path(prepared.source).name} → {prepared.target}",
            command=command,
            run=str(run.path),
            config={
                **options,
                "lr": run.config["lr"],
                "batch_size": prepared.batch_size,
                "epochs": prepared.epochs,
                "loss": prepared.spec["loss"],
            },
            columns=preprocessing.summary_rows(),
            notes=prepared.notes,
            net=run.net,
            feature_names=preprocessing.features,
            history=run.history,
            best_epoch=run.metrics["best_epoch"],
            metrics=run.metrics,
            classes=preprocessing.classes,
            target=prepared.target,
            truth=y if preprocessing.classes else prepared.frame[prepared.target].to_numpy()[held],
            outputs=run.outputs(prepared.arrays.x[held]),
            rows=prepared.frame[held],
            row_numbers=prepared.row_numbers[held],
        )
    )
    write_atomically(run.folder.report, page.encode())
    return run.folder.report
