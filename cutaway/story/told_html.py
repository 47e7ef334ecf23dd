"""The text of a story as HTML: tables, equations with indices, sentences and bars.

A story writes its text for a terminal: columns are aligned by spaces, an index is `w_12`, a bar is
a row of signs. Here the same lines become what they mean, so that a page, a notebook or the studio
needs no fixed-width type. Matrices in brackets stay as they are. A story with more to say about its
HTML overrides `Story.html`.
"""

import dataclasses
import re
from html import escape

from cutaway.story.design import hue

ACROSS = 240  # columns of the text that is read: few lines are broken in it
LONGEST = 140  # pixels, of the longest bar

_GAP = re.compile(r"\S {2,}\S")
_MATRIX = re.compile(r"^\s*[^\[]{0,12}\[ .*\]|^\s{6,}\[ |^\s*\[.*\]\s*$")
_ITEM = re.compile(r"^\s*- (?=\S)")
_BAR = re.compile(r"(?:\++|-+|\*+|█+)$")
_NUMBER = re.compile(r"[-+−~≈]?[\d.,]+(?:e[+-]?\d+)?\s?%?$|×? ?[\d.]+$|nan$|[-+]?inf$")
_INDEX = re.compile(
    r"(?<![A-Za-z0-9_])(\w\u0302?)_(\d+(?:,\d+)*|eff|[a-zA-Z])(?![A-Za-z0-9_])(\^\(\w+(?:-\d+)?\))?"
)
_POWER = re.compile(r"(?<=[\w)\]])\^(\([^()]*\)|[-−]?[\w.]+(?:<sub>[^<]*</sub>)?)")
_WORD = re.compile(r"(?<!\w)([A-Za-z]\w+)_(\d+(?:,\d+)*)(\^\(\d+\))")  # max_pool_3^(1)
_ASSIGNED = re.compile(r"(?:^|\s)[=≈←](?:\s|$)")


@dataclasses.dataclass(frozen=True)
class _Row:
    """Cells of a table: (column, text) in order; the last one may go over the columns after it."""

    cells: tuple[tuple[int, str], ...]


def told_html(text: str) -> str:
    """A story's text as HTML.

    Example:
        >>> from cutaway.story.told_html import told_html
        >>> told_html("a sentence\\n\\nw_12  0.5\\nb     -1").count("<td")
        4
    """
    groups = [group.split("\n") for group in re.split(r"\n\s*\n", text.strip("\n"))]
    shown = [piece for group in groups for piece in _group(group)]
    return f'<div class="cutaway-told">{"".join(shown)}</div>'


def symbols(text: str) -> str:
    """A line with its indices and powers set as such, as HTML.

    Example:
        >>> from cutaway.story.told_html import symbols
        >>> symbols("z_12^(1) = e^-z")
        'z<sub>12</sub><sup>(1)</sup> = e<sup>-z</sup>'
        >>> symbols("e^z_2 / S, mean_16^(4)")
        'e<sup>z<sub>2</sub></sup> / S, mean<sub>16</sub><sup>(4)</sup>'
    """
    text = text.replace(" <- ", " ← ").replace(" -> ", " → ")
    html = _INDEX.sub(_indexed, _WORD.sub(_indexed, escape(text, quote=False)))
    return _POWER.sub(_raised, html)


def _indexed(found) -> str:
    above = "" if found[3] is None else f"<sup>{found[3][1:]}</sup>"
    return f"{found[1]}<sub>{found[2]}</sub>{above}"


def _raised(found) -> str:
    power = found[1]
    is_layer = re.fullmatch(r"\(\w+(?:-\d+)?\)", power) is not None
    inner = power if is_layer or not power.startswith("(") else power[1:-1]
    return f"<sup>{inner}</sup>"


def is_matrix(line: str) -> bool:
    """Whether it is a row of matrices in brackets."""
    return _MATRIX.match(line) is not None


def _kind(line: str) -> str:
    if is_matrix(line):
        return "matrix"
    if line.lstrip().startswith("! "):
        return "note"
    if _GAP.search(line.strip()):
        return "cells"
    return "item" if _ITEM.match(line) else "line"


def _group(lines) -> list[str]:
    """The HTML of lines without an empty one between."""
    lines = _whole(lines)
    kinds = [_kind(line) for line in lines]
    if "matrix" in kinds:
        kinds = ["matrix" if k == "cells" else k for k in kinds]
    pieces, at = [], 0
    while at < len(lines):
        kind, end = kinds[at], at + 1
        if kind == "line" and kinds[end : end + 1] == ["cells"] and lines[at].startswith("    "):
            kind = "cells"  # the only heading of a table
        if kind == "cells":
            starts = _columns([x for x, k in zip(lines, kinds, strict=True) if k == "cells"])
            while end < len(lines) and (kinds[end] == "cells" or _belongs(lines[end], starts)):
                end += 1
            pieces.append(_table(lines[at:end], starts))
        elif kind in ("matrix", "item"):
            while end < len(lines) and kinds[end] == kind:
                end += 1
            pieces.append(_matrix(lines[at:end]) if kind == "matrix" else _list(lines[at:end]))
        else:
            pieces.append(_line(lines[at], kind, is_last=end == len(lines)))
        at = end
    return pieces


def _whole(lines) -> list[str]:
    """Lines that were broken because they are very long, whole again."""
    found: list[str] = []
    for line in lines:
        goes_on = found and len(found[-1]) > 0.6 * ACROSS and _kind(found[-1]) != "cells"
        if goes_on and _kind(line) == "line":
            found[-1] += f" {line.strip()}"
        else:
            found.append(line)
    return found


