"""The architecture of any network as blocks: traced, folded, laid out, drawn."""

from cutaway.diagram.architecture.blocks import draw_blocks
from cutaway.diagram.architecture.structure import read

__all__ = ["draw_blocks", "read"]
