"""Losses of overlap, for masks: Dice, alone and with cross-entropy.

    D_c = (2 Σ p_c g_c + s) / (Σ p_c² + Σ g_c² + s)        L = 1 - mean of D_c over the classes

p: softmax of the logits; g: 1 where the label is c, else 0; the sums go over the positions of an
example, or of the whole batch. With A = 2 Σ p g + s and B = Σ p² + Σ g² + s,

    ∂D_c/∂p_c = 2 (g_c B - p_c A) / B²

which for s = 0 is the paper's formula. Through the softmax, ∂L/∂z_c = p_c (q_c - Σ_k p_k q_k) with
q = ∂L/∂p.

Milletari, Navab & Ahmadi 2016, "V-Net", arXiv:1606.04797, section 3.
"""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor, as_array
from cutaway.engine.operation import operation
from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.losses.contract import expecting, reduced, row_scale
from cutaway.losses.sparse import class_weight, kept, labeled, picked

OVER = ("example", "batch")


def _weights(p, labels, rows, ignored, over):
    """(weight of each position, weights of the examples for the mean): None where all are 1."""
    of_examples = over == "example" and rows is not None and as_array(rows).ndim == 1
    return kept(p[..., 0], None if of_examples else rows, ignored), rows if of_examples else None


def _overlap(p, labels, positions, over, smooth):
    """(2 Σ p g + s, Σ p² + Σ g² + s, g), the sums of each class: (rows, 1, ..., classes)."""
    g = jax.nn.one_hot(labels, p.shape[-1], dtype=p.dtype)
    g = jnp.where((labels >= p.shape[-1])[..., None], jnp.nan, g)  # see losses.sparse
    axes = tuple(range(0 if over == "batch" else 1, p.ndim - 1))
    both, squares = p * g, p * p + g
    if positions is not None:
        both, squares = (positions[..., None] * a for a in (both, squares))
    if axes:
        both, squares = (jnp.sum(a, axes, keepdims=True) for a in (both, squares))
    return 2 * both + smooth, squares + smooth, g


def _dice_values(p, above, below, background):
    """(1 - mean of D over the classes, 1/number of the classes in that mean)."""
    classes = slice(None) if background else slice(1, None)
    # a class that is nowhere and has no weight: nothing to overlap, which is right
    d = jnp.where(below == 0, 1, above / jnp.where(below == 0, 1, below))[..., classes]
    values = 1 - jnp.mean(d, axis=-1)
    return values.reshape(values.shape[0]), 1 / d.shape[-1]


def _dice_slope(p, g, above, below, positions, background, scale):
    """∂L/∂p, `scale` being ∂result/∂(loss of the example)."""
    safe = jnp.where(below == 0, 1, below)
    slope = -2 * (g * below - p * above) / (safe * safe)
    if not background:
        slope = slope.at[..., 0].set(0)
    if positions is not None:
        slope = slope * positions[..., None]
    return slope * scale.reshape(-1, *(1,) * (p.ndim - 1))


def _through_softmax(p, to_p):
    return p * (to_p - jnp.sum(p * to_p, axis=-1, keepdims=True))


def _expect_options(name, p, reduction, over, background, smooth):
    expect_choice(over, OVER, what=f"{name}: over")
    expect_range(smooth, what=f"{name}: smooth", least=0)
    if p.shape[-1] < 2:
        raise OptionError(
            f"{name}: the predictions have one class",
            expected="at least two: one output for each class, that of the background included",
            fix="give the last layer two outputs; labels are 0 and 1",
        )
    if over == "batch" and reduction == "none":
        raise OptionError(
            f'{name}: reduction="none" of one Dice over the whole batch',
            expected='"mean" or "sum"',
            fix='use over="example" for a loss of each example',
        )


def _dice(name, p, labels, ignored, reduction, rows, background, smooth, over):
    """(result, what the rule needs) for probabilities."""
    _expect_options(name, p, reduction, over, background, smooth)
    positions, examples = _weights(p, labels, rows, ignored, over)
    if positions is not None:
        positions = row_scale(p[..., 0], "sum", positions)  # of (rows,), for all positions
    above, below, g = _overlap(p, labels, positions, over, smooth)
    values, each = _dice_values(p, above, below, background)
    scale = each * row_scale(values, reduction, examples)
    return reduced(values, reduction, examples), (p, g, above, below, positions, scale)


def _dice_backward(saved, grad, background):
    """∂L/∂p."""
    p, g, above, below, positions, scale = saved
    return _dice_slope(p, g, above, below, positions, background, grad * scale)


