"""A drawing's SVG for print: light colors written out, no variables and no rules of a page."""

import re

from cutaway.story.design import BLACK, tokens

_VARIABLE = re.compile(r"var\(--([\w-]+)(?:,\s*([^()]+))?\)")
_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")


def plain_svg(svg: str) -> str:
    """The SVG with the colors of light pages in place of variables.

    Example:
        >>> from cutaway.story.plain_svg import plain_svg
        >>> "var(" in plain_svg("a { stroke: var(--hue-blue, blue); fill: currentColor }")
        False
    """
    known = tokens(0)
    text = _MEDIA.sub("", svg)
    text = _VARIABLE.sub(lambda found: known.get(found[1]) or found[2] or BLACK, text)
    return text.replace("currentColor", BLACK)
