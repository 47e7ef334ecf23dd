"""Plots of lines, points and bars as SVG, in a hundredth of matplotlib's time.

For reports that every run writes: importing matplotlib and drawing two figures with it took a fifth
of `cutaway train` on a small table. They look as matplotlib's do, whose sizes these are: units are
points, texts 10 high. Axes and texts have the color of the text around the plot, so they are read
on a light and on a dark page; legends stand above the axes, where they cover nothing.
"""

import dataclasses
import math
from html import escape

import numpy as np

from cutaway.story.design import FONT, themed
from cutaway.story.figures import without_addresses
from cutaway.story.svg import finite_stretches, text_width

SIZE, TITLE = 10.0, 12.0  # of texts
TICK, PAD = 3.5, 3.5  # length of a tick, and the space to its label
EDGE = 3.0  # around a panel
BETWEEN = 14.0  # panels
NARROWEST, BASIS = 0.72, 0.8  # of a panel, relative to its width: then its text is still read
WIDE = 480.0  # a panel wider than this scrolls on a phone
MARGIN = 0.05  # of the data's range, left free on both sides
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # of ticks, times a power of ten
HANDLE, GAP, ROW = 20.0, 8.0, 16.65  # in legends: the line, the space to its text, the height
LEGEND_LEFT = 30.0  # where a legend begins
BANDS = 120  # at most, of a panel, whose tooltips tell the values there
SPOTS = 400  # points, beyond which single ones have no tooltip


@dataclasses.dataclass
class _Mark:
    """Something drawn at data coordinates.

    Attributes:
        kind: "line", "points", "bars", "vertical", "ranges" (y holds the low ends, then the high
            ones) or "band" (likewise, shaded).
        x, y: of its points; for bars, x are the edges, one more than heights y.
        style: {"color", "width", "dashed", "dot" (radius of a point, 0: none), "opacity"}.
        label: in the legend; None: not in it.
    """

    kind: str
    x: np.ndarray
    y: np.ndarray
    style: dict
    label: str | None


