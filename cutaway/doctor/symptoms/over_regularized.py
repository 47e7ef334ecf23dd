"""over_regularized: weight decay, a penalty or dropout is too strong for the network to learn."""

import dataclasses
import math

import numpy as np

from cutaway.doctor.changes import NoPenalty, SetDropout, WeightDecay
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.training_plan import rebuilt
from cutaway.errors import CutawayError
from cutaway.nn import Dropout, SpatialDropout

EXPLAINS = ("stuck", "vanishing_gradient", "learning_rate_too_high")

# Minimum gain from removing the regularizer, on training and on validation rows, relative to chance
# level. Strong dropout that is justified raises the training loss but lowers the validation loss.
GAIN, VALIDATION_GAIN = 0.1, 0.1
LEARNED = 0.1  # of the chance-level loss: a network below it was not held back


def look(evidence) -> Finding | None:
    """The same training without the regularizers, evaluated on validation rows."""
    active = regularizers(evidence.program.trainer)
    if not active or not math.isfinite(evidence.final_loss + evidence.scale):
        return None
    if evidence.final_loss < LEARNED * evidence.scale or len(evidence.program.x) < 20:
        return None
    validated = evidence.validated
    before = _losses(evidence, validated.trainer, validated)
    program = evidence.program
    x, y = validated.training
    free = dataclasses.replace(
        program,
        trainer=freed(program.fresh()),
        x=x,
        y=y,
        batch_size=min(program.batch_size, len(x)),
    )
    if validated.trainer is not evidence.trainer:
        free = dataclasses.replace(free, validation=validated.validation)
    try:
        free = free.run()
    except CutawayError:
        return None
    after = _losses(evidence, free, validated)
    gains = [(b - a) / evidence.scale for b, a in zip(before, after, strict=True)]
    if not (gains[0] > GAIN and gains[1] > VALIDATION_GAIN):
        return None
    names = ", ".join(active)
    return Finding(
        "over_regularized",
        names,
        [
            Measure("training loss", before[0], after[0] + GAIN * evidence.scale),
            Measure("validation loss", before[1], after[1] + VALIDATION_GAIN * evidence.scale,
                    "above", "the same program without regularization"),
            Measure("validation loss without regularization", after[1]),
        ],
        f"Without {names} the same training reaches a lower loss on validation rows as well as on "
        "training rows: the regularization suppresses signal, not noise.",
        list(active.values()),
        0.85,
        cured=after[0] / before[0],
    )  # fmt: skip


def regularizers(trainer) -> dict:
    """{active regularizer, in words: Prescription that weakens it}."""
    found = {}
    rates = [m.p for m in _dropout_layers(trainer.net) if m.p > 0]
    if rates:
        weaker = Prescription("reduce dropout by at least half", (SetDropout(0.1),))
        found[f"dropout {max(rates):g}"] = weaker
    if trainer.optimizer.weight_decay > 0:
        name = f"weight decay {trainer.optimizer.weight_decay:g}"
        found[name] = Prescription("use a much smaller weight decay", (WeightDecay(0.0),))
    if trainer.penalty is not None:
        found["the penalty"] = Prescription(
            "remove the penalty or make it much smaller", (NoPenalty(),)
        )
    return found


def _dropout_layers(net) -> list:
    return [m for m in net.modules().values() if isinstance(m, Dropout | SpatialDropout)]


def freed(trainer):
    """The trainer without weight decay, penalty and dropout."""
    trainer.optimizer.weight_decay = 0.0
    for module in _dropout_layers(trainer.net):
        module.p = 0.0
    trainer.penalty = None
    return rebuilt(trainer)


def _losses(evidence, trainer, validated):
    """(training loss, validation loss), in evaluation mode."""
    x, y = validated.training
    rows = np.linspace(0, len(x) - 1, min(2000, len(x))).astype(int)
    on_training = evidence.loss_of(trainer, x[rows], y[rows])
    return on_training, evidence.loss_of(trainer, *validated.validation)
