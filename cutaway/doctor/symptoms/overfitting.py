"""overfitting: the network memorizes the training rows and gets worse on validation rows."""

import math

import numpy as np

from cutaway.doctor.changes import Epochs, Patience, SetDropout, WeightDecay
from cutaway.doctor.evidence import LEAST_EPOCHS, LEAST_ROWS
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import ask
from cutaway.doctor.training_plan import evenly_spaced
from cutaway.nn.trees import count_rows, take_rows

# Rise of the validation loss above its minimum, relative to chance level. A network trained to
# convergence also becomes more confident in its few errors. Of the 37 healthy programs in the
# doctor's suite (its `set` half) 35 rise by at most 0.05; one by 0.26 without a gap; one by 0.87.
RISE = 0.15
# How far the validation loss is above the training loss, relative to chance level.
GAP = 0.3
# Training squared error as a fraction of the validation one: below this, the network has fitted the
# noise of the training rows.
MEMORIZED = 0.02
# The rise must exceed this many standard errors: with few validation rows it may be chance.
ERRORS, RESAMPLES, ROWS = 2.0, 40, 2000
SMOOTH = 0.05  # fraction of the epochs over which the curve is averaged, against a lucky epoch


def look(evidence) -> Finding | None:
    """Compare the validation loss at its minimum and at the end, and the training loss."""
    if not math.isfinite(evidence.final_loss) or not math.isfinite(evidence.scale):
        return None
    if evidence.plan.rows < LEAST_ROWS:
        return None
    validated = evidence.validated
    losses = validated.losses[np.isfinite(validated.losses)]
    if len(losses) < LEAST_EPOCHS or len(losses) < len(validated.losses):
        return None
    curve = smoothed(losses)
    lowest, last = float(curve.min()), float(curve[-1])
    best_epoch, last_epoch = (validated.rows[k]["epoch"] for k in (int(curve.argmin()), -1))
    rows = evenly_spaced(count_rows(validated.training), ROWS)
    trained = evidence.loss_of(validated.trainer, *take_rows(validated.training, rows))
    now = evidence.loss_of(validated.trainer, *validated.validation)
    scale = evidence.scale
    rise, gap = (last - lowest) / scale, (now - trained) / scale
    if gap < GAP or trained >= scale:  # above chance level nothing was memorized
        return None
    if now < lowest + RISE * scale or rise < RISE:  # or a callback restored the best weights
        are_numbers = all(head.task == "regression" for head in evidence.heads)
        memorized = are_numbers and trained < MEMORIZED * now
        if not memorized or now < lowest or best_epoch == last_epoch:
            return None
    elif not last - lowest > ERRORS * standard_error(evidence, validated):
        return None
    fraction = best_epoch / last_epoch
    return Finding(
        "overfitting",
        f"from epoch {best_epoch} of {last_epoch} on",
        [
            Measure("rise of the validation loss above its minimum, relative to chance level",
                    rise, RISE, "above", "35 of 37 healthy programs: at most 0.05"),
            Measure("gap between validation and training loss, relative to chance level", gap,
                    GAP),
            Measure("lowest validation loss", lowest),
            Measure("training loss at the end", trained),
        ],
        f"The validation loss is lowest in epoch {best_epoch}, {lowest:.3g}, and {last:.3g} at the "
        f"end; that of the training rows is {trained:.3g} there: the network fits the noise of the "
        "training rows.",
        [
            Prescription(f"stop where the validation loss is lowest, near epoch {best_epoch}",
                         (Epochs(max(fraction, 1 / last_epoch)),)),
            Prescription("stop early, when the validation loss stops falling", (Patience(10),)),
            Prescription("add dropout", (SetDropout(0.3),)),
            Prescription("add weight decay", (WeightDecay(0.1),)),
        ],
        0.7,
    )  # fmt: skip


def look_live(evidence) -> Finding | None:
    """While it trains: as `look`, if the curve of the validation loss rises at all."""
    losses = evidence.validated.losses
    if len(losses) < LEAST_EPOCHS or not np.isfinite(losses).all():
        return None
    curve = smoothed(losses)
    return look(evidence) if curve[-1] - curve.min() > RISE * evidence.scale else None


def standard_error(evidence, validated) -> float:
    """Standard error of the validation loss, by the bootstrap."""
    trainer, examples = validated.trainer, take_rows(validated.validation, slice(ROWS))
    count, rng = count_rows(examples), np.random.default_rng(0)
    drawn = [rng.integers(0, count, count) for _ in range(RESAMPLES)]
    if not evidence.is_single:
        losses = [evidence.loss_of(trainer, *take_rows(examples, rows)) for rows in drawn]
        return float(np.nanstd(losses))
    x, y = examples
    out, loss = trainer.predict(x), evidence.heads[0].loss
    return float(np.nanstd([ask(loss, out[rows], y[rows]) for rows in drawn]))


def smoothed(losses) -> np.ndarray:
    """Centered running mean over a fraction SMOOTH of the epochs, shorter at the ends."""
    half = max(0, int(len(losses) * SMOOTH / 2))
    return np.array([losses[max(0, k - half) : k + half + 1].mean() for k in range(len(losses))])
