"""The networks of networks.py in Keras 3 on JAX; speed.py --peers keras imports this.

The step is what the Keras guides show: model.compile(...) and model.train_on_batch(x, y), which
Keras compiles with jax.jit; one row goes through model.predict_on_batch. Convolutions that stride
take Keras's padding "same", one zero before fewer than the others' padding of 1, the same
arithmetic.
"""

import os
import time
from functools import partial

os.environ["KERAS_BACKEND"] = "jax"  # Keras reads it when it is imported
import keras
from keras import layers

from benchmarks.networks import DILATIONS, LEVELS, RESNET, SEPARABLE

if keras.backend.backend() != "jax":
    raise ImportError("Keras was imported with another backend before")

VERSION = f"keras {keras.__version__}"

# parameters more than Cutaway's: Keras's GRU has two biases for each gate
APART = {"character GRU 256": 2 * 256}


def chain(x, *steps):
    for step in steps:
        x = step(x)
    return x


def batch_norm():
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def lenet(x):
    return chain(
        x,
        layers.Conv2D(6, 5, padding="same"), layers.ReLU(), layers.MaxPooling2D(2),
        layers.Conv2D(16, 5), layers.ReLU(), layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(120), layers.ReLU(), layers.Dense(84), layers.ReLU(), layers.Dense(10),
    )  # fmt: skip


def residual_block(x, n_in, n_out, stride):
    conv = partial(layers.Conv2D, padding="same", use_bias=False)
    body = chain(
        x,
        conv(n_out, 3, strides=stride), batch_norm(), layers.ReLU(),
        conv(n_out, 3), batch_norm(),
    )  # fmt: skip
    if stride != 1 or n_in != n_out:
        x = chain(x, conv(n_out, 1, strides=stride), batch_norm())
    return layers.ReLU()(layers.Add()([body, x]))


def resnet18(x):
    x = chain(x, layers.Conv2D(64, 3, padding="same", use_bias=False), batch_norm(), layers.ReLU())
    for sizes in RESNET:
        x = residual_block(x, *sizes)
    return chain(x, layers.GlobalAveragePooling2D(), layers.Dense(10))


def mobilenet(x):
    conv = partial(layers.Conv2D, padding="same", use_bias=False)
    x = chain(x, conv(32, 3), batch_norm(), layers.ReLU())
    for _, n_out, stride in SEPARABLE:
        x = chain(
            x,
            layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False),
            batch_norm(), layers.ReLU(),
            conv(n_out, 1), batch_norm(), layers.ReLU(),
        )  # fmt: skip
    return chain(x, layers.GlobalAveragePooling2D(), layers.Dense(10))


def unet(x):
    def double(x, n):
        conv = partial(layers.Conv2D, n, 3, padding="same")
        return chain(x, conv(), layers.ReLU(), conv(), layers.ReLU())

    skips = []
    for n in LEVELS:
        skips.append(double(x, n))
        x = layers.MaxPooling2D(2)(skips[-1])
    x = double(x, 2 * LEVELS[-1])
    for n, skip in zip(reversed(LEVELS), reversed(skips), strict=True):
        x = layers.Concatenate()([skip, layers.Conv2DTranspose(n, 2, strides=2)(x)])
        x = double(x, n)
    return layers.Conv2D(2, 1)(x)


def lstm(x):
    return chain(x, layers.LSTM(128, return_sequences=True), layers.LSTM(128), layers.Dense(10))


def gru(x):
    return chain(
        x, layers.Embedding(65, 64), layers.GRU(256, return_sequences=True), layers.Dense(65)
    )


def transformer(x):
    norm = partial(layers.LayerNormalization, epsilon=1e-5)
    for _ in range(4):
        z = norm()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(8, 32)(z, z)])
        z = chain(x, norm(), layers.Dense(1024, activation="gelu"), layers.Dense(256))
        x = layers.Add()([x, z])
    return chain(x, norm(), layers.GlobalAveragePooling1D(), layers.Dense(10))


def wavenet(x):
    x = layers.Conv1D(64, 1)(x)
    skips = []
    for dilation in DILATIONS:
        z = layers.Conv1D(128, 2, dilation_rate=dilation, padding="causal")(x)
        z = keras.ops.tanh(z[..., :64]) * keras.ops.sigmoid(z[..., 64:])
        y = layers.Conv1D(128, 1)(z)
        x = x + y[..., :64]
        skips.append(y[..., 64:])
    return chain(
        layers.Add()(skips),
        layers.ReLU(), layers.Conv1D(64, 1), layers.ReLU(), layers.Conv1D(256, 1),
    )  # fmt: skip


NETWORKS = {
    "LeNet-like CNN": lenet,
    "ResNet-18": resnet18,
    "depthwise-separable CNN": mobilenet,
    "U-Net": unet,
    "LSTM 2 x 128": lstm,
    "character GRU 256": gru,
    "transformer encoder": transformer,
    "WaveNet": wavenet,
}


class Side:
    """A network of Keras with its compiled step."""

    def __init__(self, case, x, y):
        import jax

        keras.utils.set_random_seed(0)
        inputs = keras.Input(x.shape[1:], dtype=x.dtype.name)
        self.net = keras.Model(inputs, NETWORKS[case.name](inputs))
        self.net.compile(
            optimizer=keras.optimizers.Adam(1e-3),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self.parameters = sum(w.value.size for w in self.net.trainable_weights)
        self.x, self.y, self.row = map(jax.device_put, (x, y, x[:1]))
        began = time.perf_counter()
        self.step()
        self.compile_seconds = time.perf_counter() - began

    def step(self):
        return self.net.train_on_batch(self.x, self.y)

    def infer(self):
        return self.net.predict_on_batch(self.row)

    def train(self, mode):
        """Nothing to do: Keras's two calls know which they are."""
