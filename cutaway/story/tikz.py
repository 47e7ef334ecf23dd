"""Drawings as TikZ, for slides and papers: the lines, circles and texts of their SVG."""

import re
from typing import Any, NamedTuple
from xml.etree import ElementTree

from cutaway.story.design import BLACK
from cutaway.story.plain_svg import plain_svg

POINT = 0.75  # of a pixel, in TeX's big points
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_PATH = re.compile(r"([MLHVQCZmlhvqcz])|(-?\d*\.?\d+(?:e-?\d+)?)")
_TEXT = str.maketrans({c: f"\\{c}" for c in "#$%&_{}"} | {"\\": "\\textbackslash{}", "^": "\\^{}",
                       "~": "\\~{}"})  # fmt: skip
_ANCHORS = {"middle": "base", "end": "base east"}
_INDEX = re.compile(r"(\w)_(\w+)(?:\^\((\w+)\))?")


class _Place(NamedTuple):
    """What the groups around an element add: a shift, and the properties that it inherits."""

    x: float
    y: float
    style: dict[str, str]


def tikz(svg: str) -> str:
    """A tikzpicture of a drawing's SVG; needs LuaLaTeX or XeLaTeX for signs such as ŷ.

    Args:
        svg: of a Drawing: lines, circles, rectangles, paths of straight lines and curves, texts.

    Example:
        >>> from cutaway.story.svg import picture
        >>> from cutaway.story.tikz import tikz
        >>> drawn = picture(['<circle class="node" cx="8" cy="8" r="4"/>'], 16, 16, "a node")
        >>> print(tikz(drawn.svg))
        \\begin{tikzpicture}[x=1bp, y=1bp]
        \\filldraw[draw={rgb,255:red,0;green,0;blue,0}, fill={rgb,255:red,0;green,0;blue,0}, \
fill opacity=.05, line width=0.9bp] (6, -6) circle [radius=3];
        \\end{tikzpicture}
    """
    root = ElementTree.fromstring(plain_svg(svg))
    style = next((e.text or "" for e in root.iter() if _tag(e) == "style"), "")
    rules = [
        (selector.strip(), _declared(body))
        for selectors, body in _RULE.findall(style)
        for selector in selectors.split(",")
    ]
    lines: list[str] = []
    _draw(root, _Place(0.0, 0.0, {"fill": BLACK}), rules, lines)
    return "\n".join(["\\begin{tikzpicture}[x=1bp, y=1bp]", *lines, "\\end{tikzpicture}"])


def _tag(element) -> str:
    return element.tag.rpartition("}")[2]


def _declared(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.split(";"))
    return {name.strip(): value.strip() for name, sign, value in pairs if sign}


