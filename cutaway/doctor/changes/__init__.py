"""Changes to a training plan, which prescriptions make. Each returns a new TrainingPlan.

The plan that a change is applied to is not modified. Reinitialized weights are the same each time.
"""

from cutaway.doctor.changes.architecture import (
    InsertLayerNorm,
    MinimumNormMomentum,
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
    "BatchSize",
    "Change",
    "ClassWeights",
    "Clip",
    "ConstantRate",
    "Epochs",
    "InsertLayerNorm",
    "LearningRate",
    "MinimumNormMomentum",
    "NoPenalty",
    "OrthogonalRecurrence",
    "OutputActivation",
    "Patience",
    "Reinitialize",
    "ReplaceActivations",
    "ReplaceLoss",
    "ScaleInputs",
    "ScaleTargets",
    "SetDropout",
    "Unfreeze",
    "UseOptimizer",
    "WeightDecay",
    "Widen",
]
