"""Groups of rows, and the one that is named: by most, beyond noise, and not by chance."""

import numpy as np
import polars as pl

from cutaway.search.row_groups import groups_of, largest_difference

RNG = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "age": RNG.permutation(np.arange(400.0)),
        "sex": RNG.choice(["f", "m"], 400),
        "cabin": [None if k % 4 else f"c{k}" for k in range(400)],
        "beds": RNG.integers(1, 4, 400),
    }
)
KINDS = {"age": "number", "sex": "category", "cabin": "presence", "beds": "number", "name": "text"}
GROUPS = groups_of(FRAME, {name: KINDS[name] for name in FRAME.columns})


def test_groups_of_a_column_part_the_rows():
    for column in FRAME.columns:
        members = np.sum([g.members for g in GROUPS if g.column == column], axis=0)
        assert (members == 1).all(), column
    assert [g.rule for g in GROUPS if g.column == "beds"] == ["beds = 1", "beds = 2", "beds = 3"]
    assert [g.rule for g in GROUPS if g.column == "cabin"] == ["cabin is missing", "cabin is there"]


def test_the_group_with_the_planted_difference_is_found():
    ages = FRAME["age"].to_numpy()
    planted = np.where(ages > 299, 0.5, 0.0) + RNG.normal(0, 0.3, 400)
    found = largest_difference(GROUPS, planted)
    assert found is not None and found.rule == "age > 299" and found.rows == 100
    assert found.low < 0.5 < found.high and abs(found.mean - 0.5) < 0.1


def test_noise_alone_names_a_group_in_at_most_five_of_a_hundred_tables():
    named = [largest_difference(GROUPS, RNG.normal(size=400)) for _ in range(200)]
    assert sum(one is not None for one in named) <= 10  # above 0 alone: 5 are expected at most


def test_a_group_where_the_other_model_is_worse_is_not_named():
    planted = np.where(FRAME["sex"].to_numpy() == "m", -1.0, 0.0) + RNG.normal(0, 0.1, 400)
    found = largest_difference(GROUPS, planted - 0.5)
    assert found is None
