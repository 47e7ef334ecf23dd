"""Weights of other frameworks: read safely, renamed, in our layout."""

from cutaway.weights.files import load_weights, save_weights
from cutaway.weights.load import load_into
from cutaway.weights.names import PYTORCH, Names, channels_last, recurrent
from cutaway.weights.read import read_weights

__all__ = [
    "PYTORCH",
    "Names",
    "channels_last",
    "load_into",
    "load_weights",
    "read_weights",
    "recurrent",
    "save_weights",
]
