"""Leaks: planted ones are named with the number, and honest tables are left alone."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

from cutaway.data import TablePreprocessing, stratified_split, students_path
from cutaway.data.duplicate_rows import groups_of_copies
from cutaway.data.leak_formulas import find_formula, unit_of
from cutaway.data.leak_series import find_future
from cutaway.data.leaks import find_leaks
from cutaway.data.series import Series

ROWS = 600


def leaks_of(frame, target="y", **options):
    fitted = TablePreprocessing.fit(frame, target, **options)
    arrays = fitted.transform(frame)
    is_class = fitted.task != "regression"
    training, validation = stratified_split(arrays.targets, 0.2, seed=0, stratify=is_class)
    return find_leaks(
        frame[arrays.rows],
        fitted.target,
        fitted.columns,
        training=training,
        held_out={"validation": validation},
    )


def only(frame, **options):
    """The one leak of a table."""
    (leak,) = leaks_of(frame, **options)
    return leak


def noise(seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    return {"u": rng.normal(size=rows), "v": rng.normal(size=rows)}


def table(seed=0, **columns):
    rows = len(next(iter(columns.values())))
    return pl.DataFrame(noise(seed, rows) | columns)


def labels(rows=ROWS, seed=1):
    return np.random.default_rng(seed).integers(0, 2, rows)


def amounts(rows=ROWS, seed=1):
    return np.random.default_rng(seed).normal(50, 20, rows)


# single columns and classes


def test_a_copy_of_the_class_under_other_names_is_named_with_its_rows():
    y = labels(300)
    leak = only(table(target_copy=np.where(y == 1, "yes", "no"), y=y))
    assert (leak.kind, leak.columns, leak.number) == ("copy", ("target_copy",), 1.0)
    assert leak.sentence == (
        "each value of `target_copy` stands for one class of `y` in 300 of 300 rows, as in a copy "
        "of it: leave it out with --ignore target_copy unless it is known before the prediction"
    )


def test_a_copy_with_wrong_rows_is_named_with_the_rows_that_agree():
    y = labels()
    copy = y.copy()
    copy[[3, 50, 99]] ^= 1
    leak = only(table(code=copy, y=np.array(["a", "b"])[y]))
    assert leak.kind == "copy" and leak.number == pytest.approx(597 / 600)
    assert "597 of 600 rows" in leak.sentence


def test_one_wrong_row_in_ten_is_no_copy():
    y = labels()
    wrong = np.random.default_rng(5).random(ROWS) < 0.1
    assert leaks_of(table(code=y ^ wrong, y=y)) == []


def test_classes_renamed_to_numbers_out_of_order_are_a_copy():
    y = np.random.default_rng(0).integers(0, 3, ROWS)
    leak = only(table(code=np.array([7, 1, 4])[y], y=np.array(["a", "b", "c"])[y]))
    assert (leak.kind, leak.columns) == ("copy", ("code",))


def test_few_rows_prove_nothing():
    y = np.arange(40) % 2
    assert leaks_of(table(code=y, y=y)) == []
    y = np.r_[np.zeros(500, int), np.ones(20, int)]  # many rows, but few of one class
    assert leaks_of(table(code=y, y=y)) == []


def test_many_classes_with_two_rows_each_are_renamed_by_a_code():
    names = [f"name {k:03}" for k in np.random.default_rng(0).permutation(100)]
    frame = table(code=np.random.default_rng(1).permutation(100), y=names)
    twice = table(code=np.r_[frame["code"], frame["code"]], y=names + names)
    assert only(twice).kind == "copy"


def test_a_score_whose_threshold_is_the_class_is_named():
    score = amounts()
    leak = only(table(score=score, y=score > 50))
    assert (leak.kind, leak.columns) == ("function", ("score",))
    assert leak.number > 0.99 and "held out" in leak.sentence


def test_a_rare_class_is_measured_on_all_of_its_rows():
    y = np.arange(100_000) % 200 == 0  # 500 rows of it
    score = y + 0.3 * np.random.default_rng(0).random(len(y))
    leak = only(table(score=score, y=y))
    assert leak.columns == ("score",)


def test_values_that_only_one_class_has_are_named():
    y = labels(1000)
    day = [f"2020-{k % 12 + 1:02}-{k % 28 + 1:02}" if one else None for k, one in enumerate(y)]
    assert only(table(died=day, y=y)).columns == ("died",)


def test_a_category_of_many_levels_that_tells_the_class_is_named():
    city = np.random.default_rng(0).integers(0, 30, 1500)
    country = np.random.default_rng(1).integers(0, 3, 30)[city]
    frame = table(city=[f"city {k}" for k in city], y=np.array(["a", "b", "c"])[country])
    assert only(frame).columns == ("city",)


def test_a_number_that_counts_rows_sorted_by_class_is_told_as_that():
    frame = table(seconds=3 * np.arange(ROWS) + 7, y=np.repeat(["a", "b", "c"], ROWS // 3))
    leak = only(frame)
    assert (leak.kind, leak.columns) == ("row_order", ("seconds",))
    assert leak.sentence.startswith("the rows are sorted by `y` and `seconds` grows")
    shuffled = frame.sample(fraction=1, shuffle=True, seed=0)
    assert only(shuffled).kind == "function"


def test_a_separable_feature_of_150_rows_is_no_leak():
    iris = datasets.load_iris()
    frame = pl.DataFrame(iris.data, schema=["a", "b", "c", "d"])
    for names in (iris.target, iris.target == 0):  # one iris is separable exactly
        assert leaks_of(frame.with_columns(y=pl.Series(names))) == []


# single columns and numbers


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda y: y, "`v0` equals `y` in 600 of 600 rows"),
        (lambda y: 1.8 * y + 32, "`y` = 0.5556 `v0` - 17.78 in 600 of 600 rows"),
        (np.round, "`v0` is `y` up to rounding in 600 of 600 rows"),
        (np.floor, "`v0` is `y` up to rounding in 600 of 600 rows"),
        (np.ceil, "`v0` is `y` up to rounding in 600 of 600 rows"),
    ],
)
def test_a_copy_of_a_number_is_named(made, words):
    y = amounts()
    leak = only(table(v0=made(y), y=y))
    assert (leak.kind, leak.number) == ("copy", 1.0)
    assert leak.found == words


def test_a_copy_with_holes_and_wrong_rows_is_named():
    y = amounts()
    copy = y.copy()
    copy[::200] = 0.0
    frame = table(copy=copy, y=y).with_columns(
        pl.when(pl.int_range(ROWS) % 7 == 0).then(None).otherwise("copy").alias("copy")
    )
    leak = only(frame)
    rows = [k for k in range(ROWS) if k % 7]
    right = [k for k in rows if k % 200]
    assert leak.found == f"`copy` equals `y` in {len(right)} of {len(rows)} rows"


@pytest.mark.parametrize("made", [np.exp, lambda z: -(z**3), lambda z: 1 / (1 + np.exp(-z))])
def test_a_monotone_function_of_the_target_is_named_with_its_r2(made):
    y = np.random.default_rng(0).uniform(-2, 2, ROWS)
    leak = only(table(f=made(y), y=y))
    assert (leak.kind, leak.columns) == ("function", ("f",))
    assert 0.999 <= leak.number <= 1


def test_noise_of_a_tenth_of_the_spread_is_no_leak():
    y = amounts()
    error = np.random.default_rng(7).normal(size=ROWS)
    assert leaks_of(table(f=y + 2 * error, y=y)) == []
    little = y + 0.2 * error
    assert only(table(f=little, y=y)).kind == "function"


def test_what_is_smooth_in_the_order_of_rows_is_no_leak():
    k = np.arange(ROWS)
    frame = table(seconds=2 * k + 1, y=100 * np.sin(k / 40))
    assert leaks_of(frame) == []
    assert only(table(seconds=2 * k + 1, y=k**1.5)).kind == "row_order"


# formulas


def bikes(rows=ROWS):
    rng = np.random.default_rng(0)
    casual, registered = rng.poisson(40, rows), rng.poisson(150, rows)
    return {"casual": casual, "registered": registered, "hour": rng.integers(0, 24, rows)}


def test_two_columns_whose_sum_is_the_target_are_named_as_a_formula():
    parts = bikes()
    leak = only(table(**parts, count=parts["casual"] + parts["registered"]), target="count")
    assert (leak.kind, leak.columns) == ("formula", ("casual", "registered"))
    assert leak.sentence == (
        "`count` = `casual` + `registered` in 600 of 600 rows: leave them out with --ignore "
        "casual,registered unless they are known before the prediction"
    )


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ((1, -1, 0), "`a` - `b`"),
        ((1, 1, 1), "`a` + `b` + `c`"),
        ((0.25, 0, -3), "0.25 `a` - 3 `c`"),
        ((-1, 0.5, 0), "0.5 `b` - `a`"),
    ],
)
def test_weighted_sums_are_found_with_their_weights(weights, text):
    x = np.random.default_rng(0).normal(20, 5, (200, 6)).round(2)
    y = x[:, :3] @ np.array(weights)
    assert find_formula(list("abcdef"), x, y).text == text
    assert find_formula(list("abcdef"), x, y.round(1)).columns == tuple(
        name for name, weight in zip("abc", weights, strict=True) if weight
    )


def test_a_formula_holds_though_a_few_rows_break_it_and_columns_repeat():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5))
    x[:, 4] = x[:, 0] + x[:, 1]
    y = x[:, 0] + x[:, 1] - x[:, 2]
    y[:4] = 9.0
    found = find_formula(list("abcde"), x, y)
    assert found.columns == ("c", "e") and found.fraction == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda a, b: a * b, "`a` × `b`"),
        (lambda a, b: a / b, "`a` / `b`"),
        (lambda a, b: a / b**2, "`a` / `b`^2"),
        (lambda a, b: 0.5 * a * b, "0.5 × `a` × `b`"),
    ],
)
def test_products_and_ratios_are_found(made, text):
    a, b, c = np.random.default_rng(0).uniform(1, 9, (3, 300))
    found = find_formula(["a", "b", "c"], np.stack([a, b, c], 1), made(a, b))
    assert found.text == text and found.fraction == 1


def test_a_sum_of_four_columns_and_a_noisy_sum_are_no_leak():
    x = np.random.default_rng(0).normal(size=(300, 6))
    assert find_formula(list("abcdef"), x, x[:, :4].sum(axis=1)) is None
    noisy = x[:, 0] + x[:, 1] + 0.2 * np.random.default_rng(1).normal(size=300)
    assert find_formula(list("abcdef"), x, noisy) is None


def test_units_are_those_of_the_last_place():
    assert unit_of(np.array([0.1, 0.25, 3.0])) == 0.01
    assert unit_of(np.array([10.0, 20.0])) == 1.0
    assert unit_of(np.array([1 / 3])) == 0.0


# rows


def rounded(rows=1000, seed=0):
    rng = np.random.default_rng(seed)
    columns = {f"c{k}": rng.normal(size=rows).round(1) for k in range(4)}
    return pl.DataFrame(columns | {"y": rng.choice(["a", "b"], rows)})


def test_repeated_rows_across_the_split_are_counted():
    frame = rounded()
    leak = only(pl.concat([frame, frame[:200]]))
    fitted = TablePreprocessing.fit(pl.concat([frame, frame[:200]]), "y")
    y = fitted.transform(pl.concat([frame, frame[:200]])).targets
    training, validation = stratified_split(y, 0.2, seed=0)
    rows = pl.concat([frame, frame[:200]]).rows()
    seen = {rows[k] for k in training}
    count = sum(rows[k] in seen for k in validation)
    assert (leak.kind, leak.columns) == ("duplicates", ())
    assert leak.found.startswith(f"{count} of {len(validation)} validation rows are in the trai")
    assert leak.number == count / len(validation) and count > 40


def test_duplicates_of_the_test_set_are_counted_too():
    frame = pl.concat([rounded(), rounded()[:300]])
    fitted = TablePreprocessing.fit(frame, "y")
    found = find_leaks(
        frame,
        fitted.target,
        fitted.columns,
        training=np.arange(1000),
        held_out={"validation": np.arange(1000, 1000), "test": np.arange(1000, 1300)},
    )
    assert [leak.found[:36] for leak in found] == ["300 of 300 test rows are in the trai"]


def test_repeated_rows_with_another_target_contradict():
    frame = rounded()
    other = frame[:60].with_columns(pl.col("y").replace({"a": "b", "b": "a"}))
    leak = only(pl.concat([frame, other]))
    assert leak.kind == "contradiction"
    assert (
        leak.found == "120 of 1,060 rows have the same features as another row and a different `y`"
    )


@pytest.mark.parametrize("levels", [2, 4, 10])
def test_rows_that_are_equal_by_chance_are_not_told(levels):
    rng = np.random.default_rng(0)
    columns = {f"c{k}": rng.integers(0, levels, 2000) for k in range(4)}
    frame = pl.DataFrame(columns | {"y": rng.choice(["a", "b"], 2000)})
    assert frame.is_duplicated().any()
    assert leaks_of(frame) == []


def test_copies_are_grouped_and_equal_rows_of_coarse_columns_are_not():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, 4))
    frame = pl.DataFrame({**{f"x{k}": x[:, k] for k in range(4)}, "y": rng.integers(0, 2, ROWS)})
    names = [f"x{k}" for k in range(4)]
    assert groups_of_copies(frame, "y", names) is None
    twice = pl.concat([frame, frame[:40], frame[:5]])
    groups = groups_of_copies(twice, "y", names)
    assert groups is not None
    assert len(np.unique(groups)) == ROWS
    assert np.array_equal(groups[ROWS : ROWS + 40], groups[:40])
    assert np.array_equal(groups[ROWS + 40 :], groups[:5])
    coarse = pl.DataFrame({"a": rng.integers(0, 3, ROWS), "b": rng.integers(0, 4, ROWS)})
    assert groups_of_copies(coarse.with_columns(y=pl.lit(1)), "y", ["a", "b"]) is None


def test_rows_of_a_sensor_that_is_off_are_no_copies():
    rng = np.random.default_rng(0)
    on = rng.random(1000) < 0.6
    columns = {f"c{k}": np.where(on, rng.normal(size=1000), 0) for k in range(3)}
    assert leaks_of(pl.DataFrame(columns | {"y": rng.choice(["a", "b"], 1000)})) == []


# honest tables


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_tables_of_scikit_learn_have_no_leak(name):
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    assert leaks_of(pl.DataFrame(dict(frame)), "target") == []


def test_the_bundled_table_has_no_leak():
    assert leaks_of(pl.read_csv(students_path()), "passed") == []


@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(8, 400),
    columns=st.integers(1, 8),
    task=st.sampled_from(["classes", "numbers", "counts"]),
)
def test_random_tables_have_no_leak(seed, rows, columns, task):
    rng = np.random.default_rng(seed)
    makers = [
        lambda: rng.normal(size=rows),
        lambda: rng.integers(0, 3, rows),
        lambda: rng.poisson(6, rows),
        lambda: rng.choice(["red", "green", "blue"], rows),
        lambda: np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows)),
    ]
    x = {f"c{k}": makers[rng.integers(len(makers))]() for k in range(columns)}
    x["c"] = rng.normal(size=rows)  # at least one column that can be used
    y = {
        "classes": lambda: np.where(np.arange(rows) % 2, rng.integers(0, 3, rows), 1),
        "numbers": lambda: rng.normal(size=rows),
        "counts": lambda: rng.poisson(50, rows),
    }[task]()
    y = rng.permutation(np.r_[y[:-2], [0, 1]])
    assert leaks_of(pl.DataFrame(x | {"y": y})) == []


@given(seed=st.integers(0, 10**6), columns=st.integers(3, 12), flipped=st.floats(0, 0.01))
def test_a_planted_copy_is_found_among_any_columns(seed, columns, flipped):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 400)
    x = {f"c{k}": rng.normal(size=400) for k in range(columns)}
    wrong = np.zeros(400, bool)
    wrong[: int(300 * flipped)] = True  # at most 1% of them
    place = int(rng.integers(columns))
    x[f"c{place}"] = np.where(wrong, 1 - y, y)
    assert [leak.columns for leak in leaks_of(pl.DataFrame(x | {"y": y}))] == [(f"c{place}",)]


# series


def series(**columns):
    return Series(np.stack([np.asarray(v, float) for v in columns.values()], 1), list(columns),
                  None, None)  # fmt: skip


def walk(rows=300, seed=0):
    return np.random.default_rng(seed).normal(size=rows).cumsum()


@pytest.mark.parametrize("steps", [1, 3, 24])
def test_a_column_that_is_ahead_of_the_series_is_named_with_the_steps(steps):
    y = np.sin(np.arange(600) / 9) * 5 + np.random.default_rng(0).normal(size=600)
    ahead = np.append(2 * y[steps:] + 1, np.zeros(steps) if steps < 10 else y[:steps])
    (leak,) = find_future(series(y=y, other=walk(600), ahead=ahead), "y")
    assert (leak.kind, leak.columns, leak.number) == ("future", ("ahead",), steps)
    assert f"`ahead` tells `y` {steps} step" in leak.sentence


def test_past_and_present_values_and_other_series_are_no_future():
    y = walk()
    late = np.append([0, 0], y[:-2])
    assert find_future(series(y=y, late=late, now=y, scaled=3 * y, other=walk(seed=1)), "y") == []


def test_a_future_that_is_in_the_past_of_the_series_is_no_leak():
    t = np.arange(300.0)
    assert find_future(series(y=t, z=t + 1), "y") == []
    assert find_future(series(y=np.sin(t / 9), z=np.cos(t / 9)), "y") == []
    season = np.random.default_rng(0).normal(size=12)
    assert find_future(series(y=np.tile(season, 25), z=np.tile(np.arange(12), 25)), "y") == []


@given(seed=st.integers(0, 10**6), rows=st.integers(2, 200))
def test_random_walks_do_not_know_each_others_future(seed, rows):
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, rows)).cumsum(axis=1)
    assert find_future(series(a=a, b=b, c=c), "a") == []
