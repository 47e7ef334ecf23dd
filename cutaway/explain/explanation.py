"""explain: opens a network for one input and explains any of its numbers."""

import functools

import numpy as np

from cutaway.errors import OptionError, did_you_mean, expect_range
from cutaway.explain.attribution import attribute
from cutaway.explain.attribution_story import Attribution
from cutaway.explain.convolution_window import ConvolutionWindow, window_of
from cutaway.explain.examples import by_leaf, chosen_leaf
from cutaway.explain.flow import FlowStory
from cutaway.explain.forward import ForwardStory
from cutaway.explain.gates import Gates
from cutaway.explain.gradient import GradientStory, expect_node
from cutaway.explain.indices import expect_index
from cutaway.explain.joint_attribution import JointAttribution
from cutaway.explain.layer_story import LayerStory
from cutaway.explain.lit_path import lit_drawing
from cutaway.explain.loss_story import LossStory
from cutaway.explain.names import ElementNames
from cutaway.explain.paths import LocalJacobians
from cutaway.explain.rule_story import RuleStory
from cutaway.explain.through_time import ThroughTime
from cutaway.explain.trace import Trace
from cutaway.explain.update import explain_update
from cutaway.explain.update_story import UpdateStory
from cutaway.losses import expects
from cutaway.nn import Module
from cutaway.nn.trees import leaves, map_leaves
from cutaway.story.svg import Drawing


