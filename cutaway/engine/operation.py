"""Operation: a function of arrays and, under it, the rule for its gradient."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from cutaway.engine import tape
from cutaway.engine.tensor import Tensor, as_array
from cutaway.engine.traits import Activation, Traits
from cutaway.errors import GradientError, OptionError, expect_function


class Operation:
    """A function of arrays that can be differentiated by its own rule. Made by `operation`.

    Attributes:
        name: what records and explanations call it.
        forward: the function of arrays.
        rule: for its gradient; None before it is declared.
        written: how ONNX writes it; None where nobody has said so.
        saves, differentiable: see `operation`.
        traits: what is known of it beside its arithmetic.
        value_formula, slope_formula: of one element, see `formula`; None where nobody has said so.
        input_names, option_names: of its parameters.
    """

    __name__: str

    def __init__(
        self,
        forward: Callable,
        *,
        name: str | None,
        saves: bool,
        differentiable: bool,
        traits: Traits,
    ):
        functools.update_wrapper(self, forward)
        self.name = name or forward.__name__
        self.forward = forward
        self.saves = saves
        self.differentiable = differentiable
        self.traits = traits
        self.rule: Callable | None = None
        self.written: Callable | None = None
        self.steps: Callable | None = None
        self.value_formula: str | None = None
        self.slope_formula: str | None = None
        self._signature = inspect.signature(forward)
        parameters = self._signature.parameters.values()
        self.input_names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.option_names: list[str] = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        self._option_names = frozenset(self.option_names)

    def __call__(self, *inputs, **options) -> Tensor:
        """A Tensor, or a tuple of them where the function returns several arrays."""
        if options and not options.keys() <= self._option_names:
            inputs, options = self._bound(inputs, options)
        arrays = tuple(_value(x) for x in inputs)
        runner, reader = tape.runner(), tape.reader()
        read = arrays if reader is None else reader.inputs(arrays)
        result = self.forward(*read, **options) if runner is None else runner(self, read, options)
        value, saved = result if self.saves else (result, None)
        several = isinstance(value, tuple)
        outs: Any = tuple(map(Tensor, value)) if several else Tensor(value)

        if self.differentiable and tape.is_recording():
            tensors = tuple(x if isinstance(x, Tensor) else None for x in inputs)
            if any(x is not None and x.requires_grad for x in tensors):
                record = tape.Record(self, tensors, arrays, options, value, saved)
                for output, out in enumerate(outs if several else (outs,)):
                    if out.data.dtype.kind not in "iub":  # an index or a count has no gradient
                        out.requires_grad = True
                        out.record = record
                        out.output = output
        return outs

    def _bound(self, inputs, options) -> tuple:
        """(inputs, options) of a call that names an input, as Python binds them."""
        bound = self._signature.bind(*inputs, **options)
        bound.apply_defaults()
        return bound.args, bound.kwargs

    @property
    def defaults(self) -> dict[str, Any]:
        """{option: its value where a call gives none}."""
        parameters = self._signature.parameters
        return {name: parameters[name].default for name in self.option_names}

    @property
    def symbol(self) -> str:
        """What formulas call it; its derivative is symbol'."""
        activation = self.traits.activation
        return self.name if activation is None or not activation.symbol else activation.symbol

    def __deepcopy__(self, memo):
        return self  # a copied network computes with the same functions

    def backward(self, rule: Callable) -> Callable:
        """Decorator: `rule(grad, out, *inputs, **options)` returns one gradient per input.

        Where the function returns several arrays, `grad` and `out` are tuples of as many.
        """
        self.rule = rule
        return rule

    def onnx(self, form: Callable | str, **attributes) -> Callable:
        """Decorator: `form(graph, *inputs, **options)` writes the operation as ONNX.

        More of ONNX is not known here: `export` calls the form, and the methods of `graph` (an
        OnnxGraph) are what it writes with. Where the operation is one node of the same inputs, the
        node's kind and attributes do instead of a function.

        Example:
            >>> import cutaway as ct
            >>> @ct.operation(edges="elementwise")
            ... def cube(x):
            ...     return x**3
            >>> @cube.onnx
            ... def cube_onnx(g, x):
            ...     return g.elementwise("Pow", x, 3)
            >>> @ct.operation(edges="elementwise")
            ... def inverse(x):
            ...     return 1 / x
            >>> form = inverse.onnx("Reciprocal")
        """
        self.written = self._one_node(form, attributes) if isinstance(form, str) else form
        return self.written

    def formula(self, value: str, *, slope: str | None = None) -> None:
        """Say how one element is computed, so that explanations write it out with its numbers.

        Args:
            value: a Python expression of the operation's inputs and options by their names, with
                exp, ln, sqrt, tanh, abs, min, max and Phi, the normal distribution function; a
                branch is `a if condition else b`. Of an operation on rows, `sum(exp(z))` goes over
                the row, and `z_i` is the element in the output's own place. Of a loss, `p` is the
                prediction (`z` a score, `q` the probability of a logit, `q_y` that of the
                label) and `y` the target.
            slope: the derivative by the first input, likewise; `out` is the element itself.

        Example:
            >>> import cutaway as ct
            >>> @ct.operation(edges="elementwise")
            ... def square(z):
            ...     return z * z
            >>> square.formula("z**2", slope="2 * z")
        """
        self.value_formula, self.slope_formula = value, slope

    def decomposition(self, steps):
        """Decorator: `steps(label, *inputs, **options)` computes the same by smaller operations.

        An operation that is one for speed (an LSTM over all time steps, attention) hides what
        happens inside. Explanations run its decomposition instead, so that a path goes through
        gates and time steps. `label(tensor, symbol, time=None, formula=None)` names an intermediate
        result, and the formula that it was computed by, and returns it. Inputs are Tensors, or
        arrays where no gradient is needed. A decomposition returns None for inputs with which the
        operation is already elementary.

        Example:
            >>> import jax.numpy as jnp
            >>> import cutaway as ct
            >>> from cutaway import ops
            >>> @ct.operation
            ... def leaky_step(h, x):
            ...     return 0.9 * h + 0.1 * jnp.tanh(x)
            >>> @leaky_step.decomposition
            ... def leaky_step_decomposition(label, h, x):
            ...     return 0.9 * h + 0.1 * label(ops.tanh(x), "u")
            >>> leaky_step.steps is leaky_step_decomposition
            True
        """
        self.steps = steps
        return steps

    def _one_node(self, kind, attributes):
        if self.option_names:
            raise OptionError(
                f"operation {self.name!r} has the options {', '.join(self.option_names)}, "
                f"of which the node {kind!r} alone knows nothing",
                expected=f"a function under @{self.name}.onnx that takes them",
            )
        elementwise = self.traits.edges == "elementwise"

        def form(graph, *inputs):
            write = graph.elementwise if elementwise else graph.out
            return write(kind, *inputs, **attributes)

        return form

    def pullback(self, record: tape.Record, grad) -> tuple:
        """Gradients with respect to the inputs of `record`, given the one of its output.

        Args:
            grad: of the output's shape; a tuple of them where there are several outputs.
        """
        if self.rule is None:
            raise GradientError(
                f"operation {self.name!r} has no rule for its gradient",
                expected=f"a rule under it:\n"
                f"      @{self.name}.backward\n"
                f"      def {self.name}_backward(grad, out, {', '.join(self.input_names)}):\n"
                f"          return ...  # one gradient per input, each of that input's shape",
                fix="write the rule, or let JAX derive one with operation.from_jax(f)",
            )
        saved = (record.saved,) if self.saves else ()
        reader = tape.reader()
        arrays = record.arrays if reader is None else reader.inputs(record.arrays, grad)
        grads = self.rule(grad, record.out, *saved, *arrays, **record.options)
        grads = grads if isinstance(grads, tuple) else (grads,)
        if len(grads) != len(record.inputs):
            raise GradientError(
                f"the rule of {self.name!r} returned {len(grads)} gradients",
                expected=f"{len(record.inputs)}, one per input (None: not differentiable)",
            )
        return grads if reader is None else reader.gradients(grads, record.arrays)

    def __repr__(self):
        return f"<operation {self.name}>"


