"""Whole trainings beside those of other libraries: python -m benchmarks.endtoend --only mnist

From files on disk to a score that is fixed for each task before anything is timed, the same for
all. Every training runs in a process of its own, so that imports, reading and compilation count;
contenders take turns, seed by seed. "cold" is a start with empty caches, "warm" the next one. The
ratio is that of a peer's wall seconds to Cutaway's with the same seed: above 1, Cutaway is ahead.
Who misses the score is told, not timed.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path

from cutaway.errors import CutawayError

from .measured import measure
from .tasks import TASKS

HEADINGS = (
    "task", "start", "contender", "seconds", "(spread)", "x Cutaway", "(spread)", "CPU seconds",
    "MB", "epochs", "reached",
)  # fmt: skip


def main() -> int:
    given = _arguments()
    lines = []
    for name in given.only:
        task = TASKS[name]
        names = [n for n in task.contenders if _is_there(task.needs.get(n))]
        missing = [n for n in task.contenders if n not in names]
        if missing:
            print(f"{name}: not installed, left out: {', '.join(missing)}", file=sys.stderr)
        found = {(n, start): [] for n in names for start in ("cold", "warm")}
        for seed in range(given.seeds):
            for n in names:
                with tempfile.TemporaryDirectory() as cache:
                    for start in ("cold", "warm"):
                        try:
                            one = measure(name, n, seed, given.data, Path(cache))
                        except CutawayError as error:
                            print(error, file=sys.stderr)
                            return 1
                        found[n, start].append(one)
                        print(
                            f"{name}, seed {seed}, {start}: {n} {one.seconds:.1f} s, "
                            f"{one.epochs} epochs, {task.metric} {one.score:.4f}",
                            file=sys.stderr,
                            flush=True,
                        )
        lines += [_line(task, n, start, found) for start in ("cold", "warm") for n in names]
    print("| " + " | ".join(HEADINGS) + " |")
    print("| " + " | ".join("---" for _ in HEADINGS) + " |")
    for line in lines:
        print("| " + " | ".join(line) + " |")
    return 0


def _line(task, name: str, start: str, found: dict) -> list[str]:
    runs, ours = found[name, start], found["cutaway", start]
    reached = sum(run.score >= task.least for run in runs)
    ratios = [
        theirs.seconds / own.seconds
        for theirs, own in zip(runs, ours, strict=True)
        if min(theirs.score, own.score) >= task.least
    ]
    seconds = [run.seconds for run in runs]
    return [
        task.name,
        start,
        name,
        f"{statistics.median(seconds):.1f}",
        f"({min(seconds):.1f}-{max(seconds):.1f})",
        f"{statistics.median(ratios):.2f}" if ratios else "",
        f"({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "",
        f"{statistics.median(run.cpu_seconds for run in runs):.1f}",
        f"{statistics.median(run.megabytes for run in runs):.0f}",
        f"{statistics.median(run.epochs for run in runs):g}",
        f"{reached} of {len(runs)}",
    ]


def _is_there(package: str | None) -> bool:
    return package is None or importlib.util.find_spec(package) is not None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endtoend", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    unknown = [name for name in given.only if name not in TASKS]
    if unknown:
        parser.error(f"no task {unknown[0]}; there are {', '.join(TASKS)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
