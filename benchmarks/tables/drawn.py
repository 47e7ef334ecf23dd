"""Drawn tables: each kind once for either half, with other functions, columns and seeds.

Every function says what it tests, and returns (polars frame, target).
"""

import numpy as np
import polars as pl

TARGET = "y"


def _frame(x: np.ndarray, y, *, first: str = "x") -> tuple[pl.DataFrame, str]:
    columns = {f"{first}{k}": x[:, k] for k in range(x.shape[1])}
    return pl.DataFrame({**columns, TARGET: y}), TARGET


def _classes(rng, logits) -> np.ndarray:
    """One class per row, drawn with the softmax of (rows, classes) logits."""
    return np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)


def _draw_binary(rng, logit) -> np.ndarray:
    return (rng.random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(int)


def xor_choice():
    """Parity of three signs among 30 columns: no column alone tells anything."""
    x = np.random.default_rng(101).uniform(-1, 1, (3000, 30))
    return _frame(x, (x[:, [4, 11, 23]] > 0).sum(axis=1) % 2)


def xor_test():
    """Parity of three thresholds, not at the middle of their columns, among 30 normal ones."""
    x = np.random.default_rng(201).normal(size=(3000, 30))
    return _frame(x, (x[:, [2, 17, 26]] > [0.0, 0.3, -0.2]).sum(axis=1) % 2)


def steps_choice():
    """Jumps: 3 [x0 > 0.5] + floor(2 x1) + noise of 0.3, among 8 columns."""
    rng = np.random.default_rng(102)
    x = rng.uniform(0, 2, (2000, 8))
    y = 3 * (x[:, 0] > 0.5) + np.floor(2 * x[:, 1]) + 0.3 * rng.normal(size=2000)
    return _frame(x, y)


def steps_test():
    """Other jumps: 2.5 [x3 > 0.35] - floor(3 x6) + [x3 > 0.7] [x1 < 0.4] + noise of 0.3."""
    rng = np.random.default_rng(202)
    x = rng.uniform(0, 1, (2000, 8))
    y = 2.5 * (x[:, 3] > 0.35) - np.floor(3 * x[:, 6])
    y = y + (x[:, 3] > 0.7) * (x[:, 1] < 0.4) + 0.3 * rng.normal(size=2000)
    return _frame(x, y)


def smooth_choice():
    """Friedman 1: a smooth function with one product, five of ten columns count."""
    rng = np.random.default_rng(103)
    x = rng.uniform(0, 1, (2000, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    return _frame(x, y + 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(size=2000))


def smooth_test():
    """Friedman 2: an impedance, columns of very different sizes."""
    rng = np.random.default_rng(203)
    low, high = [0, 40 * np.pi, 0, 1], [100, 560 * np.pi, 1, 11]
    x = rng.uniform(low, high, (2000, 4))
    y = np.hypot(x[:, 0], x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3]))
    return _frame(x, y + 125 * rng.normal(size=2000))


def interactions_choice():
    """Three classes in clusters at the corners of a cube of 8 dimensions, 20 columns."""
    return _clusters(104, informative=8, redundant=4, clusters=3, flipped=0.01)


def interactions_test():
    """Three classes in two clusters each, in 10 dimensions, closer together, 20 columns."""
    return _clusters(204, informative=10, redundant=2, clusters=2, flipped=0.03, apart=0.8)


def _clusters(seed, *, informative, redundant, clusters, flipped, apart=1.0):
    from sklearn.datasets import make_classification

    x, y = make_classification(
        3000, 20, n_informative=informative, n_redundant=redundant, n_classes=3,
        n_clusters_per_class=clusters, flip_y=flipped, class_sep=apart, random_state=seed,
    )  # fmt: skip
    return _frame(x, y)


def useless_choice():
    """Two classes by four of 200 columns, two of them multiplied; 1,500 rows."""
    rng = np.random.default_rng(105)
    x = rng.normal(size=(1500, 200))
    logit = 1.5 * x[:, 20] - 1.2 * x[:, 90] + 1.5 * x[:, 131] * x[:, 160]
    return _frame(x, _draw_binary(rng, logit))


def useless_test():
    """A number by five of 150 columns: a sine, a product, a square; 2,000 rows."""
    rng = np.random.default_rng(205)
    x = rng.uniform(-1, 1, (2000, 150))
    y = 2 * np.sin(2 * x[:, 3]) + 1.5 * x[:, 40] * x[:, 77] + x[:, 101] ** 2 - x[:, 140]
    return _frame(x, y + 0.4 * rng.normal(size=2000))


def heavy_tails_choice():
    """Columns of Student's t with 2 degrees of freedom, and noise of one with 3."""
    rng = np.random.default_rng(106)
    x = rng.standard_t(2, (2000, 8))
    y = 2 * np.arctan(x[:, 0]) + np.tanh(x[:, 1] * x[:, 2]) + 0.3 * np.clip(x[:, 3], -3, 3)
    return _frame(x, y + 0.4 * rng.standard_t(3, 2000))


def heavy_tails_test():
    """Lognormal columns, a target that is their product and has lognormal noise."""
    rng = np.random.default_rng(206)
    logs = rng.normal(size=(2000, 9)) * [1, 1.5, 0.5, 1, 2, 1, 1, 0.7, 1.2]
    signal = 0.6 * logs[:, 0] - 0.3 * logs[:, 4] + 0.4 * np.abs(logs[:, 1])
    return _frame(np.exp(logs), np.exp(signal + 0.3 * rng.normal(size=2000)))


def rare_choice():
    """One row of 31 is of class 1, by a plane with one product; 4,000 rows."""
    rng = np.random.default_rng(107)
    x = rng.normal(size=(4000, 10))
    logit = 1.5 * x[:, 0] + x[:, 1] + x[:, 2] * x[:, 3]
    return _frame(x, _draw_binary(rng, logit + _shift(logit, 1 / 31)))


def rare_test():
    """One row of 31 is of class 1, most of them inside a ball; 4,000 rows."""
    rng = np.random.default_rng(207)
    x = rng.uniform(-1, 1, (4000, 12))
    logit = -6 * np.sum((x[:, [1, 5, 9]] - [0.3, -0.2, 0.1]) ** 2, axis=1) + x[:, 2]
    return _frame(x, _draw_binary(rng, logit + _shift(logit, 1 / 31)))


def _shift(logit, fraction: float) -> float:
    """What to add to logits for this mean probability."""
    low, high = -50.0, 50.0
    for _ in range(80):
        middle = (low + high) / 2
        mean = np.mean(1 / (1 + np.exp(-np.clip(logit + middle, -500, 500))))
        low, high = (low, middle) if mean > fraction else (middle, high)
    return (low + high) / 2


def categories_choice():
    """Six columns of 30 equally frequent levels, each level with an effect of its own."""
    rng = np.random.default_rng(108)
    codes = rng.integers(0, 30, (4000, 6))
    effects = rng.normal(size=(6, 30))
    logit = sum(effects[k][codes[:, k]] for k in range(6))
    return _levels(codes, _draw_binary(rng, logit))


def categories_test():
    """Six columns of 30 levels, few of them frequent; four count, two of them together."""
    rng = np.random.default_rng(208)
    frequency = 1 / (np.arange(30) + 3.0)
    codes = rng.choice(30, size=(4000, 6), p=frequency / frequency.sum())
    effects = rng.standard_t(5, (3, 30))
    first, second = rng.normal(size=(2, 30, 2))
    logit = effects[0][codes[:, 1]] + effects[1][codes[:, 3]] + 0.7 * effects[2][codes[:, 4]]
    logit = logit + np.sum(first[codes[:, 3]] * second[codes[:, 5]], axis=1)
    return _levels(codes, _draw_binary(rng, logit))


def _levels(codes: np.ndarray, y) -> tuple[pl.DataFrame, str]:
    names = np.array([f"level {k:02}" for k in range(30)])
    columns = {f"c{k}": names[codes[:, k]] for k in range(codes.shape[1])}
    return pl.DataFrame({**columns, TARGET: y}), TARGET


def ten_thousand_choice():
    """10,000 rows and 20 columns: bends, products and one jump, noise of 0.5."""
    rng = np.random.default_rng(109)
    x = rng.normal(size=(10_000, 20))
    y = np.abs(x[:, 0]) + x[:, 1] * x[:, 2] + np.sin(2 * x[:, 3]) + (x[:, 4] > 0.5)
    return _frame(x, y + 0.5 * x[:, 5] + 0.5 * rng.normal(size=10_000))


def ten_thousand_test():
    """10,000 rows and 20 columns: three classes by a drawn network of 15 units."""
    rng = np.random.default_rng(209)
    x = rng.uniform(-1.5, 1.5, (10_000, 20))
    hidden = np.tanh(2 * x[:, :12] @ rng.normal(size=(12, 15)) / np.sqrt(12) + rng.normal(size=15))
    return _frame(x, _classes(rng, 1.5 * hidden @ rng.normal(size=(15, 3))))


def many_rows_choice():
    """200,000 rows and 15 columns: two classes by waves, a product and a jump."""
    rng = np.random.default_rng(110)
    x = rng.normal(size=(200_000, 15))
    logit = 2 * np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 1.5 * (x[:, 3] > 0.7) - 0.8 * x[:, 4]
    return _frame(x, _draw_binary(rng, logit))


def many_rows_test():
    """200,000 rows and 12 columns: a number by a quotient, a distance and a wave."""
    rng = np.random.default_rng(210)
    x = rng.uniform(0, 1, (200_000, 12))
    y = 3 * x[:, 0] / (0.3 + x[:, 1]) + 4 * np.hypot(x[:, 2] - 0.5, x[:, 3] - 0.5)
    y = y + np.cos(9 * x[:, 4]) * (x[:, 5] > 0.6) + 0.5 * rng.normal(size=200_000)
    return _frame(x, y)
