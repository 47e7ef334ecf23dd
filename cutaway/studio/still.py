"""The picture of a studio that stays in a notebook without a kernel."""

from html import escape

from cutaway.diagram import draw
from cutaway.errors import CutawayError
from cutaway.story.notebook import chart, shown, title
from cutaway.studio.subject import Subject

WHY = (
    "This is a picture of the network. Run the cell, with "
    "<code>pip install 'cutaway[notebook]'</code>, to train it here and to click into it."
)


def still_html(subject: Subject) -> str:
    """The drawing of a subject's network, with what it is, as HTML."""
    net = subject.program.net
    try:
        drawing = chart(draw(net).svg)
    except CutawayError:
        drawing = f"<pre>{escape(repr(net))}</pre>"
    return shown(title(subject.title, "studio"), drawing, f'<p class="soft">{WHY}</p>')
