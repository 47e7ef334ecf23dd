import json
from pathlib import Path

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cutaway as ct
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.models import WaveBlock, WaveNet

pytestmark = pytest.mark.usefixtures("compile_quickly")

NAM = Path(__file__).parents[3] / "shared" / "weights" / "wavenet_a1_standard.nam"


def small(**options):
    sizes = {"levels": 16, "channels": 6, "skip_channels": 10, "dilations": (1, 2, 4, 1, 2)}
    return WaveNet(**sizes | options)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def column(net, codes, local, identity):
    """Logits about the sample after `codes`, by the equations, nothing kept: plain recursion."""
    w = {k: v.astype(np.float64) for k, v in net.state_dict().items()}
    channels = w["first.weight"].shape[1]

    def x_of(block, t):
        """What goes into a block at time t, and all skips of the blocks before."""
        if t < 0:
            return np.zeros(channels), 0
        if block == 0:
            return w["first.weight"][codes[t]], 0
        at = f"blocks.{block - 1}."
        taps, (x, skips) = w[at + "taps.weight"], x_of(block - 1, t)
        d, n = net.blocks[block - 1].dilation, len(taps)
        z = w[at + "taps.bias"] + sum(
            x_of(block - 1, t - d * (n - 1 - k))[0] @ taps[k] for k in range(n)
        )
        if local is not None:
            z = z + local[t] @ w[at + "local.weight"]
        if identity is not None:
            z = z + w["identity.weight"][identity] @ w[at + "whole.weight"]
        z = np.tanh(z[:channels]) * sigmoid(z[channels:])
        y = z @ w[at + "outputs.weight"] + w[at + "outputs.bias"]
        if block == len(net.blocks):
            return None, skips + y
        return x + y[:channels], skips + y[channels:]

    skips = x_of(len(net.blocks), len(codes) - 1)[1]
    hidden = np.maximum(skips, 0) @ w["head.1.weight"] + w["head.1.bias"]
    return np.maximum(hidden, 0) @ w["head.3.weight"] + w["head.3.bias"]


def slow_generation(net, length, prompt, local, identity, temperature, seed):
    codes = [list(row) for row in prompt]
    for _ in range(length):
        t = len(codes[0]) - 1
        key = jax.random.fold_in(jax.random.PRNGKey(seed), t)
        gumbel = np.asarray(jax.random.gumbel(key, (len(codes), 16)))
        for row, own in enumerate(codes):
            given = None if local is None else local[row]
            speaker = None if identity is None else identity[row]
            logits = column(net, own, given, speaker)
            own.append(int(np.argmax(logits / temperature + gumbel[row])))
    return [own[-length:] for own in codes]


@pytest.mark.parametrize("conditioned", [False, True])
def test_generation_with_kept_activations_draws_the_samples_of_the_slow_one(conditioned):
    options = {"kernel_size": 3, "local_features": 2, "identities": 3} if conditioned else {}
    net = small(**options)
    rng = np.random.default_rng(1)
    prompt = rng.integers(0, 16, (2, 4))
    length = 12
    given = {}
    if conditioned:
        given["local"] = rng.normal(size=(2, 4 + length - 1, 2)).astype(np.float32)
        given["identity"] = np.array([2, 0])
    fast = net.generate(length, prompt=prompt, temperature=0.8, seed=3, **given)
    slow = slow_generation(net, length, prompt, given.get("local"), given.get("identity"), 0.8, 3)
    assert fast.tolist() == slow


def test_a_prompt_longer_than_the_receptive_field_is_gone_on_with_as_if_it_was_made():
    net = small()
    whole = net.generate(60, seed=5)
    start = np.full((1, 1), 8)
    prompt = np.concatenate([start, whole[:, :41]], axis=1)
    np.testing.assert_array_equal(net.generate(19, prompt=prompt, seed=5), whole[:, 41:])


