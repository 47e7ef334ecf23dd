"""What a history of losses says in words: whether it overfits, and which weights were kept."""

import math

# How far the validation loss must rise above its lowest value: relative to that, and to the first.
RISE, OF_FIRST = 0.05, 0.01
NOTHING = 0.95  # of the loss of the best constant prediction
FALLING = 0.9  # of the training loss at the lowest validation loss: below it, rows are memorized
LATE = 10  # the end is the mean over one epoch in so many, against a lucky or unlucky one


def overfits(rows: list[dict], kept: int | None) -> str:
    """That the validation loss rises after its lowest value, with both numbers; "" if it does not.

    Args:
        rows: of a history, one per epoch.
        kept: the epoch whose weights were kept; None: the last.

    Example:
        >>> from cutaway.doctor.course import overfits
        >>> losses = [(0.7, 0.7), (0.4, 0.36), (0.1, 0.48)]
        >>> overfits([{"loss": t, "val_loss": v} for t, v in losses], 2)[-61:]
        'The weights that were kept are those of epoch 2, from before.'
    """
    losses = [row["val_loss"] for row in rows if "val_loss" in row]
    if len(losses) < len(rows) or len(losses) < 3 or not all(map(math.isfinite, losses)):
        return ""
    best = min(range(len(losses)), key=losses.__getitem__)
    lowest, last = losses[best], losses[-1]
    end = losses[-max(1, len(losses) // LATE) :]
    rise = min(last, sum(end) / len(end)) - lowest
    if rise <= RISE * abs(lowest) or rise <= OF_FIRST * abs(losses[0]):
        return ""
    then, now = rows[best]["loss"], rows[-1]["loss"]
    rises = f"the validation loss rises from {lowest:.3g} there to {last:.3g} in epoch {len(rows)}"
    if now < FALLING * then:
        found = (
            f"After epoch {best + 1} it overfits: {rises}, while the training loss falls from "
            f"{then:.3g} to {now:.3g}."
        )
    else:
        found = f"After epoch {best + 1} it gets no better: {rises}."
    if kept is None or kept == len(rows):
        return f"{found} The weights are those of the last epoch."
    when = ", from before" if kept <= best + 1 else f", with {losses[kept - 1]:.3g}"
    return f"{found} The weights that were kept are those of epoch {kept}{when}."


def learned_nothing(evidence) -> str:
    """That the training rows are predicted no better than by a constant; "" if they are."""
    if evidence.trouble is not None or not math.isfinite(evidence.chance_loss):
        return ""
    loss, chance = evidence.final_loss, evidence.chance_loss
    if chance <= 0 or not loss > NOTHING * chance:
        return ""
    return (
        f"its loss on the training rows is {loss:.3g}, and that of the best constant prediction "
        f"is {chance:.3g}: it underfits, or the inputs say nothing about the target."
    )
