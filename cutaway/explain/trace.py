"""Trace: one forward pass of a network in float64, with all intermediate results."""

import contextlib
import functools

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, float64, gradients
from cutaway.errors import CutawayError, GradientError, OptionError, ShapeError
from cutaway.explain.batching import (
    about_unequal_rows,
    are_of_one_example,
    expect_arguments,
    with_batch_axis,
)
from cutaway.explain.examples import as_tree
from cutaway.explain.graph import ComputationGraph, records_of
from cutaway.explain.layerwise import frozen, plain_forward, replaced, rule_variables
from cutaway.losses.terms import columns_of, named_terms
from cutaway.nn import Module, watch
from cutaway.nn.trees import call, is_array, leaves, map_leaves, named_leaves
from cutaway.runtime import cache_programs_by_default


class Trace:
    """The forward pass of networks for one input.

    The networks run in evaluation mode (no dropout, batch norm with its running statistics), in
    float64, and are not modified.

    Args:
        net: a Module.
        x: one example or a batch: an array, or a tuple or dict of arrays. If the network rejects x
            as it is, x is treated as one example and gets a batch axis.
        y: the target or targets; None: no loss.
        loss: function (prediction, target) -> scalar Tensor, or {name: scalar Tensor}, see
            cutaway.losses.
        objective: function (net, x, y) -> the same, in place of a loss.
        beside: {name: Module} of other networks that the objective runs.

    Attributes:
        x: the input, a tree of Tensors.
        output: what the network returned at its last call, a tree of Tensors; None if the
            objective did not call it.
        terms: {name: Tensor} of the loss; "" for one without a name.
        graph: the ComputationGraph of what was computed.
        modules: {path: Module}; those beside the network with their names in front.
        parameters: {path: Parameter}, likewise.
        rule_paths: paths of Buffers that are learned by a rule, not by gradients.
        frozen: paths of parameters that are not trained.
        single: whether the batch has one row, so names omit it.
    """

    def __init__(self, net: Module, x, y=None, loss=None, objective=None, beside=None):
        if not net_has_rule(net):
            _expect_together(y, loss, objective)
        cache_programs_by_default()  # every operation is a small program; a deep net has hundreds
        self.net = net
        self.loss, self.objective = loss, objective
        self._beside = dict(beside or {})
        x, y = (None if tree is None else map_leaves(_as_float64, as_tree(tree)) for tree in (x, y))
        with contextlib.ExitStack() as stack:
            constants = set()
            for one in (net, *self._beside.values()):
                constants |= stack.enter_context(frozen(one, gradients=True))
            root = _Together(net, self._beside)
            self.modules = root.modules()
            by_rule = rule_variables(root)
            self.parameters, self.rule_paths = root.named_parameters() | by_rule, set(by_rule)
            if self._beside:  # layers are named by their paths from here
                stack.enter_context(watch(root, _nobody))
            self.frozen = {path for path, p in self.parameters.items() if id(p) in constants}
            if objective is None:
                expect_arguments(net, x)
            self._run_as_batch_or_one(x, y)
            self.graph = self._graph()
        self.single = self.is_batched and leaves(self.x)[0].shape[0] == 1

    def _run_as_batch_or_one(self, x, y):
        one = with_batch_axis(x), None if y is None else with_batch_axis(y)
        # of a single array, integers along one axis are the tokens of one text
        tokens = is_array(x) and x.ndim == 1 and x.dtype.kind in "iub"
        is_one = tokens or (not is_array(x) and are_of_one_example(x))
        try:
            self._run(*(one if is_one else (x, y)))
        except CutawayError as error:
            if is_one:
                raise about_unequal_rows(x, error) from error
            try:
                self._run(*one)
            except CutawayError:
                raise error from None

    def _run(self, x, y):
        self.x = map_leaves(
            lambda leaf: Tensor(leaf, requires_grad=leaf.dtype.kind == "f"),
            self._as_numbers(x, y),
        )
        self.y = None if y is None else map_leaves(self._target, y)
        self._calls, self.terms = self._forward(self.x, self.y)
        self.output = self._calls[-1] if self._calls else None
        if not any(map(_is_connected, leaves([*self._calls, self.terms]))):
            raise GradientError(
                "the output of this network is not connected to the tape",
                expected="a forward that returns a Tensor computed by Cutaway's operations",
                fix="look for no_grad(), detach() or .data in its forward",
            )
        for name, term in self.terms.items():
            if not isinstance(term, Tensor) or term.size != 1:
                what = f"the term {name!r} of the loss is" if name else "the loss returned"
                of = f" of shape {term.shape}" if isinstance(term, Tensor) else ""
                raise ShapeError(
                    f"{what} a {type(term).__name__}{of}",
                    expected="a single number",
                    fix='use a loss with reduction="mean" or "sum"',
                )

    def _target(self, leaf) -> Tensor:
        """A target; on the way of an objective it is part of the computation, with a name."""
        is_part = self.objective is not None and leaf.dtype.kind == "f"
        return Tensor(leaf, requires_grad=is_part)

    def _forward(self, x, y) -> tuple:
        """([what each call of the network returned], {name: term of the loss})."""
        if self.objective is None:
            output = call(self.net, x)
            if self.loss is None:
                return [output], {}
            return [output], named_terms(self.loss(output, y))
        outputs = []

        def keep(net, *inputs, **named):
            outputs.append(plain_forward(net, *inputs, **named))
            return outputs[-1]

        with replaced({self.net: keep}):
            terms = named_terms(self.objective(self.net, x, y))
        return outputs, terms

    def _as_numbers(self, x, y):
        """x with those integers as float64 that the network computes with."""
        if all(leaf.dtype.kind not in "iub" for leaf in leaves(x)):
            return x
        found = named_leaves(x)
        used = {
            keys for keys, leaf in found.items()
            if leaf.dtype.kind in "iub" and self._calculates_with(keys, x, y)
        }  # fmt: skip
        numbers = iter([leaf.astype(np.float64) if keys in used else leaf
                        for keys, leaf in found.items()])  # fmt: skip
        return map_leaves(lambda leaf: next(numbers), x)

    def _calculates_with(self, keys, x, y) -> bool:
        """Whether the network computes with these integers, and does not look them up as tokens."""
        own = named_leaves(x)[keys]
        number = Tensor(own.astype(np.float64), requires_grad=True)
        x = map_leaves(lambda leaf: number if leaf is own else Tensor(leaf), x)
        y = None if y is None else map_leaves(Tensor, y)
        try:
            outputs, terms = self._forward(x, y) if self.objective else ([call(self.net, x)], {})
        except (CutawayError, TypeError, IndexError):
            return False
        return any(
            number is tensor
            for result in leaves([*outputs, terms])
            if isinstance(result, Tensor) and result.record is not None
            for record in records_of(result)
            for tensor in record.inputs
        )

    def _graph(self) -> ComputationGraph:
        outputs = {
            (turn, keys): leaf
            for turn, output in enumerate(self._calls, start=1)
            for keys, leaf in named_leaves(output).items()
            if _is_connected(leaf)
        }
        sizes = [leaf.ndim for leaf in [*leaves(self.x), *outputs.values()]]
        self.is_batched = max(sizes) > 1
        self.result = columns_of(self.terms)["loss"] if self.terms else None
        return ComputationGraph(
            self.result,
            outputs,
            self.parameters,
            inputs=named_leaves(self.x),
            targets={} if self.y is None else named_leaves(self.y),
            terms=self.terms if len(self.terms) > 1 else {},
        )

    def expect_loss(self):
        if not self.terms:
            raise OptionError(
                "a gradient was requested, but there is no loss",
                expected="explain(net, x, y, loss=...)",
                fix="give y and a loss, for example ct.losses.mean_squared_error",
            )

    @functools.cached_property
    def engine_gradients(self) -> dict:
        """{path: ∂L/∂parameter} by the engine's backward pass, float64."""
        self.expect_loss()
        assert self.result is not None
        with float64():
            found = {id(leaf): np.asarray(g) for leaf, g in gradients(self.result)}
        return {path: found[id(p)] for path, p in self.parameters.items() if id(p) in found}


