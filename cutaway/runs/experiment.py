"""Experiment: data read, encoded and split, and a network for them, ready to train."""

import copy
import dataclasses
import math
import shlex
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cutaway.data import BlockStream, SkippedFiles
from cutaway.data.fingerprint import Fingerprint
from cutaway.errors import (
    CutawayError,
    OptionError,
    OutOfMemoryError,
    RunError,
    TrainingError,
    counted,
)
from cutaway.losses import LOSSES, expects
from cutaway.nn import Module, seed
from cutaway.nn.trees import take_rows
from cutaway.optim import OPTIMIZERS
from cutaway.runs.base_rate import start_at_base_rate
from cutaway.runs.beats_baseline import nothing_learned
from cutaway.runs.class_weights import weighted_spec
from cutaway.runs.damage import explaining_damage
from cutaway.runs.decision import DecisionThreshold
from cutaway.runs.dense_checks import Problem
from cutaway.runs.finished_run import Run, trainer_for
from cutaway.runs.interval import PredictionInterval
from cutaway.runs.kinds import KINDS
from cutaway.runs.networks import NARROWER, build_network
from cutaway.runs.options import TrainingOptions
from cutaway.runs.preprocessing import Preprocessing, Reasons
from cutaway.runs.report import Remark, ReportData, render
from cutaway.runs.run_folder import RunFolder
from cutaway.runs.validation_kind import ValidationKind
from cutaway.runtime.exhaustion import expect_room, explaining_placing
from cutaway.train import Callback, Checkpoints, EarlyStopping, Probes, Trainer
from cutaway.train.loggers import Logger
from cutaway.train.probes import MOST_ROWS

if TYPE_CHECKING:
    import polars as pl

CLASSIFICATIONS = ("binary", "multiclass", "segmentation")  # tasks
WEIGHTED = (
    "with class weights, probabilities and losses are those of classes that are as frequent as "
    "their weights make them, not as in the data"
)
IN_MEMORY = "a frame"  # source of data without a path


