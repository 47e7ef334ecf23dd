"""Trainings of each kind of data and a search, each of about a second, as commands."""

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from cutaway.data import write_wav

ROOT = Path(__file__).parents[2]
WORDS = {"yes": ("splendid", "touching", "great"), "no": ("dull", "empty", "boring")}


@dataclasses.dataclass(frozen=True)
class Case:
    """A command that trains.

    Attributes:
        name: of the kind of data, or "tune".
        data: name of the file or folder, written by `write_data`.
        options: of the command.
        new: name of the data that predict, evaluate and explain read.
        command: "train" or "tune".
        predicted: name of the file that predict writes, or of the folder.
    """

    name: str
    data: str
    options: tuple[str, ...]
    new: str
    command: str = "train"
    predicted: str = "predicted.csv"

    def arguments(self, out: str, *, resume: bool = False) -> list[str]:
        """Of `cutaway`, in the folder of the data."""
        resumed = ["--resume"] if resume and self.command == "train" else []
        return [self.command, self.data, *self.options, "--out", out, *resumed]


_QUICK = ("--no-preflight",)
_FILES = {"predicted": "predicted"}
_TABLE = ("--target", "y", "--set", "layers=8")
CASES = {
    case.name: case
    for case in (
        Case(
            "table",
            "table.csv",
            ("--target", "y", "--layers", "8", "--dropout", "0.1", "--epochs", "80"),
            "table.csv",
        ),
        Case("images", "photos", ("--epochs", "5", "--batch-size", "8", *_QUICK), "photos/test"),
        Case("text", "texts.txt", ("--epochs", "12", *_QUICK), "texts.txt"),
        Case("series", "series.csv", ("--epochs", "8", "--window", "12", *_QUICK), "series.csv"),
        Case("recordings", "sounds", ("--epochs", "5", *_QUICK), "sounds/test"),
        Case("language", "book.txt", ("--kind", "language", "--epochs", "4", *_QUICK), "book.txt"),
        Case(
            "time-series-classification",
            "ramps",
            ("--epochs", "6", *_QUICK),
            "ramps/Ramps_TEST.tsv",
        ),
        Case("masks", "disks", ("--epochs", "4", "--size", "16", *_QUICK), "disks", **_FILES),
        Case("volumes", "balls", ("--epochs", "4", *_QUICK), "balls", **_FILES),
        Case("pairs", "turned", ("--epochs", "4", *_QUICK), "turned", **_FILES),
        Case(
            "objects",
            "boxes",
            ("--model", "yolo", "--size", "32", "--epochs", "3", "--batch-size", "4", *_QUICK),
            "boxes",
            **_FILES,
        ),
        Case("tune", "table.csv", (*_TABLE, "--trials", "4", "--epochs", "8"), "table.csv", "tune"),
    )
}


