"""Small networks for text classification or regression.

All take rows of token ids, padded with 0: the amount of padding does not change the result, and a
row of padding only is an empty text.
"""

import math

import jax.numpy as jnp

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import expect_choice, expect_range
from cutaway.models.recurrent import recurrent_layers
from cutaway.nn import (
    LSTM,
    Dropout,
    Embedding,
    Linear,
    Module,
    SinusoidalPositions,
    TransformerEncoder,
)

PADDING = 0


class BagOfEmbeddings(Module):
    """Bag of words: y = W [mean of their vectors, maximum of each feature] + b.

    The mean is the paper's. With the maximum of each feature, one telling word counts as much in a
    long text as in a short one.

    Args:
        tokens: size of the vocabulary, including padding.
        outputs: of the last layer.
        features: size of a word's vector.
        dropout: fraction of the pooled features dropped in training.

    Shapes:
        x: (batch, tokens), token ids
        y: (batch, outputs) logits or values

    References:
        Joulin et al. 2016, "Bag of tricks for efficient text classification", arXiv:1607.01759.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import BagOfEmbeddings
        >>> net = BagOfEmbeddings(100, 1)
        >>> net(np.array([[5, 7, 0, 0], [9, 3, 2, 8]])).shape
        (2, 1)
    """

    def __init__(self, tokens: int, outputs: int, *, features: int = 64, dropout: float = 0.2):
        self.embedding = Embedding(tokens, features, padding_index=PADDING)
        self.dropout = Dropout(dropout)
        self.head = Linear(2 * features, outputs)

    def forward(self, x):
        return self.head(self.dropout(pooled(self.embedding(x), token_mask(x))))


class RecurrentTextClassifier(Module):
    """A bidirectional recurrent network over the words; its outputs are pooled.

    Args:
        tokens, outputs: see BagOfEmbeddings.
        features: size of a word's vector.
        hidden_features, num_layers: of the recurrent network, in each direction.
        dropout: fraction of the embeddings, and of the pooled features, dropped in training.
        recurrent: the class LSTM, GRU or RNN.

    Shapes:
        x: (batch, tokens), token ids
        y: (batch, outputs) logits or values

    References:
        Graves & Schmidhuber 2005, "Framewise phoneme classification with bidirectional LSTM and
        other neural network architectures", Neural Networks 18; pooling over time as in
        Conneau et al. 2017, "Supervised learning of universal sentence representations",
        arXiv:1705.02364, sec. 3.2.2.
    """

    def __init__(
        self,
        tokens: int,
        outputs: int,
        *,
        features: int = 64,
        hidden_features: int = 64,
        num_layers: int = 1,
        dropout: float = 0.2,
        recurrent=LSTM,
    ):
        self.embedding = Embedding(tokens, features, padding_index=PADDING)
        self.dropout = Dropout(dropout)
        self.recurrent = recurrent_layers(
            recurrent, features, hidden_features, num_layers, bidirectional=True
        )
        self.head = Linear(4 * hidden_features, outputs)

    def forward(self, x):
        mask = token_mask(x)
        lengths = jnp.maximum(mask.sum(axis=1), 1)  # an empty text has one step of padding
        outputs, _ = self.recurrent(self.dropout(self.embedding(x)), lengths=lengths)
        return self.head(self.dropout(pooled(outputs, mask)))


class LSTMClassifier(RecurrentTextClassifier):
    """RecurrentTextClassifier with one LSTM layer."""

    def __init__(
        self,
        tokens: int,
        outputs: int,
        *,
        features: int = 64,
        hidden_features: int = 64,
        dropout: float = 0.2,
    ):
        super().__init__(
            tokens, outputs, features=features, hidden_features=hidden_features, dropout=dropout
        )


class TransformerClassifier(Module):
    """A small transformer encoder; its outputs are averaged.

    Args:
        tokens, outputs: see BagOfEmbeddings.
        features: size of a word's vector.
        num_heads, num_layers: of the encoder.
        dropout: fraction of units dropped in training, in the encoder and around it.

    Shapes:
        x: (batch, tokens), token ids
        y: (batch, outputs) logits or values

    References:
        Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762: the encoder, with
        sinusoidal positions; norm first, as in Xiong et al. 2020, arXiv:2002.04745.
    """

    def __init__(
        self,
        tokens: int,
        outputs: int,
        *,
        features: int = 64,
        num_heads: int = 4,
        num_layers: int = 2,
        dropout: float = 0.2,
    ):
        self.scale = math.sqrt(features)  # as in the paper: same scale as the positions
        self.embedding = Embedding(tokens, features, padding_index=PADDING)
        self.positions = SinusoidalPositions(features)
        self.dropout = Dropout(dropout)
        self.encoder = TransformerEncoder(
            features, num_heads, 2 * features, num_layers=num_layers, dropout=dropout
        )
        self.head = Linear(features, outputs)

    def forward(self, x):
        mask = token_mask(x)
        vectors = self.dropout(self.positions(self.embedding(x) * self.scale))
        # an empty text attends to its padding: softmax needs at least one key
        keys = mask | ~mask.any(axis=1, keepdims=True)
        outputs = self.encoder(vectors, padding_mask=Tensor(keys))
        return self.head(self.dropout(_mean(outputs, mask)))


TEXT_MODELS = {
    "bag": BagOfEmbeddings,
    "lstm": LSTMClassifier,
    "transformer": TransformerClassifier,
}


def text_network(tokens: int, outputs: int, *, model: str = "bag", dropout: float = 0.2) -> Module:
    """The network of that name in TEXT_MODELS, with its default sizes."""
    expect_choice(model, TEXT_MODELS, what="text model")
    expect_range(tokens, what="tokens (size of the vocabulary, with padding)", least=2)
    return TEXT_MODELS[model](tokens, outputs, dropout=dropout)


def token_mask(x):
    """(batch, tokens) booleans: False for padding."""
    return x.data != PADDING


def _mean(vectors, mask):
    """Mean over the unmasked tokens: (batch, tokens, features) -> (batch, features)."""
    counts = jnp.maximum(mask.sum(axis=1, keepdims=True), 1)
    weights = mask / counts
    return (vectors * Tensor(weights[..., None].astype(vectors.dtype))).sum(axis=1)


def _maximum(vectors, mask):
    """Maximum of each feature over the unmasked tokens, 0 without any: (batch, features)."""
    maximum = ops.where(Tensor(mask[..., None]), vectors, -jnp.inf).max(axis=1)
    return ops.where(Tensor(mask.any(axis=1, keepdims=True)), maximum, 0.0)


def pooled(vectors, mask):
    """Mean and maximum of each feature over the unmasked tokens: (batch, 2 * features)."""
    return ops.concatenate([_mean(vectors, mask), _maximum(vectors, mask)], axis=-1)