class Plot:
    """One panel: marks on two axes. Its limits are those of the data.

    Args:
        title: above it.
        x_label, y_label: of the axes.
        log_x, log_y: whether an axis is logarithmic; values <= 0 are then left out.
        integer_x, integer_y: whether ticks of an axis are at integers only, as of epochs, counts.
        x_ticks: {position: label} of the horizontal axis; None: chosen.
        unit: whether both axes go from 0 to 1, as for proportions, whatever the data.

    Example:
        >>> from cutaway.story.design import BLUE
        >>> from cutaway.story.plot import Plot, side_by_side
        >>> plot = Plot("loss", x_label="epoch")
        >>> plot.line([1, 2, 3], [0.9, 0.5, 0.4], color=BLUE, label="training")
        >>> html = side_by_side([plot])
        >>> html.count("<svg"), html.count("<polyline")
        (1, 2)
    """

    def __init__(
        self,
        title: str = "",
        *,
        x_label: str = "",
        y_label: str = "",
        log_x: bool = False,
        log_y: bool = False,
        integer_x: bool = False,
        integer_y: bool = False,
        x_ticks: dict | None = None,
        unit: bool = False,
    ):
        self.title = title
        self.x_label = x_label
        self.y_label = y_label
        self.log_x = log_x
        self.log_y = log_y
        self.integer_x = integer_x
        self.integer_y = integer_y
        self.x_ticks = x_ticks
        self.unit = unit
        self.marks: list[_Mark] = []

    def line(self, x, y, *, color: str, label=None, width=1.6, dashed=False, dot=0.0) -> None:
        """A line through points; NaN leaves a gap. `dot` is the radius of a dot at each point."""
        style = {"color": color, "width": width, "dashed": dashed, "dot": dot, "opacity": 1.0}
        self._add("line", x, y, style, label)

    def points(self, x, y, *, color: str, radius=1.9, opacity=0.6, label=None) -> None:
        """Dots without a line."""
        self._add("points", x, y, {"color": color, "dot": radius, "opacity": opacity}, label)

    def bars(self, edges, heights, *, color: str, opacity=0.8) -> None:
        """Bars from 0 up, without spaces: edges are one more than heights."""
        self._add("bars", edges, heights, {"color": color, "opacity": opacity}, None)

    def vertical(self, x: float, *, color: str, label=None) -> None:
        """A dashed line over the whole height."""
        style = {"color": color, "width": 1.0, "dashed": True, "dot": 0.0, "opacity": 1.0}
        self._add("vertical", [x], [], style, label)

    def ranges(self, x, low, high, *, color: str) -> None:
        """Upright lines from low to high, as of confidence intervals."""
        style = {"color": color, "width": 1.0, "dashed": False, "dot": 0.0, "opacity": 1.0}
        self._add("ranges", x, [*low, *high], style, None)

    def band(self, x, low, high, *, color: str, opacity=0.12) -> None:
        """The ground between two lines, shaded."""
        self._add("band", x, [*low, *high], {"color": color, "dot": 0.0, "opacity": opacity}, None)

    def _add(self, kind, x, y, style, label):
        x, y = (
            np.array([math.nan if v is None else v for v in values], np.float64)
            for values in (x, y)
        )
        self.marks.append(_Mark(kind, x, y, style, label))

    # drawing

    def svg(self, width: float, height: float, *, legend_rows: int | None = None) -> str:
        """The panel's elements, in a box of this size.

        Args:
            legend_rows: lines of text to leave free for the legend; None: as many as it has.
        """
        x_low, x_high = self._limits("x")
        y_low, y_high = self._limits("y")
        legend = self._legend_lines(width)
        top = EDGE + (TITLE + 7 if self.title else 4)
        y1 = top + ROW * (len(legend) if legend_rows is None else legend_rows)
        y_ticks = _log_ticks(y_low, y_high) if self.log_y else None
        if y_ticks is None:
            room = height - y1 - 40
            most = min(9, max(2, int(room / (2 * SIZE))))
            y_ticks = _ticks(y_low, y_high, most, integers=self.integer_y)
        label_width = max((text_width(label, SIZE) for label in y_ticks.values()), default=0.0)
        x0 = EDGE + label_width + PAD + TICK + (SIZE * 1.45 if self.y_label else 0)
        x1 = width - EDGE - 6
        y0 = height - EDGE - TICK - PAD - SIZE - (SIZE * 1.45 if self.x_label else 0)
        x_ticks = self.x_ticks
        if x_ticks is None:
            most = min(9, max(2, int((x1 - x0) / (3 * SIZE))))
            x_ticks = (
                _log_ticks(x_low, x_high)
                if self.log_x
                else _ticks(x_low, x_high, most, integers=self.integer_x)
            )
            if (
                self.integer_x and not self.log_x
            ):  # there is no layer 0, and no epoch after the last one
                margin = (x_high - x_low) * MARGIN / (1 + 2 * MARGIN) * (1 - 1e-9)
                x_ticks = {
                    x: label
                    for x, label in x_ticks.items()
                    if x_low + margin <= x <= x_high - margin
                }
        across = _Scale(x_low, x_high, x0, x1, log=self.log_x)
        up = _Scale(y_low, y_high, y0, y1, log=self.log_y)
        parts = [_grid(across, up, x_ticks, y_ticks)]
        parts += [self._drawn(mark, across, up) for mark in self.marks]
        parts += [_axes(across, up, x_ticks, y_ticks, most=width - EDGE), self._bands(across, up)]
        middle = (x0 + x1) / 2
        if self.title:
            parts.append(_text(middle, EDGE + TITLE, self.title, "middle", TITLE))
        parts += [self._legend_line(line, x0, top + ROW * k) for k, line in enumerate(legend)]
        if self.x_label:
            parts.append(_text(middle, height - EDGE - 2, self.x_label, "middle"))
        if self.y_label:
            x, y = EDGE + SIZE - 1, (y0 + y1) / 2
            turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"'
            parts.append(_text(x, y, self.y_label, "middle", extra=turned))
        return "".join(parts)

    def _limits(self, axis: str) -> tuple[float, float]:
        """The range of the data on an axis, with a margin on both sides."""
        if self.unit:
            return -MARGIN / 2, 1 + MARGIN / 2
        values = [getattr(mark, axis) for mark in self.marks]
        found = np.concatenate([np.zeros(0), *values])
        found = found[np.isfinite(found)]
        from_zero = axis == "y" and any(mark.kind == "bars" for mark in self.marks)
        is_log = self.log_y if axis == "y" else self.log_x
        if is_log:
            found = np.log10(found[found > 0])
        low, high = (found.min(), found.max()) if len(found) else (0.0, 1.0)
        if low == high:
            apart = max(abs(low), 1.0) * MARGIN
            low, high = low - apart, high + apart
        margin = (high - low) * MARGIN
        low, high = (0.0 if from_zero else low - margin), high + margin
        return (10.0**low, 10.0**high) if is_log else (float(low), float(high))

    def _drawn(self, mark, across, up) -> str:
        style = mark.style
        color, opacity = style["color"], style["opacity"]
        if mark.kind == "vertical":
            x = across.at(mark.x)[0]
            return _polyline([x, x], [up.start, up.end], style)
        if mark.kind == "bars":
            edges, tops, ground = across.at(mark.x), up.at(mark.y), up.start
            return "".join(
                f'<rect x="{a:.2f}" y="{top:.2f}" width="{b - a:.2f}" height="{ground - top:.2f}" '
                f'fill="{color}" fill-opacity="{opacity:g}" class="spot">'
                f"<title>{_short(x0)} to {_short(x1)}: {_short(n)}</title></rect>"
                for a, b, top, x0, x1, n in zip(
                    edges[:-1], edges[1:], tops, mark.x[:-1], mark.x[1:], mark.y, strict=True
                )
            )
        y = np.where(mark.y > 0, mark.y, math.nan) if self.log_y else mark.y
        x, y = across.at(mark.x), up.at(y)
        if mark.kind in ("ranges", "band"):
            low, high = np.split(y, 2)
            if mark.kind == "ranges":
                drawn = "".join(
                    f"M{a:.2f} {b:.2f}V{c:.2f}m-3 0h6M{a - 3:.2f} {b:.2f}h6"
                    for a, b, c in zip(x, low, high, strict=True)
                    if math.isfinite(b) and math.isfinite(c)
                )
                return f'<path d="{drawn}" fill="none" stroke="{color}"/>'
            ok = np.isfinite(low) & np.isfinite(high)
            around = [
                *zip(x[ok], low[ok], strict=True),
                *zip(x[ok][::-1], high[ok][::-1], strict=True),
            ]
            places = " ".join(f"{a:.2f},{b:.2f}" for a, b in around)
            return f'<polygon points="{places}" fill="{color}" fill-opacity="{opacity:g}"/>'
        found = ""
        if mark.kind == "line":
            for part in finite_stretches(x, y):
                found += _polyline(x[part], y[part], style)
        if style["dot"]:
            ok = np.isfinite(x) & np.isfinite(y)
            told = None
            if mark.kind == "points" and ok.sum() <= SPOTS:
                told = [self._told(a, b) for a, b in zip(mark.x[ok], mark.y[ok], strict=True)]
            found += _dots(x[ok], y[ok], style, told)
        return found

    def _told(self, x: float, y: float) -> str:
        """A point in words, for its tooltip."""
        return f"{self.x_label or 'x'} {_short(x)}, {self.y_label or 'y'} {_short(y)}"

    def _bands(self, across, up) -> str:
        """Upright bands without color, whose tooltips tell what the lines have there."""
        lines = [m for m in self.marks if m.kind == "line" and m.label is not None]
        xs = np.unique(np.concatenate([np.zeros(0), *(m.x for m in lines)]))
        xs = xs[np.isfinite(xs)]
        if len(xs) < 2:
            return ""
        xs = xs[np.unique(np.linspace(0, len(xs) - 1, min(len(xs), BANDS)).round().astype(int))]
        middles = np.concatenate([xs[:1], (xs[:-1] + xs[1:]) / 2, xs[-1:]])
        edges, top = across.at(middles), min(up.start, up.end)
        found = []
        for x, a, b in zip(xs, edges[:-1], edges[1:], strict=True):
            told = [f"{self.x_label or 'x'} {_short(x)}"]
            for mark in lines:
                here = mark.y[mark.x == x]
                told += [f"{mark.label}: {_short(y)}" for y in here if math.isfinite(y)]
            found.append(
                f'<rect class="hit" x="{a:.1f}" y="{top:.1f}" width="{b - a:.1f}" '
                f'height="{abs(up.end - up.start):.1f}" fill="currentColor" fill-opacity="0">'
                f"<title>{escape(chr(10).join(told))}</title></rect>"
            )
        return "".join(found)

    def legend_rows(self, width: float) -> int:
        """Lines of text that the legend takes in a panel of this width."""
        return len(self._legend_lines(width))

    def _legend_lines(self, width: float) -> list[list[_Mark]]:
        """The marks with a label, as many in a line as fit."""
        lines, free = [], 0.0
        for mark in self.marks:
            if mark.label is None:
                continue
            needed = _legend_width(mark)
            if not lines or needed > free:
                lines.append([])
                free = width - 2 * EDGE - LEGEND_LEFT
            lines[-1].append(mark)
            free -= needed
        return lines

    def _legend_line(self, marks, x0: float, y: float) -> str:
        parts, x = [], min(x0, LEGEND_LEFT)
        line, text = y + 6.5, y + 10.0
        for mark in marks:
            if mark.kind == "bars":
                box = f'<rect x="{x:.2f}" y="{line - 4:.2f}" width="{HANDLE:g}" height="8" '
                opacity = mark.style["opacity"]
                parts.append(f'{box}fill="{mark.style["color"]}" fill-opacity="{opacity:g}"/>')
            elif mark.kind != "points":
                parts.append(_polyline([x, x + HANDLE], [line, line], mark.style))
            if mark.style["dot"]:
                parts.append(_dots([x + HANDLE / 2], [line], mark.style))
            parts.append(_text(x + HANDLE + GAP / 2, text, str(mark.label), "start"))
            x += _legend_width(mark)
        return "".join(parts)


