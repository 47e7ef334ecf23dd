"""What is asked of a folder after a fault: nothing lost, nothing left over, the same bits."""

import contextlib
import csv
import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import polars as pl

from cutaway.data.parquet import read_parquet
from cutaway.errors import CutawayError, RunError
from cutaway.train.checkpoint import read_state

FINISHED = ("COMPLETE", "PRUNED")  # states of Optuna's trials


def files_in(folder: Path) -> list[str]:
    """The paths in a folder, checkpoints without their epochs."""
    found = []
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.parent.name == "checkpoints" and path.suffix == ".safetensors":
            name = f"{path.parent.relative_to(folder)}/*"
        found.append(name + "/" * path.is_dir())
    return sorted(found)


def leftovers(folder: Path, reference: Path) -> list[str]:
    """What is in a folder, and not in that of an undisturbed run; at most two checkpoints are."""
    before = set(files_in(reference))
    found = [name for name in files_in(folder) if name not in before]
    for checkpoints in folder.rglob("checkpoints"):
        found += [str(path.relative_to(folder)) for path in sorted(checkpoints.iterdir())[:-2]]
    return found


def unequal(folder: Path, reference: Path) -> list[str]:
    """The files of which numbers are not those of an undisturbed run, apart from times."""
    names = [name for name in files_in(reference) if not name.endswith(("/", "*"))]
    return [
        name
        for name in names
        if name.rpartition("/")[2] not in _WITH_TIMES_IN_THEM
        and not _is_same(folder / name, reference / name)
    ]


# reports show times; manifests hold the checksums of files that do, Optuna's database too
_WITH_TIMES_IN_THEM = ("report.html", "tune.html", "manifest.json", "study.db")


def _is_same(path: Path, reference: Path) -> bool:
    try:
        return _holds_the_same(path, reference)
    except (OSError, ValueError, CutawayError):  # it is not there, or damaged
        return False


def _holds_the_same(path: Path, reference: Path) -> bool:
    if path.suffix == ".parquet":  # which moments are measured depends on how long it takes
        found, expected = _moments(path), _moments(reference)
        same = found.keys() & expected.keys()
        return bool(same) and all(found[step] == expected[step] for step in same)
    return _numbers(path) == _numbers(reference)


def _moments(path: Path) -> dict:
    """{step: the rows} of probes."""
    frame = read_parquet(path).with_columns(pl.all().cast(pl.String))  # NaN is NaN
    found: dict = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(row["step"], []).append(row)
    return found


def _numbers(path: Path):
    """The content of a file, without times."""
    if path.suffix == ".csv":
        rows = list(csv.DictReader(path.read_text().splitlines()))
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    if path.suffix == ".json":
        return json.dumps(_without_seconds(json.loads(path.read_text())))
    return path.read_bytes()


def _without_seconds(value):
    if isinstance(value, dict):
        times = ("seconds", "waited_for_data")
        return {k: _without_seconds(v) for k, v in value.items() if k not in times}
    return [_without_seconds(v) for v in value] if isinstance(value, list) else value


class Kept:
    """What a folder held when its process ended: a training's epochs, a search's trials.

    Times tell whether they were kept or computed again.

    Args:
        folder: of the run or the search; it need not be there.
    """

    def __init__(self, folder: Path):
        self.epochs = _epochs_with_times(folder)
        self.trials = _trials_with_times(folder)

    def lost(self, folder: Path) -> list[str]:
        """What of it is not in the folder of the finished run."""
        found = []
        if self.epochs:
            rows = (folder / "history.csv").read_text().splitlines()
            times = [float(row["seconds"]) for row in csv.DictReader(rows)]
            if times[: len(self.epochs)] != self.epochs:
                found.append(f"{len(self.epochs)} epochs of the checkpoint were trained again")
        now = _trials_with_times(folder)
        found += [f"trial {n}" for n, what in self.trials.items() if now.get(n) != what]
        return found


def _epochs_with_times(folder: Path) -> list[float]:
    """The seconds of each epoch that the newest whole checkpoint knows of."""
    for path in sorted((folder / "checkpoints").glob("epoch-*"), reverse=True):
        with contextlib.suppress(RunError):
            return [row["seconds"] for row in read_state(path)[1]["history"]]
    return []


def _trials_with_times(folder: Path) -> dict:
    """{number: when it ended} of the finished trials of a search."""
    if not (folder / "study.db").exists():
        return {}
    with tempfile.TemporaryDirectory() as copied:  # reading it would undo a half-written change
        for name in ("study.db", "study.db-journal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(folder / name, copied)
        with contextlib.closing(sqlite3.connect(Path(copied) / "study.db")) as database:
            states = ", ".join(f"'{state}'" for state in FINISHED)
            query = f"SELECT number, datetime_complete FROM trials WHERE state IN ({states})"
            try:
                return dict(database.execute(query).fetchall())
            except sqlite3.OperationalError:  # killed before the table was made
                return {}


def half_written(folder: Path) -> list[str]:
    """Files that a process was writing, anywhere below a folder."""
    ends = (".partial", ".new", ".owner.json", "-journal", "-wal", ".tmp")
    return [
        os.path.relpath(os.path.join(place, name), folder)
        for place, folders, files in os.walk(folder)
        for name in [*folders, *files]
        if name.endswith(ends)
    ]
