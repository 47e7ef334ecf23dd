"""explain: opens a network for one input and explains any of its numbers."""

import numpy as np

from cutaway.errors import OptionError, ShapeError, did_you_mean, expect_range
from cutaway.explain.attribution import attribute
from cutaway.explain.attribution_story import Attribution
from cutaway.explain.flow import FlowStory
from cutaway.explain.forward import ForwardStory
from cutaway.explain.gradient import GradientStory
from cutaway.explain.names import ElementNames
from cutaway.explain.paths import LocalJacobians
from cutaway.explain.trace import Trace
from cutaway.explain.update import explain_update
from cutaway.explain.update_story import UpdateStory
from cutaway.nn import Module


class Explanation:
    """A network opened for one example or a batch. Made by `explain`.

    Attributes:
        trace: the Trace of the forward pass.
        output: the network's output, float64.
        loss: the loss, or None.
    """

    def __init__(self, net: Module, x, y=None, loss=None, names=None):
        self.trace = Trace(net, x, y, loss)
        self._net, self._modules = net, net.modules()
        self.jacobians = LocalJacobians(self.trace.graph)
        self.names = ElementNames(
            self.trace.graph,
            self.trace.x,
            self._modules,
            single=self.trace.single,
            inputs=names,
        )

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
            top: number of paths to list.

        Raises:
            OptionError: no such parameter, or top below 1. ShapeError: no such index.
            GradientError: no path from the weight to the loss, or NaN on it.
        """
        self._expect_path(path, self.trace.parameters)
        expect_range(top, what="top", least=1)
        index = expect_index(path, index, self.trace.parameters[path].shape)
        return GradientStory(self.trace, self.jacobians, self.names, path, index, top)

    def forward(self, path: str, index=0) -> ForwardStory:
        """How one element of a layer's output is computed, term by term.

        Args:
            path: of the layer, "0".
            index: of the element in the layer's output without the batch axis, j for neuron j; for
                a batch of several rows, with the row first.

        Raises:
            OptionError: no such layer. ShapeError: no such element.
        """
        self._expect_path(path, self._modules)
        node = self._output_of(path)
        index = index if isinstance(index, tuple | list) else (index,)
        what = f"the output of {path or 'the network'}"
        if len(index) < len(node.shape) and node.shape[0] == 1:
            index = (0, *expect_index(what, index, node.shape[1:]))
        index = expect_index(what, index, node.shape)
        layer = self._modules[path]
        what = f"{path} {type(layer).__name__}".strip()
        return ForwardStory(self.jacobians, self.names, path, node, index, what)

    def update(self, optimizer, path: str, index=()) -> UpdateStory:
        """What `optimizer`'s next step would do to one weight with the gradient of this loss.

        Args:
            optimizer: of the network's parameters, in its present state.
            path, index: see `gradient`.
        """
        self._expect_path(path, self.trace.parameters)
        # an optimizer of part of the network has its own paths
        named = zip(
            getattr(optimizer, "parameters", ()), getattr(optimizer, "paths", ()), strict=True
        )
        own = {id(parameter): name for parameter, name in named}
        parameters, frozen = self.trace.parameters, self.trace.frozen
        gradients = {
            own[id(parameters[name])]: gradient
            for name, gradient in self.trace.engine_gradients.items()
            if id(parameters[name]) in own and name not in frozen
        }
        called = own.get(id(parameters[path]), path)
        story = explain_update(optimizer, called, index, gradients=gradients)
        node = self.trace.graph.parameters[path]
        index = expect_index(path, index, node.shape)
        element = int(np.ravel_multi_index(index, node.shape)) if node.shape else 0
        story.name, story.latex_name = (
            self.names.text(node, element),
            self.names.latex(node, element),
        )
        return story

    def attribution(self, **options) -> Attribution:
        """The contribution of each element of x to the output; see `attribute` for options."""
        x = np.asarray(self.trace.x.data)
        found = attribute(self._net, x, **options)
        return found[0] if self.trace.single and not found.one else found

    def flow(self) -> FlowStory:
        """The gradient layer by layer: where it vanishes or explodes.

        Raises:
            OptionError: no loss was given.
        """
        self.trace.expect_loss()
        return FlowStory(self.trace.graph, self.jacobians, self.names)

    def _output_of(self, path):
        """The last array that a module computed."""
        inside = f"{path}."
        nodes = [
            n
            for n in self.trace.graph.nodes
            if n.record is not None
            and (n.module == path or n.module.startswith(inside) or not path)
        ]
        if path == "" and self.trace.loss is not None:
            nodes = [self.trace.graph.output]
        if not nodes:
            raise OptionError(
                f"nothing was computed in {path!r} for this input",
                expected="a layer that computes something, for example "
                + ", ".join(dict.fromkeys(n.module for n in self.trace.graph.nodes if n.module)),
                fix="choose another layer; dropout and the like do nothing in evaluation mode",
            )
        return nodes[-1]

    def _expect_path(self, path, paths):
        if path not in paths:
            raise OptionError(
                f"the network has no {path!r}",
                expected="a path as in net.summary()",
                fix=did_you_mean(path, [p for p in paths if p]),
            )


def explain(net: Module, x, y=None, *, loss=None, names=None) -> Explanation:
    """Open a network for one example or a batch of them.

    Args:
        net: the network, trained or not; it is not modified.
        x: one example or a batch.
        y: the target or targets; needed for gradients.
        loss: function (prediction, target) -> Tensor, see cutaway.losses; needed for gradients.
        names: of the columns of x.

    Example:
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
        >>> why = ct.explain(net, [1.0, 2.0, 3.0], [1.0], loss=ct.losses.mean_squared_error)
        >>> why.gradient("0.weight", (1, 0)).count
        1
    """
    return Explanation(net, x, y, loss, names)


def expect_index(what: str, index, shape) -> tuple:
    """The index as a tuple of integers from 0, checked against a shape."""
    index = tuple(index) if isinstance(index, tuple | list) else (index,)
    fits = len(index) == len(shape) and all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(index, shape, strict=True)
    )
    if not fits:
        ranges = ", ".join(f"0 to {n - 1}" for n in shape)
        raise ShapeError(
            f"{what} has no element {index}",
            expected=f"{len(shape)} integer{'s' * (len(shape) > 1)}: {ranges}"
            if shape
            else "no index: it is a scalar",
        )
    return tuple(int(i) % n for i, n in zip(index, shape, strict=True))
