"""Metrics for classes. What scikit-learn computes, in jax.numpy, so that they can be compiled.

`prediction` holds probabilities: (rows,) or (rows, 1) of class 1, decided at 0.5; or
(rows, classes), decided by the largest. `target` holds class numbers (rows,), or one-hot rows.
`weights` (rows,), 0 for rows that shall not count.
"""

import jax
import jax.numpy as jnp


def _decided(prediction, target):
    """(predicted class, true class, number of classes), the first two (rows,) int32."""
    prediction, target = jnp.asarray(prediction), jnp.asarray(target)
    if prediction.ndim == 2 and prediction.shape[1] > 1:
        if target.shape == prediction.shape:
            target = jnp.argmax(target, axis=1)
        classes = prediction.shape[1]
        return jnp.argmax(prediction, axis=1), target.reshape(-1).astype(jnp.int32), classes
    guess = (prediction.reshape(-1) >= 0.5).astype(jnp.int32)
    return guess, target.reshape(-1).astype(jnp.int32), 2


def _counts(prediction, target, weights):
    """Right, predicted and true rows of each class, each (classes,)."""
    guess, truth, classes = _decided(prediction, target)
    w = jnp.ones(guess.shape) if weights is None else jnp.asarray(weights)
    guessed = jax.nn.one_hot(guess, classes) * w[:, None]
    true = jax.nn.one_hot(truth, classes) * w[:, None]
    right = jax.nn.one_hot(truth, classes) * (guess == truth)[:, None] * w[:, None]
    return right.sum(axis=0), guessed.sum(axis=0), true.sum(axis=0)


def _ratio(a, b):
    """a / b, and 0 where b is 0 (scikit-learn's zero_division=0)."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)


def _of_classes(scores, guessed, true):
    """The score of class 1 for two classes, else the mean over classes that occur."""
    if scores.shape[0] == 2:
        return scores[1]
    occurs = (guessed + true) > 0
    return _ratio(jnp.sum(scores * occurs), jnp.sum(occurs))


def accuracy(prediction, target, weights=None):
    """Share of right rows."""
    right, _, true = _counts(prediction, target, weights)
    return _ratio(right.sum(), true.sum())


def balanced_accuracy(prediction, target, weights=None):
    """Mean over the classes that occur of the share of their rows that are right."""
    right, _, true = _counts(prediction, target, weights)
    return _ratio(jnp.sum(_ratio(right, true)), jnp.sum(true > 0))


def precision(prediction, target, weights=None):
    """Of the rows predicted as a class, the share that are it; class 1, or mean over classes."""
    right, guessed, true = _counts(prediction, target, weights)
    return _of_classes(_ratio(right, guessed), guessed, true)


def recall(prediction, target, weights=None):
    """Of the rows of a class, the share predicted as it; class 1, or mean over classes."""
    right, guessed, true = _counts(prediction, target, weights)
    return _of_classes(_ratio(right, true), guessed, true)


def f1(prediction, target, weights=None):
    """Harmonic mean 2 P R / (P + R) of precision and recall; class 1, or mean over classes."""
    right, guessed, true = _counts(prediction, target, weights)
    return _of_classes(_ratio(2 * right, guessed + true), guessed, true)


def roc_auc(prediction, target, weights=None):
    """Probability that a row of class 1 is given a higher score than one of class 0; ties half.

    More classes: mean over classes, each against the rest. NaN if a class does not occur.
    """
    prediction, target = jnp.asarray(prediction), jnp.asarray(target)
    w = jnp.ones(prediction.shape[0]) if weights is None else jnp.asarray(weights)
    if prediction.ndim == 2 and prediction.shape[1] > 1:
        if target.shape == prediction.shape:
            target = jnp.argmax(target, axis=1)
        hot = jax.nn.one_hot(target.reshape(-1), prediction.shape[1])
        if prediction.shape[1] == 2:
            return _auc(prediction[:, 1], hot[:, 1], w)
        return jnp.mean(jax.vmap(_auc, in_axes=(1, 1, None))(prediction, hot, w))
    return _auc(prediction.reshape(-1), target.reshape(-1).astype(jnp.float32), w)


def _auc(score, positive, weights):
    # Σ over positives of the weight of negatives below, ties half, by sorted cumulative weights
    order = jnp.argsort(score)
    score, positive, weights = score[order], positive[order], weights[order]
    negative_weight = jnp.concatenate([jnp.zeros(1), jnp.cumsum(weights * (1 - positive))])
    below = negative_weight[jnp.searchsorted(score, score, side="left")]
    up_to = negative_weight[jnp.searchsorted(score, score, side="right")]
    positives = jnp.sum(weights * positive)
    negatives = negative_weight[-1]
    pairs = positives * negatives
    won = jnp.sum(weights * positive * (below + up_to) / 2)
    return jnp.where(pairs > 0, won / jnp.where(pairs > 0, pairs, 1), jnp.nan)


def log_loss(prediction, target, weights=None):
    """Mean of -ln(probability of the true class), probabilities held above 1e-7."""
    prediction, target = jnp.asarray(prediction), jnp.asarray(target)
    w = jnp.ones(prediction.shape[0]) if weights is None else jnp.asarray(weights)
    if prediction.ndim == 2 and prediction.shape[1] > 1:
        if target.shape == prediction.shape:
            target = jnp.argmax(target, axis=1)
        labels = target.reshape(-1, 1).astype(jnp.int32)
        p = jnp.take_along_axis(prediction, labels, axis=1)[:, 0]
    else:
        p1, y = prediction.reshape(-1), target.reshape(-1)
        p = jnp.where(y > 0.5, p1, 1 - p1)
    return _ratio(jnp.sum(-jnp.log(jnp.maximum(p, 1e-7)) * w), jnp.sum(w))
