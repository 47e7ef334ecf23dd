"""Stopping before a time limit, so that the same command resumes the training later."""

import math
import signal as signals
import sys
import threading
import time

from cutaway.errors import OptionError, RunError, expect_range
from cutaway.runtime import distributed, slurm
from cutaway.train.callbacks import Callback
from cutaway.train.checkpoint import Checkpoints
from cutaway.train.resuming import LATER

_came: set[int] = set()  # signals of this process that no fit has obeyed yet


class Requeue(Callback):
    """Stops training before a time limit, saves it, and ends the process with exit code 75.

    At the signal, or shortly before the job's time limit, training stops after the steps that run;
    of several processes all do after the same one. `Checkpoints(resume=True)`, which the fit needs
    too, has then written the last complete epoch. In a job of SLURM, process 0 calls `scontrol
    requeue`. The same command then resumes; `cutaway launch` starts it anew by itself where there
    is no SLURM.

    From the beginning of the fit on, the signal ends this process no more.

    Args:
        signal: name of the signal, such as "USR1"; None: none. Only a fit in the main thread can
            catch one.
        minutes_before: how long before the end of the time limit to stop, which SLURM gives in
            SLURM_JOB_END_TIME; None: the signal alone counts.

    Example:
        >>> import cutaway as ct
        >>> ct.train.Requeue(signal="USR1", minutes_before=5)
        Requeue(signal='USR1', minutes_before=5)
    """

    def __init__(self, signal: str | None = "USR1", *, minutes_before: float | None = 2.0):
        self._number = None if signal is None else _number(signal)
        if minutes_before is not None:
            expect_range(minutes_before, what="minutes_before", least=0)
        self.signal = signal
        self.minutes_before = minutes_before
        self._deadline = math.inf

    def on_start(self, trainer):
        if not any(isinstance(c, Checkpoints) and c.resume for c in trainer.callbacks):
            raise OptionError(
                "Requeue is among the callbacks without Checkpoints(resume=True)",
                expected="checkpoints, from which the same command resumes",
                fix="add ct.train.Checkpoints(FOLDER, resume=True) to the callbacks",
            )
        self._deadline = math.inf
        ends = slurm.end_time()
        if self.minutes_before is not None and ends is not None:
            self._deadline = ends - 60 * self.minutes_before
        if self._number is not None:
            if threading.current_thread() is not threading.main_thread():
                raise OptionError(
                    "Requeue got a signal, but the fit runs in another thread than the main one",
                    expected="trainer.fit in the main thread, which alone can catch signals",
                    fix="pass signal=None to stop before the time limit only",
                )
            signals.signal(self._number, _note)

    def wants_requeue(self):
        return self._number in _came or time.time() > self._deadline

    def on_return(self, trainer):
        if trainer.stopped != LATER:
            return
        _came.clear()
        job, failure = slurm.job(), None
        if job is not None and distributed.is_first():
            try:
                slurm.requeue(job)
            except RunError as error:
                failure = error
        distributed.wait_for_living()
        distributed.bytes_of_first(lambda: _raised(failure))
        sys.exit(slurm.REQUEUED)

    def __repr__(self):
        return f"Requeue(signal={self.signal!r}, minutes_before={self.minutes_before})"


def _number(name: str) -> int:
    number = getattr(signals, f"SIG{str(name).upper().removeprefix('SIG')}", None)
    if not isinstance(number, signals.Signals) or number.name in ("SIGKILL", "SIGSTOP"):
        raise OptionError(
            f"Requeue: signal is {name!r}",
            expected="the name of a signal that can be caught, such as USR1",
            fix='choose the one of `#SBATCH --signal=USR1@120`: "USR1"',
        )
    return number


def _note(number, frame) -> None:
    _came.add(number)  # nothing is saved in here: a step may be running


def _raised(failure: RunError | None) -> bytes:
    if failure is not None:
        raise failure
    return b""
