"""Known networks, one architecture a file."""

from cutaway.models.mlp import mlp
from cutaway.models.table import TableNetwork

__all__ = ["TableNetwork", "mlp"]
