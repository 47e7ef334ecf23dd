"""Embeddings of numbers: by hand in NumPy, and the numbers of pytabkit and rtdl_num_embeddings."""

import jax
import numpy as np
import pytest

import cutaway as ct
from cutaway import nn
from cutaway.data import quantile_edges
from cutaway.errors import DataError, OptionError, ShapeError


def wave(*shape, k):
    """Numbers in ±1 that every library computes alike."""
    return np.sin(k * np.arange(1, 1 + np.prod(shape))).reshape(shape).astype(np.float32)


X = 2 * wave(4, 3, k=0.7)
FREQUENCY, PHASE = wave(3, 5, k=1.3), 3 * wave(3, 5, k=2.1)
BIAS = wave(3, 2, k=1.9)
ROWS = np.stack(
    [2 * wave(40, k=0.7), np.round(2 * wave(40, k=1.1)), wave(40, k=3.0) > 0], axis=1
).astype(np.float32)
UNSEEN = np.array([[-3, 0.3, 0], [0.1, 5, 1], [2.5, -1, 0.5]], np.float32)

# pytabkit 1.8.0: PLREmbeddingsLayerCosBias.forward_cont(X) with weight_1 FREQUENCY, bias_1 PHASE,
# weight_2 wave(3, 5, 2, k=0.9), bias_2 BIAS, plr_act_name="linear", plr_use_densenet=True; there
# all columns stand behind all embeddings
PBLD = [
    *(0.4037474, -1.5699494, -1.5272146, 1.2950196, 1.421944, -0.4725869, *X[0]),
    *(2.8489456, 0.8918265, -1.3976767, 1.7538686, 1.3544036, -0.2969002, *X[1]),
    *(0.9471838, 0.0281326, -2.1830974, -0.7109312, 2.6115892, 0.2828926, *X[2]),
    *(0.4307755, -1.3358308, -1.5221245, 1.2947425, 1.408582, -0.4453434, *X[3]),
]
# rtdl_num_embeddings 0.0.12: PeriodicEmbeddings(3, 2, n_frequencies=5, lite=False)(X) with
# periodic.weight FREQUENCY, linear.weight wave(3, 10, 2, k=0.9), which has the cosines first, and
# linear.bias BIAS
PLR = [
    [0, 0, 1.4652623, 4.67332, 0, 0],
    [0.7394758, 0, 2.08495, 2.0262294, 1.3940337, 1.5905976],
    [2.1961992, 0.7204134, 0, 0, 0, 0],
    [0, 0, 1.5153106, 4.6793528, 0, 0],
]
# the same: compute_bins(ROWS, n_bins=4)
EDGES = [
    [-1.964905262, -1.2163177729, 0.3381138742, 1.4549109936, 1.9892895222],
    [-2, -1, 0, 1, 2],
    [0, 0.5, 1],
]
# and PiecewiseLinearEmbeddings(EDGES, 2, activation=False, version="A")(UNSEEN) with linear.weight
# wave(3, 4, 2, k=0.9), the row of each column's last bin moved to the end, and linear.bias BIAS
PLE = [
    [-0.1368298, -1.9584266, -0.2669267, 0.4091888, -0.0751511, -0.9193285],
    [2.0915391, -0.0127437, 2.4148226, 4.2953563, -0.6624755, -2.1427376],
    [1.2123599, 0.6988883, 0.4192043, 1.3800381, 0.3215895, -1.3917505],
]


def give(layer, weight, **values):
    layer.linear.weight.data, layer.linear.bias.data = map(jax.numpy.asarray, (weight, BIAS))
    for name, value in values.items():
        getattr(layer, name).data = jax.numpy.asarray(value)
    return layer


def pbld():
    layer = nn.PeriodicEmbedding(3, 5, 2)
    return give(layer, wave(3, 5, 2, k=0.9), frequency=FREQUENCY, phase=PHASE)


def test_periodic_embedding_equals_pytabkit_with_each_column_s_numbers_together():
    theirs = np.float32(PBLD).reshape(4, 9)
    by_column = [theirs[:, [2 * c, 2 * c + 1, 6 + c]] for c in range(3)]
    np.testing.assert_allclose(pbld()(X).numpy(), np.hstack(by_column), rtol=1e-5, atol=1e-5)


def test_periodic_embedding_is_its_formula_also_far_out():
    layer, x = pbld(), np.float32([[1e4, -3e5, 7.25]])
    y = layer(x).numpy().reshape(3, 3)
    for c in range(3):
        turns = (x[0, c] * FREQUENCY[c]).astype(np.float32) + np.float64(PHASE[c]) / (2 * np.pi)
        expected = np.cos(2 * np.pi * turns) @ wave(3, 5, 2, k=0.9)[c] + BIAS[c]
        # a float32 of 3e5 turns is known to 1/32 of a turn
        close = 1e-5 if c == 2 else 2 * np.pi * np.spacing(np.float32(abs(turns).max())) * 5
        np.testing.assert_allclose(y[c, :2], expected, atol=close)
        assert y[c, 2] == x[0, c]


def test_sine_cosine_embedding_equals_rtdl_num_embeddings():
    weight = wave(3, 10, 2, k=0.9)
    sines_first = np.concatenate([weight[:, 5:], weight[:, :5]], axis=1)
    layer = give(nn.SineCosineEmbedding(3, 5, 2), sines_first, frequency=FREQUENCY)
    np.testing.assert_allclose(layer(X).numpy(), PLR, rtol=1e-5, atol=1e-5)