def _softmax(z):
    """In float32 at least: sums over many positions in bfloat16 would stagnate."""
    return jax.nn.softmax(z.astype(jnp.promote_types(z.dtype, jnp.float32)), axis=-1)


@operation(name="soft_dice", saves=True)
def _of_probabilities(p, target, *, reduction, rows, background, smooth, over, ignore_index):
    p, labels, ignored = labeled("soft_dice", p, target, ignore_index)
    wide = p.astype(jnp.promote_types(p.dtype, jnp.float32))
    out, saved = _dice(
        "soft_dice", wide, labels, ignored, reduction, rows, background, smooth, over
    )
    return out.astype(p.dtype), saved


@_of_probabilities.backward
def _of_probabilities_backward(
    grad, out, saved, p, target, *, reduction, rows, background, smooth, over, ignore_index
):
    return _dice_backward(saved, grad, background).astype(out.dtype), None


@operation(name="soft_dice_with_logits", saves=True)
def _of_logits(z, target, *, reduction, rows, background, smooth, over, ignore_index):
    name = "soft_dice_with_logits"
    z, labels, ignored = labeled(name, z, target, ignore_index)
    out, saved = _dice(
        name, _softmax(z), labels, ignored, reduction, rows, background, smooth, over
    )
    return out.astype(z.dtype), saved


@_of_logits.backward
def _of_logits_backward(
    grad, out, saved, z, target, *, reduction, rows, background, smooth, over, ignore_index
):
    to_p = _dice_backward(saved, grad, background)
    return _through_softmax(saved[0], to_p).astype(out.dtype), None


@operation(name="dice_cross_entropy_with_logits", saves=True)
def _both_of_logits(
    z, target, *, reduction, class_weights, rows, background, smooth, over, ignore_index, weight
):
    name = "dice_cross_entropy_with_logits"
    z, labels, ignored = labeled(name, z, target, ignore_index)
    expect_range(weight, what=f"{name}: cross_entropy_weight", least=0)
    p = _softmax(z)
    dice, saved = _dice(name, p, labels, ignored, reduction, rows, background, smooth, over)
    weights = class_weight(name, labels, class_weights, p.shape[-1], p.dtype)
    values = -picked(jax.nn.log_softmax(z.astype(p.dtype)), labels)
    values = values if weights is None else weights * values
    positions = kept(values, rows, ignored)
    entropy = _per_example(values, reduction, positions, weights)
    return (dice + weight * entropy).astype(z.dtype), (saved, labels, weights, positions)


def _per_example(values, reduction, positions, weights):
    """The cross-entropy with the reduction of Dice: the mean over the positions of each example."""
    if reduction == "mean" or values.ndim == 1:
        return reduced(values, reduction, positions, weights)
    means = values * _shares(values, positions, weights)
    means = jnp.sum(means, tuple(range(1, values.ndim)))
    return means if reduction == "none" else jnp.sum(means)


def _shares(values, positions, weights):
    """w / Σ w over the positions of each example."""
    axes = tuple(range(1, values.ndim))
    rows = row_scale(values, "sum", positions)
    total = jnp.sum(rows if weights is None else rows * weights, axes, keepdims=True)
    return rows / jnp.where(total == 0, 1, total)


@_both_of_logits.backward
def _both_of_logits_backward(
    grad,
    out,
    saved,
    z,
    target,
    *,
    reduction,
    class_weights,
    rows,
    background,
    smooth,
    over,
    ignore_index,
    weight,
):
    of_dice, labels, weights, positions = saved
    p = of_dice[0]
    slope = p - jax.nn.one_hot(labels, p.shape[-1], dtype=p.dtype)
    if weights is not None:
        slope = weights[..., None] * slope
    if reduction == "mean" or labels.ndim == 1:
        scale = row_scale(p[..., 0], reduction, positions, weights)
    else:
        scale = _shares(p[..., 0], positions, weights)
    of_row = grad.reshape(grad.shape + (1,) * (labels.ndim - grad.ndim)) if grad.ndim else grad
    entropy = (weight * of_row * scale)[..., None] * slope
    dice = _through_softmax(p, _dice_backward(of_dice, grad, background))
    return (dice + entropy).astype(out.dtype), None


