"""Classification metrics: scikit-learn's, in jax.numpy, which makes them compilable.

`prediction` contains PROBABILITIES: (rows,) or (rows, 1) of class 1, with threshold 0.5; or
(rows, classes), of which the largest is the predicted class. Logits must go through sigmoid or
softmax first; the Trainer does that for losses on logits. `target` contains integer labels (rows,)
or (rows, 1), or one-hot rows. `weights` (rows,): 0 excludes a row. A quotient 0/0 is 0.

For two classes, precision, recall and F1 are those of class 1; for more, the macro average over
the classes that occur as predicted or true class.
"""

import jax
import jax.numpy as jnp

from cutaway.engine import as_array
from cutaway.metrics.contract import metric, misfit, ratio, row_weights, wide


def _rows(prediction, target, weights):
    """(probabilities (rows, classes), or (rows,) of class 1; true class (rows,); weights)."""
    prediction, target = wide(prediction), as_array(target)
    if prediction.ndim not in (1, 2):
        raise misfit(prediction, target, "predictions (rows,), (rows, 1) or (rows, classes)")
    rows = prediction.shape[0]
    several = prediction.ndim == 2 and prediction.shape[1] > 1
    if several and target.shape == prediction.shape:
        target = jnp.argmax(target, axis=1)
    if target.shape not in ((rows,), (rows, 1)):
        hot = f", or one-hot rows {prediction.shape}" if several else ""
        raise misfit(prediction, target, f"integer labels, shape {(rows,)}{hot}")
    p = prediction if several else prediction.reshape(rows)
    return p, target.reshape(rows).astype(jnp.int32), row_weights(weights, rows)


def _counts(prediction, target, weights):
    """Total weight of the correct, predicted and true rows of each class, each (classes,)."""
    p, truth, w = _rows(prediction, target, weights)
    classes = p.shape[1] if p.ndim == 2 else 2
    guess = jnp.argmax(p, axis=1) if p.ndim == 2 else (p > 0.5).astype(jnp.int32)
    guessed = jax.nn.one_hot(guess, classes) * w[:, None]
    true = jax.nn.one_hot(truth, classes) * w[:, None]
    right = true * (guess == truth)[:, None]
    return right.sum(axis=0), guessed.sum(axis=0), true.sum(axis=0)


def _of_classes(scores, guessed, true):
    """The score of class 1 for two classes, else the mean over classes that occur."""
    if scores.shape[0] == 2:
        return scores[1]
    occurs = (guessed + true) > 0
    return ratio(jnp.sum(scores * occurs), jnp.sum(occurs))


@metric("classification", higher_is_better=True)
def accuracy(prediction, target, weights=None) -> jax.Array:
    """Fraction of rows classified correctly.

    Example:
        >>> from cutaway.metrics import accuracy
        >>> float(accuracy([0.9, 0.2, 0.6, 0.4], [1, 0, 0, 0]))
        0.75
    """
    right, _, true = _counts(prediction, target, weights)
    return ratio(right.sum(), true.sum())


@metric("classification", higher_is_better=True)
def balanced_accuracy(prediction, target, weights=None) -> jax.Array:
    """Mean recall over the classes that occur.

    Example:
        >>> from cutaway.metrics import balanced_accuracy
        >>> float(balanced_accuracy([0.1, 0.1, 0.1, 0.1], [1, 0, 0, 0]))
        0.5
    """
    right, _, true = _counts(prediction, target, weights)
    return ratio(jnp.sum(ratio(right, true)), jnp.sum(true > 0))


@metric("classification", higher_is_better=True)
def precision(prediction, target, weights=None) -> jax.Array:
    """Fraction of the rows predicted as a class that belong to it.

    Example:
        >>> from cutaway.metrics import precision
        >>> float(precision([0.9, 0.8, 0.2], [1, 0, 1]))
        0.5
    """
    right, guessed, true = _counts(prediction, target, weights)
    return _of_classes(ratio(right, guessed), guessed, true)


@metric("classification", higher_is_better=True)
def recall(prediction, target, weights=None) -> jax.Array:
    """Fraction of the rows of a class that are predicted as that class.

    Example:
        >>> from cutaway.metrics import recall
        >>> float(recall([0.9, 0.8, 0.2], [1, 0, 1]))
        0.5
    """
    right, guessed, true = _counts(prediction, target, weights)
    return _of_classes(ratio(right, true), guessed, true)


@metric("classification", higher_is_better=True)
def f1(prediction, target, weights=None) -> jax.Array:
    """Harmonic mean 2 P R / (P + R) of precision and recall.

    Example:
        >>> from cutaway.metrics import f1
        >>> float(f1([0.9, 0.8, 0.2], [1, 0, 1]))
        0.5
    """
    right, guessed, true = _counts(prediction, target, weights)
    return _of_classes(ratio(2 * right, guessed + true), guessed, true)


@metric("classification", higher_is_better=True)
def roc_auc(prediction, target, weights=None) -> jax.Array:
    """Area under the ROC curve: P(score of a row of class 1 > score of one of class 0).

    Ties count half. For more classes, the mean of one-vs-rest. NaN if a class does not occur.

    Example:
        >>> from cutaway.metrics import roc_auc
        >>> float(roc_auc([0.9, 0.3, 0.5, 0.1], [1, 1, 0, 0]))
        0.75
    """
    p, truth, w = _rows(prediction, target, weights)
    if p.ndim == 1:
        return _auc(p, truth == 1, w)
    if p.shape[1] == 2:
        return _auc(p[:, 1], truth == 1, w)
    of_class = truth[:, None] == jnp.arange(p.shape[1])  # (rows, classes)
    return jnp.mean(jax.vmap(_auc, in_axes=(1, 1, None))(p, of_class, w))


def _auc(score, positive, weights):
    # Σ over positives of the weight of negatives below, ties half, by sorted cumulative weights
    order = jnp.argsort(score)
    score, positive, weights = score[order], positive[order], weights[order]
    negative_weight = jnp.cumsum(jnp.where(positive, 0, weights))
    negative_weight = jnp.concatenate([jnp.zeros_like(negative_weight, shape=1), negative_weight])
    below = negative_weight[jnp.searchsorted(score, score, side="left")]
    up_to = negative_weight[jnp.searchsorted(score, score, side="right")]
    pairs = jnp.sum(jnp.where(positive, weights, 0)) * negative_weight[-1]
    won = jnp.sum(jnp.where(positive, weights, 0) * (below + up_to) / 2)
    defined = (pairs > 0) & ~jnp.any(jnp.isnan(score))
    return jnp.where(defined, won / jnp.where(pairs > 0, pairs, 1), jnp.nan)


@metric("classification", higher_is_better=False)
def log_loss(prediction, target, weights=None) -> jax.Array:
    """Mean of -ln(probability of the true class), probabilities clipped below at 1e-7.

    Example:
        >>> from cutaway.metrics import log_loss
        >>> round(float(log_loss([0.5, 0.5], [1, 0])), 4)  # ln 2
        0.6931
    """
    p, truth, w = _rows(prediction, target, weights)
    if p.ndim == 2:
        of_truth = jnp.take_along_axis(p, truth[:, None], axis=1)[:, 0]
    else:
        of_truth = jnp.where(truth == 1, p, 1 - p)
    return ratio(jnp.sum(-jnp.log(jnp.maximum(of_truth, 1e-7)) * w), jnp.sum(w))
