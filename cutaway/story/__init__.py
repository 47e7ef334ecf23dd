"""The presentation kit: text, tables, HTML, SVG, formulas. It knows no story by its subject."""

from cutaway.story.page import write_page
from cutaway.story.svg import Drawing
from cutaway.story.text import WIDTH, Story, align, number, subscript

__all__ = ["WIDTH", "Drawing", "Story", "align", "number", "subscript", "write_page"]
