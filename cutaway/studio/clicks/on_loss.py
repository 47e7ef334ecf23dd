"""A click on the loss: how it follows from the prediction and the target."""

from cutaway.studio.clicks.contract import Click
from cutaway.studio.stories import told


class LossClick(Click):
    """The loss of the row as arithmetic."""

    what = "loss"

    def tell(self, clicked):
        return told("The loss L", clicked.why.losses())
