"""A network traced to a list of steps: its operations, and the plain JAX between them.

The network is traced for two batch sizes. Each of our operations is one step; array code between
them (such as padding masks) becomes steps named by JAX primitives. A size that differs between the
two traces is a multiple of the batch size, and is represented by a negative number: -1 is the batch
size, -6 six times the batch size.
"""

import dataclasses

import jax
import numpy as np
from jax.extend import core

from cutaway.engine import Operation, Tensor, no_grad, tape
from cutaway.errors import OptionError
from cutaway.nn import in_mode, named_variables
from cutaway.nn.state import Held, unwrap
from cutaway.nn.trees import call, map_leaves, named_leaves

_MARK = "cutaway_operation_"
_BATCHES = (7, 11)
_SIZES = {"shape", "new_sizes", "sizes", "limit_indices"}  # options that are sizes of arrays
_INLINED = {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"}


class DependsOnBatchSize(Exception):
    """The network's computation depends on the batch size."""


@dataclasses.dataclass
class TracedStep:
    """One operation or primitive.

    Attributes:
        what: an Operation, or the name of a JAX primitive.
        inputs: keys of values; for an operation the arguments of its forward, with Keys for
            values and anything else as a plain value.
        options: of the operation; or the primitive's parameters.
        outs: keys of the results.
        shapes, dtypes: of the results.
    """

    what: object
    inputs: list
    options: dict
    outs: list
    shapes: list
    dtypes: list


@dataclasses.dataclass(frozen=True)
class Key:
    """Placeholder of a value among plain arguments."""

    number: int


@dataclasses.dataclass
class TracedProgram:
    """The steps of a network.

    Attributes:
        inputs: [(key, shape, dtype)] of the inputs.
        outputs: [(key, shape, dtype)] of the outputs.
        output_keys: of each in the tree that the network returns.
        constants: {key: (name, array)} of parameters, buffers and constant arrays.
        steps: list of TracedSteps.
    """

    inputs: list
    outputs: list
    output_keys: list
    constants: dict
    steps: list


def trace(net, inputs, *, fixed_batch: int | None = None) -> TracedProgram:
    """The program of `net` in evaluation mode.

    Args:
        inputs: a tree of jax.ShapeDtypeStruct, of one row of each input: a tuple for positional
            arguments, a dict for keyword arguments.
        fixed_batch: the batch size; None: dynamic.

    Raises:
        DependsOnBatchSize: it depends on the batch size.
    """
    sizes = _BATCHES if fixed_batch is None else (fixed_batch, fixed_batch)
    variables = named_variables(net)
    with in_mode(net, False):
        first, second = (_jaxpr(net, variables, inputs, batch) for batch in sizes)
    return _Reader(sizes).read(first, second, variables)


def _jaxpr(net, variables, inputs, batch):
    calls, keys = [], []

    def carry_out(operation: Operation, arrays, options):
        leaves, tree = jax.tree.flatten((arrays, unwrap(options)), is_leaf=_is_plain)
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array | np.ndarray)]

        def run(*operands):
            filled = list(leaves)
            for i, operand in zip(places, operands, strict=True):
                filled[i] = operand
            arrays, options = jax.tree.unflatten(tree, filled)
            with tape.run_by(None):
                result = operation.forward(*arrays, **options)
            return result[0] if operation.saves else result

        run.__name__ = run.__qualname__ = f"{_MARK}{len(calls)}"
        calls.append((operation, leaves, tree, places))
        out = jax.jit(run)(*(leaves[i] for i in places))
        return (out, None) if operation.saves else out

    def forward(state, x):
        held = Held(variables.values(), [(array, None) for array in state])
        with held, no_grad(), tape.run_by(carry_out):
            found = named_leaves(call(net, map_leaves(Tensor, x)))
        keys[:] = found
        return [x.data if isinstance(x, Tensor) else x for x in found.values()]

    state = [variable.data for variable in variables.values()]
    # 64-bit integers become 32-bit here
    shaped = map_leaves(
        lambda row: jax.ShapeDtypeStruct(
            (batch, *row.shape), jax.dtypes.canonicalize_dtype(row.dtype)
        ),
        inputs,
    )
    return jax.make_jaxpr(forward)(state, shaped), calls, keys


def _is_plain(leaf):
    return leaf is None or isinstance(leaf, slice | Operation | str)


