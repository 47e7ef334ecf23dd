"""Students: from hours of study, play and sleep to passed or not. From scratch, then on the table.

    python examples/students.py

First the seven rows of the textbooks with a 3-2-1 network of sigmoids, step by step as one writes
it by hand; then the table that comes with the package, from file to saved run in one call.
"""

import tempfile
from pathlib import Path

import numpy as np

import cutaway as ct

# hours a day of study, play, sleep -> whether the student passed
X = np.array([[2, 4, 9], [1, 2, 8], [5, 1, 9], [2, 2, 5], [7, 3, 7], [2, 5, 8], [4, 3, 7]])
Y = np.array([1, 0, 1, 0, 1, 0, 1])


def by_hand(steps: int = 3000) -> float:
    """Gradient descent on the whole set, in a loop of one's own; returns the last loss."""
    ct.seed(1)
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1), ct.Sigmoid())
    optimizer = ct.SGD(net, lr=0.5)
    x = (X - X.mean(axis=0)) / X.std(axis=0)

    def step(x, y):
        loss = ct.losses.binary_cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    first = step(x, Y)  # eagerly: every number can be looked at
    compiled = ct.jit(step, net, optimizer)  # the same step as one program
    for _ in range(steps):
        loss = compiled(x, Y)
    print(f"3-2-1 by hand: loss {first.item():.3f} at first, {loss.item():.3f} at last")
    return loss.item()


def from_table(folder, epochs: int = 200):
    """The students table of the package, with the defaults; returns the run."""
    options = ct.TableOptions(epochs=epochs)
    run = ct.train_table(target="passed", options=options, out=Path(folder) / "students")
    print(f"table: {run.metrics['validation']['accuracy']:.1%} right on held-out rows")
    return run


def main():
    by_hand()
    with tempfile.TemporaryDirectory() as folder:
        from_table(folder)


if __name__ == "__main__":
    main()
