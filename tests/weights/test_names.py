"""A network with PyTorch's weights computes what PyTorch computes, and nothing is left over."""

import numpy as np
import pytest
import torch

from cutaway import nn
from cutaway.errors import DataError, RunError, ShapeError
from cutaway.weights import PYTORCH, WeightNames, channels_last, load_into, recurrent

RNG = np.random.default_rng(0)


def state(theirs) -> dict:
    return {name: value.numpy() for name, value in theirs.state_dict().items()}


def channels_first(x):
    return torch.tensor(np.moveaxis(x, -1, 1))


def expect_equal(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axes", (1, 2, 3))
@pytest.mark.parametrize("groups", (1, 2, 4))
@pytest.mark.parametrize("name", ("Conv", "ConvTranspose"))
def test_a_convolution_takes_over_pytorchs_kernel(name, axes, groups):
    kernel_size = (2, 3, 4)[:axes]
    theirs = getattr(torch.nn, f"{name}{axes}d")(4, 8, kernel_size, groups=groups)
    ours = getattr(nn, f"{name}{axes}d")(4, 8, kernel_size, groups=groups)
    load_into(ours, state(theirs))
    x = RNG.normal(size=(*(2, 6, 5, 7)[: axes + 1], 4)).astype(np.float32)
    expect_equal(np.moveaxis(ours(x).numpy(), -1, 1), theirs(channels_first(x)))


def test_dense_embedding_and_norms_take_over_pytorchs_weights():
    theirs = torch.nn.Sequential(
        torch.nn.Embedding(11, 6), torch.nn.LayerNorm(6), torch.nn.Linear(6, 6)
    )
    ours = nn.Sequential(nn.Embedding(11, 6), nn.LayerNorm(6), nn.Linear(6, 6))
    torch.nn.init.normal_(theirs[1].weight)
    load_into(ours, state(theirs))
    x = RNG.integers(0, 11, (2, 5))
    expect_equal(ours(x).numpy(), theirs(torch.tensor(x)))


def test_batch_norm_takes_over_the_running_statistics():
    theirs, ours = torch.nn.BatchNorm2d(3), nn.BatchNorm(3).eval()
    x = RNG.normal(2, 3, (4, 5, 5, 3)).astype(np.float32)
    theirs(channels_first(x))
    load_into(ours, state(theirs))
    expect_equal(np.moveaxis(ours(x).numpy(), -1, 1), theirs.eval()(channels_first(x)))


@pytest.mark.parametrize("name", ("RNN", "LSTM", "GRU"))
def test_a_recurrent_layer_takes_over_both_biases(name):
    theirs = getattr(torch.nn, name)(3, 5, 2, batch_first=True, bidirectional=True)
    ours = nn.Sequential(getattr(nn, name)(3, 5, 2, bidirectional=True), nn.AllSteps())
    weights = {f"module.rnn.{name}": value for name, value in state(theirs).items()}
    load_into(ours, weights, WeightNames(recurrent("rnn", "0", gru=name == "GRU")))
    x = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    expect_equal(ours(x).numpy(), theirs(torch.tensor(x))[0])


def test_a_dense_layer_after_flattening_reads_its_inputs_in_another_order():
    theirs = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2 * 3 * 3, 4))
    ours = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 3, 4))
    names = WeightNames([(r"1\.weight", "1.weight", channels_last(2)), (r"1\.bias", "1.bias")])
    load_into(ours, state(theirs), names)
    x = RNG.normal(size=(2, 3, 3, 2)).astype(np.float32)
    expect_equal(ours(x).numpy(), theirs(channels_first(x)))


def test_a_dense_layer_that_was_a_convolution_of_one_pixel():
    theirs, ours = torch.nn.Conv2d(3, 4, 1), nn.Linear(3, 4)
    load_into(ours, state(theirs))
    x = RNG.normal(size=(2, 5, 5, 3)).astype(np.float32)
    expect_equal(np.moveaxis(ours(x).numpy(), -1, 1), theirs(channels_first(x)))


def test_queries_keys_and_values_are_put_beside_each_other():
    features, heads = 8, 2
    theirs = torch.nn.MultiheadAttention(features, heads, batch_first=True)
    torch.nn.init.normal_(theirs.in_proj_bias)
    w, b = state(theirs)["in_proj_weight"], state(theirs)["in_proj_bias"]
    weights = {"out_proj.weight": state(theirs)["out_proj.weight"]}
    weights["out_proj.bias"] = state(theirs)["out_proj.bias"]
    for i, name in ((2, "value"), (0, "query"), (1, "key")):  # in no order
        weights[f"{name}.weight"] = w[i * features : (i + 1) * features]
        weights[f"{name}.bias"] = b[i * features : (i + 1) * features]
    names = WeightNames(
        [
            (rf"{name}\.(weight|bias)", rf"query_key_value.\1[{i}/3]")
            for i, name in enumerate(("query", "key", "value"))
        ]
        + [(r"out_proj\.(weight|bias)", r"out.\1")]
    )
    ours = nn.MultiHeadAttention(features, heads)
    load_into(ours, weights, names)
    x = RNG.normal(size=(2, 5, features)).astype(np.float32)
    expect_equal(ours(x).numpy(), theirs(*[torch.tensor(x)] * 3)[0])
    del weights["key.bias"]
    with pytest.raises(RunError, match=r"query_key_value.bias would be filled by query.bias"):
        load_into(ours, weights, names)


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))


def weights_of_network():
    return {
        "0.weight": np.ones((4, 3)),
        "0.bias": np.ones(4),
        "2.weight": np.ones((2, 4)),
        "2.bias": np.ones(2),
    }


def test_what_is_too_much_or_missing_is_listed_and_nothing_is_changed():
    net = network()
    before = net.state_dict()
    weights = weights_of_network()
    weights["7.weight"] = weights.pop("2.weight")
    with pytest.raises(RunError, match=r"unexpected 7.weight \(2, 4\).*missing 2.weight"):
        load_into(net, weights)
    for path, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_another_shape_is_named_with_both_shapes_and_nothing_is_changed():
    net = network()
    weights = weights_of_network() | {"2.weight": np.ones((7, 4)), "2.bias": np.ones(7)}
    with pytest.raises(ShapeError, match=r"2.weight gives 2.weight shape \(4, 7\), not \(4, 2\)"):
        load_into(net, weights)
    assert not (net.state_dict()["0.weight"] == 1).all()


def test_a_new_head_is_left_out():
    net = network()
    head = net.state_dict()["2.weight"]
    weights = weights_of_network() | {"2.weight": np.ones((7, 4)), "2.bias": np.ones(7)}
    load_into(net, weights, but="2")
    np.testing.assert_array_equal(net.state_dict()["0.weight"], 1)
    np.testing.assert_array_equal(net.state_dict()["2.weight"], head)
    with pytest.raises(RunError, match=r"but=head matches neither the network nor the weights"):
        load_into(net, weights_of_network(), but=("head",))


def test_what_is_not_wanted_is_named_in_the_table():
    names = WeightNames([(r"(.*)", r"\1")], unused=[(r".*position_ids", "counts from 0")])
    load_into(network(), weights_of_network() | {"module.x.position_ids": np.arange(4)}, names)
    with pytest.raises(RunError, match=r"unexpected .*position_ids"):
        load_into(network(), weights_of_network() | {"x.position_ids": np.arange(4)}, PYTORCH)


def test_numbers_that_are_not_finite_are_refused():
    weights = weights_of_network() | {"0.bias": np.array([1, 2, np.nan, 4])}
    with pytest.raises(DataError, match=r"0\.bias"):
        load_into(network(), weights)
