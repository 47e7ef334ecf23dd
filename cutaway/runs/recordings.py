"""Audio classification (words, birds, machines): options and preparation for training."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from cutaway.data import (
    ClassFolder,
    SkippedFiles,
    TableArrays,
    files_by_label,
    find_recordings,
    load_recordings,
    log_mel,
)
from cutaway.data.audio import SUFFIXES
from cutaway.data.folders import expect_utf8
from cutaway.data.json_types import Count, Positive, Size
from cutaway.data.target import Target
from cutaway.errors import DataError
from cutaway.runs.experiment import Experiment
from cutaway.runs.labeled_sets import prepare_over_time
from cutaway.runs.options.flags import SKIP_OPTION
from cutaway.runs.options.recordings import RecordingOptions
from cutaway.runs.preprocessing import (
    Preprocessing,
    class_target,
    expect_format,
    stored_classes,
)
from cutaway.runs.schema import Classes, read_form

MAX_SECONDS = 4.0  # default limit of the length
MAX_RATE = 16_000  # default limit of the sample rate: enough for speech


class RecordingForm(Classes):
    """preprocessing.json of recordings."""

    rate: Size
    seconds: Positive
    bands: Size
    skip_unreadable: Count = 0


@dataclasses.dataclass(kw_only=True)
class RecordingRows(Preprocessing):
    """Preprocessing of recordings into log-mel spectrograms, and their classes.

    Attributes:
        rate: samples per second.
        seconds, bands, skip_unreadable: see RecordingOptions.
        target: the Target with the classes.
        skipped: counts unreadable recordings of several calls of `transform` together, while a
            training is prepared; None: each call counts its own.
    """

    rate: int
    seconds: float
    bands: int
    skip_unreadable: int
    target: Target
    skipped: SkippedFiles | None = None

    examples = "recordings"
    file_columns = ("path",)
    key_columns = ("path",)

    @classmethod
    def from_json(cls, value: dict) -> "RecordingRows":
        expect_format(value, "recordings")
        found = read_form(value, RecordingForm)
        return cls(
            rate=found.rate,
            seconds=found.seconds,
            bands=found.bands,
            skip_unreadable=found.skip_unreadable,
            target=stored_classes(found),
        )

    def to_json(self) -> dict:
        return {
            "kind": "recordings",
            "format": 1,
            "rate": self.rate,
            "seconds": self.seconds,
            "bands": self.bands,
            "skip_unreadable": self.skip_unreadable,
            "classes": self.classes,
            "counts": self.target.counts,
        }

    def read(self, source):
        """A recording, a folder of recordings, or one with a subfolder per class (its test set)."""
        path = Path(source)
        if os.path.isfile(path):
            return _frame([path])
        if os.path.isdir(path) and not _has_classes(path):
            files = [p for p in path.iterdir() if p.is_file()]  # no pipes
            found = sorted(p for p in files if p.suffix.lower() in SUFFIXES)
            if not found:
                raise DataError(f"{path} holds no recordings", expected="WAV files")
            labels = [_label(p) for p in found]
            return _frame(found, labels if set(labels) <= set(self.class_names()) else None)
        sets = find_sets(path)
        return class_frame(sets.get("test", sets["train"]))

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        paths = [Path(p) for p in frame["path"]]
        numbers = self.class_numbers(frame) if with_target else np.zeros(len(paths), np.int32)
        folder = ClassFolder(Path("."), paths, numbers, self.class_names())
        skipped = self.skipped or SkippedFiles(self.skip_unreadable, "")
        found = load_recordings(
            folder, rate=self.rate, seconds=self.seconds, channels=1, skip_unreadable=skipped
        )
        rows = np.flatnonzero([path not in found.skipped for path in paths])
        notes = skipped.note(paths, "recordings")
        x = log_mel(found.x[:, :, 0], self.rate, bands=self.bands)
        return TableArrays(x, found.y if with_target else None, rows, notes)


def find_sets(path) -> dict:
    """{"train": ClassFolder, ...} of a folder of classes, or of files named class_anything.wav."""
    path = Path(path)
    if not os.path.isdir(path) or _has_classes(path):
        return find_recordings(path)
    by_name = files_by_label(path, SUFFIXES, _label, what="recordings")
    smallest = np.bincount(by_name.labels).argmin()
    if (by_name.labels == smallest).sum() < 2:
        raise DataError(
            f"{path} holds {len(by_name)} recordings and no folders, and their names do not start "
            f"with a class: only one name starts with {by_name.classes[smallest]!r}",
            expected="one folder of recordings per class, or names like yes_1.wav, no_1.wav",
            fix="move the files of each class into a folder named after the class",
        )
    return {"train": by_name}


def class_frame(folder: ClassFolder):
    """A ClassFolder as a frame with the columns path and class."""
    return _frame(folder.paths, [folder.classes[k] for k in folder.labels])


def prepare_recordings(
    path, options: RecordingOptions | None = None, *, why: str = ""
) -> Experiment:
    """Read and split labeled recordings, and build a network for them.

    Args:
        path: a folder with one subfolder of WAV files per class, or of WAV files whose names
            start with the class and an underscore.

    Raises:
        DataError: no classes, only one class, files that cannot be read.
    """
    options = RecordingOptions() if options is None else options
    sets = find_sets(path)
    folder = sets["train"]
    skipped = SkippedFiles(options.skip_unreadable, SKIP_OPTION)
    rate, seconds = _sound(folder, options, skipped)
    rows = RecordingRows(
        rate=rate,
        seconds=seconds,
        bands=options.bands,
        skip_unreadable=options.skip_unreadable,
        skipped=skipped,
        target=class_target("class", folder.classes, folder.labels),
    )
    experiment = prepare_over_time(
        "recordings",
        path,
        options,
        rows,
        {name: class_frame(found) for name, found in sets.items()},
        scale=_scale,
        why=why,
        notes=[f"input: {seconds:.3g} s at {rate:,} samples per second"],
    )
    rows.skipped, experiment.skipped = None, skipped
    return experiment


def _scale(x) -> tuple:
    """(mean, std) of each mel band."""
    std = np.maximum(x.std(axis=(0, 1)), 1e-3)
    return x.mean(axis=(0, 1)).tolist(), std.tolist()


def _sound(folder, options, skipped) -> tuple:
    """(rate, seconds) of the inputs."""
    if options.sample_rate is not None and options.seconds is not None:
        return options.sample_rate, options.seconds
    found = load_recordings(folder, channels=1, skip_unreadable=skipped)
    longest = round(float(found.lengths.max()) / found.rate, 3)
    rate = options.sample_rate or min(found.rate, MAX_RATE)
    return rate, options.seconds or min(longest, MAX_SECONDS)


def _label(path) -> str:
    return path.stem.split("_")[0]


def _has_classes(path) -> bool:
    return any(p.is_dir() and not p.name.startswith(".") for p in path.iterdir())


def _frame(paths, classes=None):
    import polars as pl

    expect_utf8(paths)
    columns = {"path": [str(p) for p in paths]}
    return pl.DataFrame(columns if classes is None else columns | {"class": classes})
