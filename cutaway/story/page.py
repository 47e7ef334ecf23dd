"""A page of explanations: one self-contained file that needs no network access."""

import re
from html import escape

from cutaway.errors import OptionError, expect_path, expect_type
from cutaway.story.figures import without_addresses
from cutaway.story.formula_lines import STYLE as OF_FORMULAS
from cutaway.story.formula_lines import formula_lines
from cutaway.story.hanging_lines import STYLE as OF_TEXTS
from cutaway.story.hanging_lines import hanging_lines
from cutaway.story.html import Markup, folded, page, section
from cutaway.story.story_body import story_body
from cutaway.story.svg import Drawing, write_into
from cutaway.story.text import Story
from cutaway.story.told_html import STYLE as OF_TOLD
from cutaway.story.told_html import symbols

STYLE = (
    """
.exact { border-bottom: 1px dotted var(--soft); cursor: help; }
math .exact { border-bottom: 0; text-decoration: underline dotted var(--soft); }
mtable { math-style: normal; } mtd { padding: .25em 0; }
mtd[columnalign="right"] { text-align: right; } mtd[columnalign="left"] { text-align: left; }
mtable.matrix { border: solid currentColor; border-width: 0 1.5px; border-radius: 5px; }
mtable.matrix > mtr > mtd { padding: .12em .45em; text-align: right; }
figure { margin: 1rem 0; }
"""
    + OF_FORMULAS
    + OF_TEXTS
    + OF_TOLD
)

SCREEN = 1000  # pixels; a taller drawing goes to the end of the page


def write_page(path, title: str, stories=(), *, drawing: Drawing | None = None, lead: str = ""):
    """Write stories to one HTML file, atomically.

    Each story is shown with its formula typeset, its text or table, and its plot; hovering over a
    rounded number shows its exact value. The file has no scripts, uses the system's fonts, and
    follows the reader's light or dark mode.

    Args:
        path: the file, in a folder that exists.
        title: of the page.
        stories: the results of `explain` and others, each a Story or (heading, Story).
        drawing: of the network, from `draw`; comes first, or last if it is taller than a screen.
        lead: the answer, a sentence below the title; "": that of the first story that has one.

    Raises:
        RunError: the folder does not exist or cannot be written to.
        OptionError: a story is not a Story, or the drawing not a Drawing.

    Example:
        >>> import cutaway as ct
        >>> from tempfile import TemporaryDirectory
        >>> from cutaway.diagram import draw
        >>> from cutaway.models import mlp
        >>> with TemporaryDirectory() as folder:
        ...     ct.write_page(f"{folder}/net.html", "A network", drawing=draw(mlp((3, 2, 1))))
    """
    expect_path(path, what="write_page: path")
    expect_type(title, str, what="write_page: title", expected="a text")
    if drawing is not None and not isinstance(drawing, Drawing):
        raise OptionError(
            f"write_page: drawing is a {type(drawing).__name__}",
            expected="a Drawing",
            fix="pass drawing=ct.draw(net)",
        )
    parts = [f"<h1>{escape(title)}</h1>"]
    lead = lead or next((found for found in map(_answer, stories) if found), "")
    if lead:
        parts.append(f'<p class="headline">{escape(lead)}</p>')
    parts += [_section(story) for story in stories]
    if drawing is not None:
        is_tall = drawing.height > SCREEN
        kind = "scroll tall" if is_tall else "scroll"
        figure = f'<figure class="{kind}">{without_addresses(drawing.svg)}</figure>'
        if is_tall:
            shown = folded("The whole drawing", figure) if stories else figure
            parts.append(f"<section>{section('The network', shown)}</section>\n")
        else:
            parts.insert(1 + bool(lead), figure)
    write_into(path, page(title, parts, style=STYLE))


def _answer(story) -> str:
    story = story[1] if isinstance(story, tuple) and len(story) == 2 else story
    return story.answer() if isinstance(story, Story) else ""


def _section(story) -> str:
    heading, story = story if isinstance(story, tuple) and len(story) == 2 else (None, story)
    if not isinstance(story, Story):
        raise OptionError(
            f"write_page: a {type(story).__name__} among the stories",
            expected="a Story, such as explain returns, or (heading, story)",
        )
    if heading is None:
        heading = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(story).__name__).capitalize()
    body = story_body(
        story, plotted=story.is_plotted(), formula=formula_lines, chart=_chart, text=hanging_lines
    )
    return f"<section>{section(Markup(symbols(str(heading))), body)}</section>\n"


def _chart(svg: str) -> str:
    return f'<div class="chart scroll">{svg}</div>'
