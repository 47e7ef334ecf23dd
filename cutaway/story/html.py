"""Parts of HTML pages: style, sections and tables. Pages load nothing from the network."""

from html import escape

from cutaway.errors import visible

LIGHT = """--ink:#1c2430; --soft:#5b6675; --line:#d9dee5; --paper:#fff; --tint:#f4f6f9;
        --accent:#2b7bba;"""
DARK = """--ink:#e6eaf0; --soft:#9aa6b5; --line:#37414e; --paper:#14191f; --tint:#1d242c;
        --accent:#6db3e8;"""

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
:root {{ {LIGHT} color-scheme: light dark; }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
"""
    """
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.6rem 0 .7rem; }
p { max-width: 44rem; } .soft { color: var(--soft); }
.headline { font-size: 1.25rem; line-height: 1.45; }
.headline b { color: var(--accent); }
.warning { border-left: 4px solid #d95f0e; padding: .1rem 0 .1rem .8rem; }
.scroll { overflow-x: auto; }
.scroll > table { width: max-content; } .scroll td, .scroll th { max-width: 21rem; }
summary { cursor: pointer; color: var(--accent); margin: .8rem 0; }
td summary { margin: 0; white-space: nowrap; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; overflow-wrap: normal; }
th { font-weight: 600; color: var(--soft); } td.n, th.n { text-align: right; white-space: nowrap; }
code, pre { font: .88rem ui-monospace, monospace; }
pre { background: var(--tint); padding: .8rem 1rem; border-radius: 6px; overflow-x: auto;
      white-space: pre-wrap; overflow-wrap: anywhere; }
pre.cutaway-story { white-space: pre; overflow-wrap: normal; --under: var(--tint); }
.chart { overflow-x: auto; } .chart svg { max-width: 100%; height: auto; }
.chart > svg { min-width: 21.5rem; }
.matrix td { text-align: center; min-width: 4.2rem; border: 2px solid var(--paper); }
img { max-width: 100%; } .pixels { width: 96px; image-rendering: pixelated; border-radius: 4px; }
.matrix small { display: block; opacity: .75; }
/* a shadow at the side where more can be scrolled to */
.scroll, .chart, .plots, pre.cutaway-story { --shade: rgba(128,128,128,.45), transparent;
  background: linear-gradient(to right, var(--under, var(--paper)) 40%, transparent) left,
    linear-gradient(to left, var(--under, var(--paper)) 40%, transparent) right,
    linear-gradient(to right, var(--shade)) left, linear-gradient(to left, var(--shade)) right,
    var(--under, var(--paper));
  background-repeat: no-repeat; background-size: 30px 100%, 30px 100%, 10px 100%, 10px 100%, auto;
  background-attachment: local, local, scroll, scroll, scroll; }
@media (max-width: 600px) {
  table { font-size: .82rem; } th, td { padding-right: .55rem; }
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
    """A heading and the content below it."""
    return f"<h2>{escape(title)}</h2>\n{body}\n"


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
