"""Four textbook training problems, reproduced, measured with probes, and fixed.

    python examples/doctor_textbook.py

1. Ten sigmoid layers: the gradient vanishes with the product of their slopes. ReLU fixes it.
2. Weights of 500: the gradient explodes with the product of the weights.
3. ReLU units with a large negative bias are dead. Leaky ReLU revives them.
4. Adagrad's effective learning rate decays to 0; Adadelta's does not.
"""

import itertools

import numpy as np

import cutaway as ct
from cutaway.nn import init
from cutaway.story.text import align, number

LAYERS, WIDTH = 10, 16


def rings(rows=256):
    """Points in the plane; the class is whether a point is outside a circle."""
    x = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    return x, ((x**2).sum(axis=1, keepdims=True) > 1.4).astype(np.float32)


def deep(activation, weights, layers=LAYERS, width=WIDTH):
    """A network with `layers` hidden layers, whose output is a logit."""
    sizes = [2] + [width] * layers
    parts = []
    for n_in, n_out in itertools.pairwise(sizes):
        parts += [ct.Linear(n_in, n_out, init=weights), activation()]
    return ct.Sequential(*parts, ct.Linear(width, 1, init=weights))


def train(net, optimizer, epochs=40):
    """(probes, history) of a training of `net` on the rings."""
    x, y = rings()
    probes = ct.train.Probes(x, y)
    trainer = ct.Trainer(net, loss=ct.losses.binary_cross_entropy_with_logits, optimizer=optimizer)
    history = trainer.fit(
        x, y, epochs=epochs, batch_size=32, callbacks=[probes], seed=0, progress=False
    )
    return probes, history


def layers_of(probes, moment=0):
    """The probes' rows for the layers with weights."""
    return [row for row in probes.at(moment) if row["role"] == "weights"]


def activations_of(probes, moment=0):
    """The probes' rows for the activations."""
    return [row for row in probes.at(moment) if row["role"] == "activation"]


def vanishing():
    """Ten sigmoids, then the fix: (gradient of the first / last layer, slopes, loss) of each."""
    print("1. Ten sigmoid layers")
    x, y = rings()
    loss = ct.losses.binary_cross_entropy_with_logits
    found, tables = [], []
    for activation, weights in ((ct.Sigmoid, init.glorot_uniform), (ct.ReLU, init.he_normal)):
        ct.seed(0)
        net = deep(activation, weights)
        flow = ct.explain(net, x[:32], y[:32], loss=loss).flow()
        slopes = np.array([one.slope for one in flow.layers if one.activation])
        probes, history = train(net, ct.SGD(net, lr=0.1))
        rows = layers_of(probes)
        found.append((rows[0]["grad"] / rows[-1]["grad"], slopes, history["loss"][-1]))
        tables.append([number(row["grad"], 3) for row in rows])
    (ratio, slopes, last), (fixed, _, fixed_last) = found
    running = [number(p, 3) for p in np.cumprod(slopes[::-1])[::-1]]
    bound = [number(0.25**k, 3) for k in range(LAYERS, 0, -1)]
    head = [["layer", "∂L/∂z sigmoid", "product of slopes", "0.25^n", "∂L/∂z ReLU, He"]]
    body = zip(map(str, range(1, LAYERS + 2)), tables[0], [*running, ""], [*bound, ""], tables[1],
               strict=True)  # fmt: skip
    print("\n".join(align([*head, *map(list, body)], ">>>>>")))
    print(f"{LAYERS} slopes of at most 1/4 multiply to {number(slopes.prod())}; with the weights")
    print(f"the first layer gets {number(ratio)} of the last one's gradient: loss {last:.3f}.")
    print(f"With ReLU and He initialization {number(fixed)}: loss {fixed_last:.3f}.\n")
    return found


