"""The random generator of a thread.

Initial weights are drawn by NumPy on the host, so they are the same on every device and need no
compilation. Random numbers inside compiled steps (dropout) use JAX keys, which are drawn here too
and stored in Buffers.
"""

import contextlib
import itertools
import threading

import numpy as np

from cutaway.errors import expect_integer


class _Thread(threading.local):
    generator: np.random.Generator | None = None


_thread = _Thread()
# the seed that was set last, and how many other threads have begun to draw since
_seed: int | None = None
_others = itertools.count(1)


def seed(value: int) -> None:
    """Set the random seed: the same seed, data and machine give the same weights.

    Each thread has a generator of its own, so that two trainings do not disturb each other. This
    sets the one of the calling thread; threads that have not drawn yet derive theirs from it, in
    the order in which they begin.

    Raises:
        OptionError: not an integer >= 0.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.nn.random import generator
        >>> ct.seed(0); a = generator().normal()
        >>> ct.seed(0); a == generator().normal()
        True
    """
    global _seed, _others
    expect_integer(value, what="seed", least=0)
    _thread.generator = np.random.default_rng(value)
    _seed, _others = value, itertools.count(1)


def generator() -> np.random.Generator:
    """This thread's generator of initial weights and keys."""
    if _thread.generator is None:
        _thread.generator = np.random.default_rng(None if _seed is None else [_seed, next(_others)])
    return _thread.generator


def new_key() -> np.ndarray:
    """Raw data of a new JAX key: (2,) uint32."""
    return generator().integers(0, 2**32, size=2, dtype=np.uint32)


@contextlib.contextmanager
def seeded(value: int):
    """Context with its own random seed; afterwards the outer generator continues unaffected."""
    expect_integer(value, what="seed", least=0)
    before = _thread.generator
    _thread.generator = np.random.default_rng(value)
    try:
        yield
    finally:
        _thread.generator = before
