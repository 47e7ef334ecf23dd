"""One trial: a network with sampled options, trained and saved as a run."""

import contextlib
import math
import shutil

from cutaway.errors import CutawayError, DataError, OptionError, RunError, TrainingError
from cutaway.search.trial_loggers import log_result, trial_loggers
from cutaway.train import Callback


class Pruning(Callback):
    """Reports the progress of a training to the study, and stops it if the study prunes it.

    Args:
        study: the Study.
        trial: Optuna's trial.
        monitor: column of the history.
    """

    def __init__(self, study, trial, monitor: str):
        self.study = study
        self.trial = trial
        self.monitor = monitor
        self.better = max if study.higher_is_better else min
        self.best = None
        self.pruned = False

    def on_epoch(self, trainer, row):
        value = float(row[self.monitor])
        if math.isfinite(value):
            self.best = value if self.best is None else self.better(self.best, value)
        if self.best is None or trainer.epoch % self.study.every:
            return
        self.study.report(self.trial, self.best, trainer.epoch)
        if self.study.is_poor(trainer.epoch, self.best):
            self.pruned = True
            trainer.stop("worse than the median of earlier trials")


def run_trial(base, study, place: int, folder, log=()) -> bool:
    """Ask the study for a trial, train it, and report the result; False if it was interrupted.

    Args:
        base: Experiment with the default options.
        place: index of the trial; see Study.ask.
        folder: of the trials' runs.
        log: names of loggers that write each trial.

    Raises:
        CutawayError: the default options do not fit the data.
        RunError: the run or the study cannot be written.
    """
    trial, values = study.ask(place)
    place = trial.user_attrs["place"]
    path = folder / f"{place + 1:03d}"
    try:
        with trial_loggers(log, folder.parent, place + 1, values) as loggers:
            summary, value = _train(base, study, trial, values, path, loggers)
    except BaseException as error:  # an unfinished trial would look like a running one
        shutil.rmtree(path, ignore_errors=True)
        if isinstance(error, KeyboardInterrupt):
            study.tell(trial, interrupted=True)
            return False
        if not _is_of_the_options(error, place):
            with contextlib.suppress(RunError):  # of a full disk; then it is seen at the next start
                study.tell(trial, interrupted=True)
            raise
        came = error.came if isinstance(error, CutawayError) else f"{error}"
        study.tell(trial, failed=f"{type(error).__name__}: {came}".splitlines()[0][:300])
        return True
    if set(summary) & {"pruned", "interrupted"}:
        shutil.rmtree(path, ignore_errors=True)
    study.tell(trial, value, **summary)
    return "interrupted" not in summary


def _is_of_the_options(error: BaseException, place: int) -> bool:
    """Whether a trial failed for what was drawn for it, so that others may not."""
    if not isinstance(error, Exception) or isinstance(error, RunError | OSError):
        return False  # of the disk: it would fail every trial, and not fail them later
    return place > 0 or not isinstance(error, DataError | OptionError)


def _train(base, study, trial, values, path, loggers):
    """(summary, value) of the trial; the run is saved in `path`."""
    options = base.options.drawn(values)
    experiment = base.with_options(options)
    experiment.test = None
    monitor = options.MONITOR
    pruning = Pruning(study, trial, monitor)
    shutil.rmtree(path, ignore_errors=True)  # left by a search that was killed
    run = experiment.train(path, callbacks=[pruning, *loggers], progress=False)
    shutil.rmtree(run.folder.checkpoints, ignore_errors=True)  # trials are not resumed
    summary = {"epochs": run.metrics["epochs"], "seconds": run.metrics["seconds"]}
    summary["parameters"] = run.metrics["parameters"]
    summary["validation"] = run.metrics["validation"]
    value = pruning.best
    if run.metrics["stopped"] == "interrupted":
        summary, value = {"interrupted": True}, None
    elif pruning.best is None:
        raise TrainingError(f"{monitor} was never a finite number")
    elif pruning.pruned:
        summary, value = summary | {"pruned": run.metrics["epochs"]}, None
    log_result(loggers, monitor, pruning.best, run.metrics["epochs"], summary)
    return summary, value
