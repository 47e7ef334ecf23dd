"""The one source of randomness: seeded once, drawn from in order.

Initial weights are drawn by NumPy on the host, so that they are the same on every device and
cost no compilation. What is drawn inside compiled steps (dropout) uses JAX keys, which come from
here too and live in Buffers.
"""

import contextlib

import numpy as np

_generator = np.random.default_rng()


def seed(value: int) -> None:
    """Start the random numbers anew: the same seed, data and machine give the same weights.

    Example:
        >>> seed(0); a = generator().normal()
        >>> seed(0); a == generator().normal()
        True
    """
    global _generator
    _generator = np.random.default_rng(value)


def generator() -> np.random.Generator:
    """The generator that initial weights and keys are drawn from."""
    return _generator


def new_key() -> np.ndarray:
    """Raw data of a fresh JAX key: (2,) uint32."""
    return _generator.integers(0, 2**32, size=2, dtype=np.uint32)


@contextlib.contextmanager
def seeded(value: int):
    """Context with random numbers of its own; afterwards the outer ones go on as if nothing was."""
    global _generator
    before = _generator
    _generator = np.random.default_rng(value)
    try:
        yield
    finally:
        _generator = before
