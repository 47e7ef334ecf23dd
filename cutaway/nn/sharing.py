"""Variables shared by threads: a step changes all of them at once, and readers see whole steps.

A compiled step reads the values, starts its program and writes the new ones while no other thread
does so; the program itself runs on. One lock serves all networks: it is held for as long as it
takes to start a program, not to run it.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping

import jax.numpy as jnp

from cutaway.nn.state import Held, Variable, named_variables, values_of

lock = threading.RLock()  # held while the values of Variables are exchanged for those after a step


def exclusive():
    """Context in which no other thread starts a step or takes a snapshot.

    For several calls that must see the same values. Keep it short: other trainings wait.
    """
    return lock


@contextlib.contextmanager
def snapshot(
    *owners, dtype=None, requires_grad: Mapping[Variable, bool] | None = None
) -> Iterator[None]:
    """Context in which this thread sees the values that the owners have at this moment.

    They are copied between two steps of a training that runs in another thread, which goes on
    meanwhile. What is written inside is dropped at the end.

    Args:
        owners: modules, optimizers, and whatever else holds Variables.
        dtype: type to which floating-point values are converted; None: they keep theirs.
        requires_grad: what some Variables' flag is inside; the others keep theirs.

    Example:
        >>> from cutaway.nn import snapshot
        >>> from cutaway.nn import Linear
        >>> net = Linear(2, 1)
        >>> with snapshot(net):
        ...     net.bias.data = net.bias.data + 1
        >>> net.bias.numpy().tolist()
        [0.0]
    """
    variables = list(named_variables(list(owners)).values())
    with lock:
        values = [
            (_copied(data, dtype), None if grad is None else _copied(grad, dtype))
            for data, grad in values_of(variables)
        ]
    flags = None
    if requires_grad is not None:
        flags = [requires_grad.get(v, v.requires_grad) for v in variables]
    with Held(variables, values, flags=flags):
        yield


def _copied(array, dtype):
    if dtype is None or not jnp.issubdtype(array.dtype, jnp.floating):
        dtype = array.dtype
    return jnp.array(array, dtype, copy=True)