def write_data(folder: Path) -> None:
    """Write the data of all cases."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(60, 2))]
    (folder / "table.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    lines = [
        f"{label}\ta {rng.choice(WORDS[label])} film , seen on day {k}"
        for k, label in enumerate(rng.choice(["yes", "no"], 60))
    ]
    (folder / "texts.txt").write_text("\n".join(lines) + "\n")
    days = np.datetime64("2024-01-01") + np.arange(90)
    sales = 10 + 3 * np.sin(np.arange(90) * 2 * np.pi / 7) + rng.normal(0, 0.3, 90)
    rows = [f"{day},{value:.3f}" for day, value in zip(days, sales, strict=True)]
    (folder / "series.csv").write_text("\n".join(["date,sales", *rows]) + "\n")
    (folder / "book.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60)
    for part, count in (("train", 12), ("test", 4)):
        for level, name in ((200, "bright"), (40, "dark")):
            place = folder / "photos" / part / name
            place.mkdir(parents=True, exist_ok=True)
            for k in range(count):
                pixels = np.clip(rng.normal(level, 20, (12, 12, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{k}.png")
        for hertz, name in ((1200, "high"), (200, "low")):
            place = folder / "sounds" / part / name
            place.mkdir(parents=True, exist_ok=True)
            for k in range(count):
                phases = 2 * np.pi * hertz * np.arange(800) / 4000
                write_wav(place / f"{k}.wav", 0.3 * np.sin(phases) + rng.normal(0, 0.01, 800), 4000)
    _write_dense_data(folder, np.random.default_rng(1))
    _write_boxes(folder / "boxes", np.random.default_rng(2))
    (folder / "ramps").mkdir(exist_ok=True)
    for part, count in (("TRAIN", 40), ("TEST", 12)):
        lines = []
        for k in range(count):
            values = (-1) ** k * np.linspace(-1, 1, 20) + rng.normal(0, 0.2, 20)
            lines.append("\t".join([("rise", "fall")[k % 2], *(f"{v:.4f}" for v in values)]))
        (folder / "ramps" / f"Ramps_{part}.tsv").write_text("\n".join(lines) + "\n")


def _write_boxes(folder: Path, rng) -> None:
    """Bright squares on dark ground with their boxes, as YOLO has them; one picture has none."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for k in range(9):
        pixels = np.clip(rng.normal(60, 10, (32, 32, 3)), 0, 255).astype(np.uint8)
        left, top, side = rng.integers(2, 12), rng.integers(2, 12), rng.integers(10, 18)
        line = ""
        if k != 1:
            pixels[top : top + side, left : left + side] = (200, 40, 40)
            box = (left + side / 2, top + side / 2, side, side)
            line = " ".join(["0", *(f"{n / 32:.4f}" for n in box)]) + "\n"
        Image.fromarray(pixels).save(folder / f"images/{k}.png")
        (folder / f"labels/{k}.txt").write_text(line)
    (folder / "data.yaml").write_text("path: .\nnames: [square]\n")


def _write_dense_data(folder: Path, rng) -> None:
    """Bright disks with masks, bright balls with labels, and red disks with blue ones."""
    import nibabel

    for name in ("disks/images", "disks/masks", "balls/images", "balls/labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("turned/A", "turned/B"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for k in range(12):
        middle, radius = rng.uniform(6, 10, 2), rng.uniform(3, 5)
        places = np.stack(np.mgrid[:16, :16], axis=-1)
        disk = ((places - middle) ** 2).sum(axis=-1) < radius**2
        gray = np.clip(np.where(disk, 190, 60) + rng.normal(0, 12, (16, 16)), 0, 255)
        Image.fromarray(gray.astype(np.uint8)).save(folder / f"disks/images/{k:02}.png")
        Image.fromarray(255 * disk.astype(np.uint8)).save(folder / f"disks/masks/{k:02}.png")
        for name, color in (("A", (255, 0, 0)), ("B", (0, 0, 255))):
            picture = np.where(disk[..., None], color, (0, 99, 0)).astype(np.uint8)
            Image.fromarray(picture).save(folder / f"turned/{name}/{k:02}.png")
        if k < 6:
            places = np.stack(np.mgrid[:8, :8, :8], axis=-1)
            ball = ((places - middle[0] / 2) ** 2).sum(axis=-1) < 6
            volume = np.where(ball, 90, 20) + rng.normal(0, 5, ball.shape)
            for name, values in (("images", volume.astype(np.int16)), ("labels", ball)):
                image = nibabel.Nifti1Image(values.astype(np.int16), np.diag([1.0, 1, 2, 1]))
                nibabel.save(image, folder / f"balls/{name}/{k}.nii.gz")


def command_line(case: Case, out: str, *, resume: bool = False, often: bool = True) -> list[str]:
    """The command as a process.

    Args:
        often: whether a checkpoint is written after each group of epochs; see `often`.
    """
    module = "benchmarks.faults.often" if often else "cutaway"
    return [sys.executable, "-m", module, *case.arguments(out, resume=resume)]


def environment(caches: Path, temporary: Path) -> dict[str, str]:
    """Of such a process: with its own folders for the user's caches and for temporary files."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "XDG_CACHE_HOME": str(caches),
        "TMPDIR": str(temporary),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
