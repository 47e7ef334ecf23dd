"""Small networks for texts that have a class or a value.

All take rows of token numbers, filled up with 0 (padding): how much padding a row has does not
change its result, and a row of padding alone gets the result of an empty text.
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
    """Words without their order: y = W [mean of their vectors, largest of each feature] + b.

    The mean is the paper's. The largest value of each feature beside it lets one telling word
    count as much in a long text as in a short one.

    Args:
        tokens: how many different tokens there are, padding among them.
        outputs: of the last layer.
        features: size of a word's vector.
        dropout: share of the pooled features dropped in training.

    Shapes:
        x: (batch, tokens of a row), whole numbers
        y: (batch, outputs) logits or values

    References:
        Joulin et al. 2016, "Bag of tricks for efficient text classification", arXiv:1607.01759.

    Example:
        >>> net = BagOfEmbeddings(100, 1)
        >>> net(np.array([[5, 7, 0, 0], [9, 3, 2, 8]])).shape
        (2, 1)
    """

    def __init__(self, tokens: int, outputs: int, *, features: int = 64, dropout: float = 0.2):
        self.embedding = Embedding(tokens, features, padding_index=PADDING)
        self.dropout = Dropout(dropout)
        self.head = Linear(2 * features, outputs)

    def forward(self, x):
        return self.head(self.dropout(_pooled(self.embedding(x), _there(x))))


class RecurrentTextClassifier(Module):
    """Words in their order, read from both ends by a recurrent network; its outputs are pooled.

    Args:
        tokens, outputs: see BagOfEmbeddings.
        features: size of a word's vector.
        hidden_features, num_layers: of the recurrent network, in each direction.
        dropout: share of the vectors' features, and of the pooled ones, dropped in training.
        recurrent: LSTM, GRU or RNN, the class.

    Shapes:
        x: (batch, tokens of a row), whole numbers
        y: (batch, outputs) logits or values

    References:
        Graves & Schmidhuber 2005, "Framewise phoneme classification with bidirectional LSTM and
        other neural network architectures", Neural Networks 18; the pooling over time as in
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
        there = _there(x)
        # it reads at least one step, of a text without words that of padding
        lengths = jnp.maximum(there.sum(axis=1), 1)
        read, _ = self.recurrent(self.dropout(self.embedding(x)), lengths=lengths)
        return self.head(self.dropout(_pooled(read, there)))


class LSTMClassifier(RecurrentTextClassifier):
    """RecurrentTextClassifier of one layer of LSTM."""

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
    """Words that look at each other: a small transformer encoder, whose outputs are averaged.

    Args:
        tokens, outputs: see BagOfEmbeddings.
        features: size of a word's vector.
        num_heads, num_layers: of the encoder.
        dropout: share of units dropped in training, in the encoder and around it.

    Shapes:
        x: (batch, tokens of a row), whole numbers
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
        self.scale = math.sqrt(features)  # the paper's: vectors as large as the waves added to them
        self.embedding = Embedding(tokens, features, padding_index=PADDING)
        self.positions = SinusoidalPositions(features)
        self.dropout = Dropout(dropout)
        self.encoder = TransformerEncoder(
            features, num_heads, 2 * features, num_layers=num_layers, dropout=dropout
        )
        self.head = Linear(features, outputs)

    def forward(self, x):
        there = _there(x)
        vectors = self.dropout(self.positions(self.embedding(x) * self.scale))
        # a text without words looks at its padding, so that there is something to look at
        seen = there | ~there.any(axis=1, keepdims=True)
        read = self.encoder(vectors, padding_mask=Tensor(seen))
        return self.head(self.dropout(_mean(read, there)))


TEXT_MODELS = {
    "bag": BagOfEmbeddings,
    "lstm": LSTMClassifier,
    "transformer": TransformerClassifier,
}


def text_network(tokens: int, outputs: int, *, model: str = "bag", dropout: float = 0.2) -> Module:
    """The network of that name in TEXT_MODELS, in its usual sizes."""
    expect_choice(model, TEXT_MODELS, what="model for texts")
    expect_range(tokens, what="different tokens, padding among them", least=2)
    return TEXT_MODELS[model](tokens, outputs, dropout=dropout)


def _there(x):
    """(batch, tokens) booleans: which tokens are no padding."""
    return x.data != PADDING


def _mean(vectors, there):
    """Mean over the tokens that are there: (batch, tokens, features) -> (batch, features)."""
    counts = jnp.maximum(there.sum(axis=1, keepdims=True), 1)
    shares = there / counts
    return (vectors * Tensor(shares[..., None].astype(vectors.dtype))).sum(axis=1)


def _largest(vectors, there):
    """Largest of each feature over the tokens that are there, 0 if none are: (batch, features)."""
    largest = ops.where(Tensor(there[..., None]), vectors, -jnp.inf).max(axis=1)
    return ops.where(Tensor(there.any(axis=1, keepdims=True)), largest, 0.0)


def _pooled(vectors, there):
    return ops.concatenate([_mean(vectors, there), _largest(vectors, there)], axis=-1)
