"""What `cutaway studio` shows: points, data or a run, by how it is named."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any

from cutaway.errors import OptionError, did_you_mean
from cutaway.studio.subject import Subject

POINTS = ("spirals", "circle", "gauss", "xor")


def choose_subject(
    what=None,
    target: str | None = None,
    *,
    kind: str | None = None,
    trust: bool = False,
    options: dict[str, Any] | None = None,
) -> Subject:
    """The Subject of a name, a path or a frame.

    Args:
        what: one of POINTS; the folder of a run; data, see runs.prepare; None: spirals.
        target, kind: of data, see runs.prepare.
        trust: whether the data may be read that another user's run names.
        options: training options, as for runs.prepare; for points those of PlaneTraining, and seed.

    Raises:
        OptionError: options that do not go with it, or points that are misspelled.
        DataError, RunError: it cannot be read.
    """
    options = options or {}
    given = {"target": target, "kind": kind, **options}
    given = {name: value for name, value in given.items() if value is not None}
    if what is None and not given:
        what = POINTS[0]
    is_path = isinstance(what, str | Path)
    if is_path and str(what) in POINTS and not Path(what).exists():
        return _points(str(what), given)
    if is_path and _is_run(Path(what)):
        return _run(what, trust, given)
    if is_path and not Path(what).exists():
        _expect_no_points_meant(str(what))
    from cutaway.studio.origins.from_data import subject_of_data

    return subject_of_data(what, target, kind=kind, **options)


def _expect_no_points_meant(name: str) -> None:
    if difflib.get_close_matches(name.casefold(), POINTS, n=1, cutoff=0.7):
        raise OptionError(
            f"there is no {name}",
            expected="a file, a folder, or points of a plane: " + ", ".join(POINTS),
            fix=did_you_mean(name, POINTS),
        )


def _is_run(path: Path) -> bool:
    from cutaway.runs.run_folder import RunFolder

    return RunFolder(path).config.is_file()


def _run(what, trust: bool, given: dict[str, Any]) -> Subject:
    from cutaway.studio.origins.from_run import subject_of_run

    if given:
        name = next(iter(given))
        raise OptionError(
            f"{name} was given with the run {what}, which has its own",
            expected="a run alone, or data with options",
            fix="omit it: what can be changed is changed on the page",
        )
    return subject_of_run(what, trust=trust)


def _points(name: str, given: dict[str, Any]) -> Subject:
    from cutaway.studio.origins.circle import circle
    from cutaway.studio.origins.gauss import gauss
    from cutaway.studio.origins.plane_points import PlaneTraining
    from cutaway.studio.origins.spirals import spirals
    from cutaway.studio.origins.xor import xor

    own = [field.name for field in dataclasses.fields(PlaneTraining)]
    wrong = [option for option in given if option not in ("seed", *own)]
    if wrong:
        raise OptionError(
            f"{wrong[0]} was given with {name}",
            expected=f"seed, {', '.join(own)}, or no option",
            fix=f"omit {wrong[0]}; what else can be changed is changed on the page",
        )
    training = PlaneTraining(**{key: given.pop(key) for key in own if key in given})
    makers = {"spirals": spirals, "circle": circle, "gauss": gauss, "xor": xor}
    return makers[name](training=training, **given)
