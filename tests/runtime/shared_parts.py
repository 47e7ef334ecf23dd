"""Trainings in which each process has its own rows, for test_own_rows: by itself or launched."""

import sys

import numpy as np

import cutaway as ct

OwnRows = ct.distributed.OwnRows
# the rows of 90 at which the part of the next process begins: one has none, the last has two thirds
ENDS = {1: [], 2: [31], 3: [30, 30], 4: [7, 40, 41]}


def parts_of(*arrays):
    """The rows of the arrays that this process has."""
    rows = len(arrays[0])
    ends = [0, *ENDS[ct.distributed.process_count()], rows]
    me = ct.distributed.process_index()
    return OwnRows(*(array[ends[me] : ends[me + 1]] for array in arrays))


def classes(rng):
    """Texts as labels, weights, and a fraction for validation, of each class as many."""
    x = rng.normal(size=(90, 6))
    names = np.array(["eel", "dog", "cat"])[np.minimum(np.arange(90) // 30, 2)]
    net = ct.Sequential(ct.Linear(6, 8), ct.Tanh(), ct.Dropout(0.2), ct.Linear(8, 3))
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    weights = rng.uniform(size=90)
    return net, loss, parts_of(x, names, weights), 0.2, parts_of(x, names)


def pictures(rng):
    """Pictures as bytes, batch normalization, and rows for validation that are parts too."""
    x = rng.integers(0, 256, size=(90, 6, 6, 4)).astype(np.uint8)
    y = (x.mean(axis=(1, 2))[:, :1] / 256).astype(np.float32)
    own = parts_of(x, y)
    mean, std = ct.distributed.mean_and_std(own.x)
    inner = [ct.Standardize(mean, std), ct.Conv2d(4, 4, 3), ct.BatchNorm(4), ct.ReLU()]
    net = ct.Sequential(*inner, ct.GlobalAvgPool(), ct.Linear(4, 1))
    return net, ct.losses.mean_squared_error, own, parts_of(x[::-1], y[::-1]), own


class Joined(ct.Module):
    def __init__(self):
        self.net = ct.Sequential(ct.Linear(5, 8), ct.Tanh(), ct.Linear(8, 1))

    def forward(self, a, b):
        return self.net(ct.ops.concatenate([a, b.astype(a.dtype)], axis=-1))


def trees(rng):
    """Two inputs, and rows for validation that all processes have."""
    x = {"a": rng.normal(size=(90, 3)), "b": rng.integers(0, 2, size=(90, 2))}
    y = x["a"].mean(axis=1, keepdims=True) + x["b"][:, :1]
    first, second = parts_of(x["a"], y), parts_of(x["b"], y)
    rows = OwnRows({"a": first.x, "b": second.x}, first.y)
    return Joined(), ct.losses.mean_squared_error, rows, (x, y), rows


def train_all(folder: str) -> None:
    for make in (classes, pictures, trees):
        ct.seed(ct.distributed.process_index())
        net, loss, rows, validation, scored = make(np.random.default_rng(0))
        trainer = ct.Trainer(net, loss=loss, optimizer=ct.Momentum(net, lr=0.05))
        options = {"batch_size": 18, "validation": validation, "progress": False}
        trainer.fit(rows, epochs=2, seed=3, **options)
        history = trainer.fit(more=1)
        found = {f"net.{path}": array for path, array in net.state_dict().items()}
        found["losses"] = np.array([[row["loss"], row["val_loss"]] for row in history.rows])
        found["score"] = np.array(trainer.evaluate(scored)["loss"])
        found["classes"] = np.array(trainer.classes or [])
        np.savez(f"{folder}/{make.__name__}-{ct.distributed.process_index()}.npz", **found)


if __name__ == "__main__":
    ct.distributed.start()
    train_all(sys.argv[1])
