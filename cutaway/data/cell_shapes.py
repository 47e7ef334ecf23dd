"""What a cell of a text looks like: a number, a date, or nothing."""

import re

# what stands for a missing value, whatever the column holds
MISSING = ("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "none", "?")
SIGNS = r"[-+−]?\s?[$€£¥]?\s?[-+−]?"
DIGITS = r"(?:\d+(?:[.,'’_  ]\d+)*[.,]?|[.,]\d+)(?:[eE][-+]?\d+)?"
NUMBER = re.compile(rf"{SIGNS}{DIGITS}\s?(?:%|[$€£¥])?|[-+]?inf(?:inity)?", re.IGNORECASE)
TIME = r"\d{1,4}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s?(?:[AaPp]\.?[Mm]\.?|Uhr)?"
DAY = r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}\.?"
DATE = re.compile(
    rf"{DAY}(?:[T ]+{TIME}\s?(?:Z|UTC|[-+]\d\d:?\d\d)?)?|(?:-?\d+ days?,? \+?)?{TIME}"
)
MOST = 0.95  # of the known cells of a column of numbers or dates


def is_missing(cell: str) -> bool:
    """Whether the cell is empty, or one of the usual words for a missing value."""
    return cell.strip() in MISSING


def is_value(cell: str) -> bool:
    """Whether the cell is a number or a date, in any of the usual forms.

    Example:
        >>> from cutaway.data.cell_shapes import is_value
        >>> [is_value(cell) for cell in ("-1,5", "$1,000.50", "2024-01-31 13:00", "x1")]
        [True, True, True, False]
    """
    cell = cell.strip()
    return bool(NUMBER.fullmatch(cell) or DATE.fullmatch(cell))


def holds_values(cells: list[str]) -> bool:
    """Whether nearly all known cells of a column, at least one, are numbers or dates."""
    known = [cell for cell in cells if not is_missing(cell)]
    return bool(known) and sum(map(is_value, known)) >= MOST * len(known)
