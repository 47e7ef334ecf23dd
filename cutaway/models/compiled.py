"""Compiled evaluations that belong to one network."""

import contextlib

from cutaway.engine import no_grad
from cutaway.nn import jit


class CompiledCalls:
    """Functions of a network, compiled once each. A copy of the network gets programs of its own.

    Example:
        >>> from cutaway.nn import Linear
        >>> net, programs = Linear(2, 1), CompiledCalls()
        >>> programs.get(net, "forward", lambda x: net(x))(np.ones((3, 2))).shape
        (3, 1)
    """

    def __init__(self):
        self._compiled = {}

    def get(self, net, key, function):
        """The program of `function`, which reads `net` and nothing else that changes."""
        if key not in self._compiled:
            self._compiled[key] = jit(function, net, donate=False)
        return self._compiled[key]

    def __deepcopy__(self, memo):
        return CompiledCalls()


@contextlib.contextmanager
def evaluating(net):
    """Context in which nothing is recorded and every module of `net` is in eval mode."""
    modes = {module: module.training for module in net.modules().values()}
    net.eval()
    try:
        with no_grad():
            yield net
    finally:
        for module, mode in modes.items():
            module.training = mode
