"""MNIST: handwritten digits with a 784-256-128-10 ReLU network, trained with Adam.

    python examples/mnist.py ../shared/data/mnist [--epochs 20]

The folder holds the four IDX files under their original names, gzipped or not. Fashion-MNIST
(Debian: apt install dataset-fashion-mnist) has the same format.
"""

import argparse
from pathlib import Path

import numpy as np

import cutaway as ct


def load(folder, part: str):
    """(images (rows, 784) in 0..1, labels (rows,)) of "train" or "t10k"."""

    def read(kind):
        name = f"{part}-{kind}-ubyte"
        packed = Path(folder) / f"{name}.gz"
        return ct.data.read_idx(packed if packed.exists() else Path(folder) / name)

    images, labels = read("images-idx3"), read("labels-idx1")
    return images.reshape(len(images), -1).astype(np.float32) / 255, labels.astype(np.int32)


def main(folder, epochs: int = 20, rows: int | None = None, sizes=(784, 256, 128, 10)):
    """Train on the first `rows` training images (all by default); returns the test accuracy."""
    x, y = (a[:rows] for a in load(folder, "train"))
    ct.seed(0)
    net = ct.models.mlp(sizes, dropout=0.2)
    steps = -(-len(x) // 128) * epochs
    trainer = ct.Trainer(
        net,
        loss=ct.losses.sparse_categorical_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=2e-3, schedule=ct.optim.Cosine(steps)),
        metrics=[ct.metrics.accuracy],
    )
    trainer.fit(x, y, epochs=epochs, batch_size=128, seed=0)
    accuracy = trainer.evaluate(*load(folder, "t10k"))["accuracy"]
    seconds = sum(trainer.history["seconds"])
    print(f"test accuracy {accuracy:.2%} after {epochs} epochs, {seconds:.0f} s")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    main(options.folder, options.epochs)
