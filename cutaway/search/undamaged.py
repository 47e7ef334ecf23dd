"""Whether the database of a search holds what was written to it.

SQLite stores no checksums. So each finished trial has one, as does the schema, beside what they are
of; SQLite itself checks how its pages fit together.
"""

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cutaway.errors import CutawayError, RunError
from cutaway.files.content import reason_of
from cutaway.files.manifest import checksum, damaged
from cutaway.files.writing import room

SUM = "checksum"  # name of the attribute of a trial, and of the study
STUDY = "cutaway"  # its name in the database
_FIX = "restore it from a backup, or choose another --out"
# what the disk or another process does, rather than damage
_OUTSIDE = ("full", "locked", "readonly", "read-only", "unable to open", "i/o error")


@dataclasses.dataclass(frozen=True)
class Database:
    """What SQLite itself says of the database of a search.

    Attributes:
        schema: the checksum of its schema.
        trials: number of trials.
    """

    schema: str
    trials: int


def read_database(path: Path) -> Database:
    """Of the database of a search, which need not be there.

    Raises:
        RunError: it is damaged, or holds something else.
    """
    with explaining_database(path), _opened(path) as database:
        found = [row[0] for row in database.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise damaged(path, found[0], _FIX)
        objects = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        schema = checksum("\n".join(sorted(map(str, objects))).encode())
        tables = [name for kind, name, *_ in objects if kind == "table"]
        names = _column(database, "SELECT study_name FROM studies", "studies" in tables)
        has_begun = any((path.parent / "trials").glob("*"))
        if names != [STUDY] and (names or has_begun):  # none: killed while it was made
            raise damaged(path, f"it holds the studies {names}, not {STUDY!r}", _FIX)
        trials = _column(database, "SELECT number FROM trials", "trials" in tables)
    return Database(schema, len(trials))


def _column(database: sqlite3.Connection, query: str, is_there: bool) -> list:
    return [row[0] for row in database.execute(query)] if is_there else []


def _opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path, timeout=60))


def expect_whole_trials(path: Path, trials: list, *, at_least: int) -> None:
    """Raise RunError unless finished trials are what was written: see `sum_of`.

    Args:
        path: of the database.
        trials: all of Optuna's FrozenTrials.
        at_least: so many must be there.
    """
    if len(trials) < at_least:
        raise damaged(path, f"{len(trials)} of {at_least} trials can be read", _FIX)
    for trial in trials:
        if not trial.state.is_finished() or "interrupted" in trial.user_attrs:
            continue
        if trial.user_attrs.get(SUM) != sum_of(trial, trial.value):
            raise damaged(path, f"trial {trial.number} is not what was written", _FIX)


def sum_of(trial, value: float | None) -> str:
    """The checksum of what matters of a trial.

    Args:
        trial: Optuna's FrozenTrial.
        value: its value when it is finished.
    """
    from optuna.distributions import distribution_to_json

    spaces = {name: distribution_to_json(one) for name, one in trial.distributions.items()}
    attributes = {name: what for name, what in trial.user_attrs.items() if name != SUM}
    reports = sorted(trial.intermediate_values.items())
    content: list[Any] = [trial.number, value, trial.params, spaces, reports, attributes]
    return checksum(json.dumps(content, sort_keys=True).encode())


@contextlib.contextmanager
def explaining_database(path: Path) -> Iterator[None]:
    """Context in which what SQLite or Optuna raises becomes a RunError that names the database."""
    try:
        yield
    except CutawayError:
        raise
    except Exception as error:
        cause = _first_cause(error)
        reason = reason_of(cause)
        if any(word in str(cause).lower() for word in _OUTSIDE):
            raise RunError(
                f"{path} cannot be read or written: {reason}{room(path.parent, None)}",
                expected="a study written by `cutaway tune`, on a disk with free space",
                fix="free some disk space, and repeat the command to resume",
            ) from error
        raise damaged(path, reason, _FIX) from error


def _first_cause(error: BaseException) -> BaseException:
    """What SQLite raised, before SQLAlchemy and Optuna wrapped it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
