"""Parts of HTML pages: style, sections and tables. Pages load nothing from the network."""

from html import escape

from cutaway.errors import visible
from cutaway.story.design import FONT, MATH, MONO, declarations, measures

LIGHT, DARK = declarations(0), declarations(1)

WIDE = 9  # columns, beyond which a printed table is set smaller

# on paper always light, all folded parts open, and nothing behind a scroll bar
PRINT = f"""
@page {{ margin: 1.4cm; }}
@media print {{
  :root {{ {LIGHT} color-scheme: light; }}
  * {{ print-color-adjust: exact; }}
  body {{ max-width: none; padding: 0; font-size: 10pt; }}
  details::details-content {{ content-visibility: visible; block-size: auto; }}
  summary {{ list-style: none; color: var(--soft); }}
  .scroll, .chart, .formula, .plots, pre {{ overflow: visible !important; }}
  .scroll, .chart, .plots {{ background: none; }} pre.cutaway-story {{ background: var(--tint); }}
  pre, pre.cutaway-story {{ white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8.5pt; }}
  table, .scroll > table {{ font-size: 8pt; width: auto; max-width: 100%; }}
  .scroll > table.wide {{ font-size: 6pt; }} .wide td, .wide th {{ padding-right: .4rem; }}
  td {{ overflow-wrap: anywhere; min-width: 2.2em; }} td.n {{ overflow-wrap: normal; }}
  th.n {{ white-space: normal; }} .matrix {{ break-inside: avoid; }}
  .plots {{ display: block !important; }}
  .plots svg {{ max-width: 48% !important; }}
  .plots svg:only-child {{ max-width: 100% !important; }}
  .scroll svg, .chart > svg, img {{ max-width: 100% !important; min-width: 0 !important;
    max-height: 22cm; }}
  .tall svg {{ max-height: none !important; break-inside: auto; }}
  h1, h2, summary {{ break-after: avoid; }} p {{ orphans: 3; widows: 3; }}
  tr, svg, img, figure {{ break-inside: avoid; }}
}}
"""

