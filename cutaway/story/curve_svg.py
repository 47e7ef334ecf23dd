"""A CurveChart as SVG that takes the colors of the page around it, light or dark."""

from html import escape

import numpy as np

from cutaway.story.curve_chart import COLORS, CurveChart, round_ticks, tick_label
from cutaway.story.design import FONT, themed
from cutaway.story.svg import finite_stretches, text_width

WIDTH, HEIGHT = 440, 300  # of the whole picture; on narrow pages it shrinks
LEFT, RIGHT, BOTTOM = 56, 14, 40
ROW, SIZE = 18, 12.5  # of the legend, of texts
SHIFT = {"above": (0, -9, "middle"), "below": (0, 18, "middle"),
         "left": (-9, 4, "end"), "right": (9, 4, "start")}  # fmt: skip


def curve_svg(chart: CurveChart, *, width: float = WIDTH, height: float = HEIGHT) -> str:
    """The chart as one SVG element."""
    rows = _legend_rows(chart, width)
    top = 26 + ROW * len(rows)
    height = height + ROW * max(0, len(rows) - 1)
    x0, x1, y0, y1 = chart.limits()

    def across(x):
        return LEFT + (np.asarray(x, float) - x0) / (x1 - x0) * (width - LEFT - RIGHT)

    def up(y):
        return height - BOTTOM - (np.asarray(y, float) - y0) / (y1 - y0) * (height - BOTTOM - top)

    parts = [
        _text(LEFT, 16, chart.title, weight=600),
        *_legend(rows),
        *_frame(chart, across, up, width, height, top),
    ]
    for span in chart.spans:
        a, b = across(max(span.x0, x0)), across(min(span.x1, x1))
        parts.append(
            f'<rect x="{a:.1f}" y="{top}" width="{b - a:.1f}" height="{height - BOTTOM - top:.1f}" '
            'fill="currentColor" fill-opacity=".09"/>'
        )
        parts.append(_text((a + b) / 2, height - BOTTOM - 7, span.label, side="middle"))
    for line in chart.lines:
        y = np.asarray(line.y, float)
        inside = np.where((y >= y0) & (y <= y1), y, np.nan)
        parts += _polylines(across(line.x), up(inside), COLORS[line.color], line.dashed)
    for arrow in chart.arrows:
        ends = across([arrow.x0, arrow.x1]), up([arrow.y0, arrow.y1])
        parts.append(_arrow(*ends, COLORS[arrow.color]))
    for dot in chart.dots:
        x, y = float(across(dot.x)), float(up(dot.y))
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{COLORS[dot.color]}" '
            'stroke="currentColor" stroke-width=".6"/>'
        )
        parts.append(_dot_label(dot, x, y, width))
    name = escape(chart.title or chart.y_label, quote=True)
    return (
        f'<svg class="cutaway-curve" role="img" '
        f'aria-label="{name}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'style="max-width:100%;height:auto;font:{SIZE}px {FONT}">'
        f"<title>{name}</title>{themed(''.join(parts))}</svg>"
    )


def side_by_side_svg(charts) -> str:
    """Charts beside each other, below each other on narrow pages, as HTML."""
    figures = "".join(curve_svg(chart) for chart in charts)
    return f'<div style="display:flex;flex-wrap:wrap;gap:.5rem 1.2rem">{figures}</div>'


def _frame(chart, across, up, width, height, top):
    x0, x1, y0, y1 = chart.limits()
    bottom = height - BOTTOM
    grid = 'stroke="currentColor" stroke-width=".8" stroke-opacity='
    for value in round_ticks(x0, x1):
        x = float(across(value))
        strong = ".45" if value == 0 else ".12"
        yield f'<path d="M{x:.1f} {top}V{bottom:.1f}" {grid}"{strong}"/>'
        yield _text(x, bottom + 15, tick_label(value), side="middle", faint=True)
    for value in round_ticks(y0, y1, 6):
        y = float(up(value))
        strong = ".45" if value == 0 else ".12"
        yield f'<path d="M{LEFT} {y:.1f}H{width - RIGHT}" {grid}"{strong}"/>'
        yield _text(LEFT - 6, y + 4, tick_label(value), side="end", faint=True)
    yield _text((LEFT + width - RIGHT) / 2, height - 7, chart.x_label, side="middle")
    if chart.y_label:
        y = (top + bottom) / 2
        turned = f' transform="rotate(-90 10 {y:.1f})"'
        yield _text(10, y + 3, chart.y_label, side="middle", extra=turned)


def _legend_rows(chart, width) -> list:
    """The named lines in rows that fit: [[(line, x)]]."""
    rows: list = [[]]
    x = float(LEFT)
    for line in chart.legend():
        wide = 30 + text_width(line.label, SIZE) + 12
        if rows[-1] and x + wide > width:
            rows.append([])
            x = float(LEFT)
        rows[-1].append((line, x))
        x += wide
    return rows if rows[0] else []


def _legend(rows):
    for k, row in enumerate(rows):
        y = 26 + ROW * k + 6
        for line, x in row:
            yield from _polylines([x, x + 22], [y, y], COLORS[line.color], line.dashed)
            yield _text(x + 28, y + 4, line.label)


def _polylines(x, y, color, dashed):
    x, y = np.asarray(x, float), np.asarray(y, float)
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    for part in finite_stretches(x, y):
        places = " ".join(f"{p:.1f},{q:.1f}" for p, q in zip(x[part], y[part], strict=True))
        yield (
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2.2" '
            f'stroke-linejoin="round"{dashes}/>'
        )


def _arrow(x, y, color) -> str:
    along = np.array([x[1] - x[0], y[1] - y[0]])
    length = float(np.hypot(*along))
    if length < 1:
        return ""
    along = along / length
    across = np.array([-along[1], along[0]])
    size = min(9.0, 0.7 * length)
    tip = np.array([x[1], y[1]])
    base = tip - size * along
    corners = [tip, base + 0.5 * size * across, base - 0.5 * size * across]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return (
        f'<path d="M{x[0]:.1f} {y[0]:.1f}L{base[0]:.1f} {base[1]:.1f}" stroke="{color}" '
        f'stroke-width="2.6"/><polygon points="{points}" fill="{color}"/>'
    )


def _dot_label(dot, x, y, width) -> str:
    if not dot.label:
        return ""
    dx, dy, side = SHIFT[dot.side]
    half = text_width(dot.label, SIZE) / 2
    if side == "middle":  # not beyond the picture
        x = min(max(x, LEFT + half), width - half)
    return _text(x + dx, y + dy, dot.label, side=side, halo=True)


def _text(x, y, content, *, side="start", weight=0, faint=False, halo=False, extra="") -> str:
    if not content:
        return ""
    style = f' font-weight="{weight}"' if weight else ""
    style += ' fill-opacity=".75"' if faint else ""
    anchor = "" if side == "start" else f' text-anchor="{side}"'
    if halo:
        style += ' style="paint-order:stroke;stroke:Canvas;stroke-width:3px;stroke-opacity:.8"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="currentColor"{anchor}{style}{extra}>'
        f"{escape(content)}</text>"
    )
