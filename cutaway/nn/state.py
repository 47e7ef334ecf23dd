"""Variables, and how they are found: by walking the attributes of ordinary objects."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from cutaway.engine import Tensor, on_device
from cutaway.runtime import sharding

# the places of array, gradient and flag, past the properties below
_data: Any = Tensor.__dict__["data"]
_grad: Any = Tensor.__dict__["grad"]
_requires_grad: Any = Tensor.__dict__["requires_grad"]


class _Current(threading.local):
    held: "Held | None" = None  # the values that Variables have in this thread; None: their own
    modes: "Any | None" = None  # the modes that modules have in this thread, see nn.modes


current = _Current()
_numbers = itertools.count(1)
_latest_change = 0  # number of the latest change of any Stateful's attributes, in any thread


def latest_change() -> int:
    """The number of the latest change of any attribute of a Stateful."""
    return _latest_change


def note_change() -> None:
    """Say, after an attribute of a Stateful was changed, that owners must be walked again."""
    global _latest_change
    _latest_change = next(_numbers)


class Variable(Tensor):
    """A tensor that lives on from step to step. `variable.data = array` gives it a new value."""

    __slots__ = ()

    def __init__(self, data, *, requires_grad: bool = False):
        super().__init__(data, requires_grad=requires_grad)
        if sharding.is_sharded():
            self.data = sharding.placed(self.data)

    @property
    def data(self) -> jax.Array:
        held = current.held
        return _data.__get__(self) if held is None else held.read(self)[0]

    @data.setter
    def data(self, array):
        held = current.held
        if held is None:
            _data.__set__(self, array)
        else:
            held.write(self, 0, array)

    @property
    def grad(self) -> jax.Array | None:
        held = current.held
        return _grad.__get__(self) if held is None else held.read(self)[1]

    @grad.setter
    def grad(self, array):
        held = current.held
        if held is None:
            _grad.__set__(self, array)
        else:
            held.write(self, 1, array)

    @property
    def requires_grad(self) -> bool:
        held = current.held
        return _requires_grad.__get__(self) if held is None else held.requires_grad(self)

    @requires_grad.setter
    def requires_grad(self, flag: bool):
        _requires_grad.__set__(self, flag)
        note_change()

    def __deepcopy__(self, memo):
        """A copy with its own arrays. JAX's own copy compiles a program for each shape."""
        other = memo[id(self)] = type(self).__new__(type(self))
        other.record, other.output = None, 0
        for name in ("data", "grad"):
            array = getattr(self, name)
            if isinstance(array, jax.Array) and not isinstance(array, Tracer):
                if id(array) not in memo:
                    memo[id(array)] = jax.device_put(array, may_alias=False)
                array = memo[id(array)]
            setattr(other, name, array)
        other.requires_grad = self.requires_grad
        return other


class Held:
    """Values that Variables have in one thread for a while, in place of their own.

    Inside `with`, what this thread reads and writes of them is here; other threads, and the
    Variables themselves, do not notice. It is how a step is traced while another thread trains.

    Args:
        variables: whose values these are.
        values: [(data, grad)] of each.
        refuse: function of any other Variable -> exception, where none but these may be touched;
            None: the others are as they are outside.
        flags: requires_grad of each; None: as they are.
    """

    def __init__(self, variables, values, refuse: Callable | None = None, *, flags=None):
        variables = list(variables)
        pairs = zip(variables, values, strict=True)
        self._values = {id(variable): [data, grad] for variable, (data, grad) in pairs}
        self._refuse = refuse
        self._flags = {} if flags is None else dict(zip(map(id, variables), flags, strict=True))
        self._variables = variables  # kept, so that no other has the id of one of them

    def __enter__(self):
        self._outer, current.held = current.held, self
        return self

    def __exit__(self, *exc):
        current.held = self._outer

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

    def requires_grad(self, variable) -> bool:
        flag = self._flags.get(id(variable))
        if flag is not None:
            return flag
        outer = self._outer
        return _requires_grad.__get__(variable) if outer is None else outer.requires_grad(variable)

    @property
    def changes_flags(self) -> bool:
        """Whether any Variable's requires_grad is another in it than outside."""
        return bool(self._flags) or (self._outer is not None and self._outer.changes_flags)

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
            current.held = None  # its shape is read for the message
            try:
                raise self._refuse(variable)
            finally:
                current.held = self


def values_of(variables) -> list:
    """[(data, grad)] of each."""
    if current.held is not None:
        return [(v.data, v.grad) for v in variables]
    return list(zip(map(_data.__get__, variables), map(_grad.__get__, variables), strict=True))


def assign(variables, values) -> None:
    """Give each its (data, grad); data None: it stays."""
    if current.held is None:
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

    def __setattr__(self, name, value):
        before = self.__dict__.get(name, _MISSING)
        super().__setattr__(name, value)
        if before is not value:
            note_change()

    def __delattr__(self, name):
        super().__delattr__(name)
        note_change()

    def _attributes(self):
        """(name, value) of its attributes, as a compiled step has to know them."""
        return self.__dict__.items()


_MISSING = object()


def walk(owner, path: str = "", *, containers: list | None = None):
    """Yield (path, value) for everything reachable from `owner`, depth first, in order.

    Values are Stateful objects (before what they hold), Variables, and plain attributes.
    An object that is reached twice is yielded at its first path only.

    Args:
        containers: gets every list and dict that is looked into.
    """
    seen = set()
    stack = [(path, owner)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, Stateful):
            children = list(value._attributes())  # another thread may set one meanwhile
        elif isinstance(value, dict):
            children = list(value.items())
        elif isinstance(value, list | tuple):
            children = list(enumerate(value))
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
        elif containers is not None and not isinstance(value, tuple):
            containers.append(value)
        prefix = f"{path}." if path else ""
        stack.extend(reversed([(f"{prefix}{name}", child) for name, child in children]))


def named_variables(owner) -> dict:
    """{path: Variable} of everything in `owner`; a shared one stands at its first path."""
    return {path: value for path, value in walk(owner) if isinstance(value, Variable)}


def unwrap(tree):
    """Tensors in nested tuples, lists and dicts become their arrays."""
    return jax.tree.map(
        lambda x: x.data if isinstance(x, Tensor) else x,
        tree,
        is_leaf=lambda x: isinstance(x, Tensor),
    )


def wrap(tree) -> Any:
    """Arrays in nested tuples, lists and dicts become Tensors."""
    return jax.tree.map(lambda x: Tensor(x) if isinstance(x, jax.Array | np.ndarray) else x, tree)


def zeros_like(variable: Variable) -> Buffer:
    """A Buffer of zeros with the shape and type of `variable`."""
    return Buffer(on_device(np.zeros(variable.shape, variable.dtype)))