def torch_logits(net, codes, local, identity, w):
    """The network in PyTorch, channels first."""
    x = w["first.weight"][codes].transpose(1, 2)
    channels, total = x.shape[1], 0
    for i, block in enumerate(net.blocks):
        at = f"blocks.{i}."
        kernel = w[at + "taps.weight"].permute(2, 1, 0)
        padded = F.pad(x, (block.dilation * (kernel.shape[-1] - 1), 0))
        z = F.conv1d(padded, kernel, w[at + "taps.bias"], dilation=block.dilation)
        z = z + F.linear(local, w[at + "local.weight"].T).transpose(1, 2)
        h = w["identity.weight"][identity] @ w[at + "whole.weight"]
        z = z + h[:, :, None]
        z = torch.tanh(z[:, :channels]) * torch.sigmoid(z[:, channels:])
        y = F.conv1d(z, w[at + "outputs.weight"].T[:, :, None], w[at + "outputs.bias"])
        if i < len(net.blocks) - 1:
            x, y = x + y[:, :channels], y[:, channels:]
        total = total + y
    hidden = F.relu(total).transpose(1, 2) @ w["head.1.weight"] + w["head.1.bias"]
    return F.relu(hidden) @ w["head.3.weight"] + w["head.3.bias"]


def test_logits_and_gradients_are_those_of_the_same_network_in_torch():
    net = small(kernel_size=3, local_features=2, identities=4)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (3, 21))
    local = rng.normal(size=(3, 20, 2)).astype(np.float32)
    identity = np.array([1, 3, 0])
    given = ct.Tensor(local, requires_grad=True)  # it may come from layers that are trained too
    logits = net(codes[:, :-1], given, identity)
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits(logits, codes[:, 1:])
    loss.backward()
    w = {k: torch.tensor(v, requires_grad=True) for k, v in net.state_dict().items()}
    features = torch.tensor(local, requires_grad=True)
    theirs = torch_logits(net, torch.tensor(codes[:, :-1]), features, torch.tensor(identity), w)
    F.cross_entropy(theirs.transpose(1, 2), torch.tensor(codes[:, 1:])).backward()
    np.testing.assert_allclose(logits.numpy(), theirs.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(given.grad, features.grad, rtol=1e-4, atol=1e-6)
    for path, parameter in net.named_parameters().items():
        np.testing.assert_allclose(parameter.grad, w[path].grad, rtol=1e-4, atol=1e-6, err_msg=path)


@pytest.mark.parametrize(
    ("dilations", "kernel_size", "field"), [((1, 2, 4, 8), 2, 16), ((1, 2, 4, 1), 3, 17)]
)
def test_a_prediction_reads_exactly_its_receptive_field(dilations, kernel_size, field):
    time, at = 40, 30
    net = WaveNet(
        levels=time, channels=5, skip_channels=7, dilations=dilations, kernel_size=kernel_size
    )
    # every moment has a level of its own, so the table's gradient says which moments were read
    net(np.arange(time)[None])[0, at].sum().backward()
    read = np.flatnonzero(np.abs(np.asarray(net.first.weight.grad)).sum(axis=1))
    assert net.receptive_field == field
    np.testing.assert_array_equal(read, np.arange(at - field + 1, at + 1))


def test_ten_doubling_dilations_see_1024_samples_as_the_paper_says():
    net = WaveNet(channels=1, skip_channels=1, dilations=[2**i for i in range(10)])
    assert net.receptive_field == 1024


def test_without_temperature_the_likeliest_level_is_taken_whatever_the_seed():
    net = small()
    a, b = (net.generate(20, temperature=0, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(a, b)
    logits = net(np.concatenate([[[8]], a], axis=1)).numpy()
    np.testing.assert_array_equal(a[0], logits[0, :-1].argmax(axis=-1))


def test_options_and_conditions_that_make_no_sense_are_named():
    with pytest.raises(OptionError, match="dilations"):
        small(dilations=(1, 0))
    with pytest.raises(ShapeError, match="the codes have shape"):
        small()(np.zeros(5, np.int32))
    with pytest.raises(ShapeError, match="local has shape None"):
        small(local_features=2)(np.zeros((1, 5), np.int32))
    with pytest.raises(ShapeError, match="the network does not use it"):
        small()(np.zeros((1, 5), np.int32), None, np.zeros(1, np.int32))
    with pytest.raises(OptionError, match="kernel_size is 1"):
        small(kernel_size=1)
    with pytest.raises(DataError, match="codes from 3 to 16"):
        small().generate(3, prompt=[[3, 16]])
    with pytest.raises(DataError, match="identities range from 1 to 3"):
        small(identities=3).generate(3, batch=2, identity=[1, 3])
    with pytest.raises(OptionError, match="temperature"):
        small().generate(3, temperature=-1)


# a feed-forward WaveNet of somebody else: an amplifier, sample in, sample out


def nam_numpy(config, weights, signal):
    """Its file evaluated by the loops of its format: weights as they come, one after the other."""
    taken = 0

    def take(*shape):
        nonlocal taken
        n = int(np.prod(shape))
        taken += n
        return np.array(weights[taken - n : taken]).reshape(shape)

    x, sums = signal[None], None
    for layers in config["layers"]:
        channels, size = layers["channels"], layers["kernel_size"]
        x = take(channels, layers["input_size"]) @ x
        for d in layers["dilations"]:
            kernel, bias = take(channels, channels, size), take(channels)
            mix, onward, constant = take(channels, 1), take(channels, channels), take(channels)
            padded = np.pad(x, ((0, 0), (d * (size - 1), 0)))
            z = bias[:, None] + mix @ signal[None]
            for k in range(size):
                z = z + kernel[:, :, k] @ padded[:, k * d : k * d + x.shape[1]]
            z = np.tanh(z)
            sums = z if sums is None else sums + z
            x = x + onward @ z + constant[:, None]
        sums = take(layers["head_size"], channels) @ sums
        if layers["head_bias"]:
            sums = sums + take(layers["head_size"])[:, None]
    scale = take(1)[0]
    assert taken == len(weights)
    return scale * sums[0]


class Stack(ct.Module):
    """One of its two stacks, of WaveBlocks; all blocks have the same way out."""

    def __init__(self, layers):
        channels, head = layers["channels"], layers["head_size"]
        self.first = ct.Linear(layers["input_size"], channels, bias=False)
        self.blocks = [
            WaveBlock(
                channels,
                head,
                dilation=d,
                kernel_size=layers["kernel_size"],
                local_features=1,
                gated=layers["gated"],
            )
            for d in layers["dilations"]
        ]
        self.before = ct.Linear(channels, head, bias=layers["head_bias"])

    def forward(self, x, signal, total):
        x = self.first(x)
        total = 0 if total is None else self.before(total)
        for block in self.blocks:
            x, skip = block(x, signal)
            total = total + skip
        return x, total

    def load(self, take):
        def put(parameter, value):
            assert parameter.shape == value.shape
            parameter.data = value.astype(np.float32)

        n = self.first.weight.shape[1]
        put(self.first.weight, take(n, self.first.weight.shape[0]).T)
        for block in self.blocks:
            size = block.taps.weight.shape[0]
            put(block.taps.weight, take(n, n, size).transpose(2, 1, 0))
            put(block.taps.bias, take(n))
            put(block.local.weight, take(n, 1).T)
            block.onward = take(n, n).T, take(n)
        head = self.before.weight.shape[1]
        out = take(head, n).T
        put(self.before.weight, out)
        if self.before.bias is not None:
            put(self.before.bias, take(head))
        for block in self.blocks:
            weight, bias = block.__dict__.pop("onward")
            put(block.outputs.weight, np.concatenate([weight, out], axis=1))
            put(block.outputs.bias, np.concatenate([bias, np.zeros(head)]))


@pytest.mark.skipif(not NAM.exists(), reason=f"{NAM} is not there")
def test_blocks_carry_the_weights_of_a_published_feed_forward_wavenet():
    model = json.loads(NAM.read_text())
    config, weights = model["config"], np.array(model["weights"])
    stacks = [Stack(layers) for layers in config["layers"]]
    taken = 0

    def take(*shape):
        nonlocal taken
        taken += int(np.prod(shape))
        return weights[taken - int(np.prod(shape)) : taken].reshape(shape)

    for stack in stacks:
        stack.load(take)
    assert taken == len(weights) - 1 == 13_801  # the last one scales the output
    time = np.arange(1500) / 48_000
    signal = (0.3 * np.sin(2 * np.pi * 220 * time) * np.exp(-20 * time)).astype(np.float32)

    x, total = signal[None, :, None], None
    for stack in stacks:
        x, total = stack(x, signal[None, :, None], total)
    ours = weights[-1] * total.numpy()[0, :, 0]
    theirs = nam_numpy(config, weights, signal.astype(np.float64))
    assert np.abs(theirs).max() > 0.01
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())
