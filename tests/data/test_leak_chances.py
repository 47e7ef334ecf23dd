"""Leaks of a few dozen rows: named where chance is out of the question, and not otherwise."""

import itertools
import math

import numpy as np
import polars as pl
import pytest

from cutaway.data import TablePreprocessing
from cutaway.data.leak_chances import log_chance
from cutaway.data.leaks import find_leaks


def leaks_of(frame, target="y"):
    fitted = TablePreprocessing.fit(frame, target)
    return find_leaks(frame, fitted.target, fitted.columns)


def errors_of(labels, levels):
    """Rows of another class than the usual one of their level."""
    groups = [
        [y for y, k in zip(labels, levels, strict=True) if k == level] for level in set(levels)
    ]
    return sum(len(group) - max(map(group.count, set(group))) for group in groups)


@pytest.mark.parametrize("levels", ["aaabbb", "aabbcc", "abcdef", "aaaaab"])
@pytest.mark.parametrize("labels", ["000111", "001122", "000012"])
def test_the_chance_bounds_that_of_all_labelings(levels, labels):
    every = list(itertools.permutations(labels))
    counts = [labels.count(c) for c in set(labels)]
    for errors in range(4):
        chance = sum(errors_of(one, levels) <= errors for one in every) / len(every)
        bound = math.exp(log_chance(counts, len(set(levels)), errors))
        assert chance <= bound * (1 + 1e-9)


def test_the_chance_of_two_levels_is_that_of_fishers_exact_test():
    from scipy.stats import fisher_exact

    for own, rest in ((15, 15), (8, 22), (3, 40)):
        p = fisher_exact([[own, 0], [0, rest]])[1]
        bound = math.exp(log_chance([own, rest], 2, 0))
        # each level may have either class: 4 ways in place of the one or two that can occur
        assert p * (1 - 1e-9) <= bound <= 4 * p * (1 + 1e-9)


def small(rows=32, seed=0, own=14):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) < own)
    return rng, y, {"u": rng.normal(size=rows), "v": rng.normal(size=rows)}


@pytest.mark.parametrize(
    "column",
    [
        lambda rng, rows: rng.normal(size=rows).tolist(),
        lambda rng, rows: [f"2020-01-{k % 28 + 1:02}" for k in range(rows)],
        lambda rng, rows: [f"boat {k}" for k in rng.integers(0, 6, rows)],
        lambda rng, rows: [f"free text no {k} of {rng.integers(9)} words" for k in range(rows)],
        lambda rng, rows: [f"X{k}" for k in range(rows)],  # only its presence is used
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_a_cell_that_is_filled_for_one_class_alone_is_named_from_32_rows_on(column, inside):
    rng, y, noise = small()
    cells = [v if one == inside else None for v, one in zip(column(rng, 32), y, strict=True)]
    frame = pl.DataFrame(noise | {"cell": cells, "y": np.where(y, "dead", "alive")})
    (leak,) = leaks_of(frame)
    assert (leak.kind, leak.columns, leak.number) == ("function", ("cell",), 1.0)
    name, count = ("dead", 14) if inside else ("alive", 18)
    assert leak.found == (
        f"`cell` is filled in for {name!r} of `y` alone: {count} of its {count} rows have a value, "
        f"and 0 of the {32 - count} others"
    )
    assert leak.fix.startswith("leave it out with --ignore cell")


def test_a_cell_filled_for_one_of_three_classes_is_named():
    rng = np.random.default_rng(3)
    y = rng.permutation(np.repeat(["a", "b", "c"], 14))
    cells = [float(k) if one == "b" else None for k, one in enumerate(y)]
    (leak,) = leaks_of(pl.DataFrame({"u": rng.normal(size=42), "cell": cells, "y": y}))
    assert leak.found == (
        "`cell` is filled in for 'b' of `y` alone: 14 of its 14 rows have a value, and 0 of the 28 "
        "others"
    )


def test_a_cell_empty_for_one_of_three_classes_is_named():
    rng = np.random.default_rng(3)
    y = rng.permutation(np.repeat(["a", "b", "c"], 14))
    cells = [None if one == "b" else float(k) for k, one in enumerate(y)]
    (leak,) = leaks_of(pl.DataFrame({"u": rng.normal(size=42), "cell": cells, "y": y}))
    assert leak.found.startswith("`cell` is empty for 'b' of `y` alone: 0 of its 14 rows have a")


def test_a_category_of_few_levels_that_tells_the_class_is_named_from_40_rows_on():
    rng, y, noise = small(40, own=20)
    ward = np.where(y, "ABC", "D")
    ward = [str(rng.choice(list(w))) for w in ward]
    (leak,) = leaks_of(pl.DataFrame(noise | {"ward": ward, "y": y}))
    assert leak.found == (
        "each of the 4 values of `ward` has rows of one class of `y` alone, in 40 of 40 rows"
    )


def test_what_chance_may_do_is_not_named():
    _, y, noise = small(32, own=3)  # 1 of 4,960 columns is such a one
    cells = [float(k) if one else None for k, one in enumerate(y)]
    assert leaks_of(pl.DataFrame(noise | {"cell": cells, "y": y})) == []
    _, y, noise = small(20, own=10)  # few rows
    cells = [float(k) if one else None for k, one in enumerate(y)]
    assert leaks_of(pl.DataFrame(noise | {"cell": cells, "y": y})) == []
    _, y, noise = small(32)  # one row in 32 disagrees
    cells = [float(k) if one else None for k, one in enumerate(y)]
    cells[int(np.flatnonzero(~y)[0])] = 1.0
    assert leaks_of(pl.DataFrame(noise | {"cell": cells, "y": y})) == []


def random_table(seed):
    """A table without a leak: columns of all kinds, some of them useful, some with holes."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(30, 400))
    classes = int(rng.integers(2, 5))
    y = rng.choice(classes, rows, p=rng.dirichlet(np.full(classes, 3.0)))
    y[: 2 * classes] = np.repeat(np.arange(classes), 2)
    columns = {}
    for k in range(int(rng.integers(3, 20))):
        levels = int(rng.integers(2, 12))
        useful = rng.random() < 0.3
        value = y + rng.normal(size=rows) * 0.6 if useful else rng.normal(size=rows)
        kind = rng.integers(3)
        if kind == 0:
            cells = value.tolist()
        elif kind == 1:
            cuts = np.quantile(value, np.linspace(0, 1, levels + 1)[1:-1])
            cells = [f"level {n}" for n in np.searchsorted(cuts, value)]
        else:
            cells = [bool(v > np.median(value)) for v in value]
        chance = np.full(rows, rng.choice([0.0, 0.1, 0.5, 0.95]))
        if useful:  # holes that go with the class, as a question that most of one group answer
            chance = np.where(y == 0, 0.2 * chance, chance)
        holes = rng.random(rows) < chance
        if not holes.all():
            columns[f"c{k}"] = [None if hole else c for c, hole in zip(cells, holes, strict=True)]
    columns["base"] = rng.normal(size=rows)
    return pl.DataFrame(columns | {"y": [f"class {k}" for k in y]}, strict=False)


@pytest.mark.slow
def test_200_tables_without_a_leak_have_none():
    found = {seed: leaks_of(random_table(seed)) for seed in range(200)}
    assert {seed: [leak.found for leak in leaks] for seed, leaks in found.items() if leaks} == {}
