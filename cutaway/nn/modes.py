"""What modules do in one thread for a while: their mode, and another forward in place of theirs.

Training and evaluation mode are attributes of modules. A thread that predicts while another one
trains must not switch them; it says in which mode it is for itself.
"""

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from cutaway.nn import state


class Modes:
    """Modes that hold in one thread in place of the modules' own."""

    __slots__ = ("by_id",)

    def __init__(self, by_id: dict):
        self.by_id = by_id  # {id of a module: whether it is in training mode}

    def get(self, module) -> bool | None:
        return self.by_id.get(id(module))


class _Thread(threading.local):
    forwards: dict | None = None  # {id of a module: function} in place of its forward


_thread = _Thread()
_made: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # root: {mode: (change, Modes)}
MOST_KNOWN = 8  # of one root


def mode_of(module) -> bool | None:
    """The mode that holds in this thread alone; None: the module's own."""
    modes = state.current.modes
    return None if modes is None else modes.get(module)


def set_mode(module, training: bool) -> bool:
    """Change the mode that holds in this thread alone; False if none does."""
    modes = state.current.modes
    if modes is None or modes.get(module) is None:
        return False
    if modes.get(module) != training:
        state.current.modes = Modes({**modes.by_id, id(module): training})
    return True


@contextlib.contextmanager
def in_mode(root, training: bool) -> Iterator[None]:
    """Context in which `root` and all inside it are in training or evaluation mode.

    It holds in this thread alone, and the modules' own modes are not changed, so that another
    thread may train the network meanwhile. Modules with `stays_in_eval` stay in evaluation mode.
    Inside, `train()` and `eval()` change what holds until the end of the context.

    Args:
        root: a Module.
        training: whether in training mode.

    Example:
        >>> from cutaway.nn import in_mode
        >>> from cutaway.nn import Dropout
        >>> layer = Dropout(0.5)
        >>> with in_mode(layer, training=False):
        ...     layer.training
        False
        >>> layer.training
        True
    """
    before = state.current.modes
    state.current.modes = _modes_of(root, training, before)
    try:
        yield
    finally:
        state.current.modes = before


@contextlib.contextmanager
def with_modes(by_id: dict[int, bool]) -> Iterator[None]:
    """Context in which these modules, given by their ids, are in these modes in this thread."""
    before = state.current.modes
    state.current.modes = Modes(by_id if before is None else {**before.by_id, **by_id})
    try:
        yield
    finally:
        state.current.modes = before


def _modes_of(root, training: bool, outer: Modes | None) -> Modes:
    """The same object for the same modules, so that compiled steps know it again."""
    change = state.latest_change()
    try:
        known = _made.setdefault(root, {})
    except TypeError:  # a class of the user's that cannot be hashed
        known = {}
    before, modes = known.get((training, outer), (None, None))
    if before != change:
        fresh = {id(m): training and not m.stays_in_eval for m in root.modules().values()}
        fresh = fresh if outer is None else {**outer.by_id, **fresh}
        if modes is None or modes.by_id != fresh:
            modes = Modes(fresh)
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[training, outer] = (change, modes)
    return modes


@contextlib.contextmanager
def replacing(forwards: dict[Any, Callable]) -> Iterator[None]:
    """Context in which a call of a module runs another function in place of its forward.

    It holds in this thread alone. A compiled step is not told of it: for eager use.

    Args:
        forwards: {module: function (*inputs, **named) -> output}.
    """
    before = _thread.forwards
    _thread.forwards = {**(before or {}), **{id(m): f for m, f in forwards.items()}}
    try:
        yield
    finally:
        _thread.forwards = before


def forward_of(module) -> Callable:
    """What a call of the module runs in this thread."""
    forwards = _thread.forwards
    return module.forward if forwards is None else forwards.get(id(module), module.forward)
