"""How often the 90% intervals of predicted numbers hold the truth, over drawn splits.

    python -m benchmarks.intervals [--splits 50]

Each split draws 3,000 rows of a formula with skewed noise that grows with the prediction, trains
with a sixth of them, 500 rows, for validation, and counts how many of 4,000 new rows lie inside.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from cutaway.runs import prepare

ROWS, NEW = 3000, 4000


def drawn(rng, count: int) -> pl.DataFrame:
    """Rows of the formula."""
    x = rng.uniform(-1, 1, (count, 4))
    y = 10 + 4 * x[:, 0] * x[:, 1] + 3 * np.sin(3 * x[:, 2])
    y += rng.gamma(2, 0.3 + 0.5 * np.abs(x[:, 3]))
    return pl.DataFrame({**{f"x{k}": x[:, k] for k in range(4)}, "y": y})


def coverage(seed: int) -> tuple[float, float]:
    """(fraction of new rows inside, mean width) of one split."""
    rng = np.random.default_rng(seed)
    options = {"validation": 500 / ROWS, "seed": seed, "epochs": 60}
    with tempfile.TemporaryDirectory() as folder:
        experiment = prepare(drawn(rng, ROWS), "y", kind="table", **options)
        run = experiment.train(Path(folder, "run"), progress=False)
        scores, _ = run.evaluate(drawn(rng, NEW))
    return scores["interval_coverage"], scores["interval_width"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=50)
    splits = parser.parse_args().splits
    found = np.array([coverage(seed) for seed in range(splits)])
    means, spread = found.mean(axis=0), found.std(axis=0)
    print(f"{splits} splits: coverage {means[0]:.4f} ± {spread[0]:.4f} (asked 0.90)")
    print(f"width {means[1]:.3f} ± {spread[1]:.3f}")


if __name__ == "__main__":
    main()
