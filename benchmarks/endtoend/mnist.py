"""Handwritten digits: two convolutions and two dense layers, until 98.5% of the test set are right.

The 20,000 training and 10,000 test images of shared/data/mnist, gzipped IDX files. All contenders
have the same network (1,199,882 parameters), Glorot or the library's own initial weights, batches
of 128, Adam with lr=0.001, and score the whole test set after each epoch.
"""

import gzip
from pathlib import Path

from .task import MOST_EPOCHS, Reached, Task

BATCH = 128
RATE = 1e-3


def _arrays(folder: Path):
    """(x, y, test x, test y) by NumPy: bytes (rows, 28, 28) and integers."""
    import numpy as np

    found = []
    for part in ("train", "t10k"):
        for kind, header, shape in (("images-idx3", 16, (-1, 28, 28)), ("labels-idx1", 8, (-1,))):
            content = gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes())
            found.append(np.frombuffer(content, np.uint8, offset=header).reshape(shape))
    return found


def by_cutaway(folder: Path, seed: int, least: float) -> Reached:
    import numpy as np

    import cutaway as ct

    def read(part):
        images = ct.data.read_idx(folder / f"{part}-images-idx3-ubyte.gz")
        labels = ct.data.read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
        return images[..., None].astype(np.float32) / 255, labels.astype(np.int32)

    ct.seed(seed)
    net = ct.Sequential(
        ct.Conv2d(1, 32, 3), ct.ReLU(),
        ct.Conv2d(32, 64, 3), ct.ReLU(), ct.MaxPool(2),
        ct.Flatten(), ct.Linear(9216, 128), ct.ReLU(), ct.Linear(128, 10),
    )  # fmt: skip
    trainer = ct.Trainer(
        net,
        loss=ct.losses.sparse_categorical_cross_entropy_with_logits,
        optimizer=ct.Adam(net, RATE),
        metrics=[ct.metrics.accuracy],
    )

    def until_reached(trainer, row):
        if row["val_accuracy"] >= least:
            trainer.stop()

    x, y = read("train")
    history = trainer.fit(
        x, y, validation=read("t10k"), epochs=MOST_EPOCHS, batch_size=BATCH,
        callbacks=[until_reached], progress=False,
    )  # fmt: skip
    return Reached(float(history["val_accuracy"][-1]), len(history["loss"]))


def by_torch(folder: Path, seed: int, least: float) -> Reached:
    """A loop of one's own with a DataLoader, as PyTorch's tutorials have it."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(seed)
    x, y, test_x, test_y = (torch.tensor(array) for array in _arrays(folder))
    x, test_x = (array[:, None].float() / 255 for array in (x, test_x))
    rows = DataLoader(TensorDataset(x, y.long()), batch_size=BATCH, shuffle=True)
    test = DataLoader(TensorDataset(test_x, test_y.long()), batch_size=1000)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    score, epochs = 0.0, 0
    while score < least and epochs < MOST_EPOCHS:
        net.train()
        for images, labels in rows:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images), labels).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = sum((net(a).argmax(1) == b).sum().item() for a, b in test)
        score, epochs = right / len(test_x), epochs + 1
    return Reached(score, epochs)


def by_keras(folder: Path, seed: int, least: float) -> Reached:
    """model.fit; KERAS_BACKEND has chosen the backend."""
    import keras

    keras.utils.set_random_seed(seed)
    x, y, test_x, test_y = _arrays(folder)
    x, test_x = (array[..., None].astype("float32") / 255 for array in (x, test_x))
    model = keras.Sequential([
        keras.layers.Input((28, 28, 1)),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ])  # fmt: skip
    model.compile(
        optimizer=keras.optimizers.Adam(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    class UntilReached(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if (logs or {})["val_accuracy"] >= least:
                self.model.stop_training = True

    history = model.fit(
        x, y, validation_data=(test_x, test_y), epochs=MOST_EPOCHS, batch_size=BATCH,
        callbacks=[UntilReached()], verbose=0,
    )  # fmt: skip
    return Reached(history.history["val_accuracy"][-1], len(history.history["loss"]))


MNIST = Task(
    name="mnist",
    data="mnist",
    metric="accuracy",
    least=0.985,
    contenders={
        "cutaway": by_cutaway,
        "torch": by_torch,
        "keras-jax": by_keras,
        "keras-torch": by_keras,
    },
    needs={"torch": "torch", "keras-jax": "keras", "keras-torch": "keras"},
)
