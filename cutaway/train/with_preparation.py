"""A network behind what is done to its inputs."""

from cutaway.engine import Tensor, no_grad
from cutaway.nn.module import Module


class WithPreparation(Module):
    """net(prepare(x)), no gradient flowing through prepare.

    Args:
        prepare: function or Module, from a Tensor to a Tensor.
        net: a Module.
    """

    def __init__(self, prepare, net: Module):
        self.prepare = prepare
        self.net = net

    def inputs(self, x) -> Tensor:
        """What net receives for the raw batch x."""
        with no_grad():
            return Tensor(self.prepare(x))

    def forward(self, x):
        return self.net(self.inputs(x))
