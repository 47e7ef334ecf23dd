"""Experiment: data that was read, encoded and split, with the network for it, ready to train."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from cutaway.errors import CutawayError, OutOfMemoryError, TrainingError
from cutaway.losses import LOSSES, expects
from cutaway.nn import seed
from cutaway.runs.finished_run import Run, trainer_for
from cutaway.runs.networks import NARROWER, build_network
from cutaway.runs.report import ReportData, render
from cutaway.runs.run_folder import RunFolder
from cutaway.runtime.exhaustion import explaining_placing
from cutaway.train import Checkpoints, EarlyStopping, Probes, Trainer, write_atomically
from cutaway.train.probes import MOST_ROWS


@dataclasses.dataclass
class Experiment:
    """Data that was read, encoded and split, and the network for it. Made by `prepare`.

    Attributes:
        kind: what the data are: "table", "images", "text", "language", "series", "labeled
            series" or "recordings".
        source: the path, or "a frame".
        target: name of what is predicted.
        options: TrainingOptions of that kind.
        frame: the polars frame of all rows, in the order of the arrays.
        preprocessing: fitted on the training rows only; see runs.preprocessing.
        training, held: indices of the rows.
        row_numbers: of the rows in the source, 1 for the first.
        x, y: encoded inputs (rows, ...) and targets (rows, ...) of all rows.
        spec: description of the network; see runs.networks.
        net: the network, with new weights.
        notes: what a user should know about the data.
        why: why the data were taken for this kind, and why this network, in words.
        test: (x, y) of a test set that came with the data, or None.
        transform: augmentation of the training rows: function (x, rng) -> x, or None.
        stream: of all training examples, where they do not fit in memory; x[training] is then a
            part of them, by which the training score is measured.
        trainer, probes: of the last `train`, None before.
    """

    looked_at = True  # whether the doctor has a look at it before and after training

    kind: str
    source: str
    target: str
    options: object
    frame: object
    preprocessing: object
    training: np.ndarray
    held: np.ndarray
    row_numbers: np.ndarray
    x: np.ndarray
    y: np.ndarray
    spec: dict
    net: object
    notes: list
    why: str = ""
    test: tuple | None = None
    transform: object = None
    stream: object = None
    trainer: object = None
    probes: object = None

    @property
    def training_rows(self) -> int:
        """How many examples an epoch goes through."""
        return len(self.training) if self.stream is None else self.stream.rows

    @property
    def batch_size(self) -> int:
        return self.options.batch(self.training_rows)

    @property
    def epochs(self) -> int:
        return self.options.count_epochs(self.training_rows)

    def with_options(self, options) -> "Experiment":
        """The same data with other options and a new network, as `space` of the options says.

        For options that neither the reading, the encoding nor the division of the rows asks for.
        """
        spec = options.respec(self.spec)
        seed(options.seed)
        net = build_network(spec)
        return dataclasses.replace(
            self, options=options, spec=spec, net=net, trainer=None, probes=None
        )

    def make_trainer(self) -> Trainer:
        """A Trainer for the network, which has not trained."""
        optimizer = self.options.make_optimizer(self.net, self.training_rows)
        return trainer_for(
            self.net,
            self.spec["loss"],
            self.preprocessing,
            optimizer,
            precision=self.options.precision,
        )

    def train(self, out=None, *, resume: bool = False, callbacks=(), progress=None) -> Run:
        """Train and save the run.

        Args:
            out: folder of the run; None for a new one under `runs/`.
            resume: go on with the training that was begun in `out`.
            callbacks: more callbacks for the Trainer.
            progress: whether to show progress; by default if standard error is a terminal.

        Raises:
            RunError: the folder holds something else, or cannot be written to.
            TrainingError: the loss became NaN; the run holds the last good weights.
            OutOfMemoryError: a step or the data do not fit into the memory of the device; the
                folder is kept if an epoch was completed.
        """
        began = time.perf_counter()
        with explaining_placing("the optimizer's state", NARROWER):
            trainer = self.make_trainer()  # before there is a folder that it could leave behind
        folder = RunFolder.begin(
            out, name=Path(self.source).stem, config=self._config(), resume=resume
        )
        folder.write_json(folder.preprocessing, self.preprocessing.to_json())
        monitor = self.options.KEPT_BY
        stopping = EarlyStopping(
            self.options.patience, monitor=monitor, higher_is_better=monitor != "val_loss"
        )
        checkpoints = Checkpoints(folder.checkpoints, resume=resume)
        if not resume:
            checkpoints.clear()
        y = self.targets()
        inputs, stream = self._inputs(y)
        probes = self._probes(y)
        self.trainer, self.probes = trainer, probes
        trouble = None
        try:
            trainer.fit(
                *inputs,
                epochs=self.epochs,
                batch_size=self.batch_size,
                validation=(self.x[self.held], y[self.held]),
                callbacks=[probes, stopping, checkpoints, *callbacks],
                seed=self.options.seed,
                progress=progress,
            )
        except TrainingError as error:
            trouble = error
        except OutOfMemoryError as error:
            if not trainer.epoch:
                folder.discard()
                raise
            raise _with_folder(error, folder, trainer.epoch) from error.__cause__
        except CutawayError:
            folder.discard()  # nothing was trained: leave nothing half-made behind
            raise
        if probes.rows:
            write_atomically(folder.probes, probes.to_parquet())
        run = Run(folder, self._config(), self.preprocessing, self.whole_net(), trainer.history)
        results = {
            "task": self.preprocessing.task,
            "train": self._score(run, self.x[self.training], self.y[self.training]),
            "validation": self._score(run, self.x[self.held], self.y[self.held]),
            "parameters": self.net.summary().total,
            "seconds": 0.0,
            "epochs": trainer.epoch,
            "best_epoch": stopping.best_epoch,
            "stopped": trainer.stopped,
            "device": trainer.device,
            "precision": self.options.precision,
        }
        if self.test is not None:
            results["test"] = self._score(run, *self.test)
        results["seconds"] = round(time.perf_counter() - began, 3)
        if stream is not None:
            results["waited_for_data"] = round(stream.waited_seconds / results["seconds"], 4)
        run.metrics = results
        run.save()
        if trouble is not None:
            raise self._with_row(trouble)
        return run

    def _with_row(self, trouble: TrainingError) -> TrainingError:
        """The error with the number of the row in the source, where one is to blame."""
        if trouble.origin is None or trouble.origin.row is None:
            return trouble
        number = int(self.row_numbers[self.training[trouble.origin.row]])
        error = TrainingError(
            f"{trouble.came}; row {trouble.origin.row} of the training rows is row {number:,} of "
            f"{Path(self.source).name}",
            expected=trouble.expected,
            fix=trouble.fix,
        )
        error.origin = dataclasses.replace(trouble.origin, row=number)
        return error

    def _inputs(self, y):
        """What fit takes, and the stream if it is one."""
        if self.stream is not None:
            return (self.stream,), self.stream
        if self.transform is None:
            return (self.x[self.training], y[self.training]), None
        from cutaway.data import ArrayStream

        stream = ArrayStream(self.x[self.training], y[self.training], transform=self.transform)
        return (stream,), stream

    def _probes(self, y) -> Probes:
        rows = np.linspace(0, len(self.training) - 1, MOST_ROWS).astype(int)
        rows = self.training[np.unique(rows)]
        return Probes(self.x[rows], y[rows])

    def whole_net(self):
        """The network that the run keeps."""
        return self.net

    @property
    def input_shape(self) -> tuple:
        """Shape of one input of the network that the run keeps."""
        return self.x.shape[1:]

    def outputs(self, run: Run, rows) -> np.ndarray:
        """What the run says to these rows, as Run.outputs."""
        return run.outputs(self.x[rows])

    def pictures(self, rows):
        """For each of the rows a function that gives an image element, or None."""
        return self.preprocessing.pictures(self.x[rows])

    def more_sections(self, run: Run) -> list:
        """[(heading, HTML)] that the report shows besides."""
        return []

    def page(self, run: Run, command: str) -> str:
        """report.html."""
        return rows_page(self, run, command)

    def targets(self) -> np.ndarray:
        """y as the loss takes it."""
        wants = expects(LOSSES[self.spec["loss"]])
        if self.preprocessing.task == "multiclass" and wants.target in ("one_hot", "real"):
            return np.eye(self.spec["outputs"], dtype=np.float32)[self.y]
        return self.y

    def _score(self, run, x, y) -> dict:
        return self.preprocessing.score_run(run, x, y)

    def _config(self) -> dict:
        return {
            "kind": self.kind,
            "data": self.source,
            "target": self.target,
            "task": self.preprocessing.task,
            "options": dataclasses.asdict(self.options),
            "batch_size": self.batch_size,
            "lr": self.options.rate(),
            "network": self.spec,
        }


def _with_folder(error: OutOfMemoryError, folder, epochs: int) -> OutOfMemoryError:
    """The error with what is left of the training."""
    told = OutOfMemoryError(
        error.came,
        expected=error.expected,
        fix=f"{error.fix}; the state after epoch {epochs} is in {folder.path}: where there is "
        f"more memory, the same command with --out {folder.path} --resume continues from there",
    )
    told.asked_bytes, told.free_bytes = error.asked_bytes, error.free_bytes
    return told


def write_report(experiment: Experiment, run: Run, *, command: str = "") -> Path:
    """Write report.html into the run's folder; returns its path."""
    write_atomically(run.folder.report, experiment.page(run, command).encode())
    return run.folder.report


