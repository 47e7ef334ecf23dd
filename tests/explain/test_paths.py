"""The chain rule as a sum over paths: exact, complete, and the strongest ones first."""

import functools
import itertools
import math

import numpy as np
import pytest

import cutaway as ct
from cutaway import nn
from cutaway.engine import float64
from cutaway.explain.paths import LocalJacobians
from cutaway.explain.semirings import Counting, Estimate, count_exactly
from cutaway.models import TableNetwork

LABELS = ct.losses.sparse_categorical_cross_entropy_with_logits
SQUARES = ct.losses.mean_squared_error


class Recurrent(ct.Module):
    def __init__(self, layer):
        self.layer = layer
        self.head = ct.Linear(4, 1)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Encoder(ct.Module):
    def __init__(self):
        self.tokens = ct.Embedding(7, 8)
        self.block = ct.TransformerEncoderLayer(8, 2, 12)
        self.head = ct.Linear(8, 3)

    def forward(self, x):
        return self.head(self.block(self.tokens(x)).mean(axis=1))


class Tied(ct.Module):
    """The same matrix forwards and, turned, backwards."""

    def __init__(self):
        self.inner = ct.Linear(3, 2, bias=False)

    def forward(self, x):
        hidden = ct.ops.tanh(self.inner(x))
        return hidden @ self.inner.weight.transpose()


def mlp():
    layers = (ct.Linear(4, 5), ct.Tanh(), ct.Linear(5, 3), ct.Sigmoid(), ct.Linear(3, 2))
    return ct.Sequential(*layers)


def residual():
    body = ct.Sequential(ct.Linear(3, 3), ct.ELU(), ct.Linear(3, 3))
    return ct.Sequential(ct.Residual(body), ct.LayerNorm(3), ct.Linear(3, 2))


def cnn():
    return ct.Sequential(
        ct.Conv2d(2, 3, 3, padding="same", stride=2),
        ct.BatchNorm(3),
        ct.ReLU(),
        ct.MaxPool(3, stride=2, padding=1),
        ct.Conv2d(3, 4, 2, dilation=2, padding=1),
        ct.GELU(),
        ct.Conv2d(4, 4, 3, groups=2, padding=1),
        ct.AvgPool(2),
        ct.GlobalAvgPool(),
        ct.Linear(4, 3),
    )


def table_networks():
    """Two networks of the recipe for tables, averaged: waves of two numbers, one plain, a level."""
    one = functools.partial(
        TableNetwork, 3, [(5, 2)], (6, 4), 1,
        activation=nn.SELU, periodic=(0, 2), clip=3.0, learned_scale=True,
    )  # fmt: skip
    return nn.Ensemble([one(), one()])


TABLE_ROW = [[0.7, -1.2, 4.5, 2.0]]
CHANCE = ct.losses.binary_cross_entropy_with_logits

CASES = {
    "mlp": (mlp, (4,), 1, LABELS, "0.weight", (2, 1)),
    "mlp, a batch": (mlp, (3, 4), [1, 0, 1], LABELS, "0.weight", (2, 1)),
    "mlp, bias": (mlp, (4,), 1, LABELS, "2.bias", (1,)),
    "residual": (residual, (3,), 1, LABELS, "0.inner.0.weight", (1, 2)),
    "layer norm": (residual, (3,), 1, LABELS, "1.weight", (2,)),
    "cnn": (cnn, (9, 9, 2), 2, LABELS, "0.weight", (1, 1, 0, 2)),
    "cnn, norm": (cnn, (9, 9, 2), 2, LABELS, "1.bias", (0,)),
    "cnn, groups": (cnn, (9, 9, 2), 2, LABELS, "6.weight", (1, 1, 1, 2)),
    "lstm, 20 steps": (
        lambda: Recurrent(ct.LSTM(2, 4)),
        (20, 2),
        [0.5],
        SQUARES,
        "layer.layers.0.hidden_weight",
        (1, 6),
    ),
    "lstm, both ways": (
        lambda: Recurrent(ct.LSTM(2, 2, num_layers=2, bidirectional=True)),
        (3, 2),
        [0.5],
        SQUARES,
        "layer.reversed_layers.0.weight",
        (1, 3),
    ),
    "gru": (
        lambda: Recurrent(ct.GRU(2, 4)),
        (4, 2),
        [0.5],
        SQUARES,
        "layer.layers.0.hidden_weight",
        (1, 9),
    ),
    "rnn": (
        lambda: Recurrent(ct.RNN(2, 4)),
        (4, 2),
        [0.5],
        SQUARES,
        "layer.layers.0.weight",
        (1, 3),
    ),
    "transformer, query": (
        Encoder,
        [3, 1, 4, 1],
        2,
        LABELS,
        "block.attention.query_key_value.weight",
        (2, 1),
    ),
    "transformer, embedding": (Encoder, [3, 1, 4, 1], 2, LABELS, "tokens.weight", (1, 5)),
    "table, waves": (
        table_networks,
        TABLE_ROW,
        [[1.0]],
        CHANCE,
        "members.1.waves.frequency",
        (0, 2),
    ),
    "table, map of waves": (
        table_networks,
        TABLE_ROW,
        [[1.0]],
        CHANCE,
        "members.0.waves.linear.weight",
        (1, 3, 0),
    ),
    "table, factor": (table_networks, TABLE_ROW, [[1.0]], CHANCE, "members.0.scale.factor", (3,)),
    "table, level": (
        table_networks,
        TABLE_ROW,
        [[1.0]],
        CHANCE,
        "members.1.embeddings.0.weight",
        (2, 1),
    ),
    "table, layer": (table_networks, TABLE_ROW, [[1.0]], CHANCE, "members.0.mlp.0.weight", (5, 2)),
    "tied weights": (Tied, (3,), [0.1, 0.2, 0.3], SQUARES, "inner.weight", (2, 1)),
}