def chart_html(plots, **size) -> str:
    """Plots beside each other as a part of a story's HTML; see side_by_side."""
    return f'<div class="chart">{without_addresses(side_by_side(plots, **size))}</div>'


def _legend_width(mark: _Mark) -> float:
    return HANDLE + 2 * GAP + text_width(str(mark.label), SIZE)


def side_by_side(plots, *, width: float = 316.8, height: float = 236.0) -> str:
    """Some Plots beside each other, each an SVG element of this width and height in points.

    They wrap to as many lines as the page needs, so one stands above the other on a phone. There
    a panel wider than WIDE scrolls.
    """
    legend_rows = max((plot.legend_rows(width) for plot in plots), default=0)
    high = height + ROW * max(0, legend_rows - 1)
    if width <= WIDE:
        fit = f"flex:1 1 {BASIS * width:g}pt;max-width:min(100%,{width:g}pt);min-width:0"
    else:
        fit = f"flex:1 0 {NARROWEST * width:g}pt;max-width:{width:g}pt"
    panels = "".join(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {high:g}" '
        f'width="{width:g}pt" role="img" aria-label="{escape(plot.title)}" '
        f'style="{fit};height:auto;font-family:{FONT}">'
        f"<title>{escape(plot.title)}</title>"
        f"{themed(plot.svg(width, high, legend_rows=legend_rows))}</svg>"
        for plot in plots
    )
    return (
        f'<div class="plots" style="display:flex;flex-wrap:wrap;gap:{BETWEEN:g}pt 0;'
        f'overflow-x:auto">{panels}</div>'
    )


