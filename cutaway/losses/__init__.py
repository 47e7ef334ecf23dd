"""Losses: differentiable measures of how wrong a prediction is.

A loss is a function (prediction, target) -> Tensor. Options are fixed with functools.partial.
"""

from collections.abc import Callable

from cutaway.leaves import objects_of
from cutaway.losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from cutaway.losses.categorical import (
    categorical_cross_entropy,
    categorical_cross_entropy_with_logits,
    kl_divergence,
)
from cutaway.losses.contract import Expects, expecting, expects
from cutaway.losses.focusing import binary_focal_with_logits, focal_with_logits
from cutaway.losses.latent import gaussian_kl_divergence
from cutaway.losses.margin import hinge, squared_hinge
from cutaway.losses.overlap import (
    dice_cross_entropy_with_logits,
    soft_dice,
    soft_dice_with_logits,
)
from cutaway.losses.penalties import l1_penalty, l2_penalty
from cutaway.losses.regression import (
    huber,
    mean_absolute_error,
    mean_squared_error,
    smooth_l1,
)
from cutaway.losses.single_shot import single_shot_loss
from cutaway.losses.sparse import (
    sparse_categorical_cross_entropy,
    sparse_categorical_cross_entropy_with_logits,
)
from cutaway.losses.yolo import yolo1_loss, yolo2_loss, yolo3_loss
from cutaway.losses.yolo4 import yolo4_loss

__all__ = [
    "LOSSES",
    "LOSS_ALIASES",
    "Expects",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_focal_with_logits",
    "categorical_cross_entropy",
    "categorical_cross_entropy_with_logits",
    "dice_cross_entropy_with_logits",
    "expecting",
    "expects",
    "focal_with_logits",
    "gaussian_kl_divergence",
    "hinge",
    "huber",
    "kl_divergence",
    "l1_penalty",
    "l2_penalty",
    "mean_absolute_error",
    "mean_squared_error",
    "single_shot_loss",
    "smooth_l1",
    "soft_dice",
    "soft_dice_with_logits",
    "sparse_categorical_cross_entropy",
    "sparse_categorical_cross_entropy_with_logits",
    "squared_hinge",
    "yolo1_loss",
    "yolo2_loss",
    "yolo3_loss",
    "yolo4_loss",
]


def _has_expectations(value) -> bool:
    return isinstance(getattr(value, "expects", None), Expects)


# by the names that the command line and config files use: every loss in this folder
LOSSES: dict[str, Callable] = {
    found.__name__: found for found in objects_of(__name__, __path__, _has_expectations)
}
globals().update(LOSSES)

# short names for the command line only; config files contain the full ones
LOSS_ALIASES: dict[str, str] = {
    found.expects.alias: name for name, found in LOSSES.items() if found.expects.alias
}
