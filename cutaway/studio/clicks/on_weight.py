"""A click on a weight: its gradient as a sum over chain-rule paths."""

from cutaway.studio.clicks.contract import Click
from cutaway.studio.lit_weights import weights_on_paths
from cutaway.studio.stories import told


class WeightClick(Click):
    """∂L/∂w over its paths; the weights on the strongest ones are lit."""

    what = "weight"

    def tell(self, clicked):
        story = clicked.why.gradient(clicked.path, clicked.index)
        lit = weights_on_paths(clicked.why, story.path, story.index)
        return told(f"∂L/∂{story.name}: the chain rule", story, lit=lit)
