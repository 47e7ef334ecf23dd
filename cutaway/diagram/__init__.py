"""The architecture of any network, drawn: neurons and weights, or blocks with their shapes."""

from cutaway.diagram.drawing import draw

__all__ = ["draw"]
