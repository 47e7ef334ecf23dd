"""The global random generator.

Initial weights are drawn by NumPy on the host, so they are the same on every device and need no
compilation. Random numbers inside compiled steps (dropout) use JAX keys, which are drawn here too
and stored in Buffers.
"""

import contextlib

import numpy as np

_generator = np.random.default_rng()


def seed(value: int) -> None:
    """Set the random seed: the same seed, data and machine give the same weights.

    Example:
        >>> seed(0); a = generator().normal()
        >>> seed(0); a == generator().normal()
        True
    """
    global _generator
    _generator = np.random.default_rng(value)


def generator() -> np.random.Generator:
    """The generator of initial weights and keys."""
    return _generator


def new_key() -> np.ndarray:
    """Raw data of a new JAX key: (2,) uint32."""
    return _generator.integers(0, 2**32, size=2, dtype=np.uint32)


@contextlib.contextmanager
def seeded(value: int):
    """Context with its own random seed; afterwards the outer generator continues unaffected."""
    global _generator
    before = _generator
    _generator = np.random.default_rng(value)
    try:
        yield
    finally:
        _generator = before
