"""Normalization layers; the formulas and derivatives are in ops/normalization.py."""

from cutaway import ops
from cutaway.errors import OptionError, ShapeError, expect_axis, expect_integer, expect_range
from cutaway.nn import init
from cutaway.nn.module import Module
from cutaway.nn.state import Buffer, Parameter


class _Normalization(Module):
    """Base class: γ and β per feature, and ε."""

    keeps_features = True

    def __init__(self, size: int, name: str, eps: float, *, weight: bool, bias: bool):
        own = type(self).__name__
        expect_integer(size, what=f"{own}: {name}", least=1)
        expect_range(eps, what=f"{own}: eps", least=0)
        self.weight = Parameter(init.constant((size,), 1.0)) if weight else None
        self.bias = Parameter(init.zeros((size,))) if bias else None
        self.eps = eps

    def _expect_channels(self, x, size: int, name: str, least_axes: int):
        expect_axis(x, -1, size, where=self.label(), name=name)
        if x.ndim < least_axes:
            middle = "..., " if least_axes == 2 else "positions, ..., "
            raise ShapeError(
                f"{self.label()}: the input has shape {x.shape}",
                expected=f"at least {least_axes} axes: (batch, {middle}{name})",
                fix="add the missing axis; for a single example: x[None]",
            )


class LayerNorm(_Normalization):
    """γ (x - μ) / √(σ² + ε) + β with μ and σ² over the features of each position.

    Args:
        features: size of the last axis.
        eps: ε.
        affine: whether there are γ and β.
        bias: whether there is β.

    Shapes:
        x and y: (..., features)

    Parameters:
        weight: γ, (features,), ones.
        bias: β, (features,), zeros.

    References:
        Ba, Kiros & Hinton 2016, "Layer normalization", arXiv:1607.06450.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> ct.LayerNorm(2, eps=0.0)(np.array([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]
    """

    layer_kind = "normalization"

    def __init__(self, features: int, *, eps: float = 1e-5, affine: bool = True, bias: bool = True):
        super().__init__(features, "features", eps, weight=affine, bias=affine and bias)
        self.features = features

    def forward(self, x):
        expect_axis(x, -1, self.features, where=self.label(), name="features")
        return ops.layer_norm(x, self.weight, self.bias, eps=self.eps)

    def describe(self):
        return f"{self.features}"


class RMSNorm(_Normalization):
    """γ x / √(mean(x²) + ε): layer norm without centering and without β.

    Args:
        features: size of the last axis.
        eps: ε.
        affine: whether there is γ.

    Shapes:
        x and y: (..., features)

    Parameters:
        weight: γ, (features,), ones.

    References:
        Zhang & Sennrich 2019, "Root mean square layer normalization", arXiv:1910.07467.
    """

    layer_kind = "normalization"

    def __init__(self, features: int, *, eps: float = 1e-6, affine: bool = True):
        super().__init__(features, "features", eps, weight=affine, bias=False)
        self.features = features

    def forward(self, x):
        expect_axis(x, -1, self.features, where=self.label(), name="features")
        return ops.rms_norm(x, self.weight, eps=self.eps)

    def describe(self):
        return f"{self.features}"


class BatchNorm(_Normalization):
    """γ (x - μ) / √(σ² + ε) + β with μ and σ² of each channel over the batch.

    In training, μ and σ² are those of the batch, over all positions, and
        running ← (1 - momentum) · running + momentum · batch statistic
    for the mean and the unbiased variance. In evaluation the running values are used, so a
    prediction does not depend on the other rows of its batch.

    Args:
        channels: size of the last axis.
        eps: ε.
        momentum: weight of the latest batch in the running values.
        affine: whether there are γ and β.

    Shapes:
        x and y: (batch, ..., channels), any number of axes in between

    Parameters:
        weight: γ, (channels,), ones.
        bias: β, (channels,), zeros.

    References:
        Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing
        internal covariate shift", arXiv:1502.03167.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> layer = ct.BatchNorm(1, eps=0.0)
        >>> layer(np.array([[1.0], [3.0]])).tolist()
        [[-1.0], [1.0]]
        >>> layer.running_mean.tolist(), layer.running_var.tolist()
        ([0.20000000298023224], [1.100000023841858])
    """

    layer_kind = "normalization"

    def __init__(
        self, channels: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ):
        super().__init__(channels, "channels", eps, weight=affine, bias=affine)
        expect_range(momentum, what="BatchNorm: momentum", least=0, most=1)
        self.momentum = momentum
        self.running_mean = Buffer(init.zeros((channels,)))
        self.running_var = Buffer(init.constant((channels,), 1.0))

    def forward(self, x):
        self._expect_channels(x, self.running_mean.size, "channels", 2)
        if not self.training:
            mean, variance = self.running_mean, self.running_var
            return ops.normalize(x, mean, variance, self.weight, self.bias, eps=self.eps)
        count = x.size // x.shape[-1]
        if count < 2:
            raise ShapeError(
                f"{self.label()}: an input of shape {x.shape} has {count} values per channel",
                expected="at least 2 values per channel in training: one has no variance",
                fix="use larger batches, drop the last incomplete one, or call .eval()",
            )
        out = ops.batch_norm(x, self.weight, self.bias, eps=self.eps)
        # the same moments as the operation's; a compiled step computes them once
        mean, variance = ops.moments(x.data, tuple(range(x.ndim - 1)))
        self._move(self.running_mean, mean)
        self._move(self.running_var, variance * (count / (count - 1)))
        return out

    def _move(self, running, newest):
        moved = (1 - self.momentum) * running.data + self.momentum * newest.reshape(-1)
        running.data = moved.astype(running.dtype)

    def describe(self):
        return f"{self.running_mean.size}"


