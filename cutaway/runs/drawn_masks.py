"""Masks drawn over pictures, and pictures as elements of a page."""

import base64
import io

import numpy as np

RED = (230, 25, 75)
STRENGTH = 0.45  # of a class's color over the picture
THUMBNAIL = 256  # pixels of the longer side in a report


def blended(picture, ids, colors, ignore: int, clear: int = 0) -> np.ndarray:
    """The picture under the colors of the classes, (height, width, 3) uint8.

    Args:
        picture: (height, width, 3) uint8.
        ids: (height, width) class ids; ignored ones are left clear.
        colors: of the classes; black, which would not be seen, becomes red.
        clear: the class that is left clear.
    """
    table = np.array([c if any(c) else RED for c in colors], np.float32)
    strength = np.full(len(colors), STRENGTH, np.float32)
    strength[clear] = 0.0
    known = (ids != ignore) & (ids < len(colors))
    shown = np.where(known, ids, clear)
    part = strength[shown][..., None]
    return np.rint(picture * (1 - part) + table[shown] * part).astype(np.uint8)


def colored(ids, colors, ignore: int) -> np.ndarray:
    """A mask in the colors of its classes, (height, width, 3) uint8; ignored pixels are gray."""
    table = np.asarray(colors, np.uint8)
    known = (ids != ignore) & (ids < len(table))
    shown = table[np.where(known, ids, 0)]
    shown[~known] = 128
    return shown


def mistakes(ids, truth, ignore: int) -> np.ndarray:
    """Where a mask differs from the true one: white where it is right, red where it is wrong."""
    wrong = (ids != truth) & (truth != ignore)
    shown = np.full((*ids.shape, 3), 245, np.uint8)
    shown[wrong] = (214, 40, 40)
    shown[truth == ignore] = 128
    return shown


def png(picture) -> bytes:
    """A PNG file of (height, width, 3) uint8."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def element(picture, *, is_mask: bool = False, alt: str = "") -> str:
    """An <img> element of a picture (height, width, 3), at most THUMBNAIL pixels large."""
    from PIL import Image

    scale = THUMBNAIL / max(picture.shape[:2])
    image = Image.fromarray(picture)
    if scale < 1:
        size = [max(1, round(n * scale)) for n in image.size]
        how = Image.Resampling.NEAREST if is_mask else Image.Resampling.BILINEAR
        image = image.resize(size, how)
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img class="picture" alt="{alt}" src="data:image/png;base64,{data}">'
