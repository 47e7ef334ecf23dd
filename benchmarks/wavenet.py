"""Generation by WaveNet with and without kept activations: times, and that the samples are equal.

    python -m benchmarks.wavenet [--samples 1000] [--rounds 3]

Without: for every sample the network runs over its whole receptive field, and the head at the last
place alone; one compiled loop, as with. Both in one process, in turns; medians. With it, a whole
second of sound is made, and the time holds the tracing of the loop; without it, --samples of them.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

import cutaway as ct
from cutaway.engine import Tensor, no_grad
from cutaway.models import WaveNet
from cutaway.models.wavenet import CYCLE

SECOND = 8000  # samples
NETWORKS = {
    "18 blocks of 32 (examples/wavenet_speech.py)": {
        "channels": 32, "skip_channels": 64, "dilations": CYCLE[:9] * 2
    },
    "20 blocks of 64 (benchmarks/networks.py)": {
        "channels": 64, "skip_channels": 64, "dilations": CYCLE * 2
    },
}  # fmt: skip


def without_cache(net, length: int, prompt, seed: int):
    """A function () -> codes, the receptive field computed anew for every sample."""
    field = net.receptive_field

    def last_logits(codes):
        x, total = net.first(Tensor(codes)), 0
        for block in net.blocks:
            x, skip = block(x)
            total = skip + total
        return net.head(total[:, -1]).data

    def write(prompt, key):
        def step(codes, t):
            gumbel = jax.random.gumbel(jax.random.fold_in(key.data, t), (1, 256))
            code = (last_logits(codes) + gumbel).argmax(axis=-1).astype(jnp.int32)
            return jnp.concatenate([codes[:, 1:], code[:, None]], axis=1), code

        start = prompt.data[:, -field:]
        steps = jnp.arange(length) + prompt.shape[1] - 1
        return Tensor(jax.lax.scan(step, start, steps)[1].T)

    run = ct.jit(write, net, donate=False)

    def generate():
        with no_grad():
            return run(prompt, jax.random.PRNGKey(seed)).numpy()

    return generate


def seconds(function) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main(samples: int, rounds: int):
    for name, options in NETWORKS.items():
        ct.seed(0)
        net = WaveNet(**options)
        prompt = np.random.default_rng(0).integers(0, 256, (1, net.receptive_field))
        prompt = prompt.astype(np.int32)

        def fast(net=net, prompt=prompt):
            return net.generate(SECOND, prompt=prompt, seed=1)

        slow = without_cache(net, samples, prompt, seed=1)
        equal = np.array_equal(fast()[:, :samples], slow())
        times = [(seconds(fast) / SECOND, seconds(slow) / samples) for _ in range(rounds)]
        ratio = statistics.median(b / a for a, b in times)
        a, b = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        print(
            f"{name}: receptive field {net.receptive_field:,}; {a:.3f} ms a sample with, "
            f"{b:.3f} ms without: {ratio:.1f} times as fast; samples "
            f"{'equal' if equal else 'DIFFER'}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    main(options.samples, options.rounds)
