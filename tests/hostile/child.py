"""What a child process does that runs hostile draws: within memory and time, each one counted."""

import collections
import faulthandler
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import cutaway

SECONDS = 10
MEMORY_BYTES = 2 * 2**30
PEAK_BYTES = 2 * 2**30
ROOT = Path(cutaway.__file__).parents[1]


def run_draws(draws: Iterable[tuple[str, str, Callable[[], tuple[str, str]]]]) -> None:
    """Run the draws; at the end print a JSON object with what came of them.

    Memory is limited to 2 GiB above what the process takes now; a draw of more than 10 seconds
    ends it.

    Args:
        draws: (name, group, function that returns ("value", ""), ("error", message) or
            ("fault", what is wrong)).
    """
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    before = _peak_bytes()
    counts, faults, slowest = collections.Counter(), [], (0.0, "")
    for name, group, outcome in draws:
        print(name, flush=True)  # the last one, if the process ends here
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        began = time.perf_counter()
        kind, text = outcome()
        seconds = time.perf_counter() - began
        faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, (seconds, name))
        counts[group, kind] += 1
        if kind == "fault":
            faults.append(f"{name}: {text[:500]}")
    peak = _peak_bytes()
    print(
        json.dumps(
            {
                "counts": {" ".join(key): count for key, count in sorted(counts.items())},
                "faults": faults,
                "slowest": slowest,
                "peak_bytes": peak,
                "loaded_bytes": before,
            }
        )
    )


def _peak_bytes() -> int:
    """The most memory that this process has taken; ru_maxrss includes that of its parent."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


def found_by(module: str, folder: Path, seed: int, count: int) -> dict:
    """What the draws of a module found, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module, str(folder), str(seed), "0", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
    )
    last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
    assert done.returncode == 0, f"ended at: {last}\n{done.stderr[-3000:]}"
    found = json.loads(last)
    print(json.dumps({name: value for name, value in found.items() if name != "faults"}, indent=1))
    assert not found["faults"], "\n".join(found["faults"])
    assert sum(found["counts"].values()) == count
    assert found["peak_bytes"] < PEAK_BYTES
    return found