def opened(case):
    build, x, y, loss, path, index = CASES[case]
    ct.seed(3)
    net = build()
    rng = np.random.default_rng(5)
    x = rng.normal(size=x) if isinstance(x, tuple) else np.array(x)
    return net, ct.explain(net, x, np.array(y), loss=loss), path, index


@pytest.mark.parametrize("case", CASES)
def test_paths_add_up_to_the_engines_gradient(case):
    _, why, path, index = opened(case)
    story = why.gradient(path, index, top=5)
    engine = why.trace.engine_gradients[path][index]
    assert story.value == engine != 0
    added = sum(p.product for p in story.paths) + story.remainder
    assert added == pytest.approx(engine, rel=1e-9, abs=1e-15)
    products = [abs(p.product) for p in story.paths]
    assert products == sorted(products, reverse=True)
    for p in story.paths:
        assert p.product == pytest.approx(math.prod(f.value for f in p.factors), rel=1e-9)
        assert p.nodes[0] == "L" and p.nodes[-1] == story.name
        assert len(p.factors) == len(p.nodes) - 1


def all_paths(why, path, index):
    """Every product of factors from the loss to a weight, by going down every edge there is."""
    graph, links = why.trace.graph, LocalJacobians(why.trace.graph)
    target = graph.parameters[path]
    element = int(np.ravel_multi_index(index, target.shape))
    cone = graph.cone(target)
    found = []

    def down(node, at, product):
        if node is target:
            if at == element:
                found.append(product)
            return
        if node.record is None:
            return
        for k, elements, factors in links.of(node).row(at):
            source = node.sources[k]
            if source is not None and source.number in cone:
                for e, f in zip(elements, factors, strict=True):
                    down(source, int(e), product * f)

    with float64():
        down(graph.result, 0, 1.0)
    return found


@pytest.mark.parametrize("case", ["mlp", "mlp, a batch", "residual", "tied weights", "rnn"])
def test_counts_and_the_strongest_equal_brute_force(case):
    _, why, path, index = opened(case)
    products = all_paths(why, path, index)
    story = why.gradient(path, index, top=7)
    assert story.count == len(products)
    largest = sorted((abs(p) for p in products), reverse=True)[:7]
    found = [abs(p.product) for p in story.paths]
    np.testing.assert_allclose(found, largest[: len(found)], rtol=1e-9)
    # those that are missing have a factor 0
    assert all(p < 1e-15 for p in largest[len(found) :])


@pytest.mark.parametrize("activation", [ct.Sigmoid, ct.ReLU])
def test_the_number_of_paths_in_an_mlp_is_the_product_of_the_later_widths(activation):
    # also through a ReLU that is off: an edge is there, its slope is 0
    widths = (3, 5, 7, 4, 2)
    layers = itertools.chain.from_iterable(
        (ct.Linear(a, b), activation()) for a, b in itertools.pairwise(widths)
    )
    why = ct.explain(ct.Sequential(*layers), np.ones(3), np.full(2, 0.3), loss=SQUARES)
    for k in range(4):
        story = why.gradient(f"{2 * k}.weight", (0, 1), top=1)
        assert story.count == math.prod(widths[k + 2 :])


