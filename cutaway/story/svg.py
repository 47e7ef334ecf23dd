"""SVG drawings: the picture, its style, and the width of texts."""

import dataclasses
from html import escape
from pathlib import Path

import numpy as np

from cutaway.errors import RunError, visible
from cutaway.files import write_atomically
from cutaway.story.design import FONT, SIGNS, WHITE, declarations, hue
from cutaway.story.design import KINDS as HUES_OF_KINDS
from cutaway.story.notebook import shown

NAMES = {
    "embedding": "embedding, positions",
    "pooling": "pooling, reshaping",
    "parameter": "loose parameter",
    "module": "other module",
}
# kind of layer -> (its name in the legend, its hue)
KINDS = {kind: (NAMES.get(kind, kind), HUES_OF_KINDS[kind]) for kind in HUES_OF_KINDS}

STYLE = """
.cutaway-net { color: inherit; }
.cutaway-net text { font: 12px FONT; fill: currentColor; }
.cutaway-net .strong { font-weight: 600; }
.cutaway-net .small { font-size: 11px; opacity: .78; }
.cutaway-net .number { font-size: 11px; font-variant-numeric: tabular-nums; }
.cutaway-net .paper { fill: var(--paper, WHITE); fill-opacity: .93; }
.cutaway-net .faint { opacity: .7; }
.cutaway-net .node { fill: currentColor; fill-opacity: .05; stroke: currentColor;
  stroke-width: 1.2; }
.cutaway-net .positive { stroke: POSITIVE; }
.cutaway-net .negative { stroke: NEGATIVE; stroke-dasharray: 5 3; }
.cutaway-net .under { stroke: currentColor; stroke-opacity: .9; stroke-linecap: round; }
.cutaway-net .dim { opacity: .3; }
.cutaway-net .node.lit { stroke-width: 3; fill-opacity: .2; }
.cutaway-net .core { fill: currentColor; }
.cutaway-net .wire { fill: none; stroke: currentColor; stroke-width: 1.2; stroke-opacity: .65; }
.cutaway-net .wire.lit { stroke-width: 4; stroke-opacity: 1; }
.cutaway-net .guess { stroke-dasharray: 3 4; }
.cutaway-net .tip { fill: currentColor; fill-opacity: .75; }
.cutaway-net .frame { fill: currentColor; fill-opacity: .035; stroke: currentColor;
  stroke-opacity: .45; }
.cutaway-net .head { fill: currentColor; fill-opacity: .08; }
.cutaway-net .block { fill-opacity: .17; stroke: currentColor; stroke-opacity: .55; }
.cutaway-net .pill { fill: currentColor; fill-opacity: .05; stroke: currentColor;
  stroke-opacity: .7; }
.cutaway-net .block.lit, .cutaway-net .pill.lit, .cutaway-net .frame.lit { stroke-width: 3.5;
  stroke-opacity: 1; }
"""
STYLE = (
    STYLE.replace("POSITIVE", hue(SIGNS["positive"]))
    .replace("NEGATIVE", hue(SIGNS["negative"]))
    .replace("FONT", FONT)
    .replace("WHITE", WHITE)
) + "".join(f".cutaway-net .{kind} {{ fill: {hue(name)}; }}\n" for kind, (_, name) in KINDS.items())

# as a file of its own, where no page sets the colors; within a page, :root is the page
ALONE = f"""
svg.cutaway-net:root {{ {declarations(0)} color: var(--ink); background: var(--paper);
  color-scheme: light dark; }}
@media (prefers-color-scheme: dark) {{ svg.cutaway-net:root {{ {declarations(1)} }} }}
"""

# relative to the font size, of a wide font, so that no text is wider than estimated
_NARROW = dict.fromkeys("iIjl.,:;'|! ", 0.34) | dict.fromkeys('()[]{}ftr/-"·', 0.42)
_WIDE = dict.fromkeys("mMwW%@…—", 1.0) | dict.fromkeys("=+×−→<>~", 0.86)
_WIDTHS = _NARROW | _WIDE


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A picture.

    Attributes:
        svg: the whole SVG element as text.
    """

    svg: str

    @property
    def height(self) -> float:
        """Its height in pixels."""
        return float(self.svg.partition('viewBox="')[2].partition('"')[0].split()[3])

    def _repr_svg_(self):
        return self.svg

    def _repr_html_(self):  # JupyterLab makes an image of SVG, which does not follow its theme
        return shown(f'<div class="scroll">{self.svg}</div>')

    def save(self, path) -> None:
        """Write the picture to an .svg file, atomically.

        Raises:
            RunError: the folder does not exist or cannot be written to.
        """
        write_into(path, self.svg)


def picture(parts, width: float, height: float, title: str) -> Drawing:
    """A Drawing of SVG elements; it shrinks to 75% of its width at least, then it scrolls."""
    name = escape(title, quote=True)
    return Drawing(
        visible(
            f'<svg class="cutaway-net" xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{name}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'style="max-width:100%;min-width:{0.75 * width:g}px;height:auto">'
            f"<title>{name}</title><style>{STYLE}{ALONE}</style>{''.join(parts)}</svg>"
        )
    )


def write_into(path, text: str) -> None:
    """Write `text` to `path` atomically, in a folder that exists."""
    path = Path(path)
    if not path.parent.is_dir():
        raise RunError(
            f"{path} cannot be written: there is no folder {path.parent}",
            expected="a file name in a folder that exists",
            fix=f"make it first (mkdir -p {path.parent}), or choose another",
        )
    if path.is_dir():
        raise RunError(
            f"{path} cannot be written: it is a folder",
            expected="the name of a file",
            fix=f"for example {path / 'network.html'}",
        )
    write_atomically(path, text.encode("utf-8", "backslashreplace"))


def finite_stretches(x: np.ndarray, y: np.ndarray) -> list[slice]:
    """The stretches of points (points,) in which both coordinates are finite: a line without gaps.

    Example:
        >>> import numpy as np
        >>> from cutaway.story.svg import finite_stretches
        >>> finite_stretches(np.array([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 2.0]))
        [slice(0, 1, None), slice(2, 3, None)]
    """
    ok = np.concatenate([[False], np.isfinite(x) & np.isfinite(y), [False]])
    ends = np.flatnonzero(ok[1:] != ok[:-1]).reshape(-1, 2).tolist()
    return [slice(begin, end) for begin, end in ends]


def text_width(text: str, size: float = 12) -> float:
    """An upper bound of the width of a text, in SVG units.

    Example:
        >>> from cutaway.story.svg import text_width
        >>> text_width("ill") < text_width("MWM")
        True
    """
    return size * sum(
        _WIDTHS.get(char, 0.74 if char.isupper() or ord(char) > 0x2FF else 0.65) for char in text
    )


def text(x: float, y: float, content: str, *, kind: str = "", side: str = "start") -> str:
    """A text element; y is its baseline."""
    classes = f' class="{kind}"' if kind else ""
    anchor = "" if side == "start" else f' text-anchor="{side}"'
    return f'<text x="{x:g}" y="{y:g}"{anchor}{classes}>{escape(str(content))}</text>'


def wrap(words, width: float, size: float) -> list:
    """Words as lines that are at most `width` wide, unless one word is wider.

    Example:
        >>> from cutaway.story.svg import wrap
        >>> wrap(["one", "two", "three"], 50, 11)
        ['one two', 'three']
    """
    lines = []
    for word in words:
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
