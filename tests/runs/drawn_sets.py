"""Small sets of drawn pictures for tests: bright disks on dark ground."""

import numpy as np
from PIL import Image


def disk(size, rng):
    """(picture (height, width) uint8, mask of booleans)."""
    height, width = size
    center = rng.uniform(0.3, 0.7, 2) * size
    radius = rng.uniform(0.2, 0.3) * min(size)
    rows, columns = np.mgrid[:height, :width]
    mask = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 < radius**2
    picture = np.where(mask, 190, 60) + rng.normal(0, 12, size)
    return np.clip(picture, 0, 255).astype(np.uint8), mask


def write_masks(folder, count=6, size=(32, 32), *, seed=0):
    """images/NN.png and masks/NN.png with 0 and 255."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for k in range(count):
        picture, mask = disk(size, rng)
        Image.fromarray(picture).save(folder / "images" / f"{k:02}.png")
        Image.fromarray(255 * mask.astype(np.uint8)).save(folder / "masks" / f"{k:02}.png")
    return folder
