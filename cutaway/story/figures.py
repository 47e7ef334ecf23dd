"""Plots by matplotlib as SVG text for pages, and the colors they share."""

import io
import re

from cutaway.errors import visible

BLUE, ORANGE, GRAY = "#2b7bba", "#d95f0e", "#8a94a3"


def svg_of(figure, *, transparent: bool = False) -> str:
    """The figure as an SVG element: no XML head, no addresses, the same text every time.

    Args:
        transparent: whether to leave out the ground of the figure and of its axes.
    """
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cutaway"}):
        metadata = {"Date": None, "Creator": None}
        figure.savefig(text, format="svg", metadata=metadata, transparent=transparent)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    return visible(re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL))
