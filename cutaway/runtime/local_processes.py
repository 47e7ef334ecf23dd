"""The processes of a training on this machine: started, watched and ended together."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO

from cutaway.runtime.distributed.joining import ADDRESS, COUNT, INDEX, LAUNCHER
from cutaway.runtime.distributed.lost import ENDED
from cutaway.runtime.gpu_shares import gpus_of_machine, shared_out
from cutaway.runtime.slurm import REQUEUED

POLL_SECONDS = 0.05
CAUSE_SECONDS = 0.2  # that the others get to fail too, before the first cause is looked for
GRACE_SECONDS = 10.0  # that a process gets to save and end, after it was asked to
SILENT_SECONDS = 8.0  # for which a process may be stopped, before it counts as lost
READ_SECONDS = 2.0  # to wait for the last lines of processes that have ended
KEPT_LINES = 60  # of what each process wrote to standard error
KEPT_LETTERS = 2000  # of each line
# what JAX and its messages between processes say of themselves
NOISE = re.compile(r"^\[Gloo\] Rank|^[IWEF]\d{4} |^\*\*\* Check failure|^ {4}@ |^$|^RPC: /xla")


@dataclass
class Outcome:
    """How a round ended.

    Attributes:
        code: exit code: 0, or that of the process that failed first.
        lines: its last lines on standard error.
        note: what the launcher says of it, "" for nothing.
        process: which one it was; None: none.
        is_own: whether it failed by itself, and not because it lost the others.
    """

    code: int
    lines: list[str] = field(default_factory=list)
    note: str = ""
    process: int | None = None
    is_own: bool = True

    def show(self, *, is_shown: bool = False) -> None:
        """Print the lines, unless they stand there already, and the note."""
        text = "" if is_shown else "".join(self.lines).rstrip()
        sys.stderr.write(f"{text}\n" if text else "")
        if self.note:
            print(f"cutaway: {self.note}", file=sys.stderr)
        sys.stderr.flush()


class LocalProcesses:
    """The processes of one round on this machine.

    Args:
        command: program and arguments.
        count: how many are started here.
        address: "host:port" of process 0's coordinator.
        first: index of the first of them.
        total: number of processes on all hosts; None: `count`.

    Raises:
        OptionError: there are GPUs on this machine, but fewer than processes.
    """

    def __init__(
        self,
        command: list[str],
        count: int,
        address: str,
        *,
        first: int = 0,
        total: int | None = None,
    ):
        self.command, self.count, self.address = command, count, address
        self.first = first
        self.total = count if total is None else total
        self._gpus = shared_out(gpus_of_machine(), count)
        self.processes: list[subprocess.Popen] = []
        self._lines: list[deque[str]] = [deque(maxlen=KEPT_LINES) for _ in range(count)]
        self._readers: list[list[threading.Thread]] = []
        self._is_asked = False
        self._ending: float | None = None  # since when
        self._stopped: dict[int, float] = {}  # those that stand still: since when

    def start(self) -> None:
        """Start them; process 0 prints."""
        same = {ADDRESS: self.address, COUNT: str(self.total), LAUNCHER: str(os.getpid())}
        same = _own_threads(self.count) | os.environ | same
        for index, own in enumerate(self._gpus, self.first):
            process = subprocess.Popen(
                self.command,
                env=same | {INDEX: str(index)} | own,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                bufsize=1,
                start_new_session=True,  # Ctrl-C in a terminal comes to them through here
            )
            kept = self._lines[len(self.processes)]
            self.processes.append(process)
            pairs = [(process.stdout, sys.stdout, None), (process.stderr, sys.stderr, kept)]
            readers = [_reading(its, ours if index == 0 else None, k) for its, ours, k in pairs]
            self._readers.append(readers)

    def outcome(self) -> Outcome | None:
        """How it ended; None as long as it has not."""
        codes = [process.poll() for process in self.processes]
        lost = self._silent()
        is_done = self.first == 0 and codes[0] == 0  # what the others still say does not matter
        is_over = all(code is not None for code in codes)
        if is_over and not any(codes):
            return Outcome(0)
        if not (is_over or is_done or any(codes) or lost):
            return None
        now = time.monotonic()
        self._ending = now if self._ending is None else self._ending
        is_patient = is_done or self._is_asked or REQUEUED in codes
        patience = GRACE_SECONDS if is_patient else CAUSE_SECONDS
        if not is_over and not lost and now - self._ending < patience:
            return None
        return Outcome(0) if is_done else self._failure(codes, lost)

    def send(self, number: int) -> None:
        """Pass a signal on to them; one that asks for an end gives them time to save."""
        self._is_asked |= number in (signal.SIGINT, signal.SIGTERM)
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)

    def await_end(self, seconds: float = GRACE_SECONDS) -> None:
        """Give them time to end by themselves."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(p.poll() is None for p in self.processes):
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """End those that still run, also those that stand still, with all that they started."""
        running = [process for process in self.processes if process.poll() is None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in running:
            process.wait()
        self._await_lines(range(len(self.processes)))

    def _await_lines(self, which: Iterable[int]) -> None:
        """Wait for the last lines of some that have ended; what they started may hold the pipe."""
        end = time.monotonic() + READ_SECONDS
        for i in which:
            for reader in self._readers[i]:
                reader.join(timeout=max(0.0, end - time.monotonic()))

    def _silent(self) -> list[int]:
        """Those that a signal has stopped, for so long that they count as lost.

        JAX's heartbeat does not end the others then.
        """
        now, still = time.monotonic(), {}
        for i, process in enumerate(self.processes):
            if process.returncode is None and _is_stopped(process.pid):
                still[i] = self._stopped.get(i, now)
        self._stopped = still
        return [i for i, since in still.items() if now - since > SILENT_SECONDS]

    def _failure(self, codes: list[int | None], lost: list[int]) -> Outcome:
        ended = [i for i, code in enumerate(codes) if code]
        self._await_lines(ended)
        missing = [i for i in ended if any(ENDED in line for line in self._lines[i])]
        own = [i for i in ended if i not in missing]
        by_signal = [i for i in own if codes[i] in (-signal.SIGKILL, -signal.SIGTERM)]
        aborted = [i for i in own if codes[i] == -signal.SIGABRT]  # as JAX does without process 0
        if lost or (self._stopped and aborted == own):
            first = (lost or list(self._stopped))[0]
            name = f"process {self.first + first}"
            return Outcome(
                128 + signal.SIGSTOP,
                note=f"{name} was silent: it was stopped by a signal, and was ended",
                process=self.first + first,
            )
        first = (by_signal or own or ended)[0]
        code, note = codes[first] or 0, ""
        if code < 0:
            name = signal.Signals(-code).name
            note = f"process {self.first + first} was ended by {name}"
        elif not self._lines[first] and not self._is_asked and code != REQUEUED:
            note = f"process {self.first + first} ended with exit code {code}"
        lines = [] if self._is_asked else list(self._lines[first])
        return Outcome(
            128 - code if code < 0 else code,
            lines,
            note,
            self.first + first,
            first in own and first not in aborted,
        )


def _own_threads(processes: int) -> dict[str, str]:
    """The number of XLA's threads in each of several processes, which share the cores."""
    if processes == 1:
        return {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"PJRT_NPROC": str(max(1, (cores or 1) // processes))}


def _is_stopped(pid: int) -> bool:
    """Whether a child stands still, as after SIGSTOP."""
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # it has ended
        return False


def _reading(stream: IO[str] | None, shown: IO[str] | None, kept: deque | None) -> threading.Thread:
    """A thread that reads what a process writes, shows it and keeps the last lines."""

    def read() -> None:
        assert stream is not None
        for line in stream:
            if NOISE.match(line) and line.strip():
                continue
            if kept is not None:
                kept.append(line if len(line) <= KEPT_LETTERS else line[:KEPT_LETTERS] + "\n")
            if shown is not None:
                shown.write(line)
                shown.flush()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


class Signals:
    """Context in which the signals that are meant for all processes are noted.

    Attributes:
        asked: the signal that asked for an end; None: none did.
    """

    def __init__(self):
        self.asked: int | None = None
        self._noted: deque[int] = deque()
        self._before: dict = {}

    def __enter__(self):
        names = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def take(self) -> list[int]:
        """Those that came since the last call."""
        return [self._noted.popleft() for _ in range(len(self._noted))]

    def _note(self, number, frame):
        self._noted.append(number)
        if number in (signal.SIGINT, signal.SIGTERM):
            self.asked = number
