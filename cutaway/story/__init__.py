"""Presentation: text, tables, HTML, SVG and formulas, for stories of any subject."""

from cutaway.story.page import write_page
from cutaway.story.sheet import write_sheet
from cutaway.story.svg import Drawing
from cutaway.story.text import WIDTH, Story, align, number, subscript

__all__ = [
    "WIDTH",
    "Drawing",
    "Story",
    "align",
    "number",
    "subscript",
    "write_page",
    "write_sheet",
]
