"""Autoencoders: networks that reconstruct their input through a bottleneck, the code.

    dense           encoder n_0, n_1, ..., n_k; decoder n_k, ..., n_1, n_0; ReLU in between, none
                    at the code and at the output
    convolutional   encoder, per stage: 3 x 3 convolution, stride 2, ReLU: halves height and width;
                    decoder, per stage: 4 x 4 transposed convolution, stride 2, ReLU: doubles them;
                    dense layers to and from the code
    variational     the encoder outputs mean μ and ln σ² of each feature of the code;
                    z = μ + σ ε, ε ~ N(0, 1); the decoder reads z
                    L = E[-ln p(x | z)] + β KL(N(μ, σ²) ‖ N(0, 1)),  β = 1 in the paper

    parameters      dense 784-128-32: encoder 100,480 + 4,128, decoder 4,224 + 101,136 = 209,968

Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks", Science
313 (here trained end to end, without their layer-by-layer pretraining).
Kingma & Welling 2014, "Auto-encoding variational Bayes", arXiv:1312.6114.
Higgins et al. 2017, "β-VAE: learning basic visual concepts with a constrained variational
framework", ICLR.
"""

import itertools
import math

import jax
import numpy as np

from cutaway import ops
from cutaway.engine import Tensor, no_grad
from cutaway.errors import OptionError, ShapeError, expect_axis, expect_range
from cutaway.losses import binary_cross_entropy_with_logits, gaussian_kl_divergence
from cutaway.models.perceptron import mlp
from cutaway.nn import Buffer, Conv2d, ConvTranspose2d, Flatten, Linear, Module, ReLU, Sequential
from cutaway.nn import init as initializers
from cutaway.nn.random import new_key


class Autoencoder(Module):
    """decoder(encoder(x)); train it with the input as the target: `trainer.fit(x, x)`.

    Args:
        encoder: Module, x -> code.
        decoder: Module, code -> reconstruction in the shape of x.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import dense_autoencoder
        >>> net = dense_autoencoder((784, 128, 32))
        >>> net.encoder(np.zeros((2, 784))).shape, net(np.zeros((2, 784))).shape
        ((2, 32), (2, 784))
    """

    def __init__(self, encoder: Module, decoder: Module):
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, x):
        return self.decoder(self.encoder(x))


class VariationalAutoencoder(Module):
    """An autoencoder with a stochastic code: codes sampled from N(0, 1) decode to new rows.

    In training z = μ + σ ε with a new ε for every row and step (the reparameterization trick,
    through which gradients reach μ and σ); in evaluation z = μ.

    An ordinary Trainer trains it, with the input as the target; the history has a column for each
    of the two terms of the loss, "loss_reconstruction" and "loss_kl":

        trainer = ct.Trainer(net, loss=net.loss)
        trainer.fit(x, x)

    Args:
        encoder: Module, x -> (batch, 2 latent_features): μ, then ln σ².
        decoder: Module, (batch, latent_features) -> logits (or means, see reconstruction) of x.
        latent_features: size of the code.
        beta: weight β of the divergence; larger values give simpler codes and blurrier images.
        reconstruction: loss (prediction, target, reduction=) of each value of x: by default
            -ln p of a Bernoulli distribution with the decoder's logit, for x in [0, 1];
            `mean_squared_error` for unbounded x (a normal distribution with variance 1/2).

    Shapes:
        x: (batch, ...)
        returns: (y, μ, ln σ²): y, the decoder's output, in the shape of x; μ and ln σ² each
            (batch, latent_features)

    Example:
        >>> import numpy as np
        >>> from cutaway.models import dense_vae
        >>> net = dense_vae((784, 128, 8))
        >>> y, mean, log_variance = net(np.zeros((2, 784)))
        >>> y.shape, mean.shape, net.sample(5).shape
        ((2, 784), (2, 8), (5, 784))
    """

    def __init__(
        self,
        encoder: Module,
        decoder: Module,
        latent_features: int,
        *,
        beta: float = 1.0,
        reconstruction=binary_cross_entropy_with_logits,
    ):
        expect_range(latent_features, what="latent_features", least=1)
        expect_range(beta, what="beta", least=0, below=math.inf)
        self.encoder = encoder
        self.decoder = decoder
        self.latent_features = latent_features
        self.beta = beta
        self.reconstruction = reconstruction
        self.key = Buffer(new_key())

    def encode(self, x):
        """(μ, ln σ²) of x, each (batch, latent_features)."""
        code = self.encoder(x)
        both = 2 * self.latent_features
        expect_axis(code, -1, both, where=f"{self.label()}: the code", name="2 latent_features")
        return code[..., : self.latent_features], code[..., self.latent_features :]

    def forward(self, x):
        mean, log_variance = self.encode(x)
        z = mean
        if self.training:
            self.key.data, drawn = jax.random.split(self.key.data)
            z = mean + ops.exp(0.5 * log_variance) * Tensor(
                jax.random.normal(drawn, mean.shape, mean.dtype)
            )
        return self.decoder(z), mean, log_variance

    def loss(self, prediction, target) -> dict:
        """{"reconstruction": Σ of a row's errors, "kl": β KL}, means over the rows.

        Their sum is the upper bound on -ln p(x), for β = 1.
        """
        y, mean, log_variance = prediction
        rows = y.shape[0]
        if math.prod(target.shape) != y.size:
            raise ShapeError(
                f"the decoder outputs {y.size // rows} values per row, the targets have shape "
                f"{target.shape}",
                expected="targets with as many values per row as the decoder outputs",
                fix="build the decoder for the shape of the inputs, and pass them as targets",
            )
        error = self.reconstruction(y, target.reshape(y.shape), reduction="sum") / rows
        return {
            "reconstruction": error,
            "kl": self.beta * gaussian_kl_divergence(mean, log_variance),
        }

    def reconstruct(self, x) -> np.ndarray:
        """The decoder's reconstruction of x from the mean of its code, in the shape of x."""
        with no_grad():
            return self._shown(self.decoder(self.encode(x)[0]))

    def sample(self, count: int, *, seed: int = 0) -> np.ndarray:
        """New rows, decoded from codes sampled from N(0, 1)."""
        expect_range(count, what="count", least=1)
        z = np.random.default_rng(seed).normal(size=(count, self.latent_features))
        with no_grad():
            return self._shown(self.decoder(z.astype(np.float32)))

    def _shown(self, y) -> np.ndarray:
        is_bernoulli = self.reconstruction is binary_cross_entropy_with_logits
        return (ops.sigmoid(y) if is_bernoulli else y).numpy()


