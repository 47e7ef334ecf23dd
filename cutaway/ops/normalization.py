"""Normalizations: x̂ = (x - μ) / √(σ² + ε) over some axes, then γ x̂ + β.

They differ in the elements that share a mean and a variance. The derivative is the same for all,
since μ and σ² depend on x too. With ĝ = γ ∂L/∂y, and means over the elements that share μ and σ²,

    ∂L/∂x = (ĝ - mean(ĝ) - x̂ mean(ĝ x̂)) / √(σ² + ε)

The two subtracted terms remove the parts of the gradient that would only shift or scale x, to which
the output is invariant. The variance is computed from the differences to the mean, not as
mean(x²) - μ², which loses all digits if the mean is large.

`weight` (γ) and `bias` (β) are inputs of the operation, so scaling and shifting happen in the same
pass over the data; None omits them.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine.operation import operation
from cutaway.errors import OptionError, ShapeError, expect_range
from cutaway.ops.elementwise import sqrt


def moments(x, axis):
    """(mean, biased variance) of an array over the axes, which are kept with size 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.ops import moments
        >>> [a.tolist() for a in moments(jnp.array([[1.0, 3.0]]), axis=-1)]
        [[[2.0]], [[1.0]]]
    """
    mean = jnp.mean(x, axis, keepdims=True)
    return mean, jnp.mean(jnp.square(x - mean), axis, keepdims=True)


def _affine(x, weight, bias):
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def _to_affine(grad, x_hat, weight, bias):
    """Gradients of weight and bias, which have the last axis only."""
    rest = tuple(range(grad.ndim - 1))
    to_weight = None if weight is None else jnp.sum(grad * x_hat, rest)
    to_bias = None if bias is None else jnp.sum(grad, rest)
    return to_weight, to_bias


def _through_moments(grad, x_hat, rstd, axis):
    """∂L/∂x of x̂, given ∂L/∂x̂ (see the top of this file)."""
    centered = grad - jnp.mean(grad, axis, keepdims=True)
    return rstd * (centered - x_hat * jnp.mean(grad * x_hat, axis, keepdims=True))


@operation(saves=True, edges="rowwise", role="norm")
def layer_norm(x, weight, bias, *, eps=1e-5):
    """Each position by the mean and variance of its own features.

    Ba, Kiros & Hinton 2016, arXiv:1607.06450.

    Shapes:
        x: (..., features)
        weight, bias: (features,) or None
    """
    mean, variance = moments(x, -1)
    rstd = jax.lax.rsqrt(variance + eps)
    return _affine((x - mean) * rstd, weight, bias), (mean, rstd)


@layer_norm.backward
def layer_norm_backward(grad, out, saved, x, weight, bias, *, eps=1e-5):
    mean, rstd = saved
    x_hat = (x - mean) * rstd
    to_weight, to_bias = _to_affine(grad, x_hat, weight, bias)
    grad = _affine(grad, weight, None)
    return _through_moments(grad, x_hat, rstd, -1), to_weight, to_bias


@layer_norm.onnx
def layer_norm_onnx(g, x, weight, bias, *, eps=1e-5):
    weight = np.ones(x.shape[-1], x.dtype) if weight is None else weight
    return g.out("LayerNormalization", x, weight, bias, axis=-1, epsilon=float(eps))


@layer_norm.decomposition
def layer_norm_decomposition(label, x, weight, bias, *, eps=1e-5):
    if weight is None and bias is None:
        return None
    return _affine(layer_norm(x, None, None, eps=eps), weight, bias)


@operation(saves=True, edges="rowwise", role="norm")
def rms_norm(x, weight, *, eps=1e-6):
    """γ x / √(mean(x²) + ε): each position by the root mean square of its own features.

    Zhang & Sennrich 2019, arXiv:1910.07467.

    Shapes:
        x: (..., features)
        weight: (features,) or None
    """
    scale = jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + eps)
    return _affine(x * scale, weight, None), scale


@rms_norm.backward
def rms_norm_backward(grad, out, scale, x, weight, *, eps=1e-6):
    # no mean is subtracted, so only what would stretch x is taken out
    x_hat = x * scale
    to_weight, _ = _to_affine(grad, x_hat, weight, None)
    grad = _affine(grad, weight, None)
    to_x = scale * (grad - x_hat * jnp.mean(grad * x_hat, -1, keepdims=True))
    return to_x, to_weight


@rms_norm.onnx
def rms_norm_onnx(g, x, weight, *, eps=1e-6):
    mean = g.node("ReduceMean", g.node("Mul", x, x), g.integers([-1]), keepdims=1)
    out = g.node("Div", x, g.node("Sqrt", g.node("Add", mean, eps)))
    return g.result(out if weight is None else g.node("Mul", out, weight))


@rms_norm.decomposition
def rms_norm_decomposition(label, x, weight, *, eps=1e-6):
    return None if weight is None else _affine(rms_norm(x, None, eps=eps), weight, None)


@operation(saves=True, role="norm")
def batch_norm(x, weight, bias, *, eps=1e-5):
    """Each channel by its mean and variance over the batch and all positions, as in training.

    Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 1.

    Shapes:
        x: (batch, ..., channels)
        weight, bias: (channels,) or None
    """
    axes = tuple(range(x.ndim - 1))
    mean, variance = moments(x, axes)
    rstd = jax.lax.rsqrt(variance + eps)
    return _affine((x - mean) * rstd, weight, bias), (mean, rstd)


@batch_norm.backward
def batch_norm_backward(grad, out, saved, x, weight, bias, *, eps=1e-5):
    # γ is the same for all elements that share μ and σ², so it can be taken out of the means; what
    # remains inside are the gradients of γ and β themselves
    mean, rstd = saved
    x_hat = (x - mean) * rstd
    axes = tuple(range(x.ndim - 1))
    to_weight, to_bias = jnp.sum(grad * x_hat, axes), jnp.sum(grad, axes)
    count = float(x.size // x.shape[-1])  # a large one is no int32
    scale = rstd if weight is None else rstd * weight
    to_x = scale * (grad - to_bias / count - x_hat * (to_weight / count))
    return to_x, None if weight is None else to_weight, None if bias is None else to_bias


@batch_norm.decomposition
def batch_norm_decomposition(label, x, weight, bias, *, eps=1e-5):
    if weight is None and bias is None:
        return None
    return _affine(batch_norm(x, None, None, eps=eps), weight, bias)


@operation(role="norm")
def normalize(x, mean, variance, weight, bias, *, eps=1e-5):
    """γ (x - μ) / √(σ² + ε) + β with a given mean and variance: batch norm in evaluation.

    Shapes:
        x: (..., channels)
        mean, variance: (channels,)
        weight, bias: (channels,) or None
    """
    scale = _affine(jax.lax.rsqrt(variance + eps), weight, None)
    return _affine((x - mean) * scale, None, bias)


@normalize.backward
def normalize_backward(grad, out, x, mean, variance, weight, bias, *, eps=1e-5):
    rstd = jax.lax.rsqrt(variance + eps)
    scale = _affine(rstd, weight, None)
    rest = tuple(range(grad.ndim - 1))
    to_weight, to_bias = jnp.sum(grad * ((x - mean) * rstd), rest), jnp.sum(grad, rest)
    # ∂/∂σ² (σ² + ε)^(-½) = -½ (σ² + ε)^(-3/2)
    to_variance = -0.5 * scale * rstd * to_weight
    return (
        grad * scale,
        -scale * to_bias,
        to_variance,
        None if weight is None else to_weight,
        None if bias is None else to_bias,
    )


@normalize.onnx
def normalize_onnx(g, x, mean, variance, weight, bias, *, eps=1e-5):
    rest = [g.name(value) for value in (*_whole_affine(x, weight, bias), mean, variance)]
    if x.ndim == 2:
        return g.out("BatchNormalization", x, *rest, epsilon=float(eps))
    first = g.node("BatchNormalization", g.channels_first(x), *rest, epsilon=float(eps))
    return g.result(first=first)


@normalize.decomposition
def normalize_decomposition(label, x, mean, variance, weight, bias, *, eps=1e-5):
    return _affine((x - mean) / sqrt(variance + eps), weight, bias)


def _whole_affine(x, weight, bias):
    """Both, where ONNX has no place for None."""
    channels = x.shape[-1]
    weight = np.ones(channels, x.dtype) if weight is None else weight
    return weight, np.zeros(channels, x.dtype) if bias is None else bias


@operation(saves=True, role="norm")
def instance_norm(x, weight, bias, *, eps=1e-5):
    """Each channel of each example by its mean and variance over the positions.

    Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022.

    Shapes:
        x: (batch, ..., channels), at least one axis of positions
        weight, bias: (channels,) or None
    """
    if x.ndim < 3:
        raise ShapeError(
            f"instance_norm: the input has shape {x.shape}",
            expected="(batch, ..., channels) with at least one spatial axis in between",
            fix="use layer_norm or batch_norm for inputs without spatial axes",
        )
    return _by_groups(x, weight, bias, x.shape[-1], eps)


@instance_norm.backward
def instance_norm_backward(grad, out, saved, x, weight, bias, *, eps=1e-5):
    return _by_groups_backward(grad, saved, x, weight, bias, x.shape[-1])


@instance_norm.onnx
def instance_norm_onnx(g, x, weight, bias, *, eps=1e-5):
    return _group_norm_node(g, x, weight, bias, x.shape[-1], eps)


@instance_norm.decomposition
def instance_norm_decomposition(label, x, weight, bias, *, eps=1e-5):
    if weight is None and bias is None:
        return None
    return _affine(instance_norm(x, None, None, eps=eps), weight, bias)


@operation(saves=True, role="norm")
def group_norm(x, weight, bias, *, num_groups, eps=1e-5):
    """Each group of channels of each example by its mean and variance over positions and group.

    Group g holds the channels g·n, ..., (g+1)·n - 1 with n = channels / num_groups.
    Wu & He 2018, arXiv:1803.08494.

    Shapes:
        x: (batch, ..., channels)
        weight, bias: (channels,) or None
    """
    if x.ndim < 2 or num_groups < 1 or x.shape[-1] % num_groups:
        raise ShapeError(
            f"group_norm: an input of shape {x.shape} in {num_groups} groups of channels",
            expected="(batch, ..., channels) with channels divisible by num_groups",
        )
    return _by_groups(x, weight, bias, num_groups, eps)


@group_norm.backward
def group_norm_backward(grad, out, saved, x, weight, bias, *, num_groups, eps=1e-5):
    return _by_groups_backward(grad, saved, x, weight, bias, num_groups)


@group_norm.onnx
def group_norm_onnx(g, x, weight, bias, *, num_groups, eps=1e-5):
    return _group_norm_node(g, x, weight, bias, num_groups, eps)


@group_norm.decomposition
def group_norm_decomposition(label, x, weight, bias, *, num_groups, eps=1e-5):
    if weight is None and bias is None:
        return None
    return _affine(group_norm(x, None, None, num_groups=num_groups, eps=eps), weight, bias)


def _group_norm_node(g, x, weight, bias, num_groups, eps):
    names = [g.channels_first(x), *map(g.name, _whole_affine(x, weight, bias))]
    first = g.node("GroupNormalization", *names, num_groups=num_groups, epsilon=float(eps))
    return g.result(first=first) if x.ndim > 2 else g.result(first)


def _by_groups(x, weight, bias, num_groups, eps):
    # channel by channel over the positions first, which reads x in its order; the means of a few
    # channels that follow cost nothing
    positions = tuple(range(1, x.ndim - 1))
    mean = _group_mean(jnp.mean(x, positions, keepdims=True), num_groups)
    squares = jnp.mean(jnp.square(x - mean), positions, keepdims=True)
    rstd = jax.lax.rsqrt(_group_mean(squares, num_groups) + eps)
    return _affine((x - mean) * rstd, weight, bias), (mean, rstd)


def _by_groups_backward(grad, saved, x, weight, bias, num_groups):
    mean, rstd = saved
    x_hat = (x - mean) * rstd
    positions = tuple(range(1, x.ndim - 1))
    # γ is the same at all positions, so these two sums serve γ, β and x
    sums = jnp.sum(grad, positions, keepdims=True)
    products = jnp.sum(grad * x_hat, positions, keepdims=True)
    count = float(math.prod(x.shape[1:-1]))
    shift = _group_mean(_affine(sums / count, weight, None), num_groups)
    stretch = _group_mean(_affine(products / count, weight, None), num_groups)
    to_x = rstd * (_affine(grad, weight, None) - shift - x_hat * stretch)
    rest = tuple(range(x.ndim - 1))
    to_weight = None if weight is None else jnp.sum(products, rest)
    to_bias = None if bias is None else jnp.sum(sums, rest)
    return to_x, to_weight, to_bias


def _group_mean(per_channel, num_groups):
    """The mean of each group of channels, at each of its channels."""
    shape = per_channel.shape
    groups = per_channel.reshape(*shape[:-1], num_groups, shape[-1] // num_groups)
    means = jnp.mean(groups, -1, keepdims=True)
    return jnp.broadcast_to(means, groups.shape).reshape(shape)


@operation(saves=True, edges="rowwise", role="norm")
def local_response_norm(x, *, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + α/size Σ x²)^β, the sum over `size` channels around each channel.

    Krizhevsky, Sutskever & Hinton 2012, sec. 3.3, whose α is α/size here. An even size reaches
    one channel further down than up.

    Shapes:
        x: (..., channels)
    """
    expect_range(size, what="local_response_norm: size", least=1)
    base = k + alpha / size * _window_sum(jnp.square(x), size // 2, (size - 1) // 2)
    return x * base**-beta, base


@local_response_norm.backward
def local_response_norm_backward(grad, out, base, x, *, size, alpha=1e-4, beta=0.75, k=1.0):
    # y_j = x_j s_j^-β, and s_j depends on x_i for every j whose window contains i: window flipped
    to_base = _window_sum(grad * out / base, (size - 1) // 2, size // 2)
    return grad * base**-beta - 2 * alpha * beta / size * x * to_base


@local_response_norm.onnx
def local_response_norm_onnx(g, x, *, size, alpha=1e-4, beta=0.75, k=1.0):
    if size % 2 == 0:
        raise OptionError(
            f"local response norm over {size} channels cannot be exported to ONNX",
            expected="an odd number of channels",
        )
    options = {"size": size, "alpha": float(alpha), "beta": float(beta), "bias": float(k)}
    return g.result(first=g.node("LRN", g.channels_first(x), **options))


def _window_sum(x, below, above):
    """Σ of the channels i - below, ..., i + above; zeros beyond the ends."""
    channels = x.shape[-1]
    padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(below, above)])
    total = padded[..., :channels]
    for shift in range(1, below + above + 1):
        total = total + padded[..., shift : shift + channels]
    return total
