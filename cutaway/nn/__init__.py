"""Modules, layers, initialization, and jit."""

from cutaway.leaves import objects_of
from cutaway.nn import init
from cutaway.nn.activations import ACTIVATIONS, LAYERS, Swish
from cutaway.nn.attention import MultiHeadAttention
from cutaway.nn.batch_ensemble import BatchEnsembleLinear
from cutaway.nn.containers import Sequential
from cutaway.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from cutaway.nn.data_initialization import initialize_on
from cutaway.nn.ensemble import Ensemble
from cutaway.nn.growing import deepen, narrow, widen
from cutaway.nn.init import INITIALIZERS
from cutaway.nn.layers import Add, Dropout, Embedding, Flatten, Linear, Residual, Standardize
from cutaway.nn.lifting import Compiled, accumulate_over, jit
from cutaway.nn.modes import in_mode, replacing
from cutaway.nn.module import Module, watch
from cutaway.nn.network_summary import Summary, summary
from cutaway.nn.normalization import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
)
from cutaway.nn.number_embeddings import (
    ColumnLinear,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    SineCosineEmbedding,
)
from cutaway.nn.perceptron import HebbianNeuron, Perceptron
from cutaway.nn.pooling import (
    AdaptiveAvgPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Upsample,
)
from cutaway.nn.positions import LearnedPositions, SinusoidalPositions
from cutaway.nn.random import seed
from cutaway.nn.recurrent import GRU, LSTM, RNN, AllSteps, LastStep
from cutaway.nn.regularization import SpatialDropout, StochasticDepth
from cutaway.nn.rematerialize import Recompute, recompute
from cutaway.nn.rescaling import Blend, LearnedScale, SmoothClip
from cutaway.nn.resizing import StructureChange
from cutaway.nn.sharing import exclusive, snapshot
from cutaway.nn.squeeze import SqueezeExcite
from cutaway.nn.state import Buffer, Parameter, Variable, named_variables
from cutaway.nn.transformer import TransformerEncoder, TransformerEncoderLayer
from cutaway.nn.trees import detach


def _is_layer(value) -> bool:
    return isinstance(value, type) and issubclass(value, Module) and value.__name__[0] != "_"


# a new layer is found by being there; so are ReLU, Sigmoid, ...: one for each activation of ops
globals().update({found.__name__: found for found in objects_of(__name__, __path__, _is_layer)})

__all__ = [
    "ACTIVATIONS",
    "GRU",
    "INITIALIZERS",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool",
    "Add",
    "AllSteps",
    "AvgPool",
    "BatchEnsembleLinear",
    "BatchNorm",
    "Blend",
    "Buffer",
    "ColumnLinear",
    "Compiled",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "Embedding",
    "Ensemble",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "HebbianNeuron",
    "InstanceNorm",
    "LastStep",
    "LayerNorm",
    "LearnedPositions",
    "LearnedScale",
    "Linear",
    "LocalResponseNorm",
    "MaxPool",
    "Module",
    "MultiHeadAttention",
    "Parameter",
    "PeriodicEmbedding",
    "Perceptron",
    "PiecewiseLinearEmbedding",
    "RMSNorm",
    "Recompute",
    "Residual",
    "Sequential",
    "SineCosineEmbedding",
    "SmoothClip",
    "SinusoidalPositions",
    "SpatialDropout",
    "Standardize",
    "SqueezeExcite",
    "StochasticDepth",
    "StructureChange",
    "Summary",
    "Swish",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Upsample",
    "Variable",
    "accumulate_over",
    "deepen",
    "detach",
    "exclusive",
    "in_mode",
    "init",
    "initialize_on",
    "jit",
    "named_variables",
    "narrow",
    "recompute",
    "replacing",
    "seed",
    "snapshot",
    "summary",
    "watch",
    "widen",
    *LAYERS,
]
