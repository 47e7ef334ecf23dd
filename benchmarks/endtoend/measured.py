"""A command with its wall time, CPU time and peak memory."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cutaway.errors import CutawayError

FAILED = "a contender has failed"


@dataclasses.dataclass(frozen=True)
class Measured:
    """A finished process.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: of all its threads.
        megabytes: its largest resident set.
        score, epochs: see Reached.
    """

    seconds: float
    cpu_seconds: float
    megabytes: float
    score: float
    epochs: int


def measure(task: str, name: str, seed: int, data: Path, cache: Path) -> Measured:
    """Run a contender, with its caches in a folder: an empty one makes a cold start.

    Raises:
        CutawayError: it has failed; the message has the end of what it printed.
    """
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "TORCHINDUCTOR_CACHE_DIR": str(cache)}
    command = [
        sys.executable,
        "-m",
        "benchmarks.endtoend.contender",
        task,
        name,
        str(seed),
        str(data),
    ]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        lines = out.read().decode().splitlines()
        if process.returncode or not lines:
            end = errors.read().decode().strip().splitlines()[-3:]
            raise CutawayError(
                f"{FAILED}: {task}, {name}, seed {seed}",
                expected="a line of JSON and exit code 0",
                fix="run it alone: " + " ".join(command[1:]) + "\n" + "\n".join(end),
            )
    reached = json.loads(lines[-1])
    return Measured(
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        megabytes=used.ru_maxrss / 1024,
        score=reached["score"],
        epochs=reached["epochs"],
    )
