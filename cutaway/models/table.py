"""A network for tables: embeddings of categories and of words, then a multilayer perceptron."""

from cutaway import ops
from cutaway.errors import expect_range
from cutaway.models.perceptron import mlp
from cutaway.models.text import PADDING, pooled, token_mask
from cutaway.nn import Embedding, Module, ReLU


class TableNetwork(Module):
    """Numbers unchanged, categories and texts through embeddings of their own; then an MLP.

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

    Shapes:
        x: (batch, num_features + len(embeddings) + Σ lengths of the texts)
        y: (batch, outputs)

    References:
        Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv:1604.06737.
    """

    def __init__(
        self,
        num_features: int,
        embeddings,
        hidden,
        outputs: int,
        *,
        texts=(),
        activation=ReLU,
        output=None,
        dropout: float = 0.0,
        weights=None,
        embedding_scale: float = 1.0,
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
        width = num_features + sum(width for _, width in embeddings)
        width += sum(2 * width for _, _, width in texts)
        self.mlp = mlp(
            (width, *hidden, outputs),
            activation=activation,
            output=output,
            dropout=dropout,
            weights=weights,
        )

    def forward(self, x):
        parts = [x[:, : self.num_features]]
        for i, table in enumerate(self.embeddings):
            parts.append(table(x[:, self.num_features + i]))  # (batch, width)
        begin = self.num_features + len(self.embeddings)
        for table, length in zip(self.words, self.lengths, strict=True):
            ids = x[:, begin : begin + length]  # (batch, length)
            parts.append(pooled(table(ids), token_mask(ids)))  # (batch, 2 * width)
            begin += length
        return self.mlp(ops.concatenate(parts, axis=1))
