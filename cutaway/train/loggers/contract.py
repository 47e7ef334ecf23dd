"""What a logger is: a callback that writes a training down, and never ends it."""

import importlib.metadata
import importlib.util
import math
import numbers
import platform
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

import cutaway
from cutaway.errors import OptionError, expect_path, expect_type, install_extra
from cutaway.ops.precision import current_precision
from cutaway.runtime import distributed
from cutaway.train.callbacks import Callback
from cutaway.train.probes import NUMBERS, Probes
from cutaway.train.resuming import INTERRUPTED, LATER

EPOCH, STEP = "epoch", "step"  # what a value is drawn over
VERSIONS_OF = ("jax", "numpy")


class Logger(Callback):
    """Base class of loggers: the training of a Trainer, written down.

    The configuration is written before the first step, each row of the history after its epoch,
    and what `Probes` among the callbacks measure. As a context it stays open after the fit, until
    the end of the block: then `log_text` and `log_file` can still be called.

    What fails is said once, as a warning; the training goes on without this logger. Only the first
    process of several writes.

    A new logger overrides `open`, `write` and what else it can keep of `write_config`,
    `write_histogram`, `write_scores`, `write_text`, `write_file` and `end`; these may raise.

    Attributes:
        name: on the command line.
        modules: packages that it needs, which the extra of its name installs.
        run: what names the run where it is written: a folder or an identifier; a resumed training
            goes on in it. None: a new one.
        failure: what went wrong; None: nothing.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> net = ct.Sequential(ct.Linear(3, 1))
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> with ct.loggers.CSV(tempfile.mkdtemp()) as logger:
        ...     history = trainer.fit(x, x.sum(axis=1), epochs=2, callbacks=[logger])
        ...     logger.log("largest weight", abs(net[0].weight.numpy()).max(), step=4)
    """

    name: ClassVar[str] = ""
    modules: ClassVar[tuple[str, ...]] = ()

    def __init__(self):
        missing = [module for module in self.modules if importlib.util.find_spec(module) is None]
        if missing:
            raise OptionError(
                f"the logger {type(self).__name__} requires the package {missing[0]}, which is "
                "not installed",
                fix=install_extra(self.name),
            )
        self.run: str | None = None
        self.failure: Exception | None = None
        self._folder: Path | None = None  # of a run of Cutaway
        self._config: dict = {}  # given by add_config
        self._outer: BaseException | None = None
        self._is_open = False
        self._is_training = False
        self._held = 0
        self._status = "finished"
        self._forget()

    def _forget(self):
        self._epochs, self._probed = 0, -1  # what was written so far
        if not self._is_open:
            self.run = None

    @classmethod
    def for_trial(cls, search: Path, trial: str) -> Self:
        """A logger of one trial of a search for hyperparameters.

        Args:
            search: folder of the search, whose name is that of its group of runs.
            trial: number of the trial, "007".
        """
        return cls()

    # what a leaf overrides

    def open(self, folder: Path | None) -> None:
        """Begin, or go on in `run`, and set `run` if it is None.

        Args:
            folder: of the run of Cutaway, for loggers that write files; None: there is none.
        """
        raise NotImplementedError

    def write(self, axis: str, place: int, values: dict[str, float]) -> None:
        """Write values of one moment.

        Args:
            axis: EPOCH or STEP, what `place` counts.
        """
        raise NotImplementedError

    def write_histogram(self, step: int, name: str, counts: np.ndarray, edges: np.ndarray) -> None:
        """Write how many values were between the edges at a step; where there is a place for it."""

    def write_config(self, config: dict) -> None:
        """Write what the training consists of: JSON values.

        Of a trial of a search, "hyperparameters" are the values that were drawn for it.
        """

    def write_scores(self, place: int, values: dict[str, float]) -> None:
        """Write the scores at the end, after `place` epochs: {"validation/accuracy": 0.9}."""
        self.write(EPOCH, place, {f"scores/{name}": value for name, value in values.items()})

    def write_text(self, name: str, text: str) -> None:
        """Write a text, such as a finding of the doctor."""

    def write_file(self, path: Path, name: str) -> None:
        """Keep a file, such as the weights, under a name."""

    def end(self, status: str) -> None:
        """Close what `open` opened.

        Args:
            status: "finished", "interrupted" or "failed".
        """

    # for users

    @property
    def writes(self) -> bool:
        """Whether this process writes: the first one does."""
        return distributed.is_first()

    @property
    def is_open(self) -> bool:
        """Whether a run is begun and not ended."""
        return self._is_open

    def log(self, name: str, value, step: int) -> None:
        """Write a number of your own.

        Args:
            name: letters, digits and / for groups: "gradients/largest".
            value: a number, or an array of one.
            step: of the optimizer, or whatever else you count.
        """
        expect_type(name, str, what="log: name", expected="a text")
        number = value.item() if hasattr(value, "item") else value
        expect_type(number, numbers.Real, what=f"log: value of {name}", expected="one number")
        self._log(f"writing {name}", self.write, STEP, int(step), {name: float(number)})

    def log_text(self, name: str, text: str) -> None:
        """Write a text of your own."""
        expect_type(name, str, what="log_text: name", expected="a text")
        self._log(f"writing {name}", self.write_text, name, str(text))

    def log_file(self, path, name: str | None = None) -> None:
        """Keep a file, such as report.html, beside the training.

        Args:
            path: of the file.
            name: that it gets; None: its own.
        """
        expect_path(path, what="log_file: path")
        path = Path(path)
        self._log(f"keeping {path}", self.write_file, path, name or path.name)

    def log_scores(self, scores: dict[str, Any], place: int) -> None:
        """Write the scores of a run: {"validation": {"accuracy": 0.9}}.

        Args:
            scores: nested dicts of numbers; what is no number is left out.
            place: the last epoch.
        """
        values = {name: float(v) for name, v in _flat(scores).items() if _is_finite(v)}
        self._log("writing the scores", self.write_scores, place, values)

    def add_config(self, config: dict, folder: Path | None = None) -> None:
        """Add to what `write_config` writes; before the training.

        Args:
            folder: of the run that is trained.
        """
        self._config |= config
        self._folder = folder if folder is not None else self._folder

    def close(self) -> None:
        """End the run; what is logged later is added to it, until another training begins."""
        if self._is_open:
            self._attempt("closing", self.end, self._status)
            self._is_open = False

    def discard(self) -> None:
        """Close, and remove what was written into the folder of the run: nothing was trained."""
        self.close()
        if self.run is not None and self._folder == Path(self.run).parent:
            shutil.rmtree(self.run, ignore_errors=True)

    def __enter__(self) -> Self:
        self._held += 1
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._held -= 1
        if error is not None and self._status == "finished":
            self._status = "failed" if isinstance(error, Exception) else "interrupted"
        if not self._held:
            self.close()

    # as a callback

    def next_look(self, trainer):
        return math.inf  # rows are enough, also afterwards

    def on_start(self, trainer):
        self._outer = sys.exc_info()[1]
        self._is_training = True
        if trainer.epoch == 0:
            self._forget()

    def on_ready(self, trainer):
        self._status = "finished"
        self._attempt("writing the configuration", self._write_start, trainer)
        for row in trainer.history.rows[self._epochs :]:  # resumed, and they were not seen
            self.on_epoch(trainer, row)

    def on_epoch(self, trainer, row):
        values = {k: v for k, v in row.items() if k != "epoch" and isinstance(v, numbers.Real)}
        self._attempt(f"writing epoch {row['epoch']}", self.write, EPOCH, row["epoch"], values)
        self._epochs = row["epoch"]
        self._write_probes(trainer)

    def on_end(self, trainer):
        error = sys.exc_info()[1]
        if trainer.stopped in (INTERRUPTED, LATER) or isinstance(error, KeyboardInterrupt):
            self._status = "interrupted"
        elif error is not None and error is not self._outer:
            self._status = "failed"
        if self._is_open:
            self._write_probes(trainer)
        self._is_training = False
        if not self._held:
            self.close()

    def state(self):
        return {"run": self.run, "epochs": self._epochs, "probed": self._probed}

    def load_state(self, state):
        if not self._is_open:
            self.run = state["run"]
            self._epochs, self._probed = state["epochs"], state["probed"]

    def __repr__(self):
        shown = [] if self.run is None else [repr(self.run)]
        shown += [] if self.failure is None else [f"failed: {self.failure}"]
        return f"{type(self).__name__}({', '.join(shown)})"

    # inside

    def _write_start(self, trainer):
        self.write_config({**config_of(trainer), **self._config})
        self.write_text("network", str(trainer.net.summary()))

    def _write_probes(self, trainer):
        for probes in trainer.callbacks:
            if isinstance(probes, Probes):
                moments: dict[int, dict] = {}
                for row in probes.rows:
                    if row["step"] > self._probed:
                        moments.setdefault(row["step"], {}).update(_of_layer(row))
                for one in probes.histograms:
                    if one.step > self._probed:
                        name = f"probes/{one.layer or 'network'}/{one.name}/histogram"
                        drawn = one.counts, one.edges
                        self._attempt(
                            f"writing {name}", self.write_histogram, one.step, name, *drawn
                        )
                for step, values in moments.items():
                    self._attempt("writing the probes", self.write, STEP, step, values)
                    self._probed = step

    def _log(self, doing: str, function, *given) -> None:
        """`_attempt`, also after the end: then nobody else closes what it opens."""
        self._attempt(doing, function, *given)
        if not self._is_training and not self._held:
            self.close()

    def _attempt(self, doing: str, function, *given) -> None:
        """Call a function of the leaf; what it raises is said, and was the last attempt."""
        if self.failure is not None or not self.writes:
            return
        try:
            if not self._is_open:
                doing, then = "opening", doing
                self.open(self._folder)
                self._is_open, doing = True, then
            function(*given)
        except Exception as error:
            self.failure = error
            self._give_up()
            warnings.warn(self._words(doing, error), stacklevel=3)

    def _give_up(self):
        try:
            if self._is_open:
                self.end("failed")
        except Exception:  # of a logger that has failed before, which is what is said
            pass
        self._is_open = False

    def _words(self, doing, error) -> str:
        why = f"{type(error).__name__}: {error}".strip().rstrip(".")
        return (
            f"the logger {type(self).__name__} failed at {doing} ({why}); the training "
            f"itself is not affected. {self.remedy(error)}"
        )

    def remedy(self, error: Exception) -> str:
        """What to do about an error, as a sentence."""
        if isinstance(error, OSError):
            return "Check that there is room, and that this user may write there."
        return f"Check that the package {self.name} works by itself, or train without it."


