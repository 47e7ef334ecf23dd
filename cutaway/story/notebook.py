"""How objects show themselves in a notebook: the one place where their HTML is wrapped.

An object that shows itself has `_repr_html_`, which returns `shown(...)` of its parts; Jupyter,
JupyterLab, VS Code, Colab and marimo call it. What is shown takes the color of the text around it
and lays half-transparent grays over the page, so that it can be read in dark themes as well,
needs no network, and has no ids that others on the page may have too. In a terminal the object's
`repr` stays what is seen.
"""

import re
import sys
from html import escape
from uuid import uuid4

from cutaway.errors import visible
from cutaway.story.design import FONT, MATH, MONO, declarations, measures
from cutaway.story.figures import svg_of
from cutaway.story.formula import Exact, mathml
from cutaway.story.html import Markup
from cutaway.story.story_body import story_body, without_addresses

# The names that the style of pages has too, so that a story's HTML fits both. The ground is that of
# JupyterLab or VS Code, for what lies over a plot. The class is named twice, because JupyterLab
# aligns and stripes the tables of outputs in its own way.
_STYLE = """
@ { HUES MEASURES --ink: currentColor; --paper: transparent;
  --soft: color-mix(in srgb, currentColor 70%, transparent);
  --line: rgba(128,128,128,.35); --tint: rgba(128,128,128,.1);
  --ground: var(--jp-layout-color0, var(--vscode-editor-background, rgba(128,128,128,.5)));
  font: 14px/1.5 FONT; color: inherit; margin: .3rem 0; max-width: 68rem; }
@ p { margin: .35rem 0; max-width: 48rem; }
@ .title { font-size: 1.1em; font-weight: 600; }
@ .part { font-weight: 600; margin-top: .9rem; }
@ .soft { color: var(--soft); }
@ .scroll, @ .formula, @ .chart { overflow-x: auto; overflow-y: hidden; max-width: 100%; }
@ table { border-collapse: collapse; border: 0; margin: .3rem 0; table-layout: auto; width: auto;
  font-size: .93em; color: inherit; font-variant-numeric: tabular-nums; }
@ table tr:nth-child(n), @ table tr:hover { background: none; }
@ th, @ td { text-align: left; padding: .22rem 1rem .22rem 0; border: 0; vertical-align: top;
  border-bottom: 1px solid var(--line); max-width: none; color: inherit; background: none; }
@ th { font-weight: 600; color: var(--soft); }
@ td.soft { color: var(--soft); }
@ td.n, @ th.n { text-align: right; white-space: nowrap; }
@ code, @ pre { font: .93em/1.45 MONO; color: inherit; background: none;
  padding: 0; }
@ pre { background: var(--tint); padding: .6rem .8rem; border-radius: var(--radius);
  overflow-x: auto; white-space: pre; margin: .4rem 0; }
@ .formula { padding: .3rem 0 .5rem; font-size: 1.1em; }
@ .formula math { font-family: MATH; }
@ td math { font-size: 1.1em; }
@ mtable { math-style: normal; }
@ mtd { padding: .25em 0; border: 0; text-align: center; }
@ mtd[columnalign="right"] { text-align: right; }
@ mtd[columnalign="left"] { text-align: left; }
@ mtable.matrix { border: solid currentColor; border-width: 0 1.5px; border-radius: 5px; }
@ mtable.matrix > mtr > mtd { padding: .12em .45em; text-align: right; }
@ .exact { border-bottom: 1px dotted var(--line); cursor: help; }
@ math .exact { border-bottom: 0; text-decoration: underline dotted var(--soft); }
@ .chart svg { max-width: 100%; height: auto; }
@ img { max-width: 100%; border-radius: var(--radius); }
@ details { margin: .4rem 0; }
@ summary { cursor: pointer; color: var(--link); }
@ .warning { border-left: 4px solid var(--negative); padding: .1rem 0 .1rem .8rem; }
@ .matrix td { text-align: center; min-width: 4.2rem; }
@ .matrix small { display: block; opacity: .85; }
@ .equation { padding-left: 2.2em; text-indent: -2.2em; margin: .25rem 0;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
@ sub, @ sup { line-height: 0; font-size: .74em; }
@ .cutaway-told td { white-space: normal; }
@ svg .spot:hover { stroke: currentColor; stroke-width: 1.5; fill-opacity: 1; }
@ svg .hit:hover { fill-opacity: .08; }
@ .fact .soft { margin-left: .6rem; }
@ mark { color: inherit; background: color-mix(in srgb, var(--negative) 25%, transparent); }
@ :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@ .pixels { width: 96px; image-rendering: pixelated; }
@ .bar { display: inline-block; vertical-align: middle; width: 12rem; height: .55rem;
  margin-right: .8rem; border-radius: .3rem; background: rgba(128,128,128,.3); overflow: hidden; }
@ .bar > span { display: block; height: 100%; background: var(--accent); }
"""
_OWN = ("ink", "soft", "line", "paper", "tint")  # the notebook's own
# in dark JupyterLab, VS Code, Colab and marimo
_DARK = ", ".join(
    f"@:is({around} *)"
    for around in (
        '[data-jp-theme-light="false"]',
        ".vscode-dark",
        ".vscode-high-contrast",
        'html[theme="dark"]',
        ".dark",
    )
)
STYLE = (
    f"{_STYLE}{_DARK} {{ {declarations(1, leave=_OWN)} }}\n".replace(
        "HUES", declarations(0, leave=_OWN)
    )
    .replace("MEASURES", measures())
    .replace("FONT", FONT)
    .replace("MONO", MONO)
    .replace("MATH", MATH)
    .replace("@", ".cutaway-shown.cutaway-shown")
)


