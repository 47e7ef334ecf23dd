"""RandAugment: a few random operations per image, all of the same magnitude."""

import dataclasses

import numpy as np

from cutaway.data.augmentation import expect_images, from_pillow, to_pillow
from cutaway.errors import expect_range

STRONGEST = 30


@dataclasses.dataclass(frozen=True)
class RandAugment:
    """Apply `operations` of OPERATIONS to each image, sampled with replacement.

    Args:
        operations: number of operations, N in the paper.
        magnitude: from 0 (no change, except by auto contrast and equalize, which have no
            magnitude) to 30, M in the paper.
        fill: gray level of pixels from outside the image.

    References:
        Cubuk et al. 2020, "RandAugment: practical automated data augmentation with a reduced
        search space", arXiv:1909.13719.
    """

    operations: int = 2
    magnitude: float = 9
    fill: int = 128

    def __post_init__(self):
        expect_range(self.operations, what="RandAugment: operations", least=0)
        expect_range(self.magnitude, what="RandAugment: magnitude", least=0, most=STRONGEST)

    def __call__(self, batch, rng):
        expect_images(batch, "RandAugment", only_bytes=True)
        names = list(OPERATIONS)
        drawn = rng.integers(0, len(names), (len(batch), self.operations))
        signs = rng.choice((-1, 1), (len(batch), self.operations))
        out = np.empty_like(batch)
        for k, image in enumerate(batch):
            image = to_pillow(image)
            for number, sign in zip(drawn[k], signs[k], strict=True):
                strength = self.magnitude / STRONGEST
                image = OPERATIONS[names[number]](image, strength, int(sign), self.fill)
            out[k] = from_pillow(image)
        return out


def _identity(image, strength, sign, fill):
    return image


def _auto_contrast(image, strength, sign, fill):
    from PIL import ImageOps

    return ImageOps.autocontrast(image)


def _equalize(image, strength, sign, fill):
    from PIL import ImageOps

    return ImageOps.equalize(image)


def _rotate(image, strength, sign, fill):
    from PIL import Image

    return image.rotate(
        sign * 30 * strength, Image.Resampling.BILINEAR, fillcolor=_fill(image, fill)
    )


def _solarize(image, strength, sign, fill):
    from PIL import ImageOps

    return ImageOps.solarize(image, 256 * (1 - strength))


def _posterize(image, strength, sign, fill):
    from PIL import ImageOps

    return ImageOps.posterize(image, 8 - round(4 * strength))


def _color(image, strength, sign, fill):
    from PIL import ImageEnhance

    return ImageEnhance.Color(image).enhance(1 + sign * 0.9 * strength)


def _contrast(image, strength, sign, fill):
    from PIL import ImageEnhance

    return ImageEnhance.Contrast(image).enhance(1 + sign * 0.9 * strength)


def _brightness(image, strength, sign, fill):
    from PIL import ImageEnhance

    return ImageEnhance.Brightness(image).enhance(1 + sign * 0.9 * strength)


def _sharpness(image, strength, sign, fill):
    from PIL import ImageEnhance

    return ImageEnhance.Sharpness(image).enhance(1 + sign * 0.9 * strength)


def _shear_x(image, strength, sign, fill):
    shear = sign * 0.3 * strength
    return _affine(image, (1, shear, -shear * image.height / 2, 0, 1, 0), fill)


def _shear_y(image, strength, sign, fill):
    shear = sign * 0.3 * strength
    return _affine(image, (1, 0, 0, shear, 1, -shear * image.width / 2), fill)


def _translate_x(image, strength, sign, fill):
    return _affine(image, (1, 0, sign * 0.45 * strength * image.width, 0, 1, 0), fill)


def _translate_y(image, strength, sign, fill):
    return _affine(image, (1, 0, 0, 0, 1, sign * 0.45 * strength * image.height), fill)


# strength s from 0 to 1, sign ±1
OPERATIONS = {
    "identity": _identity,
    "auto contrast": _auto_contrast,
    "equalize": _equalize,
    "rotate": _rotate,  # ±30 s degrees
    "solarize": _solarize,  # values from 256 (1 - s) on are inverted
    "posterize": _posterize,  # 8 - 4 s bits are kept
    "color": _color,  # saturation 1 ± 0.9 s
    "contrast": _contrast,  # 1 ± 0.9 s
    "brightness": _brightness,  # 1 ± 0.9 s
    "sharpness": _sharpness,  # 1 ± 0.9 s
    "shear x": _shear_x,  # ±0.3 s of the height
    "shear y": _shear_y,  # ±0.3 s of the width
    "translate x": _translate_x,  # ±0.45 s of the width
    "translate y": _translate_y,  # ±0.45 s of the height
}


def _affine(image, coefficients, fill):
    from PIL import Image

    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        coefficients,
        Image.Resampling.BILINEAR,
        fillcolor=_fill(image, fill),
    )


def _fill(image, level):
    return level if image.mode == "L" else (level,) * 3
