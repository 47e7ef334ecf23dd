# Written by scripts/write_stubs.py: do not edit.
from typing import Any

from cutaway.diagram import draw as draw
from cutaway.doctor import diagnose as diagnose
from cutaway.doctor import treat as treat
from cutaway.engine import Tensor as Tensor
from cutaway.engine import check_gradient as check_gradient
from cutaway.engine import float64 as float64
from cutaway.engine import gradients as gradients
from cutaway.engine import no_grad as no_grad
from cutaway.engine.operation import operation as operation
from cutaway.estimators import Classifier as Classifier
from cutaway.estimators import ImageClassifier as ImageClassifier
from cutaway.estimators import Regressor as Regressor
from cutaway.estimators import TextClassifier as TextClassifier
from cutaway.estimators import TextRegressor as TextRegressor
from cutaway.explain import attribute as attribute
from cutaway.explain import explain_update as explain_update
from cutaway.landscape import curvature as curvature
from cutaway.landscape import loss_surface as loss_surface
from cutaway.landscape import race as race
from cutaway.models import features_of as features_of
from cutaway.models import network as network
from cutaway.models import transfer as transfer
from cutaway.nn import ActivationLayer as ActivationLayer
from cutaway.nn import AdaptiveAvgPool as AdaptiveAvgPool
from cutaway.nn import Add as Add
from cutaway.nn import AllSteps as AllSteps
from cutaway.nn import AvgPool as AvgPool
from cutaway.nn import BatchEnsembleLinear as BatchEnsembleLinear
from cutaway.nn import BatchNorm as BatchNorm
from cutaway.nn import Blend as Blend
from cutaway.nn import Buffer as Buffer
from cutaway.nn import ColumnLinear as ColumnLinear
from cutaway.nn import Compiled as Compiled
from cutaway.nn import Conv1d as Conv1d
from cutaway.nn import Conv2d as Conv2d
from cutaway.nn import Conv3d as Conv3d
from cutaway.nn import ConvTranspose1d as ConvTranspose1d
from cutaway.nn import ConvTranspose2d as ConvTranspose2d
from cutaway.nn import ConvTranspose3d as ConvTranspose3d
from cutaway.nn import Dropout as Dropout
from cutaway.nn import ELU as ELU
from cutaway.nn import Embedding as Embedding
from cutaway.nn import Ensemble as Ensemble
from cutaway.nn import Flatten as Flatten
from cutaway.nn import GELU as GELU
from cutaway.nn import GRU as GRU
from cutaway.nn import GlobalAvgPool as GlobalAvgPool
from cutaway.nn import GlobalMaxPool as GlobalMaxPool
from cutaway.nn import GroupNorm as GroupNorm
from cutaway.nn import HardSigmoid as HardSigmoid
from cutaway.nn import HardSwish as HardSwish
from cutaway.nn import HebbianNeuron as HebbianNeuron
from cutaway.nn import Identity as Identity
from cutaway.nn import InstanceNorm as InstanceNorm
from cutaway.nn import LSTM as LSTM
from cutaway.nn import LastStep as LastStep
from cutaway.nn import LayerNorm as LayerNorm
from cutaway.nn import LeakyReLU as LeakyReLU
from cutaway.nn import LearnedPositions as LearnedPositions
from cutaway.nn import LearnedScale as LearnedScale
from cutaway.nn import Linear as Linear
from cutaway.nn import LocalResponseNorm as LocalResponseNorm
from cutaway.nn import LogSoftmax as LogSoftmax
from cutaway.nn import MaxPool as MaxPool
from cutaway.nn import Mish as Mish
from cutaway.nn import Module as Module
from cutaway.nn import MultiHeadAttention as MultiHeadAttention
from cutaway.nn import PReLU as PReLU
from cutaway.nn import Parameter as Parameter
from cutaway.nn import Perceptron as Perceptron
from cutaway.nn import PeriodicEmbedding as PeriodicEmbedding
from cutaway.nn import PiecewiseLinearEmbedding as PiecewiseLinearEmbedding
from cutaway.nn import RMSNorm as RMSNorm
from cutaway.nn import RNN as RNN
from cutaway.nn import ReLU as ReLU
from cutaway.nn import ReLU6 as ReLU6
from cutaway.nn import Recompute as Recompute
from cutaway.nn import Recurrent as Recurrent
from cutaway.nn import Residual as Residual
from cutaway.nn import SELU as SELU
from cutaway.nn import Sequential as Sequential
from cutaway.nn import SiLU as SiLU
from cutaway.nn import Sigmoid as Sigmoid
from cutaway.nn import SineCosineEmbedding as SineCosineEmbedding
from cutaway.nn import SinusoidalPositions as SinusoidalPositions
from cutaway.nn import SmoothClip as SmoothClip
from cutaway.nn import Softmax as Softmax
from cutaway.nn import Softplus as Softplus
from cutaway.nn import SpatialDropout as SpatialDropout
from cutaway.nn import SqueezeExcite as SqueezeExcite
from cutaway.nn import Standardize as Standardize
from cutaway.nn import StochasticDepth as StochasticDepth
from cutaway.nn import StructureChange as StructureChange
from cutaway.nn import Summary as Summary
from cutaway.nn import Swish as Swish
from cutaway.nn import Tanh as Tanh
from cutaway.nn import Threshold as Threshold
from cutaway.nn import TransformerEncoder as TransformerEncoder
from cutaway.nn import TransformerEncoderLayer as TransformerEncoderLayer
from cutaway.nn import Upsample as Upsample
from cutaway.nn import Variable as Variable
from cutaway.nn import detach as detach
from cutaway.nn import init as init
from cutaway.nn import jit as jit
from cutaway.nn import recompute as recompute
from cutaway.nn import seed as seed
from cutaway.ops.precision import matmul_precision as matmul_precision
from cutaway.optim import Adadelta as Adadelta
from cutaway.optim import Adagrad as Adagrad
from cutaway.optim import Adam as Adam
from cutaway.optim import AdamW as AdamW
from cutaway.optim import AveragedMomentum as AveragedMomentum
from cutaway.optim import ClipNorm as ClipNorm
from cutaway.optim import ClipValue as ClipValue
from cutaway.optim import Constant as Constant
from cutaway.optim import Cosine as Cosine
from cutaway.optim import CosineCycles as CosineCycles
from cutaway.optim import DecayRate as DecayRate
from cutaway.optim import Exponential as Exponential
from cutaway.optim import ExponentialAverage as ExponentialAverage
from cutaway.optim import FlatCosine as FlatCosine
from cutaway.optim import Hyperparameter as Hyperparameter
from cutaway.optim import Momentum as Momentum
from cutaway.optim import Nadam as Nadam
from cutaway.optim import Nesterov as Nesterov
from cutaway.optim import OneCycle as OneCycle
from cutaway.optim import Optimizer as Optimizer
from cutaway.optim import RMSprop as RMSprop
from cutaway.optim import ReduceOnPlateau as ReduceOnPlateau
from cutaway.optim import SGD as SGD
from cutaway.optim import Schedule as Schedule
from cutaway.optim import StepDecay as StepDecay
from cutaway.optim import Warmup as Warmup
from cutaway.runs import Run as Run
from cutaway.runs import TableOptions as TableOptions
from cutaway.runs import push_to_hub as push_to_hub
from cutaway.runs import train_table as train_table
from cutaway.runtime import cache_programs as cache_programs
from cutaway.runtime import device as device
from cutaway.runtime import distributed as distributed
from cutaway.runtime import use_device as use_device
from cutaway.search import compare as compare
from cutaway.search import tune as tune
from cutaway.story import write_page as write_page
from cutaway.train import Callback as Callback
from cutaway.train import Checkpoints as Checkpoints
from cutaway.train import CutMix as CutMix
from cutaway.train import EarlyStopping as EarlyStopping
from cutaway.train import GradualUnfreezing as GradualUnfreezing
from cutaway.train import History as History
from cutaway.train import Mixup as Mixup
from cutaway.train import Probes as Probes
from cutaway.train import Trainer as Trainer
from cutaway.train import loggers as loggers
from cutaway.weights import load_into as load_into
from cutaway.weights import load_weights as load_weights
from cutaway.weights import read_weights as read_weights
from cutaway.weights import save_weights as save_weights
from cutaway import data as data
from cutaway import doctor as doctor
from cutaway import errors as errors
from cutaway import diagram as diagram
from cutaway import estimators as estimators
from cutaway import export as export
from cutaway import files as files
from cutaway import landscape as landscape
from cutaway import losses as losses
from cutaway import metrics as metrics
from cutaway import models as models
from cutaway import nn as nn
from cutaway import ops as ops
from cutaway import optim as optim
from cutaway import runs as runs
from cutaway import search as search
from cutaway import story as story
from cutaway import train as train
from cutaway import weights as weights

