"""over_regularized: weight decay, a penalty or dropout is too strong for the network to learn."""

import dataclasses
import math

from cutaway.doctor.changes import NoPenalty, SetDropout, WeightDecay
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.training_plan import evenly_spaced
from cutaway.errors import CutawayError
from cutaway.nn import Dropout, SpatialDropout
from cutaway.nn.trees import count_rows, take_rows

EXPLAINS = ("stuck", "vanishing_gradient", "learning_rate_too_high")

# Minimum gain from removing the regularizer, on training and on validation rows, relative to chance
# level. Strong dropout that is justified raises the training loss but lowers the validation loss.
GAIN, VALIDATION_GAIN = 0.1, 0.1
ROWS = 2000
LEARNED = 0.1  # of the chance-level loss: a network below it was not held back


def look(evidence) -> Finding | None:
    """The same training without the regularizers, evaluated on validation rows."""
    active = regularizers(evidence.plan.program)
    if not active or not math.isfinite(evidence.final_loss + evidence.scale):
        return None
    if evidence.final_loss < LEARNED * evidence.scale or evidence.plan.rows < 20:
        return None
    validated = evidence.validated
    before = _losses(evidence, validated.trainer, validated)
    plan = evidence.plan
    x, y = validated.training
    free = dataclasses.replace(
        plan,
        program=freed(plan.program.copied()),
        x=x,
        y=y,
        batch_size=min(plan.batch_size, count_rows(x)),
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
                    "above", "the same plan without regularization"),
            Measure("validation loss without regularization", after[1]),
        ],
        f"Without {names} the same training reaches a lower loss on validation rows as well as on "
        "training rows: the regularization suppresses signal, not noise.",
        list(active.values()),
        0.85,
        cured=after[0] / before[0],
    )  # fmt: skip


def regularizers(program) -> dict:
    """{active regularizer, in words: Prescription that weakens it}."""
    found = {}
    rates = [m.p for m in _dropout_layers(program.net) if m.p > 0]
    if rates:
        weaker = Prescription("reduce dropout by at least half", (SetDropout(0.1),))
        found[f"dropout {max(rates):g}"] = weaker
    if program.optimizer.weight_decay > 0:
        name = f"weight decay {program.optimizer.weight_decay:g}"
        found[name] = Prescription("use a much smaller weight decay", (WeightDecay(0.0),))
    if program.penalty is not None:
        found["the penalty"] = Prescription(
            "remove the penalty or make it much smaller", (NoPenalty(),)
        )
    return found


def _dropout_layers(net) -> list:
    return [m for m in net.modules().values() if isinstance(m, Dropout | SpatialDropout)]


def freed(program):
    """The program without weight decay, penalty and dropout."""
    program.optimizer.weight_decay = 0.0
    for module in _dropout_layers(program.net):
        module.p = 0.0
    program.penalty = None
    return program


def _losses(evidence, trainer, validated):
    """(training loss, validation loss), in evaluation mode."""
    rows = evenly_spaced(count_rows(validated.training), ROWS)
    on_training = evidence.loss_of(trainer, *take_rows(validated.training, rows))
    return on_training, evidence.loss_of(trainer, *validated.validation)
