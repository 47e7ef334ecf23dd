"""SSD's loss: classes by cross-entropy with hard negatives, boxes by smooth L1."""

import jax.numpy as jnp

from cutaway.boxes import hard_negatives
from cutaway.engine import Tensor, as_array
from cutaway.errors import ShapeError
from cutaway.losses.contract import expect_class_weights
from cutaway.losses.regression import smooth_l1
from cutaway.losses.sparse import sparse_categorical_cross_entropy_with_logits


def weights_of_labels(name: str, class_weights, labels, classes: int):
    """The weight of each label, of which 0 is the background with 1; 1 without weights.

    Args:
        name: of the loss, for errors.
        class_weights: (classes,) or None.
        labels: 0, or 1 + the class.
        classes: their number.
    """
    if class_weights is None:
        return 1.0
    expect_class_weights(name, class_weights, classes)
    return jnp.concatenate([jnp.ones(1), jnp.asarray(class_weights, jnp.float32)])[labels]


def single_shot_loss(
    codes,
    logits,
    wanted_codes,
    labels,
    *,
    ratio: float = 3.0,
    least_negatives: int = 3,
    allowed=None,
    class_weights=None,
) -> dict[str, Tensor]:
    """{"boxes", "classes"}: smooth L1 of the matched priors' codes, cross-entropy with background.

    Both are sums over the batch divided by the number of its matched priors, at least 1. Of the
    others, in each picture those with the largest loss count: `ratio` for each matched one.

    Args:
        codes: (batch, priors, 4) predictions.
        logits: (batch, priors, 1 + classes); 0 is the background.
        wanted_codes: (batch, priors, 4) from `boxes.encode_boxes`.
        labels: (batch, priors) 0 for background, else 1 + the class.
        ratio: negatives per positive.
        least_negatives: of each picture. 0 in the paper, where a picture without objects teaches
            nothing.
        allowed: (batch, priors) which may be negatives; None: all that are not matched. (The
            paper's program allows those with an IoU below 0.5.)
        class_weights: (classes,) factors of the cross-entropy of matched priors, by their class;
            the background has 1.

    Raises:
        ShapeError: shapes that do not fit.
        DataError: weights below 0.

    References:
        Liu et al. 2016, "SSD: Single Shot MultiBox Detector", arXiv:1512.02325, section 2.2.
    """
    values, labels = as_array(logits), as_array(labels)
    if values.shape[:2] != labels.shape or as_array(codes).shape != (*labels.shape, 4):
        raise ShapeError(
            f"single_shot_loss: codes {as_array(codes).shape}, logits {values.shape}, labels "
            f"{labels.shape}",
            expected="(batch, priors, 4), (batch, priors, 1 + classes), (batch, priors)",
        )
    positive = labels > 0
    count = jnp.maximum(1, jnp.sum(positive)).astype(values.dtype)
    each = sparse_categorical_cross_entropy_with_logits(values, labels, reduction="none")
    negative = hard_negatives(
        as_array(each), positive, ratio=ratio, least=least_negatives, allowed=allowed
    )
    boxes = smooth_l1(
        codes, wanted_codes, reduction="sum", row_weights=jnp.where(positive, 1.0, 0.0)
    )
    share = jnp.where(positive | negative, 1.0, 0.0) * weights_of_labels(
        "single_shot_loss", class_weights, labels, values.shape[-1] - 1
    )
    classes = sparse_categorical_cross_entropy_with_logits(
        logits, labels, reduction="sum", row_weights=share
    )
    return {"boxes": boxes / count, "classes": classes / count}