@dataclasses.dataclass
class Experiment:
    """Data read, encoded and split, and a network for them. Made by `prepare`.

    Attributes:
        kind: of the data, a key of runs.KINDS.
        source: the path, or IN_MEMORY.
        target: name of the target.
        options: TrainingOptions of that kind.
        frame: polars frame of all rows, in the order of the arrays.
        preprocessing: fitted on the training rows only; see runs.preprocessing.
        training, validation: row indices.
        row_numbers: of the rows in the source, counted from 1.
        x, y: encoded inputs (rows, ...) and targets (rows, ...) of all rows.
        spec: description of the network; see runs.networks.
        net: the network, with initial weights.
        notes: messages about the data for the user.
        why: why the data were detected as this kind, and why this network was chosen.
        test: (x, y) of the test set, or None.
        transform: augmentation of the training rows: function (x, rng) -> x, or None.
        stream: of all training examples, if they do not fit in memory; x[training] is then a
            sample of them, used for the training scores.
        skipped: files that cannot be read, in all sets; None for kinds that read no files.
        known: (frame of all examples as `preprocessing.read` returns them, indices of the training
            examples), for the fingerprint of the data; None: frame and training.
        leaks: (data.found_leak.Leak, ...), also in the notes; None: none were looked for.
        trainer, probes: of the last `train`; None before.
        remarks: what the checks before and after the training found, for the report.
        explain: the command that explains the row worth looking at, for the report; or "".
    """

    has_checks = True  # whether the doctor checks it before and after training
    has_cycles = False  # whether the learning rate falls several times; the loss rises in between

    # of a diagnosis: most rows and epochs, None for all; seconds for experiments, see TrainingPlan
    DOCTOR_ROWS: ClassVar[int | None] = None
    DOCTOR_EPOCHS: ClassVar[int | None] = None
    DOCTOR_SECONDS: ClassVar[float] = math.inf

    kind: str
    source: str
    target: str
    options: TrainingOptions
    frame: "pl.DataFrame"
    preprocessing: Preprocessing
    training: np.ndarray
    validation: np.ndarray
    row_numbers: np.ndarray
    x: np.ndarray
    y: np.ndarray
    spec: dict
    net: Module
    notes: list
    why: str = ""
    test: tuple | None = None
    transform: Callable | None = None
    stream: BlockStream | None = None
    skipped: SkippedFiles | None = None
    known: "tuple[pl.DataFrame, np.ndarray] | None" = None
    leaks: tuple | None = None
    trainer: Trainer | None = None
    probes: Probes | None = None
    remarks: list[Remark] = dataclasses.field(default_factory=list)
    explain: str = ""

    def __post_init__(self):
        if self.options.class_weights is not None:
            self.spec = self.weighted(self.options.class_weights)
            if WEIGHTED not in self.notes:
                self.notes = [*self.notes, WEIGHTED]
        start_at_base_rate(self.net, self.spec, self.preprocessing)

    def weighted(self, given: str) -> dict:
        """The spec of the network with weights of the classes in its loss; see weighted_spec."""
        rows = self.preprocessing
        if rows.task not in CLASSIFICATIONS:
            raise OptionError(
                f"class weights with {self.target}, which has no classes",
                expected="a target of classes",
                fix="omit them",
            )
        return weighted_spec(self.spec, given, rows.class_names(), rows.class_counts)

    @property
    def training_rows(self) -> int:
        """Number of training examples per epoch."""
        return len(self.training) if self.stream is None else self.stream.rows

    @property
    def validation_rows(self) -> int:
        """Number of validation examples."""
        return len(self.validation)

    @property
    def has_validation(self) -> bool:
        """Whether the validation examples are others than those that train."""
        return not np.isin(self.validation, self.training).any()

    @property
    def validation_kind(self) -> ValidationKind:
        """What the scores are that are stored as those of validation."""
        return ValidationKind.VALIDATION if self.has_validation else ValidationKind.TRAINING

    @property
    def is_split_meant(self) -> bool:
        """Whether the validation examples are unlike the others on purpose: later, other groups."""
        return self.kind in ("series", "language") or self.options.split not in (None, "random")

    @property
    def test_rows(self) -> int:
        """Number of test examples."""
        return 0 if self.test is None else len(self.test[0])

    @property
    def data_line(self) -> str:
        """How many examples train and validate, in words."""
        several = self.preprocessing.examples
        one = several if several == "series" else several[:-1]
        validation = self.validation_rows if self.has_validation else 0
        sets = {"training": self.training_rows, "validation": validation}
        return ", ".join(
            f"{count:,} {name} {one if count == 1 else several}"
            if count
            else f"no {name} {several}"
            for name, count in sets.items()
        )

    @property
    def rate(self) -> float:
        """The learning rate."""
        return self.options.rate()

    @property
    def training_line(self) -> str:
        """The optimizer and its learning rate, in words."""
        return f"{self.options.optimizer}, lr {self.rate:g}"

    @property
    def kept_among(self) -> str:
        """Among which epochs the best weights are chosen, in words; "": among all."""
        return ""

    @property
    def inputs_in_words(self) -> str:
        """What the network does with the encoded columns, in sentences; "": nothing to say."""
        return ""

    @property
    def batch_size(self) -> int:
        return self.options.batch(self.training_rows)

    @property
    def epochs(self) -> int:
        return self.options.count_epochs(self.training_rows)

    def with_options(self, options: TrainingOptions) -> "Experiment":
        """The same data with other options and a reinitialized network.

        For options of `space`, which change neither how the data are read and encoded nor how
        they are split.
        """
        spec = options.respec(self.spec)
        seed(options.seed)
        net = self.new_network(spec)
        return dataclasses.replace(
            self, options=options, spec=spec, net=net, trainer=None, probes=None
        )

    def new_network(self, spec: dict) -> Module:
        """The network of a spec before its training."""
        return build_network(spec)

    def opened(self) -> "Experiment":
        """The experiment of one network, to be looked at: itself, or that of an ensemble's first.

        After a training its trainer and probes are those of the training.
        """
        return self

    def make_trainer(self) -> Trainer:
        """A new Trainer for the network."""
        optimizer = self.options.make_optimizer(self.net, self.training_rows)
        return trainer_for(
            self.net,
            self.spec,
            self.preprocessing,
            optimizer,
            precision=self.options.precision,
        )

    def train(self, out=None, *, resume: bool = False, callbacks=(), progress=None) -> Run:
        """Train and save the run.

        Args:
            out: folder of the run; None for a new one under `runs/`.
            resume: continue the training in `out`.
            callbacks: more callbacks for the Trainer; loggers also write the run's config.
            progress: whether to show progress; by default in a terminal and in a notebook.

        Raises:
            RunError: the folder is not empty, or cannot be written to.
            TrainingError: the loss became NaN; the run holds the last finite weights.
            OutOfMemoryError: a step or the data do not fit into the memory of the device; the
                folder is kept if an epoch was completed.
        """
        began = time.perf_counter()
        if resume and self.skipped is not None:
            self._adopt_scale(out)
        fingerprint = self.fingerprint()
        config = {**self._config(), "fingerprint": fingerprint.to_json()}
        slots = len(OPTIMIZERS[self.options.optimizer].slots)
        size = sum(p.data.nbytes for p in self.net.parameters()) * (slots + 1)
        expect_room(size, "the training: gradients and the optimizer's state", NARROWER)
        with explaining_placing("the optimizer's state", NARROWER):
            trainer = self.make_trainer()  # before the folder is made: a failure leaves none behind
        with RunFolder.begin(
            out,
            name=Path(self.source).stem,
            config=config,
            preprocessing=self.preprocessing.to_json(),
            fingerprint=fingerprint,
            resume=resume,
        ) as folder:
            return self._train(folder, trainer, config, began, resume, callbacks, progress)

    def examples(self) -> "tuple[pl.DataFrame, np.ndarray]":
        """(frame of all examples, indices of the training examples)."""
        return (self.frame, self.training) if self.known is None else self.known

    def fingerprint(self) -> Fingerprint:
        """Of all the data: those of training, validation and test."""
        frame, training = self.examples()
        hashes = self.preprocessing.hashes(frame)
        numbers = self.row_numbers
        if len(numbers) != len(hashes.rows):
            numbers = np.arange(len(hashes.rows)) + 1
        most = self.skipped.most if self.skipped is not None and self.stream is not None else 0
        return Fingerprint(hashes, training, numbers, most)

    def _adopt_scale(self, out) -> None:
        """Take the scale of the inputs from a run to be resumed which read other files.

        Which files of a stream can be read may change during its training, and with them the
        sample that the scale is measured on.

        Raises:
            RunError: not a stream: the files were read once, and all count in each epoch.
        """
        if out is None:
            return  # RunFolder.begin refuses it
        folder = RunFolder(out)
        if not folder.config.exists():
            return
        before = folder.read_config()
        was, now = set(before.get("skipped_files", [])), set(self._skipped_names())
        if was == now:
            return
        if self.stream is None:
            example = min(was ^ now)
            raise RunError(
                f"{folder.path} was trained {'without' if example in was else 'with'} {example}, "
                f"which {'can' if example in was else 'cannot'} be read now",
                expected="the same files: each counts in every epoch",
                fix="restore the files as they were, or train into another folder",
            )
        with explaining_damage(folder.config):
            scale = {name: before["network"][name] for name in ("mean", "std")}
            self.spec = {**self.spec, **scale}
            seed(self.options.seed)
            self.net = self.new_network(self.spec)

    def _skipped_names(self) -> list[str]:
        return [] if self.skipped is None else sorted(map(str, self.skipped.reasons))

    def _train(self, folder: RunFolder, trainer, config, began, resume, callbacks, progress) -> Run:
        stopping = self.make_stopping()
        checkpoints = Checkpoints(folder.checkpoints, resume=resume)
        y = self.targets()
        inputs, stream = self.fit_inputs(y)
        self.trainer, self.probes = trainer, self._probes(y)
        keeping = [checkpoints] if stopping is None else [stopping, checkpoints]
        loggers = [one for one in callbacks if isinstance(one, Logger)]
        for logger in loggers:
            logger.add_config({**config, "run": str(folder.path)}, folder.path)
        failure: CutawayError | None = None
        try:
            self._fit(trainer, inputs, y, [*keeping, *callbacks], progress)
        except CutawayError as error:
            if not trainer.epoch and not isinstance(error, TrainingError):
                for logger in loggers:
                    logger.discard()
                folder.discard()  # nothing was trained
                raise
            if not isinstance(error, TrainingError | RunError):
                raise _with_folder(error, folder, trainer.epoch) from error.__cause__
            failure = error
        moved = folder.ensure()
        if moved is not None:
            self.notes.append(moved)
            warnings.warn(moved, stacklevel=3)
        self.notes += checkpoints.notes
        if stream is not None:
            self.notes += stream.notes
        if self.probes.rows:
            folder.write(folder.probes, self.probes.to_parquet())
        run = Run(folder, config, self.preprocessing, self.saved_net(), trainer.history)
        self.calibrate(run)
        scores = self.scores(run)
        results: dict = {
            "task": self.preprocessing.task,
            "train": scores["train"],
            "validation": scores["validation"],
            "validation_kind": self.validation_kind.value,
            "parameters": self.net.summary().total,
            "seconds": 0.0,
            "epochs": trainer.epoch,
            "best_epoch": stopping.best_epoch if stopping and stopping.best_weights else None,
            "stopped": trainer.stopped,
            "device": trainer.device,
            "precision": self.options.precision,
        }
        if "test" in scores:
            results["test"] = scores["test"]
        results["seconds"] = round(time.perf_counter() - began, 3)
        if stream is not None:
            results["waited_for_data"] = round(stream.waited_seconds / results["seconds"], 4)
        if self.skipped is not None and self.skipped.reasons:
            results["skipped_files"] = {str(p): r for p, r in sorted(self.skipped.reasons.items())}
        run.metrics = results
        run.save()
        if isinstance(failure, TrainingError):
            raise self._with_row(failure)
        if failure is not None and moved is None:
            raise failure
        return run

    def join(self, *, resume: bool = False) -> None:
        """Take part in the training as a process other than the first: nothing is written."""
        stopping = self.make_stopping()
        trainer, y = self.make_trainer(), self.targets()
        inputs, _ = self.fit_inputs(y)
        self.trainer, self.probes = trainer, self._probes(y)
        checkpoints = Checkpoints(f"{self.source}.checkpoints", resume=resume)
        keeping = [checkpoints] if stopping is None else [stopping, checkpoints]
        self._fit(trainer, inputs, y, keeping, False)

    def _fit(self, trainer, inputs, y, callbacks, progress) -> None:
        trainer.fit(
            *inputs,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation=(self.x[self.validation], take_rows(y, self.validation)),
            callbacks=[
                *self.watchers(),
                self.probes,
                *callbacks,
            ],
            seed=self.options.seed,
            progress=progress,
        )

    def _with_row(self, failure: TrainingError) -> TrainingError:
        """The error with the row number in the source, if a row caused it."""
        if failure.origin is None or failure.origin.row is None:
            return failure
        number = int(self.row_numbers[self.training[failure.origin.row]])
        error = TrainingError(
            f"{failure.came}; row {failure.origin.row} of the training rows is row {number:,} of "
            f"{Path(self.source).name}",
            expected=failure.expected,
            fix=failure.fix,
        )
        error.origin = dataclasses.replace(failure.origin, row=number)
        return error

    def fit_inputs(self, y) -> tuple[tuple, Any]:
        """What trains: ((x, y) or (a stream,) for Trainer.fit, the stream that has notes or None).

        Args:
            y: from `targets`.
        """
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
        return Probes(self.x[rows], take_rows(y, rows))

    def load_weights(self, run: Run) -> None:
        """Go on from the weights of a run on the same data.

        Raises:
            RunError, ShapeError: they are those of another network.
        """
        self.saved_net().load_state_dict(run.net.state_dict())

    def watchers(self) -> list[Callback]:
        """Callbacks that add columns to the history."""
        return []

    def problems(self, run: Run) -> list[Problem]:
        """What is wrong with the data or the trained run, that only this kind knows."""
        return []

    def make_stopping(self) -> EarlyStopping | None:
        """The callback that keeps the best weights; None: the last ones are kept."""
        return self.stopping_by(self.options.MONITOR)

    def stopping_by(self, monitor: str) -> EarlyStopping:
        """The callback that keeps the weights of the epoch with the best value in a column."""
        return EarlyStopping(
            self.options.patience, monitor=monitor, higher_is_better=monitor != "val_loss"
        )

    def calibrate(self, run: Run) -> None:
        """Choose what the preprocessing keeps of the trained network, such as a threshold.

        By default, from the validation rows, intervals of predicted numbers, and the threshold of
        a rare class.
        """
        rows = self.preprocessing
        rows.decision = rows.given_decision
        if rows.task == "binary" and rows.decision is None and self.has_validation:
            truth, outputs = self.y[self.validation], self.outputs(run, self.validation)
            rows.decision = DecisionThreshold.of_rare(truth, outputs)
            if rows.decision is not None:
                which = self.validation_kind.adjective
                told = rows.decision.why(self.target, rows.classes, truth, outputs, which)
                self.notes.append(told)
        if rows.task == "regression" and self.has_validation:
            truth = rows.truth(self.y[self.validation])
            rows.interval = PredictionInterval.fit(truth, self.outputs(run, self.validation))
            if rows.interval is None:
                one = f"{self.validation_kind.adjective} row"
                self.notes.append(
                    f"{counted(self.validation_rows, one)}: too few for intervals of "
                    "predictions, which need 19"
                )

    def scores(self, run: Run) -> dict[str, dict]:
        """{"train": {score: value}, "validation": ..., "test": if there is a test set}."""
        found = {
            "train": self._score(run, self.x[self.training], self.y[self.training]),
            "validation": self._score(run, self.x[self.validation], self.y[self.validation]),
        }
        if self.test is not None:
            x, y = self.test
            found["test"] = self._score(run, x, y)
            if self.preprocessing.interval is not None:
                found["test"] |= self.preprocessing.interval_scores(y, self.test_outputs(run))
        return found

    def saved_net(self) -> Module:
        """The network saved with the run."""
        return self.net

    @property
    def input_shape(self) -> tuple:
        """Shape of one input of the saved network."""
        return self.x.shape[1:]

    def outputs(self, run: Run, rows) -> np.ndarray:
        """Run.outputs for these rows."""
        return run.outputs(self.x[rows])

    def reasons(self, run: Run, rows, outputs) -> Reasons:
        """Why the run predicts what it predicts, for the report.

        Args:
            rows: indices of the rows that are looked at.
            outputs: of these rows, see `outputs`.
        """
        truth = self.preprocessing.truth(self.y[rows])
        return self.preprocessing.reasons(run, self.inputs_of(rows), truth, outputs)

    def test_outputs(self, run: Run) -> np.ndarray:
        """Run.outputs for the rows of the test set."""
        assert self.test is not None
        return run.outputs(self.test[0])

    def inputs_of(self, rows) -> np.ndarray:
        """The inputs of the saved network for these rows."""
        return self.x[rows]

    def warning(self, run: Run) -> str:
        """That nothing was learned, if no score of a run is better than its baseline; or ""."""
        counts = {"validation": self.validation_rows, "test": self.test_rows}
        rows = self.preprocessing
        return nothing_learned(
            run.metrics, counts=counts, examples=rows.examples, baseline=rows.baseline
        )

    def pictures(self, rows):
        """A function that returns an image element, for each of the rows; or None."""
        return self.preprocessing.pictures(self.x[rows])

    def extra_sections(self, run: Run) -> list:
        """[(heading, HTML)] of further sections of the report."""
        return []

    def report_data(self, run: Run, command: str, *, settings=None, **parts) -> ReportData:
        """What report.html says of any kind of data, and `parts` of ReportData.

        Args:
            command: the command line of the training.
            settings: {setting: value} to show besides those of all kinds.
        """
        rows = self.preprocessing
        options = {k: v for k, v in run.config["options"].items() if v not in (None, (), [], {})}
        return ReportData(
            title=f"{Path(self.source).name} → {self.target}",
            command=command,
            use=KINDS[self.kind].use(run.path)[0],
            config={
                **options,
                "lr": run.config["lr"],
                "batch_size": self.batch_size,
                "epochs": self.epochs,
                "loss": self.spec["loss"],
                **(settings or {}),
                "device": run.metrics.get("device"),
            },
            headings=rows.headings,
            columns=rows.summary_rows(),
            notes=([self.why] if self.why else []) + self.notes,
            net=run.net,
            input_shape=self.input_shape,
            history=run.history,
            probes=run.probes,
            best_epoch=run.metrics["best_epoch"],
            kept_among=self.kept_among,
            has_cycles=self.has_cycles,
            inputs_in_words=self.inputs_in_words,
            metrics=run.metrics,
            examples=rows.examples,
            target=self.target,
            warning=self.warning(run),
            remarks=self.remarks,
            explain=self.explain,
            doctor=f"cutaway doctor {shlex.quote(str(run.path))}",
            **parts,
        )

    def page(self, run: Run, command: str) -> str:
        """report.html."""
        return rows_page(self, run, command)

    def targets(self) -> np.ndarray:
        """y in the form that the loss expects."""
        wants = expects(LOSSES[self.spec["loss"]])
        assert wants is not None  # every loss of LOSSES declares what it expects
        if self.preprocessing.task == "multiclass" and wants.target in ("one_hot", "real"):
            return np.eye(self.spec["outputs"], dtype=np.float32)[self.y]
        return self.y

    def _score(self, run, x, y) -> dict:
        return self.preprocessing.score_run(run, x, y)

    def _config(self) -> dict:
        skipped = self._skipped_names()
        return {
            "kind": self.kind,
            "data": self.source,
            "target": self.target,
            "task": self.preprocessing.task,
            "options": dataclasses.asdict(self.options),
            "batch_size": self.batch_size,
            "lr": self.rate,
            "network": self.spec,
            **({"skipped_files": skipped} if skipped else {}),
        }