def _draw(element, place: _Place, rules, lines: list[str]) -> None:
    shift = re.match(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", element.get("transform", ""))
    x, y = (float(shift[1]), float(shift[2])) if shift else (0.0, 0.0)
    style = dict(place.style)
    own = set(element.get("class", "").split())
    for selector, found in rules:
        part = selector.split()[-1]
        names = part.split(".")
        if names[0] in ("", _tag(element)) and set(names[1:]) <= own:
            style |= found
    presented = ("fill", "stroke", "stroke-width", "stroke-opacity", "fill-opacity", "opacity")
    style |= {name: element.get(name) for name in presented if element.get(name)}
    here = _Place(place.x + x, place.y + y, style)
    shape = _SHAPES.get(_tag(element))
    if shape is not None:
        shape(element, here, lines)
    if _tag(element) not in ("text", "style", "title"):
        inherited = {k: v for k, v in style.items() if k in ("fill", "stroke", "opacity")}
        for child in element:
            _draw(child, _Place(here.x, here.y, inherited), rules, lines)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def _at(place: _Place, x, y) -> str:
    x, y = (place.x + float(x)) * POINT, -(place.y + float(y)) * POINT
    return f"({_number(x)}, {_number(y + 0.0)})"


def _color(text: str) -> str | None:
    """A color of CSS as one of xcolor; None: no paint."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = (int(text[k : k + 2], 16) for k in (1, 3, 5))
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _painted(style: dict[str, str], *, fills: bool) -> tuple[str, str]:
    """(TikZ's command, its options) of a shape."""
    stroke = _color(style.get("stroke", "none"))
    fill = _color(style.get("fill", "none")) if fills else None
    options = []
    if stroke:
        options.append(f"draw={stroke}")
    if fill:
        options.append(f"fill={fill}")
    for name, option in (("fill-opacity", "fill opacity"), ("stroke-opacity", "draw opacity")):
        if name in style and (fill if name == "fill-opacity" else stroke):
            options.append(f"{option}={style[name]}")
    if "opacity" in style:
        options.append(f"opacity={style['opacity']}")
    if stroke:
        width = float(re.sub(r"[^\d.]", "", style.get("stroke-width", "1")))
        options.append(f"line width={_number(width * POINT)}bp")
        if "stroke-dasharray" in style:
            on, off = (float(n) * POINT for n in style["stroke-dasharray"].split()[:2])
            options.append(f"dash pattern=on {_number(on)}bp off {_number(off)}bp")
    command = {(True, True): "\\filldraw", (True, False): "\\draw", (False, True): "\\fill"}
    return command.get((bool(stroke), bool(fill)), ""), ", ".join(options)


def _add(lines: list[str], style, body: str, *, fills: bool = True) -> None:
    command, options = _painted(style, fills=fills)
    if command:
        lines.append(f"{command}[{options}] {body};")


def _line(element, place, lines) -> None:
    a = _at(place, element.get("x1", 0), element.get("y1", 0))
    b = _at(place, element.get("x2", 0), element.get("y2", 0))
    _add(lines, place.style, f"{a} -- {b}", fills=False)


def _circle(element, place, lines) -> None:
    center = _at(place, element.get("cx", 0), element.get("cy", 0))
    radius = _number(float(element.get("r", 0)) * POINT)
    _add(lines, place.style, f"{center} circle [radius={radius}]")


def _rect(element, place, lines) -> None:
    x, y = float(element.get("x", 0)), float(element.get("y", 0))
    width, height = float(element.get("width", 0)), float(element.get("height", 0))
    corners = f"{_at(place, x, y)} rectangle {_at(place, x + width, y + height)}"
    rounded = float(element.get("rx", 0)) * POINT
    _add(lines, place.style, f"[rounded corners={_number(rounded)}bp] {corners}")


def _path(element, place, lines) -> None:
    tokens = [a or b for a, b in _PATH.findall(element.get("d", ""))]
    body, x, y, start, command, k = [], 0.0, 0.0, (0.0, 0.0), "M", 0
    sizes = {"M": 2, "L": 2, "H": 1, "V": 1, "Q": 4, "C": 6, "Z": 0}
    while k < len(tokens):
        if tokens[k].isalpha():
            command, k = tokens[k], k + 1
        kind, given = command.upper(), sizes[command.upper()]
        values = [float(t) for t in tokens[k : k + given]]
        k += given
        if command.islower() and kind not in "Z":
            moved = {"H": [x], "V": [y]}.get(kind, [x, y] * 3)
            values = [value + base for value, base in zip(values, moved, strict=False)]
        if kind == "Z":
            body.append("-- cycle")
            x, y = start
            continue
        before = (x, y)
        x, y = {"H": lambda v, y=y: (v[0], y), "V": lambda v, x=x: (x, v[0])}.get(
            kind, lambda v: (v[-2], v[-1])
        )(values)
        end = _at(place, x, y)
        if kind == "M":
            start, command = (x, y), "L" if command == "M" else "l"
            body.append(end)
        elif kind in "LHV":
            body.append(f"-- {end}")
        else:  # a quadratic curve is a cubic one whose controls are two thirds of the way
            controls = values[:4] if kind == "C" else _cubic(before, values)
            first, second = _at(place, *controls[:2]), _at(place, *controls[2:])
            body.append(f".. controls {first} and {second} .. {end}")
    _add(lines, place.style, " ".join(body))


def _cubic(before, values) -> list[float]:
    (x, y), (cx, cy, ex, ey) = before, values
    return [x + 2 / 3 * (cx - x), y + 2 / 3 * (cy - y),
            ex + 2 / 3 * (cx - ex), ey + 2 / 3 * (cy - ey)]  # fmt: skip


def _text(element, place, lines) -> None:
    shown = "".join(element.itertext())
    title = next((child for child in element if _tag(child) == "title"), None)
    if title is not None:
        shown = shown.replace("".join(title.itertext()), "")
    size = re.search(
        r"(\d+(?:\.\d+)?)px", place.style.get("font-size", place.style.get("font", ""))
    )
    points = float(size[1]) * POINT if size else 9.0
    anchor = _ANCHORS.get(element.get("text-anchor", ""), "base west")
    at = _at(place, element.get("x", 0), element.get("y", 0))
    font = f"\\fontsize{{{points}}}{{{points}}}\\selectfont"
    options = f"anchor={anchor}, inner sep=0, font={font}"
    lines.append(f"\\node[{options}] at {at} {{{typeset(shown.strip())}}};")


def typeset(text: str) -> str:
    """A text for TeX, its indices and layers set as such: w_12^(1)."""
    found: list[str] = []
    end = 0
    for match in _INDEX.finditer(text):
        found.append(text[end : match.start()].translate(_TEXT))
        layer = f"^{{({match[3]})}}" if match[3] else ""
        found.append(f"${match[1]}_{{{match[2]}}}{layer}$")
        end = match.end()
    return "".join([*found, text[end:].translate(_TEXT)])


_SHAPES: dict[str, Any] = {
    "line": _line,
    "circle": _circle,
    "rect": _rect,
    "path": _path,
    "text": _text,
}
