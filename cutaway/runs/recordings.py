"""Recordings that have a class (words, birds, machines): ready to train on."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.data import (
    ClassFolder,
    TableArrays,
    files_by_label,
    find_recordings,
    load_recordings,
    log_mel,
)
from cutaway.data.audio import SUFFIXES
from cutaway.errors import DataError, expect_choice, expect_range
from cutaway.nn import seed
from cutaway.runs.experiment import Experiment
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options import TrainingOptions
from cutaway.runs.preprocessing import Preprocessing, class_target, expect_format
from cutaway.runs.split import kept_back, split_test, split_validation
from cutaway.train.blocks import expect_batch

MOST_SECONDS = 4.0  # of a recording that are heard by default
MOST_RATE = 16_000  # samples a second: what speech needs


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordingOptions(TrainingOptions):
    """Options of a training on recordings that have a class; None lets the data decide.

    Attributes:
        model: "curve_cnn", see models.cnn; it reads the log-mel spectrogram as a series whose
            channels are the bands.
        sample_rate: samples a second that all get; None: that of the first, at most 16,000.
        seconds: length that all get; None: that of the longest, at most 4.
        bands: of the spectrogram.
        skip_corrupt: whether files that cannot be read are left out; otherwise they are errors.
        others: see TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1000, 30, 300
    LEAST_BATCH, MOST_BATCH = 16, 128

    weight_decay: float = 0.01
    dropout: float = 0.2
    model: str = "curve_cnn"
    sample_rate: int | None = None
    seconds: float | None = None
    bands: int = 40
    skip_corrupt: bool = False

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, ("curve_cnn",), what="model for recordings")
        expect_range(self.bands, what="bands", least=1)
        if self.sample_rate is not None:
            expect_range(self.sample_rate, what="sample_rate", least=100)
        if self.seconds is not None:
            expect_range(self.seconds, what="seconds", above=0)


@dataclasses.dataclass(kw_only=True)
class RecordingRows(Preprocessing):
    """How recordings become spectrograms, and what their classes are.

    Attributes:
        rate: samples a second.
        seconds, bands, skip_corrupt: see RecordingOptions.
        target: the Target with the classes.
    """

    rate: int
    seconds: float
    bands: int
    skip_corrupt: bool
    target: object

    examples = "recordings"

    @classmethod
    def from_json(cls, value: dict) -> "RecordingRows":
        expect_format(value, "recordings")
        target = class_target("class", value["classes"], np.zeros(0, int))
        target.counts[:] = value["counts"]
        sizes = {name: value[name] for name in ("rate", "seconds", "bands", "skip_corrupt")}
        return cls(**sizes, target=target)

    def to_json(self) -> dict:
        return {
            "kind": "recordings",
            "format": 1,
            "rate": self.rate,
            "seconds": self.seconds,
            "bands": self.bands,
            "skip_corrupt": self.skip_corrupt,
            "classes": self.classes,
            "counts": self.target.counts,
        }

    def read(self, source):
        """A recording, a folder of them, or a folder of classes (its test set, if it has one)."""
        path = Path(source)
        if path.is_file():
            return _frame([path])
        if path.is_dir() and not _has_classes(path):
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not found:
                raise DataError(f"{path} holds no recordings", expected="WAV files")
            labels = [_label(p) for p in found]
            return _frame(found, labels if set(labels) <= set(self.classes) else None)
        sets = find_sets(path)
        return class_frame(sets.get("test", sets["train"]))

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        paths = [Path(p) for p in frame["path"]]
        numbers = self._labels(frame) if with_target else np.zeros(len(paths), np.int32)
        folder = ClassFolder(Path("."), paths, numbers, self.classes)
        found = load_recordings(
            folder,
            rate=self.rate,
            seconds=self.seconds,
            channels=1,
            skip_corrupt=self.skip_corrupt,
        )
        notes, rows = [], np.arange(len(paths))
        if found.skipped:
            rows = np.array([k for k, p in enumerate(paths) if p not in found.skipped])
            first, reason = next(iter(found.skipped.items()))
            notes.append(
                f"{len(found.skipped)} recordings cannot be read and were left out, "
                f"for example {first}: {reason}"
            )
        x = log_mel(found.x[:, :, 0], self.rate, bands=self.bands)
        return TableArrays(x, found.y if with_target else None, rows, notes)

    def _labels(self, frame):
        if "class" not in frame.columns:
            raise DataError(
                "these recordings have no classes",
                expected="a folder of recordings for each class",
                fix="use predict instead",
            )
        unknown = sorted(set(frame["class"]) - set(self.classes))
        if unknown:
            raise DataError(
                f"the class {unknown[0]!r} was not there in training",
                expected="one of " + ", ".join(self.classes[:12]),
            )
        return np.array([self.classes.index(name) for name in frame["class"]], np.int32)


