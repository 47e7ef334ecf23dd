"""Traits: what is known of an operation beside its arithmetic, declared where it is declared.

    @operation(activation=Activation("Sigmoid", symbol="σ", range=(0, 1), largest_slope=0.25))
    def sigmoid(z): ...

Explanations, probes, drawings and the doctor read them.
"""

import dataclasses
import math
from collections.abc import Callable

from cutaway.errors import expect_choice

# which elements of the inputs an element of the output depends on
EDGES = (
    "elementwise",  # the one in its own place, of each input
    "movement",  # one single element, by which it is: reshape, transpose, take
    "reduction",  # all along the reduced axes
    "pool",  # those of its window
    "product",  # a row of the first input and a column of the second
    "convolution",  # those under the kernel, and the kernel's
    "rowwise",  # all of its row, along the last axis
    "any",  # nothing is known: maybe all
)

ROLES = (
    "arithmetic",  # +, −, ×, ...: how things are put together, no function of one value
    "weights",  # where weights meet activations: what begins a layer
    "norm",  # scales by statistics
    "choice",  # an element is that of one of the inputs, unchanged: where, maximum
    "lookup",  # rows of a table, by their indices
    "part",  # a part of its input, the one that its option `index` names
)


@dataclasses.dataclass(frozen=True)
class Activation:
    """What a neuron's function does to signals and gradients.

    Attributes:
        title: the field's name of it, which is also its layer's.
        range: infimum and supremum of its values, with its options as they are by default.
        largest_slope: supremum of |act'(z)|.
        turns_off: whether the slope is exactly 0 over a range where a unit can rest for good.
        rectifies: whether it passes z > 0 on and holds back z < 0, more or less.
        initializer: name in nn.init of the weights behind which signals keep their size; None:
            He's for those that rectify, else Glorot's.
        symbol: in formulas; None: the operation's name.
        changes_nothing: whether it is the identity.
        own_slope: for a function of a whole row: the slope of each output by the input in its own
            place, computed from the outputs; None: unknown, or a function of one value.
    """

    title: str
    range: tuple[float, float] = (-math.inf, math.inf)
    largest_slope: float = 1.0
    turns_off: bool = False
    rectifies: bool = False
    initializer: str | None = None
    symbol: str | None = None
    changes_nothing: bool = False
    own_slope: Callable | None = None

    @property
    def fitting_initializer(self) -> str:
        """`initializer`, or the usual one: "he_normal", "glorot_normal"."""
        return self.initializer or ("he_normal" if self.rectifies else "glorot_normal")

    @property
    def saturates(self) -> bool:
        """Whether it flattens out smoothly on both sides, so that far out nothing is learned."""
        return all(map(math.isfinite, self.range)) and not self.turns_off


@dataclasses.dataclass(frozen=True)
class Traits:
    """What is known of an operation.

    Attributes:
        edges: which elements of the inputs an element of the output depends on, see EDGES.
        role: what it is in a network, see ROLES; None: nothing of these.
        sign: how drawings and formulas write it between its inputs, "+"; None: by its name.
        neutral: the number that changes nothing as one of its two inputs: 0 of a sum; None: none.
        plumbing: whether it only changes the shape, which says nothing about an architecture.
        activation: what it is as a neuron's function; None: it is none.
    """

    edges: str = "any"
    role: str | None = None
    sign: str | None = None
    neutral: float | None = None
    plumbing: bool = False
    activation: Activation | None = None

    @property
    def is_function(self) -> bool:
        """Whether it is a function of one value, with one slope for each element."""
        return self.edges == "elementwise" and self.role is None

    def __post_init__(self):
        expect_choice(self.edges, EDGES, what="an operation's edges")
        if self.role is not None:
            expect_choice(self.role, ROLES, what="an operation's role")
