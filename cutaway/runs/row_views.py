"""What else there is to see of a row in its network: time, gates, one window of a convolution."""

import numpy as np

from cutaway.nn import GRU, LSTM, RNN, Conv1d, Conv2d

RECURRENT = (RNN, LSTM, GRU)


def views_of_row(run, explanation) -> list:
    """[(heading, story)] for the first recurrent layer and the first convolution of a network.

    Args:
        run: the Run.
        explanation: the Explanation of the row.
    """
    found = []
    for path, module in run.net.modules().items():
        if isinstance(module, RECURRENT) and explanation.loss is not None:
            found += _over_time(explanation, path, module)
            break
    for path, module in run.net.modules().items():
        if isinstance(module, Conv1d | Conv2d):
            found += _window(explanation, path)
            break
    return found


def _over_time(explanation, path, module) -> list:
    """The recurrent weight with the largest gradient through time, and the gates."""
    gradients = explanation.trace.engine_gradients
    own = [p for p in gradients if p.startswith(f"{path}.") and p.endswith("hidden_weight")]
    found = []
    if own and np.any(gradients[own[0]]):
        gradient = gradients[own[0]]
        index = tuple(int(i) for i in np.unravel_index(np.abs(gradient).argmax(), gradient.shape))
        story = explanation.through_time(own[0], index)
        found.append((f"Through time: the recurrent weight {story.name}", story))
    if not isinstance(module, RNN):
        found.append((f"Gates of the {type(module).__name__}", explanation.gates(path)))
    return found


def _window(explanation, path) -> list:
    """The window behind the largest value of the first feature map of a convolution."""
    nodes = [
        n for n in explanation.trace.graph.nodes if n.module == path and n.name == "convolution"
    ]
    if not nodes:
        return []
    value = np.abs(nodes[-1].value[0])
    index = tuple(int(i) for i in np.unravel_index(value.argmax(), value.shape))
    place = ", ".join(map(str, index))
    return [(f"One window of the convolution {path}, at {place}", explanation.window(path, index))]
