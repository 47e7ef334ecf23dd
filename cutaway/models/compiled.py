"""Compiled functions of one network, in evaluation mode."""

import contextlib

from cutaway.engine import no_grad
from cutaway.nn import in_mode, jit


class CompiledCalls:
    """Functions of a network, each compiled once. A copy of the network compiles its own.

    Example:
        >>> import numpy as np
        >>> from cutaway.models.compiled import CompiledCalls
        >>> from cutaway.nn import Linear
        >>> net, programs = Linear(2, 1), CompiledCalls()
        >>> programs.get(net, "forward", lambda x: net(x))(np.ones((3, 2))).shape
        (3, 1)
    """

    def __init__(self):
        self._compiled = {}

    def get(self, net, key, function):
        """The compiled `function`, which may read no mutable state but that of `net`."""
        if key not in self._compiled:
            self._compiled[key] = jit(function, net, donate=False)
        return self._compiled[key]

    def __deepcopy__(self, memo):
        return CompiledCalls()


@contextlib.contextmanager
def evaluating(net):
    """Context without gradient recording in which every module of `net` is in eval mode."""
    with in_mode(net, False), no_grad():
        yield net
