"""A network preceded by the preparation of its inputs."""

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
        """The input of net for the raw batch x."""
        with no_grad():
            return Tensor(self.prepare(x))

    def forward(self, x):
        return self.net(self.inputs(x))
