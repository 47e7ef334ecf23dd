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
from cutaway.nn.cache import cache_programs
from cutaway.nn.containers import Sequential
from cutaway.nn.init import INITIALIZERS
from cutaway.nn.jit import Compiled, in_turn, jit
from cutaway.nn.layers import Add, Dropout, Embedding, Flatten, Linear, Residual
from cutaway.nn.module import Module, watch
from cutaway.nn.perceptron import HebbianNeuron, Perceptron
from cutaway.nn.random import seed
from cutaway.nn.recompute import Recompute, recompute
from cutaway.nn.regularisation import SpatialDropout, StochasticDepth
from cutaway.nn.state import Buffer, Parameter, Variable, named_variables
from cutaway.nn.summary import Summary, summary

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "INITIALIZERS",
    "SELU",
    "Add",
    "Buffer",
    "Compiled",
    "Dropout",
    "Embedding",
    "Flatten",
    "HebbianNeuron",
    "Identity",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Module",
    "PReLU",
    "Parameter",
    "Perceptron",
    "ReLU",
    "Recompute",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SpatialDropout",
    "StochasticDepth",
    "Summary",
    "Swish",
    "Tanh",
    "Threshold",
    "Variable",
    "cache_programs",
    "in_turn",
    "init",
    "jit",
    "named_variables",
    "recompute",
    "seed",
    "summary",
    "watch",
]
