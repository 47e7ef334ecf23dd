"""Classes that may be codes for a missing value: 99 among 0 and 1, -9 among 1 to 5."""

import itertools

from cutaway.data.sentinels import USUAL, USUAL_NEGATIVE
from cutaway.errors import counted

APART = 3  # ranges of the other classes between a code and them
CODES = USUAL | {9.0}
MOST_CODES = 4  # 96 not applicable, 97 refused, 98 unknown, 99 missing


def codes_among(classes) -> list[int]:
    """The integer classes that stand apart from all others and are usual codes, ascending.

    Args:
        classes: the different values of a target, numbers or texts.

    Example:
        >>> from cutaway.data.class_codes import codes_among
        >>> codes_among([0, 1, 99]), codes_among(["-9", "1", "2"]), codes_among(range(97, 100))
        ([99], [-9], [])
    """
    values = [_integer(value) for value in classes]
    known = sorted(value for value in values if value is not None)
    if len(known) < len(values):
        return []
    found = []
    for low, high in itertools.product(range(MOST_CODES + 1), repeat=2):
        others = known[low : len(known) - high]
        if len(others) < 2 or low + high <= len(found):
            continue
        below, above = known[:low], known[len(known) - high :]
        least = APART * (others[-1] - others[0])
        is_low = not low or (
            others[0] - below[-1] >= least and {-code for code in below} <= USUAL_NEGATIVE
        )
        is_high = not high or (above[0] - others[-1] >= least and set(above) <= CODES)
        if is_low and is_high:
            found = below + above
    return found


def notes_of_codes(name: str, classes, counts) -> list[str]:
    """A note on each class of a target that may mean a missing value.

    Args:
        counts: rows of each class.
    """
    codes = codes_among(classes)
    rows = {_integer(c): n for c, n in zip(classes, counts, strict=True)}
    return [
        f"{name}: {code} in {counted(rows[code], 'row')} is a class like the others; if it means a "
        f"missing value: --missing {code}, which holds for every column"
        for code in codes
    ]


def _integer(value) -> int | None:
    """The integer that a class is; None if it is none, or true or false."""
    if isinstance(value, bool):
        return None
    try:
        return int(value) if float(value) == int(float(value)) else None
    except (TypeError, ValueError, OverflowError):
        return None