def exploding(weight=500.0, layers=LAYERS):
    """A chain of sigmoids with weights of 500: growth of the gradient by layer.

    The biases keep each z at 0, where the slope is 1/4: z = 500 · 1/2 - 250. Elsewhere the
    sigmoids would be saturated with a zero gradient, as they are after the first step.
    """
    print(f"2. Weights of {weight:g}")
    net = ct.Sequential(*(part for _ in range(layers) for part in (ct.Linear(1, 1), ct.Sigmoid())))
    for layer in net[::2]:
        layer.weight.data = layer.weight.data * 0 + weight
        layer.bias.data = layer.bias.data - weight / 2
    x = np.full((8, 1), 0.5)
    probes = ct.train.Probes(x, np.ones((8, 1)))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    trainer.fit(x, np.ones((8, 1)), epochs=1, batch_size=8, callbacks=[probes], progress=False)
    before, after = layers_of(probes, 0), layers_of(probes, -1)
    rows = [["layer", "∂L/∂z", "growth", "step: ‖Δw‖", "after it, ∂L/∂z"]]
    for row, later in zip(before, after, strict=True):
        growth = "" if row["growth"] is None else number(row["growth"])
        step = number(row["update"] * row["weight"])
        rows.append([str(row["number"]), number(row["grad"]), growth, step, number(later["grad"])])
    print("\n".join(align(rows, ">>>>>")))
    factor = weight / 4
    ratio = before[0]["grad"] / before[-1]["grad"]
    print(f"Each layer multiplies by w/4 = {factor:g}: {factor:g}^{layers - 1} = "
          f"{number(factor ** (layers - 1))}. After one step the gradient is 0.\n")  # fmt: skip
    return ratio, after


def dying(bias=-10.0):
    """ReLU with a large negative bias, then leaky ReLU with the same: (dead, loss) of each."""
    print(f"3. ReLU with a bias of {bias:g}")
    found = []
    for activation in (ct.nn.ReLU, ct.nn.LeakyReLU):
        ct.seed(0)
        net = deep(activation, init.he_normal, layers=1)
        net[0].bias.data = net[0].bias.data + bias
        probes, history = train(net, ct.Adam(net, lr=0.1), epochs=60)
        before, after = (activations_of(probes, moment)[0] for moment in (0, -1))
        gradient = layers_of(probes)[0]["weight_grad"]
        found.append((after["dead"], gradient, history["loss"][-1]))
        print(f"{activation.__name__:>10}: dead {before['dead']:.0%} before, {after['dead']:.0%} "
              f"after training; ‖∂L/∂W^(1)‖ = {number(gradient, 3)}, loss "
              f"{history['loss'][-1]:.3f}")  # fmt: skip
    print()
    return found


def adaptive_rates(epochs=128):
    """Adagrad, then Adadelta: {name: ([(step, rate of the first layer)], last loss)}."""
    print("4. Effective learning rate of layer 1 with Adagrad and Adadelta")
    x, y = rings()
    found = {}
    for name, make in (("Adagrad", ct.optim.Adagrad), ("Adadelta", ct.optim.Adadelta)):
        ct.seed(0)
        net = deep(ct.ReLU, init.he_normal, layers=2)
        probes = ct.train.Probes(x, y)
        trainer = ct.Trainer(
            net, loss=ct.losses.binary_cross_entropy_with_logits, optimizer=make(net)
        )
        rates, done = [], 0
        while done < epochs:  # to epochs 1, 2, 4, ...; the optimizer keeps its state
            history = trainer.fit(x, y, epochs=max(1, done), batch_size=32, callbacks=[probes],
                                  seed=done, progress=False)  # fmt: skip
            done += len(history)
            row = probes.at(-1)[0]
            rates.append((row["step"], row["step_size"]))
        found[name] = rates, history["loss"][-1]
    steps = [str(step) for step, _ in found["Adagrad"][0]]
    rates = [[name, *(number(rate, 2) for _, rate in of[0])] for name, of in found.items()]
    print("\n".join(align([["step", *steps], *rates], "<" + ">" * len(steps))))
    for name, (_, last) in found.items():
        print(f"{name}: loss {last:.3f}")
    return found


def main():
    """All four, in sequence."""
    return vanishing(), exploding(), dying(), adaptive_rates()


if __name__ == "__main__":
    main()
