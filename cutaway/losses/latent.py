"""Divergence between a latent distribution predicted by a network and the standard normal."""

import jax.numpy as jnp

from cutaway.engine import Tensor, as_array
from cutaway.engine.operation import operation
from cutaway.errors import ShapeError
from cutaway.losses.contract import as_floating, reduced, row_scale


@operation(name="gaussian_kl_divergence")
def _divergence(mean, log_variance, *, reduction, rows):
    mean, log_variance = _paired(mean, log_variance)
    each = mean**2 + jnp.exp(log_variance) - 1 - log_variance
    return reduced(0.5 * jnp.sum(each, axis=-1), reduction, rows)


@_divergence.backward
def _divergence_backward(grad, out, mean, log_variance, *, reduction, rows):
    scale = (grad * row_scale(mean[..., 0], reduction, rows))[..., None]
    # ∂/∂μ = μ,  ∂/∂ ln σ² = (σ² - 1) / 2
    return scale * mean, scale * 0.5 * jnp.expm1(log_variance)


def _paired(mean, log_variance):
    mean, log_variance = as_floating(mean), as_array(log_variance)
    if mean.ndim < 1 or mean.shape != log_variance.shape:
        raise ShapeError(
            f"gaussian_kl_divergence: mean has shape {mean.shape}, log_variance "
            f"{log_variance.shape}",
            expected="equal shapes (..., features)",
        )
    return mean, log_variance.astype(mean.dtype)


def gaussian_kl_divergence(
    mean, log_variance, *, reduction: str = "mean", row_weights=None
) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ_j (μ_j² + σ_j² - 1 - ln σ_j²), of independent features.

    Args:
        mean: μ.
        log_variance: ln σ², unbounded.
        reduction: "mean" over the rows, "sum", or "none".
        row_weights: (rows,), or the shape of the leading axes.

    Shapes:
        mean and log_variance: (..., features)

    References:
        Kingma & Welling 2014, "Auto-encoding variational Bayes", arXiv:1312.6114, appendix B.

    Example:
        >>> from cutaway.losses import gaussian_kl_divergence
        >>> gaussian_kl_divergence([[1.0, 2.0]], [[0.0, 0.0]]).item()
        2.5
    """
    return _divergence(mean, log_variance, reduction=reduction, rows=row_weights)
