"""explain: opens a network for one input, and answers what is asked of it."""

import difflib

import numpy as np

from cutaway.errors import OptionError, ShapeError
from cutaway.explain.gradient import GradientStory
from cutaway.explain.names import Names
from cutaway.explain.paths import Links
from cutaway.explain.trace import Trace
from cutaway.nn import Module


class Explanation:
    """A network opened for one example or a batch. Made by `explain`.

    Attributes:
        trace: the Trace of the forward pass.
        output: the network's output, float64.
        loss: the loss, or None.
    """

    def __init__(self, net: Module, x, y=None, loss=None):
        self.trace = Trace(net, x, y, loss)
        self.links = Links(self.trace.graph)
        self.names = Names(self.trace.graph, self.trace.x, net.modules(), single=self.trace.single)

    @property
    def output(self) -> np.ndarray:
        return self.trace.graph.output.value

    @property
    def loss(self) -> float | None:
        return None if self.trace.loss is None else float(self.trace.graph.result.value.ravel()[0])

    def gradient(self, path: str, index=(), *, top: int = 10) -> GradientStory:
        """∂L/∂w of one weight as a sum over chain-rule paths.

        Args:
            path: of the parameter, "0.weight".
            index: of the weight in it, (i, j) for a Linear: from input i to neuron j.
            top: how many paths are named.

        Raises:
            OptionError: no such parameter. ShapeError: no such index.
            GradientError: no path from the weight to the loss, or a NaN on it.
        """
        self._expect_path(path, self.trace.parameters)
        index = expect_index(path, index, self.trace.parameters[path].shape)
        return GradientStory(self.trace, self.links, self.names, path, index, top)

    def _expect_path(self, path, known):
        if path not in known:
            close = difflib.get_close_matches(path, known, n=1)
            raise OptionError(
                f"the network has no {path!r}",
                expected="one of " + ", ".join(list(known)[:12]),
                mend=f"did you mean {close[0]!r}?" if close else "see net.summary()",
            )


def explain(net: Module, x, y=None, *, loss=None) -> Explanation:
    """Open a network for one example or a batch of them.

    Args:
        net: the network, trained or not; it is left as it is.
        x: one example or a batch.
        y: the target or targets; needed for gradients.
        loss: function (prediction, target) -> Tensor, see cutaway.losses; needed for gradients.

    Example:
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
        >>> why = ct.explain(net, [1.0, 2.0, 3.0], [1.0], loss=ct.losses.mean_squared_error)
        >>> why.gradient("0.weight", (1, 0)).count
        1
    """
    return Explanation(net, x, y, loss)


def expect_index(what: str, index, shape) -> tuple:
    """The index as a tuple of numbers from 0, checked against a shape."""
    index = tuple(index) if isinstance(index, tuple | list) else (index,)
    fits = len(index) == len(shape) and all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(index, shape, strict=True)
    )
    if not fits:
        ranges = ", ".join(f"0 to {n - 1}" for n in shape)
        raise ShapeError(
            f"{what} has no element {index}",
            expected=f"{len(shape)} whole numbers: {ranges}" if shape else "no index: one number",
        )
    return tuple(int(i) % n for i, n in zip(index, shape, strict=True))
