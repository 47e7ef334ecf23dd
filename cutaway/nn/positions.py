"""Positional encodings, which give attention the positions of tokens in a sequence.

A third kind, rotary, is part of attention: MultiHeadAttention(..., rotary=True).
"""

import functools

import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import ShapeError, expect_axis, expect_integer
from cutaway.nn import init
from cutaway.nn.module import Module
from cutaway.nn.state import Parameter


class SinusoidalPositions(Module):
    """Adds a sinusoidal encoding of the position, of many wavelengths: y = x + P.

    P[t, 2i] = sin(t / 10000^(2i/features)), P[t, 2i + 1] = cos(same).

    Args:
        features: size of the last axis.

    Shapes:
        x and y: (..., tokens, features)

    References:
        Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762, sec. 3.5.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> ct.SinusoidalPositions(2)(np.zeros((1, 1, 2))).tolist()
        [[[0.0, 1.0]]]
    """

    layer_kind = "embedding"

    keeps_features = True

    def __init__(self, features: int):
        expect_integer(features, what="SinusoidalPositions: features", least=1)
        self.features = features

    def forward(self, x):
        expect_axis(x, -1, self.features, where=self.label(), name="features")
        _expect_tokens(x, self.label())
        return x + Tensor(_waves(x.shape[-2], self.features).astype(x.dtype))

    def describe(self):
        return f"{self.features}"


class LearnedPositions(Module):
    """Adds a learned vector per position: y[t] = x[t] + weight[t].

    Args:
        max_tokens: maximum length of a sequence.
        features: size of the last axis.

    Shapes:
        x and y: (..., tokens, features), tokens <= max_tokens

    Parameters:
        weight: (max_tokens, features), normal with standard deviation 0.02.

    References:
        Devlin et al. 2019, "BERT", arXiv:1810.04805.
    """

    layer_kind = "embedding"

    keeps_features = True

    def __init__(self, max_tokens: int, features: int):
        expect_integer(max_tokens, what="LearnedPositions: max_tokens", least=1)
        expect_integer(features, what="LearnedPositions: features", least=1)
        self.weight = Parameter(init.normal((max_tokens, features), 0.02))

    def forward(self, x):
        most, features = self.weight.shape
        expect_axis(x, -1, features, where=self.label(), name="features")
        _expect_tokens(x, self.label())
        tokens = x.shape[-2]
        if tokens > most:
            raise ShapeError(
                f"{self.label()}: the input has shape {x.shape}, so {tokens} tokens",
                expected=f"at most {most} tokens (set by max_tokens={most})",
                fix=f"build the layer with max_tokens={tokens}, or truncate the sequences",
            )
        return x + (self.weight if tokens == most else self.weight[:tokens])

    def describe(self):
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"


@functools.lru_cache(maxsize=16)
def _waves(tokens: int, features: int) -> np.ndarray:
    lengths = 10000.0 ** (np.arange(0, features, 2) / features)
    angles = np.arange(tokens)[:, None] / lengths
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1)  # (tokens, ⌈features/2⌉, 2)
    return waves.reshape(tokens, -1)[:, :features]


def _expect_tokens(x, where):
    if x.ndim < 2:
        raise ShapeError(
            f"{where}: the input has shape {x.shape}",
            expected="(..., tokens, features)",
            fix="add the missing axis; for a single token: x[None]",
        )
