"""A click on a recurrent weight: its gradient as a sum over the time steps."""

from cutaway.studio.clicks.contract import Click
from cutaway.studio.stories import told


class ThroughTimeClick(Click):
    """∂L/∂w of a weight of an RNN, LSTM or GRU, step by step."""

    what = "through_time"

    def tell(self, clicked):
        story = clicked.why.through_time(clicked.path, clicked.index)
        return told(f"∂L/∂{story.name} through time", story)
