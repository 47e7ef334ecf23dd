"""A network in a notebook: its drawing, and the table of its layers."""

from html import escape

from cutaway.diagram.drawing import draw
from cutaway.nn import Module, summary
from cutaway.story.html import folded
from cutaway.story.notebook import shown, title

TALLEST = 700  # pixels of a drawing that is seen at once; of a taller one, the outermost blocks


def network_html(net: Module) -> str:
    """What a notebook shows of a network."""
    return shown(title(type(net).__name__, size_in_words(net)), network_parts(net))


def size_in_words(net: Module) -> str:
    """How many parameters a network has, and how many of them are frozen."""
    parameters = net.parameters()
    frozen = sum(p.size for p in parameters if not p.requires_grad)
    count = f"{sum(p.size for p in parameters):,} parameters"
    return count + (f", {frozen:,} of them frozen" if frozen else "")


def network_parts(net: Module) -> str:
    """The drawing of a network and, folded, its layers."""
    return _drawn(net) + folded("layers", _layers(net))


def _drawn(net) -> str:
    whole = draw(net)
    if whole.height <= TALLEST:
        return _picture(whole)
    outline = draw(net, depth=1)
    if outline.height <= TALLEST:
        return _picture(outline) + folded("every block", _picture(whole))
    return folded("drawing", _picture(whole))


def _layers(net) -> str:
    try:
        return summary(net).html()
    except Exception:  # of its own forward pass
        return f"<pre>{escape(repr(net))}</pre>"


def _picture(drawing) -> str:
    return f'<div class="scroll">{drawing.svg}</div>'
