import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.models import TEXT_MODELS, LanguageModel, text_network
from cutaway.nn import GRU

RNG = np.random.default_rng(0)
X = RNG.integers(1, 50, (3, 6)).astype(np.int32)
X[1, 4:] = 0
X[2] = 0  # a text without words
MODELS = list(TEXT_MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_padding_does_not_change_the_result(model):
    net = text_network(50, 2, model=model).eval()
    alone = net(X).numpy()
    padded = net(np.pad(X, ((0, 0), (0, 5)))).numpy()
    np.testing.assert_allclose(padded, alone, rtol=1e-5, atol=1e-6)
    without = net(X[1:2, :4]).numpy()
    np.testing.assert_allclose(without[0], alone[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_gradients_are_finite_also_for_a_text_without_words_and_padding_is_not_trained(model):
    net = text_network(50, 2, model=model)
    (net(X) ** 2).sum().backward()
    assert all(np.isfinite(np.asarray(p.grad)).all() for p in net.parameters())
    weight = net.embedding.weight
    assert not np.asarray(weight.grad[0]).any()
    used = np.unique(X[X > 0])
    assert (np.abs(np.asarray(weight.grad))[used].sum(axis=1) > 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_eager_is_compiled(model):
    net = text_network(50, 2, model=model).eval()
    compiled = ct.jit(lambda x: net(x), net, donate=False)
    np.testing.assert_allclose(compiled(X).numpy(), net(X).numpy(), rtol=1e-5, atol=1e-6)


def test_the_order_of_words_is_seen_by_all_but_the_bag():
    turned = X[:1, ::-1].copy()
    for model in MODELS:
        net = text_network(50, 1, model=model).eval()
        same = np.allclose(net(X[:1]).numpy(), net(turned).numpy(), rtol=1e-5, atol=1e-6)
        assert same == (model == "bag"), model


def test_the_bag_is_mean_and_largest_of_its_vectors():
    net = text_network(50, 2).eval()
    table = np.asarray(net.embedding.weight.data)
    rows = table[X[1, :4]]
    pooled = np.concatenate([rows.mean(axis=0), rows.max(axis=0)])
    by_hand = pooled @ np.asarray(net.head.weight.data) + np.asarray(net.head.bias.data)
    np.testing.assert_allclose(net(X[1:2]).numpy()[0], by_hand, rtol=1e-5, atol=1e-6)


def test_an_unknown_model_and_an_empty_vocabulary_are_errors():
    with pytest.raises(OptionError, match="unknown text model 'lstn'"):
        text_network(50, 2, model="lstn")
    with pytest.raises(OptionError, match="tokens"):
        text_network(1, 2)


@pytest.mark.parametrize("recurrent", [ct.LSTM, GRU])
def test_reading_in_parts_with_the_state_is_reading_at_once(recurrent):
    net = LanguageModel(20, features=8, hidden_features=16, num_layers=2, recurrent=recurrent)
    net.eval()
    x = RNG.integers(0, 20, (2, 9))
    whole = net(x).numpy()
    first, state = net.go_on(x[:, :5])
    second, _ = net.go_on(x[:, 5:], state)
    parts = np.concatenate([first.numpy(), second.numpy()], axis=1)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_a_model_of_language_knows_nothing_of_what_comes_later():
    net = LanguageModel(20, features=8, hidden_features=16).eval()
    x = RNG.integers(0, 20, (1, 9))
    other = x.copy()
    other[0, 6:] = (x[0, 6:] + 1) % 20
    a, b = net(x).numpy(), net(other).numpy()
    np.testing.assert_array_equal(a[:, :6], b[:, :6])
    assert not np.allclose(a[:, 6:], b[:, 6:])
