"""A network preceded by the preparation of its inputs."""

from cutaway.engine import Tensor, no_grad
from cutaway.nn.module import Module
from cutaway.nn.trees import call, map_leaves


class WithPreparation(Module):
    """net(prepare(x)), no gradient flowing through prepare.

    Args:
        prepare: function or Module, from the inputs of a batch to those of the network.
        net: a Module.
    """

    def __init__(self, prepare, net: Module):
        self.prepare = prepare
        self.net = net

    def inputs(self, x):
        """The inputs of net for the raw batch x, each a tree."""
        with no_grad():
            return map_leaves(Tensor, call(self.prepare, x))

    def forward(self, *inputs, **named):
        x = named or (inputs[0] if len(inputs) == 1 else inputs)
        return call(self.net, self.inputs(x))
