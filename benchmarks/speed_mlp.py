"""Multilayer perceptrons of speed.py: against PyTorch eager and scikit-learn, taking turns.

Every step gathers its batch by index from data in memory, as in real training. The ratio is taken
round by round, so that it holds when the machine's speed drifts.
"""

import itertools
import statistics
import time
import warnings

import numpy as np

CASES = [  # sizes, batch, what was asked for: times PyTorch eager
    ((4, 3, 2, 1), 32, 40.0),
    ((20, 64, 64, 1), 32, 12.0),
    ((784, 512, 256, 10), 128, 1.3),
]
STEPS = 200
CEILING = 1024  # edge of the matrix product


def data(sizes, batch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch * STEPS, sizes[0])).astype(np.float32)
    if sizes[-1] == 1:
        return x, rng.normal(size=(len(x), 1)).astype(np.float32)
    return x, rng.integers(0, sizes[-1], len(x)).astype(np.int32)


def cutaway_epoch(sizes, batch):
    import cutaway as ct
    from cutaway.train.blocks import ArrayRows, to_device

    x, y = data(sizes, batch)
    ct.seed(0)
    net = ct.models.mlp(sizes)
    losses = ct.losses
    loss = (
        losses.mean_squared_error
        if sizes[-1] == 1
        else losses.sparse_categorical_cross_entropy_with_logits
    )
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net))
    memory = ArrayRows(*to_device(x, y))
    rng = np.random.default_rng(0)

    def epoch():
        net.train()
        for x, y, order, steps in memory.epoch(rng, batch):
            for _ in trainer._runner.steps.run(x, y, order, steps):
                pass

    return epoch


def torch_epoch(sizes, batch):
    import torch

    torch.manual_seed(0)
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(net.parameters())
    x, y = (torch.from_numpy(a) for a in data(sizes, batch))
    y = y.long() if sizes[-1] > 1 else y
    loss = torch.nn.CrossEntropyLoss() if sizes[-1] > 1 else torch.nn.MSELoss()

    def epoch():
        order = torch.randperm(len(x))
        for start in range(0, len(x), batch):
            rows = order[start : start + batch]
            optimizer.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()

    return epoch


def sklearn_epoch(sizes, batch):
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    x, y = data(sizes, batch)
    kind = MLPRegressor if sizes[-1] == 1 else MLPClassifier
    net = kind(hidden_layer_sizes=sizes[1:-1], batch_size=batch, max_iter=1, random_state=0)

    def epoch():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(x, y.ravel())

    return epoch


def product_seconds():
    """Seconds of one matrix product, in JAX, beside which the share is taken."""
    import jax
    import jax.numpy as jnp

    a = jnp.asarray(np.random.default_rng(0).normal(size=(CEILING, CEILING)).astype(np.float32))
    multiply = jax.jit(jnp.matmul)
    multiply(a, a).block_until_ready()

    def run():
        began = time.perf_counter()
        for _ in range(5):
            multiply(a, a).block_until_ready()
        return (time.perf_counter() - began) / 5

    return run


def flops(sizes, batch):
    """Multiply-adds times two of a step: forward, weight gradients, and input gradients of all
    layers but the first."""
    products = [a * b for a, b in itertools.pairwise(sizes)]
    return 2 * batch * (3 * sum(products) - products[0])


def timed(epoch):
    began = time.perf_counter()
    epoch()
    return (time.perf_counter() - began) / STEPS


def run(rounds: int) -> list:
    """Time all cases, print them as a table, and return them as dicts."""
    product = product_seconds()
    results = []
    print(f"{STEPS} steps a round, {rounds} rounds, Adam; µs a step (median)")
    print(
        f"{'network':<18}{'batch':>6}{'cutaway':>10}{'steps/s':>10}{'PyTorch':>10}{'sklearn':>10}"
        f"{'x PyTorch':>11}{'(spread)':>15}{'asked':>7}{'x sklearn':>11}{'ceiling':>9}"
    )
    for sizes, batch, asked in CASES:
        epochs = [make(sizes, batch) for make in (cutaway_epoch, torch_epoch, sklearn_epoch)]
        for epoch in epochs:
            epoch()  # compile, warm up
            epoch()
        taken = []
        for _ in range(rounds):
            ceiling = 2 * CEILING**3 / product()
            taken.append([timed(epoch) for epoch in epochs] + [ceiling])
        ours, torch_s, sklearn_s, ceiling = (
            statistics.median(column) for column in zip(*taken, strict=True)
        )
        ratios = sorted(r[1] / r[0] for r in taken)
        share = statistics.median(flops(sizes, batch) / r[0] / r[3] for r in taken)
        result = {
            "network": "-".join(map(str, sizes)),
            "batch": batch,
            "cutaway_us": ours * 1e6,
            "steps_per_second": 1 / ours,
            "torch_us": torch_s * 1e6,
            "sklearn_us": sklearn_s * 1e6,
            "times_torch": statistics.median(ratios),
            "times_torch_spread": [ratios[0], ratios[-1]],
            "times_torch_asked": asked,
            "times_sklearn": statistics.median(r[2] / r[0] for r in taken),
            "ceiling_gflops": ceiling / 1e9,
            "share_of_ceiling": share,
        }
        results.append(result)
        spread = f"({ratios[0]:.1f} - {ratios[-1]:.1f})"
        print(
            f"{result['network']:<18}{batch:>6}{ours * 1e6:>10.1f}{1 / ours:>10,.0f}"
            f"{torch_s * 1e6:>10.1f}{sklearn_s * 1e6:>10.1f}{result['times_torch']:>11.1f}"
            f"{spread:>15}{asked:>7.1f}{result['times_sklearn']:>11.1f}{share:>9.1%}"
        )
    print(f"ceiling: a {CEILING}³ matrix product at {ceiling / 1e9:.0f} GFLOP/s")
    return results
