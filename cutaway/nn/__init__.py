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
from cutaway.nn.containers import Sequential
from cutaway.nn.init import INITIALIZERS
from cutaway.nn.jit import Compiled, jit
from cutaway.nn.layers import Add, Dropout, Embedding, Flatten, Linear, Residual
from cutaway.nn.module import Module, watch
from cutaway.nn.perceptron import HebbianNeuron, Perceptron
from cutaway.nn.random import seed
from cutaway.nn.recurrent import GRU, LSTM, RNN, AllSteps, LastStep
from cutaway.nn.state import Buffer, Parameter, Variable, named_variables
from cutaway.nn.summary import Summary, summary

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "GRU",
    "INITIALIZERS",
    "LSTM",
    "RNN",
    "SELU",
    "Add",
    "AllSteps",
    "Buffer",
    "Compiled",
    "Dropout",
    "Embedding",
    "Flatten",
    "HebbianNeuron",
    "Identity",
    "LastStep",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Module",
    "PReLU",
    "Parameter",
    "Perceptron",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Summary",
    "Swish",
    "Tanh",
    "Threshold",
    "Variable",
    "init",
    "jit",
    "named_variables",
    "seed",
    "summary",
    "watch",
]
