"""The optimizer's next move of one weight, for one row of a run."""

import dataclasses
import textwrap
from html import escape

from cutaway.explain.update_story import UpdateStory
from cutaway.optim import OPTIMIZERS, AdamW
from cutaway.story.text import WIDTH, Story


@dataclasses.dataclass(frozen=True, repr=False)
class RowStep(Story):
    """What the run's optimizer would do to a weight, given this row alone. Made by `step_of_row`.

    Attributes:
        update: the UpdateStory.
    """

    update: UpdateStory

    def text(self, width: int = WIDTH) -> str:
        return "\n".join([*textwrap.wrap(self.lead(), width), "", self.update.text(width)])

    def lead(self) -> str:
        """What this step is, in a sentence."""
        move = self.update.move
        averages = " and averages of past gradients that start at 0" if move.slots else ""
        return (
            "The next step, if training went on from these weights with this row alone: "
            f"{move.optimizer} with the run's learning rate{averages}."
        )

    def html(self) -> str:
        return f"<p>{escape(self.lead())}</p>{self.update.html()}"

    def latex(self) -> str | None:
        return self.update.latex()

    def to_dict(self) -> dict:
        return self.update.to_dict()


def step_of_row(run, explanation, path: str, index=()) -> RowStep:
    """The RowStep of one weight.

    Args:
        run: the Run.
        explanation: the Explanation of the row, with its loss.
        path, index: of the weight.

    Raises:
        OptionError: no such weight. GradientError: no gradient reaches it.
    """
    options = run.config["options"]
    kind = OPTIMIZERS[options["optimizer"]]
    more = {"weight_decay": options["weight_decay"]} if kind is AdamW else {}
    optimizer = kind(run.net, run.config["lr"], **more)
    return RowStep(explanation.update(optimizer, path, index))
