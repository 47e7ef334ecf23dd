"""A recurrent language model: predicts the next token from all previous ones.

Graves 2013, "Generating sequences with recurrent neural networks", arXiv:1308.0850, sec. 3: the
loss is -ln p of each next token, its exponential the perplexity. Dropout is applied to the
non-recurrent connections: Zaremba et al. 2014, "Recurrent neural network regularization",
arXiv:1409.2329.
"""

from cutaway.errors import expect_range
from cutaway.nn import LSTM, Dropout, Embedding, Linear, Module


class LanguageModel(Module):
    """Embedding, recurrent layers, and the logits of the next token at every position.

    Args:
        tokens: size of the vocabulary.
        features: size of a token's vector.
        hidden_features, num_layers: of the recurrent layers.
        dropout: fraction of units dropped in training before each recurrent layer but the first,
            and before the output layer.
        recurrent: the class LSTM or GRU.

    Shapes:
        x: (batch, time), token ids
        y: (batch, time, tokens) logits; y[:, t] predicts x[:, t + 1]

    Example:
        >>> import numpy as np
        >>> from cutaway.models import LanguageModel
        >>> net = LanguageModel(65, hidden_features=32)
        >>> net(np.zeros((2, 10), np.int32)).shape
        (2, 10, 65)
    """

    def __init__(
        self,
        tokens: int,
        *,
        features: int = 64,
        hidden_features: int = 512,
        num_layers: int = 1,
        dropout: float = 0.2,
        recurrent=LSTM,
    ):
        expect_range(tokens, what="LanguageModel: tokens", least=2)
        self.embedding = Embedding(tokens, features)
        self.recurrent = recurrent(
            features, hidden_features, num_layers, dropout=dropout if num_layers > 1 else 0.0
        )
        self.dropout = Dropout(dropout)
        self.head = Linear(hidden_features, tokens)

    def forward(self, x):
        return self.go_on(x)[0]

    def go_on(self, x, state=None):
        """(logits, final state); state: after the previous tokens, None at the start."""
        outputs, state = self.recurrent(self.embedding(x), state)
        return self.head(self.dropout(outputs)), state