def _with_folder(error: CutawayError, folder: RunFolder, epochs: int) -> CutawayError:
    """The error, with how to resume the training."""
    extended = copy.copy(error)
    needs = "with more memory, " if isinstance(error, OutOfMemoryError) else ""
    fix = f"{error.fix}; " if error.fix else ""
    fix += (
        f"the state after epoch {epochs} was saved to {folder.path}: {needs}the same command with "
        f"--out {folder.path} --resume continues from there"
    )
    CutawayError.__init__(extended, error.came, expected=error.expected, fix=fix)
    return extended


def write_report(experiment: Experiment, run: Run, *, command: str = "") -> Path:
    """Write report.html into the run's folder; returns its path.

    Loggers of the training that are still open, as in a `with` block, get it too, and the scores,
    the remarks and the weights of the run.
    """
    page = experiment.page(run, command).encode("utf-8", "backslashreplace")
    run.folder.write(run.folder.report, page)
    for logger in _open_loggers(experiment):
        scores = {name: run.metrics.get(name, {}) for name in ("train", "validation", "test")}
        logger.log_scores(scores, run.metrics["epochs"])
        for k, remark in enumerate(experiment.remarks, 1):
            logger.log_text(f"remarks/{k}", "\n\n".join((remark.title, *remark.sentences)))
        logger.log_file(run.folder.report)
        logger.log_file(run.folder.weights)
    return run.folder.report


