"""Mixing of training examples: Mixup and CutMix.

A mix is called inside the compiled step with a batch x (batch, ...) and its targets y. It returns
(mixed x, the targets of the partners, λ): the loss is λ · L(ŷ, y) + (1 - λ) · L(ŷ, partners), which
for cross-entropies is the loss of the mixed one-hot rows.
"""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor
from cutaway.errors import DataError, ShapeError, expect_range
from cutaway.nn.random import new_key
from cutaway.nn.state import Buffer, Stateful


class Mix(Stateful):
    """Base class: draws λ ~ Beta(α, α) and a partner for each row. A subclass defines `blend`.

    Args:
        alpha: α > 0; small values draw λ near 0 or 1, 1 draws it uniformly.
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
        self.key.data, for_lambda, for_order, for_blend = jax.random.split(self.key.data, 4)
        fraction = jax.random.beta(for_lambda, self.alpha, self.alpha)
        order = jax.random.permutation(for_order, len(values))
        mixed, fraction = self.blend(values, values[order], fraction, for_blend)
        return Tensor(mixed), Tensor(y.data[order]), Tensor(fraction)

    def blend(self, x, partners, fraction, key) -> tuple:
        """(mixed arrays, the actual fraction λ of x in them)."""
        raise TypeError(
            f"{type(self).__name__} has no blend: define "
            "`def blend(self, x, partners, fraction, key)`"
        )


class Mixup(Mix):
    """Mixup: λ x_i + (1 - λ) x_j, one λ ~ Beta(α, α) per step.

    Args:
        alpha: α > 0; the paper uses 0.1 to 0.4 for ImageNet, 1 for CIFAR.

    References:
        Zhang et al. 2018, "mixup: beyond empirical risk minimization", arXiv:1710.09412, eq. 1.

    Example:
        >>> import cutaway as ct
        >>> net = ct.Linear(3, 2)
        >>> loss = ct.losses.sparse_categorical_cross_entropy_with_logits
        >>> trainer = ct.Trainer(net, loss=loss, mix=ct.Mixup(0.2))
    """

    def __init__(self, alpha: float = 0.2):
        super().__init__(alpha)

    def blend(self, x, partners, fraction, key):
        x, partners = (v.astype(jnp.result_type(v, jnp.float32)) for v in (x, partners))
        fraction = fraction.astype(x.dtype)
        return fraction * x + (1 - fraction) * partners, fraction


class CutMix(Mix):
    """CutMix: pastes a box of x_j into x_i; y_i is weighted by the fraction of x_i that remains.

    The box covers a fraction 1 - λ of the image, λ ~ Beta(α, α). Its center is uniform, so part of
    it may lie outside. Also for time series (batch, time, features) and volumes.

    Args:
        alpha: α > 0; the paper uses 1.

    Shapes:
        x: (batch, height, width, channels)

    References:
        Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers",
        arXiv:1905.04899, eq. 1 and 2.
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__(alpha)

    def blend(self, x, partners, fraction, key):
        sizes = x.shape[1:-1]
        if not sizes:
            raise ShapeError(
                f"CutMix: the inputs have shape {x.shape}",
                expected="(batch, height, width, channels)",
                fix="for tabular data use Mixup",
            )
        inside = jnp.ones((1,) * x.ndim, bool)
        edge = (1 - fraction) ** (1 / len(sizes))  # along each axis: the product is 1 - λ
        for axis, (n, k) in enumerate(zip(sizes, jax.random.split(key, len(sizes)), strict=True)):
            center = jax.random.randint(k, (), 0, n)
            half = (edge * n).astype(jnp.int32) // 2
            positions = jnp.arange(n)
            along = (positions >= center - half) & (positions < center + half)
            inside = inside & along.reshape(n, *(1,) * (len(sizes) - axis))
        inside = jnp.broadcast_to(inside, (1, *sizes, 1))
        return jnp.where(inside, partners, x), 1 - jnp.mean(inside.astype(jnp.float32))
