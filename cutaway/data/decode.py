"""Decoding of image files into 8-bit arrays, whatever their mode, size and orientation."""

import dataclasses
import os
import threading

import numpy as np

from cutaway.errors import DataError, expect_choice
from cutaway.files.content import exists, naming, readable
from cutaway.files.limits import expect_unpacked

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
FITS = ("crop", "stretch")
GRAY_MODES = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"}
ORIENTATION = 0x0112  # tag of EXIF
# what Pillow may open; it knows other formats, one of which runs another program (EPS)
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
DRAFTED = ("JPEG", "MPO")  # may be decoded at an eighth of their size: checked after that choice
PIXEL_BYTES = 4  # as RGB in Pillow's memory
_opening = threading.Lock()


def read_image(path, size=None, *, fit: str = "crop", channels: int = 3) -> np.ndarray:
    """The pixels of an image file.

    16 bits become 8, palettes and CMYK become RGB, and transparent images get a white background.
    The image is rotated according to its EXIF orientation. A large JPEG is decoded at a half, a
    quarter or an eighth of its size if that is sufficient. Of an animation the first frame is used.

    Args:
        path: the file.
        size: (height, width) of the result; by default the original size.
        fit: how the image is resized: "crop" takes the largest center crop with the aspect ratio
            of `size`, "stretch" the whole image.
        channels: 3 for RGB, 1 for grayscale.

    Shapes:
        result: (height, width, channels), uint8

    Raises:
        DataError: no such file; not an image, or truncated; values without a known range.
    """
    expect_choice(fit, FITS, what="fit")
    expect_choice(channels, (1, 3), what="channels")
    if not exists(path):
        raise DataError(f"there is no file {path}", fix="check the path")
    with readable(path) as file, named(path), opened(file) as image:
        return _pixels(image, size, fit, channels, packed_bytes(file))


def pixels_of(image, size, *, channels: int = 3) -> np.ndarray:
    """The pixels of Pillow's image, as `read_image` has those of a file; it stays as it is.

    Args:
        size: (height, width) of the result.
        channels: 3 for RGB, 1 for grayscale.
    """
    own = image.copy()
    return _pixels(own, size, "crop", channels, PIXEL_BYTES * own.width * own.height)


@dataclasses.dataclass(frozen=True)
class ImageHeader:
    """What an image file says of itself.

    Attributes:
        size: (height, width), upright.
        is_gray: whether it has no colors.
        mode: Pillow's.
        orientation: of EXIF, 1 to 8; from 5 on it is stored rotated by 90 degrees.
        format: Pillow's name of the format.
    """

    size: tuple[int, int]
    is_gray: bool
    mode: str
    orientation: int
    format: str


def read_header(path) -> ImageHeader:
    """The header of an image file.

    Raises:
        DataError: no such file, or not an image.
    """
    with readable(path) as file, named(path), opened(file) as image:
        return header_of(image)


def header_of(image) -> ImageHeader:
    """The header of Pillow's image."""
    width, height = image.size
    orientation = orientation_of(image)
    size = (width, height) if orientation >= 5 else (height, width)
    gray = image.mode in GRAY_MODES
    return ImageHeader(size, gray, image.mode, orientation, str(image.format))


def image_header(path) -> tuple | None:
    """((height, width), is_gray), after EXIF rotation; None if the image cannot be read."""
    try:
        header = read_header(path)
        return header.size, header.is_gray
    except DataError:
        return None


def upright(image, orientation: int):
    """Pillow's image turned as that orientation of EXIF says."""
    from PIL import Image

    return image if orientation <= 1 else image.transpose(_UPRIGHT[orientation](Image.Transpose))


def named(path):
    """Whatever Pillow raises as an error that names the file."""
    return naming(
        path,
        "an image",
        expected="a valid image file: " + ", ".join(FORMATS),
        fix="copy it again",
    )


def opened(file):
    """Pillow's image; its own limit of pixels is replaced by ours, which knows the memory."""
    from PIL import Image, UnidentifiedImageError

    with _opening:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError:
            came = "unknown image format" if packed_bytes(file) else "it is empty"
            raise ValueError(came) from None
        finally:
            Image.MAX_IMAGE_PIXELS = before
    if image.format not in DRAFTED:  # Pillow decodes a PNG to look for its orientation
        expect_pixels(image, packed_bytes(file))
    return image


def expect_pixels(image, packed: int) -> None:
    width, height = image.size
    expect_unpacked(
        width * height * PIXEL_BYTES,
        packed,
        f"an image of {width:,} x {height:,} pixels",
    )


def packed_bytes(file) -> int:
    return os.fstat(file.fileno()).st_size


def _pixels(image, size, fit, channels, packed: int):
    from PIL import Image

    orientation = orientation_of(image)
    wanted = size
    if size is not None and orientation >= 5:  # stored rotated by 90 degrees
        wanted = size[::-1]
    extent = image.size
    if wanted is not None and image.format == "JPEG":
        mode = "L" if channels == 1 and image.mode != "CMYK" else None
        smaller = image.draft(mode, (wanted[1], wanted[0]))
        if smaller is not None:
            extent = smaller[1][2:]  # the last pixel may be covered only partly
    expect_pixels(image, packed)
    image.load()
    image = _eight_bits(image, "L" if channels == 1 else "RGB")
    if wanted is not None and image.size != (wanted[1], wanted[0]):
        box = _middle(extent, wanted) if fit == "crop" else (0, 0, *extent)
        image = image.resize(
            (wanted[1], wanted[0]), Image.Resampling.BILINEAR, box, reducing_gap=3.0
        )
    pixels = np.asarray(upright(image, orientation))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


_UPRIGHT = {
    2: lambda t: t.FLIP_LEFT_RIGHT,
    3: lambda t: t.ROTATE_180,
    4: lambda t: t.FLIP_TOP_BOTTOM,
    5: lambda t: t.TRANSPOSE,
    6: lambda t: t.ROTATE_270,
    7: lambda t: t.TRANSVERSE,
    8: lambda t: t.ROTATE_90,
}


def orientation_of(image) -> int:
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:
        return 1  # the pixels may be valid although the metadata are not
    return value if value in _UPRIGHT else 1


def _eight_bits(image, mode: str):
    """The image in mode "RGB" or "L"."""
    from PIL import Image

    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise DataError(
                f"the pixels are integers from {values.min()} to {values.max()}",
                expected="8 or 16 bits per pixel",
                fix="save the image with 16 bits",
            )
        # 65535 / 257 = 255
        image = Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise DataError(
            "the pixels are floats, whose range is unknown",
            expected="8 or 16 bits per pixel",
            fix="save the images with 8 bits, or read them yourself and train on arrays",
        )
    if image.mode in ("PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "RGBA"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _middle(size, wanted):
    """Box (left, upper, right, lower) of the largest center crop with the aspect of `wanted`."""
    width, height = size
    scale = min(height / wanted[0], width / wanted[1])
    w, h = wanted[1] * scale, wanted[0] * scale
    left, upper = (width - w) / 2, (height - h) / 2
    return left, upper, min(left + w, width), min(upper + h, height)
