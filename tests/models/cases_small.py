"""Networks of free sizes for tables, small images, series and texts."""

import numpy as np

import cutaway as ct
from cutaway.models import (
    BagOfEmbeddings,
    Forecaster,
    LanguageModel,
    LSTMClassifier,
    TransformerClassifier,
    cnn,
    mlp,
    time_series_cnn,
)
from tests.models.case import Case

labels = ct.losses.sparse_categorical_cross_entropy_with_logits


def table(rng):
    return rng.normal(size=(8, 4)).astype(np.float32), rng.integers(0, 3, 8)


def images(rng):
    return rng.normal(size=(6, 12, 12, 1)).astype(np.float32), np.arange(6) % 3


def curves(rng):
    return rng.normal(size=(6, 20, 2)).astype(np.float32), np.arange(6) % 3


def texts(rng):
    x = rng.integers(1, 20, (6, 7))
    x[0, 4:] = 0
    return x, np.arange(6) % 3


def windows(rng):
    return rng.normal(size=(6, 10, 1)).astype(np.float32), rng.normal(size=(6, 2)).astype("f4")


def sequences(rng):
    x = rng.integers(0, 9, (4, 8))
    return x, np.roll(x, 3, axis=1)


CASES = [
    Case("mlp", lambda: mlp((4, 8, 8, 3)), table, labels, lr=0.03,
         full=lambda: mlp((4, 3, 2, 1)), parameters=26),
    Case("cnn", lambda: cnn(1, 3, widths=(8, 16), dropout=0.0), images, labels, lr=0.01,
         full=lambda: cnn(1, 10), parameters=288_170),
    Case("time_series_cnn", lambda: time_series_cnn(2, 3, widths=(8, 16, 8)), curves, labels,
         lr=0.01),
    Case("bag", lambda: BagOfEmbeddings(20, 3, features=16), texts, labels, lr=0.03),
    Case("lstm", lambda: LSTMClassifier(20, 3, features=16, hidden_features=16), texts, labels,
         lr=0.03),
    Case("transformer", lambda: TransformerClassifier(20, 3, features=16, num_heads=2,
         num_layers=1), texts, labels, lr=0.01),
    Case("forecaster", lambda: Forecaster(1, 2, hidden=32), windows,
         ct.losses.mean_squared_error, lr=0.03, steps=100),
    Case("language", lambda: LanguageModel(9, features=16, hidden_features=32), sequences, labels,
         lr=0.03),
]  # fmt: skip
