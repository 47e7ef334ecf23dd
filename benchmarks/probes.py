"""What watching a training with train.Probes costs, at the default sampling.

    python -m benchmarks.probes [--seconds S] [--rounds 3] [--only mlp,resnet]

The same training with and without probes, taking turns in one process; all programs are compiled
before. Printed for each: the time of training with probes over that without, median of the rounds,
and the share that the probes themselves say they took, which other work on the machine disturbs
less. The machine must be idle.
"""

import argparse
import statistics
import time

import numpy as np

import cutaway as ct
from benchmarks import networks

ASKED = 0.03


def mlp():
    """A perceptron of 1e6 parameters, batch 128."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128 * 50, 784)).astype(np.float32)
    y = rng.integers(0, 10, len(x)).astype(np.int32)
    return ct.models.mlp((784, 1024, 200, 10)), x, y, 128


def resnet():
    """ResNet-18, pictures of 32 x 32, batch 32."""
    x, y = networks.images(32, 3)(np.random.default_rng(0), 32 * 4)
    return networks.resnet18(), x, y, 32


# seconds of training: the measurements at the start and the end must come in relation to something
CASES = {"mlp": (mlp, 20), "resnet": (resnet, 300)}


def measure(build, seconds, rounds):
    ct.seed(0)
    net, x, y, batch_size = build()
    trainer = ct.Trainer(net, loss=ct.losses.sparse_categorical_cross_entropy_with_logits)
    probes = ct.Probes(x, y)

    def fit(epochs, callbacks):
        began = time.perf_counter()
        trainer.fit(
            x, y, epochs=epochs, batch_size=batch_size, seed=0, callbacks=callbacks, progress=False
        )
        return time.perf_counter() - began

    fit(1, [probes])
    epochs = max(1, round(seconds / (fit(2, []) / 2)))
    ratios, shares = [], []
    for _ in range(rounds):
        plain, watched = fit(epochs, []), fit(epochs, [probes])
        ratios.append(watched / plain - 1)
        shares.append(probes.spent / (watched - probes.spent))
    parameters = net.summary().total
    print(
        f"{build.__name__}: {parameters:,} parameters, {epochs} epochs in {plain:.1f} s; with "
        f"probes {statistics.median(ratios):+.1%} (rounds {', '.join(f'{r:+.1%}' for r in ratios)})"
        f"; measuring took {statistics.median(shares):.1%} at {len(probes.steps)} moments; "
        f"asked {ASKED:.0%}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, help="of one training; by default 20 and 300")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="mlp,resnet")
    options = parser.parse_args()
    for name in options.only.split(","):
        build, seconds = CASES[name]
        measure(build, options.seconds or seconds, options.rounds)


if __name__ == "__main__":
    main()
