"""Optimizers, schedules and gradient clipping."""

from cutaway.optim.adam import Adam, AdamW, Nadam
from cutaway.optim.adaptive import Adadelta, Adagrad, RMSprop
from cutaway.optim.average import ExponentialAverage
from cutaway.optim.clipping import ClipNorm, ClipValue
from cutaway.optim.optimizer import Optimizer
from cutaway.optim.schedules import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    Warmup,
)
from cutaway.optim.sgd import SGD, AveragedMomentum, Momentum, Nesterov

# by the names that the command line and config files use
OPTIMIZERS = {
    "sgd": SGD,
    "momentum": Momentum,
    "averaged_momentum": AveragedMomentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": Nadam,
}
