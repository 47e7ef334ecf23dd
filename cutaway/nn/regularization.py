"""Regularization by noise in training: whole channels or whole branches dropped at random."""

import jax

from cutaway.engine import Tensor
from cutaway.errors import ShapeError, expect_range
from cutaway.nn.drop_rates import survivors
from cutaway.nn.module import Module
from cutaway.nn.random import new_key
from cutaway.nn.state import Buffer


def _survivors(key: Buffer, p: float, shape, dtype) -> Tensor:
    """0 with probability p, otherwise 1 / (1 - p), of the given shape; advances the key."""
    key.data, drawn = jax.random.split(key.data)
    return Tensor(survivors(drawn, p, shape, dtype))


class SpatialDropout(Module):
    """Dropout of whole channels: in training each channel of each row is 0 with probability p.

    Neighboring pixels are highly correlated, so dropping single ones removes little information.
    The remaining channels are multiplied by 1/(1-p). PyTorch's Dropout1d, Dropout2d, Dropout3d.

    Args:
        p: fraction of channels dropped, in [0, 1).

    Shapes:
        x and y: (batch, ..., channels), the same

    References:
        Tompson et al. 2015, "Efficient object localization using convolutional networks",
        arXiv:1411.4280, section 3.2.
    """

    layer_kind = "dropout"

    keeps_features = True
    is_per_feature = True

    def __init__(self, p: float = 0.5):
        expect_range(p, what="SpatialDropout: p", least=0, below=1)
        self.p = p
        self.key = Buffer(new_key())

    def forward(self, x):
        if x.ndim < 2:
            raise ShapeError(
                f"{self.label()}: the input has shape {x.shape}",
                expected="(batch, ..., channels)",
                fix="for a single example: x[None]",
            )
        if not self.training or self.p == 0:
            return x
        shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
        return x * _survivors(self.key, self.p, shape, x.dtype)

    def become_identity(self):
        """It is, in evaluation; in training, on average."""

    def become_zero(self):
        """0 stays 0."""

    def describe(self):
        return f"p={self.p}"


class StochasticDepth(Module):
    """Drops a whole branch at random: for each row, y = b f(x) / (1 - p), b = 0 or 1.

    b is 0 with probability p. The expected value is f(x), which is also the output in evaluation.
    Use it inside a residual connection, which lets rows skip the branch:
    `Residual(StochasticDepth(block, 0.1))`. The paper draws b once per batch, and multiplies by
    1 - p in evaluation; later networks draw it per row.

    Args:
        inner: the module f.
        p: probability of skipping, in [0, 1). In the paper it increases from 0 at the first block
            to 0.5 at the last.

    References:
        Huang et al. 2016, "Deep networks with stochastic depth", arXiv:1603.09382.
    """

    is_wrapper = True

    def __init__(self, inner: Module, p: float = 0.1):
        expect_range(p, what="StochasticDepth: p", least=0, below=1)
        self.inner = inner
        self.p = p
        self.key = Buffer(new_key())

    def forward(self, *inputs):
        y = self.inner(*inputs)
        if not self.training or self.p == 0:
            return y
        shape = (y.shape[0], *(1,) * (y.ndim - 1))
        return y * _survivors(self.key, self.p, shape, y.dtype)
