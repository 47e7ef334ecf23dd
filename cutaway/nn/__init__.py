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
from cutaway.nn.init import INITIALIZERS
from cutaway.nn.jit import Compiled, jit
from cutaway.nn.layers import Add, Dropout, Embedding, Flatten, Linear, Residual
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
from cutaway.nn.positions import LearnedPositions, SinusoidalPositions
from cutaway.nn.random import seed
from cutaway.nn.state import Buffer, Parameter, Variable, named_variables
from cutaway.nn.summary import Summary, summary
from cutaway.nn.transformer import TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "INITIALIZERS",
    "SELU",
    "Add",
    "BatchNorm",
    "Buffer",
    "Compiled",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "HebbianNeuron",
    "Identity",
    "InstanceNorm",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPositions",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "Module",
    "MultiHeadAttention",
    "PReLU",
    "Parameter",
    "Perceptron",
    "RMSNorm",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositions",
    "Softmax",
    "Softplus",
    "Summary",
    "Swish",
    "Tanh",
    "Threshold",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Variable",
    "init",
    "jit",
    "named_variables",
    "seed",
    "summary",
    "watch",
]
