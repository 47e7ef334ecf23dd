"""Rates of dropout that change while a network trains, without compiling for each.

A layer keeps its rate p, a plain number. What multiplies it in a step, for example the value of a
Schedule, holds for a while in one thread, and may be a number that is known only when a compiled
step runs.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import jax

from cutaway.ops.keep_mask import keep_mask


class _Thread(threading.local):
    factor: Any = None


_thread = _Thread()


@contextlib.contextmanager
def scaled_dropout(factor: Any) -> Iterator[None]:
    """Context in which layers that drop use the rate `factor` · p, in this thread.

    Args:
        factor: a number in [0, 1], or a scalar array; None: the rates are those of the layers.

    Example:
        >>> from cutaway.nn import Dropout
        >>> from cutaway.nn.drop_rates import scaled_dropout
        >>> import numpy as np
        >>> layer, x = Dropout(0.5).train(), np.ones(8, np.float32)
        >>> with scaled_dropout(0.0):
        ...     y = layer(x)
        >>> y.numpy().tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    outer, _thread.factor = _thread.factor, factor
    try:
        yield
    finally:
        _thread.factor = outer


def survivors(key, p: float, shape, dtype) -> jax.Array:
    """0 with the rate of this step, p by default, otherwise 1 / (1 - rate).

    Args:
        key: random key, used up.
        p: the layer's rate, in [0, 1).
    """
    rate = p if _thread.factor is None else p * _thread.factor
    kept = keep_mask(key, rate, shape)
    return (kept.astype(dtype) / (1 - rate)).astype(dtype)
