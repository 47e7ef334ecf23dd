"""Known networks, one architecture a file."""

from cutaway.models.cnn import cnn, curve_cnn
from cutaway.models.forecast import Forecaster
from cutaway.models.mlp import mlp
from cutaway.models.table import TableNetwork

__all__ = ["Forecaster", "TableNetwork", "cnn", "curve_cnn", "mlp"]
