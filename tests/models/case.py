"""What the contract test over the catalog needs to know of one network.

Each file tests/models/cases_*.py has a list CASES of these.
"""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass
class Case:
    """A network of the catalog, in a size that the tests can train.

    Attributes:
        name: what the tests call it.
        build: function () -> the small network, made of the same parts as the known one.
        batch: function (rng) -> (x, y), a few rows that it can learn by heart.
        loss: what it is trained with.
        shapes: {stage: shape of its map for one row of `batch`}, worked out from the paper.
        full: function () -> the network in the paper's size; None where sizes are free.
        parameters: of `full`, from the paper or the oracle.
        lr: of Adam, with which it learns the batch by heart.
        steps: in how many.
    """

    name: str
    build: Callable
    batch: Callable
    loss: Callable
    shapes: dict = dataclasses.field(default_factory=dict)
    full: Callable | None = None
    parameters: int | None = None
    lr: float = 1e-3
    steps: int = 60
