"""Faults on purpose, counted.

    python -m benchmarks.faults kills --count 500 --seed 1 --jobs 2
    python -m benchmarks.faults flips --count 500 --seed 1

Exit code 1 if anything was lost, refused, left over, unequal or believed.
"""

import argparse
import sys

from benchmarks.faults.cases import CASES
from benchmarks.faults.flips import WRONG, run_flips
from benchmarks.faults.kills import run_kills


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True)
    kills = parts.add_parser("kills", help="kills at random moments, and resuming")
    kills.add_argument("--jobs", type=int, default=2, help="trials at a time")
    flips = parts.add_parser("flips", help="flipped bits in files of runs and searches")
    for part, count in ((kills, 500), (flips, 500)):
        part.add_argument("--count", type=int, default=count)
        part.add_argument("--seed", type=int, default=1)
        part.add_argument("--first", type=int, default=0, help="number of the first draw")
        part.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
        part.add_argument("--folder", help="an empty one, which is kept")
    given = parser.parse_args()
    words = {"first": given.first, "folder": given.folder, "tell": _tell}
    if given.part == "kills":
        trials = run_kills(given.count, given.seed, given.jobs, given.only, **words)
        return int(any(trial.faults for trial in trials))
    found = run_flips(given.count, given.seed, given.only, **words)
    return int(any(flip.verdict in WRONG for flip in found))


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
