"""Dates written as a column writes them: 31.01.2011, Jan-11, 1/31/11 8:00 PM."""

import calendar
import datetime
import functools
import itertools
import re
from collections.abc import Callable

from cutaway.data.date_forms import pattern
from cutaway.data.dates import DateRecipe

CHECKED = 1000  # cells of a column that must come out as they were written
_WEEKDAY = "(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_PADDED = ("month", "day", "hour")  # 1 or 01
_WRITTEN = (*_PADDED, "year", "minute", "second", "fraction", "half", "name", "quarter", "weekday")
_PARTS = {"y": "year", "m": "month", "d": "day"}  # of an order such as "dmy"
Instant = datetime.datetime | datetime.date


def date_writer(texts, times, recipe: DateRecipe) -> Callable[[list], list[str] | None] | None:
    """A function that writes dates as the last cells of a column are; None if there is none.

    The function returns None for dates that the cells do not show how to write, as a month of
    another language that does not occur in them.

    Args:
        texts: polars Series of the cells as they were written.
        times: the dates or instants that they mean.
        recipe: how they were read.

    Example:
        >>> import datetime, polars as pl
        >>> from cutaway.data.date_writing import date_writer
        >>> from cutaway.data.dates import find_dates
        >>> cells = pl.Series("day", ["29.01.2011", "30.01.2011", "31.01.2011"])
        >>> recipe = find_dates(cells)
        >>> date_writer(cells, recipe.parse(cells), recipe)([datetime.date(2011, 2, 1)])
        ['01.02.2011']
    """
    step = max(1, len(texts) // CHECKED)
    cells = texts[::-1].gather_every(step).to_list()
    known = times[::-1].gather_every(step).to_list()
    if not cells or any(cell is None for cell in cells):
        return None
    for form in recipe.forms:
        match = _compiled(form).match(cells[0])
        if match is None:
            continue
        layout = _layout(cells[0], match, recipe)
        if layout is None:
            continue
        names = _names(form, cells, known)
        padded = [p for p in _PADDED if any(part == p for part, _ in layout)]
        for choice in itertools.product((True, False), repeat=len(padded)):
            pads = dict(zip(padded, choice, strict=True))
            written = (_write(layout, time, pads, names) for time in known)
            if all(one == cell for one, cell in zip(written, cells, strict=True)):
                return functools.partial(_write_all, layout, pads, names)
    return None


def _write_all(layout, pads, names, dates: list) -> list[str] | None:
    texts = [_write(layout, date, pads, names) for date in dates]
    known = [text for text in texts if text is not None]
    return known if len(known) == len(texts) else None


def _compiled(form: str):
    """The pattern of a form for Python, in which the day of the week has a name too."""
    text = pattern(form).replace(r"\p{L}", r"[^\W\d_]")
    text = text.replace(_WEEKDAY, f"(?P<weekday>{_WEEKDAY})")
    return re.compile(text)


def _layout(cell: str, match, recipe: DateRecipe) -> list[tuple[str, str]] | None:
    """(part, its text) one after the other; the part "" is what stands between."""
    spans = {}
    groups = match.re.groupindex
    if "separator" in groups:
        order = {o[0]: o[1:] for o in recipe.orders}.get(match["separator"])
        if order is None:
            return None
        for group, letter in zip(("first", "second_place", "third"), order, strict=True):
            spans[_PARTS[letter]] = match.span(group)
    spans |= {part: match.span(part) for part in _WRITTEN if part in groups and match[part]}
    found, end = [], 0
    for part, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        found += [("", cell[end:start]), (part, cell[start:stop])]
        end = stop
    return [*found, ("", cell[end:])]


def _write(layout, time: Instant, pads: dict[str, bool], names: dict[int, str]) -> str | None:
    if not isinstance(time, datetime.datetime):
        time = datetime.datetime(time.year, time.month, time.day)
    has_half = any(part == "half" for part, _ in layout)
    found = []
    for part, text in layout:
        if part == "":
            found.append(text)
        elif part == "year":
            found.append(f"{time.year:04d}"[-len(text) :])
        elif part == "name":
            name = names.get(time.month)
            if name is None:
                return None
            found.append(name)
        elif part == "weekday":
            found.append(_cased(calendar.day_name[time.weekday()], text))
        elif part == "half":
            half = "p" if time.hour >= 12 else "a"
            found.append((half.upper() if text[0].isupper() else half) + text[1:])
        elif part == "fraction":
            found.append(f"{time.microsecond:06d}".ljust(len(text), "0")[: len(text)])
        elif part == "quarter":
            found.append(str((time.month + 2) // 3))
        else:
            number = getattr(time, part)
            if part == "hour" and has_half:
                number = (number - 1) % 12 + 1
            found.append(f"{number:02d}" if pads.get(part, True) else str(number))
    return "".join(found)


def _cased(name: str, like: str) -> str:
    """An English name, short if the other one is, and in its case."""
    name = name if len(like) > 3 else name[:3]
    return name.upper() if like.isupper() else name.lower() if like.islower() else name


def _names(form: str, cells: list[str], times: list) -> dict[int, str]:
    """The names of the months in the cells; all twelve, if these are English."""
    compiled = _compiled(form)
    if "name" not in compiled.groupindex:
        return {}
    seen: dict[int, str] = {}
    for cell, time in zip(cells, times, strict=True):
        match = compiled.match(cell)
        if match is not None:
            seen.setdefault(time.month, match["name"])
    longest = max(seen.values(), key=len, default="")
    usual = {month: _cased(calendar.month_name[month], longest) for month in range(1, 13)}
    is_english = all(usual[month] == name for month, name in seen.items())
    return usual if is_english and len(longest) >= 3 else seen
