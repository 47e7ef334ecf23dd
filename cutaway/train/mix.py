"""Mixing of examples: the network sees two at once and shall say how much there is of each.

A mix is called inside the compiled step with a batch x (batch, ...) and its targets y. It returns
(mixed x, the partners' targets, share of y): the loss is share · L(ŷ, y) + (1 - share) · L(ŷ,
partners), which for cross-entropies is the loss of the mixed one-hot rows.
"""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor
from cutaway.errors import DataError, ShapeError, expect_range
from cutaway.nn.random import new_key
from cutaway.nn.state import Buffer, Stateful


class Mix(Stateful):
    """Base: draws a share λ ~ Beta(α, α) and for each row a partner. A subclass has `blend`.

    Args:
        alpha: α > 0; small for λ near 0 or 1, 1 for all values alike.
    """

    def __init__(self, alpha: float):
        expect_range(alpha, what=f"{type(self).__name__}: alpha", above=0)
        self.alpha = alpha
        self.key = Buffer(new_key())

    def __call__(self, x, y):
        values = x.data
        if not (jnp.issubdtype(values.dtype, jnp.floating) or values.dtype == jnp.uint8):
            raise DataError(
                f"{type(self).__name__}: the inputs are {values.dtype}",
                expected="floats or uint8: only numerical inputs can be mixed",
                fix="train without mix; token ids and category codes cannot be averaged",
            )
        self.key.data, for_share, for_order, for_blend = jax.random.split(self.key.data, 4)
        share = jax.random.beta(for_share, self.alpha, self.alpha)
        order = jax.random.permutation(for_order, len(values))
        mixed, share = self.blend(values, values[order], share, for_blend)
        return Tensor(mixed), Tensor(y.data[order]), Tensor(share)

    def blend(self, x, partners, share, key) -> tuple:
        """(mixed arrays, the share that x really has in them)."""
        raise TypeError(f"{type(self).__name__} has no blend: define it")


class Mixup(Mix):
    """Mixup: λ x_i + (1 - λ) x_j, one λ ~ Beta(α, α) a step.

    Args:
        alpha: α > 0; the paper takes 0.1 to 0.4 for ImageNet, 1 for CIFAR.

    References:
        Zhang et al. 2018, "mixup: beyond empirical risk minimization", arXiv:1710.09412, eq. 1.

    Example:
        >>> import cutaway as ct
        >>> net = ct.Linear(3, 2)
        >>> loss = ct.losses.sparse_categorical_cross_entropy_with_logits
        >>> trainer = ct.Trainer(net, loss=loss, mix=Mixup(0.2))
    """

    def __init__(self, alpha: float = 0.2):
        super().__init__(alpha)

    def blend(self, x, partners, share, key):
        x, partners = (v.astype(jnp.result_type(v, jnp.float32)) for v in (x, partners))
        share = share.astype(x.dtype)
        return share * x + (1 - share) * partners, share


class CutMix(Mix):
    """CutMix: a box of x_j's pixels in x_i; y_i counts by the share of pixels that are left.

    The box has a share 1 - λ of the picture, λ ~ Beta(α, α), and its center is anywhere, so that
    a part of it may lie outside. Also for series (batch, time, features) and volumes.

    Args:
        alpha: α > 0; the paper takes 1.

    Shapes:
        x: (batch, height, width, channels)

    References:
        Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers",
        arXiv:1905.04899, eq. 1 and 2.
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__(alpha)

    def blend(self, x, partners, share, key):
        sizes = x.shape[1:-1]
        if not sizes:
            raise ShapeError(
                f"CutMix: the inputs have shape {x.shape}",
                expected="(batch, height, width, channels)",
                fix="for tabular data use Mixup",
            )
        inside = jnp.ones((1,) * x.ndim, bool)
        edge = (1 - share) ** (1 / len(sizes))  # of each axis: their product is 1 - λ
        for axis, (n, k) in enumerate(zip(sizes, jax.random.split(key, len(sizes)), strict=True)):
            center = jax.random.randint(k, (), 0, n)
            half = (edge * n).astype(jnp.int32) // 2
            places = jnp.arange(n)
            along = (places >= center - half) & (places < center + half)
            inside = inside & along.reshape(n, *(1,) * (len(sizes) - axis))
        inside = jnp.broadcast_to(inside, (1, *sizes, 1))
        return jnp.where(inside, partners, x), 1 - jnp.mean(inside.astype(jnp.float32))
