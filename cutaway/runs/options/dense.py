"""Training options that masks, volumes and pairs of pictures share."""

import dataclasses

from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import AUGMENT, DENSE, MODEL, SIZE, Flag, option

WIDTH = Flag(
    "Channels of the first stage; each further stage has twice as many.",
    DENSE,
    metavar="N",
    default="16 for masks, 8 for volumes, 32 for pairs",
)


def expect_piece(size, axes: int) -> None:
    """Raise OptionError unless it is None, an integer or one for each axis."""
    if size is None:
        return
    sizes = (size,) * axes if isinstance(size, int) else tuple(size)
    if len(sizes) != axes:
        raise OptionError(f"size={size}", expected=f"an integer, or {axes} of them")
    for n in sizes:
        expect_range(n, what="size", least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenseOptions(TrainingOptions):
    """Training options where a prediction is made for each pixel; None: depends on the data.

    Attributes:
        model: name of the network.
        size: of the pieces that are trained on, in pixels, or one for each axis.
        width: channels of the first stage; each further stage has twice as many.
        augment: whether to augment.
        others: see TrainingOptions.
    """

    AXES = 2
    MODELS = ()
    LEAST_BATCH, MOST_BATCH = 4, 4

    weight_decay: float = 0.01
    dropout: float = 0.0
    validation: float = 0.15
    model: str = option("", MODEL)
    size: int | tuple | None = option(None, SIZE)
    width: int = option(16, WIDTH)
    augment: bool = option(True, AUGMENT)

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, self.MODELS, what="model")
        expect_piece(self.size, self.AXES)
        expect_range(self.width, what="width", least=1)

    def respec(self, spec):
        return super().respec(spec) | {"base": self.width}
