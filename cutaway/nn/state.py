"""Variables, and how they are found: by walking the attributes of ordinary objects."""

import threading
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor

# the places of array and gradient, past the properties below
_data: Any = Tensor.__dict__["data"]
_grad: Any = Tensor.__dict__["grad"]


class _Thread(threading.local):
    held: "Held | None" = None  # the values that Variables have in this thread; None: their own


_thread = _Thread()


class Variable(Tensor):
    """A tensor that lives on from step to step. `variable.data = array` gives it a new value."""

    __slots__ = ()

    @property
    def data(self) -> jax.Array:
        held = _thread.held
        return _data.__get__(self) if held is None else held.read(self)[0]

    @data.setter
    def data(self, array):
        held = _thread.held
        if held is None:
            _data.__set__(self, array)
        else:
            held.write(self, 0, array)

    @property
    def grad(self) -> jax.Array | None:
        held = _thread.held
        return _grad.__get__(self) if held is None else held.read(self)[1]

    @grad.setter
    def grad(self, array):
        held = _thread.held
        if held is None:
            _grad.__set__(self, array)
        else:
            held.write(self, 1, array)


class Held:
    """Values that Variables have in one thread for a while, in place of their own.

    Inside `with`, what this thread reads and writes of them is here; other threads, and the
    Variables themselves, do not notice. It is how a step is traced while another thread trains.

    Args:
        variables: whose values these are.
        values: [(data, grad)] of each.
        refuse: function of any other Variable -> exception, where none but these may be touched;
            None: the others are as they are outside.
    """

    def __init__(self, variables, values, refuse: Callable | None = None):
        pairs = zip(variables, values, strict=True)
        self._values = {id(variable): [data, grad] for variable, (data, grad) in pairs}
        self._refuse = refuse

    def __enter__(self):
        self._outer, _thread.held = _thread.held, self
        return self

    def __exit__(self, *exc):
        _thread.held = self._outer

    def values(self) -> list:
        """[(data, grad)] of each, as they are now."""
        return [(data, grad) for data, grad in self._values.values()]

    def read(self, variable) -> list:
        own = self._values.get(id(variable))
        if own is not None:
            return own
        if self._outer is not None:  # what the whole step may read, a part of it may
            return self._outer.read(variable)
        self._expect_free(variable)
        return [_data.__get__(variable), _grad.__get__(variable)]

    def writing(self, variable) -> "Held | None":
        """Who has the value that a new one of the variable replaces; None: itself."""
        if id(variable) in self._values:
            return self
        self._expect_free(variable)
        return None if self._outer is None else self._outer.writing(variable)

    def write(self, variable, place: int, array) -> None:
        holder = self.writing(variable)
        if holder is None:
            (_data, _grad)[place].__set__(variable, array)
        else:
            holder._values[id(variable)][place] = array

    def _expect_free(self, variable) -> None:
        if self._refuse is not None:
            _thread.held = None  # its shape is read for the message
            try:
                raise self._refuse(variable)
            finally:
                _thread.held = self


def values_of(variables) -> list:
    """[(data, grad)] of each."""
    if _thread.held is not None:
        return [(v.data, v.grad) for v in variables]
    data, grad = _data.__get__, _grad.__get__
    return [(data(v), grad(v)) for v in variables]


def assign(variables, values) -> None:
    """Give each its (data, grad); data None: it stays."""
    if _thread.held is None:
        data, grad = _data.__set__, _grad.__set__
        for variable, (array, slope) in zip(variables, values, strict=True):
            if array is not None:
                data(variable, array)
            grad(variable, slope)
        return
    for variable, (data, grad) in zip(variables, values, strict=True):
        if data is not None:
            variable.data = data
        variable.grad = grad


class Parameter(Variable):
    """A Variable that is trained: it receives a gradient and an optimizer moves it.

    `parameter.requires_grad = False` freezes it.
    """

    __slots__ = ()

    def __init__(self, data):
        super().__init__(data, requires_grad=True)


class Buffer(Variable):
    """A Variable that is state but not trained: running statistics, random keys, slots."""

    __slots__ = ()

    def __init__(self, data):
        super().__init__(data)


class Stateful:
    """An object whose Variables are its attributes, or attributes of its attributes.

    Lists, tuples and dicts are looked into. Order is the order of assignment.
    """


def walk(owner, path: str = ""):
    """Yield (path, value) for everything reachable from `owner`, depth first, in order.

    Values are Stateful objects (before what they hold), Variables, and plain attributes.
    An object that is reached twice is yielded at its first path only.
    """
    seen = set()
    stack = [(path, owner)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, Stateful):
            children = value.__dict__.items()
        elif isinstance(value, dict):
            children = value.items()
        elif isinstance(value, list | tuple):
            children = enumerate(value)
        else:
            if not (isinstance(value, Variable) and id(value) in seen):
                seen.add(id(value))
                yield path, value
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Stateful):
            yield path, value
        prefix = f"{path}." if path else ""
        stack.extend(reversed([(f"{prefix}{name}", child) for name, child in children]))


def named_variables(owner) -> dict:
    """{path: Variable} of everything in `owner`; a shared one stands at its first path."""
    return {path: value for path, value in walk(owner) if isinstance(value, Variable)}


class _Identity:
    """A value in a signature that cannot be compared: equal only to itself."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Identity) and self.value is other.value

    def __hash__(self):
        return id(self.value)


def signature(owners) -> tuple[list[Variable], tuple]:
    """The Variables of `owners`, each once, and all else that a compiled step depends on.

    Two equal signatures mean that a step compiled for one may run for the other: the same
    objects, modes and plain attributes; values of Variables do not count.
    """
    variables, rest = [], []
    for path, value in walk(list(owners)):
        if isinstance(value, Variable):
            variables.append(value)
            rest.append((path, id(value), value.requires_grad))
        elif isinstance(value, bool | int | float | str | None.__class__):
            rest.append((path, value))
        else:
            rest.append((path, _Identity(value)))
    return variables, tuple(rest)


def unwrap(tree):
    """Tensors in nested tuples, lists and dicts become their arrays."""
    return jax.tree.map(
        lambda x: x.data if isinstance(x, Tensor) else x,
        tree,
        is_leaf=lambda x: isinstance(x, Tensor),
    )


def wrap(tree):
    """Arrays in nested tuples, lists and dicts become Tensors."""
    return jax.tree.map(lambda x: Tensor(x) if isinstance(x, jax.Array | np.ndarray) else x, tree)


def zeros_like(variable: Variable) -> Buffer:
    """A Buffer of zeros with the shape and type of `variable`."""
    return Buffer(jnp.asarray(np.zeros(variable.shape, variable.dtype)))