class InstanceNorm(_Normalization):
    """γ (x - μ) / √(σ² + ε) + β with μ and σ² of each channel of each example over positions.

    Args:
        channels: size of the last axis.
        eps: ε.
        affine: whether there are γ and β.

    Shapes:
        x and y: (batch, positions, ..., channels)

    Parameters:
        weight: γ, (channels,), ones.
        bias: β, (channels,), zeros.

    References:
        Ulyanov, Vedaldi & Lempitsky 2016, "Instance normalization: the missing ingredient for
        fast stylization", arXiv:1607.08022.
    """

    layer_kind = "normalization"

    def __init__(self, channels: int, *, eps: float = 1e-5, affine: bool = False):
        super().__init__(channels, "channels", eps, weight=affine, bias=affine)
        self.channels = channels

    def forward(self, x):
        self._expect_channels(x, self.channels, "channels", 3)
        positions = x.shape[1:-1]
        if max(positions) < 2 and min(positions) > 0:
            raise ShapeError(
                f"{self.label()}: an input of shape {x.shape} has one value per channel",
                expected="at least 2 positions, since the variance of one value is 0",
                fix="use LayerNorm or BatchNorm for a single position",
            )
        return ops.instance_norm(x, self.weight, self.bias, eps=self.eps)

    def describe(self):
        return f"{self.channels}"


class GroupNorm(_Normalization):
    """γ (x - μ) / √(σ² + ε) + β with μ and σ² of a group of channels of each example.

    One group is layer norm over all positions; as many groups as channels is instance norm.

    Args:
        num_groups: number of groups; divides channels.
        channels: size of the last axis.
        eps: ε.
        affine: whether there are γ and β.

    Shapes:
        x and y: (batch, ..., channels)

    Parameters:
        weight: γ, (channels,), ones.
        bias: β, (channels,), zeros.

    References:
        Wu & He 2018, "Group normalization", arXiv:1803.08494.
    """

    layer_kind = "normalization"

    def __init__(self, num_groups: int, channels: int, *, eps: float = 1e-5, affine: bool = True):
        expect_integer(num_groups, what="GroupNorm: num_groups", least=1)
        expect_integer(channels, what="GroupNorm: channels", least=1)
        if channels % num_groups:
            raise OptionError(
                f"GroupNorm: {channels} channels in {num_groups} groups",
                expected="a number of groups that divides the channels",
                fix=f"choose num_groups from {_divisors(channels)}",
            )
        super().__init__(channels, "channels", eps, weight=affine, bias=affine)
        self.num_groups = num_groups
        self.channels = channels

    def forward(self, x):
        self._expect_channels(x, self.channels, "channels", 2)
        return ops.group_norm(x, self.weight, self.bias, num_groups=self.num_groups, eps=self.eps)

    def describe(self):
        return f"{self.num_groups}, {self.channels}"


class LocalResponseNorm(Module):
    """x / (k + α/size Σ x²)^β: each value is divided by those in `size` channels around it.

    Args:
        size: number of channels in the sum.
        alpha, beta, k: α, β and k. The paper: k = 2, size 5, β = 0.75, and 1e-4 for α/size.

    Shapes:
        x and y: (..., channels)

    References:
        Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional
        neural networks", sec. 3.3.
    """

    layer_kind = "normalization"

    keeps_features = True

    def __init__(self, size: int, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        expect_integer(size, what="LocalResponseNorm: size", least=1)
        expect_range(k, what="LocalResponseNorm: k", above=0)
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, x):
        return ops.local_response_norm(
            x, size=self.size, alpha=self.alpha, beta=self.beta, k=self.k
        )

    def describe(self):
        return f"{self.size}"


def _divisors(n: int) -> str:
    return ", ".join(str(d) for d in range(1, n + 1) if n % d == 0)
