"""Image augmentation, for batches of uint8 or floats.

Each augmentation is an object that is called as `step(batch, rng)`, with a batch (rows, height,
width, channels) and a numpy Generator, and returns a new batch. uint8 values are 0 to 255, floats 0
to 1; the dtype is kept, except by Normalize, which comes last.
"""

import dataclasses

import numpy as np

from cutaway.errors import OptionError, ShapeError, expect_range

GRAY = np.array([0.299, 0.587, 0.114], np.float32)  # luma, ITU-R BT.601, as in Pillow


class Compose:
    """Apply several steps in sequence.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import Compose, Normalize, RandomCrop, RandomFlip
        >>> augment = Compose(RandomFlip(), RandomCrop(4), Normalize((0.5,), (0.5,)))
        >>> augment(np.zeros((2, 8, 8, 1), np.uint8), np.random.default_rng(0)).dtype
        dtype('float32')
    """

    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, batch, rng):
        for step in self.steps:
            batch = step(batch, rng)
        return batch

    def __repr__(self):
        return f"Compose({', '.join(map(repr, self.steps))})"


@dataclasses.dataclass(frozen=True)
class RandomFlip:
    """Horizontal flip, with this probability."""

    probability: float = 0.5

    def __post_init__(self):
        expect_range(self.probability, what="RandomFlip: probability", least=0, most=1)

    def __call__(self, batch, rng):
        expect_images(batch, "RandomFlip")
        flipped = rng.random(len(batch)) < self.probability
        batch = np.ascontiguousarray(batch)
        out = batch.copy()
        # a pixel as one element: NumPy is slow where the innermost axis has three
        pixel = np.dtype((np.void, batch.itemsize * batch.shape[-1]))
        pixels = out.view(pixel)[..., 0]
        pixels[flipped] = batch.view(pixel)[flipped, :, ::-1, 0]
        return out


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Pad every side by `padding` pixels of value `fill`, and crop at random to the original size.

    As for CIFAR [1].

    References:
        [1] He et al. 2016, "Deep residual learning for image recognition", section 4.2.
    """

    padding: int = 4
    fill: float = 0

    def __post_init__(self):
        expect_range(self.padding, what="RandomCrop: padding", least=0)

    def __call__(self, batch, rng):
        expect_images(batch, "RandomCrop")
        rows, height, width, channels = batch.shape
        p = self.padding
        padded = np.full((rows, height + 2 * p, width + 2 * p, channels), self.fill, batch.dtype)
        padded[:, p : p + height, p : p + width] = batch
        out = np.empty_like(batch)
        corners = rng.integers(0, 2 * p + 1, (rows, 2))
        for k, (top, left) in enumerate(corners):
            out[k] = padded[k, top : top + height, left : left + width]
        return out


@dataclasses.dataclass(frozen=True)
class RandomResizedCrop:
    """Crop a random part of the image, and resize it to the original size.

    Args:
        area: range of the part's area, as a fraction of the image's.
        ratio: range of its aspect ratio width / height, relative to the image's.

    References:
        Szegedy et al. 2015, "Going deeper with convolutions", section 6.
    """

    area: tuple = (0.35, 1.0)
    ratio: tuple = (3 / 4, 4 / 3)

    def __post_init__(self):
        _expect_interval(self.area, "RandomResizedCrop: area", most=1)
        _expect_interval(self.ratio, "RandomResizedCrop: ratio")

    def __call__(self, batch, rng):
        from PIL import Image

        expect_images(batch, "RandomResizedCrop", only_bytes=True)
        rows, height, width = batch.shape[:3]
        heights, widths = _random_boxes(rng, rows, (height, width), self.area, self.ratio)
        tops = rng.random(rows) * (height - heights)
        lefts = rng.random(rows) * (width - widths)
        out = np.empty_like(batch)
        for k, image in enumerate(batch):
            box = lefts[k], tops[k], lefts[k] + widths[k], tops[k] + heights[k]
            image = to_pillow(image).resize((width, height), Image.Resampling.BILINEAR, box)
            out[k] = from_pillow(image)
        return out


@dataclasses.dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast and saturation by factors from 1 - a to 1 + a, in that order.

    With gray(x) the luma and m the mean of gray over the image:

        x <- b x;    x <- c x + (1 - c) m;    x <- s x + (1 - s) gray(x)

    Values are clipped only at the end. Grayscale images have no saturation.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2

    def __post_init__(self):
        for name in ("brightness", "contrast", "saturation"):
            expect_range(getattr(self, name), what=f"ColorJitter: {name}", least=0, most=1)

    def __call__(self, batch, rng):
        expect_images(batch, "ColorJitter")
        amounts = np.array([self.brightness, self.contrast, self.saturation], np.float32)
        factors = 1 + amounts * rng.uniform(-1, 1, (len(batch), 3)).astype(np.float32)
        return jittered(batch, factors)


def jittered(batch, factors):
    """ColorJitter with given factors (rows, 3): brightness, contrast, saturation."""
    channels = batch.shape[-1]
    luma = GRAY if channels == 3 else np.full(channels, 1 / channels, np.float32)
    whole = batch.dtype == np.uint8
    out = np.empty_like(batch)
    for image, changed, (b, c, s) in zip(batch, out, factors, strict=True):
        x = image.astype(np.float32).reshape(-1, channels)
        gray = x @ luma
        mean = gray.mean()
        if channels > 1:
            # b c (s x + (1 - s) gray) + (1 - c) b m, as gray(m) = m
            gray *= b * c * (1 - s)
            x *= b * c * s
            x += np.repeat(gray, channels).reshape(-1, channels)
        else:
            x *= b * c
        x += (1 - c) * b * mean + (0.5 if whole else 0)  # + 0.5: truncation then rounds
        np.clip(x, 0, 255.5 if whole else 1, out=x)
        changed[...] = x.reshape(image.shape)
    return out


@dataclasses.dataclass(frozen=True)
class RandomErasing:
    """Fill a random rectangle of the image with `fill`, with this probability.

    Args:
        probability: per image.
        area: range of the rectangle's area, as a fraction of the image's.
        ratio: range of its aspect ratio width / height.
        fill: value of the rectangle.

    References:
        Zhong et al. 2017, "Random erasing data augmentation", arXiv:1708.04896.
    """

    probability: float = 0.25
    area: tuple = (0.02, 1 / 3)
    ratio: tuple = (0.3, 1 / 0.3)
    fill: float = 0

    def __post_init__(self):
        expect_range(self.probability, what="RandomErasing: probability", least=0, most=1)
        _expect_interval(self.area, "RandomErasing: area", most=1)
        _expect_interval(self.ratio, "RandomErasing: ratio")

    def __call__(self, batch, rng):
        expect_images(batch, "RandomErasing")
        rows, height, width = batch.shape[:3]
        erased = rng.random(rows) < self.probability
        heights, widths = _random_boxes(rng, rows, (height, width), self.area, self.ratio)
        heights, widths = np.rint(heights).astype(int), np.rint(widths).astype(int)
        tops = rng.integers(0, height - heights + 1)
        lefts = rng.integers(0, width - widths + 1)
        out = batch.copy()
        for k in np.flatnonzero(erased):
            out[k, tops[k] : tops[k] + heights[k], lefts[k] : lefts[k] + widths[k]] = self.fill
        return out


@dataclasses.dataclass(frozen=True)
class Normalize:
    """float32 (x - mean) / std per channel; uint8 is divided by 255 first.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import Normalize
        >>> Normalize((0.5,), (0.25,))(np.full((1, 1, 1, 1), 255, np.uint8)).item()
        2.0
    """

    mean: tuple
    std: tuple

    def __post_init__(self):
        if len(self.mean) != len(self.std) or any(not s > 0 for s in self.std):
            raise OptionError(
                f"Normalize: mean {self.mean}, std {self.std}",
                expected="as many means as standard deviations, all of these above 0",
            )

    @classmethod
    def fit(cls, images) -> "Normalize":
        """The mean and standard deviation of each channel; 1 for a constant channel."""
        expect_images(images, "Normalize.fit")
        sums, squares = np.zeros(images.shape[-1]), np.zeros(images.shape[-1])
        count = 0
        for start in range(0, len(images), 256):
            part = _unit(images[start : start + 256]).reshape(-1, images.shape[-1])
            sums = sums + part.sum(axis=0, dtype=np.float64)
            squares = squares + np.square(part, dtype=np.float64).sum(axis=0)
            count += len(part)
        mean = sums / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        std = np.where(std > 1e-6, std, 1.0)
        return cls(tuple(map(float, mean)), tuple(map(float, std)))

    def __call__(self, batch, rng=None):
        expect_images(batch, "Normalize")
        if batch.shape[-1] != len(self.mean):
            raise ShapeError(
                f"Normalize: the batch has shape {batch.shape}, so {batch.shape[-1]} channels",
                expected=f"{len(self.mean)} channels, one per mean",
            )
        scale = (255 if batch.dtype == np.uint8 else 1) * np.array(self.std)
        # tiled over the width: NumPy is slow where the innermost axis has three elements
        width = batch.shape[2]
        factor = np.tile((1 / scale).astype(np.float32), width)
        shift = np.tile((-np.array(self.mean) / np.array(self.std)).astype(np.float32), width)
        flat = batch.reshape(*batch.shape[:2], -1)
        out = np.multiply(flat, factor, dtype=np.float32)
        out += shift
        return out.reshape(batch.shape)

    def undo(self, batch):
        """The inverse: floats from 0 to 1."""
        return batch * np.array(self.std, np.float32) + np.array(self.mean, np.float32)


def _unit(batch):
    return batch / np.float32(255) if batch.dtype == np.uint8 else np.asarray(batch, np.float32)


def _random_boxes(rng, rows, size, area, ratio):
    """Heights and widths of rectangles with areas and aspect ratios in those ranges."""
    height, width = size
    areas = rng.uniform(*area, rows) * height * width
    ratios = np.exp(rng.uniform(*np.log(ratio), rows))
    # clipped to the size of the image
    return np.minimum(np.sqrt(areas / ratios), height), np.minimum(np.sqrt(areas * ratios), width)


def _expect_interval(pair, what, most=None):
    expect_range(pair[0], what=f"{what}[0]", above=0, most=pair[1])
    expect_range(pair[1], what=f"{what}[1]", above=0, most=most)


def expect_images(batch, where, only_bytes=False):
    if np.ndim(batch) != 4:
        raise ShapeError(
            f"{where}: the batch has shape {np.shape(batch)}",
            expected="(rows, height, width, channels)",
            fix="for a single image, write image[None]",
        )
    if batch.dtype != np.uint8 and (only_bytes or batch.dtype.kind != "f"):
        raise OptionError(
            f"{where}: the batch holds {batch.dtype}",
            expected="uint8" if only_bytes else "uint8 or floats",
            fix="put this step before Normalize",
        )


def to_pillow(image):
    from PIL import Image

    return Image.fromarray(image[:, :, 0] if image.shape[-1] == 1 else image)


def from_pillow(image):
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
