# Written by scripts/write_stubs.py: do not edit.
from cutaway.optim.adam import Adam as Adam
from cutaway.optim.adam import AdamW as AdamW
from cutaway.optim.adam import Nadam as Nadam
from cutaway.optim.adaptive import Adadelta as Adadelta
from cutaway.optim.adaptive import Adagrad as Adagrad
from cutaway.optim.adaptive import RMSprop as RMSprop
from cutaway.optim.average import ExponentialAverage as ExponentialAverage
from cutaway.optim.clipping import ClipNorm as ClipNorm
from cutaway.optim.clipping import ClipValue as ClipValue
from cutaway.optim.hyperparameters import DecayRate as DecayRate
from cutaway.optim.hyperparameters import Hyperparameter as Hyperparameter
from cutaway.optim.hyperparameters import hyperparameters_of as hyperparameters_of
from cutaway.optim.optimizer import Optimizer as Optimizer
from cutaway.optim.optimizer import STEPS as STEPS
from cutaway.optim.schedules import Constant as Constant
from cutaway.optim.schedules import Cosine as Cosine
from cutaway.optim.schedules import CosineCycles as CosineCycles
from cutaway.optim.schedules import Exponential as Exponential
from cutaway.optim.schedules import FlatCosine as FlatCosine
from cutaway.optim.schedules import OneCycle as OneCycle
from cutaway.optim.schedules import ReduceOnPlateau as ReduceOnPlateau
from cutaway.optim.schedules import Schedule as Schedule
from cutaway.optim.schedules import StepDecay as StepDecay
from cutaway.optim.schedules import Warmup as Warmup
from cutaway.optim.sgd import AveragedMomentum as AveragedMomentum
from cutaway.optim.sgd import Momentum as Momentum
from cutaway.optim.sgd import Nesterov as Nesterov
from cutaway.optim.sgd import SGD as SGD

OPTIMIZERS: dict[str, type[Optimizer]]

__all__ = [
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "AveragedMomentum",
    "ClipNorm",
    "ClipValue",
    "Constant",
    "Cosine",
    "CosineCycles",
    "DecayRate",
    "Exponential",
    "ExponentialAverage",
    "FlatCosine",
    "Hyperparameter",
    "Momentum",
    "Nadam",
    "Nesterov",
    "OPTIMIZERS",
    "OneCycle",
    "Optimizer",
    "RMSprop",
    "ReduceOnPlateau",
    "SGD",
    "STEPS",
    "Schedule",
    "StepDecay",
    "Warmup",
    "hyperparameters_of",
]
