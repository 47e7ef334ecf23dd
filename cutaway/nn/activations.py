"""Activations as layers; the functions and their derivatives are in ops/activations.py."""

from cutaway import ops
from cutaway.nn.init import constant
from cutaway.nn.module import Module
from cutaway.nn.state import Parameter


class Threshold(Module):
    """1 where z >= at, otherwise 0; no gradient passes."""

    keeps_features = True

    def __init__(self, at: float = 0.0):
        self.at = at

    def forward(self, z):
        return ops.threshold(z, at=self.at)


class Identity(Module):
    """z: the linear activation."""

    keeps_features = True

    def forward(self, z):
        return ops.linear(z)


class Sigmoid(Module):
    """1 / (1 + e⁻ᶻ)."""

    keeps_features = True

    def forward(self, z):
        return ops.sigmoid(z)


class Tanh(Module):
    """Hyperbolic tangent."""

    keeps_features = True

    def forward(self, z):
        return ops.tanh(z)


class ReLU(Module):
    """max(z, 0)."""

    keeps_features = True

    def forward(self, z):
        return ops.relu(z)


class ReLU6(Module):
    """min(max(z, 0), 6)."""

    keeps_features = True

    def forward(self, z):
        return ops.relu6(z)


class LeakyReLU(Module):
    """z for z > 0, otherwise slope · z."""

    keeps_features = True

    def __init__(self, slope: float = 0.01):
        self.slope = slope

    def forward(self, z):
        return ops.leaky_relu(z, slope=self.slope)

    def describe(self):
        return f"slope={self.slope}"


class PReLU(Module):
    """z for z > 0, otherwise slope · z with a learned slope.

    Args:
        features: size of the last axis for a slope per feature; 1 for one slope.

    Parameters:
        slope: (features,), 0.25.
    """

    keeps_features = True

    def __init__(self, features: int = 1):
        self.slope = Parameter(constant((features,), 0.25))

    def forward(self, z):
        return ops.parametric_relu(z, self.slope)


class ELU(Module):
    """z for z > 0, otherwise α (eᶻ - 1)."""

    keeps_features = True

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def forward(self, z):
        return ops.elu(z, alpha=self.alpha)


class SELU(Module):
    """λ z for z > 0, otherwise λ α (eᶻ - 1); wants init.lecun_normal."""

    keeps_features = True

    def forward(self, z):
        return ops.selu(z)


class Softplus(Module):
    """ln(1 + eᶻ)."""

    keeps_features = True

    def forward(self, z):
        return ops.softplus(z)


class SiLU(Module):
    """z σ(z), also called swish."""

    keeps_features = True

    def forward(self, z):
        return ops.silu(z)


class GELU(Module):
    """z Φ(z), exact."""

    keeps_features = True

    def forward(self, z):
        return ops.gelu(z)


class Softmax(Module):
    """eᶻ / Σ eᶻ along an axis."""

    keeps_features = True

    def __init__(self, axis: int = -1):
        self.axis = axis

    def forward(self, z):
        return ops.softmax(z, axis=self.axis)


class LogSoftmax(Module):
    """ln softmax along an axis."""

    keeps_features = True

    def __init__(self, axis: int = -1):
        self.axis = axis

    def forward(self, z):
        return ops.log_softmax(z, axis=self.axis)


Swish = SiLU

# by the names that the command line and config files use
ACTIVATIONS = {
    "threshold": Threshold,
    "linear": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "relu6": ReLU6,
    "leaky_relu": LeakyReLU,
    "prelu": PReLU,
    "elu": ELU,
    "selu": SELU,
    "softplus": Softplus,
    "silu": SiLU,
    "swish": SiLU,
    "gelu": GELU,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
}
