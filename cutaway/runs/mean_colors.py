"""The baseline of pairs of pictures: what the mean colors of the training targets make.

Where the inputs are label maps with few colors, each pixel becomes the mean color of the target
pixels that have the same color in the input; otherwise each becomes the mean of all targets.
"""

import dataclasses
from collections.abc import Iterable
from typing import Annotated

import msgspec
import numpy as np

MOST_COLORS = 64  # of the inputs: one that has more is no label map
ENOUGH = 16  # pairs for the mean of all targets

# from -1 to 1, but for what resizing rounds
Value = Annotated[float, msgspec.Meta(ge=-1.01, le=1.01)]
Code = Annotated[int, msgspec.Meta(ge=0, lt=256**3)]


class MeanColorsForm(msgspec.Struct):
    """MeanColors in preprocessing.json."""

    mean: list[Value]
    codes: Annotated[list[Code], msgspec.Meta(max_length=MOST_COLORS)]
    means: list[list[Value]]

    def __post_init__(self):
        if len(self.means) != len(self.codes) or sorted(set(self.codes)) != self.codes:
            raise ValueError(f"{len(self.means)} means of {len(set(self.codes))} sorted colors")

    def expect_channels(self, channels: int) -> None:
        """Raise ValueError unless each color has so many values."""
        wrong = [color for color in (self.mean, *self.means) if len(color) != channels]
        if wrong:
            raise ValueError(f"a mean color of {len(wrong[0])} values, not {channels}")


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
    def from_form(cls, form: MeanColorsForm) -> "MeanColors":
        means = np.asarray(form.means, np.float32).reshape(len(form.codes), len(form.mean))
        return cls(np.asarray(form.mean, np.float32), np.asarray(form.codes, np.int64), means)

    def to_json(self) -> dict:
        return {name: getattr(self, name).tolist() for name in ("mean", "codes", "means")}


def color_codes(picture) -> np.ndarray:
    """(height, width): one number for each color of (height, width, channels) uint8."""
    weights = 256 ** np.arange(picture.shape[-1], dtype=np.int64)
    return picture.astype(np.int64) @ weights


def _codes_under(x, geometry) -> np.ndarray:
    """The colors of an input under a geometry, each the one of the nearest pixel: none is mixed."""
    return geometry.mask(color_codes(x))
