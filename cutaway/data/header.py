"""Which line of a table is its header, if any, and the names of its columns."""

import dataclasses
import itertools

from cutaway.data.cell_shapes import holds_values, is_missing, is_value
from cutaway.data.delimiter import usual_width

TITLES = 5  # lines above the header, at most
ROW_NAMES = "row name"
YEARS = range(1800, 2101)


@dataclasses.dataclass(frozen=True)
class Header:
    """What the lines above the values say.

    Attributes:
        names: of the columns, different ones; None for each that nothing names.
        skipped: rows that are no values: titles and the header.
        notes: messages for the user.
        written: the cells of the header, None for a column without one; None: there is no header.
    """

    names: list[str | None]
    skipped: int
    notes: list[str]
    written: list[str | None] | None = None


def find_header(rows: list[list[str]], given: bool | None = None) -> Header:
    """The header of a table by its first rows.

    Args:
        rows: cells of the first rows.
        given: whether there is a header; None to see.

    Example:
        >>> from cutaway.data.header import find_header
        >>> find_header([["Sales"], ["a", "b", "a"], ["1", "2", "3"], ["4", "5", "6"]]).skipped
        2
    """
    notes = []
    titles = 0 if given is False else _titles(rows)
    found = (cell.strip() for row in rows[:titles] for cell in row if cell.strip())
    notes.extend(f"the line {title!r} above the header is read as a title" for title in found)
    first, below = rows[titles], rows[titles + 1 :]
    if given is False or (given is None and not titles and is_data(first, below)):
        if given is None:
            notes.append(
                "there is no header: the first line looks like data, so the columns are numbered "
                "(header=True or --header if it is one)"
            )
        return Header([None] * len(first), titles, notes)
    names: list[str | None] = [cell.strip() or None for cell in first]
    written: list[str | None] = [*first]
    if below and all(len(row) == len(first) + 1 for row in below):
        if all(not row[-1].strip() for row in below):  # a separator ends each line
            names, written = [*names, None], [*written, None]
        elif _has_row_names(first, below):
            names, written = [ROW_NAMES, *names], [None, *written]
            notes.append(
                "the header has one name fewer than the lines have cells: the first column holds "
                f"the names of the rows, and is named {ROW_NAMES!r}"
            )
    return Header(names, titles + 1, notes, written)


def with_names(frame, header: Header):
    """(the frame with names, notes); empty columns at the end that nothing names are dropped.

    Args:
        frame: of the values, its columns of any names.
        header: with a name or None for each column.
    """
    width, notes = frame.width, []
    is_named = any(header.names)
    while width > 1 and is_named and not header.names[width - 1] and _is_blank(frame, width - 1):
        width -= 1
    if width < frame.width:
        dropped = frame.width - width
        what = "the empty column" if dropped == 1 else f"{dropped} empty columns"
        notes.append(f"dropped {what} at the end, after the last separator")
    names, new = unique_names(header.names[:width])
    columns = frame.get_columns()[:width]
    return frame.select(c.alias(n) for c, n in zip(columns, names, strict=True)), [*notes, *new]


def _is_blank(frame, place: int) -> bool:
    import polars as pl

    column = frame.to_series(place).drop_nulls().cast(pl.String)
    return column.is_empty() or bool((column.str.strip_chars() == "").all())


def _titles(rows: list[list[str]]) -> int:
    """The number of lines above the header: at most one cell is filled, where others have more."""
    for count in range(1, min(TITLES, len(rows) - 2) + 1):
        if sum(bool(cell.strip()) for cell in rows[count - 1]) > 1:
            return 0
        width = usual_width(rows[count:])
        head, below = rows[count], rows[count + 1 :]
        if width < 2 or len(head) != width or not all(cell.strip() for cell in head):
            continue
        if any(map(is_value, head)):
            continue
        has_values = any(holds_values(list(cells)) for cells in _columns(below, width))
        if has_values or (width > 2 and all(len(row) == 1 for row in rows[:count])):
            return count
    return 0


def is_data(first: list[str], below: list[list[str]]) -> bool:
    """Whether the first row looks like the others: values where they have values.

    Numbers in equal steps, as 0, 1, 2, and years are taken for names.
    """
    width = len(first)
    rows = [row for row in below if len(row) == width]
    if not rows or len(rows) < len(below) / 2:
        return False
    columns = [list(cells) for cells in _columns(rows, width)]
    numeric = [k for k in range(width) if holds_values(columns[k])]
    values = [first[k] for k in numeric if not is_missing(first[k])]
    if not values or not all(map(is_value, values)):
        return False
    texts = [k for k in range(width) if k not in set(numeric) and first[k].strip()]
    if texts and any(first[k] in columns[k] for k in texts):
        return True
    kinds = [_kind_of_labels([row[k] for k in numeric]) for row in (first, rows[0])]
    return kinds[0] is None or kinds[0] == kinds[1]


def _columns(rows: list[list[str]], width: int):
    return zip(*(row for row in rows if len(row) == width), strict=True)


def _kind_of_labels(cells: list[str]) -> str | None:
    """How numbers look that may be names of columns: 0, 1, 2 or 1990, 2000, 2010."""
    known = [cell.strip() for cell in cells if cell.strip()]
    if len(known) < 2 or not all(cell.isdecimal() and cell.isascii() for cell in known):
        return None
    numbers = [int(cell) for cell in known]
    steps = {b - a for a, b in itertools.pairwise(numbers)}
    if min(steps) > 0 and numbers[0] in YEARS and numbers[-1] in YEARS:
        return "years"
    counts_up = steps == {1} and (numbers[0] == 0 or (numbers[0] == 1 and len(numbers) > 2))
    return "counts" if counts_up else None


def _has_row_names(first: list[str], below: list[list[str]]) -> bool:
    """Whether the first column holds names of the rows, as R writes them: all different."""
    labels = [row[0] for row in below]
    if len(set(labels)) < len(labels) or any(is_missing(label) for label in labels):
        return False
    return len(first) > 1 or not any(map(is_value, labels))


def unique_names(names: list[str | None]) -> tuple[list[str], list[str]]:
    """The names of all columns, different ones, and notes on those that were made.

    Example:
        >>> from cutaway.data.header import unique_names
        >>> unique_names(["a", "a", None])[0]
        ['a', 'a 2', 'column 3']
    """
    taken, found, twice, empty = {name for name in names if name}, [], {}, []
    used = set()
    for place, name in enumerate(names, 1):
        new = name
        if not name:
            new = f"column {place}"
            empty.append(new)
        elif name in used:
            number = twice.get(name, 1) + 1
            while (new := f"{name} {number}") in taken or new in used:
                number += 1
            twice[name] = number
        number = 2
        while new in used or (new != name and new in taken):
            new, number = f"column {place} ({number})", number + 1
        used.add(new)
        found.append(new)
    notes = [
        f"several columns are named {name!r}: all but the first are numbered, as {name} {number}"
        for name, number in twice.items()
    ]
    if empty and len(empty) < len(names):
        notes.append(f"columns without a name are numbered: {_listed(empty)}")
    return found, notes


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f", ... ({len(names)} in all)" if len(names) > 5 else "")
