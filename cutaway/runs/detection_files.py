"""Detections as files that other programs read: a table, COCO's json, YOLO's txt."""

import json

import numpy as np

from cutaway.data.run_lengths import runs_area

COLUMNS = {"picture": str, "class": str, **dict.fromkeys(("score", "x1", "y1", "x2", "y2"), float)}


def table_rows(name: str, found, names) -> list[dict]:
    """Rows of the table of detections: x1 y1 x2 y2 in pixels of the picture.

    Args:
        name: of the picture.
        found: Detections.
        names: of the classes.
    """
    rows = []
    for box, score, kind in zip(found.boxes, found.scores, found.classes, strict=True):
        values = (name, names[int(kind)], round(float(score), 4), *(_rounded(n) for n in box))
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def table_of(pictures, names) -> bytes:
    """The CSV file of all detections; a line for each.

    Args:
        pictures: of each (name of the file, (height, width), Detections).
    """
    import polars as pl

    rows = [row for name, _, found in pictures for row in table_rows(name, found, names)]
    return pl.DataFrame(rows, schema=COLUMNS, infer_schema_length=None).write_csv().encode()


def yolo_names(names) -> bytes:
    """YOLO's data.yaml with the names of the classes, beside the folder `labels`."""
    listed = "".join(f"  {k}: {json.dumps(str(name))}\n" for k, name in enumerate(names))
    return f"names:\n{listed}".encode()


def yolo_lines(found, size) -> bytes:
    """A line "class cx cy w h score" for each detection, in parts of the picture.

    Args:
        found: Detections.
        size: (height, width) of the picture.
    """
    height, width = size
    lines = []
    for box, score, kind in zip(found.boxes, found.scores, found.classes, strict=True):
        center, sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        numbers = (*center / (width, height), *sides / (width, height))
        lines.append(f"{int(kind)} " + " ".join(f"{n:.6f}" for n in numbers) + f" {score:.4f}\n")
    return "".join(lines).encode()


def coco_results(pictures, names) -> bytes:
    """COCO's json of detections: its results, with the images and categories they refer to.

    A program that wants the bare list of results takes "annotations". Masks are COCO's compressed
    run lengths.

    Args:
        pictures: of each (name of the file, (height, width), Detections).
        names: of the classes: category k + 1 is class k.
    """
    images, results = [], []
    for number, (name, size, found) in enumerate(pictures, 1):
        images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        masks = found.masks or [None] * len(found.boxes)
        for box, score, kind, mask in zip(*found[:3], masks, strict=True):
            x1, y1, x2, y2 = (float(n) for n in box)
            one = {
                "id": len(results) + 1,
                "image_id": number,
                "category_id": int(kind) + 1,
                "bbox": [_rounded(n) for n in (x1, y1, x2 - x1, y2 - y1)],
                "area": _rounded((x2 - x1) * (y2 - y1)),
                "score": round(float(score), 4),
                "iscrowd": 0,
            }
            if mask is not None:
                one |= {"area": runs_area(mask), "segmentation": mask}
            results.append(one)
    categories = [{"id": k, "name": name} for k, name in enumerate(names, 1)]
    found = {"images": images, "categories": categories, "annotations": results}
    return json.dumps(found, indent=1).encode()


def _rounded(value) -> float:
    return round(float(np.float64(value)), 2)
