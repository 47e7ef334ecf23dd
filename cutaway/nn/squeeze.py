"""Squeeze and excitation: channel-wise gating from global average pooling."""

from cutaway import ops
from cutaway.errors import expect_axis, expect_integer
from cutaway.nn.activations import ReLU, Sigmoid
from cutaway.nn.layers import Linear
from cutaway.nn.module import Module


class SqueezeExcite(Module):
    """y = x · σ(W₂ act(W₁ m + b₁) + b₂), m the mean of each channel over all positions.

    Args:
        channels: size of the last axis.
        squeezed: number of features between the two layers; channels / 16 in the paper.
        activation, gate: classes of act and σ.

    Shapes:
        x and y: (batch, *sizes, channels)

    Parameters:
        reduce: Linear, channels -> squeezed.
        expand: Linear, squeezed -> channels.

    References:
        Hu, Shen & Sun 2018, "Squeeze-and-excitation networks", arXiv:1709.01507, sec. 3.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.SqueezeExcite(8, 2)(np.ones((1, 4, 4, 8))).shape
        (1, 4, 4, 8)
    """

    keeps_features = True

    def __init__(
        self,
        channels: int,
        squeezed: int,
        *,
        activation: type[Module] = ReLU,
        gate: type[Module] = Sigmoid,
    ):
        expect_integer(squeezed, what="SqueezeExcite: squeezed", least=1)
        self.reduce = Linear(channels, squeezed)
        self.activation = activation()
        self.expand = Linear(squeezed, channels)
        self.gate = gate()

    def forward(self, x):
        expect_axis(x, -1, self.reduce.weight.shape[0], where=self.label(), name="channels")
        means = ops.mean(x, axis=tuple(range(1, x.ndim - 1)))  # (batch, channels)
        gates = self.gate(self.expand(self.activation(self.reduce(means))))
        return x * gates.reshape(x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
