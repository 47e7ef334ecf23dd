"""Look: what of the networks is on the screen, and so in the frames."""

from typing import Literal

import msgspec


class Look(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What is looked at. The page says it; the session computes nothing else.

    Attributes:
        views: names of the views on the screen.
        layer: path of the layer that is looked into; None: each view's own choice.
        row: number of the row within its set.
        set: of the rows.
        columns: of the inputs, those along and up the plane of the decision boundary.
        others: what the other inputs are on that plane: their mean, or those of the row.
        output: number of the output that boundary and words are of; None: the first one, or all.
        head: of an attention layer; None: all heads.
    """

    views: tuple[str, ...] = ()
    layer: str | None = None
    row: int = 0
    set: Literal["training", "validation"] = "training"
    columns: tuple[int, int] = (0, 1)
    others: Literal["mean", "row"] = "mean"
    output: int | None = None
    head: int | None = None