__version__: str
CALLABLE_PACKAGES: tuple[str, ...]

class explain:
    """Open a network for one example or a batch of them."""
    from cutaway.explain.attribution_story import Attribution as Attribution
    from cutaway.explain.sequences import AttentionMaps as AttentionMaps
    from cutaway.explain.convolution_window import ConvolutionWindow as ConvolutionWindow
    from cutaway.explain.explanation import Explanation as Explanation
    from cutaway.explain.gradient import Factor as Factor
    from cutaway.explain.convolution_views import FeatureMaps as FeatureMaps
    from cutaway.explain.convolution_views import Filters as Filters
    from cutaway.explain.flow import FlowStory as FlowStory
    from cutaway.explain.forward import ForwardStory as ForwardStory
    from cutaway.explain.gates import Gates as Gates
    from cutaway.explain.gradcam import GradCam as GradCam
    from cutaway.explain.gradient import GradientStory as GradientStory
    from cutaway.explain.sequences import HiddenStates as HiddenStates
    from cutaway.explain.joint_attribution import JointAttribution as JointAttribution
    from cutaway.explain.layer_story import LayerStory as LayerStory
    from cutaway.explain.loss_story import LossStory as LossStory
    from cutaway.explain.gradient import Path as Path
    from cutaway.explain.pixels import PixelEvidence as PixelEvidence
    from cutaway.explain.rule_story import RuleStory as RuleStory
    from cutaway.explain.through_time import ThroughTime as ThroughTime
    from cutaway.explain.update_story import UpdateStory as UpdateStory
    from cutaway.explain.sequences import attention_maps as attention_maps
    from cutaway.explain.attribution import attribute as attribute
    from cutaway.explain.update import explain_update as explain_update
    from cutaway.explain.convolution_views import feature_maps as feature_maps
    from cutaway.explain.convolution_views import filters as filters
    from cutaway.explain.gradcam import grad_cam as grad_cam
    from cutaway.explain.sequences import hidden_states as hidden_states
    from cutaway.explain.pixels import pixel_evidence as pixel_evidence
    def __new__(cls, net: Module, x, y=None, *, loss=None, objective=None, beside=None, names=None, symbol=None) -> Explanation: ...