def find_sets(path) -> dict:
    """{"train": ClassFolder, ...} of a folder of classes, or of files named class_anything.wav."""
    path = Path(path)
    if not path.is_dir() or _has_classes(path):
        return find_recordings(path)
    by_name = files_by_label(path, SUFFIXES, _label, what="recordings")
    smallest = np.bincount(by_name.labels).argmin()
    if (by_name.labels == smallest).sum() < 2:
        raise DataError(
            f"{path} holds {len(by_name)} recordings and no folders, and their names do not begin "
            f"with a class: {by_name.classes[smallest]!r} is the begin of one name only",
            expected="a folder of recordings for each class, or names like yes_1.wav, no_1.wav",
            fix="move the files of each class into a folder with the name of the class",
        )
    return {"train": by_name}


def class_frame(folder: ClassFolder):
    """A ClassFolder as a frame with the columns path and class."""
    return _frame(folder.paths, [folder.classes[k] for k in folder.labels])


def prepare_recordings(
    path, options: RecordingOptions | None = None, *, why: str = ""
) -> Experiment:
    """Read and split recordings that have a class, and build the network for them.

    Args:
        path: of a folder with a folder of WAV files for each class, or of files whose names
            begin with the class and an underscore.

    Raises:
        DataError: no classes, one class, files that cannot be read.
    """
    options = RecordingOptions() if options is None else options
    sets = find_sets(path)
    folder = sets["train"]
    rate, seconds = _sound(folder, options)
    rows = RecordingRows(
        rate=rate,
        seconds=seconds,
        bands=options.bands,
        skip_corrupt=options.skip_corrupt,
        target=class_target("class", folder.classes, folder.labels),
    )
    frame = class_frame(folder)
    arrays = rows.transform(frame)
    frame, x, y, notes = frame[arrays.rows], arrays.x, arrays.y, [*arrays.notes]
    own = dataclasses.replace(options, test=0.0) if "test" in sets else options
    if "validation" in sets:
        import polars as pl

        more_frame = class_frame(sets["validation"])
        more = rows.transform(more_frame)
        training, kept = split_test(y, own, stratify=True)
        held = len(x) + np.arange(len(more.x))
        frame = pl.concat([frame, more_frame[more.rows]])
        x, y = np.concatenate([x, more.x]), np.concatenate([y, more.y])
        notes += [*more.notes, f"the validation folder is held out: {len(held):,} recordings"]
    else:
        training, held, kept = split_validation(y, own, stratify=True)
    test, told = kept_back(x, y, kept, "recordings")
    notes += told
    if "test" in sets:
        found = rows.transform(class_frame(sets["test"]))
        test = (found.x, found.y)
        notes += [*found.notes, f"the test set ({len(found.x):,}) is used at the end alone"]
    expect_batch(options.batch(len(training)), len(training))
    rows.target = class_target("class", folder.classes, y[training])
    notes.append(f"each is heard for {seconds:.3g} s at {rate:,} samples a second")
    seed(options.seed)
    known = x[training]
    spec = {
        "model": options.model,
        "loss": DEFAULT_LOSSES["multiclass"],
        "channels": options.bands,
        "outputs": len(folder.classes),
        "widths": [128, 256, 128],
        "dropout": options.dropout,
        "mean": known.mean(axis=(0, 1)).tolist(),
        "std": np.maximum(known.std(axis=(0, 1)), 1e-3).tolist(),
    }
    return Experiment(
        kind="recordings",
        source=str(path),
        target="class",
        options=options,
        frame=frame,
        preprocessing=rows,
        training=training,
        held=held,
        row_numbers=np.arange(len(frame)) + 1,
        x=x,
        y=y,
        spec=spec,
        net=build_network(spec),
        notes=notes,
        why=why,
        test=test,
    )


def _sound(folder, options) -> tuple:
    """(rate, seconds) that the recordings get."""
    if options.sample_rate is not None and options.seconds is not None:
        return options.sample_rate, options.seconds
    found = load_recordings(folder, channels=1, skip_corrupt=options.skip_corrupt)
    longest = round(float(found.lengths.max()) / found.rate, 3)
    rate = options.sample_rate or min(found.rate, MOST_RATE)
    return rate, options.seconds or min(longest, MOST_SECONDS)


def _label(path) -> str:
    return path.stem.split("_")[0]


def _has_classes(path) -> bool:
    return any(p.is_dir() and not p.name.startswith(".") for p in path.iterdir())


def _frame(paths, classes=None):
    import polars as pl

    columns = {"path": [str(p) for p in paths]}
    return pl.DataFrame(columns if classes is None else columns | {"class": classes})
