"""A network for tables: entity embeddings of categorical columns, then a multilayer perceptron.

Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv:1604.06737.
"""

from cutaway import ops
from cutaway.models.perceptron import mlp
from cutaway.nn import Embedding, Module, ReLU


class TableNetwork(Module):
    """Numerical columns unchanged, each categorical column through its own embedding; then an MLP.

    Args:
        num_features: number of numerical columns of x; they come first.
        embeddings: (levels, width) for each categorical column of x, encoded as integers; they
            come last. Code 0 is a level not seen in training.
        hidden, outputs: sizes of the MLP.
        activation, output, dropout, weights: see `mlp`.

    Shapes:
        x: (batch, num_features + len(embeddings))
        y: (batch, outputs)
    """

    def __init__(
        self,
        num_features: int,
        embeddings,
        hidden,
        outputs: int,
        *,
        activation=ReLU,
        output=None,
        dropout: float = 0.0,
        weights=None,
    ):
        self.num_features = num_features
        self.embeddings = tuple(Embedding(levels, width) for levels, width in embeddings)
        width = num_features + sum(width for _, width in embeddings)
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
        return self.mlp(ops.concatenate(parts, axis=1))
