"""Autoencoders of digits: PCA, a dense autoencoder, and a variational autoencoder.

    python examples/autoencoder.py ../shared/data/mnist [--epochs 20] [--out digits.png]

PCA and the dense autoencoder encode an image of 784 pixels in the same number of components. Errors
are mean squared errors of the pixels (0 to 1) of the test images. The rows of the output image:
test digits; their reconstructions by PCA, by the autoencoder, and by the variational autoencoder;
and samples of the latter.
"""

import argparse

import numpy as np
from PIL import Image

import cutaway as ct
from cutaway.data import read_idx
from cutaway.models import convolutional_vae, dense_autoencoder


def load(folder, part: str):
    """(rows, 784) of "train" or "t10k", from 0 to 1."""
    images = read_idx(f"{folder}/{part}-images-idx3-ubyte.gz")
    return images.reshape(len(images), -1).astype(np.float32) / 255


def by_components(x, test, count: int):
    """The test images projected onto the first `count` principal components of x."""
    mean = x.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(x - mean, rowvar=False))
    first = vectors[:, -count:]  # eigenvalues ascend
    return ((test - mean) @ first @ first.T + mean).astype(np.float32)


def train(net, loss, x, epochs: int):
    steps = -(-len(x) // 128) * epochs
    schedule = ct.optim.Cosine(steps)
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=2e-3, schedule=schedule))
    trainer.fit(x, x, epochs=epochs, batch_size=128, seed=0)
    return trainer


def main(
    folder,
    epochs: int = 20,
    *,
    components: int = 32,
    latent: int = 16,
    rows: int | None = None,
    out=None,
):
    """Train both; returns {"pca": error, "autoencoder": error, "bound": nats per test image}."""
    x, test = load(folder, "train")[:rows], load(folder, "t10k")[:rows]
    projected = by_components(x, test, components)

    ct.seed(0)
    plain = dense_autoencoder((784, 512, 256, components))
    trainer = train(plain, ct.losses.mean_squared_error, x, epochs)
    rebuilt = trainer.predict(test)
    errors = {
        "pca": float(np.mean((projected - test) ** 2)),
        "autoencoder": float(np.mean((rebuilt - test) ** 2)),
    }
    print(
        f"mean squared error on {len(test):,} test images, {components} components: "
        f"autoencoder {errors['autoencoder']:.5f}, PCA {errors['pca']:.5f}; "
        f"{sum(trainer.history['seconds']):.0f} s"
    )

    variational = convolutional_vae((28, 28, 1), code=latent)
    pictures = x.reshape(-1, 28, 28, 1)
    trainer = train(variational, variational.loss, pictures, epochs)
    seen = test.reshape(-1, 28, 28, 1)
    scores = trainer.evaluate(seen, seen)
    errors["bound"] = scores["loss"]
    print(
        f"variational autoencoder ({latent} latents): {scores['loss']:.1f} nats per test image, "
        f"{scores['loss_reconstruction']:.1f} of them reconstruction; "
        f"{sum(trainer.history['seconds']):.0f} s"
    )
    if out is not None:
        lines = [test[:16], projected[:16], rebuilt[:16]]
        lines += [variational.reconstruct(seen[:16]), variational.sample(32)]
        save_sheet(np.concatenate([line.reshape(-1, 28, 28) for line in lines]), out)
        print(f"reconstructions: {out}")
    return errors


def save_sheet(pictures, path, columns: int = 16):
    """(count, height, width) from 0 to 1, line by line in one PNG."""
    count, height, width = pictures.shape
    lines = pictures.reshape(count // columns, columns, height, width).swapaxes(1, 2)
    sheet = lines.reshape(count // columns * height, columns * width)
    Image.fromarray((255 * np.clip(sheet, 0, 1)).round().astype(np.uint8)).save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", default="digits.png")
    options = parser.parse_args()
    main(options.folder, options.epochs, out=options.out)