class _Reader:
    """Reads two traces in parallel."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.keys = {}
        self.constants = {}
        self.steps = []
        self.count = 0

    def read(self, first, second, variables):
        (closed, calls, keys), (other, other_calls, _) = first, second
        self.calls = list(zip(calls, other_calls, strict=False))
        if len(calls) != len(other_calls):
            raise DependsOnBatchSize("different operations")
        names = list(variables)
        for i, (var, array) in enumerate(
            zip(closed.jaxpr.invars, [v.data for v in variables.values()], strict=False)
        ):
            self.constants[self.new(var)] = (names[i], np.asarray(array))
        inputs = []
        pairs = zip(closed.jaxpr.invars, other.jaxpr.invars, strict=True)
        for a, b in list(pairs)[len(names) :]:
            inputs.append((self.new(a), self.shape(a.aval, b.aval), a.aval.dtype))
        self.constants_of(closed.jaxpr.constvars, closed.consts, other.consts)
        self.walk(closed.jaxpr, other.jaxpr)
        outputs = [
            (self.key(a), self.shape(a.aval, b.aval), a.aval.dtype)
            for a, b in zip(closed.jaxpr.outvars, other.jaxpr.outvars, strict=True)
        ]
        return TracedProgram(inputs, outputs, keys, self.constants, self.steps)

    def new(self, var):
        self.count += 1
        self.keys[var] = Key(self.count)
        return self.keys[var]

    def key(self, atom):
        if isinstance(atom, core.Literal):
            self.count += 1
            key = Key(self.count)
            dtype = atom.aval.dtype  # pyright: ignore[reportAttributeAccessIssue]  # an array's aval
            self.constants[key] = ("", np.asarray(atom.val, dtype))
            return key
        return self.keys[atom]

    def same(self, a, b):
        """The key of an input; a literal must have the same value in both traces."""
        if isinstance(a, core.Literal) and not np.array_equal(a.val, b.val):
            raise DependsOnBatchSize(f"the number {a.val} or {b.val}")
        return self.key(a)

    def constants_of(self, variables, values, others):
        for var, value, other in zip(variables, values, others, strict=True):
            value, other = np.asarray(value), np.asarray(other)
            if value.shape != other.shape or not np.array_equal(value, other):
                raise DependsOnBatchSize("a constant array has the batch size")
            self.constants[self.new(var)] = ("", value)

    def walk(self, jaxpr, other):
        if len(jaxpr.eqns) != len(other.eqns):
            raise DependsOnBatchSize("different numbers of steps")
        for a, b in zip(jaxpr.eqns, other.eqns, strict=True):
            if a.primitive.name != b.primitive.name:
                raise DependsOnBatchSize(f"{a.primitive.name} or {b.primitive.name}")
            name = a.params.get("name", "") if a.primitive.name in _INLINED else ""
            if str(name).startswith(_MARK):
                self.operation(a, b, int(str(name).removeprefix(_MARK)))
            elif a.primitive.name in _INLINED:
                self.inline(a, b)
            else:
                inputs = [self.same(x, y) for x, y in zip(a.invars, b.invars, strict=True)]
                params = self.merged(_plain(a.params), _plain(b.params))
                self.add(a.primitive.name, inputs, params, a, b)

    def operation(self, a, b, index):
        (operation, leaves, tree, places), (_, others, other_tree, other_places) = self.calls[index]
        if places != other_places or tree != other_tree:
            raise DependsOnBatchSize(f"different inputs of {operation.name}")
        leaves, others = list(leaves), list(others)
        for place, x, y in zip(places, a.invars, b.invars, strict=True):
            leaves[place] = others[place] = self.same(x, y)
        arguments, options = jax.tree.unflatten(tree, leaves)
        other_arguments, other_options = jax.tree.unflatten(tree, others)
        arguments = self.merged({"arguments": arguments}, {"arguments": other_arguments})
        arguments, options = arguments["arguments"], self.merged(options, other_options)
        self.add(operation, list(arguments), options, a, b)

    def inline(self, a, b):
        inner, other = (_inner(eqn) for eqn in (a, b))
        self.constants_of(inner.jaxpr.constvars, inner.consts, other.consts)
        for var, atom in zip(inner.jaxpr.invars, a.invars, strict=True):
            self.keys[var] = self.key(atom)
        self.walk(inner.jaxpr, other.jaxpr)
        for var, atom in zip(a.outvars, inner.jaxpr.outvars, strict=True):
            self.keys[var] = self.key(atom)

    def add(self, what, inputs, options, a, b):
        shapes = [self.shape(x.aval, y.aval) for x, y in zip(a.outvars, b.outvars, strict=True)]
        outs = [self.new(var) for var in a.outvars]
        dtypes = [var.aval.dtype for var in a.outvars]
        self.steps.append(TracedStep(what, inputs, options, outs, shapes, dtypes))

    def shape(self, a, b):
        return tuple(self.size(x, y) for x, y in zip(a.shape, b.shape, strict=True))

    def size(self, a, b):
        if a == b:
            return a
        one, two = self.sizes
        if one != two and a % one == 0 and b % two == 0 and a // one == b // two:
            return -(a // one)
        raise DependsOnBatchSize(f"a size of {a} for {one} rows and of {b} for {two}")

    def merged(self, a: dict, b: dict) -> dict:
        """Options of the same step in both traces; integers that differ are sizes."""
        return {name: self.one(a[name], b[name], name in _SIZES) for name in a}

    def one(self, a, b, is_size):
        if type(a) is not type(b):
            raise DependsOnBatchSize(f"{a!r} or {b!r}")
        if isinstance(a, tuple | list):
            if len(a) != len(b):
                raise DependsOnBatchSize(f"{a!r} or {b!r}")
            return tuple(self.one(x, y, is_size) for x, y in zip(a, b, strict=True))
        if is_size and isinstance(a, int):
            return self.size(a, b)
        if isinstance(a, int | float | str | slice | Key) and a != b:
            raise DependsOnBatchSize(f"{a!r} or {b!r}")
        return a


def _plain(params):
    return {k: v for k, v in params.items() if isinstance(v, int | float | str | tuple | list)
            or v is None or isinstance(v, np.dtype)}  # fmt: skip


def _inner(eqn):
    for name in ("jaxpr", "call_jaxpr"):
        if name in eqn.params:
            found = eqn.params[name]
            return found if hasattr(found, "consts") else core.ClosedJaxpr(found, ())
    raise OptionError(f"the JAX primitive {eqn.primitive.name} has no inner jaxpr")
