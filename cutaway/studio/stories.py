"""Stories as the page shows them: HTML by the story kit, plain text, and numbers for JSON."""

import math
from typing import Any

import numpy as np

from cutaway.story.formula_lines import formula_lines
from cutaway.story.hanging_lines import hanging_lines
from cutaway.story.story_body import story_body
from cutaway.story.text import Story
from cutaway.studio.clicks.contract import Told

COLUMNS = 80  # of a text


def told(title: str, *stories: Story, lit=(), plotted: bool = False) -> Told:
    """What a click shows, of one story or of several below each other.

    Args:
        title: plain text.
        lit: see Told.
        plotted: whether a story that has a plot shows it; it costs some tenths of a second.
    """
    html = [
        story_body(
            story,
            plotted=plotted and story.is_plotted(),
            formula=formula_lines,
            chart=_chart,
            text=hanging_lines,
        )
        for story in stories
    ]
    numbers = plain(stories[0].to_dict())
    for story in stories[1:]:
        numbers[type(story).__name__] = plain(story.to_dict())
    text = "\n\n".join(story.text(COLUMNS) for story in stories)
    body = f'<section class="told">{"".join(html)}</section>'
    return Told(title, body, text, list(lit), numbers)


def plain(value) -> Any:
    """Numbers, texts, lists and dicts that JSON has; what is not finite is None.

    Example:
        >>> import numpy as np
        >>> from cutaway.studio.stories import plain
        >>> plain({"a": np.float32(0.5), "b": (float("nan"), 2)})
        {'a': 0.5, 'b': [None, 2]}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _chart(svg: str) -> str:
    return f'<div class="chart scroll">{svg}</div>'
