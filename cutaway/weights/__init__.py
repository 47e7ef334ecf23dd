"""Weights of other frameworks: downloaded, read safely, renamed, and converted to our layout."""

from cutaway.weights.by_hand import WrittenLayer, read_written_layers
from cutaway.weights.darknet import load_darknet, read_darknet
from cutaway.weights.download import cache_folder, fetch
from cutaway.weights.files import OwnWeights, load_weights, save_weights
from cutaway.weights.hub import HubAddress, fetch_from_hub, pinned
from cutaway.weights.load import load_into
from cutaway.weights.names import PYTORCH, WeightNames, channels_last, recurrent
from cutaway.weights.published import PUBLISHED
from cutaway.weights.read import read_weights

__all__ = [
    "HubAddress",
    "OwnWeights",
    "PUBLISHED",
    "PYTORCH",
    "WeightNames",
    "WrittenLayer",
    "cache_folder",
    "channels_last",
    "fetch",
    "fetch_from_hub",
    "load_darknet",
    "load_into",
    "load_weights",
    "pinned",
    "read_darknet",
    "read_weights",
    "read_written_layers",
    "recurrent",
    "save_weights",
]
