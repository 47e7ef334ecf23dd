"""Masks drawn over pictures, and pictures as elements of a page."""

import base64
import io
import itertools

import numpy as np

from cutaway.data.mask_coding import DISTINCT

STRENGTH = 0.45  # of a class's color over the picture
THUMBNAIL = 256  # pixels of the longer side in a report


def blended(picture, ids, colors, ignore: int, clear: int = 0) -> np.ndarray:
    """The picture under the colors of the classes, (height, width, 3) uint8.

    Args:
        picture: (height, width, 3) uint8.
        ids: (height, width) class ids; ignored ones are left clear.
        colors: of the classes; grays, which would not be seen, become others.
        clear: the class that is left clear.
    """
    table = np.array(visible_colors(colors, clear), np.float32)
    strength = np.full(len(colors), STRENGTH, np.float32)
    strength[clear] = 0.0
    known = (ids != ignore) & (ids < len(colors))
    shown = np.where(known, ids, clear)
    part = strength[shown][..., None]
    return np.rint(picture * (1 - part) + table[shown] * part).astype(np.uint8)


def visible_colors(colors, clear: int = 0) -> list:
    """The colors with others in place of grays, apart from that of the class `clear`.

    Example:
        >>> from cutaway.runs.drawn_masks import visible_colors
        >>> visible_colors([(0, 0, 0), (255, 255, 255), (60, 180, 75)])
        [(0, 0, 0), (230, 25, 75), (60, 180, 75)]
    """
    taken = {tuple(color) for color in colors}
    others = itertools.cycle([c for c in DISTINCT[1:] if c not in taken] or DISTINCT[1:])
    return [
        next(others) if len(set(color)) == 1 and k != clear else tuple(color)
        for k, color in enumerate(colors)
    ]


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
