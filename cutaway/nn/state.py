"""Variables, and how they are found: by walking the attributes of ordinary objects."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor

_slot: Any = Tensor.__dict__["data"]  # the place of the array, past the property below


class _Watching(threading.local):
    accessed: Callable | None = (
        None  # function of each Variable that is read or written in this thread, or None
    )


_watching = _Watching()


class Variable(Tensor):
    """A tensor that lives on from step to step. `variable.data = array` gives it a new value."""

    __slots__ = ()

    @property
    def data(self):
        if _watching.accessed is not None:
            _watching.accessed(self)
        return _slot.__get__(self)

    @data.setter
    def data(self, array):
        if _watching.accessed is not None:
            _watching.accessed(self)
        _slot.__set__(self, array)


@contextlib.contextmanager
def watching(accessed):
    """Context in which `accessed(variable)` is called before a Variable is read or written.

    Inside another one it does nothing: what a part of a step may touch, the whole step may. While
    `accessed` runs, nothing is watched.
    """
    if _watching.accessed is not None:
        yield
        return

    def once(variable):
        _watching.accessed = None  # and stays so if it raises
        accessed(variable)
        _watching.accessed = once

    _watching.accessed = once
    try:
        yield
    finally:
        _watching.accessed = None


def values_of(variables) -> list:
    """[(data, grad)] of each, without a word to whoever watches."""
    read = _slot.__get__
    return [(read(v), v.grad) for v in variables]


def assign(variables, values) -> None:
    """Give each its (data, grad), without a word to whoever watches; data None: it stays."""
    write = _slot.__set__
    for variable, (data, grad) in zip(variables, values, strict=True):
        if data is not None:
            write(variable, data)
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
