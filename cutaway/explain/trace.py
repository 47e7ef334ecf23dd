"""Trace: one forward pass of a network in float64, with all intermediate results."""

import functools

import numpy as np

from cutaway.engine import Tensor, float64, gradients
from cutaway.errors import CutawayError, GradientError, OptionError, ShapeError
from cutaway.explain.graph import ComputationGraph, records_of
from cutaway.explain.layerwise import frozen
from cutaway.nn import Module
from cutaway.runtime import cache_programs_by_default


class Trace:
    """The forward pass of a network for one input.

    The network runs in evaluation mode (no dropout, batch norm with its running statistics), in
    float64, and is not modified.

    Args:
        net: a Module.
        x: one example or a batch. If the network rejects x as it is, x is treated as one example
            and gets a batch axis.
        y: the target or targets; None: no loss.
        loss: function (prediction, target) -> Tensor of one number, see cutaway.losses.

    Attributes:
        graph: the ComputationGraph of what was computed.
        parameters: {path: Parameter}.
        frozen: paths of parameters that are not trained.
        single: whether the batch has one row, so names omit it.
    """

    def __init__(self, net: Module, x, y=None, loss=None):
        if (y is None) != (loss is None):
            raise OptionError(
                "explain was given " + ("a loss without y" if y is None else "y without a loss"),
                expected="both, or neither",
                fix="explain(net, x, y, loss=ct.losses.mean_squared_error)",
            )
        cache_programs_by_default()  # every operation is a small program; a deep net has hundreds
        self.net = net
        self.loss = loss
        x, y = _array(x), None if y is None else _array(y)
        with frozen(net, gradients=True) as constants:
            self.parameters = net.named_parameters()
            self.frozen = {path for path, p in self.parameters.items() if id(p) in constants}
            try:
                # integers along one axis are the tokens of one text
                tokens = x.ndim == 1 and x.dtype.kind in "iub"
                self._run(x[None] if tokens else x, _row(y) if tokens else y)
            except CutawayError as error:
                try:
                    self._run(x[None], _row(y))
                except CutawayError:
                    raise error from None
            self.graph = ComputationGraph(self.result, self.output, self.parameters)
        batched = self.x.ndim > 1 or self.output.ndim > 1
        self.single = batched and self.x.shape[0] == 1

    def _run(self, x, y):
        if x.dtype.kind in "iub" and self._calculates_with(x):
            x = x.astype(np.float64)
        self.x = Tensor(x, requires_grad=x.dtype.kind == "f")
        output = self.net(self.x)
        output = output[0] if isinstance(output, tuple) else output
        if not isinstance(output, Tensor) or not output.requires_grad:
            raise GradientError(
                "the output of this network is not connected to the tape",
                expected="a forward that returns a Tensor computed by Cutaway's operations",
                fix="look for no_grad(), detach() or .data in its forward",
            )
        self.output = output
        self.result = output
        self.y = y
        if self.loss is not None:
            self.result = self.loss(output, y)
            if self.result.size != 1:
                raise ShapeError(
                    f"the loss returned shape {self.result.shape}",
                    expected="a single number",
                    fix='use a loss with reduction="mean" or "sum"',
                )

    def _calculates_with(self, x) -> bool:
        """Whether the network computes with these integers, and does not look them up as tokens."""
        x = Tensor(x.astype(np.float64), requires_grad=True)
        try:
            output = self.net(x)
        except (CutawayError, TypeError, IndexError):
            return False
        output = output[0] if isinstance(output, tuple) else output
        if not isinstance(output, Tensor) or output.record is None:
            return False
        return any(x is tensor for record in records_of(output) for tensor in record.inputs)

    def expect_loss(self):
        if self.loss is None:
            raise OptionError(
                "a gradient was requested, but there is no loss",
                expected="explain(net, x, y, loss=...)",
                fix="give y and a loss, for example ct.losses.mean_squared_error",
            )

    @functools.cached_property
    def engine_gradients(self) -> dict:
        """{path: ∂L/∂parameter} by the engine's backward pass, float64."""
        self.expect_loss()
        with float64():
            found = {id(leaf): np.asarray(g) for leaf, g in gradients(self.result)}
        return {path: found[id(p)] for path, p in self.parameters.items() if id(p) in found}


def _array(value):
    value = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def _row(y):
    return None if y is None else np.asarray(y)[None]
