"""The training rows are learned by heart, at the cost of all others."""

import math

import numpy as np

from cutaway.doctor.changes import Epochs, Patience, SetDropout, WeightDecay
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import ask

# Rise of the loss on other rows since its lowest, as a share of chance. A network that is trained
# to the end also grows surer of its few mistakes. Of the 37 healthy programs of the doctor's suite
# (the half called set) 35 rise by at most 0.05; one by 0.26 without a gap; one by 0.87.
RISE = 0.15
# How much higher the loss on other rows is than on the training rows, as a share of chance.
GAP = 0.3
# A squared error on training rows that is so small a share of that on others: their noise, which
# no other rows have, was learned.
BY_HEART = 0.02
# Standard errors of that loss that the rise must be worth: a few held-out rows rise by bad luck.
ERRORS, RESAMPLES, ROWS = 2.0, 40, 2000
SMOOTH = 0.05  # share of the epochs over which the curve is averaged, against single good luck


def look(evidence) -> Finding | None:
    """The loss on rows that were not trained on: its lowest, its last, and that of training."""
    if not math.isfinite(evidence.final_loss) or not math.isfinite(evidence.scale):
        return None
    if len(evidence.program.x) < 20:
        return None
    held = evidence.held
    losses = held.losses[np.isfinite(held.losses)]
    if len(losses) < 5 or len(losses) < len(held.losses):
        return None
    curve = smoothed(losses)
    lowest, last = float(curve.min()), float(curve[-1])
    best_epoch = int(curve.argmin()) + 1
    rows = held.training
    rest = np.linspace(0, len(rows[0]) - 1, min(2000, len(rows[0]))).astype(int)
    trained = evidence.loss_of(held.trainer, rows[0][rest], rows[1][rest])
    now = evidence.loss_of(held.trainer, *held.rest)
    scale = evidence.scale
    rise, gap = (last - lowest) / scale, (now - trained) / scale
    if gap < GAP:
        return None
    if now < lowest + RISE * scale or rise < RISE:  # also if a callback brought the best back
        by_heart = evidence.task == "regression" and trained < BY_HEART * now
        if not by_heart or now < lowest or best_epoch == len(losses):
            return None
    elif not last - lowest > ERRORS * chance_error(held):
        return None
    share = best_epoch / len(losses)
    return Finding(
        "overfitting",
        f"from epoch {best_epoch} of {len(losses)} on",
        [
            Measure("rise of the loss on rows that were not trained on, in units of chance", rise,
                    RISE, "above", "35 of 37 healthy programs: at most 0.05"),
            Measure("their loss beyond that of training rows, in units of chance", gap, GAP),
            Measure("lowest L on them", lowest),
            Measure("L on training rows at the end", trained),
        ],
        f"On rows that it does not train on, L falls to {lowest:.3g} in epoch {best_epoch} and "
        f"then rises to {last:.3g}, while on training rows it goes on falling: it learns what is "
        "peculiar to these rows.",
        [
            Prescription(f"stop where the held-out loss is lowest, near epoch {best_epoch}",
                         (Epochs(max(share, 1 / len(losses))),)),
            Prescription("end the training when the held-out loss stops falling", (Patience(10),)),
            Prescription("leave out units at random in training", (SetDropout(0.3),)),
            Prescription("let the weights decay", (WeightDecay(0.1),)),
        ],
        0.7,
    )  # fmt: skip


def chance_error(held) -> float:
    """Standard error of the loss on the rows that were not trained on, by the bootstrap."""
    x, y = (np.asarray(part[:ROWS]) for part in held.rest)
    out, rng = held.trainer.predict(x), np.random.default_rng(0)
    drawn = [rng.integers(0, len(y), len(y)) for _ in range(RESAMPLES)]
    return float(np.nanstd([ask(held.trainer.loss, out[rows], y[rows]) for rows in drawn]))


def smoothed(losses) -> np.ndarray:
    """Running mean over a share SMOOTH of the epochs, centered, shorter at the ends."""
    half = max(0, int(len(losses) * SMOOTH / 2))
    return np.array([losses[max(0, k - half) : k + half + 1].mean() for k in range(len(losses))])
