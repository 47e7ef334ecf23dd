"""A CurveChart as lines of text for a terminal."""

import numpy as np

from cutaway.story.curve_chart import CurveChart, round_ticks

MARKS = "*.+x"  # of the first curve, the second, ...
HEIGHT = 15  # rows
MOST_WIDTH = 64  # columns of the picture


def curve_text(chart: CurveChart, width: int = 80, *, height: int = HEIGHT) -> list:
    """The chart as lines of at most `width` characters."""
    x0, x1, y0, y1 = chart.limits()
    ticks = {_row(y, y0, y1, height): f"{y:g}" for y in round_ticks(y0, y1, 5)}
    margin = max(map(len, ticks.values()), default=0)
    columns = min(width - margin - 3, MOST_WIDTH)
    cells = np.full((height, columns), " ")
    zero = _row(0.0, y0, y1, height) if y0 < 0 < y1 else None
    if zero is not None:
        cells[zero] = "-"
    at = np.linspace(x0, x1, columns)
    # the first curve covers the others
    named = list(zip(chart.lines, MARKS * 4, strict=False))
    for line, mark in reversed(named):
        _draw(cells, line, mark, at, (y0, y1))
    for dot in chart.dots:
        row = _row(dot.y, y0, y1, height)
        column = round((dot.x - x0) / (x1 - x0) * (columns - 1))
        if 0 <= row < height and 0 <= column < columns:
            cells[row, column] = dot.mark
    lines = [
        f"{ticks.get(k, ''):>{margin}} |{''.join(row)}".rstrip() for k, row in enumerate(cells)
    ]
    lines.append(" " * margin + " +" + "-" * columns)
    lines += _below(chart, x0, x1, columns, margin)
    legend = [f"{mark} {line.label}" for line, mark in named if line.label]
    legend += [f"{dot.mark} {dot.label}" for dot in chart.dots if dot.label]
    return [chart.title] * bool(chart.title) + lines + _wrapped(legend, width)


def _row(y, y0, y1, height) -> int:
    return round((y1 - y) / (y1 - y0) * (height - 1))


def _draw(cells, line, mark, at, y_range):
    """A mark in each column, and between rows that are apart, so that steep parts hold together."""
    y0, y1 = y_range
    height, before, last_k = len(cells), None, 0
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    half = (at[1] - at[0]) / 2
    for column, place in enumerate(at):
        if not x[0] - half <= place <= x[-1] + half:
            continue
        k = int(np.abs(x - place).argmin())
        value = float(np.interp(place, x, y))
        if np.isnan(y[last_k:k]).any():  # a gap between this column and the one before
            before = None
        last_k = k
        if not y0 <= value <= y1:
            before = None
            continue
        row = _row(value, y0, y1, height)
        first, last = (row, row) if before is None else sorted((row, before))
        if last - first > 1:
            inner = range(first + 1, last)
            cells[list(inner), column] = mark
        cells[row, column] = mark
        before = row


def _below(chart, x0, x1, columns, margin) -> list:
    """The ticks of the horizontal axis, and its label."""
    line = [" "] * (columns + 8)
    for value in round_ticks(x0, x1):
        label = f"{value:g}"
        start = round((value - x0) / (x1 - x0) * (columns - 1)) - (len(label) - 1) // 2
        start = max(0, start)
        line[start : start + len(label)] = label
    ticks = " " * (margin + 2) + "".join(line).rstrip()
    label = chart.x_label.center(columns).rstrip() if chart.x_label else ""
    return [ticks, *([" " * (margin + 2) + label] if label else [])]


def _wrapped(parts, width) -> list:
    """Parts of a legend in lines, none broken inside."""
    lines: list = []
    for part in parts:
        if lines and len(lines[-1]) + 4 + len(part) <= width:
            lines[-1] += f"    {part}"
        else:
            lines.append(f"  {part}")
    return lines
