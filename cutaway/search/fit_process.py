"""A process that fits one model to one split of a table; `table_protocol.fit_alone` starts it."""

import dataclasses
import pickle
import re
import sys
from pathlib import Path

from cutaway.errors import CutawayError
from cutaway.search.worker import end_with_parent


def main() -> None:
    """Read the task from the first file, write what was measured to the second."""
    task, result = sys.argv[1:3]
    end_with_parent()
    try:
        problem, model, split = pickle.loads(Path(task).read_bytes())
        frame = problem.frame
        training, new = frame[split.training], frame[split.test]
        measured = model.measure(problem, training, new, split.number)
        if measured.peak_bytes is None:
            measured = dataclasses.replace(measured, peak_bytes=peak_bytes())
        Path(result).write_bytes(pickle.dumps(measured))
    except CutawayError as error:
        sys.exit(error.came)
    except KeyboardInterrupt:
        sys.exit(130)


def peak_bytes() -> int | None:
    """The most memory that this process has taken; None: the system does not tell.

    Linux's ru_maxrss would include that of the process which started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return None if found is None else int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # macOS counts bytes