@expecting("probability", "labels", "soft_dice_with_logits")
def soft_dice(
    prediction,
    target,
    *,
    reduction: str = "mean",
    row_weights=None,
    background: bool = False,
    smooth: float = 1.0,
    over: str = "example",
    ignore_index: int | None = None,
) -> Tensor:
    """1 - D of probabilities: see soft_dice_with_logits.

    Args, Shapes, Raises: see soft_dice_with_logits; predictions are probabilities.

    Example:
        >>> from cutaway.losses import soft_dice
        >>> p = [[[0.5, 0.5], [0.5, 0.5]]]  # one example of two pixels, the second is class 1
        >>> round(soft_dice(p, [[0, 1]], smooth=0).item(), 4)  # 1 - 2 · 0.5 / (0.25 + 0.25 + 1)
        0.3333
    """
    return _of_probabilities(
        prediction,
        target,
        reduction=reduction,
        rows=row_weights,
        background=background,
        smooth=smooth,
        over=over,
        ignore_index=ignore_index,
    )


@expecting("logit", "labels", "soft_dice", alias="dice")
def soft_dice_with_logits(
    prediction,
    target,
    *,
    reduction: str = "mean",
    row_weights=None,
    background: bool = False,
    smooth: float = 1.0,
    over: str = "example",
    ignore_index: int | None = None,
) -> Tensor:
    """1 - D with D_c = (2 Σ p g + s) / (Σ p² + Σ g² + s), the mean over the classes.

    It does not depend on how many positions are background, so that small objects count as much
    as large ones.

    Args:
        prediction: logits; p is their softmax.
        target: integer labels from 0 to classes - 1; g is 1 where the label is the class. 0 is
            the background.
        reduction: "mean" over the examples, "sum", or "none".
        row_weights: (rows,): of each example's loss; of more axes, (rows, height, width): of each
            position in the sums. 0 excludes it.
        background: whether class 0 is one of the classes of the mean.
        smooth: s; 0 in the paper. It decides for classes that an example does not have: with s > 0
            predicting none of them is right (D = 1); with 0, D is 0 whatever is predicted.
        over: "example": the sums go over the positions of each example; "batch": over all
            examples, which is steadier where classes are rare.
        ignore_index: label whose positions count for nothing.

    Shapes:
        prediction: (rows, *sizes, classes), at least two classes
        target: (rows, *sizes), or (rows, *sizes, 1)

    Raises: see sparse_categorical_cross_entropy; OptionError: one class only.

    References:
        Milletari, Navab & Ahmadi 2016, "V-Net", arXiv:1606.04797, section 3. Over the batch:
        Isensee et al. 2021, "nnU-Net", Nature Methods 18.

    Example:
        >>> from cutaway.losses import soft_dice_with_logits
        >>> z = [[[9.0, -9.0], [-9.0, 9.0]]]  # one example of two pixels
        >>> round(soft_dice_with_logits(z, [[0, 1]]).item(), 4)
        0.0
    """
    return _of_logits(
        prediction,
        target,
        reduction=reduction,
        rows=row_weights,
        background=background,
        smooth=smooth,
        over=over,
        ignore_index=ignore_index,
    )


@expecting("logit", "labels", alias="dice_cross_entropy")
def dice_cross_entropy_with_logits(
    prediction,
    target,
    *,
    reduction: str = "mean",
    class_weights=None,
    row_weights=None,
    background: bool = False,
    smooth: float = 1.0,
    over: str = "example",
    ignore_index: int | None = None,
    cross_entropy_weight: float = 1.0,
) -> Tensor:
    """soft_dice_with_logits + sparse_categorical_cross_entropy_with_logits.

    The cross-entropy has a gradient also where nothing overlaps yet, and Dice the right balance of
    the classes. To see both in the history, return them from a loss of your own under two names.

    Args, Shapes, Raises: see soft_dice_with_logits and sparse_categorical_cross_entropy.
        class_weights: of the cross-entropy.
        cross_entropy_weight: factor of the cross-entropy.

    References:
        Isensee et al. 2021, "nnU-Net: a self-configuring method for deep learning-based biomedical
        image segmentation", Nature Methods 18.

    Example:
        >>> from cutaway.losses import dice_cross_entropy_with_logits
        >>> round(dice_cross_entropy_with_logits([[[0.0, 0.0]]], [[1]], smooth=0).item(), 4)
        0.8931
    """
    return _both_of_logits(
        prediction,
        target,
        reduction=reduction,
        class_weights=class_weights,
        rows=row_weights,
        background=background,
        smooth=smooth,
        over=over,
        ignore_index=ignore_index,
        weight=cross_entropy_weight,
    )
