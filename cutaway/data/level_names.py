"""Names that are numbers, such as 7.4, found again where another table writes 7,4."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"([-+]?\d+)([.,])(\d+)")
_OTHER = {".": ",", ",": "."}


def other_spellings(names: Iterable[str | None], known: Iterable[str | None]) -> dict[str, str]:
    """{name: the known name of the same number with the other decimal mark}.

    Only of names that are unknown as they stand, and have no second reading: 1,234 is left out if
    1234 is known beside 1.234.

    Example:
        >>> from cutaway.data.level_names import other_spellings
        >>> other_spellings(["7,4", "8,0", "9,1", "x"], ["7.4", "8"])
        {'7,4': '7.4', '8,0': '8'}
    """
    known = {name for name in known if name is not None}
    found = {}
    for name in {name for name in names if name is not None} - known:
        match = _NUMBER.fullmatch(name)
        if match is None:
            continue
        whole, mark, fraction = match.groups()
        readings = {whole + _OTHER[mark] + fraction}
        readings |= {whole} if not fraction.strip("0") else set()
        readings |= {whole + fraction} if len(fraction) == 3 else set()
        readings &= known
        if len(readings) == 1 and whole + fraction not in readings:
            found[name] = readings.pop()
    return dict(sorted(found.items()))
