"""Scores of divisions into regions, such as the cells between membranes: which pixels go together.

Both compare two label images by their overlap n_ij, the number of pixels in region i of the one and
j of the other; what a region is numbered does not matter. A membrane with one small hole joins two
cells, which hardly changes its Dice, but changes these.
"""

import numpy as np

from cutaway.errors import ShapeError


def connected_regions(mask) -> np.ndarray:
    """The connected parts of a mask, numbered from 1; 0 outside it. Corners do not connect.

    Example:
        >>> from cutaway.metrics import connected_regions
        >>> connected_regions([[1, 0, 1], [1, 0, 0]]).tolist()
        [[1, 0, 2], [1, 0, 0]]
    """
    from scipy import ndimage

    return np.asarray(ndimage.label(np.asarray(mask) != 0)[0])  # pyright: ignore[reportIndexIssue]


def adapted_rand_error(truth, prediction) -> tuple[float, float, float]:
    """(error, precision, recall) of the pairs of pixels that are in one region: error = 1 - F1.

    Precision: of the pairs that are together in the prediction, how many are in the truth (few:
    regions were merged); recall: the other way round (few: regions were split). Pixels that are 0
    in the truth do not count.

    Args:
        truth, prediction: label images, such as connected_regions of the cells.

    Raises:
        ShapeError: unequal shapes.

    References:
        Arganda-Carreras et al. 2015, "Crowdsourcing the creation of image segmentation algorithms
        for connectomics", Frontiers in Neuroanatomy 9.

    Example:
        >>> from cutaway.metrics import adapted_rand_error
        >>> adapted_rand_error([1, 1, 2, 2], [1, 1, 1, 1])  # merged: 2 of the 6 pairs are right
        (0.5, 0.3333333333333333, 1.0)
    """
    truth, prediction = _labels("adapted_rand_error", truth, prediction)
    overlap, in_truth, in_prediction = _overlap(truth[truth != 0], prediction[truth != 0])

    def pairs(counts):
        return float(counts @ counts - counts.sum())

    together, of_truth, of_prediction = map(pairs, (overlap, in_truth, in_prediction))
    if not of_truth + of_prediction:
        return 0.0, 1.0, 1.0  # no two pixels are together anywhere
    precision = together / of_prediction if of_prediction else 1.0
    recall = together / of_truth if of_truth else 1.0
    return 1 - 2 * together / (of_truth + of_prediction), precision, recall


def variation_of_information(truth, prediction) -> tuple[float, float]:
    """(H(prediction | truth), H(truth | prediction)) in bits: split regions, merged regions.

    How many bits, on average over the pixels, tell a pixel's region in the one image if its region
    in the other is known. Their sum is a distance.

    Args:
        truth, prediction: label images; 0 is a label like others.

    Raises:
        ShapeError: unequal shapes.

    References:
        Meilă 2007, "Comparing clusterings: an information based distance", Journal of Multivariate
        Analysis 98.

    Example:
        >>> from cutaway.metrics import variation_of_information
        >>> variation_of_information([1, 1, 2, 2], [1, 1, 1, 1])
        (0.0, 1.0)
    """
    truth, prediction = _labels("variation_of_information", truth, prediction)
    overlap, in_truth, in_prediction = map(_entropy, _overlap(truth, prediction))
    return max(0.0, overlap - in_truth), max(0.0, overlap - in_prediction)


def _labels(name, truth, prediction):
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ShapeError(
            f"{name}: labels of shape {truth.shape} and {prediction.shape}",
            expected="two label images of equal shape",
        )
    return truth.ravel(), prediction.ravel()


def _overlap(truth, prediction):
    """Sizes of the overlaps that are not empty, of the regions of each image."""
    first, of_truth = np.unique(truth, return_inverse=True)
    second, of_prediction = np.unique(prediction, return_inverse=True)
    cells = of_truth.astype(np.int64) * max(1, len(second)) + of_prediction
    return (
        np.unique(cells, return_counts=True)[1].astype(np.float64),
        np.bincount(of_truth, minlength=len(first)).astype(np.float64),
        np.bincount(of_prediction, minlength=len(second)).astype(np.float64),
    )


def _entropy(counts) -> float:
    p = counts / max(1.0, counts.sum())
    return float(-(p * np.log2(p)).sum())
