"""Students: pass or fail, by hours of study, play and sleep. A custom loop, then a table.

    python examples/students.py

First the seven textbook rows with a 3-2-1 sigmoid network and a custom training loop; then the
bundled table, from file to saved run in one call.
"""

import tempfile
from pathlib import Path

import numpy as np

import cutaway as ct

# hours of study, play and sleep per day -> whether the student passed
X = np.array([[2, 4, 9], [1, 2, 8], [5, 1, 9], [2, 2, 5], [7, 3, 7], [2, 5, 8], [4, 3, 7]])
Y = np.array([1, 0, 1, 0, 1, 0, 1])


def custom_loop(steps: int = 3000) -> float:
    """Full-batch gradient descent in a custom loop; returns the last loss."""
    ct.seed(1)
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1), ct.Sigmoid())
    optimizer = ct.SGD(net, lr=0.5)
    x = (X - X.mean(axis=0)) / X.std(axis=0)

    def step(x, y):
        loss = ct.losses.binary_cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    first = step(x, Y)  # eagerly: every number can be inspected
    compiled = ct.jit(step, net, optimizer)  # the same step as one program
    loss = first
    for _ in range(steps):
        loss = compiled(x, Y)
    print(f"custom loop, 3-2-1 network: loss {first.item():.3f} -> {loss.item():.3f}")
    return loss.item()


def from_table(folder, epochs: int = 200):
    """The bundled students table with the default options; returns the run."""
    options = ct.TableOptions(epochs=epochs)
    run = ct.train_table(target="passed", options=options, out=Path(folder) / "students")
    print(f"table: validation accuracy {run.metrics['validation']['accuracy']:.3f}")
    return run


def main():
    custom_loop()
    with tempfile.TemporaryDirectory() as folder:
        from_table(folder)


if __name__ == "__main__":
    main()
