"""Initialization on data: what it promises of pre-activations and biases, in any network."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import nn
from cutaway.errors import DataError, OptionError

ROWS = np.random.default_rng(0).normal([0, 50, -3, 0.01], [1, 10, 0.1, 1e-3], (400, 4))


class Table(ct.Module):
    """Numbers by an embedding, beside them a category; a residual block; two heads."""

    def __init__(self):
        self.numbers = nn.PeriodicEmbedding(4)
        self.level = nn.Embedding(5, 2)
        self.body = ct.Sequential(
            ct.Linear(18, 16),
            nn.Blend(nn.SELU(), 16),
            nn.Dropout(0.5),
            nn.Residual(ct.Linear(16, 16)),
        )
        self.unused = ct.Linear(3, 3)
        self.head = ct.Linear(16, 1)

    def forward(self, x, level):
        x = ct.ops.concatenate([self.numbers(x), self.level(level)], axis=1)
        return self.head(self.body(x))


def signals(net, *inputs):
    """{path of a Linear: (what it reads, its weight, its bias)}."""
    found, paths = {}, {id(m): path for path, m in net.modules().items()}

    def note(module, inputs, out):
        if isinstance(module, nn.Linear):
            own = (inputs[0], module.weight, module.bias)
            found[paths[id(module)]] = [np.float64(a.numpy()) for a in own]

    with nn.in_mode(net, training=False), nn.watch(net, note):
        net(*inputs)
    return found


def test_each_pre_activation_has_spread_one_and_each_kink_lies_among_the_rows():
    ct.seed(0)
    net, level = Table(), np.arange(400) % 5
    kept = {n: np.asarray(net.state_dict()[n]) for n in ("numbers.frequency", "unused.weight")}
    nn.initialize_on(net, (ROWS, level))
    found = signals(net, ROWS, level)
    assert list(found) == ["body.0", "body.3.inner", "head"]
    for read, weight, bias in found.values():
        z = read @ weight
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-4)
        assert (z.min(axis=0) <= -bias).all() and (-bias <= z.max(axis=0)).all()
        signs = (z + bias > 0).mean(axis=0)
        assert signs.min() > 0 and signs.max() < 1
    for name, value in kept.items():
        np.testing.assert_array_equal(net.state_dict()[name], value)
    assert net.training


def test_biases_are_minus_mixtures_of_five_rows():
    ct.seed(1)
    net = ct.Sequential(ct.Linear(4, 4000))
    nn.initialize_on(net, ROWS)
    z = ROWS.astype(np.float32) @ net[0].weight.numpy()
    centered = -net[0].bias.numpy() - z.mean(axis=0)
    # uniform weights on the simplex of n have E Σ a² = 2 / (n + 1): variance 1/3 of a row's 1
    assert centered.mean() == pytest.approx(0, abs=0.03)
    assert centered.var() == pytest.approx(1 / 3, rel=0.06)


def test_the_last_layer_may_begin_at_zero_and_biases_too():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(4, 8), nn.ReLU(), ct.Linear(8, 2, bias=False))
    nn.initialize_on(net, ROWS, biases=False, zero_last=True)
    assert not net(ROWS).numpy().any() and not net[0].bias.numpy().any()
    assert (ROWS @ net[0].weight.numpy()).std(axis=0) == pytest.approx(1, rel=1e-3)


def test_a_unit_that_reads_the_same_from_all_rows_stays_finite():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(4, 50), nn.ReLU(), ct.Linear(50, 3))
    nn.initialize_on(net, np.full((20, 4), 7.3))
    weight = net[0].weight.numpy()
    assert weight.std() == pytest.approx(0.5, rel=0.2) and np.isfinite(net(ROWS).numpy()).all()


def test_the_seed_decides_and_a_shared_layer_is_drawn_once():
    def drawn():
        ct.seed(3)
        shared = ct.Linear(4, 4)
        net = ct.Sequential(shared, nn.Tanh(), shared)
        nn.initialize_on(net, ROWS)
        return shared.weight.numpy()

    first = drawn()
    np.testing.assert_array_equal(first, drawn())
    np.testing.assert_allclose((ROWS @ first).std(axis=0), 1, rtol=1e-3)


def test_what_cannot_be_initialized_is_named():
    with pytest.raises(OptionError, match="no Linear runs in Sequential"):
        nn.initialize_on(ct.Sequential(nn.ReLU()), ROWS)
    broken = ROWS.copy()
    broken[3, 1] = np.nan
    with pytest.raises(DataError, match="layer 0, Linear receives values that are not finite"):
        nn.initialize_on(ct.Sequential(ct.Linear(4, 2)), broken)