@overload
def operation(forward: Callable) -> Operation: ...


@overload
def operation(
    *,
    name: str | None = None,
    saves: bool = False,
    differentiable: bool = True,
    edges: str | None = None,
    role: str | None = None,
    sign: str | None = None,
    neutral: float | None = None,
    plumbing: bool = False,
    activation: Activation | None = None,
) -> Callable[[Callable], Operation]: ...


def operation(
    forward: Callable | None = None,
    *,
    name: str | None = None,
    saves: bool = False,
    differentiable: bool = True,
    edges: str | None = None,
    role: str | None = None,
    sign: str | None = None,
    neutral: float | None = None,
    plumbing: bool = False,
    activation: Activation | None = None,
) -> Operation | Callable[[Callable], Operation]:
    """Make an Operation of a function of arrays, or of several arrays as a tuple.

    Positional parameters are inputs; keyword-only ones are options. The rule is written right
    under the function, in plain jax.numpy, and serves eagerly and in compiled steps alike. Under
    the rule stands how ONNX writes it, see Operation.onnx.

    Args:
        name: what records and explanations call it; the function's own name by default.
        saves: the function returns `out, saved`, and its rule takes `saved` after `out`.
        differentiable: False for functions through which no gradient flows, like comparisons.
        edges, role, sign, neutral, plumbing, activation: its traits, see engine.Traits: by them
            it is explained, drawn and diagnosed. Without them it still works everywhere, element
            by element. An activation is elementwise if nothing else is said.

    Example:
        >>> import cutaway as ct
        >>> @ct.operation
        ... def cube(x):
        ...     return x**3
        >>> @cube.backward
        ... def cube_backward(grad, out, x):
        ...     return grad * 3 * x**2
        >>> x = ct.Tensor(2.0, requires_grad=True)
        >>> cube(x).backward()
        >>> float(x.grad)
        12.0
    """
    edges = edges or ("any" if activation is None else "elementwise")
    make = functools.partial(
        Operation,
        name=name,
        saves=saves,
        differentiable=differentiable,
        traits=Traits(edges, role, sign, neutral, plumbing, activation),
    )
    if forward is None:
        return make
    expect_function(
        forward,
        what="operation: what it is to be made of",
        expected="a function of arrays",
        fix="options are given by name: @operation(edges=...)",
    )
    return make(forward)


def _value(x):
    # a Python number stays one: it takes the type of the array that it meets
    return x if isinstance(x, bool | int | float) or x is None else as_array(x)
