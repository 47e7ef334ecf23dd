"""WaveNet: generates audio sample by sample, each conditioned on all previous ones.

    part            computes                                              size
    first           embedding of the sample's level, one of 256           channels
    block 1 ... n   z = tanh(W_f * x + V_f h) ⊙ σ(W_g * x + V_g h)        channels
      (dilation d)  residual output x + W_x z, input of the next block    channels
                    skip output W_s z, added to the sum of skips          skip_channels
    head            ReLU, 1 x 1, ReLU, 1 x 1 of the sum of all skips      levels
    softmax         p(level of the next sample | all samples so far)

    * causal convolution of kernel_size taps, d apart; h the conditioning
    dilations       1, 2, 4, ..., 512, repeated (section 2.1)
    receptive field 1 + (kernel_size - 1) Σ d samples: 1,024 for one cycle of 1 ... 512

van den Oord et al. 2016, "WaveNet: a generative model for raw audio", arXiv:1609.03499, sections
2.1 to 2.5, figure 4. The paper gives no widths. Differences: the first convolution reads one level
at a time (on a one-hot vector it is an embedding), initialized with similar vectors for neighboring
levels; the last block has no residual output, which nothing would read.

`generate` caches the past inputs of each block, so a new sample costs one column of the network
instead of its whole receptive field: Le Paine et al. 2016, "Fast WaveNet generation algorithm",
arXiv:1611.09482.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from cutaway import ops
from cutaway.engine import Tensor, no_grad
from cutaway.errors import DataError, OptionError, ShapeError, expect_range
from cutaway.nn import Conv1d, Embedding, Linear, Module, ReLU, Sequential, init, jit

CYCLE = tuple(2**i for i in range(10))  # 1, 2, 4, ..., 512


class WaveBlock(Module):
    """Gated dilated convolution with a residual and a skip output.

        z = tanh(W_f * x + V_f h) ⊙ σ(W_g * x + V_g h);  residual = x + W_x z,  skip = W_s z

    Args:
        channels: of x and z.
        skip_channels: of the skip.
        dilation: samples from one tap to the next.
        kernel_size: number of taps.
        local_features, global_features: sizes of the conditioning; 0 for none.
        gated: whether z has the factor σ; without it z = tanh(W_f * x + V_f h).
        last: whether no block follows; then there is only the skip output.

    Shapes:
        x: (batch, time, channels)
        local: (batch, time, local_features)
        whole: (batch, global_features)
        returns: residual (batch, time, channels), None for the last; skip (batch, time,
            skip_channels)
    """

    def __init__(
        self,
        channels: int,
        skip_channels: int,
        *,
        dilation: int,
        kernel_size: int = 2,
        local_features: int = 0,
        global_features: int = 0,
        gated: bool = True,
        last: bool = False,
    ):
        expect_range(kernel_size, what="WaveBlock: kernel_size", least=2)
        wide = 2 * channels if gated else channels
        self.gated = gated
        self.last = last
        # W_f and W_g concatenated, W_x and W_s concatenated: one product each
        self.taps = Conv1d(channels, wide, kernel_size, dilation=dilation, padding="causal")
        self.local = Linear(local_features, wide, bias=False) if local_features else None
        self.whole = Linear(global_features, wide, bias=False) if global_features else None
        self.outputs = Linear(channels, skip_channels if last else channels + skip_channels)

    @property
    def dilation(self) -> int:
        return self.taps.dilation[0]

    @property
    def reach(self) -> int:
        """Number of samples back that its first tap reads."""
        return self.dilation * (self.taps.weight.shape[0] - 1)

    def forward(self, x, local=None, whole=None):
        return self._outputs(x, self._conditioned(self.taps(x), local, whole))

    def step(self, x, past, t, local=None, whole=None):
        """A single time step: forward's results at time t, from x at that time and the past.

        Args:
            x: (batch, channels).
            past: (reach, batch, channels) array: x of time s at index s modulo reach, zeros for
                times before the start.
            t: the time, from 0.

        Returns:
            (residual, skip, the past with x in it)
        """
        n = self.taps.weight.shape[0]
        d = self.dilation
        back = [past[(t - d * j) % self.reach] for j in range(n - 1, 0, -1)]
        window = ops.concatenate([*map(Tensor, back), x], axis=-1)
        z = window @ self.taps.weight.reshape(-1, self.taps.weight.shape[-1]) + self.taps.bias
        residual, skip = self._outputs(x, self._conditioned(z, local, whole))
        return residual, skip, past.at[t % self.reach].set(x.data)

    def _conditioned(self, z, local, whole):
        if self.local is not None:
            z = z + self.local(local)
        if self.whole is not None:
            h = self.whole(whole)
            z = z + (h if z.ndim == 2 else ops.expand_dims(h, axis=1))
        return z

    def _outputs(self, x, z):
        n = x.shape[-1]
        z = ops.tanh(z[..., :n]) * ops.sigmoid(z[..., n:]) if self.gated else ops.tanh(z)
        y = self.outputs(z)
        return (None, y) if self.last else (x + y[..., :n], y[..., n:])

    def describe(self):
        return f"dilation={self.dilation}"


class WaveNet(Module):
    """A stack of gated dilated causal convolutions over quantized audio samples.

    Train it on windows: x the codes of `mu_law_encode`, y the same codes one sample later,
    loss sparse_categorical_cross_entropy_with_logits over all positions.

    Args:
        levels: number of quantization levels.
        channels: of the blocks.
        skip_channels: of the sum of skips, and of the head.
        dilations: of the blocks, in order.
        kernel_size: taps of each block.
        local_features: size of the local conditioning of each sample, for example a log-mel
            spectrogram upsampled to the sample rate by `ct.ops.upsample_nearest` or, as in the
            paper, by a learned transposed convolution; 0: none.
        identities: number of speakers (digits, instruments) for global conditioning; 0: none.

    Shapes:
        x: (batch, time) integers, codes from 0 to levels - 1
        local: (batch, time, local_features); local[:, t] conditions the prediction y[:, t]
        identity: (batch,) integers from 0 to identities - 1
        y: (batch, time, levels) logits; y[:, t] predicts x[:, t + 1]

    Example:
        >>> import numpy as np
        >>> from cutaway.models import WaveNet
        >>> net = WaveNet(channels=8, skip_channels=16, dilations=(1, 2, 4, 8))
        >>> net(np.zeros((2, 100), np.int32)).shape
        (2, 100, 256)
        >>> net.receptive_field
        16
        >>> net.generate(5, seed=0).shape
        (1, 5)
    """

    def __init__(
        self,
        *,
        levels: int = 256,
        channels: int = 32,
        skip_channels: int = 128,
        dilations=CYCLE * 2,
        kernel_size: int = 2,
        local_features: int = 0,
        identities: int = 0,
    ):
        dilations = tuple(dilations)
        expect_range(levels, what="WaveNet: levels", least=2)
        expect_range(channels, what="WaveNet: channels", least=1)
        expect_range(skip_channels, what="WaveNet: skip_channels", least=1)
        if not dilations or any(int(d) != d or d < 1 for d in dilations):
            raise OptionError(
                f"WaveNet: dilations are {dilations}",
                expected="at least one integer >= 1, one per block",
                fix="for example (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)",
            )
        self.local_features = local_features
        self.identities = identities
        self.first = Embedding(levels, channels)
        self.first.weight.data = jnp.asarray(_neighbors(levels, channels))
        self.identity = Embedding(identities, channels) if identities else None
        self.blocks = [
            WaveBlock(
                channels,
                skip_channels,
                dilation=d,
                kernel_size=kernel_size,
                local_features=local_features,
                global_features=channels if identities else 0,
                last=i == len(dilations) - 1,
            )
            for i, d in enumerate(dilations)
        ]
        self.head = Sequential(
            ReLU(),
            Linear(skip_channels, skip_channels, init=init.he_uniform),
            ReLU(),
            Linear(skip_channels, levels),
        )

    @property
    def receptive_field(self) -> int:
        """Number of samples that a prediction depends on: 1 + (kernel_size - 1) Σ dilation."""
        return 1 + sum(block.reach for block in self.blocks)

    def forward(self, x, local=None, identity=None):
        if x.ndim != 2:
            raise ShapeError(
                f"{self.label()}: the codes have shape {x.shape}",
                expected="(batch, time), integers",
                fix="for a single recording: codes[None]; mu_law_encode turns samples into codes",
            )
        self._expect_conditions(local, identity, x.shape)
        whole = None if self.identity is None else self.identity(identity)
        return self.head(self._skips(x, local, whole)[0])

    def _skips(self, x, local, whole):
        """The sum of all skips, and the input of each block."""
        x, skips, inputs = self.first(x), [], []
        for block in self.blocks:
            inputs.append(x)
            x, skip = block(x, local, whole)
            skips.append(skip)
        return _added(skips), inputs

    def read(self, codes, local=None, whole=None):
        """(logits of the next sample, the pasts of all blocks), for (batch, time) codes."""
        total, inputs = self._skips(codes, local, whole)
        pasts = [_kept(x.data, block.reach) for x, block in zip(inputs, self.blocks, strict=True)]
        return self.head(total[:, -1]), pasts

    def step(self, code, pasts, t, local=None, whole=None):
        """(logits of the next sample, the pasts of all blocks), for a single time step.

        Args:
            code: (batch,), the sample at time t.
            pasts: one array per block, from `read` or the previous step; see WaveBlock.step.
            local: (batch, local_features) of the next sample.
            whole: (batch, channels), the embedding of the identity.
        """
        x, skips, after = self.first(code), [], []
        for block, past in zip(self.blocks, pasts, strict=True):
            x, skip, past = block.step(x, past, t, local, whole)
            skips.append(skip)
            after.append(past)
        return self.head(_added(skips)), after

    def generate(
        self,
        length: int,
        *,
        prompt=None,
        batch: int = 1,
        local=None,
        identity=None,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> np.ndarray:
        """Generate audio: each sample is drawn from softmax(logits / temperature) and fed back.

        The prompt is read in one pass, followed by a compiled loop in which each block caches its
        past inputs. The sample after position t is the argmax of logits / temperature + g, with g
        drawn from the standard Gumbel distribution by the key fold_in(PRNGKey(seed), t).

        Args:
            length: number of samples to generate.
            prompt: (batch, n) preceding codes; by default one sample of silence.
            batch: number of sequences, if there is no prompt.
            local: (batch, n + length - 1, local_features), for a network with local conditioning;
                as in forward, position t conditions the sample at t + 1.
            identity: (batch,), for a network with identities.
            temperature: values below 1 favor probable levels, 0 always takes the most probable.
            seed: random seed.

        Returns:
            (batch, length) int32 codes, without the prompt; `mu_law_decode` turns them into
            samples.

        Raises:
            OptionError: options out of range.
            ShapeError, DataError: an invalid prompt or conditioning.
        """
        expect_range(length, what="length", least=1)
        expect_range(batch, what="batch", least=1)
        expect_range(temperature, what="temperature", least=0, below=math.inf)
        expect_range(seed, what="seed", least=0)
        levels = self.first.weight.shape[0]
        if prompt is None:
            prompt = np.full((batch, 1), levels // 2)
        prompt = np.asarray(prompt, np.int32)
        if prompt.ndim != 2 or not prompt.size:
            raise ShapeError(
                f"the prompt has shape {prompt.shape}",
                expected="(batch, n) with n >= 1 codes per row",
            )
        if prompt.min() < 0 or prompt.max() >= levels:
            raise DataError(
                f"the prompt contains codes from {prompt.min()} to {prompt.max()}",
                expected=f"0 to {levels - 1}, for {levels} levels",
            )
        batch, given = prompt.shape
        self._expect_conditions(local, identity, (batch, given + length - 1))
        if identity is not None:  # in compiled code, values are unknown
            identity = np.asarray(identity)
            if identity.min() < 0 or identity.max() >= self.identities:
                raise DataError(
                    f"the identities range from {identity.min()} to {identity.max()}",
                    expected=f"0 to {self.identities - 1} (set by identities={self.identities})",
                )

        def write(prompt, local, identity, key):
            speakers = self.identity
            whole = None if speakers is None else speakers(identity)
            logits, pasts = self.read(prompt, None if local is None else local[:, :given], whole)
            drawn = _draw(logits.data, key.data, given - 1, temperature)

            def step(carried, item):
                code, pasts = carried
                t, current = item
                current = None if current is None else Tensor(current)
                logits, pasts = self.step(Tensor(code), pasts, t, current, whole)
                following = _draw(logits.data, key.data, t, temperature)
                return (following, pasts), following

            later = None if local is None else jnp.moveaxis(local.data[:, given:], 1, 0)
            times = jnp.arange(given, given + length - 1)
            _, rest = jax.lax.scan(step, (drawn, pasts), (times, later))
            return Tensor(jnp.concatenate([drawn[None], rest]).T)

        with no_grad():
            run = jit(write, self, donate=False)
            return run(prompt, local, identity, jax.random.PRNGKey(seed)).numpy()

    def _expect_conditions(self, local, identity, shape):
        for name, value, size, expected in (
            ("local", local, self.local_features, (*shape, self.local_features)),
            ("identity", identity, self.identities, shape[:1]),
        ):
            found = None if value is None else np.shape(value)
            if found != (expected if size else None):
                raise ShapeError(
                    f"{self.label()}: {name} has shape {found}",
                    expected=f"shape {expected}" if size else "none: the network does not use it",
                    fix=f"pass {name}=..."
                    if size
                    else "build the network with "
                    + ("local_features" if name == "local" else "identities"),
                )


def _added(skips) -> Tensor:
    total = skips[0]
    for skip in skips[1:]:
        total = skip + total
    return total


def _neighbors(levels: int, channels: int) -> np.ndarray:
    """Initial embedding: rows along a line, in the order of the levels, plus a little noise.

    The order of the levels is then present from the start and need not be learned.
    """
    amplitude = np.linspace(-1, 1, levels)[:, None]
    direction = init.normal((1, channels), 1.0)
    return (amplitude * direction + init.normal((levels, channels), 0.02)).astype(np.float32)


def _kept(x, reach: int):
    """The last `reach` time steps of x (batch, time, channels), each at its time modulo reach."""
    time = x.shape[1]
    x = jnp.pad(x, ((0, 0), (max(0, reach - time), 0), (0, 0)))[:, -reach:]
    return jnp.roll(jnp.moveaxis(x, 1, 0), time % reach, axis=0)


def _draw(logits, key, t, temperature: float):
    if temperature == 0:
        return logits.argmax(axis=-1).astype(jnp.int32)
    gumbel = jax.random.gumbel(jax.random.fold_in(key, t), logits.shape, logits.dtype)
    return (logits / temperature + gumbel).argmax(axis=-1).astype(jnp.int32)
