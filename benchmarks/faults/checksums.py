"""What checksums cost: the hashing measured by itself, inside a training and a run of a table.

Asked: less than 2% of a training of ResNet-18, and less than 20 ms for a table.
"""

import hashlib
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.files import manifest
from cutaway.runs import own_files
from cutaway.train import checkpoint

ASKED_PERCENT = 2.0
ASKED_MILLISECONDS = 20.0
MODULES: tuple[Any, ...] = (manifest, checkpoint, own_files)  # those that make checksums


class Hashing:
    """Context in which the time of hashing and the bytes that are hashed are counted.

    Attributes:
        seconds: spent in hashing.
        hashed: number of bytes.
    """

    def __init__(self):
        self.seconds = 0.0
        self.hashed = 0
        # of `hashlib`, in the place of which it stands in the modules that make checksums
        self.sha256 = self._timed(hashlib.sha256)
        self.file_digest = self._timed(hashlib.file_digest)

    def __enter__(self):
        for module in MODULES:
            assert module.hashlib is hashlib
            module.hashlib = self
        return self

    def __exit__(self, *_):
        for module in MODULES:
            module.hashlib = hashlib

    def _timed(self, function):
        def timed(content=b"", *args):
            began = time.perf_counter()
            digest = function(content, *args)
            self.add(began, content)
            return _Timed(digest, self)

        return timed

    def add(self, began: float, content=b"") -> None:
        """Count what began at that time."""
        self.seconds += time.perf_counter() - began
        if isinstance(content, bytes | memoryview):
            self.hashed += len(content)


class _Timed:
    """A digest whose time is counted."""

    def __init__(self, digest, hashing: Hashing):
        self._digest = digest
        self._hashing = hashing

    def update(self, content) -> None:
        began = time.perf_counter()
        self._digest.update(content)
        self._hashing.add(began, content)

    def hexdigest(self) -> str:
        began = time.perf_counter()
        text = self._digest.hexdigest()
        self._hashing.add(began)
        return text


def of_training(net, x, y, folder: Path, *, epochs: int):
    """(seconds, Hashing) of a training with checkpoints, every 10 seconds and at the end.

    Args:
        net: for 10 classes.
        x, y: rows.
        folder: of the checkpoints.
        epochs: of the training.
    """
    import cutaway as ct
    from cutaway.train import Checkpoints

    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net))
    given = {"batch_size": 32, "seed": 0, "progress": False}
    with Hashing() as hashing:
        began = time.perf_counter()
        trainer.fit(x, y, epochs=epochs, callbacks=[Checkpoints(folder)], **given)
        seconds = time.perf_counter() - began
    return seconds, hashing


def of_resnet(folder: Path, *, rows: int, epochs: int):
    """The same of ResNet-18 on images of CIFAR's size."""
    import cutaway as ct
    from benchmarks.networks import resnet18

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 32, 32, 3)).astype(np.float32)
    ct.seed(0)
    return of_training(resnet18(), x, rng.integers(0, 10, rows), folder, epochs=epochs)


def of_table(folder: Path):
    """(seconds, Hashing) of `cutaway train` on the bundled table, and of opening the run."""
    from cutaway.runs import Run, prepare, write_report

    with Hashing() as hashing:
        began = time.perf_counter()
        experiment = prepare(None, None)
        run = experiment.train(folder, progress=False)
        write_report(experiment, run)
        opened = Run.open(folder)
        assert opened.metrics and opened.history and opened.probes is not None  # reads them
        seconds = time.perf_counter() - began
    return seconds, hashing


def run_checksums(repeats: int = 5, *, rows: int = 512, epochs: int = 3, tell=print) -> bool:
    """Measure both, and say what was found; whether both are below what was asked.

    Args:
        repeats: of each.
        rows, epochs: of ResNet-18.
        tell: function of each line.
    """
    fractions, milliseconds = [], []
    with tempfile.TemporaryDirectory(prefix="cutaway-checksums-") as place:
        for k in range(repeats):
            folder = Path(place) / f"resnet{k}"
            seconds, hashing = of_resnet(folder, rows=rows, epochs=epochs)
            shutil.rmtree(folder)
            fractions.append(100 * hashing.seconds / seconds)
            tell(_line(f"ResNet-18, {rows} images, {epochs} epochs", seconds, hashing))
        for k in range(repeats):
            seconds, hashing = of_table(Path(place) / f"table{k}")
            milliseconds.append(1000 * hashing.seconds)
            tell(_line("table, trained, saved and opened", seconds, hashing))
    tell(
        f"\nResNet-18: {_spread(fractions)}% of the training, asked: less than "
        f"{ASKED_PERCENT:g}%\ntable: {_spread(milliseconds)} ms in all, asked: less than "
        f"{ASKED_MILLISECONDS:g} ms"
    )
    return max(fractions) < ASKED_PERCENT and max(milliseconds) < ASKED_MILLISECONDS


def _line(what: str, seconds: float, hashing: Hashing) -> str:
    return (
        f"{what}: {seconds:.2f} s, of which hashing of {hashing.hashed / 1e6:.2f} MB took "
        f"{1000 * hashing.seconds:.2f} ms ({hashing.seconds / seconds:.3%})"
    )


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