def _columns(lines) -> list[int]:
    """Where the columns of aligned lines begin."""
    width = max(map(len, lines))
    blank = [all(line[k : k + 1] in ("", " ") for line in lines) for k in range(width)]
    starts, gap = [], 2
    for k in range(width):
        if not blank[k]:
            if gap >= 2:
                starts.append(k)
            gap = 0
        else:
            gap += 1
    return starts


def _belongs(line: str, starts) -> bool:
    """Whether a line without a gap is a row: no sentence, and begins after the first column."""
    indent = len(line) - len(line.lstrip())
    is_row = len(starts) > 1 and indent > starts[0] and _kind(line) == "line"
    return is_row and not line.rstrip().endswith(".")


def _row(line: str, starts) -> _Row:
    ends = [*starts[1:], None]
    cells = [(k, line[a:b].strip()) for k, (a, b) in enumerate(zip(starts, ends, strict=True))]
    indent = len(line) - len(line.lstrip())
    if not _GAP.search(line.strip()) and len(starts) > 1:  # one text, over the columns after it
        end = len(line.rstrip())
        column = max(k for k, start in enumerate(starts) if start <= max(indent, starts[0]))
        right = [k for k, start in enumerate(starts) if indent <= start < end]  # set to the right
        return _Row((((right or [column])[0], line.strip()),))
    return _Row(tuple((k, cell) for k, cell in cells if cell))


def _table(lines, starts) -> str:
    rows = [_row(line, starts) for line in lines]
    count = len(starts)
    if len(rows) == 1:
        first, *rest = [cell for _, cell in rows[0].cells]
        more = "".join(f' <span class="soft">{symbols(cell)}</span>' for cell in rest)
        return f'<p class="fact"><b>{symbols(first)}</b>{more}</p>'
    columns = [[dict(row.cells).get(k, "") for row in rows] for k in range(count)]
    has_head = _has_head(columns)
    body = [column[has_head:] for column in columns]
    bars = {k for k, cells in enumerate(body) if _are_bars(cells)}
    numbers = {k for k, cells in enumerate(body) if _are_numbers(cells)} - bars
    longest = max((len(cell) for k in bars for cell in columns[k]), default=1)

    def shown(row, tag):
        parts, last = [], row.cells[-1][0] if row.cells else 0
        cells = dict(row.cells)
        k = 0
        while k < count:
            cell, over = cells.get(k, ""), 1
            if cell and k == last and len(row.cells) == 1 and k + 1 < count:
                over = count - k
            inner = _bar(cell, longest) if k in bars and _BAR.match(cell) else symbols(cell)
            kind = ' class="n"' if k in numbers else ""
            span = f' colspan="{over}"' if over > 1 else ""
            parts.append(f"<{tag}{kind}{span}>{inner}</{tag}>")
            k += over
        return f"<tr>{''.join(parts)}</tr>"

    head = f"<thead>{shown(rows[0], 'th')}</thead>" if has_head else ""
    inner = "".join(shown(row, "td") for row in rows[has_head:])
    return f'<div class="scroll"><table>{head}<tbody>{inner}</tbody></table></div>'


def _has_head(columns) -> bool:
    """Whether the first row names the columns: texts above numbers."""
    if len(columns[0]) < 2:
        return False
    firsts = [column[0] for column in columns]
    below = [_are_numbers(column[1:]) for column in columns]
    return any(below) and not any(_NUMBER.match(first) for first in firsts if first)


def _are_numbers(cells) -> bool:
    given = [cell for cell in cells if cell not in ("", "-")]
    return bool(given) and all(_NUMBER.match(cell) for cell in given)


def _are_bars(cells) -> bool:
    given = [cell for cell in cells if cell]
    return any(len(cell) > 2 for cell in given) and all(_BAR.match(cell) for cell in given)


def _bar(cell: str, longest: int) -> str:
    """A bar for a row of signs: orange and broken where they are minuses."""
    lowers = cell[0] == "-"
    width = max(2.0, LONGEST * len(cell) / longest)
    name, color = ("lowers", hue("orange")) if lowers else ("raises", hue("blue"))
    dashes = ' stroke-dasharray="5 2"' if lowers else ""
    return (
        f'<svg role="img" aria-label="{name}" width="{width:.0f}" height="10">'
        f'<path d="M0 5H{width:.0f}" stroke="{color}" stroke-width="10"{dashes}/></svg>'
    )


def _matrix(lines) -> str:
    return f'<pre class="cutaway-story">{escape(chr(10).join(lines), quote=False)}</pre>'


def _list(lines) -> str:
    items = "".join(f"<li>{symbols(_ITEM.sub('', line))}</li>" for line in lines)
    return f"<ul>{items}</ul>"


def _line(line: str, kind: str, *, is_last: bool) -> str:
    plain = line.strip()
    if kind == "note":
        return f'<p class="warning">{symbols(plain[2:])}</p>'
    if plain.endswith(":") and len(plain) < 110:
        return f'<p class="part"><b>{symbols(plain[:-1])}</b></p>'
    if _ASSIGNED.search(plain):
        return f'<p class="equation">{symbols(plain)}</p>'
    return f"<p>{symbols(plain)}</p>"


STYLE = """
.cutaway-told .equation { padding-left: 2.2em; text-indent: -2.2em; margin: .25rem 0;
  max-width: 52rem;  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.cutaway-told .fact { margin: .3rem 0; } .cutaway-told .fact .soft { margin-left: .6rem; }
.cutaway-told sub, .cutaway-told sup { line-height: 0; font-size: .74em; }
.cutaway-told .scroll { margin: .4rem 0 .9rem; } .cutaway-told + .chart { margin-top: .9rem; }
.cutaway-told td { white-space: normal; } .cutaway-told ul { margin: .2rem 0; }
"""