class Explanation:
    """A network opened for one example or a batch. Made by `explain`.

    Attributes:
        trace: the Trace of the forward pass.
        output: what the network returned, float64: an array, or a tuple or dict of arrays.
        loss: the loss, or None.
        terms: {name: value} of a loss of several named terms, otherwise {}.
    """

    def __init__(self, trace: Trace, names=None, symbol: str | None = None):
        self.trace = trace
        self._net, self._modules = trace.net, trace.modules
        self.jacobians = LocalJacobians(trace.graph)
        self.names = ElementNames(
            trace.graph,
            self._modules,
            rows=leaves(trace.x)[0].shape[0] if trace.is_batched else None,
            columns=by_leaf(names, trace.x, what="names"),
            output=symbol or _symbol_for(trace.loss),
        )

    def __repr__(self):
        count = sum(p.size for p in self._net.parameters())
        rows = leaves(self.trace.x)[0].shape[0] if self.trace.is_batched else 1
        shapes = ", ".join(str(leaf.shape) for leaf in leaves(self.trace.output))
        loss = "no loss" if self.loss is None else f"loss {self.loss:.4g}"
        return (
            f"Explanation({type(self._net).__name__} of {count:,} parameters, "
            f"{rows} example{'s' * (rows != 1)}, output {shapes}, {loss})"
        )

    def _repr_html_(self):
        from cutaway.explain.explanation_html import explanation_html

        return explanation_html(self, self._net)

    @property
    def output(self):
        return map_leaves(lambda leaf: leaf.numpy(), self.trace.output)

    @property
    def loss(self) -> float | None:
        return None if self.trace.result is None else self.trace.result.item()

    @property
    def terms(self) -> dict[str, float]:
        return {name: term.item() for name, term in self.trace.terms.items() if name}

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

    def forward(self, path: str, index: int | tuple | list = 0, *, output=None) -> ForwardStory:
        """How one element of a layer's output is computed, term by term.

        Args:
            path: of the layer, "0"; "" for the network itself.
            index: of the element in the layer's output without the batch axis, j for neuron j; for
                a batch of several rows, with the row first.
            output: key of the output, if the network itself has several with such an element.

        Raises:
            OptionError: no such layer or output. ShapeError: no such element.
        """
        self._expect_path(path, self._modules)
        index = index if isinstance(index, tuple | list) else (index,)
        node = self._output_of(path, index, output)
        what = f"the output of {path or 'the network'}"
        if len(index) < len(node.shape) and node.shape[0] == 1:
            index = (0, *expect_index(what, index, node.shape[1:]))
        index = expect_index(what, index, node.shape)
        layer = self._modules[path]
        what = f"{path} {type(layer).__name__}".strip()
        return ForwardStory(self.jacobians, self.names, path, node, index, what)

    def layer(self, path: str) -> LayerStory:
        """A layer in matrix form with its numbers: z = Wᵀ x + b and O = act(z).

        Args:
            path: of a layer of neurons, "0".

        Raises:
            OptionError: no such layer, or it multiplies by no weight matrix.
        """
        self._expect_path(path, self._modules)
        return LayerStory(path, self.trace.graph, self.names, self.jacobians, self._modules)

    def losses(self) -> LossStory:
        """The loss of each row as arithmetic, (21 - 24)² = 9, their mean, and the slopes ∂L/∂ŷ.

        Raises:
            OptionError: no loss was given.
        """
        self.trace.expect_loss()
        return LossStory(self.trace, self.jacobians, self.names)

    def update(self, optimizer, path: str, index=(), *, batches: int | None = None) -> UpdateStory:
        """What `optimizer`'s next step would do to one weight with the gradient of this loss.

        Args:
            optimizer: of the network's parameters, in its present state.
            path, index: see `gradient`.
            batches: see `explain_update`.
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
        story = explain_update(optimizer, called, index, gradients=gradients, batches=batches)
        node = self.trace.graph.parameters[path]
        index = expect_index(path, index, node.shape)
        element = int(np.ravel_multi_index(index, node.shape)) if node.shape else 0
        story.name, story.latex_name = (
            self.names.text(node, element),
            self.names.latex(node, element),
        )
        return story

    def rule(self) -> RuleStory:
        """What the rows would change in a perceptron or a Hebbian neuron, with its rule's numbers.

        Raises:
            OptionError: the network has no learning rule of its own, or there is no y.
        """
        return RuleStory(self._net, self.trace.x, self.trace.y)

    def through_time(self, path: str, index=()) -> ThroughTime:
        """∂L/∂w of a recurrent weight as a sum over the time steps, with ∂L/∂h at each.

        Args:
            path, index: see `gradient`; of a weight of an RNN, LSTM or GRU.

        Raises:
            OptionError: no such parameter, one that is not used at time steps, or several rows.
            ShapeError: no such index. GradientError: no path from the weight to the loss.
        """
        self._expect_path(path, self.trace.parameters)
        index = expect_index(path, index, self.trace.parameters[path].shape)
        expect_node(self.trace, path)
        return ThroughTime(self.trace, self.jacobians, self.names, path, index)

    def gates(self, path: str | None = None) -> Gates:
        """The gates of an LSTM or GRU at each time step.

        Args:
            path: of the layer; None: the first one.

        Raises:
            OptionError: it has no gates.
        """
        if path is not None:
            self._expect_path(path, self._modules)
        return Gates(self.trace.graph, path, self._modules)

    def window(self, path: str, index) -> ConvolutionWindow:
        """One window of a convolution: the window, the kernel and their product side by side.

        Args:
            path: of the convolution.
            index: of the element in its output without the batch axis: (row, column, channel), or
                (position, channel).

        Raises:
            OptionError: it is no convolution of one or two axes. ShapeError: no such element.
        """
        self._expect_path(path, self._modules)
        return window_of(self, path, tuple(index) if np.iterable(index) else (index,))

    def attribution(self, **options) -> Attribution | JointAttribution:
        """The contribution of each element of x to an output; see `attribute` for options."""
        x = map_leaves(lambda leaf: leaf.numpy(), self.trace.x)
        found = attribute(self._net, x, **options)
        return found.row(0) if self.trace.single and not found.one else found

    def flow(self) -> FlowStory:
        """The gradient layer by layer: where it vanishes or explodes.

        Raises:
            OptionError: no loss was given.
        """
        self.trace.expect_loss()
        return FlowStory(self.trace.graph, self.jacobians, self.names)

    def draw(self, gradient: GradientStory | None = None, *, input_names=None) -> Drawing:
        """The network, with the strongest path of a gradient lit; with its numbers if it is small.

        Args:
            gradient: what `gradient` returned; None: no path is lit.
            input_names: beside the first nodes of a network of neurons.
        """
        return lit_drawing(self, self._net, gradient, input_names=input_names)

    def _output_of(self, path, index, output):
        """The last array that a module computed; of the network itself the one that is meant."""
        graph = self.trace.graph
        if path == "" and graph.outputs:
            turn = max(turn for turn, _ in graph.outputs)  # the last call
            has_index = functools.partial(_has_element, index=index)
            keys = chosen_leaf(self.trace.output, output, what="output", fits=has_index)
            nodes = [node for name, node in graph.outputs.items() if name == (turn, keys)]
            if not nodes:
                raise OptionError(
                    f"the output {output!r} is not computed by differentiable operations",
                    expected="an output of floating-point numbers that depends on the parameters",
                    fix="choose another output, or a layer before it",
                )
        else:
            nodes = [
                n
                for n in graph.nodes
                if n.record is not None and f"{n.module}.".startswith(f"{path}.")
            ]
            nodes = _outputs_of(nodes, path, index, graph.consumers()) or nodes
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


def explain(
    net: Module, x, y=None, *, loss=None, objective=None, beside=None, names=None, symbol=None
) -> Explanation:
    """Open a network for one example or a batch of them.

    Of several inputs, outputs and terms of the loss each has its key in its name: x["table"]_3,
    ŷ["class"]_1, L["class"].

    Args:
        net: the network, trained or not; it is not modified.
        x: one example or a batch: an array; a tuple for the positional arguments of the network, or
            a dict for its keyword arguments.
        y: the target or targets, a tree like the loss expects; needed for gradients.
        loss: function (prediction, target) -> scalar Tensor, or {name: scalar Tensor}, whose sum is
            explained; see cutaway.losses. Needed for gradients.
        objective: function (net, x, y) -> the same, in place of a loss, for networks that need the
            targets on their way.
        beside: {name: Module} of other networks that the objective runs, such as the discriminator
            of a generator. Their parameters are explained as "name.path".
        names: of the columns of x; for several inputs a tuple or dict of them like x.
        symbol: of the outputs: "ŷ" for predictions, "z" for scores, from which they are computed;
            None: "z" if the loss expects logits or scores.

    Example:
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
        >>> why = ct.explain(net, [1.0, 2.0, 3.0], [1.0], loss=ct.losses.mean_squared_error)
        >>> why.gradient("0.weight", (1, 0)).count
        1
    """
    return Explanation(Trace(net, x, y, loss, objective, beside), names, symbol)


def _symbol_for(loss) -> str:
    """What the outputs are called that a loss expects: a logit is z, a prediction ŷ."""
    wants = None if loss is None else expects(loss)
    return "z" if wants is not None and wants.output in ("logit", "score") else "ŷ"


def _outputs_of(nodes, path: str, index, consumers) -> list:
    """The first result of a module that has such an element, of those that leave the module.

    A recurrent layer returns its outputs at all time steps and its last state: (0, 3) of one row is
    unit 3 at the first time step, rather than unit 3 of row 0 in the state.
    """
    leaving = [
        node
        for node in nodes
        if not any(f"{c.module}.".startswith(f"{path}.") for c in consumers[node.number])
    ]
    found = [node for node in leaving if _has_element(node.value, index)]
    found.sort(key=lambda node: node.value.ndim == len(index))  # with the row last
    return found[:1] or leaving[:1]


def _has_element(leaf, index) -> bool:
    """Whether an output has this element, with the row first or, if there is one row, without."""
    shape = leaf.shape[1:] if len(index) < leaf.ndim and leaf.shape[0] == 1 else leaf.shape
    return len(index) == len(shape) and all(i < n for i, n in zip(index, shape, strict=True))
