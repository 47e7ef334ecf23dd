"""Surveys: what a compiled step has to know of its owners, found by one walk over them.

The walk is made again only after something was changed: any attribute of any Stateful object, or a
list or dict in the owners.
"""

import operator
from typing import Any

from cutaway.nn.state import Variable, current, latest_change, walk

MOST_SURVEYS = 16  # of the same owners, by the modes that hold in a thread


class _Identity:
    """A value in a signature that cannot be compared: equal only to itself."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Identity) and self.value is other.value

    def __hash__(self):
        return id(self.value)


class Signature:
    """All that a compiled step depends on beside the values of its owners' Variables.

    Two equal ones mean that a step compiled for one may run for the other: the same objects,
    modes and plain attributes. It is hashed once, because it is asked for at every call.

    Attributes:
        entries: ((path, ...), ...) of the Variables and plain attributes of the owners.
    """

    __slots__ = ("_hash", "entries")

    def __init__(self, entries: tuple):
        self.entries = entries
        self._hash = hash(entries)

    def __eq__(self, other):
        if self is other:
            return True
        return isinstance(other, Signature) and self.entries == other.entries

    def __hash__(self):
        return self._hash


class Survey:
    """The Variables and the signature of some owners, found by one walk over them.

    Attributes:
        variables: of the owners, each once.
        signature: all else that a compiled step depends on.
    """

    def __init__(self, owners):
        self._change = latest_change()  # before the walk: what changes meanwhile is seen next time
        containers: list = []
        self.variables, self.signature = _surveyed(owners, containers)
        self._containers = [(c, c.copy()) for c in containers[1:]]  # the first holds the owners

    def is_current(self) -> bool:
        """Whether the owners are as they were, as far as attributes, lists and dicts go."""
        if self._change != latest_change():
            return False
        for container, before in self._containers:
            if len(container) != len(before):
                return False
            if isinstance(container, dict):
                if not all(map(operator.is_, container, before)):
                    return False
                container, before = container.values(), before.values()
            if not all(map(operator.is_, container, before)):
                return False
        return True


class Surveyor:
    """The survey of some owners, walked over again only after something was changed.

    Modes and flags that hold in one thread alone have surveys of their own.
    """

    def __init__(self, owners):
        self._owners = owners
        self._surveys: dict[Any, Survey] = {}  # by the modes that hold in a thread

    def survey(self) -> Survey:
        held, modes = current.held, current.modes
        if held is not None and held.changes_flags:
            return Survey(self._owners)
        found = self._surveys.get(modes)
        if found is None or not found.is_current():
            if len(self._surveys) > MOST_SURVEYS:
                self._surveys = {}
            latest = Survey(self._owners)
            if found is not None and found.signature == latest.signature:
                latest.signature = found.signature  # the same object is found without comparing
            self._surveys[modes] = found = latest
        return found


def signature(owners) -> tuple[list[Variable], Signature]:
    """The Variables of `owners`, each once, and all else that a compiled step depends on."""
    return _surveyed(owners, [])


def _surveyed(owners, containers: list) -> tuple[list[Variable], Signature]:
    variables, rest = [], []
    for path, value in walk(list(owners), containers=containers):
        if isinstance(value, Variable):
            variables.append(value)
            rest.append((path, id(value), value.shape, value.requires_grad))
        elif isinstance(value, bool | int | float | str | None.__class__):
            rest.append((path, value))
        else:
            rest.append((path, _Identity(value)))
    return variables, Signature(tuple(rest))
