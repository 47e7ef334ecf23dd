"""Faults on purpose, counted.

    python -m benchmarks.faults kills --count 500 --seed 1 --jobs 2
    python -m benchmarks.faults shared --count 300 --seed 1 --jobs 1
    python -m benchmarks.faults flips --count 500 --seed 1
    python -m benchmarks.faults disks --count 30 --seed 1
    python -m benchmarks.faults checksums

Exit code 1 if anything was lost, refused, left over, unequal or believed, or if checksums cost more
than was asked.
"""

import argparse
import os
import sys

from benchmarks.faults.cases import CASES
from benchmarks.faults.checksums import run_checksums
from benchmarks.faults.disks import can_mount, run_disks
from benchmarks.faults.flips import WRONG, run_flips
from benchmarks.faults.kills import run_kills
from benchmarks.faults.shared_kills import CASES_OF_MANY, SharedKills


def main() -> int:
    given = _arguments()
    if given.part == "checksums":
        return int(not run_checksums(given.count, rows=given.rows, tell=_tell))
    words = {"first": given.first, "folder": given.folder, "tell": _tell}
    if given.part == "kills":
        trials = run_kills(given.count, given.seed, given.jobs, given.only, **words)
        return int(any(trial.faults for trial in trials))
    if given.part == "shared":
        words["kind"] = SharedKills
        trials = run_kills(given.count, given.seed, given.jobs, given.only, **words)
        return int(any(trial.faults for trial in trials))
    if given.part == "flips":
        found = run_flips(given.count, given.seed, given.only, **words)
        return int(any(flip.verdict in WRONG for flip in found))
    if not given.mounts and can_mount():  # again, in a namespace in which disks can be mounted
        command = ["unshare", "-rm", sys.executable, "-m", "benchmarks.faults", *sys.argv[1:]]
        os.execvp("unshare", [*command, "--mounts"])
    trials = run_disks(given.count, given.seed, given.only, has_disks=given.mounts, **words)
    return int(any(trial.faults for trial in trials))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True)
    kills = parts.add_parser("kills", help="kills at random moments, and resuming")
    kills.add_argument("--jobs", type=int, default=2, help="trials at a time")
    shared = parts.add_parser("shared", help="the same with trainings in one to four processes")
    shared.add_argument("--jobs", type=int, default=1, help="trials at a time")
    flips = parts.add_parser("flips", help="flipped bits in files of runs and searches")
    disks = parts.add_parser("disks", help="disks that fill, become read-only or lose a folder")
    disks.add_argument("--mounts", action="store_true", help=argparse.SUPPRESS)
    checksums = parts.add_parser("checksums", help="what checksums cost")
    checksums.add_argument("--count", type=int, default=5, help="trainings")
    checksums.add_argument("--rows", type=int, default=512, help="images")
    for part, count in ((kills, 500), (shared, 300), (flips, 500), (disks, 30)):
        usual = CASES_OF_MANY if part is shared else CASES
        part.add_argument("--count", type=int, default=count)
        part.add_argument("--seed", type=int, default=1)
        part.add_argument("--first", type=int, default=0, help="number of the first draw")
        part.add_argument("--only", nargs="+", choices=CASES, default=list(usual))
        part.add_argument("--folder", help="an empty one, which is kept")
    return parser.parse_args()


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
