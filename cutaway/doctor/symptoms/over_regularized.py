"""Decay, penalty or dropout so strong that the network cannot learn what is there."""

import dataclasses
import math

import numpy as np

from cutaway.doctor.changes import NoPenalty, SetDropout, WeightDecay
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.program import rebuilt
from cutaway.errors import CutawayError

# What leaving the regularizer out must bring on training rows and on others, as shares of chance.
# Heavy dropout that is right raises the training loss as well, but lowers that on other rows.
GAIN, GAIN_ELSEWHERE = 0.1, 0.1
LEARNED = 0.1  # a training loss below this share of chance: nothing was held back


def look(evidence) -> Finding | None:
    """The same training without what holds the weights back, judged on rows that it did not see."""
    held_back = regularizers(evidence.program.trainer)
    if not held_back or not math.isfinite(evidence.final_loss + evidence.scale):
        return None
    if evidence.final_loss < LEARNED * evidence.scale or len(evidence.program.x) < 20:
        return None
    held = evidence.held
    before = _losses(evidence, held.trainer, held)
    program = evidence.program
    x, y = held.training
    free = dataclasses.replace(
        program,
        trainer=freed(program.fresh()),
        x=x,
        y=y,
        batch_size=min(program.batch_size, len(x)),
    )
    if held.trainer is not evidence.trainer:
        free = dataclasses.replace(free, validation=held.rest)
    try:
        free = free.run()
    except CutawayError:
        return None
    after = _losses(evidence, free, held)
    gains = [(b - a) / evidence.scale for b, a in zip(before, after, strict=True)]
    if not (gains[0] > GAIN and gains[1] > GAIN_ELSEWHERE):
        return None
    names = ", ".join(held_back)
    cures = []
    if "dropout" in names:
        cures.append(Prescription("halve the dropout at least", (SetDropout(0.1),)))
    if "decay" in names:
        cures.append(Prescription("take a far smaller weight decay", (WeightDecay(0.0),)))
    if "penalty" in names:
        cures.append(
            Prescription("leave out the penalty, or take a far smaller one", (NoPenalty(),))
        )
    return Finding(
        "over_regularized",
        names,
        [
            Measure("L on training rows", before[0], after[0] + GAIN * evidence.scale),
            Measure("L on rows that were not trained on", before[1],
                    after[1] + GAIN_ELSEWHERE * evidence.scale, "above",
                    "the same program without it"),
            Measure("the latter without it", after[1]),
        ],
        f"Without {names} the same training ends with a lower loss, and not on its own rows alone "
        "but on others too: it held back what can be learned, not chance.",
        cures,
        0.85,
        cured=after[0] / before[0],
    )  # fmt: skip


def regularizers(trainer) -> list:
    """What holds the weights back, in words: those that are strong enough to matter."""
    found = []
    if trainer.optimizer.weight_decay > 0:
        found.append(f"weight decay {trainer.optimizer.weight_decay:g}")
    if trainer.penalty is not None:
        found.append("the penalty")
    shares = [m.p for m in _droppers(trainer.net) if m.p > 0]
    if shares:
        found.append(f"dropout {max(shares):g}")
    return found


def _droppers(net) -> list:
    names = ("SetDropout", "SpatialDropout")
    return [m for m in net.modules().values() if type(m).__name__ in names]


def freed(trainer):
    """The trainer without decay, penalty and dropout."""
    trainer.optimizer.weight_decay = 0.0
    for module in _droppers(trainer.net):
        module.p = 0.0
    trainer.penalty = None
    return rebuilt(trainer)


def _losses(evidence, trainer, held):
    """(on training rows, on the others), in evaluation mode."""
    x, y = held.training
    rows = np.linspace(0, len(x) - 1, min(2000, len(x))).astype(int)
    return evidence.loss_of(trainer, x[rows], y[rows]), evidence.loss_of(trainer, *held.rest)
