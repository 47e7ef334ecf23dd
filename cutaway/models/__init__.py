"""Known networks, one architecture a file."""

from cutaway.models.cnn import cnn, curve_cnn
from cutaway.models.forecast import Forecaster
from cutaway.models.language import LanguageModel
from cutaway.models.mlp import mlp
from cutaway.models.table import TableNetwork
from cutaway.models.text import (
    TEXT_MODELS,
    BagOfEmbeddings,
    LSTMClassifier,
    TransformerClassifier,
    text_network,
)

__all__ = [
    "TEXT_MODELS",
    "BagOfEmbeddings",
    "Forecaster",
    "LSTMClassifier",
    "LanguageModel",
    "TableNetwork",
    "TransformerClassifier",
    "cnn",
    "curve_cnn",
    "mlp",
    "text_network",
]
