"""A click on the gradient flow: where the gradient vanishes or explodes."""

from cutaway.studio.clicks.contract import Click
from cutaway.studio.stories import told


class FlowClick(Click):
    """The gradient layer by layer, for the row."""

    what = "flow"

    def tell(self, clicked):
        return told("The gradient, layer by layer", clicked.why.flow(), plotted=True)
