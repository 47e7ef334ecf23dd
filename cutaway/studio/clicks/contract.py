"""What can be clicked in the studio, and what a click shows: a story of `ct.explain`."""

import dataclasses
from typing import Any, ClassVar

from cutaway.explain import Explanation
from cutaway.optim import Optimizer
from cutaway.studio.subject import Subject
from cutaway.train import Program


@dataclasses.dataclass
class ClickedPlace:
    """A click, with the network it was on, as it was at that moment.

    Attributes:
        subject: data and names.
        why: the Explanation of the row that was looked at, in float64, of a copy of the network.
        optimizer: of that copy, in its state at that moment; None: it is not trained.
        path: of the parameter or layer.
        index: of the element in it.
        row: of the example, in the subject's arrays.
        batch: the next step's (x, y) as the program takes them, for what the optimizer does next.
        program: the copy that was opened, which `optimizer` belongs to; None: an update is told
            by the gradient of the row alone.
    """

    subject: Subject
    why: Explanation
    optimizer: Optimizer | None
    path: str
    index: tuple[int, ...]
    row: int
    batch: tuple | None = None
    program: Program | None = None


@dataclasses.dataclass
class Told:
    """What a click shows.

    Attributes:
        title: a heading, plain text.
        html: the story, escaped.
        text: the same as plain text.
        lit: [{"path", "index", "share"}] of the weights on the way, for the drawing.
        numbers: the story's numbers, plain JSON values.
    """

    title: str
    html: str
    text: str
    lit: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    numbers: dict[str, Any] = dataclasses.field(default_factory=dict)


class Click:
    """A thing that can be clicked: the base class of the leaves in this folder.

    Attributes:
        what: its name in the command `click`.
    """

    what: ClassVar[str]

    def tell(self, clicked: ClickedPlace) -> Told:
        """The story of the click.

        Raises:
            CutawayError: there is nothing such at that place; the page shows it.
        """
        raise NotImplementedError