class studio:
    """Open a studio: a network that trains before one's eyes, with every number one click away."""
    from cutaway.studio.open_studio import Studio as Studio
    def __new__(cls, what: Any=None, x: Any=None, y: Any=None, *, target: str | None=None, loss: Any=None, validation: Any=None, batch_size: int | None=None, seed: int | None=None, classes: list[str] | None=None, names: list[str] | None=None, title: str | None=None, **options: Any) -> Studio: ...

__all__ = [
    "ActivationLayer",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdaptiveAvgPool",
    "Add",
    "AllSteps",
    "AveragedMomentum",
    "AvgPool",
    "BatchEnsembleLinear",
    "BatchNorm",
    "Blend",
    "Buffer",
    "Callback",
    "Checkpoints",
    "Classifier",
    "ClipNorm",
    "ClipValue",
    "ColumnLinear",
    "Compiled",
    "Constant",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Cosine",
    "CosineCycles",
    "CutMix",
    "DecayRate",
    "Dropout",
    "ELU",
    "EarlyStopping",
    "Embedding",
    "Ensemble",
    "Exponential",
    "ExponentialAverage",
    "FlatCosine",
    "Flatten",
    "GELU",
    "GRU",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GradualUnfreezing",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "HebbianNeuron",
    "History",
    "Hyperparameter",
    "Identity",
    "ImageClassifier",
    "InstanceNorm",
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
    "Mixup",
    "Module",
    "Momentum",
    "MultiHeadAttention",
    "Nadam",
    "Nesterov",
    "OneCycle",
    "Optimizer",
    "PReLU",
    "Parameter",
    "Perceptron",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "Probes",
    "RMSNorm",
    "RMSprop",
    "RNN",
    "ReLU",
    "ReLU6",
    "Recompute",
    "Recurrent",
    "ReduceOnPlateau",
    "Regressor",
    "Residual",
    "Run",
    "SELU",
    "SGD",
    "Schedule",
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
    "StepDecay",
    "StochasticDepth",
    "StructureChange",
    "Summary",
    "Swish",
    "TableOptions",
    "Tanh",
    "Tensor",
    "TextClassifier",
    "TextRegressor",
    "Threshold",
    "Trainer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Upsample",
    "Variable",
    "Warmup",
    "__version__",
    "attribute",
    "cache_programs",
    "check_gradient",
    "compare",
    "curvature",
    "data",
    "detach",
    "device",
    "diagnose",
    "diagram",
    "distributed",
    "doctor",
    "draw",
    "errors",
    "estimators",
    "explain",
    "explain_update",
    "export",
    "features_of",
    "files",
    "float64",
    "gradients",
    "init",
    "jit",
    "landscape",
    "load_into",
    "load_weights",
    "loggers",
    "loss_surface",
    "losses",
    "matmul_precision",
    "metrics",
    "models",
    "network",
    "nn",
    "no_grad",
    "operation",
    "ops",
    "optim",
    "push_to_hub",
    "race",
    "read_weights",
    "recompute",
    "runs",
    "save_weights",
    "search",
    "seed",
    "story",
    "studio",
    "train",
    "train_table",
    "transfer",
    "treat",
    "tune",
    "use_device",
    "weights",
    "write_page",
]
