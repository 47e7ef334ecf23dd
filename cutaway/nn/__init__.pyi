# Written by scripts/write_stubs.py: do not edit.
from cutaway.nn import init as init
from cutaway.nn.activations import ACTIVATIONS as ACTIVATIONS
from cutaway.nn.activations import ActivationLayer as ActivationLayer
from cutaway.nn.activations import ELU as ELU
from cutaway.nn.activations import GELU as GELU
from cutaway.nn.activations import HardSigmoid as HardSigmoid
from cutaway.nn.activations import HardSwish as HardSwish
from cutaway.nn.activations import Identity as Identity
from cutaway.nn.activations import LAYERS as LAYERS
from cutaway.nn.activations import LeakyReLU as LeakyReLU
from cutaway.nn.activations import LogSoftmax as LogSoftmax
from cutaway.nn.activations import Mish as Mish
from cutaway.nn.activations import PReLU as PReLU
from cutaway.nn.activations import ReLU as ReLU
from cutaway.nn.activations import ReLU6 as ReLU6
from cutaway.nn.activations import SELU as SELU
from cutaway.nn.activations import SiLU as SiLU
from cutaway.nn.activations import Sigmoid as Sigmoid
from cutaway.nn.activations import Softmax as Softmax
from cutaway.nn.activations import Softplus as Softplus
from cutaway.nn.activations import Swish as Swish
from cutaway.nn.activations import Tanh as Tanh
from cutaway.nn.activations import Threshold as Threshold
from cutaway.nn.attention import MultiHeadAttention as MultiHeadAttention
from cutaway.nn.batch_ensemble import BatchEnsembleLinear as BatchEnsembleLinear
from cutaway.nn.containers import Sequential as Sequential
from cutaway.nn.convolution import Conv1d as Conv1d
from cutaway.nn.convolution import Conv2d as Conv2d
from cutaway.nn.convolution import Conv3d as Conv3d
from cutaway.nn.convolution import ConvTranspose1d as ConvTranspose1d
from cutaway.nn.convolution import ConvTranspose2d as ConvTranspose2d
from cutaway.nn.convolution import ConvTranspose3d as ConvTranspose3d
from cutaway.nn.data_initialization import initialize_on as initialize_on
from cutaway.nn.ensemble import Ensemble as Ensemble
from cutaway.nn.growing import deepen as deepen
from cutaway.nn.growing import narrow as narrow
from cutaway.nn.growing import widen as widen
from cutaway.nn.init import INITIALIZERS as INITIALIZERS
from cutaway.nn.layers import Add as Add
from cutaway.nn.layers import Dropout as Dropout
from cutaway.nn.layers import Embedding as Embedding
from cutaway.nn.layers import Flatten as Flatten
from cutaway.nn.layers import Linear as Linear
from cutaway.nn.layers import Residual as Residual
from cutaway.nn.layers import Standardize as Standardize
from cutaway.nn.lifting import Compiled as Compiled
from cutaway.nn.lifting import accumulate_over as accumulate_over
from cutaway.nn.lifting import jit as jit
from cutaway.nn.modes import in_mode as in_mode
from cutaway.nn.modes import replacing as replacing
from cutaway.nn.module import Module as Module
from cutaway.nn.module import watch as watch
from cutaway.nn.network_summary import Summary as Summary
from cutaway.nn.network_summary import summary as summary
from cutaway.nn.normalization import BatchNorm as BatchNorm
from cutaway.nn.normalization import GroupNorm as GroupNorm
from cutaway.nn.normalization import InstanceNorm as InstanceNorm
from cutaway.nn.normalization import LayerNorm as LayerNorm
from cutaway.nn.normalization import LocalResponseNorm as LocalResponseNorm
from cutaway.nn.normalization import RMSNorm as RMSNorm
from cutaway.nn.number_embeddings import ColumnLinear as ColumnLinear
from cutaway.nn.number_embeddings import PeriodicEmbedding as PeriodicEmbedding
from cutaway.nn.number_embeddings import PiecewiseLinearEmbedding as PiecewiseLinearEmbedding
from cutaway.nn.number_embeddings import SineCosineEmbedding as SineCosineEmbedding
from cutaway.nn.perceptron import HebbianNeuron as HebbianNeuron
from cutaway.nn.perceptron import Perceptron as Perceptron
from cutaway.nn.pooling import AdaptiveAvgPool as AdaptiveAvgPool
from cutaway.nn.pooling import AvgPool as AvgPool
from cutaway.nn.pooling import GlobalAvgPool as GlobalAvgPool
from cutaway.nn.pooling import GlobalMaxPool as GlobalMaxPool
from cutaway.nn.pooling import MaxPool as MaxPool
from cutaway.nn.pooling import Upsample as Upsample
from cutaway.nn.positions import LearnedPositions as LearnedPositions
from cutaway.nn.positions import SinusoidalPositions as SinusoidalPositions
from cutaway.nn.random import seed as seed
from cutaway.nn.recurrent import AllSteps as AllSteps
from cutaway.nn.recurrent import GRU as GRU
from cutaway.nn.recurrent import LSTM as LSTM
from cutaway.nn.recurrent import LastStep as LastStep
from cutaway.nn.recurrent import RNN as RNN
from cutaway.nn.recurrent import Recurrent as Recurrent
from cutaway.nn.regularization import SpatialDropout as SpatialDropout
from cutaway.nn.regularization import StochasticDepth as StochasticDepth
from cutaway.nn.rematerialize import Recompute as Recompute
from cutaway.nn.rematerialize import recompute as recompute
from cutaway.nn.rescaling import Blend as Blend
from cutaway.nn.rescaling import LearnedScale as LearnedScale
from cutaway.nn.rescaling import SmoothClip as SmoothClip
from cutaway.nn.resizing import StructureChange as StructureChange
from cutaway.nn.sharing import exclusive as exclusive
from cutaway.nn.sharing import snapshot as snapshot
from cutaway.nn.squeeze import SqueezeExcite as SqueezeExcite
from cutaway.nn.state import Buffer as Buffer
from cutaway.nn.state import Parameter as Parameter
from cutaway.nn.state import Variable as Variable
from cutaway.nn.state import named_variables as named_variables
from cutaway.nn.transformer import TransformerEncoder as TransformerEncoder
from cutaway.nn.transformer import TransformerEncoderLayer as TransformerEncoderLayer
from cutaway.nn.trees import detach as detach

__all__ = [
    "ACTIVATIONS",
    "ActivationLayer",
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
    "ELU",
    "Embedding",
    "Ensemble",
    "Flatten",
    "GELU",
    "GRU",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "HebbianNeuron",
    "INITIALIZERS",
    "Identity",
    "InstanceNorm",
    "LAYERS",
    "LSTM",
    "LastStep",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPositions",
    "LearnedScale",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MaxPool",
    "Mish",
    "Module",
    "MultiHeadAttention",
    "PReLU",
    "Parameter",
    "Perceptron",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "RMSNorm",
    "RNN",
    "ReLU",
    "ReLU6",
    "Recompute",
    "Recurrent",
    "Residual",
    "SELU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SineCosineEmbedding",
    "SinusoidalPositions",
    "SmoothClip",
    "Softmax",
    "Softplus",
    "SpatialDropout",
    "SqueezeExcite",
    "Standardize",
    "StochasticDepth",
    "StructureChange",
    "Summary",
    "Swish",
    "Tanh",
    "Threshold",
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
]
