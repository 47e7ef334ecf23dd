"""A small finished run of every kind of data, without training: its files are what counts."""

from pathlib import Path

import numpy as np
import polars as pl

from cutaway.runs import prepare
from tests.runs.drawn_sets import write_masks, write_objects, write_pairs, write_volumes
from tests.runs.small_backbone import with_small_backbone
from tests.runs.untrained import write_untrained

DENSE = {"width": 2, "levels": 2, "validation": 0.3}


def write_runs(folder: Path) -> dict[str, Path]:
    """Write a run of each kind and its data; {name of the run's folder: its data}."""
    data = {}
    for name, make in MAKERS.items():
        place = folder / "data" / name
        place.mkdir(parents=True)
        data[name], options = make(place)
        with with_small_backbone():
            write_untrained(folder / "runs" / name, prepare(data[name], **options))
    return data


def _table(place):
    frame = pl.DataFrame(
        {
            "size": [k * 0.5 for k in range(40)],
            "color": [("red", "green", "blue")[k % 3] for k in range(40)],
            "day": [f"2020-01-{k % 28 + 1:02d}" for k in range(40)],
            "city": [f"city {k % 35}" for k in range(40)],
            "count": [None if k % 5 == 0 else k for k in range(40)],
            "y": ["yes" if k % 2 else "no" for k in range(40)],
        }
    )
    frame.write_csv(place / "data.csv")
    return place / "data.csv", {"target": "y", "layers": (3,)}


def _regression(place):
    frame = pl.DataFrame({"a": [k * 0.5 for k in range(40)], "y": [k * 1.5 for k in range(40)]})
    frame.write_csv(place / "data.csv")
    return place / "data.csv", {"target": "y", "layers": (3,)}


def _series(place):
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 9), eager=True)
    values = np.sin(np.arange(100) / 7 * 2 * np.pi) + 3
    pl.DataFrame({"day": days, "sold": values, "b": values**2}).write_csv(place / "data.csv")
    return place / "data.csv", {"kind": "series", "column": "sold", "window": 14, "hidden": 3}


def _images(place):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (place / name).mkdir()
        for k in range(6):
            pixels = rng.integers(0, 256, (12, 12, 3), np.uint8)
            Image.fromarray(pixels).save(place / name / f"{k}.png")
    return place, {"width": 2, "batch_size": 4}


def _text(place):
    lines = [f"{'good' if k % 2 else 'bad'}\tthis is the message number {k}" for k in range(40)]
    (place / "data.txt").write_text("\n".join(lines))
    return place / "data.txt", {"vocabulary": 30}


def _language(place):
    (place / "data.txt").write_text("the cat sat on the mat and then the dog ran. " * 30)
    return place / "data.txt", {"kind": "language", "length": 16, "hidden": 3}


def _recordings(place):
    from cutaway.data import write_wav

    for name, pitch in (("low", 300), ("high", 900)):
        (place / name).mkdir()
        for k in range(6):
            sound = 0.3 * np.sin(2 * np.pi * pitch * np.arange(800) / 4000 + k)
            write_wav(place / name / f"{k}.wav", sound, 4000)
    return place, {"bands": 8, "batch_size": 4}


def _labeled_series(place):
    rng = np.random.default_rng(0)
    for name in ("TRAIN", "TEST"):
        rows = ["\t".join([str(k % 2), *map(str, rng.normal(size=24))]) for k in range(20)]
        (place / f"X_{name}.tsv").write_text("\n".join(rows))
    return place, {"batch_size": 4}


def _masks(place):
    return write_masks(place, 6, (16, 16)), {**DENSE, "size": 16}


def _volumes(place):
    folder = write_volumes(place, ((8, 8, 8),) * 4)
    return folder, {**DENSE, "size": 8, "model": "unet"}


def _pairs(place):
    return write_pairs(place, 5, (12, 12)), {"kind": "pairs", "width": 2, "size": 12}


def _objects(place):
    folder = write_objects(place / "set", 3, (32, 32))
    return folder, {"model": "yolo", "from_": "small", "size": 32, "validation": 0.4}


MAKERS = {
    "table": _table,
    "regression": _regression,
    "series": _series,
    "images": _images,
    "text": _text,
    "language": _language,
    "recordings": _recordings,
    "labeled series": _labeled_series,
    "masks": _masks,
    "volumes": _volumes,
    "pairs": _pairs,
    "objects": _objects,
}