def dense_autoencoder(sizes, *, activation=ReLU) -> Autoencoder:
    """A dense encoder of the given sizes, and its mirror image as decoder.

    Args:
        sizes: (inputs, hidden, ..., code).
        activation: class of the hidden activation layers.

    Example:
        >>> from cutaway.models import dense_autoencoder
        >>> dense_autoencoder((784, 128, 32)).summary().total
        209968
    """
    sizes = tuple(sizes)
    return Autoencoder(mlp(sizes, activation=activation), mlp(sizes[::-1], activation=activation))


def dense_vae(sizes, *, activation=ReLU, **options) -> VariationalAutoencoder:
    """Like dense_autoencoder, with a stochastic code.

    Args:
        sizes: (inputs, hidden, ..., code).
        activation: class of the hidden activation layers.
        options: beta and reconstruction, of VariationalAutoencoder.
    """
    sizes = tuple(sizes)
    encoder = mlp((*sizes[:-1], 2 * sizes[-1]), activation=activation)
    decoder = mlp(sizes[::-1], activation=activation)
    return VariationalAutoencoder(encoder, decoder, sizes[-1], **options)


def convolutional_autoencoder(shape, channels=(16, 32), code: int = 32) -> Autoencoder:
    """Encoder of convolutions with stride 2, decoder of transposed convolutions.

    Args:
        shape: (height, width, channels) of the images; height and width must be divisible by 2
            once per stage.
        channels: of the stages.
        code: size of the code.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import convolutional_autoencoder
        >>> net = convolutional_autoencoder((28, 28, 1))
        >>> net(np.zeros((2, 28, 28, 1))).shape
        (2, 28, 28, 1)
    """
    return Autoencoder(_encoder(shape, channels, code), _decoder(shape, channels, code))


def convolutional_vae(
    shape, channels=(16, 32), code: int = 32, **options
) -> VariationalAutoencoder:
    """Like convolutional_autoencoder, with a stochastic code.

    Args:
        shape, channels, code: see convolutional_autoencoder.
        options: beta and reconstruction, of VariationalAutoencoder.
    """
    encoder, decoder = _encoder(shape, channels, 2 * code), _decoder(shape, channels, code)
    return VariationalAutoencoder(encoder, decoder, code, **options)


class FromFeatures(Module):
    """(batch, features) reshaped to images: the inverse of Flatten."""

    def __init__(self, shape):
        self.shape = tuple(shape)

    def forward(self, x):
        return x.reshape(x.shape[0], *self.shape)

    def describe(self):
        return str(self.shape)


def _encoder(shape, channels, code) -> Sequential:
    small = _smallest(shape, channels)
    layers = []
    for n_in, n_out in itertools.pairwise((shape[-1], *channels)):
        conv = Conv2d(n_in, n_out, 3, stride=2, padding=1, init=initializers.he_uniform)
        layers += [conv, ReLU()]
    return Sequential(*layers, Flatten(), Linear(math.prod(small), code))


def _decoder(shape, channels, code) -> Sequential:
    small = _smallest(shape, channels)
    dense = Linear(code, math.prod(small), init=initializers.he_uniform)
    layers = [dense, ReLU(), FromFeatures(small)]
    for n_in, n_out in itertools.pairwise((*reversed(channels), shape[-1])):
        layers += [ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1), ReLU()]
    return Sequential(*layers[:-1])  # no activation after the last: outputs are unbounded


def _smallest(shape, channels) -> tuple:
    """The shape after all stages."""
    times = 2 ** len(channels)
    if len(shape) != 3 or not channels or shape[0] % times or shape[1] % times:
        raise OptionError(
            f"images of shape {tuple(shape)} with {len(channels)} stages",
            expected=f"(height, width, channels), height and width divisible by {times}",
            fix="crop or pad the images, or use fewer stages",
        )
    return shape[0] // times, shape[1] // times, channels[-1]
