"""Scores of pictures that were made, beside the real ones: L1, SSIM, sharpness, feature distance.

L1 and SSIM compare pixel by pixel and prefer a blur where several pictures would be right;
the gradient ratio and the feature distance compare what sets of pictures are like.
"""

import numpy as np

from cutaway.errors import OptionError, ShapeError, expect_range

SIGMA, TRUNCATE = 1.5, 3.5  # of SSIM's window: Gaussian, 11 x 11
MARGIN = int(TRUNCATE * SIGMA + 0.5)


def structural_similarity(truth, prediction, *, data_range: float) -> float:
    """SSIM: how alike two pictures are in local mean, contrast and structure; 1 is equal.

    (2 μ_x μ_y + c1) (2 σ_xy + c2) / ((μ_x² + μ_y² + c1) (σ_x² + σ_y² + c2)) with a Gaussian window
    of 11 x 11, the mean over all windows inside the picture and all channels.

    Args:
        data_range: largest less smallest possible value: 255 for bytes, 2 for pixels in [-1, 1].

    Shapes:
        truth, prediction: (height, width) or (height, width, channels), at least 11 x 11

    Raises:
        ShapeError: unequal shapes, or smaller than the window.

    References:
        Wang, Bovik, Sheikh & Simoncelli 2004, "Image quality assessment: from error visibility to
        structural similarity", IEEE Transactions on Image Processing 13, eq. 13.
    """
    from scipy import ndimage

    expect_range(data_range, what="structural_similarity: data_range", above=0)
    x, y = _pair("structural_similarity", truth, prediction)
    if min(x.shape[:2]) <= 2 * MARGIN:
        raise ShapeError(
            f"structural_similarity: pictures of {x.shape[0]} x {x.shape[1]}",
            expected=f"at least {2 * MARGIN + 1} x {2 * MARGIN + 1}, its window",
        )

    def local(a):
        return ndimage.gaussian_filter(a, (SIGMA, SIGMA, 0), truncate=TRUNCATE)

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_y = local(x), local(y)
    var_x, var_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    both = local(x * y) - mean_x * mean_y
    found = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    found = found / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(found[MARGIN:-MARGIN, MARGIN:-MARGIN].mean())


class PictureScores:
    """Scores of made pictures beside the real ones over a set, collected picture by picture.

    Args:
        data_range: largest less smallest possible value of a pixel: 2 for pixels in [-1, 1].

    Example:
        >>> import numpy as np
        >>> from cutaway.metrics import PictureScores
        >>> scores = PictureScores(data_range=1)
        >>> stripes = np.tile([0.0, 1.0], (16, 8))
        >>> scores.collect(stripes, stripes / 2)
        >>> scores.result()["l1"], scores.result()["gradient_ratio"]
        (0.25, 0.5)
    """

    def __init__(self, *, data_range: float):
        expect_range(data_range, what="PictureScores: data_range", above=0)
        self.data_range = data_range
        self.each: list[dict] = []  # of each picture, in the order of collection
        self._steps = np.zeros(2)  # Σ of the mean |differences| of real and made pictures

    def collect(self, truth, prediction) -> None:
        """Add one pair of pictures, (height, width) or (height, width, channels).

        Raises: see structural_similarity.
        """
        x, y = _pair("PictureScores", truth, prediction)
        steps = np.array([np.abs(np.diff(a, axis=1)).mean() for a in (x, y)])
        self.each.append(
            {
                "l1": float(np.abs(x - y).mean()),
                "ssim": structural_similarity(x, y, data_range=self.data_range),
                "gradient_ratio": float(steps[1] / steps[0]) if steps[0] else float("nan"),
            }
        )
        self._steps += steps

    def result(self) -> dict:
        """{"l1": mean absolute difference, "ssim": mean, "gradient_ratio", "pictures": how many}.

        The gradient ratio is the mean absolute difference of horizontal neighbors in the made
        pictures, over that in the real ones: below 1 they are blurred, above 1 noisy.
        """
        if not self.each:
            raise OptionError(
                "PictureScores: no pictures were collected",
                expected="at least one pair",
                fix="call collect(truth, prediction) for each picture",
            )
        real, made = self._steps
        return {
            "l1": float(np.mean([one["l1"] for one in self.each])),
            "ssim": float(np.mean([one["ssim"] for one in self.each])),
            "gradient_ratio": float(made / real) if real else float("nan"),
            "pictures": len(self.each),
        }


class DiagonalFrechet:
    """Distance of two sets of feature vectors: Σ_c (μ_c - μ'_c)² + (σ_c - σ'_c)².

    The Fréchet distance of two normal distributions with diagonal covariances. The full covariances
    of FID need thousands of pictures, the variances few.

    References:
        Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium", arXiv:1706.08500, eq. 6.

    Example:
        >>> from cutaway.metrics import DiagonalFrechet
        >>> distance = DiagonalFrechet()
        >>> distance.collect([[0.0], [2.0]], [[3.0], [3.0]])
        >>> distance.result()  # means 1 and 3, standard deviations 1 and 0
        5.0
    """

    def __init__(self):
        self._sums = [np.zeros(3, object), np.zeros(3, object)]  # count, Σ x, Σ x² of each set

    def collect(self, real, made) -> None:
        """Add features (..., channels) of both sets; each may have any number of rows."""
        for place, features in enumerate((real, made)):
            flat = np.asarray(features, np.float64)
            flat = flat.reshape(-1, flat.shape[-1])
            found = np.empty(3, object)
            found[:] = [len(flat), flat.sum(axis=0), (flat**2).sum(axis=0)]
            self._sums[place] = self._sums[place] + found

    def result(self) -> float:
        """The distance of all that was collected."""
        if not all(count for count, *_ in self._sums):
            raise OptionError(
                "DiagonalFrechet: one of the sets is empty",
                expected="features of both",
                fix="call collect(real, made)",
            )
        means, stds = [], []
        for count, total, squares in self._sums:
            mean = total / count
            means.append(mean)
            stds.append(np.sqrt(np.maximum(squares / count - mean**2, 0)))
        return float(((means[0] - means[1]) ** 2 + (stds[0] - stds[1]) ** 2).sum())


def _pair(name, truth, prediction):
    """Both as (height, width, channels) float64."""
    x, y = (np.asarray(a, np.float64) for a in (truth, prediction))
    if x.shape != y.shape or x.ndim not in (2, 3):
        raise ShapeError(
            f"{name}: pictures of shape {x.shape} and {y.shape}",
            expected="two of equal shape, (height, width) or (height, width, channels)",
            fix="pass one pair of pictures at a time",
        )
    return (x[..., None], y[..., None]) if x.ndim == 2 else (x, y)