STYLE = (
    f"""
:root {{ {LIGHT} {measures()} color-scheme: light dark;
  --font: {FONT}; --mono: {MONO}; --math: {MATH}; }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
"""
    """
* { box-sizing: border-box; }
body { font: 16px/1.55 var(--font); color: var(--ink); background: var(--paper);
       max-width: 60rem; margin: 0 auto; padding: 2rem var(--space-3) 4rem;
       overflow-wrap: break-word; }
h1 { font-size: var(--size-title); line-height: 1.25; margin: 0 0 var(--space-1); }
h2 { font-size: var(--size-heading); margin: var(--space-4) 0 var(--space-2); }
p { max-width: 44rem; } .soft { color: var(--soft); }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
.headline { font-size: var(--size-lead); line-height: 1.45; margin: var(--space-2) 0; }
.headline b { color: var(--link); } .headline code { font-size: .85em; }
.next { border-left: 4px solid var(--accent); padding: .1rem 0 .1rem var(--space-2); }
.next p, .next pre { margin: .2rem 0; }
.warning { border-left: 4px solid var(--negative); padding: .1rem 0 .1rem var(--space-2); }
.part { margin: 1.2rem 0 .3rem; }
.scroll { overflow-x: auto; }
.scroll > table { width: max-content; } .scroll td, .scroll th { max-width: 21rem; }
summary { cursor: pointer; color: var(--link); margin: var(--space-2) 0; }
summary:hover { text-decoration: underline; }
td summary { margin: 0; white-space: nowrap; }
table { border-collapse: collapse; font-size: var(--size-table);
        font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; overflow-wrap: normal; }
th { font-weight: 600; color: var(--soft); } td.n, th.n { text-align: right; white-space: nowrap; }
tbody tr:hover { background: var(--tint); }
code, pre { font: .88rem var(--mono); }
pre { background: var(--tint); padding: .8rem 1rem; border-radius: var(--radius); overflow-x: auto;
      white-space: pre-wrap; overflow-wrap: anywhere; }
pre.cutaway-story { white-space: pre; overflow-wrap: normal; --under: var(--tint); }
mark { color: inherit; background: color-mix(in srgb, var(--negative) 25%, transparent); }
.chart { overflow-x: auto; } .chart svg { max-width: 100%; height: auto; }
.chart > svg { min-width: 21.5rem; }
svg .spot:hover { stroke: currentColor; stroke-width: 1.5; fill-opacity: 1; }
svg .hit:hover { fill-opacity: .08; }
.bar { width: 11rem; height: .9rem; margin-top: .3rem; }
.bar div { height: 100%; background: var(--accent); border-radius: 2px; }
.matrix td { text-align: center; min-width: 4.2rem; border: 2px solid var(--paper); }
img { max-width: 100%; } .pixels { width: 96px; image-rendering: pixelated;
  border-radius: var(--radius-small); }
.matrix small { display: block; opacity: .85; }
/* a shadow at the side where more can be scrolled to */
.scroll, .chart, .plots, pre.cutaway-story { --shade: rgba(128,128,128,.45), transparent;
  background: linear-gradient(to right, var(--under, var(--paper)) 40%, transparent) left,
    linear-gradient(to left, var(--under, var(--paper)) 40%, transparent) right,
    linear-gradient(to right, var(--shade)) left, linear-gradient(to left, var(--shade)) right,
    var(--under, var(--paper));
  background-repeat: no-repeat; background-size: 30px 100%, 30px 100%, 10px 100%, 10px 100%, auto;
  background-attachment: local, local, scroll, scroll, scroll; }
@media (prefers-reduced-motion: reduce) { * { animation: none !important;
  transition: none !important; scroll-behavior: auto !important; } }
@media (max-width: 600px) {
  body { padding: 1.2rem 1rem 3rem; } h1 { font-size: 1.4em; overflow-wrap: anywhere; }
  .headline { font-size: 1.12em; }
  table { font-size: var(--size-small); } th, td { padding-right: .55rem; }
  .bar { width: 5rem; } .scroll td, .scroll th { max-width: 12rem; }
  .chart > svg { min-width: 30rem; } .chart svg.cutaway-curve, .plots svg { min-width: 0; }
  pre { font-size: .74rem; padding: .7rem .6rem; } .matrix td { min-width: 3.1rem; }
}
""" + PRINT
)

# enforced by the browser: inline styles and embedded images, nothing else
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Markup(str):
    """Text that is already HTML."""


def page(title: str, sections, *, style: str = "") -> str:
    """A whole page.

    Args:
        sections: pieces of HTML.
        style: CSS in addition to STYLE.
    """
    return visible(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head>\n"
        f"<body>{''.join(sections)}</body></html>\n"
    )


def section(title: str, body: str) -> str:
    """A heading, a text or Markup, and the content below it."""
    shown = title if isinstance(title, Markup) else escape(title)
    return f"<h2>{shown}</h2>\n{body}\n"


def folded(summary: str, body: str) -> str:
    """Content that a click opens; on paper it is open."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def table(headings, rows, numbers=()) -> str:
    """A table that scrolls if it is wider than the page.

    Args:
        rows: of texts, or Markup.
        numbers: indices of the columns that are numbers.
    """

    def cell(tag, k, value):
        kind = ' class="n"' if k in numbers else ""
        text = value if isinstance(value, Markup) else escape(str(value))
        return f"<{tag}{kind}>{text}</{tag}>"

    wide = ' class="wide"' if len(headings) > WIDE else ""
    head = "".join(cell("th", k, heading) for k, heading in enumerate(headings))
    body = "".join(
        "<tr>" + "".join(cell("td", k, value) for k, value in enumerate(row)) + "</tr>"
        for row in rows
    )
    whole = f"<table{wide}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{whole}</div>'
