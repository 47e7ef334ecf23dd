"""The architecture of a network as SVG, and what dropout does to one."""

from cutaway.diagram.drawing import draw
from cutaway.diagram.dropout_pair import DropoutStory, dropout_story

__all__ = ["DropoutStory", "draw", "dropout_story"]