def _open_loggers(experiment: Experiment) -> list[Logger]:
    callbacks = [] if experiment.trainer is None else experiment.trainer.callbacks
    return [one for one in callbacks if isinstance(one, Logger) and one.is_open]


def rows_page(experiment: Experiment, run: Run, command: str) -> str:
    """The report for kinds with one prediction per row."""
    validation, preprocessing = experiment.validation, experiment.preprocessing
    outputs = experiment.outputs(run, validation)
    frame = experiment.frame[validation]
    truth = preprocessing.truth(experiment.y[validation])
    reasons = experiment.reasons(run, validation, outputs)
    return render(
        experiment.report_data(
            run,
            command,
            feature_names=KINDS[experiment.kind].input_names(preprocessing),
            classes=preprocessing.classes,
            truth=truth,
            outputs=outputs,
            predicted=None if preprocessing.classes is None else preprocessing.decide(outputs),
            headline=preprocessing.headline(
                run.metrics["validation"],
                experiment.target,
                experiment.validation_rows,
                experiment.validation_kind,
            ),
            rows=frame,
            row_numbers=experiment.row_numbers[validation],
            pictures=experiment.pictures(validation),
            baseline=preprocessing.baseline,
            chart=preprocessing.chart(frame, truth, outputs),
            extra_sections=[*reasons.sections, *experiment.extra_sections(run)],
            first_columns=reasons.columns,
        )
    )
