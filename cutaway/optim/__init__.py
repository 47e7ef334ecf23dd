"""Optimizers, schedules and gradient clipping."""

from cutaway.leaves import objects_of
from cutaway.optim.adam import Adam, AdamW, Nadam
from cutaway.optim.adaptive import Adadelta, Adagrad, RMSprop
from cutaway.optim.average import ExponentialAverage
from cutaway.optim.clipping import ClipNorm, ClipValue
from cutaway.optim.hyperparameters import DecayRate, Hyperparameter, hyperparameters_of
from cutaway.optim.optimizer import STEPS, Optimizer
from cutaway.optim.schedules import (
    Constant,
    Cosine,
    CosineCycles,
    Exponential,
    FlatCosine,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    Warmup,
)
from cutaway.optim.sgd import SGD, AveragedMomentum, Momentum, Nesterov

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "STEPS",
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
    "Exponential",
    "DecayRate",
    "ExponentialAverage",
    "FlatCosine",
    "Hyperparameter",
    "Momentum",
    "Nadam",
    "Nesterov",
    "OneCycle",
    "Optimizer",
    "RMSprop",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "Warmup",
    "hyperparameters_of",
]


def _is_named(value) -> bool:
    return (
        isinstance(value, type) and issubclass(value, Optimizer) and bool(vars(value).get("name"))
    )


_found = objects_of(__name__, __path__, _is_named)
_found.sort(key=lambda kind: STEPS.index(kind.steps))

# by their names on the command line and in config files: every class in this folder with a name
OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in _found}
globals().update({kind.__name__: kind for kind in _found})