@dataclasses.dataclass(frozen=True)
class _Scale:
    """From data to the picture: low is at `start`, high at `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, values) -> np.ndarray:
        values, low, high = np.asarray(values, np.float64), self.low, self.high
        if self.log:
            values, low, high = np.log10(values), math.log10(low), math.log10(high)
        return self.start + (values - low) / (high - low) * (self.end - self.start)


def _ticks(low: float, high: float, most: int, *, integers: bool = False) -> dict[float, str]:
    """{position: label}: at most so many multiples of a round number between low and high."""
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / most))
    steps = [power * step * factor for factor in (1, 10) for step in STEPS[:-1]]
    if integers:
        steps = [step for step in steps if step >= 1 and step == round(step)] or [1.0]
    fitting = [s for s in steps if math.floor(high / s) - math.ceil(low / s) + 1 <= most]
    step = fitting[0] if fitting else steps[-1]
    marks = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    digits = _decimals(step)
    largest = max(map(abs, marks), default=0.0)
    if largest >= 1e6 or digits > 6:
        return {mark: _minus(f"{mark:.6g}") for mark in marks}
    return {mark: _minus(f"{mark:.{digits}f}") for mark in marks}


def _decimals(step: float) -> int:
    """Digits after the point that a multiple of a step needs."""
    text = f"{step:.10f}".rstrip("0")
    return len(text.partition(".")[2])


def _log_ticks(low: float, high: float) -> dict[float, str]:
    """{position: label} at powers of ten, also at three times those over a short range."""
    factors = (1, 3) if high < 300 * low else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = 1 if len(powers) < 9 else math.ceil(len(powers) / 8)
    marks = [f * 10.0**p for p in powers if p % every == 0 for f in factors]
    found = {mark: f"{mark:g}" for mark in marks if low <= mark <= high}
    if len(found) > 1:
        return found
    return _ticks(low, high, 4)  # too short a range for round numbers


def _short(value: float) -> str:
    """A number in a tooltip."""
    return _minus(f"{value:,.0f}" if value == round(value) else f"{value:.4g}")


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def _grid(across, up, x_ticks, y_ticks) -> str:
    lines = [(x, x, up.start, up.end) for x in across.at(list(x_ticks))]
    lines += [(across.start, across.end, y, y) for y in up.at(list(y_ticks))]
    drawn = "".join(f"M{a:.2f} {c:.2f}L{b:.2f} {d:.2f}" for a, b, c, d in lines)
    return f'<path d="{drawn}" stroke="currentColor" stroke-width=".8" stroke-opacity=".13"/>'


def _axes(across, up, x_ticks, y_ticks, *, most: float) -> str:
    """The axes with their ticks; no label below the horizontal one ends beyond `most`."""
    x0, x1, y0, y1 = across.start, across.end, up.start, up.end
    lines = f"M{x0:.2f} {y1:.2f}V{y0:.2f}H{x1:.2f}"
    texts = ""
    for x, label in zip(across.at(list(x_ticks)), x_ticks.values(), strict=True):
        lines += f"M{x:.2f} {y0:.2f}v{TICK}"
        half = text_width(label, SIZE) / 2
        place = min(x, most - half) if half < most / 2 else x
        texts += _text(place, y0 + TICK + PAD + 0.76 * SIZE, label, "middle")
    if up.log:
        decades = range(math.floor(math.log10(up.low)), math.ceil(math.log10(up.high)))
        between = np.array([k * 10.0**p for p in decades for k in range(2, 10)])
        for y in up.at(between[(between > up.low) & (between < up.high)]):
            lines += f"M{x0:.2f} {y:.2f}h-{TICK / 2}"
    for y, label in zip(up.at(list(y_ticks)), y_ticks.values(), strict=True):
        lines += f"M{x0:.2f} {y:.2f}h-{TICK}"
        texts += _text(x0 - TICK - PAD, y + 0.38 * SIZE, label, "end")
    return f'<path d="{lines}" fill="none" stroke="currentColor" stroke-width=".8"/>{texts}'


def _text(x, y, content, side, size=SIZE, extra="") -> str:
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{side}" font-size="{size:g}" '
        f'fill="currentColor"{extra}>'
        f"{escape(str(content))}</text>"
    )


def _polyline(x, y, style) -> str:
    places = " ".join(f"{a:.2f},{b:.2f}" for a, b in zip(x, y, strict=True))
    width = style["width"]
    dashes = f' stroke-dasharray="{3.7 * width:g} {1.6 * width:g}"' if style["dashed"] else ""
    return (
        f'<polyline points="{places}" fill="none" stroke="{style["color"]}" '
        f'stroke-width="{width:g}" stroke-linejoin="round"{dashes}/>'
    )


def _dots(x, y, style, told=None) -> str:
    color, opacity, radius = style["color"], style["opacity"], style["dot"]
    places = [
        f'<circle cx="{a:.2f}" cy="{b:.2f}" r="{radius:g}"' for a, b in zip(x, y, strict=True)
    ]
    if told is None:
        circles = "".join(f"{place}/>" for place in places)
    else:
        circles = "".join(
            f'{place} class="spot"><title>{escape(text)}</title></circle>'
            for place, text in zip(places, told, strict=True)
        )
    return f'<g fill="{color}" fill-opacity="{opacity:g}">{circles}</g>'
