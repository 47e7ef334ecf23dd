"""Kills at random moments of trainings in one to four processes.

Each trial starts a training in a drawn number of processes, by `cutaway launch`, and ends one of
them, or the launcher itself, at a drawn moment. Then the same command runs with `--resume` in
another drawn number of processes; in some trials the launcher has restarts and goes on by itself.
"""

import contextlib
import dataclasses
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from benchmarks.faults import often
from benchmarks.faults.checks import Kept, unequal
from benchmarks.faults.kills import MOST_SECONDS, Kills, Trial, _said
from cutaway.runtime.distributed.joining import INDEX

CASES_OF_MANY = ("table", "text", "series", "images")
SIGNALS_OF_MANY = ("KILL", "TERM", "STOP", "INT", "STOP, CONT")
PROCESSES = (1, 2, 3, 4)
RESTARTS = 0.3  # of the trials have a launcher that starts all anew
GONE_SECONDS = 30.0  # for processes that miss their launcher: they look once they are imported
MOST_DIFFERENCE = 1e-5  # between weights of one process and of several, which sum in other orders


@dataclasses.dataclass
class SharedTrial(Trial):
    """A trial of several processes.

    Attributes:
        counts: numbers of processes, of each attempt.
        restarts: of the launcher.
        slowest: seconds from a kill to the end of the launcher without restarts.
    """

    counts: list[int] = dataclasses.field(default_factory=list)
    restarts: int = 0
    slowest: float = 0.0


class SharedKills(Kills):
    """All trials of one seed in a folder; see `Kills`."""

    signals = SIGNALS_OF_MANY

    def run(self, number: int) -> SharedTrial:
        """One trial."""
        rnd = random.Random(f"{self.seed}/{number}")
        case = self.cases[number % len(self.cases)]
        trial = SharedTrial(number, case, rnd.choice(SIGNALS_OF_MANY))
        trial.restarts = 3 * (rnd.random() < RESTARTS)
        began = time.perf_counter()
        out = self._out(case, f"{number:05d}")
        kept: list[Kept] = []
        for attempt in range(2):
            trial.counts.append(rnd.choice(PROCESSES))
            log = out.with_name(f"{out.name}-{attempt}.txt")
            is_resumed = out.exists() or trial.restarts > 0
            process = self._start_many(trial, out, log, resume=is_resumed)
            if attempt == 0:
                trial.done.append(self._end_one(process, trial, rnd))
            killed_at = time.perf_counter()
            code = process.wait(MOST_SECONDS)
            if attempt == 0 and code and not trial.restarts:
                trial.slowest = time.perf_counter() - killed_at
            self._judge_end(trial, process, code, is_last=attempt == 1)
            self._expect_all_gone(trial, process)
            kept.append(Kept(out))
            if code == 0 or trial.faults:
                break
        if not trial.faults:
            self._judge_folder(trial, out, kept)
        trial.seconds = time.perf_counter() - began
        if not trial.faults:
            self._clear(out)
        return trial

    def _start_many(self, trial: SharedTrial, out: Path, log: Path, *, resume: bool):
        options = ["--processes", str(trial.counts[-1]), "--restarts", str(trial.restarts)]
        command = ["-m", "cutaway", "launch", *options, often.__file__]
        return self._run(
            [sys.executable, *command, *trial.case.arguments(str(out), resume=resume)], log
        )

    def _end_one(self, launcher, trial: SharedTrial, rnd: random.Random) -> str:
        """Send the trial's signal to the launcher or a process of it; what was done."""
        count = trial.counts[-1]
        victims = ["coordinator", *["worker"] * (count > 1), "launcher"]
        victim = rnd.choice(victims)
        index = {"coordinator": 0, "launcher": None}.get(victim, count - 1)
        began = time.perf_counter()
        seconds = rnd.uniform(0, 1.2 * self.usual[trial.case.name].seconds * (1 + count) / 2)
        while time.perf_counter() - began < seconds and launcher.poll() is None:
            time.sleep(0.005)
        found = launcher.pid if index is None else _processes_of(launcher.pid).get(index)
        first, _, then = trial.signal.partition(", ")
        if index is None and trial.signal == "STOP":
            then = "KILL"  # nobody watches a launcher
        words = f"{trial.signal} to the {victim} of {count} after {seconds:.3f} s"
        if found is None or launcher.poll() is not None:
            return words + ", which was not there"
        trial.killed += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(found, getattr(signal, f"SIG{first}"))
            if then:
                time.sleep(rnd.uniform(0.01, 2.0))
                os.kill(found, getattr(signal, f"SIG{then}"))
        return words

    def _judge_end(self, trial, process, code: int, *, is_last: bool) -> None:
        said = _said(process)
        if code and (is_last or trial.signal == "STOP, CONT"):
            trial.faults["refused"] = f"exit code {code}: {said}"
        elif "this is a bug in Cutaway" in said:
            trial.faults["refused"] = said

    def _expect_all_gone(self, trial: Trial, launcher) -> None:
        """Once a launcher has ended, whatever its end, its processes are gone too."""
        end = time.monotonic() + GONE_SECONDS
        while alive := _processes_with(launcher.log):
            if time.monotonic() > end:
                trial.faults["left over"] = f"processes {alive} go on without their launcher"
                for pid in alive:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return
            time.sleep(0.05)

    def _different(self, trial: Trial, out: Path, reference: Path) -> list[str]:
        is_alone = isinstance(trial, SharedTrial) and set(trial.counts) == {1}
        return unequal(out, reference) if is_alone else far(out, reference)


def far(folder: Path, reference: Path) -> list[str]:
    """The arrays of weights that differ by more than the rounding of sums."""
    found, expected = (load_file(place / "weights.safetensors") for place in (folder, reference))
    if found.keys() != expected.keys():
        return ["weights.safetensors"]
    distances = {
        path: float(np.abs(array.astype(np.float64) - expected[path]).max())
        for path, array in found.items()
    }
    return [f"{path} by {d:.1e}" for path, d in distances.items() if not d <= MOST_DIFFERENCE]


def _processes_of(launcher: int) -> dict[int, int]:
    """{index: pid} of the processes that a launcher has started."""
    found = {}
    try:
        children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    except OSError:  # it has ended
        return found
    for pid in children:
        with contextlib.suppress(OSError):
            for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                if word.startswith(f"{INDEX}=".encode()):
                    found[int(word.partition(b"=")[2])] = int(pid)
    return found


def _processes_with(log: Path) -> list[int]:
    """The processes that were started with a log; see `Kills._run`."""
    mark = f"CUTAWAY_TRIAL={log}".encode()
    found = []
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if place.name.isdecimal() and mark in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return [pid for pid in found if pid != os.getpid()]
