"""A loss as a pure function of arrays, with its gradient by the engine's tape.

Curvature and slices of the loss surface need the loss at many points around the parameters of a
network. Its Variables get other values while the function runs, and are restored afterwards.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, as_array, float64, gradients, no_grad
from cutaway.errors import GradientError, OptionError, ShapeError
from cutaway.nn import Module, in_mode
from cutaway.nn.state import Held, named_variables
from cutaway.nn.trees import call, leaves, map_leaves


class Objective:
    """A loss L(arrays) and its gradient, as compiled pure functions.

    Args:
        evaluate: function (arrays, *data) -> (loss, a Tensor of one number; [Tensor of each
            array]).
        data: other arrays that it reads; arguments of the compiled programs, not constants.
        wide: whether to compute in float64.

    Attributes:
        value: compiled, arrays -> L.
        gradient: compiled, arrays -> [∂L/∂array].
        product: compiled, (arrays, tangents) -> Hessian · tangents; None until landscape.hessian
            has derived it.
    """

    def __init__(self, evaluate, data=(), *, wide: bool = True):
        self.evaluate = evaluate
        self.data = data
        self.wide = wide
        self.value = self.compile(self.pure_value)
        self.gradient = self.compile(self.pure_gradient)
        self.product = None

    def precision(self):
        """Context in which arrays have the dtype of the computation."""
        return float64() if self.wide else contextlib.nullcontext()

    def compile(self, f):
        """f(*arguments, data) as a compiled function of the arguments."""
        program = jax.jit(f)

        def run(*arguments):
            with self.precision():
                return program(*arguments, self.data)

        return run

    @no_grad()
    def pure_value(self, arrays, data):
        loss, _ = self.evaluate(arrays, *data)
        _expect_one_number(loss)
        return loss.data.reshape(())

    def pure_gradient(self, arrays, data):
        loss, leaves = self.evaluate(arrays, *data)
        _expect_one_number(loss)
        found = {id(leaf): g for leaf, g in gradients(loss)}
        return [found.get(id(leaf), jnp.zeros_like(leaf.data)) for leaf in leaves]


def objective_of(f, *, wide: bool = True) -> Objective:
    """The Objective of a function of Tensors that returns one number."""

    def evaluate(arrays):
        leaves = [Tensor(a, requires_grad=True) for a in arrays]
        return f(*leaves), leaves

    return Objective(evaluate, wide=wide)


def network_objective(net, x, y, loss, *, where: str, wide: bool = True):
    """The loss of `net` on (x, y) as a function of its trained parameters.

    Runs in evaluation mode: no dropout, running statistics unchanged.

    Returns:
        (Objective, {path: array} of the parameters).
    """
    parameters = trained(net, where=where)
    variables = named_variables(net)

    def evaluate(arrays, rest, x, y):
        values = [(array, None) for array in (*rest, *arrays)]
        held = Held([*_others(variables, parameters), *parameters.values()], values)
        with in_mode(net, False), held:
            out = call(net, map_leaves(Tensor, x))
            return loss(out, map_leaves(Tensor, y)), list(parameters.values())

    with float64() if wide else contextlib.nullcontext():
        start = {path: _widened(p.data, wide) for path, p in parameters.items()}
        rest = [_widened(v.data, wide) for v in _others(variables, parameters)]
        data = (rest, *(_each(lambda a: _widened(as_array(a), wide), tree) for tree in (x, y)))
    return Objective(evaluate, data, wide=wide), start


def trained(net, *, where: str) -> dict:
    """{path: Parameter} of the parameters that are not frozen.

    Raises:
        OptionError: `net` is not a Module, or all of its parameters are frozen.
    """
    if not isinstance(net, Module):
        raise OptionError(
            f"{where}: a {type(net).__name__} was given as the network",
            expected="a Module, for example Sequential(Linear(3, 1))",
            fix="pass the network itself, not a compiled step, a trainer or its weights",
        )
    parameters = {k: p for k, p in net.named_parameters().items() if p.requires_grad}
    if not parameters:
        raise OptionError(
            f"{where}: the network has no parameters that are trained",
            expected="at least one Parameter that is not frozen",
            fix="net.unfreeze(), or give a network that has weights",
        )
    return parameters


def expect_point(x, y, *, where: str):
    """Raise ShapeError unless x and y have the same number of rows, at least one."""
    rows = [
        {np.shape(v.data if isinstance(v, Tensor) else v)[:1] for v in _parts(tree)}
        for tree in (x, y)
    ]
    if len(rows[0] | rows[1]) != 1 or rows[0] & {(), (0,)}:
        counts = [" or ".join(str(r[0]) if r else "no axis of" for r in some) for some in rows]
        raise ShapeError(
            f"{where}: x has {counts[0]} rows, y {counts[1]}",
            expected="as many targets as inputs, at least one",
            fix="for one example, give x[None] and y[None]",
        )


def _each(function, data):
    """function(data), or of each array of a tuple or dict."""
    return map_leaves(function, data) if isinstance(data, tuple | dict) else function(data)


def _parts(data) -> list:
    return leaves(data) if isinstance(data, tuple | dict) else [data]


def _others(variables, parameters) -> list:
    moved = {id(p) for p in parameters.values()}
    return [v for v in variables.values() if id(v) not in moved]


def _widened(array, wide):
    if wide and jnp.issubdtype(array.dtype, jnp.floating):
        return array.astype(jnp.float64)
    return array


def _expect_one_number(loss):
    if not isinstance(loss, Tensor) or loss.size != 1:
        shape = getattr(loss, "shape", None)
        raise GradientError(
            f"the loss is {'no Tensor' if shape is None else f'of shape {shape}'}",
            expected="a Tensor of one number",
            fix='reduce it: .mean(), or reduction="mean"',
        )
