"""Training: the Trainer, its compiled epochs, callbacks, checkpoints, history and probes."""

from cutaway.files import write_atomically
from cutaway.train import loggers
from cutaway.train.adversarial import AdversarialProgram
from cutaway.train.blocks import ArrayRows, StreamRows
from cutaway.train.callbacks import Callback, EarlyStopping, GradualUnfreezing, PlateauRate
from cutaway.train.checkpoint import Checkpoints
from cutaway.train.history import History
from cutaway.train.live import LiveTraining
from cutaway.train.members import MembersProgram
from cutaway.train.mix import CutMix, Mixup
from cutaway.train.nan_origin import NanOrigin
from cutaway.train.probes import Probes
from cutaway.train.program import Program
from cutaway.train.requeue import Requeue
from cutaway.train.stepwise import Position, StepwiseTraining, TrainingState
from cutaway.train.trainer import Trainer

__all__ = [
    "AdversarialProgram",
    "ArrayRows",
    "Callback",
    "Checkpoints",
    "CutMix",
    "EarlyStopping",
    "GradualUnfreezing",
    "History",
    "LiveTraining",
    "Mixup",
    "NanOrigin",
    "PlateauRate",
    "Position",
    "Probes",
    "MembersProgram",
    "Program",
    "Requeue",
    "StepwiseTraining",
    "StreamRows",
    "Trainer",
    "TrainingState",
    "loggers",
    "write_atomically",
]
