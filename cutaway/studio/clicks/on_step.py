"""A click on a time step of a recurrent layer: how its state is computed, and its gates."""

from cutaway.errors import OptionError
from cutaway.nn import GRU, LSTM
from cutaway.nn.recurrent import Recurrent
from cutaway.story.text import Story
from cutaway.studio.clicks.contract import Click
from cutaway.studio.stories import told


class StepClick(Click):
    """The state of a unit at a time step, index (time, unit); then the gates over all steps."""

    what = "step"

    def tell(self, clicked):
        layer = clicked.why.trace.modules.get(clicked.path)
        if not isinstance(layer, Recurrent):
            kind = "no layer" if layer is None else f"a {type(layer).__name__}"
            raise OptionError(
                f"{clicked.path!r} is {kind}, which has no time steps",
                expected="the path of an RNN, LSTM or GRU",
            )
        index = clicked.index if len(clicked.index) > 1 else (*clicked.index, 0)
        forward = clicked.why.forward(clicked.path, index)
        stories: list[Story] = [forward]
        if isinstance(layer, LSTM | GRU):
            stories.append(clicked.why.gates(clicked.path))
        names = clicked.subject.tokens(clicked.row)
        called = f"step {index[0] + 1}"
        if names is not None and 0 <= index[0] < len(names):
            called += f", {names[index[0]]}"
        return told(f"{forward.name}: {called}", *stories)
