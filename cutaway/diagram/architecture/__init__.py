"""The architecture of any network as blocks: what is joined to what, folded, laid out, drawn."""

from cutaway.diagram.architecture.picture import draw_blocks
from cutaway.diagram.architecture.read import read

__all__ = ["draw_blocks", "read"]
