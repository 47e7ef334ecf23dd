"""A click on what the optimizer does next with a weight."""

import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import OptionError
from cutaway.explain import UpdateStory, explain_update
from cutaway.nn.trees import map_leaves
from cutaway.studio.clicks.contract import Click, ClickedPlace
from cutaway.studio.stories import told


class UpdateClick(Click):
    """The optimizer's next step of a weight, by the gradient of the batch of that step."""

    what = "update"

    def tell(self, clicked):
        if clicked.optimizer is None:
            raise OptionError(
                "this network is not trained, so no optimizer changes its weights",
                expected="a network in training",
            )
        story = _of_row(clicked) if clicked.program is None else _of_batch(clicked)
        return told(f"The next step of {story.name}", story)


def _of_row(clicked: ClickedPlace) -> UpdateStory:
    return clicked.why.update(clicked.optimizer, clicked.path, clicked.index)


def _of_batch(clicked: ClickedPlace) -> UpdateStory:
    """By the gradients that the next step will find, under the weight's name in the network."""
    program, optimizer, trace = clicked.program, clicked.optimizer, clicked.why.trace
    assert program is not None and optimizer is not None
    if clicked.batch is None:
        return _of_row(clicked)
    with program.computing(), program.in_mode(True):
        slopes = program.gradients(*map_leaves(Tensor, clicked.batch))
    own = {id(p): path for p, path in zip(optimizer.parameters, optimizer.paths, strict=True)}
    paths = {path: own[id(p)] for path, p in trace.parameters.items() if id(p) in own}
    gradients = {paths[k]: g.numpy() for k, g in slopes.items() if k in paths}
    path = paths.get(clicked.path, clicked.path)
    story = explain_update(optimizer, path, clicked.index, gradients=gradients)
    node = trace.graph.parameters.get(clicked.path)
    if node is not None:
        element = int(np.ravel_multi_index(story.move.index, node.shape)) if node.shape else 0
        names = clicked.why.names
        story.name, story.latex_name = names.text(node, element), names.latex(node, element)
    return story
