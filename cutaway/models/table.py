"""A network for tables: embeddings of numbers, categories and words, then an MLP."""

from typing import Any

import numpy as np

from cutaway import ops
from cutaway.errors import expect_range
from cutaway.models.perceptron import mlp
from cutaway.models.text import PADDING, pooled, token_mask
from cutaway.nn import Embedding, LearnedScale, Module, PeriodicEmbedding, ReLU, SmoothClip


class TableNetwork(Module):
    """Numbers as they are or as waves, categories and texts as vectors of their own; then an MLP.

    Args:
        num_features: number of numerical columns of x; they come first.
        embeddings: (levels, width) for each categorical column of x, encoded as integers; they
            come next. Code 0 is a level not seen in training.
        hidden, outputs: sizes of the MLP.
        texts: (tokens, length, width) for each text, whose token ids are the last columns of x,
            padded with 0; of the vectors of its words the mean and the maximum of each feature are
            inputs of the MLP, see BagOfEmbeddings.
        activation, output, dropout, weights: see `mlp`.
        embedding_scale: factor on the initial vectors of the categories, > 0. Small ones overfit
            less where a column has many levels of a few rows each.
        periodic: indices of the numerical columns that go through a PeriodicEmbedding, in
            ascending order; the others stay as they are.
        clip: limit of a SmoothClip in front of the PeriodicEmbedding, > 0; None: no clip.
        learned_scale: whether each input of the MLP has a factor of its own, see LearnedScale.

    Shapes:
        x: (batch, num_features + len(embeddings) + Σ lengths of the texts)
        y: (batch, outputs)

    References:
        Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv:1604.06737.
        Holzmüller, Grinsztajn & Steinwart 2024, "Better by default: strong pre-tuned MLPs and
        boosted trees on tabular data", arXiv:2407.04491, for `periodic`, `clip`, `learned_scale`.
    """

    def __init__(
        self,
        num_features: int,
        embeddings,
        hidden,
        outputs: int,
        *,
        texts=(),
        activation: Any = ReLU,
        output=None,
        dropout: float = 0.0,
        weights=None,
        embedding_scale: float = 1.0,
        periodic=(),
        clip: float | None = None,
        learned_scale: bool = False,
    ):
        expect_range(embedding_scale, what="TableNetwork: embedding_scale", above=0)
        self.num_features = num_features
        self.embeddings = tuple(Embedding(levels, width) for levels, width in embeddings)
        for table in self.embeddings:
            table.weight.data = table.weight.data * embedding_scale
        self.lengths = tuple(length for _, length, _ in texts)
        self.words = tuple(
            Embedding(tokens, width, padding_index=PADDING) for tokens, _, width in texts
        )
        self.periodic = tuple(periodic)
        self.plain = tuple(k for k in range(num_features) if k not in set(self.periodic))
        self.clip = SmoothClip(clip) if self.periodic and clip is not None else None
        self.waves = PeriodicEmbedding(len(self.periodic)) if self.periodic else None
        width = len(self.plain) + sum(width for _, width in embeddings)
        width += sum(2 * width for _, _, width in texts)
        width += self.waves.out_features if self.waves is not None else 0
        self.scale = LearnedScale(width) if learned_scale else None
        self.mlp = mlp(
            (width, *hidden, outputs),
            activation=activation,
            output=output,
            dropout=dropout,
            weights=weights,
        )

    def forward(self, x):
        parts = []
        if self.waves is not None:
            waved = ops.take(x, np.array(self.periodic), axis=1)
            parts.append(self.waves(waved if self.clip is None else self.clip(waved)))
        if self.plain:
            plain = np.array(self.plain)
            parts.append(ops.take(x, plain, axis=1) if self.periodic else x[:, : self.num_features])
        for i, table in enumerate(self.embeddings):
            parts.append(table(x[:, self.num_features + i]))  # (batch, width)
        begin = self.num_features + len(self.embeddings)
        for table, length in zip(self.words, self.lengths, strict=True):
            ids = x[:, begin : begin + length]  # (batch, length)
            parts.append(pooled(table(ids), token_mask(ids)))  # (batch, 2 * width)
            begin += length
        h = ops.concatenate(parts, axis=1)
        return self.mlp(h if self.scale is None else self.scale(h))
