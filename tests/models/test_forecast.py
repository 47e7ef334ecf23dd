import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.models import Forecaster
from cutaway.models.forecast import SMALLEST_VARIANCE

RNG = np.random.default_rng(0)


def test_the_forecast_is_that_of_a_torch_lstm_on_the_standardized_window():
    net = Forecaster(2, 3, hidden=5, target=1)
    x = RNG.normal(size=(4, 7, 2)).astype(np.float32)
    lstm, head = torch.nn.LSTM(2, 5, batch_first=True), torch.nn.Linear(5, 3)
    state = {k: torch.tensor(np.array(v)) for k, v in net.state_dict().items()}
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(state["recurrent.layers.0.weight"].T)
        lstm.weight_hh_l0.copy_(state["recurrent.layers.0.hidden_weight"].T)
        lstm.bias_ih_l0.copy_(state["recurrent.layers.0.bias"])
        lstm.bias_hh_l0.zero_()
        head.weight.copy_(state["head.weight"].T)
        head.bias.copy_(state["head.bias"])
        seen = torch.tensor(x)
        mean = seen.mean(dim=1, keepdim=True)
        spread = (seen.var(dim=1, keepdim=True, correction=0) + SMALLEST_VARIANCE).sqrt()
        last = lstm((seen - mean) / spread)[0][:, -1]
        expected = mean[:, :, 1] + spread[:, :, 1] * head(last)
    np.testing.assert_allclose(net(x).numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_window_that_is_moved_and_stretched_is_forecast_moved_and_stretched():
    net = Forecaster(1, 4, hidden=6)
    x = RNG.normal(size=(3, 10, 1)).astype(np.float32)
    plain, moved = net(x).numpy(), net(50 * x + 200).numpy()
    np.testing.assert_allclose(moved, 50 * plain + 200, rtol=1e-3)


def test_a_flat_window_gives_a_finite_forecast_near_it():
    forecast = Forecaster(1, 4)(np.full((1, 12, 1), 3.0, np.float32)).numpy()
    np.testing.assert_allclose(forecast, 3, atol=0.05)


def test_every_parameter_receives_a_finite_gradient():
    net = Forecaster(2, 3, hidden=4, num_layers=2)
    x, y = RNG.normal(size=(5, 6, 2)), RNG.normal(size=(5, 3))
    ct.losses.mean_squared_error(net(x), y).backward()
    for path, parameter in net.named_parameters().items():
        assert np.isfinite(parameter.grad).all() and np.any(parameter.grad), path


def test_sizes_that_make_no_sense_are_named():
    with pytest.raises(OptionError, match="horizon is 0"):
        Forecaster(1, 0)
    with pytest.raises(OptionError, match="target is 2"):
        Forecaster(2, 1, target=2)
