"""Random saturation and hue of pictures."""

import dataclasses

import numpy as np

from cutaway.data.augmentation import GRAY
from cutaway.errors import expect_range

# luma and the two color differences of NTSC's YIQ, of red, green, blue
YIQ = np.array([GRAY, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)], float)


@dataclasses.dataclass(frozen=True)
class RandomColor:
    """Random saturation and hue of a picture of red, green, blue; others are left alone.

    In YIQ the color is a vector beside the luma, which stays: its length is multiplied by s, and it
    is turned by an angle.

    Args:
        saturation: log s is drawn from -saturation to saturation.
        hue: the angle is drawn from -hue to hue degrees.
    """

    saturation: float = 0.4
    hue: float = 15.0

    def __post_init__(self):
        expect_range(self.saturation, what="RandomColor: saturation", least=0, most=2)
        expect_range(self.hue, what="RandomColor: hue", least=0, most=180)

    def __call__(self, picture, rng) -> np.ndarray:
        """A new array of the same shape and dtype; integers are rounded and clipped."""
        log_s, angle = rng.uniform(-1, 1, 2) * (self.saturation, self.hue)
        if picture.shape[-1] != len(YIQ):
            return picture.copy()
        return colored(picture, float(np.exp(log_s)), float(angle))


def colored(picture, saturation: float, degrees: float) -> np.ndarray:
    """A picture with the saturation multiplied by a factor and the hue turned by an angle."""
    cos, sin = (saturation * f(np.radians(degrees)) for f in (np.cos, np.sin))
    turned = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    change = (np.linalg.inv(YIQ) @ turned @ YIQ).astype(np.float32)
    found = picture.astype(np.float32) @ change.T
    if picture.dtype.kind not in "ui":
        return found.astype(picture.dtype)
    limits = np.iinfo(picture.dtype)
    return np.clip(np.rint(found), limits.min, limits.max).astype(picture.dtype)
