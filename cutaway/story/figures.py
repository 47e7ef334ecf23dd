"""Plots by matplotlib as SVG text for pages, and the colors they share."""

import io
import re

from cutaway.errors import visible

BLUE, ORANGE, GRAY = "#2b7bba", "#d95f0e", "#8a94a3"

# Okabe & Ito 2008, "Color universal design", without black and yellow, which one of a light and
# a dark page would hide; told apart by people with any kind of color blindness
DISTINCT = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7")

# behind the texts of a legend: the ground of a notebook, or the page's color
PAPER = "var(--ground, var(--paper, #fff))"
_LEGEND = re.compile(r"fill: #ffffff; opacity: [\d.]+; stroke: #cccccc")


def png_of(figure, dpi: float = 130) -> bytes:
    """The figure as the bytes of a PNG file, with `dpi` pixels per inch."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=dpi)
    return picture.getvalue()


def svg_of(figure) -> str:
    """The figure as an SVG element: no XML head, no addresses, the same text every time.

    What is black becomes the color of the text around it and backgrounds are left out, so the plot
    is read on a light and on a dark page.
    """
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cutaway"}):
        metadata = {"Date": None, "Creator": None}
        figure.savefig(text, format="svg", metadata=metadata, transparent=True)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _LEGEND.sub(f"fill: {PAPER}; opacity: 0.8; stroke: none", svg)
    # shapes and texts without a fill are black by default
    svg = svg.replace("<svg", '<svg fill="currentColor"', 1).replace("#000000", "currentColor")
    return visible(svg)


def without_addresses(svg: str) -> str:
    """The SVG without its XML namespaces: HTML needs none, and they look like addresses."""
    return re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
