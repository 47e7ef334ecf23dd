"""Placement by grade and IQ: Rosenblatt's perceptron and a small network.

    python examples/placement.py [../shared/data/placement/placement.csv]

Without the file, candidates are sampled at random around a line through grade 6, with noise.
"""

import sys

import numpy as np

import cutaway as ct


def drawn(rows: int = 100):
    rng = np.random.default_rng(0)
    grade = rng.normal(6, 1.1, rows).round(1)
    iq = rng.normal(123, 38, rows).round()
    placed = (grade + 0.002 * (iq - 123) + rng.normal(0, 0.2, rows) > 6).astype(int)
    return np.stack([grade, iq], axis=1), placed


def read(path):
    frame = ct.data.read_table(path)
    return frame.select("cgpa", "iq").to_numpy(), frame["placement"].to_numpy()


def main(path=None, epochs: int = 200):
    x, y = drawn() if path is None else read(path)
    x = (x - x.mean(axis=0)) / x.std(axis=0)

    perceptron = ct.Perceptron(2)
    perceptron.fit(x, y, epochs=50)
    by_perceptron = float((perceptron.predict(x) == y).mean())

    ct.seed(0)
    net = ct.Sequential(ct.Linear(2, 4), ct.Tanh(), ct.Linear(4, 1), ct.Sigmoid())
    trainer = ct.Trainer(
        net,
        loss=ct.losses.binary_cross_entropy,
        optimizer=ct.Adam(net, lr=0.02),
        metrics=[ct.metrics.accuracy],
    )
    trainer.fit(x, y, epochs=epochs, batch_size=16, seed=0)
    by_network = trainer.evaluate(x, y)["accuracy"]
    print(f"training accuracy: perceptron {by_perceptron:.0%}, ", end="")
    print(f"2-4-1 network {by_network:.0%}")
    return by_perceptron, by_network


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
