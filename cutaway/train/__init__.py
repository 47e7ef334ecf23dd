"""Training: the Trainer, its compiled epochs, callbacks, checkpoints and history."""

from cutaway.train.callbacks import Callback, EarlyStopping, PlateauRate
from cutaway.train.checkpoint import Checkpoints
from cutaway.train.files import load_weights, save_weights, write_atomically
from cutaway.train.history import History
from cutaway.train.mix import CutMix, Mixup
from cutaway.train.probes import Probes
from cutaway.train.race import Race, Racer, race
from cutaway.train.trainer import Trainer

__all__ = [
    "Callback",
    "Checkpoints",
    "CutMix",
    "EarlyStopping",
    "History",
    "Mixup",
    "PlateauRate",
    "Race",
    "Racer",
    "Trainer",
    "load_weights",
    "race",
    "save_weights",
    "write_atomically",
]
