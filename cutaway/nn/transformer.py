"""The transformer encoder."""

from cutaway import ops
from cutaway.errors import expect_integer
from cutaway.nn.attention import MultiHeadAttention
from cutaway.nn.containers import Sequential
from cutaway.nn.layers import Dropout, Linear
from cutaway.nn.module import Module
from cutaway.nn.normalization import LayerNorm


class TransformerEncoderLayer(Module):
    """Self-attention, then a position-wise feed-forward network, each with a residual connection.

    norm_first: x ← x + attention(norm(x));  x ← x + feed_forward(norm(x))
    otherwise:  x ← norm(x + attention(x));  x ← norm(x + feed_forward(x))
    feed_forward(x) = activation(x W₁ + b₁) W₂ + b₂

    With the norm first (pre-norm), the residual path is unobstructed, and deep stacks train without
    learning rate warmup [2]; the other order (post-norm) is the original [1].

    Args:
        features: size of the last axis.
        num_heads: number of attention heads; divides features.
        hidden_features: size between W₁ and W₂; None: 4 · features.
        activation: a function of a Tensor, such as ops.gelu, or a Module.
        dropout: probability, in the attention weights, after the activation, and before each
            residual addition.
        norm_first: see above.
        causal, rotary: see MultiHeadAttention.

    Shapes:
        x and y: (batch, tokens, features)
        padding_mask, mask: see MultiHeadAttention

    References:
        [1] Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762.
        [2] Xiong et al. 2020, "On layer normalization in the transformer architecture",
        arXiv:2002.04745.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> ct.TransformerEncoderLayer(8, 2)(np.ones((3, 5, 8), np.float32)).shape
        (3, 5, 8)
    """

    keeps_features = True

    def __init__(
        self,
        features: int,
        num_heads: int,
        hidden_features: int | None = None,
        *,
        activation=ops.gelu,
        dropout: float = 0.0,
        norm_first: bool = True,
        causal: bool = False,
        rotary: bool = False,
    ):
        self.attention = MultiHeadAttention(
            features, num_heads, causal=causal, rotary=rotary, dropout=dropout
        )
        hidden_features = 4 * features if hidden_features is None else hidden_features
        self.attention_norm = LayerNorm(features)
        self.hidden = Linear(features, hidden_features)
        self.activation = activation
        self.out = Linear(hidden_features, features)
        self.norm = LayerNorm(features)
        self.dropout = Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, x, padding_mask=None, mask=None):
        if self.norm_first:
            x = x + self._attend(self.attention_norm(x), padding_mask, mask)
            return x + self._feed_forward(self.norm(x))
        x = self.attention_norm(x + self._attend(x, padding_mask, mask))
        return self.norm(x + self._feed_forward(x))

    def _attend(self, x, padding_mask, mask):
        return self.dropout(self.attention(x, padding_mask=padding_mask, mask=mask))

    def _feed_forward(self, x):
        hidden = self.dropout(self.activation(self.hidden(x)))
        return self.dropout(self.out(hidden))


class TransformerEncoder(Module):
    """A stack of encoder layers, followed by a final norm if the layers are pre-norm.

    Args:
        features, num_heads, hidden_features, activation, dropout, norm_first, causal, rotary: of
            every layer, see TransformerEncoderLayer.
        num_layers: number of layers.

    Shapes:
        x and y: (batch, tokens, features)
        padding_mask, mask: see MultiHeadAttention

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> encoder = ct.TransformerEncoder(8, 2, num_layers=3)
        >>> encoder(np.ones((1, 5, 8), np.float32), np.array([[True] * 4 + [False]])).shape
        (1, 5, 8)
    """

    keeps_features = True

    def __init__(
        self,
        features: int,
        num_heads: int,
        hidden_features: int | None = None,
        *,
        num_layers: int,
        activation=ops.gelu,
        dropout: float = 0.0,
        norm_first: bool = True,
        causal: bool = False,
        rotary: bool = False,
    ):
        expect_integer(num_layers, what="TransformerEncoder: num_layers", least=1)
        layers = [
            TransformerEncoderLayer(
                features,
                num_heads,
                hidden_features,
                activation=activation,
                dropout=dropout,
                norm_first=norm_first,
                causal=causal,
                rotary=rotary,
            )
            for _ in range(num_layers)
        ]
        self.layers = Sequential(*layers)
        self.norm = LayerNorm(features) if norm_first else None

    def forward(self, x, padding_mask=None, mask=None):
        for layer in self.layers:
            x = layer(x, padding_mask, mask)
        return x if self.norm is None else self.norm(x)
