"""Autoencoders for the contract test, dense and convolutional, plain and variational."""

from cutaway.losses import mean_squared_error
from cutaway.models import (
    convolutional_autoencoder,
    convolutional_vae,
    dense_autoencoder,
    dense_vae,
)
from tests.models.case import Case


def rows(rng):
    x = rng.integers(0, 2, (4, 12)).astype("float32")
    return x, x


def pictures(rng):
    x = rng.integers(0, 2, (4, 8, 8, 1)).astype("float32")
    return x, x


CASES = [
    Case(
        "dense autoencoder",
        lambda: dense_autoencoder((12, 32, 6)),
        rows,
        mean_squared_error,
        full=lambda: dense_autoencoder((784, 128, 32)),
        parameters=209_968,
        lr=1e-2,
    ),
    Case(
        "convolutional autoencoder",
        lambda: convolutional_autoencoder((8, 8, 1), channels=(16, 32), code=8),
        pictures,
        mean_squared_error,
        lr=1e-2,
    ),
    # beta is small: what a code costs would otherwise be most of the loss. The losses below look at
    # beta alone, so those of other networks will do
    Case(
        "dense variational autoencoder",
        lambda: dense_vae((12, 32, 4), beta=0.01),
        rows,
        dense_vae((12, 4), beta=0.01).loss,
        lr=1e-2,
    ),
    Case(
        "convolutional variational autoencoder",
        lambda: convolutional_vae((8, 8, 1), channels=(16, 32), code=4, beta=0.01),
        pictures,
        convolutional_vae((8, 8, 1), channels=(2,), code=4, beta=0.01).loss,
        lr=1e-2,
    ),
]
