"""The first prediction of a classifier: how often each class occurs, before anything is learned.

    z = ln p_k (softmax), z = ln p - ln (1 - p) (sigmoid)

With the bias of the last layer at this, a new network has about the loss of the best constant
prediction. From 0 it would begin by learning that a rare class is rare, with a loss worse than
knowing nothing.

Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002, section 4.1.
"""

import numpy as np

from cutaway.losses import LOSSES, expects

CROSS_ENTROPIES = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "categorical_cross_entropy",
    "categorical_cross_entropy_with_logits",
    "sparse_categorical_cross_entropy",
    "sparse_categorical_cross_entropy_with_logits",
)
# Of the loss with all classes alike over that at the base rate: where beginning at 0 costs little,
# the bias stays 0 as the layer has it. Two classes come to it at 17%.
WORTH = 1.5


def base_rate_bias(loss: str, counts, weights=None) -> np.ndarray | None:
    """The bias (outputs,) with which a network predicts the base rate; None if 0 does as well.

    Args:
        loss: name of the loss.
        counts: training examples of each class.
        weights: of the classes in the loss; None: all 1.

    Example:
        >>> from cutaway.runs.base_rate import base_rate_bias
        >>> base_rate_bias("binary_cross_entropy_with_logits", [30, 1]).round(2)  # ln (1 / 30)
        array([-3.4])
        >>> base_rate_bias("binary_cross_entropy_with_logits", [30, 25]) is None
        True
    """
    if loss not in CROSS_ENTROPIES or len(counts) < 2:
        return None
    wants = expects(LOSSES[loss])
    mass = np.maximum(np.asarray(counts, float), 0.5)  # a class without rows is not impossible
    if weights is not None:
        mass = mass * np.asarray(weights, float)
    p = mass / mass.sum()
    if np.log(len(p)) < WORTH * -(p * np.log(p)).sum():
        return None
    if wants is not None and wants.target == "binary":
        return np.log(p[1:]) - np.log(p[:1]) if len(p) == 2 else None
    return np.log(p)


def start_at_base_rate(net, spec: dict, rows) -> None:
    """Set the last bias of a new classifier to the base rate of its classes, in place.

    A network whose last bias is no longer 0, because it was trained, stays as it is.

    Args:
        net: a network of `build_network`.
        spec: its spec.
        rows: the Preprocessing, fitted on the training rows; without classes nothing changes.
    """
    if rows.task not in ("binary", "multiclass"):
        return
    weights = spec.get("loss_options", {}).get("class_weights")
    bias = base_rate_bias(spec["loss"], rows.class_counts, weights)
    last = _last_bias(net)
    if bias is None or last is None or last.shape != bias.shape or np.any(last.numpy()):
        return
    last.data = last.data + bias.astype(np.float32)


def _last_bias(net):
    """The bias of the last layer with weights, None if that has none."""
    layers = [m for m in net.modules().values() if getattr(m, "weight", None) is not None]
    return getattr(layers[-1], "bias", None) if layers else None
