"""Scores of masks: IoU and Dice of each class, from one confusion matrix of all pixels.

    IoU_c = n_cc / (Σ_k n_ck + Σ_k n_kc - n_cc)        Dice_c = 2 n_cc / (Σ_k n_ck + Σ_k n_kc)

n_ck: the pixels of class c that were predicted as k. One matrix over the whole set is not the mean
of the pictures' scores: there a small object in one picture counts as much as a large one in
another. `MaskScores` has both.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import as_array
from cutaway.errors import DataError, ShapeError, expect_integer
from cutaway.metrics.contract import metric, misfit, ratio, row_weights, wide


class MaskScores:
    """Scores of predicted masks over a set, collected picture by picture.

    A class that is neither in a mask nor predicted has no score there (NaN), and is left out of
    means.

    Args:
        num_classes: number of classes, that of the background (0) included.
        ignore_index: label of pixels that do not count, such as 255; None: all count.

    Attributes:
        confusion: (classes, classes) counts so far: row is the true class, column the predicted
            one.
        matrices: the same for each picture, in the order of collection.

    Example:
        >>> from cutaway.metrics import MaskScores
        >>> scores = MaskScores(2)
        >>> scores.collect([[0, 1], [1, 1]], [[0, 1], [0, 1]])
        >>> scores.result()["pixel_accuracy"], scores.result()["iou"]
        (0.75, [0.5, 0.6666666666666666])
    """

    def __init__(self, num_classes: int, *, ignore_index: int | None = None):
        expect_integer(num_classes, what="MaskScores: num_classes", least=1)
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.matrices: list[np.ndarray] = []

    def collect(self, truth, prediction) -> None:
        """Add one picture or volume: class ids of the same shape.

        Raises:
            ShapeError: unequal shapes.
            DataError: an id out of range.
        """
        truth, prediction = np.asarray(truth), np.asarray(prediction)
        if truth.shape != prediction.shape:
            raise ShapeError(
                f"MaskScores: a mask of shape {truth.shape}, a prediction of {prediction.shape}",
                expected="equal shapes: one class id per pixel",
                fix="take the class of largest probability: prediction.argmax(axis=-1)",
            )
        counts = np.ones(truth.shape, bool)
        if self.ignore_index is not None:
            counts = truth != self.ignore_index
        truth, prediction = truth[counts], prediction[counts]
        for name, ids in (("true", truth), ("predicted", prediction)):
            wrong = (ids < 0) | (ids >= self.num_classes) | (ids % 1 != 0)
            if wrong.any():
                raise DataError(
                    f"MaskScores: the {name} class {ids[wrong][0]} in picture {len(self.matrices)}",
                    expected=f"integers from 0 to {self.num_classes - 1}",
                    fix="give a larger num_classes, or ignore_index for labels that do not count",
                )
        cells = truth.astype(np.int64) * self.num_classes + prediction.astype(np.int64)
        found = np.bincount(cells.ravel(), minlength=self.num_classes**2)
        matrix = found.reshape(self.num_classes, self.num_classes)
        self.matrices.append(matrix)
        self.confusion += matrix

    def result(self) -> dict:
        """The scores of all that was collected.

        Returns:
            {"pixel_accuracy": number, "iou", "dice": one number per class, "mean_iou": over all
            classes, "mean_dice": over all but the background, "picture_iou", "picture_dice": the
            mean over the pictures of these means, "pictures": how many}
        """
        iou, dice = overlap_of(self.confusion)
        each = [overlap_of(matrix) for matrix in self.matrices]
        total = self.confusion.sum()
        return {
            "pixel_accuracy": float(np.trace(self.confusion) / total) if total else float("nan"),
            "iou": iou.tolist(),
            "dice": dice.tolist(),
            "mean_iou": _mean(iou),
            "mean_dice": _mean(dice[1:]),
            "picture_iou": _mean([_mean(of_picture) for of_picture, _ in each]),
            "picture_dice": _mean([_mean(of_picture[1:]) for _, of_picture in each]),
            "pictures": len(each),
        }

    def of_pictures(self) -> list[dict]:
        """{"pixel_accuracy", "iou", "dice", "mean_iou", "mean_dice"} of each picture, in order."""
        found = []
        for matrix in self.matrices:
            one = MaskScores(self.num_classes)
            one.confusion, one.matrices = matrix, [matrix]
            result = one.result()
            found.append({k: v for k, v in result.items() if not k.startswith("picture")})
        return found


def overlap_of(confusion) -> tuple[np.ndarray, np.ndarray]:
    """(IoU, Dice) of each class of a confusion matrix; NaN for a class that does not occur."""
    confusion = np.asarray(confusion, np.float64)
    right, sizes = np.diagonal(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = sizes > 0
    iou = np.where(occurs, right / np.where(occurs, sizes - right, 1), np.nan)
    return iou, np.where(occurs, 2 * right / np.where(occurs, sizes, 1), np.nan)


def _mean(values) -> float:
    """The mean of those that are not NaN."""
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def _counts(prediction, target, weights, ignore_index):
    """(right, true, predicted) pixels of each class, by the weights of their rows."""
    prediction, target = wide(prediction), as_array(target)
    if prediction.ndim == 1:
        prediction = prediction[:, None]
    *shape, outputs = prediction.shape
    rows, classes = shape[0] if shape else 0, max(2, outputs)
    if outputs > 1 and target.shape == prediction.shape:
        target = jnp.argmax(target, axis=-1)
    if not shape or target.shape not in (tuple(shape), (*shape, 1)):
        raise misfit(
            prediction if outputs > 1 else prediction[..., 0],
            target,
            "predictions (rows, *sizes, classes) or of class 1, (rows, *sizes, 1); labels "
            "(rows, *sizes)",
        )
    truth = target.reshape(rows, -1).astype(jnp.int32)
    guess = jnp.argmax(prediction, axis=-1) if outputs > 1 else prediction > 0.5
    guess = guess.reshape(rows, -1).astype(jnp.int32)
    w = jnp.broadcast_to(row_weights(weights, rows)[:, None], truth.shape)
    if ignore_index is not None:
        w = jnp.where(truth == ignore_index, 0, w)

    def of_each(ids, w):
        return jnp.zeros(classes, w.dtype).at[ids.ravel()].add(w.ravel(), mode="drop")

    return of_each(truth, w * (truth == guess)), of_each(truth, w), of_each(guess, w)


def _mean_over(scores, sizes):
    return ratio(jnp.sum(jnp.where(sizes > 0, scores, 0)), jnp.sum(sizes > 0))


@metric("classification", higher_is_better=True)
def pixel_accuracy(prediction, target, weights=None, *, ignore_index=None) -> jax.Array:
    """Fraction of the pixels classified correctly.

    Args:
        prediction: (rows, *sizes, classes) probabilities; of one output, that of class 1.
        target: (rows, *sizes) labels.
        weights: (rows,): 0 excludes a row.
        ignore_index: label of pixels that do not count.

    Example:
        >>> from cutaway.metrics import pixel_accuracy
        >>> float(pixel_accuracy([[[0.9, 0.1], [0.8, 0.2]]], [[0, 1]]))
        0.5
    """
    right, true, _ = _counts(prediction, target, weights, ignore_index)
    return ratio(right.sum(), true.sum())


@metric("classification", higher_is_better=True)
def mean_iou(prediction, target, weights=None, *, ignore_index=None) -> jax.Array:
    """Mean over the classes of the intersection over the union, of the pixels of all rows together.

    Args: see pixel_accuracy. Classes that neither occur nor are predicted are left out.

    Example:
        >>> from cutaway.metrics import mean_iou
        >>> float(mean_iou([[[0.9, 0.1], [0.8, 0.2]]], [[0, 1]]))
        0.25
    """
    right, true, predicted = _counts(prediction, target, weights, ignore_index)
    return _mean_over(ratio(right, true + predicted - right), true + predicted)


@metric("classification", higher_is_better=True)
def mean_dice(prediction, target, weights=None, *, ignore_index=None) -> jax.Array:
    """Mean over the classes but 0, the background, of Dice, of the pixels of all rows together.

    Args: see pixel_accuracy. Classes that neither occur nor are predicted are left out.

    Example:
        >>> from cutaway.metrics import mean_dice
        >>> p = [[[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]]
        >>> round(float(mean_dice(p, [[0, 0, 1]])), 4)  # 2 · 1 / (2 + 1)
        0.6667
    """
    right, true, predicted = (
        part[1:] for part in _counts(prediction, target, weights, ignore_index)
    )
    return _mean_over(ratio(2 * right, true + predicted), true + predicted)
