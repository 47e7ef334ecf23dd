"""Text and recurrent networks for the contract test: see case.py."""

import functools

import numpy as np

from cutaway import losses
from cutaway.models import (
    BERT_BASE,
    BERT_MINI,
    BERT_TINY,
    MINILM_L6,
    Bert,
    BertClassifier,
    BertMaskedLanguage,
    BertSize,
    BertTagger,
    RecurrentClassifier,
    Translator,
    masked_cross_entropy,
    translation_pairs,
)
from cutaway.nn import GRU, LSTM, RNN
from tests.models.case import Case

SMALL = BertSize(
    tokens=30, features=16, num_layers=2, num_heads=2, hidden_features=32, max_tokens=8, dropout=0
)
cross_entropy = losses.sparse_categorical_cross_entropy_with_logits


def _texts(rng, rows=4):
    x = rng.integers(1, 30, (rows, 8)).astype(np.int32)
    x[0, 5:] = 0  # padding
    return x


def _classes(rng):
    x = _texts(rng)
    return x, np.arange(len(x)) % 3


def _tags(rng):
    x = _texts(rng)
    return x, np.where(x == 0, -1, x % 3)


def _masked(rng):
    x = _texts(rng)
    y = np.full_like(x, -1)
    y[:, 1] = x[:, 1]
    x[:, 1] = 4
    return x, y


def _pooled(rng):
    return _texts(rng), rng.uniform(-0.5, 0.5, (4, 16)).astype(np.float32)


STAGES = {"embeddings": (1, 8, 16), "layer0": (1, 8, 16), "layer1": (1, 8, 16)}


def _bert(name, build, batch, loss, full=None, parameters=None):
    return Case(
        name,
        build,
        batch,
        loss,
        shapes=STAGES,
        full=full,
        parameters=parameters,
        lr=0.01,
        steps=150,
    )


CASES = [
    _bert(
        "BERT base",
        lambda: Bert(SMALL),
        _pooled,
        losses.mean_squared_error,
        functools.partial(Bert, BERT_BASE),
        109_482_240,
    ),
    _bert(
        "BERT mini, masked language",
        lambda: BertMaskedLanguage(SMALL),
        _masked,
        masked_cross_entropy,
        functools.partial(Bert, BERT_MINI),
        11_170_560,
    ),
    _bert(
        "BERT tiny, classifier",
        lambda: BertClassifier(3, SMALL),
        _classes,
        cross_entropy,
        functools.partial(Bert, BERT_TINY),
        4_385_920,
    ),
    _bert(
        "MiniLM-L6, tagger",
        lambda: BertTagger(3, SMALL),
        _tags,
        masked_cross_entropy,
        functools.partial(Bert, MINILM_L6),
        22_713_216,
    ),
]


def _curves(rng):
    return rng.normal(size=(6, 10, 2)).astype(np.float32), np.arange(6) % 3


def _reversed(rng):
    rows = [rng.integers(3, 8, length).tolist() for length in (4, 2, 3, 4)]
    return translation_pairs(rows, [row[::-1] for row in rows])


def _recurrent(recurrent):
    return Case(
        f"{recurrent.__name__} classifier",
        functools.partial(RecurrentClassifier, 2, 3, hidden_features=16, recurrent=recurrent),
        _curves,
        cross_entropy,
        lr=0.03,
    )


def _translator(recurrent):
    return Case(
        f"{recurrent.__name__} translator",
        lambda: Translator(8, 8, features=16, hidden_features=16, recurrent=recurrent),
        _reversed,
        masked_cross_entropy,
        lr=0.03,
        steps=80,
    )


CASES += [_recurrent(RNN), _recurrent(GRU), _recurrent(LSTM), _translator(GRU)]
