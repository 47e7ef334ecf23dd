"""Disks that fill, become read-only or lose a folder during a training: no state is lost.

Each trial has a small disk of its own (a tmpfs in a namespace; where that is not allowed, a limit
on the size of files) that has some bytes left from a drawn moment on, or is read-only from then
on, or from which the run's folder is moved away. Then it has room again, and the same command goes
on with --resume.
"""

import contextlib
import dataclasses
import random
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.faults.cases import CASES, Case, command_line, environment, write_data
from benchmarks.faults.checks import Kept, half_written, leftovers, unequal

HOW = ("full", "full", "full", "read-only", "moved")
COUNTED = ("lost", "unsaid", "left over", "unequal")
ROOM = 64 * 2**20  # bytes of a disk that is not full
MOST_SECONDS = 300


@dataclasses.dataclass
class Trial:
    """One trial and what came of it.

    Attributes:
        faults: {one of COUNTED: what was found}.
        done: what was done, in words.
        ended: how the first command ended.
    """

    number: int
    case: Case
    how: str
    faults: dict[str, str] = dataclasses.field(default_factory=dict)
    done: str = ""
    ended: str = ""


class Disks:
    """All trials of one seed in a folder.

    Args:
        folder: an empty one.
        seed: what is drawn follows from it and the number of a trial.
        names: of the cases.
        has_disks: whether this process may mount disks of its own.
    """

    def __init__(self, folder: Path, seed: int, names=tuple(CASES), *, has_disks: bool):
        self.folder = folder
        self.seed = seed
        self.has_disks = has_disks
        self.how = HOW if has_disks else ("full", "moved")
        self.cases = [CASES[name] for name in names]
        self.disk = folder / "disk"
        self.disk.mkdir()
        write_data(folder / "data")
        (folder / "temporary").mkdir()
        self._environment = environment(folder / "caches", folder / "temporary")
        self.usual: dict[str, tuple[Path, float]] = {}

    def measure(self, case: Case) -> tuple[Path, float]:
        """(folder, seconds) of an undisturbed run: the second, when programs are in the cache."""
        if case.name not in self.usual:
            for name in ("first", "usual"):
                began = time.perf_counter()
                process = self._start(case, self.folder / f"{name}-{case.name}")
                said, _ = process.communicate(timeout=MOST_SECONDS)
                if process.returncode:
                    raise SystemExit(f"{case.name}: {said}")
            seconds = time.perf_counter() - began  # pyright: ignore[reportPossiblyUnbound]
            self.usual[case.name] = (self.folder / f"usual-{case.name}", seconds)
        return self.usual[case.name]

    def run(self, number: int) -> Trial:
        """One trial."""
        rnd = random.Random(f"{self.seed}/{number}")
        case = self.cases[number % len(self.cases)]
        trial = Trial(number, case, rnd.choice(self.how))
        reference, seconds = self.measure(case)
        with self._mounted():
            out = self.disk / "runs" / "run"
            out.parent.mkdir()
            size = sum(p.stat().st_size for p in reference.rglob("*") if p.is_file())
            free = rnd.choice([0, rnd.randrange(16384), rnd.randrange(size)])
            limit = free if trial.how == "full" and not self.has_disks else None
            process = self._start(case, out, limit=limit)
            self._wait(process, out, rnd, seconds)
            trial.done = f"{trial.how} after {time.perf_counter() - self._began:.2f} s"
            if trial.how == "full":
                trial.done += f", {free:,} bytes left"
            undo = self._disturb(trial.how, out, free)
            said, _ = process.communicate(timeout=MOST_SECONDS)
            trial.ended = f"exit code {process.returncode}: {said[-1500:]}"
            self._judge_words(trial, process.returncode, said)
            kept = [Kept(out)]
            undo()
            if trial.how == "moved":
                kept = []
                out = self._where_it_is(out)
            process = self._start(case, out, resume=(out / "config.json").exists())
            said, _ = process.communicate(timeout=MOST_SECONDS)
            if process.returncode:
                trial.faults["lost"] = f"refused: {said[-1500:]}; before: {trial.ended}"
            else:
                self._judge_folder(trial, out, reference, kept)
        return trial

    @contextlib.contextmanager
    def _mounted(self):
        """A disk of its own, or an empty folder."""
        if self.has_disks:
            assert _is_mounted("-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(self.disk))
            try:
                yield
            finally:
                subprocess.run(["umount", "-l", str(self.disk)], check=True)
        else:
            yield
            for path in self.disk.iterdir():
                shutil.rmtree(path)

    def _start(self, case: Case, out: Path, *, resume=False, limit: int | None = None):
        """The process; its output, which goes to a pipe, is not subject to the limit."""
        self._began = time.perf_counter()
        process = subprocess.Popen(
            command_line(case, str(out), resume=resume),
            cwd=self.folder / "data",
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if limit is not None:  # at once; a fork of a process with threads could lead to a deadlock
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        return process

    def _wait(self, process, out: Path, rnd: random.Random, seconds: float) -> None:
        """Until a moment after the folder was made, drawn over what is left of the usual time."""
        while not out.exists() and process.poll() is None:
            time.sleep(0.001)
        left = max(0.2, seconds - (time.perf_counter() - self._began))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rnd.uniform(0, left))

    def _disturb(self, how: str, out: Path, free: int):
        """Do it; the function that undoes it."""
        if how == "moved":
            moved = out.with_name("elsewhere")
            if out.exists():
                out.rename(moved)
            return lambda: None
        if not self.has_disks:
            return lambda: None  # the limit holds from the start
        if how == "read-only":
            while not _is_mounted("-o", "remount,ro", str(self.disk)):
                time.sleep(0.001)  # a file is being written
            return lambda: _is_mounted("-o", "remount,rw", str(self.disk))
        filler = self.disk / "filler"
        left = shutil.disk_usage(self.disk).free - free
        with filler.open("wb") as file, contextlib.suppress(OSError):
            file.write(bytes(max(0, left)))
        return filler.unlink

    def _where_it_is(self, out: Path) -> Path:
        """The folder to go on in: where the training says that it is, or where it was moved to."""
        for path in (out, out.with_name("run-2"), out.with_name("elsewhere")):
            if (path / "weights.safetensors").exists():
                return path
        return out.with_name("elsewhere")

    def _judge_words(self, trial: Trial, code: int, said: str) -> None:
        """The message names the folder, and of a full disk the bytes needed and free."""
        flat = " ".join(said.split())
        if "this is a bug in Cutaway" in flat or code not in (0, 2):
            trial.faults["unsaid"] = trial.ended
        elif code == 2 and str(self.disk) not in flat:
            trial.faults["unsaid"] = f"the folder is not named: {trial.ended}"
        elif code == 2 and trial.how == "full":
            needed = "B were needed" in flat or "study.db cannot be" in flat  # SQLite says no size
            if not (needed and "B are free in" in flat):
                trial.faults["unsaid"] = f"needed and free are not said: {trial.ended}"

    def _judge_folder(self, trial: Trial, out: Path, reference: Path, kept: list[Kept]) -> None:
        lost = [what for one in kept for what in one.lost(out)]
        left = leftovers(out, reference) + half_written(out)
        different = unequal(out, reference)
        for name, found in (("lost", lost), ("left over", left), ("unequal", different)):
            if found:
                trial.faults[name] = f"{', '.join(found[:8])}; the first ended with {trial.ended}"


def _is_mounted(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def can_mount() -> bool:
    """Whether a process in a namespace of its own may mount disks here."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run_disks(
    count: int,
    seed: int,
    names=tuple(CASES),
    *,
    first: int = 0,
    folder=None,
    has_disks=False,
    tell=print,
) -> list[Trial]:
    """Run trials; what was found is told as it comes.

    Args:
        count: number of trials.
        seed: of what is drawn.
        names: of the cases.
        first: number of the first trial.
        folder: for everything; None: a temporary one, removed at the end.
        has_disks: whether this process may mount disks; see `can_mount`.
        tell: function of each line.
    """  # fmt: skip
    place = Path(tempfile.mkdtemp(prefix="cutaway-disks-") if folder is None else folder)
    began = time.perf_counter()
    disks = Disks(place, seed, names, has_disks=has_disks)
    trials = []
    for number in range(first, first + count):
        trial = disks.run(number)
        trials.append(trial)
        for name, what in trial.faults.items():
            tell(f"trial {number} of seed {seed}, {trial.case.name}, {trial.done}: {name}: {what}")
    for line in table(trials):
        tell(line)
    kind = "a tmpfs for each" if has_disks else "a limit on the size of files, RLIMIT_FSIZE"
    tell(f"\n{count} trials in {(time.perf_counter() - began) / 60:.1f} min; {kind}.")
    if folder is None:
        shutil.rmtree(place)
    return trials


def table(trials: list[Trial]) -> list[str]:
    """Lines of Markdown: for each disturbance the number of trials, and of each fault."""
    lines = [
        "",
        "| disk | trials | ended by it | " + " | ".join(COUNTED) + " |",
        "| --- | --- | --- |" + " --- |" * len(COUNTED),
    ]
    for how in [*dict.fromkeys(HOW), "all"]:
        group = [trial for trial in trials if how in (trial.how, "all")]
        faults = [sum(fault in trial.faults for trial in group) for fault in COUNTED]
        ended = sum(not trial.ended.startswith("exit code 0") for trial in group)
        lines.append(f"| {how} | {len(group)} | {ended} | " + " | ".join(map(str, faults)) + " |")
    return lines