def test_piecewise_linear_embedding_equals_rtdl_num_embeddings():
    layer = give(nn.PiecewiseLinearEmbedding(EDGES, 2), wave(3, 4, 2, k=0.9))
    np.testing.assert_allclose(layer(UNSEEN).numpy(), PLE, rtol=1e-5, atol=1e-5)


def test_positions_in_bins_by_hand():
    layer = nn.PiecewiseLinearEmbedding([[0, 1, 3], [0, 1], [4]], 1)
    found = layer.encode(ct.Tensor([[-2.0, 0.25, 9.0], [2.0, -1.0, 4.0], [5.0, 2.0, 0.0]]))
    assert found.tolist() == [
        [[-2, 0], [0.25, 0], [0, 0]],
        [[1, 0.5], [-1, 0], [0, 0]],  # the only bin of a column is clamped at neither end
        [[1, 2], [2, 0], [0, 0]],
    ]


def test_quantile_edges_of_many_values_of_few_and_of_one():
    rows = np.stack([ROWS[:, 0], ROWS[:, 1], ROWS[:, 2], np.full(40, 7.0)], axis=1)
    many, few, two, one = quantile_edges(rows, bins=4)
    np.testing.assert_allclose(many, EDGES[0], rtol=1e-6)
    assert (few.tolist(), two.tolist(), one.tolist()) == ([-2, -1, 0, 1, 2], [0, 1], [7])
    frequent = np.concatenate([np.zeros(90), np.arange(10)])  # most quantiles are 0
    assert quantile_edges(frequent[:, None], bins=5)[0].tolist() == [0, 9]
    layer = nn.PiecewiseLinearEmbedding(quantile_edges(rows, bins=4), 2)
    assert layer.encode(ct.Tensor(rows)).numpy()[:, 2:].sum(axis=(0, 2)).tolist() == [
        float(ROWS[:, 2].sum()),
        0,
    ]


def test_initial_parameters_have_the_papers_distributions():
    ct.seed(0)
    layer = nn.PeriodicEmbedding(400, 16, 3)
    assert layer.frequency.numpy().std() == pytest.approx(0.1, rel=0.03)
    assert 3.13 < np.abs(layer.phase.numpy()).max() <= np.float32(np.pi)
    for values in (layer.linear.weight.numpy(), layer.linear.bias.numpy()):
        assert 0.248 < np.abs(values).max() <= 0.25
        assert values.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.03)


LAYERS = {
    "periodic": lambda: nn.PeriodicEmbedding(3),
    "plr": lambda: nn.SineCosineEmbedding(3, 4, 2, sigma=0.3, keeps_input=True),
    "piecewise": lambda: nn.PiecewiseLinearEmbedding(EDGES, 4, activation=nn.ReLU),
}


@pytest.mark.parametrize(
    "name",
    ["periodic", *(pytest.param(n, marks=pytest.mark.slow) for n in ("plr", "piecewise"))],
)
def test_paths_through_an_embedding_add_up_to_the_gradient_and_compiled_equals_eager(name):
    ct.seed(1)
    layer = LAYERS[name]()
    net = ct.Sequential(layer, ct.Linear(layer.out_features, 2), ct.Tanh(), ct.Linear(2, 1))
    y = np.float32([0.5])
    why = ct.explain(net, X[1], y, loss=ct.losses.mean_squared_error)
    compiled = ct.jit(net.forward, net)
    np.testing.assert_allclose(compiled(X).numpy(), net(X).numpy(), rtol=1e-5, atol=1e-6)
    for path in ("0.linear.weight", "0.frequency" if name != "piecewise" else "0.linear.bias"):
        index = (1,) * net.named_parameters()[path].ndim
        found = why.gradient(path, index)
        total = sum(p.product for p in found.paths) + found.remainder
        np.testing.assert_allclose(total, found.value, rtol=1e-9, atol=1e-15)


def test_wrong_inputs_and_options_are_named():
    with pytest.raises(ShapeError, match=r"shape \(3,\)(.|\n)*x\[None\]"):
        nn.PeriodicEmbedding(3)(X[0])
    with pytest.raises(ShapeError, match=r"size 3(.|\n)*size 4"):
        nn.PeriodicEmbedding(4)(X)
    with pytest.raises(OptionError, match="sigma"):
        nn.PeriodicEmbedding(3, sigma=0)
    with pytest.raises(OptionError, match="without calling it"):
        nn.PeriodicEmbedding(3, activation=nn.ReLU())
    with pytest.raises(OptionError, match="columns of edges"):
        nn.PiecewiseLinearEmbedding([], 2)
    with pytest.raises(DataError, match="edges of each column"):
        nn.PiecewiseLinearEmbedding(3, 2)
    for edges in ([[0, 1], [2, 2]], [[1, 0]], [[]], [[0, np.inf]], [["a"]], [[1e8, 1e8 + 1]]):
        with pytest.raises(DataError, match=r"edges of column \d"):
            nn.PiecewiseLinearEmbedding(edges, 2)
    with pytest.raises(DataError, match="column 1"):
        quantile_edges([[0, 1], [2, np.nan]])
    with pytest.raises(ShapeError, match="rows, columns"):
        quantile_edges([1.0, 2.0])


def test_reprs_say_sizes_and_options():
    assert repr(nn.PeriodicEmbedding(3)) == "PeriodicEmbedding(3, frequencies=16, width=3)"
    assert repr(nn.SineCosineEmbedding(3)) == (
        "SineCosineEmbedding(3, frequencies=48, width=24, ReLU, keeps_input=False)"
    )
    assert repr(nn.PiecewiseLinearEmbedding(EDGES, 2, keeps_input=True)) == (
        "PiecewiseLinearEmbedding(3, bins=4, width=2)"
    )
