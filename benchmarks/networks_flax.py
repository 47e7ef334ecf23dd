"""The networks of networks.py in Flax NNX, trained with Optax; speed.py --peers flax imports this.

The step is nnx.jit over model and optimizer, wrapped in nnx.cached_partial, which Flax's guide to
performance recommends for small and middling networks; layers are Flax's own with its defaults.
"""

import time
from functools import partial

import jax
import optax
from flax import nnx

from benchmarks.networks import DILATIONS, LEVELS, RESNET, SEPARABLE

VERSION = f"flax {__import__('flax').__version__}, optax {optax.__version__}"

# parameters more than Cutaway's: Flax's GRU has no bias inside the reset gate
APART = {"character GRU 256": -256}


def batch_norm(channels, rngs):
    return nnx.BatchNorm(channels, momentum=0.9, rngs=rngs)


def max_pool(x):
    return nnx.max_pool(x, (2, 2), strides=(2, 2))


def flatten(x):
    return x.reshape(len(x), -1)


def global_avg_pool(x):
    return x.mean(axis=(1, 2))


def lenet(rngs):
    return nnx.Sequential(
        nnx.Conv(1, 6, (5, 5), padding=2, rngs=rngs), nnx.relu, max_pool,
        nnx.Conv(6, 16, (5, 5), padding=0, rngs=rngs), nnx.relu, max_pool,
        flatten,
        nnx.Linear(400, 120, rngs=rngs), nnx.relu,
        nnx.Linear(120, 84, rngs=rngs), nnx.relu,
        nnx.Linear(84, 10, rngs=rngs),
    )  # fmt: skip


class ResidualBlock(nnx.Module):
    def __init__(self, n_in, n_out, stride, rngs):
        conv = partial(nnx.Conv, use_bias=False, rngs=rngs)
        self.body = nnx.Sequential(
            conv(n_in, n_out, (3, 3), strides=stride, padding=1),
            batch_norm(n_out, rngs),
            nnx.relu,
            conv(n_out, n_out, (3, 3), padding=1),
            batch_norm(n_out, rngs),
        )
        self.way = nnx.identity if stride == 1 and n_in == n_out else nnx.Sequential(
            conv(n_in, n_out, (1, 1), strides=stride, padding=0), batch_norm(n_out, rngs)
        )  # fmt: skip

    def __call__(self, x):
        return nnx.relu(self.body(x) + self.way(x))


def resnet18(rngs):
    return nnx.Sequential(
        nnx.Conv(3, 64, (3, 3), padding=1, use_bias=False, rngs=rngs),
        batch_norm(64, rngs),
        nnx.relu,
        *(ResidualBlock(*sizes, rngs) for sizes in RESNET),
        global_avg_pool,
        nnx.Linear(512, 10, rngs=rngs),
    )


def mobilenet(rngs):
    conv = partial(nnx.Conv, use_bias=False, rngs=rngs)
    layers = [conv(3, 32, (3, 3), padding=1), batch_norm(32, rngs), nnx.relu]
    for n_in, n_out, stride in SEPARABLE:
        layers += [
            conv(n_in, n_in, (3, 3), strides=stride, padding=1, feature_group_count=n_in),
            batch_norm(n_in, rngs),
            nnx.relu,
            conv(n_in, n_out, (1, 1), padding=0),
            batch_norm(n_out, rngs),
            nnx.relu,
        ]
    return nnx.Sequential(*layers, global_avg_pool, nnx.Linear(512, 10, rngs=rngs))


class UNet(nnx.Module):
    def __init__(self, rngs):
        def double(n_in, n_out):
            return nnx.Sequential(
                nnx.Conv(n_in, n_out, (3, 3), padding=1, rngs=rngs), nnx.relu,
                nnx.Conv(n_out, n_out, (3, 3), padding=1, rngs=rngs), nnx.relu,
            )  # fmt: skip

        sizes, levels = (3, *LEVELS), LEVELS[::-1]
        self.down = nnx.List([double(a, b) for a, b in zip(sizes, LEVELS, strict=False)])
        self.bottom = double(LEVELS[-1], 2 * LEVELS[-1])
        self.up = nnx.List([
            nnx.ConvTranspose(2 * n, n, (2, 2), strides=(2, 2), padding="VALID", rngs=rngs)
            for n in levels
        ])  # fmt: skip
        self.merge = nnx.List([double(2 * n, n) for n in levels])
        self.head = nnx.Conv(LEVELS[0], 2, (1, 1), rngs=rngs)

    def __call__(self, x):
        skips = []
        for stage in self.down:
            skips.append(stage(x))
            x = max_pool(skips[-1])
        x = self.bottom(x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips), strict=True):
            x = merge(jax.numpy.concatenate([skip, up(x)], axis=-1))
        return self.head(x)


