"""What of a story is shown, in which order: the same on pages and in notebooks."""

from collections.abc import Callable

import numpy as np

from cutaway.errors import OptionError
from cutaway.story.figures import svg_of, without_addresses
from cutaway.story.formula import Exact


def story_body(
    story,
    *,
    plotted: bool,
    formula: Callable[[str, Exact], str],
    chart: Callable[[str], str],
    text: Callable[[str], str] = str,
) -> str:
    """A story as HTML: its formula, its text or table with exact values, and its plot.

    Args:
        story: a Story.
        plotted: whether it has a plot; shown if its HTML holds no picture already.
        formula: (LaTeX, exact values) -> HTML of the formula, typeset.
        chart: SVG -> HTML around it.
        text: the HTML of the story's text -> how it is laid out.
    """
    exact, latex = Exact(story.to_dict()), story.latex()
    body = "" if latex is None else formula(latex, exact)
    content = story.html()
    body += text(exact.mark(content))
    if not plotted or "<svg" in content or "<img" in content:
        return body
    try:
        axes = np.ravel(np.asarray(story.plot(), dtype=object))[0]
    except OptionError:  # of one row there is a plot, of several there is none
        return body
    return body + chart(without_addresses(svg_of(axes.figure)))
