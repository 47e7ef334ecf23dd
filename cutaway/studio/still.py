"""The picture of a studio that stays in a notebook without a kernel."""

from base64 import b64encode
from html import escape

from cutaway.diagram import draw
from cutaway.errors import CutawayError
from cutaway.story.notebook import shown, title
from cutaway.studio.subject import Subject

WHY = (
    "This is a picture of the network. Run the cell, with "
    "<code>pip install 'cutaway[notebook]'</code>, to train it here and to click into it."
)


def still_html(subject: Subject, name: str) -> str:
    """The drawing of a subject's network, with what it is, as HTML.

    Args:
        subject: the Subject.
        name: class of the element around it, by which it can be hidden.
    """
    parts = (title(subject.title, "studio"), _drawing(subject), f'<p class="soft">{WHY}</p>')
    return f'<div class="{name}">{shown(*parts)}</div>'


def _drawing(subject: Subject) -> str:
    net = subject.program.net
    try:
        svg = draw(net).svg
    except CutawayError:
        return f"<pre>{escape(repr(net))}</pre>"
    # an image, because GitHub and notebooks that are not trusted take SVG out of HTML
    content = b64encode(svg.encode()).decode()
    return f'<img alt="the network" src="data:image/svg+xml;base64,{content}">'
