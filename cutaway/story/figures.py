"""Plots by matplotlib as SVG text for pages, which takes the colors of the page."""

import io
import re
from html import escape

from cutaway.errors import visible
from cutaway.story.design import BLACK, FONT, WHITE, themed

# behind the texts of a legend: the ground of a notebook, or the page's color
PAPER = f"var(--ground, var(--paper, {WHITE}))"
_LEGEND = re.compile(rf"fill: {WHITE}; opacity: [\d.]+; stroke: #c{{6}}")
_FONTS = re.compile(r"(font: \S+) 'DejaVu Sans'[^;\"]*")


def png_of(figure, dpi: float = 130) -> bytes:
    """The figure as the bytes of a PNG file, with `dpi` pixels per inch."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=dpi)
    return picture.getvalue()


def svg_of(figure, name: str | None = None) -> str:
    """The figure as an SVG element: no XML head, no addresses, the same text every time.

    Args:
        figure: of matplotlib.
        name: for those who do not see it; None: its titles, or else what its axes show.

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
    name = escape(_name_of(figure) if name is None else name, quote=True)
    svg = svg.replace(
        "<svg", f'<svg role="img" aria-label="{name}" fill="currentColor"', 1
    ).replace(BLACK, "currentColor")
    return visible(themed(_FONTS.sub(rf"\1 {FONT}", svg)))


def _name_of(figure) -> str:
    """Its titles, or what its axes show."""
    whole = figure.get_suptitle()
    parts = [whole] if whole else []
    for axes in figure.axes:
        labels = [label for label in (axes.get_ylabel(), axes.get_xlabel()) if label]
        parts.append(axes.get_title() or " over ".join(labels))
    told = "; ".join(dict.fromkeys(part.replace("\n", " ") for part in parts if part))
    return told or "plot"


def without_addresses(svg: str) -> str:
    """The SVG without its XML namespaces: HTML needs none, and they look like addresses."""
    return re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