def config_of(trainer) -> dict:
    """What a training consists of, as JSON values."""
    program = trainer.program
    known = {name: importlib.metadata.version(name) for name in VERSIONS_OF}
    return {
        "network": type(program.net).__name__,
        "parameters": sum(p.size for p in program.net.parameters()),
        "training": program.description()[1:],
        "optimizer": type(program.optimizer).__name__,
        "lr": float(program.optimizer.lr),
        "epochs": trainer.planned_epochs,
        "batch_size": trainer.batch_size,
        "seed": trainer.seed,
        "precision": trainer.precision or current_precision(),
        "device": trainer.device,
        "versions": {
            "cutaway": cutaway.__version__,
            "python": platform.python_version(),
            **known,
        },
    }


def flat_config(config: dict) -> dict[str, str]:
    """{"options.lr": "0.1"}: one level, for those who know no other."""
    return {name: str(value) for name, value in _flat(config, ".").items()}


def _flat(values: dict, between: str = "/") -> dict:
    found = {}
    for name, value in values.items():
        if isinstance(value, dict):
            inner = _flat(value, between)
            found |= {f"{name}{between}{rest}": one for rest, one in inner.items()}
        else:
            found[str(name)] = value
    return found


def _is_finite(value) -> bool:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _of_layer(row: dict) -> dict[str, float]:
    """{"probes/0/grad": value} of a row of Probes, and the loss on its sample."""
    place = row["layer"] or row["kind"]
    values = {f"probes/{place}/{name}": row[name] for name in NUMBERS if _is_finite(row[name])}
    return values | {f"probes/{name}": row[name] for name in ("loss",) if _is_finite(row[name])}