def test_counts_beyond_floating_point_are_exact():
    layers = itertools.chain.from_iterable((ct.Linear(30, 30), ct.Tanh()) for _ in range(21))
    why = ct.explain(ct.Sequential(*layers), np.ones(30), np.zeros(30), loss=SQUARES)
    assert why.gradient("0.weight", (4, 5), top=1).count == 30**20


@pytest.mark.parametrize("number", [0, 7, 2**52 - 1, 2**52 + 1, 10**30 + 7, 3**300])
def test_count_exactly_puts_a_number_together_from_its_remainders(number):
    def value(ring):
        return float(number) if type(ring) is Estimate else number % ring.modulus

    assert count_exactly(value) == number


def test_counting_stays_below_its_modulus():
    ring = Counting(2**31 - 1)
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2**31 - 1, (1, 500)).astype(float)
    exact = int(sum(int(v) for v in a[0])) % (2**31 - 1)
    assert ring.product(a, np.ones((500, 1)))[0, 0] == exact
    assert ring.weighted_product(a, np.zeros((500, 3)))[0, 2] == exact


def test_a_weight_without_paths_is_reported():
    _, why, path, _ = opened("transformer, embedding")
    story = why.gradient(path, (6, 0))  # a token that is not in the text
    assert (story.count, story.value, story.paths) == (0, 0.0, [])
    assert "no path leads from this weight" in str(story)


def test_the_network_is_left_as_it_was():
    ct.seed(0)
    net = cnn().train()
    before = net.state_dict()
    next(iter(net)).freeze()
    explanation = ct.explain(net, np.ones((9, 9, 2)), np.array(1), loss=LABELS)
    explanation.gradient("6.weight", (0, 0, 0, 0), top=1)
    assert all(m.training for m in net.modules().values())
    assert [p.requires_grad for p in net.parameters()][:3] == [False, False, True]
    after = net.state_dict()
    assert all(np.array_equal(before[k], after[k]) for k in before)
    assert all(after[k].dtype == before[k].dtype for k in before)
    assert all(p.grad is None for p in net.parameters())


@ct.operation(saves=True)
def ema(x, decay):
    """An operation that Cutaway does not know: h_t = a h_{t-1} + (1 - a) x_t, the last state."""
    hs = [x[:, 0] * 0]
    for t in range(x.shape[1]):
        hs.append(decay * hs[-1] + (1 - decay) * x[:, t])
    return hs[-1], hs


@ema.backward
def ema_backward(grad, out, hs, x, decay):
    to_x, to_decay = [], 0
    for t in reversed(range(x.shape[1])):
        to_x.append((1 - decay) * grad)
        to_decay = to_decay + (grad * (hs[t] - x[:, t])).sum(axis=0)
        grad = decay * grad
    return np.stack(to_x[::-1], axis=1), to_decay


@ema.decomposition
def ema_decomposition(label, x, decay):
    h = label((1 - decay) * x[:, 0], "h", 0)
    for t in range(1, x.shape[1]):
        h = label(decay * h + (1 - decay) * x[:, t], "h", t)
    return h


class Averaged(ct.Module):
    def __init__(self):
        self.decay = ct.Parameter(np.full(2, 0.75, np.float32))

    def forward(self, x):
        return ema(x, self.decay)


def test_paths_go_through_the_steps_of_an_operation_that_declares_a_decomposition():
    x = np.array([[[1.0, 5.0], [2.0, 1.0], [4.0, 2.0]]])
    why = ct.explain(Averaged(), x, np.zeros((1, 2)), loss=SQUARES)
    labels = [node.label for node in why.trace.graph.nodes if node.label]
    assert labels == [("h", t, None) for t in range(3)]
    story = why.gradient("decay", (0,))
    # h_3 = a² (1 - a) x_1 + a (1 - a) x_2 + (1 - a) x_3
    a, (x1, x2, x3) = 0.75, x[0, :, 0]
    slope = (2 * a - 3 * a**2) * x1 + (1 - 2 * a) * x2 - x3
    h = a**2 * (1 - a) * x1 + a * (1 - a) * x2 + (1 - a) * x3
    assert story.value == pytest.approx(h * slope, rel=1e-6)  # ∂L/∂h of a mean over two outputs
    assert story.count == 5 and "∂h_1[t=2]/∂h_1[t=1]" in str(story)
