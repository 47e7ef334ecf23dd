"""The launcher: starts the processes of a training on this machine, and ends them together."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from typing import IO

from cutaway.errors import expect_range
from cutaway.runtime.distributed import ADDRESS, COUNT, INDEX, LAUNCHER
from cutaway.runtime.gpu_shares import gpus_of_machine, shared_out

POLL_SECONDS = 0.05
GRACE_SECONDS = 10.0  # that a process gets to save and end, after it was asked to
KEPT_LINES = 60  # of what each process wrote to standard error
# what JAX and its messages between processes say of themselves
NOISE = re.compile(r"^\[Gloo\] Rank|^[IWEF]\d{4} |^\*\*\* Check failure|^ {4}@ |^$|^RPC: /xla")


def launch(command: list[str], processes: int, *, restarts: int = 0) -> int:
    """Run a command in several processes on this machine, and wait for all of them.

    Each finds the others by `ct.distributed.start()`. Process 0 prints; of the others, what they
    write to standard error is shown if they fail. If one fails, the others are ended, and the error
    of the one that failed first stands last. The GPUs of the machine are divided among them.

    Args:
        command: program and arguments; a Python script by its interpreter.
        processes: how many.
        restarts: how many times all are started anew after a failure: a script that resumes from
            checkpoints goes on.

    Returns:
        exit code: 0, or that of the process that failed first.

    Raises:
        OptionError: there are GPUs, but fewer than processes.
    """
    expect_range(processes, what="processes", least=1)
    expect_range(restarts, what="restarts", least=0)
    for left in range(restarts, -1, -1):
        this = _Round(command, processes)
        code = this.wait()
        if code == 0 or this.asked is not None or not left:  # who asks for an end wants no new one
            return code
        print(f"cutaway: starting anew, {left - 1} more times possible", file=sys.stderr)
    return code


class _Round:
    """All processes, once."""

    def __init__(self, command: list[str], count: int):
        self.command, self.count = command, count
        self.gpus = shared_out(gpus_of_machine(), count)
        self.lines: list[deque[str]] = [deque(maxlen=KEPT_LINES) for _ in range(count)]
        self.processes: list[subprocess.Popen] = []
        self._readers: list[threading.Thread] = []
        self.asked: int | None = None  # the signal that this process got

    def _start(self) -> None:
        address = f"127.0.0.1:{_free_port()}"  # another one each time: old ones may linger
        for index in range(self.count):
            words = {
                ADDRESS: address,
                COUNT: str(self.count),
                INDEX: str(index),
                LAUNCHER: str(os.getpid()),
            }
            environment = os.environ | words | self.gpus[index]
            process = subprocess.Popen(
                self.command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                bufsize=1,
                start_new_session=True,  # Ctrl-C in a terminal comes to them through here
            )
            self.processes.append(process)
            shown = sys.stdout if index == 0 else None
            self._read(process.stdout, shown, None)
            shown = sys.stderr if index == 0 else None
            self._read(process.stderr, shown, self.lines[index])

    def _read(self, stream: IO[str] | None, shown: IO[str] | None, kept: deque | None) -> None:
        def read() -> None:
            assert stream is not None
            for line in stream:
                if NOISE.match(line) and line.strip():
                    continue
                if kept is not None:
                    kept.append(line)
                if shown is not None:
                    shown.write(line)
                    shown.flush()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self._readers.append(thread)

    def wait(self) -> int:
        """The exit code of all: 0, or that of the one that failed first."""
        before = {one: signal.signal(one, self._pass_on) for one in _SIGNALS}
        try:
            self._start()
            failed = None
            while failed is None and any(p.poll() is None for p in self.processes):
                failed = next((i for i, p in enumerate(self.processes) if p.poll()), None)
                if self.processes[0].poll() == 0:
                    failed = None  # all is done: what the others still say does not matter
                    self._await(GRACE_SECONDS)
                    break
                time.sleep(POLL_SECONDS)
            if failed is None:
                failed = next((i for i, p in enumerate(self.processes) if p.poll()), None)
                failed = None if self.processes[0].poll() == 0 else failed
            return self._end(failed)
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
            self._kill()

    def _end(self, failed: int | None) -> int:
        if failed is None:
            self._kill()
            return 0
        first = self._first_cause(failed)
        if self.asked is not None:
            self._await(GRACE_SECONDS)
        self._kill()
        for reader in self._readers:
            reader.join(timeout=2)
        code = self.processes[first].returncode
        if first and not self.asked:
            text = "".join(self.lines[first]).rstrip()
            sys.stderr.write(f"{text}\n" if text else "")
        if code < 0:
            name = signal.Signals(-code).name
            print(f"cutaway: process {first} was ended by {name}", file=sys.stderr)
            return 128 - code
        return code

    def _first_cause(self, failed: int) -> int:
        """Which one failed by itself: the others end because they miss it."""
        time.sleep(4 * POLL_SECONDS)
        ended = [i for i, p in enumerate(self.processes) if p.poll()]
        own = [i for i in ended if not any("another process" in line for line in self.lines[i])]
        by_signal = [i for i in own if self.processes[i].returncode in (-9, -15)]
        return (by_signal or own or [failed])[0]

    def _await(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(p.poll() is None for p in self.processes):
            time.sleep(POLL_SECONDS)

    def _pass_on(self, number, frame) -> None:
        self.asked = number
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)

    def _kill(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
