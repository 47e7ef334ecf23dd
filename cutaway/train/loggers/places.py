"""Where a logger of files writes."""

import shutil
from pathlib import Path

LOGS = "logs"  # folder of trainings that have none


def folder_of_logger(given, run: str | None, folder: Path | None, name: str) -> Path:
    """The folder that was given; otherwise that of a resumed run, one in the run, or a new one.

    Args:
        given: to the logger, or None.
        run: the folder of a training that is resumed, or None.
        folder: of the run of Cutaway, or None.
        name: of the logger.
    """
    if given is not None:
        return Path(given)
    if run is not None:
        return Path(run)
    if folder is not None:
        return folder / name
    k = 1
    while (Path(LOGS) / str(k) / name).exists():
        k += 1
    return Path(LOGS) / str(k) / name


def folder_of_trial(search: Path, name: str, trial: str) -> Path:
    """SEARCH/NAME/TRIAL, empty: the trial may have been begun before, and killed.

    Args:
        search: folder of a search.
        name: of the logger.
        trial: number of the trial.
    """
    place = search / name / trial
    shutil.rmtree(place, ignore_errors=True)
    return place


def file_name(name: str) -> str:
    """A name as that of a file: "a/b c" is "a-b-c"."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name).lstrip(".") or "unnamed"
