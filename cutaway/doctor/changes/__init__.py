"""Changes of a training program: what prescriptions do. Each returns a new Program.

The Program that a change is applied to stays as it is. Weights that are drawn anew are the same
each time.
"""

from cutaway.doctor.changes.architecture import (
    FollowFaster,
    InsertLayerNorm,
    OrthogonalRecurrence,
    OutputActivation,
    Reinitialize,
    ReplaceActivations,
    SetDropout,
    Widen,
)
from cutaway.doctor.changes.base import Change
from cutaway.doctor.changes.data import (
    ClassWeights,
    ReplaceLoss,
    ScaleInputs,
    ScaleTargets,
)
from cutaway.doctor.changes.length import (
    BatchSize,
    Epochs,
    Patience,
)
from cutaway.doctor.changes.optimizer import (
    Clip,
    ConstantRate,
    LearningRate,
    NoPenalty,
    Unfreeze,
    UseOptimizer,
    WeightDecay,
)

__all__ = [
    "ReplaceActivations",
    "BatchSize",
    "Change",
    "ClassWeights",
    "Clip",
    "ConstantRate",
    "SetDropout",
    "Epochs",
    "FollowFaster",
    "InsertLayerNorm",
    "LearningRate",
    "NoPenalty",
    "OrthogonalRecurrence",
    "OutputActivation",
    "Patience",
    "Reinitialize",
    "ReplaceLoss",
    "ScaleInputs",
    "ScaleTargets",
    "Unfreeze",
    "UseOptimizer",
    "WeightDecay",
    "Widen",
]
