"""Kills at random moments: no run is lost, none refused, nothing left over, the same bits.

Each trial is a process of its own, as a user starts it. It is ended at a moment drawn over its
usual duration, or within 0.1 s of the first sign of its folder, or within 10 ms of a change of a
file; then the same command runs with --resume until it ends, in one of four trials with a second
kill.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.cases import CASES, Case, command_line, environment, write_data
from benchmarks.faults.checks import Kept, half_written, leftovers, unequal

SIGNALS = ("TERM", "KILL", "INT", "STOP, KILL", "STOP, CONT")
MOMENTS = ("any time", "any time", "first file", "a change")
COUNTED = ("lost", "refused", "left over", "unequal")
SECOND = 0.25  # of the trials have a second kill
OFTEN = 0.7  # of the processes write a checkpoint after each group of epochs, not every 10 seconds
MOST_SECONDS = 300  # of one process


@dataclasses.dataclass
class Usual:
    """An undisturbed run: its folder, how long it took, and after how long its folder was made."""

    folder: Path
    seconds: float


@dataclasses.dataclass
class Trial:
    """One trial and what came of it.

    Attributes:
        killed: number of processes that were ended before they ended by themselves.
        faults: {one of COUNTED: what was found}.
        done: what was done, in words.
    """

    number: int
    case: Case
    signal: str
    killed: int = 0
    faults: dict[str, str] = dataclasses.field(default_factory=dict)
    done: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


class Kills:
    """All trials of one seed in a folder.

    Args:
        folder: an empty one.
        seed: what is drawn follows from it and the number of a trial.
        names: of the cases.
    """

    signals = SIGNALS

    def __init__(self, folder: Path, seed: int, names=tuple(CASES)):
        self.folder = folder
        self.seed = seed
        self.cases = [CASES[name] for name in names]
        self.usual: dict[str, Usual] = {}
        write_data(folder / "data")
        (folder / "temporary").mkdir()
        self._environment = environment(folder / "caches", folder / "temporary")

    def measure(self, case: Case) -> Usual:
        """Run a case undisturbed: once to fill the cache of programs, once to be timed."""
        for name in ("first", "usual"):
            out = self._out(case, name)
            began = time.perf_counter()
            process = self._start(case, out, self.folder / f"{case.name}-{name}.txt")
            code = process.wait(MOST_SECONDS)
            if code:
                raise SystemExit(f"{case.name} ends with exit code {code}: {_said(process)}")
        found = Usual(out, time.perf_counter() - began)
        different = unequal(self._out(case, "first"), out)
        if different:
            raise SystemExit(f"{case.name} is not the same twice: {', '.join(different)}")
        self.usual[case.name] = found
        return found

    def run(self, number: int) -> Trial:
        """One trial."""
        rnd = random.Random(f"{self.seed}/{number}")
        trial = Trial(number, self.cases[number % len(self.cases)], rnd.choice(SIGNALS))
        began = time.perf_counter()
        out = self._out(trial.case, f"{number:05d}")
        kills = 1 + (rnd.random() < SECOND)
        kept: list[Kept] = []
        for attempt in range(kills + 1):
            has_begun = (out / "config.json").exists()
            resume = has_begun or (out.exists() and rnd.random() < 0.5)
            log = out.with_name(f"{out.name}-{attempt}.txt")
            often = rnd.random() < OFTEN
            process = self._start(trial.case, out, log, resume=resume, often=often)
            is_last = attempt == kills
            if not is_last:
                trial.done.append(self._end(process, trial, out, rnd))
            code = process.wait(MOST_SECONDS)
            self._judge_end(trial, process, code, is_last=is_last)
            kept.append(Kept(out))
            if code == 0 or trial.faults:
                break
        if not trial.faults:
            self._judge_folder(trial, out, kept)
        trial.seconds = time.perf_counter() - began
        if not trial.faults:
            self._clear(out)
        return trial

    def _clear(self, out: Path) -> None:
        shutil.rmtree(out)
        for path in out.parent.glob(f"{out.name}-*.txt"):
            path.unlink()

    def _out(self, case: Case, name: str) -> Path:
        out = self.folder / "runs" / case.name / name
        out.parent.mkdir(parents=True, exist_ok=True)
        return out

    def _start(self, case: Case, out: Path, log: Path, *, resume=False, often=True):
        return self._run(command_line(case, str(out), resume=resume, often=often), log)

    def _run(self, command: list[str], log: Path):
        """Start a command in the folder of the data; it and what it starts have the log's name."""
        with log.open("w") as file:
            process = subprocess.Popen(
                command,
                cwd=self.folder / "data",
                env=self._environment | {"CUTAWAY_TRIAL": str(log)},
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        process.log = log  # pyright: ignore[reportAttributeAccessIssue]
        return process

    def _end(self, process, trial: Trial, out: Path, rnd: random.Random) -> str:
        """Send the trial's signal to the process at a drawn moment; what was done."""
        moment = rnd.choice(MOMENTS)
        began = time.perf_counter()
        if moment == "any time":
            _sleep(process, rnd.uniform(0, self.usual[trial.case.name].seconds))
        elif moment == "first file":
            _wait_until(process, out.exists)
            _sleep(process, rnd.uniform(0, 0.1))
        else:
            for _ in range(rnd.randrange(1, 25)):
                before = _state(out)
                _wait_until(process, lambda before=before: _state(out) != before)
            _sleep(process, rnd.uniform(0, 0.01))
        seconds = time.perf_counter() - began
        if process.poll() is None:
            trial.killed += 1
        first, _, then = trial.signal.partition(", ")
        process.send_signal(getattr(signal, f"SIG{first}"))
        if then:
            time.sleep(rnd.uniform(0.01, 0.2))
            if (out / ".owner.json").exists() and rnd.random() < 0.3:
                self._expect_in_use(trial, out)
            process.send_signal(getattr(signal, f"SIG{then}"))
        return f"{trial.signal} after {seconds:.3f} s ({moment})"

    def _expect_in_use(self, trial: Trial, out: Path) -> None:
        """A second process in the folder of a stopped one is refused."""
        second = self._start(trial.case, out, out.with_name(f"{out.name}-second.txt"), resume=True)
        if second.wait(MOST_SECONDS) != 2 or "is in use: process" not in _said(second):
            trial.faults["lost"] = f"a second process was let in: {_said(second)}"

    def _judge_end(self, trial: Trial, process, code: int, *, is_last: bool) -> None:
        said = _said(process)
        ended = {0, 130, -signal.SIGTERM, -signal.SIGKILL, -signal.SIGINT}
        if code != 0 if is_last else code not in ended:
            trial.faults["refused"] = f"exit code {code}: {said}"
        elif "this is a bug in Cutaway" in said:
            trial.faults["refused"] = said

    def _judge_folder(self, trial: Trial, out: Path, kept: list[Kept]) -> None:
        reference = self.usual[trial.case.name].folder
        left = leftovers(out, reference) + half_written(out)
        different = self._different(trial, out, reference)
        lost = [what for one in kept for what in one.lost(out)]
        for name, found in (("lost", lost), ("left over", left), ("unequal", different)):
            if found:
                trial.faults[name] = ", ".join(found[:8])

    def _different(self, trial: Trial, out: Path, reference: Path) -> list[str]:
        """What of a finished run is not what an undisturbed one has."""
        return unequal(out, reference)


def run_kills(
    count: int,
    seed: int,
    jobs: int,
    names=tuple(CASES),
    *,
    first: int = 0,
    folder=None,
    tell=print,
    kind: type[Kills] = Kills,
) -> list[Trial]:
    """Run trials; what was found is told as it comes.

    Args:
        count: number of trials.
        seed: of what is drawn.
        jobs: number of trials at a time.
        names: of the cases.
        first: number of the first trial.
        folder: for everything; None: a temporary one, removed if nothing was found.
        tell: function of each line.
        kind: of trials.
    """
    place = Path(tempfile.mkdtemp(prefix="cutaway-kills-") if folder is None else folder)
    kills = kind(place, seed, names)
    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for case, usual in zip(kills.cases, pool.map(kills.measure, kills.cases), strict=True):
            tell(f"{case.name}: {usual.seconds:.1f} s undisturbed")
        began_trials = time.perf_counter()
        trials = []
        for trial in _until_interrupted(pool, kills, range(first, first + count)):
            trials.append(trial)
            for name, what in trial.faults.items():
                tell(
                    f"trial {trial.number} of seed {seed}, {trial.case.name}, "
                    f"{'; '.join(trial.done)}: {name}: {what}"
                )
    left = half_written(place / "caches") + os.listdir(place / "temporary")
    if left:
        tell(f"left over in the user's caches and temporary files: {', '.join(sorted(left)[:9])}")
    for line in table(trials, kind.signals):
        tell(line)
    each = [trial.seconds for trial in trials]
    now = time.perf_counter()
    tell(
        f"\n{len(trials)} trials in {(now - began) / 60:.1f} min "
        f"({(began_trials - began) / 60:.1f} for the undisturbed runs), {jobs} at a time; "
        f"one takes {statistics.median(each):.1f} s ({min(each):.1f} to {max(each):.1f}). "
        f"Each is a process of its own; they share the cache "
        f"of compiled programs; {OFTEN:.0%} write a checkpoint after each group of epochs."
    )
    if folder is None and not left and not any(trial.faults for trial in trials):
        shutil.rmtree(place)
    else:
        tell(f"kept: {place}")
    return trials


def _until_interrupted(pool, kills: Kills, numbers: range) -> Iterator[Trial]:
    """The trials as they end; after Ctrl-C no more are begun."""
    try:
        yield from pool.map(kills.run, numbers)
    except KeyboardInterrupt:
        pool.shutdown(wait=True, cancel_futures=True)


def table(trials: list[Trial], signals: tuple[str, ...] = SIGNALS) -> list[str]:
    """Lines of Markdown: for each kind and signal the number of trials, and of each fault."""
    lines = [
        "",
        "| kind | signal | trials | killed | " + " | ".join(COUNTED) + " |",
        "| --- | --- | --- | --- |" + " --- |" * len(COUNTED),
    ]
    groups = {(t.case.name, s): [] for t in trials for s in signals}
    for trial in trials:
        groups[trial.case.name, trial.signal].append(trial)
    groups["all", "all"] = trials
    for (kind, name), group in groups.items():
        if group:
            faults = [sum(fault in trial.faults for trial in group) for fault in COUNTED]
            numbers = [len(group), sum(trial.killed > 0 for trial in group), *faults]
            lines.append(f"| {kind} | {name} | " + " | ".join(map(str, numbers)) + " |")
    return lines


def _said(process) -> str:
    """What a process printed, on one line."""
    return " / ".join(process.log.read_text(errors="replace").split("\n"))[-1500:]


def _sleep(process, seconds: float) -> None:
    """Sleep, no longer than the process runs."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, seconds))


def _wait_until(process, condition) -> None:
    while not condition() and process.poll() is None:
        time.sleep(0.001)


def _state(folder: Path) -> list[str]:
    """Names in a folder, and in those in it that change during a training."""
    found = []
    for place in (folder, folder / "checkpoints", folder / "trials"):
        try:
            found += os.listdir(place)
        except OSError:
            found.append("")
    return found
