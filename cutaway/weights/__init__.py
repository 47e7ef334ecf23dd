"""Weights of other frameworks: read safely, renamed, in our layout."""

from cutaway.weights.load import load_into
from cutaway.weights.names import PYTORCH, Names, channels_last, recurrent

__all__ = ["PYTORCH", "Names", "channels_last", "load_into", "recurrent"]