class LSTM(nnx.Module):
    def __init__(self, rngs):
        cell = nnx.OptimizedLSTMCell
        self.first = nnx.RNN(cell(128, 128, rngs=rngs), rngs=rngs)
        self.second = nnx.RNN(cell(128, 128, rngs=rngs), rngs=rngs)
        self.head = nnx.Linear(128, 10, rngs=rngs)

    def __call__(self, x):
        return self.head(self.second(self.first(x))[:, -1])


class GRU(nnx.Module):
    def __init__(self, rngs):
        self.embedding = nnx.Embed(65, 64, rngs=rngs)
        self.gru = nnx.RNN(nnx.GRUCell(64, 256, rngs=rngs), rngs=rngs)
        self.head = nnx.Linear(256, 65, rngs=rngs)

    def __call__(self, x):
        return self.head(self.gru(self.embedding(x)))


class EncoderLayer(nnx.Module):
    def __init__(self, rngs):
        self.norm1 = nnx.LayerNorm(256, epsilon=1e-5, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(8, 256, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(256, epsilon=1e-5, rngs=rngs)
        self.hidden = nnx.Linear(256, 1024, rngs=rngs)
        self.out = nnx.Linear(1024, 256, rngs=rngs)

    def __call__(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.out(nnx.gelu(self.hidden(self.norm2(x)), approximate=False))


class Transformer(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([EncoderLayer(rngs) for _ in range(4)])
        self.norm = nnx.LayerNorm(256, epsilon=1e-5, rngs=rngs)
        self.head = nnx.Linear(256, 10, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x).mean(axis=1))


class GatedBlock(nnx.Module):
    def __init__(self, dilation, rngs):
        self.gated = nnx.Conv(64, 128, (2,), kernel_dilation=dilation, padding="CAUSAL", rngs=rngs)
        self.out = nnx.Conv(64, 128, (1,), rngs=rngs)

    def __call__(self, x):
        z = self.gated(x)
        y = self.out(nnx.tanh(z[..., :64]) * nnx.sigmoid(z[..., 64:]))
        return x + y[..., :64], y[..., 64:]


class WaveNet(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Conv(1, 64, (1,), rngs=rngs)
        self.blocks = nnx.List([GatedBlock(d, rngs) for d in DILATIONS])
        self.head = nnx.Sequential(
            nnx.relu, nnx.Conv(64, 64, (1,), rngs=rngs),
            nnx.relu, nnx.Conv(64, 256, (1,), rngs=rngs),
        )  # fmt: skip

    def __call__(self, x):
        x = self.first(x)
        total = 0
        for block in self.blocks:
            x, skip = block(x)
            total = skip + total
        return self.head(total)


NETWORKS = {
    "LeNet-like CNN": lenet,
    "ResNet-18": resnet18,
    "depthwise-separable CNN": mobilenet,
    "U-Net": UNet,
    "LSTM 2 x 128": LSTM,
    "character GRU 256": GRU,
    "transformer encoder": Transformer,
    "WaveNet": WaveNet,
}


@nnx.jit
def train_step(model, optimizer, x, y):
    def loss_of(model):
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    loss, grads = nnx.value_and_grad(loss_of)(model)
    optimizer.update(model, grads)
    return loss


@nnx.jit
def predict(model, x):
    return model(x)


class Side:
    """A network of Flax with its compiled step."""

    def __init__(self, case, x, y):
        self.net = NETWORKS[case.name](nnx.Rngs(0))
        self.optimizer = nnx.Optimizer(self.net, optax.adam(1e-3), wrt=nnx.Param)
        leaves = jax.tree.leaves(nnx.state(self.net, nnx.Param))
        self.parameters = sum(leaf.size for leaf in leaves)
        self.x, self.y, self.row = map(jax.device_put, (x, y, x[:1]))
        self.train(True)
        began = time.perf_counter()
        self.step()
        self.compile_seconds = time.perf_counter() - began

    def step(self):
        return self.compiled(self.x, self.y).block_until_ready()

    def infer(self):
        return self.predict(self.row).block_until_ready()

    def train(self, mode):
        self.net.train() if mode else self.net.eval()
        self.compiled = nnx.cached_partial(train_step, self.net, self.optimizer)
        self.predict = nnx.cached_partial(predict, self.net)
