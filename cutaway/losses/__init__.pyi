# Written by scripts/write_stubs.py: do not edit.
from collections.abc import Callable

from cutaway.losses.binary import binary_cross_entropy as binary_cross_entropy
from cutaway.losses.binary import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from cutaway.losses.categorical import categorical_cross_entropy as categorical_cross_entropy
from cutaway.losses.categorical import categorical_cross_entropy_with_logits as categorical_cross_entropy_with_logits
from cutaway.losses.categorical import kl_divergence as kl_divergence
from cutaway.losses.contract import Expects as Expects
from cutaway.losses.contract import expecting as expecting
from cutaway.losses.contract import expects as expects
from cutaway.losses.focusing import binary_focal_with_logits as binary_focal_with_logits
from cutaway.losses.focusing import focal_with_logits as focal_with_logits
from cutaway.losses.latent import gaussian_kl_divergence as gaussian_kl_divergence
from cutaway.losses.margin import hinge as hinge
from cutaway.losses.margin import squared_hinge as squared_hinge
from cutaway.losses.overlap import dice_cross_entropy_with_logits as dice_cross_entropy_with_logits
from cutaway.losses.overlap import soft_dice as soft_dice
from cutaway.losses.overlap import soft_dice_with_logits as soft_dice_with_logits
from cutaway.losses.penalties import l1_penalty as l1_penalty
from cutaway.losses.penalties import l2_penalty as l2_penalty
from cutaway.losses.regression import huber as huber
from cutaway.losses.regression import mean_absolute_error as mean_absolute_error
from cutaway.losses.regression import mean_squared_error as mean_squared_error
from cutaway.losses.regression import smooth_l1 as smooth_l1
from cutaway.losses.single_shot import single_shot_loss as single_shot_loss
from cutaway.losses.sparse import sparse_categorical_cross_entropy as sparse_categorical_cross_entropy
from cutaway.losses.sparse import sparse_categorical_cross_entropy_with_logits as sparse_categorical_cross_entropy_with_logits
from cutaway.losses.yolo import yolo1_loss as yolo1_loss
from cutaway.losses.yolo import yolo2_loss as yolo2_loss
from cutaway.losses.yolo import yolo3_loss as yolo3_loss
from cutaway.losses.yolo4 import yolo4_loss as yolo4_loss

LOSSES: dict[str, Callable]
LOSS_ALIASES: dict[str, str]

__all__ = [
    "Expects",
    "LOSSES",
    "LOSS_ALIASES",
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
