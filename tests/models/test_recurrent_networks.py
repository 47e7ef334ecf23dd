"""Recurrent classifiers against torch's layers with the same weights, and torch's counts."""

import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway.models import Forecaster, RecurrentClassifier, RecurrentTextClassifier
from cutaway.nn import GRU, LSTM, RNN
from tests.nn.test_recurrent import torchs

pytestmark = pytest.mark.slow  # one network of a kind is in every run: ResNet, BERT, WaveNet


RNG = np.random.default_rng(0)
KINDS = [RNN, GRU, LSTM]
# PyTorch has a second bias a gate; here only a GRU's candidate has one, where it does something
NEEDLESS_GATES = {RNN: 1, GRU: 2, LSTM: 4}
TORCH = {RNN: 230_400, GRU: 691_200, LSTM: 921_600}


@pytest.mark.parametrize("recurrent", KINDS)
def test_two_layers_have_torchs_parameters_but_for_its_second_biases(recurrent):
    net = RecurrentClassifier(128, 1, hidden_features=256, num_layers=2, recurrent=recurrent)
    count = sum(p.size for p in net.recurrent.parameters())
    assert count == TORCH[recurrent] - 2 * 256 * NEEDLESS_GATES[recurrent]


@pytest.mark.parametrize("recurrent", KINDS)
def test_logits_and_gradients_of_a_classifier_are_torchs(recurrent):
    net = RecurrentClassifier(
        3, 4, hidden_features=5, num_layers=2, bidirectional=True, recurrent=recurrent
    )
    theirs, pairs = torchs(net.recurrent)
    x = RNG.normal(size=(3, 6, 3)).astype(np.float32)
    lengths = np.array([6, 2, 4])
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    _, state = theirs(packed)
    last = state[0] if recurrent is LSTM else state
    weight, bias = (torch.tensor(p.numpy()) for p in (net.head.weight, net.head.bias))
    logits = torch.cat([last[-2], last[-1]], -1) @ weight + bias
    ours = net(x, lengths)
    np.testing.assert_allclose(ours.numpy(), logits.detach().numpy(), rtol=1e-4, atol=1e-5)
    (ours**2).sum().backward()
    (logits**2).sum().backward()
    for parameter, gradient in pairs:
        np.testing.assert_allclose(parameter.grad, gradient().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("recurrent", KINDS)
def test_forecasts_and_texts_take_every_kind(recurrent):
    x = np.cumsum(RNG.normal(size=(2, 8, 1)), axis=1).astype(np.float32)
    net = Forecaster(1, 3, hidden=4, recurrent=recurrent)
    # a series that is higher and wider is forecast higher and wider
    np.testing.assert_allclose(net(100 * x + 7).numpy(), 100 * net(x).numpy() + 7, rtol=1e-2)
    texts = RNG.integers(1, 20, (2, 6))
    net = RecurrentTextClassifier(20, 3, num_layers=2, recurrent=recurrent).eval()
    padded = np.pad(texts, ((0, 0), (0, 3)))
    np.testing.assert_allclose(net(padded).numpy(), net(texts).numpy(), rtol=1e-4, atol=1e-5)
    compiled = ct.jit(lambda x: net(x), net, donate=False)
    np.testing.assert_allclose(compiled(texts).numpy(), net(texts).numpy(), rtol=1e-4, atol=1e-5)
