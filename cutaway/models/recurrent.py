"""Recurrent networks for classification or regression of time series.

    recurrent layers     (batch, time, features) -> the state after the last step, both directions
    dropout, dense       -> (batch, outputs)

    parameters of two layers, 128 -> 256: RNN 230,400 - 512, GRU 691,200 - 1,024, LSTM
    921,600 - 2,048; PyTorch has a second bias per gate, redundant except in a GRU's candidate

Elman 1990, "Finding structure in time"; Hochreiter & Schmidhuber 1997, "Long short-term memory";
Cho et al. 2014, arXiv:1406.1078 (GRU).
"""

from cutaway.nn import LSTM, Dropout, LastStep, Linear, Module


def recurrent_layers(recurrent, in_features, hidden_features, num_layers=1, *, dropout=0.0,
                     bidirectional=False):  # fmt: skip
    """Layers of the class RNN, GRU or LSTM; an LSTM starts with open forget gates.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.models import recurrent_layers
        >>> recurrent_layers(ct.LSTM, 3, 4, 2)
        LSTM(3, 4, num_layers=2)
    """
    options = {"forget_bias": 1.0} if recurrent is LSTM else {}
    return recurrent(
        in_features,
        hidden_features,
        num_layers,
        dropout=dropout if num_layers > 1 else 0.0,
        bidirectional=bidirectional,
        **options,
    )


class RecurrentClassifier(Module):
    """Recurrent layers over a time series, and a dense layer on their final state.

    Args:
        channels: of the series.
        outputs: number of classes, or of values.
        hidden_features, num_layers, bidirectional: of the recurrent layers.
        dropout: fraction dropped in training between the layers, and before the last.
        recurrent: the class LSTM, GRU or RNN.

    Shapes:
        x: (batch, time, channels)
        lengths: (batch,), number of valid steps of each row; None: all
        y: (batch, outputs) logits or values

    Example:
        >>> import numpy as np
        >>> from cutaway.models import RecurrentClassifier
        >>> from cutaway.nn import GRU
        >>> RecurrentClassifier(2, 3, recurrent=GRU)(np.ones((4, 20, 2))).shape
        (4, 3)
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        hidden_features: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent=LSTM,
    ):
        self.recurrent = recurrent_layers(
            recurrent,
            channels,
            hidden_features,
            num_layers,
            dropout=dropout,
            bidirectional=bidirectional,
        )
        self.last = LastStep()
        self.dropout = Dropout(dropout)
        self.head = Linear(hidden_features * (2 if bidirectional else 1), outputs)

    def forward(self, x, lengths=None):
        return self.head(self.dropout(self.last(self.recurrent(x, None, lengths))))
