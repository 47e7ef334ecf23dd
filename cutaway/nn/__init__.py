"""Modules, layers, initialisation, and jit."""

from cutaway.nn import init
from cutaway.nn.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    SELU,
    Identity,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Swish,
    Tanh,
    Threshold,
)
from cutaway.nn.attention import MultiHeadAttention
from cutaway.nn.containers import Sequential
from cutaway.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from cutaway.nn.init import INITIALIZERS
from cutaway.nn.jit import Compiled, in_turn, jit
from cutaway.nn.layers import Add, Dropout, Embedding, Flatten, Linear, Residual, Standardise
from cutaway.nn.module import Module, watch
from cutaway.nn.normalisation import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
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
from cutaway.nn.recompute import Recompute, recompute
from cutaway.nn.recurrent import GRU, LSTM, RNN, AllSteps, LastStep
from cutaway.nn.regularisation import SpatialDropout, StochasticDepth
from cutaway.nn.squeeze import SqueezeExcite
from cutaway.nn.state import Buffer, Parameter, Variable, named_variables
from cutaway.nn.summary import Summary, summary
from cutaway.nn.transformer import TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "GRU",
    "INITIALIZERS",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool",
    "Add",
    "AllSteps",
    "AvgPool",
    "BatchNorm",
    "Buffer",
    "Compiled",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "HebbianNeuron",
    "Identity",
    "InstanceNorm",
    "LastStep",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPositions",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MaxPool",
    "Module",
    "MultiHeadAttention",
    "PReLU",
    "Parameter",
    "Perceptron",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Recompute",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositions",
    "Softmax",
    "Softplus",
    "SpatialDropout",
    "Standardise",
    "SqueezeExcite",
    "StochasticDepth",
    "Summary",
    "Swish",
    "Tanh",
    "Threshold",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Upsample",
    "Variable",
    "in_turn",
    "init",
    "jit",
    "named_variables",
    "recompute",
    "seed",
    "summary",
    "watch",
]
