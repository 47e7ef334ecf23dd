"""Small sets of drawn pictures for tests: bright disks on dark ground."""

import json

import numpy as np
from PIL import Image

from cutaway.data.run_lengths import run_lengths

COLORS = (("A", (255, 0, 0), (0, 0, 0)), ("B", (0, 0, 255), (0, 99, 0)))  # folder, disk, ground


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


def write_volumes(folder, sizes=((12, 16, 9), (16, 11, 8), (10, 9, 16), (16, 16, 16)), *, seed=0):
    """images/NN.nii.gz and labels/NN.nii.gz (float32) with a bright ball, of 1 x 1 x 2 mm."""
    import nibabel

    rng = np.random.default_rng(seed)
    affine = np.diag([-1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = 5, -3, 7
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for k, size in enumerate(sizes):
        places = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)
        ball = ((places - np.array(size) / 2) ** 2).sum(axis=-1) < 3.5**2
        values = (np.where(ball, 90, 20) + rng.normal(0, 5, size)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(values, affine), folder / "images" / f"{k}.nii.gz")
        labels = nibabel.Nifti1Image(ball.astype(np.float32), affine)
        nibabel.save(labels, folder / "labels" / f"{k}.nii.gz")
    return folder


def write_pairs(folder, count=6, size=(32, 32), *, seed=0):
    """A/NN.png, a red disk on black, and B/NN.png, the same blue on green."""
    rng = np.random.default_rng(seed)
    for name in ("A", "B"):
        (folder / name).mkdir(parents=True)
    for k in range(count):
        _, mask = disk(size, rng)
        for name, inside, outside in (
            ("A", (255, 0, 0), (0, 0, 0)),
            ("B", (0, 0, 255), (0, 99, 0)),
        ):
            picture = np.where(mask[..., None], inside, outside).astype(np.uint8)
            Image.fromarray(picture).save(folder / name / f"{k:02}.png")
    return folder


def write_objects(folder, count=8, size=(64, 96), *, seed=0, empty=()):
    """images/NN.png with bright disks and red squares, and their boxes in boxes.json, as COCO.

    Args:
        empty: numbers of pictures without objects.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, boxes = [], []
    for k in range(count):
        picture = np.clip(rng.normal(60, 10, (*size, 3)), 0, 255)
        rows, columns = np.mgrid[: size[0], : size[1]]
        for kind in () if k in empty else range(int(rng.integers(1, 3))):
            side = rng.integers(14, 24)
            y, x = (rng.integers(1, n // 2 - side // 2) + kind * (n // 2 - 12) for n in size)
            x, y = (min(n, most - side - 1) for n, most in zip((x, y), size[::-1], strict=True))
            center = (rows - y - side / 2) ** 2 + (columns - x - side / 2) ** 2
            inside = center < (side / 2) ** 2
            if kind:
                inside = (rows >= y) & (rows < y + side) & (columns >= x) & (columns < x + side)
            picture[inside] = (200, 40, 40) if kind else (200, 200, 200)
            boxes.append(
                {
                    "id": len(boxes) + 1,
                    "image_id": k + 1,
                    "category_id": 3 + kind,
                    "bbox": [int(x), int(y), int(side), int(side)],
                    "area": int(side) ** 2,
                    "iscrowd": 0,
                }
            )
        name = f"{k:02}.png"
        Image.fromarray(picture.astype(np.uint8)).save(folder / "images" / name)
        images.append({"id": k + 1, "file_name": name, "height": size[0], "width": size[1]})
    kinds = [{"id": 3, "name": "disk"}, {"id": 4, "name": "square"}]
    found = {"images": images, "annotations": boxes, "categories": kinds}
    (folder / "boxes.json").write_text(json.dumps(found))
    return folder


def add_outlines(folder):
    """Outlines for the objects of write_objects: run lengths of disks, polygons of squares."""
    content = json.loads((folder / "boxes.json").read_text())
    sizes = {one["id"]: (one["height"], one["width"]) for one in content["images"]}
    for one in content["annotations"]:
        x, y, w, h = one["bbox"]
        if one["category_id"] == 4:
            one["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
            continue
        height, width = sizes[one["image_id"]]
        rows, columns = np.mgrid[:height, :width]
        disk = (rows - y - h / 2) ** 2 + (columns - x - w / 2) ** 2 < (w / 2) ** 2
        one["segmentation"] = run_lengths(disk)
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder
