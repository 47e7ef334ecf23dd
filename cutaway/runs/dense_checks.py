"""Checks of pictures with masks, and of what was trained on them."""

import dataclasses

import numpy as np

SHIFTS = 12  # pixels along each axis in which a shift is looked for
LEAST = 2  # pixels of a shift that is told
AGREEING = 0.6  # fraction of the examples that must show the same shift
BETTER = 1.15  # the edges must fit so much better there
EVERYWHERE, LESS = 0.995, 0.95  # fractions of one class: predicted at least, and true at most
FEW = 4  # examples with edges, below which nothing is said
WINS = 0.1  # loss of a discriminator that is hardly ever wrong
CHANCE = 0.6931  # ln 2


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that is wrong with the data of a run, or with what was trained on them.

    Attributes:
        code: a name, such as "shifted_masks".
        where: what it concerns, in words.
        measures: {what was measured: value}.
        explanation: a sentence.
        fix: what to do.
    """

    code: str
    where: str
    measures: dict[str, float]
    explanation: str
    fix: str

    def __str__(self):
        return f"{self.explanation} Fix: {self.fix}."


def shifted_masks(examples) -> Problem | None:
    """That masks lie beside their pictures; None if they do not.

    The edges of a mask are compared with those of its picture at all small shifts.

    Args:
        examples: (picture (height, width, channels), ids (height, width)).
    """
    found = [shift for x, y in examples if (shift := best_shift(x, y)) is not None]
    if len(found) < FEW:
        return None
    usual = max(set(found), key=found.count)
    near = [s for s in found if max(abs(s[0] - usual[0]), abs(s[1] - usual[1])) <= 1]
    if max(map(abs, usual)) < LEAST or len(near) < AGREEING * len(found):
        return None
    down, right = (f"{abs(n)} pixels {way[n < 0]}" for n, way in zip(
        usual, (("down", "up"), ("to the right", "to the left")), strict=True))  # fmt: skip
    return Problem(
        code="shifted_masks",
        where=f"{len(near)} of {len(found)} examples",
        measures={"shift in rows": usual[0], "in columns": usual[1]},
        explanation=f"Masks and pictures seem to be shifted: in {len(near)} of {len(found)} "
        "examples the edges of the mask fit those of the picture better if the mask is moved "
        f"{down} and {right}.",
        fix="look at the grid in report.html, and export the masks again",
    )


def best_shift(picture, ids) -> tuple[int, int] | None:
    """(rows, columns) by which a mask must be moved for its edges to fit; None if it is unclear.

    Example:
        >>> import numpy as np
        >>> from cutaway.runs.dense_checks import best_shift
        >>> ids = np.zeros((64, 64), int)
        >>> ids[20:40, 24:50] = 1
        >>> best_shift(np.roll(90 * ids, (3, -4), (0, 1))[..., None], ids)
        (3, -4)
    """
    gray = picture.astype(np.float32).mean(axis=-1)
    if min(gray.shape) < 4 * SHIFTS:
        return None
    slopes = _slopes(gray)
    edges = ((_slopes(ids.astype(np.float32)) > 0) * 1.0).astype(np.float32)
    if not edges.any() or not slopes.any():
        return None
    inner = edges[SHIFTS:-SHIFTS, SHIFTS:-SHIFTS]
    height, width = inner.shape
    scores = {}
    for down in range(-SHIFTS, SHIFTS + 1):
        for right in range(-SHIFTS, SHIFTS + 1):
            top, left = SHIFTS + down, SHIFTS + right
            window = slopes[top : top + height, left : left + width]
            scores[down, right] = float((window * inner).sum() / max(window.mean(), 1e-6))
    best = max(scores, key=scores.__getitem__)
    if best != (0, 0) and scores[best] < BETTER * scores[0, 0]:
        best = (0, 0)
    return best


def _slopes(values) -> np.ndarray:
    """|difference| to the neighbors below and to the right."""
    down = np.abs(np.diff(values, axis=0, append=values[-1:]))
    right = np.abs(np.diff(values, axis=1, append=values[:, -1:]))
    return down + right


def one_class_predicted(counts, names) -> Problem | None:
    """That a network predicts one class everywhere, or all but everywhere.

    Args:
        counts: (classes, classes), by true and predicted class.
        names: of the classes.
    """
    total = max(1, counts.sum())
    predicted, true = counts.sum(axis=0) / total, counts.sum(axis=1) / total
    usual = int(predicted.argmax())
    name, part = names[usual], float(predicted[usual])
    is_all = part == 1 and true.max() < 1
    if not is_all and (part < EVERYWHERE or true[usual] > LESS):
        return None
    where = "everywhere" if is_all else f"for {part:.1%} of all pixels"
    return Problem(
        code="one_class_predicted",
        where=f"class {name}",
        measures={f"fraction of {name}, true": float(true[usual]), "predicted": part},
        explanation=f"The network predicts {name!r} {where}.",
        fix="train longer or with a lower --lr, and check that masks and pictures belong together",
    )


def winning_discriminator(history) -> Problem | None:
    """That the discriminator of an adversarial training wins."""
    if "loss_discriminator" not in history.columns:
        return None
    last = np.asarray(history["loss_discriminator"], float)[-max(1, len(history) // 4) :]
    if not len(last) or last.mean() > WINS:
        return None
    return Problem(
        code="winning_discriminator",
        where="discriminator",
        measures={"loss of the discriminator at the end": float(last.mean()), "chance": CHANCE},
        explanation="The discriminator is hardly ever wrong, so that the generator learns little "
        "from it.",
        fix="use more pairs, or a smaller --width",
    )
