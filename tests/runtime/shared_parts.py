"""Trainings in which each process reads its own rows, for test_own_rows: by itself or launched."""

import collections
import sys
from pathlib import Path
from typing import Any

import numpy as np

import cutaway as ct
from cutaway.data import images

OwnRows = ct.distributed.OwnRows
# the rows of 90 at which the part of the next process begins: one process of three has none
ENDS = {1: [], 2: [31], 3: [30, 30]}
decoded = collections.Counter()


def parts_of(*arrays):
    """The rows of the arrays that this process has."""
    ends = [0, *ENDS[ct.distributed.process_count()], len(arrays[0])]
    me = ct.distributed.process_index()
    return OwnRows(*(array[ends[me] : ends[me + 1]] for array in arrays))


def classes(rng, folder):
    """Texts as labels, weights, and a fraction for validation, of each class as many."""
    x = rng.normal(size=(90, 6))
    names = np.array(["eel", "dog", "cat"])[np.arange(90) // 30]
    net = ct.Sequential(ct.Linear(6, 8), ct.Tanh(), ct.Dropout(0.2), ct.Linear(8, 3))
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    weights = rng.uniform(size=90)
    return net, loss, parts_of(x, names, weights), 0.2, parts_of(x, names)


def pictures(rng, folder):
    """Bytes, statistics of all rows, batch normalization, and validation rows in parts."""
    x = rng.integers(0, 256, size=(90, 6, 6, 4)).astype(np.uint8)
    y = (x.mean(axis=(1, 2))[:, :1] / 256).astype(np.float32)
    own = parts_of(x, y)
    inner = [ct.Standardize(*ct.distributed.mean_and_std(own.x)), ct.Conv2d(4, 4, 3)]
    net = ct.Sequential(*inner, ct.BatchNorm(4), ct.ReLU(), ct.GlobalAvgPool(), ct.Linear(4, 1))
    return net, ct.losses.mean_squared_error, own, parts_of(x[::-1], y[::-1]), own


class Joined(ct.Module):
    def __init__(self):
        self.net = ct.Sequential(ct.Linear(5, 8), ct.Tanh(), ct.Linear(8, 1))

    def forward(self, a, b):
        return self.net(ct.ops.concatenate([a, b.astype(a.dtype)], axis=-1))


def trees(rng, folder):
    """Two inputs, and validation rows that all processes have."""
    x = {"a": rng.normal(size=(90, 3)), "b": rng.integers(0, 2, size=(90, 2))}
    y = x["a"].mean(axis=1, keepdims=True) + x["b"][:, :1]
    first, second = parts_of(x["a"], y), parts_of(x["b"], y)
    rows = OwnRows({"a": first.x, "b": second.x}, first.y)
    return Joined(), ct.losses.mean_squared_error, rows, (x, y), rows


def folder_of_images(rng, folder):
    """A stream that decodes its files in every epoch, and changes them at random."""
    found = ct.data.find_images(folder / "images")["train"]
    change = ct.data.Compose(
        ct.data.RandomFlip(), ct.data.RandomCrop(1), ct.data.Normalize((0.5,) * 3, (0.25,) * 3)
    )
    stream = ct.data.ImageStream(found, (6, 6), channels=3, transform=change, skip_unreadable=1)
    net = ct.Sequential(ct.Conv2d(3, 4, 3), ct.Tanh(), ct.GlobalAvgPool(), ct.Linear(4, 2))
    return net, ct.losses.sparse_categorical_cross_entropy_with_logits, stream, None, stream


def parquet(rng, folder):
    """Blocks of a table, of which the last has fewer rows than there are processes."""
    stream = ct.data.ParquetBatches(folder / "table.parquet", target="y", block_rows=44)
    net = ct.Sequential(ct.Linear(2, 4), ct.Tanh(), ct.Linear(4, 1))
    return net, ct.losses.mean_squared_error, stream, None, stream


MAKES = {make.__name__: make for make in (classes, pictures, trees, folder_of_images, parquet)}


def train(name: str, folder: Path, out: Path) -> None:
    """Train, and write what came of it to out/name-PROCESS.npz."""
    me = ct.distributed.process_index()
    ct.seed(me)  # a process may begin with other weights: all take those of the first
    net, loss, rows, validation, scored = MAKES[name](np.random.default_rng(0), folder)
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Momentum(net, lr=0.05))
    decoded.clear()
    trainer.fit(rows, epochs=2, batch_size=16, validation=validation, seed=3, progress=False)
    found: dict[str, Any] = {f"net.{path}": array for path, array in net.state_dict().items()}
    found["decoded"] = np.array(sum(decoded.values()))
    history = trainer.fit(more=1, progress=False)
    found["losses"] = np.array([[row["loss"], row.get("val_loss", 0)] for row in history.rows])
    found["score"] = np.array(trainer.evaluate(scored)["loss"])
    found["classes"] = np.array(trainer.classes or [])
    found["notes"] = np.array(getattr(trainer.stream, "notes", []))
    np.savez(out / f"{name}-{me}.npz", **found)


def counting(read):
    def read_and_count(path, *args, **options):
        decoded[path] += 1
        return read(path, *args, **options)

    return read_and_count


if __name__ == "__main__":
    ct.distributed.start()
    images.read_image = counting(images.read_image)
    for name in sys.argv[3].split(","):
        train(name, Path(sys.argv[1]), Path(sys.argv[2]))
