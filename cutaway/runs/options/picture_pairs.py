"""Training options for pairs of pictures."""

import dataclasses
import math

from cutaway.errors import expect_range
from cutaway.runs.options.dense import WIDTH, DenseOptions
from cutaway.runs.options.flags import DENSE, MODEL, Flag, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairOptions(DenseOptions):
    """Training options for pairs of pictures; None means a default that depends on the data.

    Attributes:
        model: "pix2pix", a generator trained against a discriminator, or "l1", the same generator
            trained on the absolute error alone.
        size: of the pictures as the network takes them; None: the original size, at most 128.
        dropout: of the generator's first three stages upward, as in the paper.
        reverse: whether input and target change places.
        discriminator_rate: learning rate of the discriminator, as a fraction of `lr`. The paper
            halves the discriminator's loss to slow it down, but Adam's steps do not depend on the
            size of a loss; and of a few hundred pairs it soon knows every real picture.
        others: see DenseOptions. The weights of the last epoch are kept: no loss of one epoch says
            how good a generator is.
    """

    MODELS = ("pix2pix", "l1")
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1200, 10, 400
    ADAPTIVE_RATE = 4e-4

    optimizer: str = "adam"
    dropout: float = 0.5
    width: int = option(32, WIDTH)
    model: str = option("pix2pix", MODEL)
    discriminator_rate: float = option(
        0.125, Flag("Learning rate of the discriminator, as a fraction of --lr.", DENSE)
    )
    reverse: bool = option(
        False,
        Flag("Make the first picture of each pair from the second.", DENSE, names=("--reverse",)),
    )

    def __post_init__(self):
        super().__post_init__()
        expect_range(self.discriminator_rate, what="discriminator rate", above=0, below=math.inf)

    def rate(self):
        return self.ADAPTIVE_RATE if self.lr is None else self.lr

    def make_optimizer(self, net, rows: int):
        from cutaway.optim import Adam, Cosine

        if self.optimizer != "adam":
            return super().make_optimizer(net, rows)
        steps = -(-rows // self.batch(rows)) * self.count_epochs(rows)
        schedule = Cosine(steps) if self.schedule == "cosine" else None
        return Adam(net, self.rate(), betas=(0.5, 0.999), schedule=schedule)

    def make_discriminator_optimizer(self, net, rows: int):
        """As make_optimizer, for the discriminator."""
        slower = dataclasses.replace(self, lr=self.rate() * self.discriminator_rate)
        return slower.make_optimizer(net, rows)