def _as_float64(leaf):
    """The array in float64 if it is floating-point; integers as they are."""
    return leaf.astype(np.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


class _Together(Module):
    """A network and those beside it, as one that names the layers of all of them."""

    def __init__(self, net, beside: dict):
        self._all = {"": net, **beside}

    def modules(self) -> dict:
        return {
            ".".join(filter(None, (name, path))): module
            for name, net in self._all.items()
            for path, module in net.modules().items()
        }

    def named_parameters(self) -> dict:
        return {
            ".".join(filter(None, (name, path))): parameter
            for name, net in self._all.items()
            for path, parameter in net.named_parameters().items()
        }


def net_has_rule(net) -> bool:
    """Whether it is a neuron that learns by a rule, from targets without a loss."""
    return isinstance(net, Module) and bool(net.rule_weights)


def _nobody(module, inputs, out):
    """A watcher that does nothing."""


def _is_connected(leaf) -> bool:
    return isinstance(leaf, Tensor) and leaf.requires_grad


def _expect_together(y, loss, objective):
    if loss is not None and objective is not None:
        raise OptionError(
            "explain was given a loss and an objective",
            expected="one of them",
            fix="a loss compares predictions with targets; an objective (net, x, y) does it all",
        )
    if objective is None and (y is None) != (loss is None):
        raise OptionError(
            "explain was given " + ("a loss without y" if y is None else "y without a loss"),
            expected="both, or neither",
            fix="explain(net, x, y, loss=ct.losses.mean_squared_error)",
        )
