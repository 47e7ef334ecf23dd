"""Permutation importance: how much worse a run predicts when one part of its inputs is shuffled.

Breiman 2001, "Random forests", Machine Learning 45, section 10; of the validation rows, as Fisher,
Rudin & Dominici 2019, "All models are wrong, but many are useful", JMLR 20, advise.
"""

import dataclasses
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from cutaway.runs.preprocessing import Reasons
from cutaway.story.html import Markup, table
from cutaway.story.text import number

REPEATS = 10
MOST_ROWS = 500  # validation rows that are used
MOST_PREDICTIONS = 400_000  # rows predicted in all; with many parts there are fewer repeats
FEWEST = 3  # repeats, below which there is no spread
SHOWN = 30  # parts in the table


@dataclasses.dataclass(frozen=True)
class Importance:
    """By how much the error rises when one part of the inputs is shuffled over the rows.

    Attributes:
        name: of the part.
        mean: of the rises over the repeats, in the unit of the error.
        std: their standard deviation.
    """

    name: str
    mean: float
    std: float


def permutation_importance(
    predict: Callable[[np.ndarray], np.ndarray],
    error: Callable[[np.ndarray], float],
    x: np.ndarray,
    parts: Sequence[tuple[str, tuple]],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
) -> list[Importance]:
    """The Importance of each part, the largest first.

    Args:
        predict: function of inputs -> outputs, row by row.
        error: function of the outputs of all rows.
        x: (rows, ...) inputs.
        parts: (name, index): the index behind that of the row, so x[:, *index] is the part.

    Example:
        >>> import numpy as np
        >>> from cutaway.runs.importance import permutation_importance
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> found = permutation_importance(
        ...     lambda x: 3 * x[:, 0], lambda out: float(np.abs(out - 3 * x[:, 0]).mean()),
        ...     x, [("used", (0,)), ("unused", (1,))],
        ... )
        >>> [one.name for one in found], found[1].mean
        (['used', 'unused'], 0.0)
    """
    rng = np.random.default_rng(seed)
    rows = len(x)
    orders = [rng.permutation(rows) for _ in range(repeats)]
    before, found = error(predict(x)), []
    for name, index in parts:
        place = (slice(None), *index)
        shuffled = np.repeat(x[None], repeats, axis=0)
        for k, order in enumerate(orders):
            shuffled[k][place] = x[place][order]
        outputs = predict(shuffled.reshape(repeats * rows, *x.shape[1:]))
        each = [error(outputs[k * rows : (k + 1) * rows]) - before for k in range(repeats)]
        found.append(Importance(name, float(np.mean(each)), float(np.std(each, ddof=1))))
    return sorted(found, key=lambda one: -one.mean)


def importance_reasons(
    predictor,
    x,
    truth,
    parts,
    classes,
    *,
    examples: str,
    target: str,
    columns: str = "column",
    which: str = "validation",
) -> Reasons:
    """Which parts of the inputs the predictions rest on; nothing if there are none to compare.

    Args:
        predictor: function of indices of rows -> function that predicts inputs in place of these
            rows, or of several copies of them in a row, as Run.outputs does of any.
        x: (rows, ...) encoded validation inputs.
        truth: (rows,) class numbers, or (rows, ...) values.
        parts: see `permutation_importance`.
        classes: names of the classes, or None.
        examples: what an example is, in the plural.
        target: what is predicted.
        columns: what a part is.
        which: of the examples these are, for the network that predicts.
    """
    rows = min(len(x), MOST_ROWS)
    repeats = min(REPEATS, MOST_PREDICTIONS // max(1, rows * len(parts)))
    if len(parts) < 2 or rows < 2 or repeats < FEWEST:
        return Reasons()
    chosen = np.unique(np.linspace(0, len(x) - 1, rows).round().astype(int))
    x, truth, predict = x[chosen], truth[chosen], predictor(chosen)
    if classes is None:
        unit = "mean absolute error"

        def error(outputs):
            return float(np.abs(outputs - truth).mean())
    else:
        unit = "log loss"

        def error(outputs):
            p = np.clip(outputs[np.arange(len(truth)), truth], 1e-15, 1)
            return float(-np.log(p).mean())

    found = permutation_importance(predict, error, x, parts, repeats=repeats)
    before = error(predict(x))
    lead = (
        f"Each {columns} of {len(x):,} {which} {examples} was shuffled {repeats} times: by how "
        f"much the {unit} of {target}, {number(before)} as it is, rises then. ± is the standard "
        f"deviation over the shuffles. A {columns} near 0 is not needed: the network does not use "
        "it, or the others say the same."
    )
    largest = max(one.mean for one in found)
    body = [
        (one.name, Markup(_bar(one.mean, largest)), f"{number(one.mean, 3)} ± {number(one.std, 2)}")
        for one in found[:SHOWN]
    ]
    more = ""
    if len(found) > SHOWN:
        more = f'<p class="soft">And {len(found) - SHOWN} more, which matter less.</p>'
    shown = table((columns, "", f"rise of the {unit}"), body, numbers=(2,))
    lead = f'<p class="soft">{escape(lead)}</p>{_first(found, before, unit)}'
    title = f"{columns.capitalize()}s that matter"
    return Reasons([(title, f"{lead}{shown}{more}")], [one.name for one in found])


def _first(found, before: float, unit: str) -> str:
    """The most important part in a sentence, if it stands out from chance."""
    best = found[0]
    if best.mean <= 2 * best.std or best.mean <= 0:
        return "<p>None of them changes the error by more than chance does.</p>"
    return (
        f"<p><b>{escape(best.name)}</b> matters most: shuffled, it raises the {unit} from "
        f"{number(before, 3)} to {number(before + best.mean, 3)}.</p>"
    )


def _bar(value: float, largest: float) -> str:
    width = 0.0 if largest <= 0 else 100 * max(0.0, value) / largest
    return f'<div class="bar"><div style="width:{width:.1f}%"></div></div>'
