"""Boxes and masks of objects drawn on pictures, with classes and scores."""

import numpy as np

from cutaway.data.mask_coding import DISTINCT
from cutaway.data.outlines import outline_mask

TINT = 0.4  # of a mask's color over the picture
SMALLEST_FONT, LARGEST_FONT = 9, 28


def class_color(number: int) -> tuple[int, int, int]:
    """The color of a class, the same in all pictures."""
    red, green, blue = DISTINCT[1 + number % (len(DISTINCT) - 1)]
    return red, green, blue


def drawn_boxes(
    picture, boxes, classes, names, *, scores=None, masks=None, dashed: bool = False, labels=True
) -> np.ndarray:
    """A picture with boxes in the colors of their classes, a new array.

    Args:
        picture: (height, width, 3) uint8.
        boxes: (n, 4) x1 y1 x2 y2 in pixels; the first one is drawn last, on top.
        classes: (n,) numbers.
        names: of all classes.
        scores: (n,) shown behind the names; None: none.
        masks: run lengths of each box, see data.run_lengths: tinted, with a contour. Those of a
            picture of another size are scaled to this one. None: no masks.
        dashed: whether the lines are dashed, as for the truth.
        labels: whether names and scores are written.
    """
    from PIL import Image, ImageDraw

    shown = np.array(picture)
    order = range(len(boxes) - 1, -1, -1)
    height, width = shown.shape[:2]
    side = max(height, width)
    line = max(1, round(side / 320))
    if masks is not None:
        for k in order:
            _tint(shown, masks[k], class_color(int(classes[k])), line)
    image = Image.fromarray(np.ascontiguousarray(shown))
    draw = ImageDraw.Draw(image)
    font = label_font(side, len(boxes))
    for k in order:
        color = class_color(int(classes[k]))
        x1, y1, x2, y2 = (round(float(n)) for n in boxes[k])
        box = (min(x1, width - 1), min(y1, height - 1), max(x1, x2 - 1), max(y1, y2 - 1))
        if dashed:
            _dash(draw, box, color, line, dash=max(3, 3 * line))
        else:
            draw.rectangle(box, outline=color, width=line)
    if labels:
        for k in order:
            text = str(names[int(classes[k])])
            text += "" if scores is None else f" {float(scores[k]):.2f}"
            color = class_color(int(classes[k]))
            _write(draw, text, font, boxes[k], color, (height, width))
    return np.asarray(image)


def label_font(side: int, count: int):
    """The font of labels: smaller in small pictures, and where there are many boxes."""
    from PIL import ImageFont

    size = side / 36 * (1.0 if count <= 12 else 0.8)
    return ImageFont.load_default(size=float(np.clip(size, SMALLEST_FONT, LARGEST_FONT)))


def _tint(picture, runs: dict, color, line: int) -> None:
    """Mix a color into the pixels of a mask; those within `line` of its edge become the color."""
    mask = outline_mask(runs, runs["size"])
    if mask.shape != picture.shape[:2]:
        places = (
            (np.arange(own) + 0.5) * given // own
            for own, given in zip(picture.shape, mask.shape, strict=False)
        )
        mask = mask[np.ix_(*(place.astype(int) for place in places))]
    picture[mask] = np.rint((1 - TINT) * picture[mask] + TINT * np.array(color))
    inner = np.pad(mask, 1)  # outside of the picture is outside of the object
    for _ in range(line):
        edge = inner.copy()
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            edge &= np.roll(inner, step, axis)
        inner = edge
    picture[mask & ~inner[1:-1, 1:-1]] = color


def _write(draw, text, font, box, color, size) -> None:
    """A label above the upper left corner, or within the box where there is no room above."""
    height, width = size
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    wide, high = right - left + 4, bottom - top + 4
    if wide > width or high > height:
        return  # a picture smaller than its label
    x = min(max(0, round(float(box[0]))), width - wide)
    y = round(float(box[1])) - high
    y = min(max(0, y if y >= 0 else round(float(box[1]))), height - high)
    draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=color)
    # black or white, whichever stands out
    light = np.dot(color, (0.299, 0.587, 0.114)) > 140
    draw.text((x + 2 - left, y + 2 - top), text, fill=(0, 0, 0) if light else (255, 255, 255),
              font=font)  # fmt: skip


def _dash(draw, box, color, line, dash) -> None:
    x1, y1, x2, y2 = box
    for start in range(x1, x2 + 1, 2 * dash):
        for y in (y1, y2):
            draw.line((start, y, min(start + dash - 1, x2), y), fill=color, width=line)
    for start in range(y1, y2 + 1, 2 * dash):
        for x in (x1, x2):
            draw.line((x, start, x, min(start + dash - 1, y2)), fill=color, width=line)
