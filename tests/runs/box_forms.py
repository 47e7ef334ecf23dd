"""The drawn pictures with boxes of `write_objects` as YOLO, Pascal VOC and a table have them."""

import json

from tests.runs.drawn_sets import write_objects

NAMES = ("disk", "square")
WIDTH, HEIGHT = 96, 64
COUNT = 8


def drawn(folder, *, empty=()):
    """[(number of the picture, class, (x, y, width, height))]; the pictures lie in images/."""
    write_objects(folder, COUNT, (HEIGHT, WIDTH), empty=empty)
    found = json.loads((folder / "boxes.json").read_text())["annotations"]
    return [(one["image_id"] - 1, one["category_id"] - 3, one["bbox"]) for one in found]


def write_yolo(folder, *, shift=0, empty=()):
    """images/ and labels/ with data.yaml; classes count from `shift`."""
    lines: dict[int, list[str]] = {k: [] for k in range(COUNT)}
    for k, kind, (x, y, w, h) in drawn(folder, empty=empty):
        center = (x + w / 2) / WIDTH, (y + h / 2) / HEIGHT
        lines[k].append(" ".join(map(str, (kind + shift, *center, w / WIDTH, h / HEIGHT))))
    (folder / "boxes.json").unlink()
    (folder / "labels").mkdir()
    for k, own in lines.items():
        (folder / "labels" / f"{k:02}.txt").write_text("\n".join(own) + "\n")
    (folder / "data.yaml").write_text(f"path: .\nnc: 2\nnames: [{', '.join(NAMES)}]\n")
    return folder


def write_voc(folder, *, empty=()):
    """JPEGImages/ and Annotations/."""
    objects: dict[int, str] = dict.fromkeys(range(COUNT), "")
    for k, kind, (x, y, w, h) in drawn(folder, empty=empty):
        corners = {"xmin": x + 1, "ymin": y + 1, "xmax": x + w, "ymax": y + h}
        box = "".join(f"<{name}>{value}</{name}>" for name, value in corners.items())
        objects[k] += (
            f"<object><name>{NAMES[kind]}</name><difficult>0</difficult>"
            f"<bndbox>{box}</bndbox></object>"
        )
    (folder / "boxes.json").unlink()
    (folder / "images").rename(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    for k, own in objects.items():
        path = folder / "Annotations" / f"{k:02}.xml"
        path.write_text(f"<annotation>{size}{own}</annotation>")
    return folder


def write_table(folder, *, sides=False):
    """boxes.csv with corners; with `sides` width and height stand where they belong."""
    lines = ["filename,xmin,ymin,xmax,ymax,class"]
    for k, kind, (x, y, w, h) in drawn(folder):
        box = (x, y, w, h) if sides else (x, y, x + w, y + h)
        lines.append(f"{k:02}.png,{','.join(map(str, box))},{NAMES[kind]}")
    (folder / "boxes.json").unlink()
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")
    return folder


def split_folders(folder, counts):
    """Move images/ and labels/ of `write_yolo` into folders {split: pictures}, as ultralytics."""
    first = 0
    for split, count in counts.items():
        for part, suffix in (("images", "png"), ("labels", "txt")):
            (folder / part / split).mkdir()
            for k in range(first, first + count):
                path = folder / part / f"{k:02}.{suffix}"
                path.rename(folder / part / split / path.name)
        first += count
    lines = [f"{split}: images/{split}\n" for split in counts]
    (folder / "data.yaml").write_text(f"path: .\n{''.join(lines)}names:\n  0: disk\n  1: square\n")
    return folder
