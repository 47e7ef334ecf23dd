"""The baseline of pairs of pictures: what the mean colors of the training targets make.

Where the inputs are label maps with few colors, each pixel becomes the mean color of the target
pixels that have the same color in the input; otherwise each becomes the mean of all targets.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

MOST_COLORS = 64  # of the inputs: one that has more is no label map
ENOUGH = 16  # pairs for the mean of all targets


@dataclasses.dataclass(frozen=True)
class MeanColors:
    """The mean color of all targets, or of each color of the inputs.

    Attributes:
        mean: (target channels,) of all targets.
        codes: of the colors of the inputs, sorted, see `color_codes`; of none: one mean for all.
        means: (colors, target channels), of the targets where the input has each.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import Geometry
        >>> from cutaway.runs.mean_colors import MeanColors
        >>> labels = np.array([[0, 0], [9, 9]], np.uint8)[..., None]
        >>> photo = np.array([[1.0, 3.0], [5.0, 5.0]])[..., None]
        >>> found = MeanColors.of([(labels, photo, Geometry.of((2, 2)))])
        >>> found.made(labels[::-1], Geometry.of((2, 2)))[..., 0].tolist()
        [[5.0, 5.0], [2.0, 2.0]]
    """

    mean: np.ndarray
    codes: np.ndarray
    means: np.ndarray

    @classmethod
    def of(cls, examples: Iterable) -> "MeanColors":
        """Of training examples (input, target, geometry).

        Args:
            examples: input (height, width, channels) uint8; target as it is compared, under the
                geometry; geometry of the input.
        """
        sums: dict[int, np.ndarray] = {}
        counts: dict[int, int] = {}
        total, pixels, is_label_map = np.zeros(1), 0, True
        for n, (x, target, geometry) in enumerate(examples):
            if not is_label_map and n >= ENOUGH:
                break
            values = target.reshape(-1, target.shape[-1]).astype(np.float64)
            total, pixels = total + values.sum(axis=0), pixels + len(values)
            codes, places = np.unique(_codes_under(x, geometry), return_inverse=True)
            is_label_map = is_label_map and len({*counts, *codes.tolist()}) <= MOST_COLORS
            if not is_label_map:
                continue
            for k, code in enumerate(codes.tolist()):
                here = values[places.ravel() == k]
                sums[code] = sums.get(code, 0) + here.sum(axis=0)
                counts[code] = counts.get(code, 0) + len(here)
        mean = (total / max(pixels, 1)).astype(np.float32)
        codes = np.array(sorted(counts) if is_label_map else [], np.int64)
        means = [sums[code] / counts[code] for code in codes.tolist()]
        return cls(mean, codes, np.asarray(means, np.float32).reshape(len(codes), len(mean)))

    @property
    def is_by_color(self) -> bool:
        return len(self.codes) > 1

    @property
    def name(self) -> str:
        return "the mean color of each class" if self.is_by_color else "the mean color"

    def made(self, x, geometry) -> np.ndarray:
        """(height, width, target channels) of an input; new colors get the mean of all targets."""
        codes = _codes_under(x, geometry)
        if not self.is_by_color:
            return np.broadcast_to(self.mean, (*codes.shape, len(self.mean)))
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        known = self.codes[places] == codes
        return np.where(known[..., None], self.means[places], self.mean)

    @classmethod
    def from_json(cls, value: dict, channels: int) -> "MeanColors":
        mean = np.asarray(value["mean"], np.float32).reshape(channels)
        codes = np.asarray(value["codes"], np.int64).reshape(-1)
        means = np.asarray(value["means"], np.float32).reshape(len(codes), channels)
        return cls(mean, codes, means)

    def to_json(self) -> dict:
        return {name: getattr(self, name).tolist() for name in ("mean", "codes", "means")}


def color_codes(picture) -> np.ndarray:
    """(height, width): one number for each color of (height, width, channels) uint8."""
    weights = 256 ** np.arange(picture.shape[-1], dtype=np.int64)
    return picture.astype(np.int64) @ weights


def _codes_under(x, geometry) -> np.ndarray:
    """The colors of an input under a geometry, each the one of the nearest pixel: none is mixed."""
    return geometry.mask(color_codes(x))