def in_notebook() -> bool:
    """Whether this runs in a kernel of Jupyter, whose outputs are shown as HTML.

    Not in IPython's own terminal, and not in marimo, which has no kernel of Jupyter.
    """
    found = sys.modules.get("IPython")
    shell = None if found is None else found.get_ipython()
    return getattr(shell, "kernel", None) is not None


def shown(*parts: str) -> str:
    """Pieces of HTML as what a notebook shows of one object."""
    return visible(f'<div class="cutaway-shown"><style>{STYLE}</style>{"".join(parts)}</div>')


def title(text: str, more: str = "") -> str:
    """The first line: what the object is, and in soft color a few words about it."""
    about = f' <span class="soft">{escape(more)}</span>' if more else ""
    return f'<p><span class="title">{escape(text)}</span>{about}</p>'


def part(text: str, body: str) -> str:
    """A small heading and what is below it.

    No heading elements: JupyterLab would list those of outputs in the table of contents.
    """
    return f'<p class="part">{escape(text)}</p>{body}'


def facts(rows) -> str:
    """A table of names and values, without headings; a value may be Markup."""
    cells = "".join(
        f'<tr><td class="soft">{escape(name)}</td>'
        f"<td>{value if isinstance(value, Markup) else escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f'<div class="scroll"><table>{cells}</table></div>'


def chart(svg: str) -> str:
    """A plot as SVG, with ids of its own; see figures.svg_of and plot.side_by_side."""
    return f'<div class="chart">{_with_own_ids(without_addresses(svg))}</div>'


def chart_of(figure) -> str:
    """A matplotlib figure as `chart`."""
    return chart(svg_of(figure))


def story_parts(story, *, plotted: bool) -> str:
    """A story as HTML: its formula typeset, its text or table with exact values, and its plot.

    Args:
        story: a Story.
        plotted: whether it has a plot; shown if its HTML holds no picture already.
    """
    return story_body(story, plotted=plotted, formula=_formula, chart=chart)


def _formula(latex: str, exact: Exact) -> str:
    return f'<div class="formula">{mathml(latex, exact)}</div>'


def _with_own_ids(svg: str) -> str:
    """The SVG with ids that no other has, and none that nothing refers to."""
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    own = f"c{uuid4().hex[:10]}"

    def renamed(found):
        return f' id="{own}-{found[1]}"' if found[1] in used else ""

    svg = re.sub(r'\sid="([^"]*)"', renamed, svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{own}-\1)", svg)
    return re.sub(r'href="#([^"]+)"', rf'href="#{own}-\1"', svg)