def rows_page(experiment: Experiment, run: Run, command: str) -> str:
    """The report about a prediction for each row."""
    held, preprocessing = experiment.held, experiment.preprocessing
    options = {k: v for k, v in run.config["options"].items() if v not in (None, (), [], {})}
    outputs = experiment.outputs(run, held)
    frame = experiment.frame[held]
    truth = preprocessing.truth(experiment.y[held])
    return render(
        ReportData(
            title=f"{Path(experiment.source).name} → {experiment.target}",
            command=command,
            run=str(run.path),
            config={
                **options,
                "lr": run.config["lr"],
                "batch_size": experiment.batch_size,
                "epochs": experiment.epochs,
                "loss": experiment.spec["loss"],
                "device": run.metrics.get("device"),
            },
            headings=preprocessing.headings,
            columns=preprocessing.summary_rows(),
            notes=([experiment.why] if experiment.why else []) + experiment.notes,
            net=run.net,
            input_shape=experiment.input_shape,
            feature_names=getattr(preprocessing, "features", None),
            history=run.history,
            probes=run.probes,
            best_epoch=run.metrics["best_epoch"],
            metrics=run.metrics,
            examples=preprocessing.examples,
            classes=preprocessing.classes,
            target=experiment.target,
            truth=truth,
            outputs=outputs,
            rows=frame,
            row_numbers=experiment.row_numbers[held],
            pictures=experiment.pictures(held),
            baseline=preprocessing.baseline,
            chart=preprocessing.chart(frame, truth, outputs),
            more=experiment.more_sections(run),
        )
    )
