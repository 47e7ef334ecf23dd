"""Encodings against scikit-learn's, laws, and what bad tables are told."""

import calendar
import datetime
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from cutaway.data import TablePreprocessing, read_table
from cutaway.data.encoders import from_json
from cutaway.errors import DataError, OptionError

FRAME = pl.DataFrame(
    {
        "number": [1.0, 2.0, None, 4.0, 5.5, -1.0],
        "whole": [3, 1, 2, 3, 3, 0],
        "color": ["red", "blue", "red", None, "green", "blue"],
        "flag": [True, False, True, True, False, False],
        "day": ["2026-01-05", "2026-02-05", "2026-01-12", "2025-12-31", "2026-07-01", "2026-03-03"],
        "target": ["no", "yes", "no", "yes", "yes", "no"],
    }
)


def fit(frame=FRAME, target=None, **options):
    target = target or frame.columns[-1]
    return TablePreprocessing.fit(frame, target, **options)


def column(preprocessing, frame, name):
    return preprocessing.transform(frame).x[:, preprocessing.features.index(name)]


def test_numbers_equal_scikit_learns_imputer_and_scaler():
    prep = fit()
    raw = FRAME["number"].to_numpy()[:, None]
    filled = SimpleImputer(strategy="median", add_indicator=True).fit_transform(raw)
    scaled = StandardScaler().fit_transform(filled[:, :1])[:, 0]
    np.testing.assert_allclose(column(prep, FRAME, "number"), scaled, rtol=1e-6)
    np.testing.assert_array_equal(column(prep, FRAME, "number is missing"), filled[:, 1])
    whole = StandardScaler().fit_transform(FRAME["whole"].to_numpy()[:, None])[:, 0]
    np.testing.assert_allclose(column(prep, FRAME, "whole"), whole, rtol=1e-6)


def test_categories_equal_scikit_learns_one_hot_encoder():
    prep = fit()
    names = ["color=blue", "color=green", "color=red", "color is missing"]
    ours = np.stack([column(prep, FRAME, n) for n in names], axis=1)
    raw = FRAME["color"].fill_null("~missing").to_numpy()[:, None]
    np.testing.assert_array_equal(ours, OneHotEncoder(sparse_output=False).fit_transform(raw))


def test_dates_become_a_number_and_circles():
    prep = fit()
    days = (np.array(FRAME["day"].to_list(), "datetime64[D]")).astype(float)
    expected = (days - days.mean()) / days.std()
    np.testing.assert_allclose(column(prep, FRAME, "day"), expected, rtol=1e-4, atol=1e-6)
    week = np.arctan2(
        column(prep, FRAME, "day weekday sin"), column(prep, FRAME, "day weekday cos")
    )
    assert week[0] == pytest.approx(week[2], abs=1e-4)  # both Mondays


def test_times_of_day_become_the_cycle_of_24_hours_with_its_second_harmonic():
    base = datetime.datetime(2011, 1, 1)
    times = [base + datetime.timedelta(hours=7 * k) for k in range(200)]
    frame = pl.DataFrame({"when": [f"{t:%m/%d/%Y %I:%M %p}" for t in times], "y": [0.0, 1.5] * 100})
    prep = fit(frame)
    [found] = prep.columns
    assert found.kind == "date" and "month/day/year" in found.reason
    turns = np.array([2 * np.pi * t.hour / 24 for t in times])
    for name, wave in (("sin", np.sin), ("cos", np.cos)):
        np.testing.assert_allclose(column(prep, frame, f"when hour {name}"), wave(turns), atol=1e-5)
        second = column(prep, frame, f"when hour {name} 2")
        np.testing.assert_allclose(second, wave(2 * turns), atol=1e-5)
    weekday = np.array([2 * np.pi * (t.weekday() - 3) / 7 for t in times])  # 1970 began on Thursday
    np.testing.assert_allclose(column(prep, frame, "when weekday sin"), np.sin(weekday), atol=1e-5)
    month = [2 * np.pi * (t.day - 1) / calendar.monthrange(t.year, t.month)[1] for t in times]
    np.testing.assert_allclose(column(prep, frame, "when month cos"), np.cos(month), atol=1e-5)
    same = TablePreprocessing.from_json(json.loads(json.dumps(prep.to_json())))
    np.testing.assert_array_equal(same.transform(frame).x, prep.transform(frame).x)


def test_times_without_a_date_become_hours_and_their_cycle():
    frame = pl.DataFrame(
        {"start": ["06:00", "18:00", "12:00", None] * 10, "y": [0.0, 1, 2, 3] * 10}
    )
    prep = fit(frame)
    assert prep.features[:2] == ["start", "start is missing"]
    assert prep.features[2:6] == [f"start hour {w}" for w in ("sin", "cos", "sin 2", "cos 2")]
    assert len(prep.features) == 2 + 2 * 4  # four harmonics
    hours = np.array([6.0, 18, 12, 12])  # the median of 6, 12, 18 where it is missing
    std = np.std(np.tile(hours, 10))
    np.testing.assert_allclose(column(prep, frame, "start")[:4], (hours - 12) / std, atol=1e-6)
    sines = column(prep, frame, "start hour sin")[:4]
    np.testing.assert_allclose(sines, [1, -1, 0, 0], atol=1e-6)


def test_the_order_of_dates_is_that_of_the_whole_table_also_after_refitting():
    days = ["1/2/2011", "3/4/2011", "5/6/2011"] * 8 + ["13/6/2011"]
    frame = pl.DataFrame({"day": days, "y": [0.0, 1, 2, 3, 4] * 5})
    prep = fit(frame).refit(frame[:24])
    [encoder] = prep.encoders
    assert encoder.recipe.orders == ("/dmy",)


def test_cells_that_are_no_dates_are_missing_counted_and_quoted():
    days = [f"2011-01-{k:02d}" for k in range(1, 31)] + ["unknown"]
    frame = pl.DataFrame({"day": days, "y": [0.0, 1.0] * 15 + [1.0]})
    prep = fit(frame)
    assert prep.columns[0].kind == "date" and prep.columns[0].missing == 1
    assert any("1 cells are no dates ('unknown')" in n for n in prep.transform(frame).notes)


def test_numbers_in_place_of_dates_are_named():
    with pytest.raises(DataError, match="column 'day' holds Int64"):
        fit().transform(FRAME.with_columns(day=pl.lit(3, pl.Int64)))


def test_dates_stored_before_there_were_recipes_are_encoded_as_before():
    day = {"name": "d", "median": 15000.0, "log": False, "mean": 15000.0, "scale": 10.0,
           "indicator": False, "kind": "number"}  # fmt: skip
    old = from_json({"name": "d", "day": day, "kind": "date"})
    assert old.names == ["d", "d year sin", "d year cos", "d week sin", "d week cos"]
    for texts in (["2011-01-26"], ["26.01.2011"], ["2011-01-26T09:00:00"]):
        [number, year, _, week, _] = old.encode(pl.Series("d", texts), [])
        assert number[0] == pytest.approx(0)  # 15,000 days after 1970-01-01
        assert year[0] == pytest.approx(np.sin(2 * np.pi * 15000 / 365.2425))
        assert week[0] == pytest.approx(np.sin(2 * np.pi * 15000 / 7))


def test_skewed_positive_numbers_are_taken_by_their_logarithm():
    values = np.exp(np.random.default_rng(0).normal(size=200) * 2)
    frame = pl.DataFrame({"x": values, "y": [0, 1] * 100})
    logs = np.log1p(values)
    np.testing.assert_allclose(
        column(fit(frame, "y"), frame, "x"), (logs - logs.mean()) / logs.std(), rtol=1e-4, atol=1e-5
    )
    assert column(fit(frame, "y"), pl.DataFrame({"x": [-3.0], "y": [0]}), "x") == pytest.approx(
        -logs.mean() / logs.std(), rel=1e-4
    )


def test_many_levels_are_embedded_in_the_last_columns():
    levels = [f"city {k:02d}" for k in range(30)] * 4
    frame = pl.DataFrame({"city": levels, "x": np.arange(120.0) ** 0.5, "y": [0, 1] * 60})
    prep = fit(frame, "y")
    assert prep.features == ["x", "city"]
    assert prep.embeddings == [("city", 31, 16)]
    codes = column(prep, frame, "city")
    assert codes.min() == 1 and codes.max() == 30
    arrays = prep.transform(pl.DataFrame({"city": ["city 03", "Atlantis", None], "x": [1.0] * 3}),
                            with_target=False)  # fmt: skip
    assert arrays.x[:, 1].tolist() == [4, 0, 0]
    assert any("'Atlantis'" in note for note in arrays.notes)


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (list(range(1, 41)), "identifier", "the integers 1 to 40, each once"),
        ([f"name {k}" for k in range(40)], "identifier", "all 40 values are distinct"),
        (["x"] * 40, "constant", "every value is x"),
        ([None] * 40, "empty", "no values"),
        ([float(k % 7) for k in range(40)], "number", "numbers from 0 to 6"),
        (["a", "b"] * 20, "category", "2 distinct strings"),
        ([True, False] * 20, "boolean", "yes or no"),
        (["2026-01-01", "2026-01-02"] * 20, "date", "dates"),
        ([f"text {k // 1.5:.0f}" for k in range(40)], "identifier", "too many"),
        ([f"a note on {k // 1.5:.0f}" for k in range(40)], "text", "4 words on average"),
        ([f"note {k}" if k % 3 else None for k in range(40)], "presence", "rows without one"),
    ],
)
def test_kinds_are_found_and_explained(values, kind, why):
    frame = pl.DataFrame({"c": values, "other": [1.5, 2.5] * 20, "y": [0, 1] * 20}, strict=False)
    [found] = [c for c in fit(frame, "y").columns if c.name == "c"]
    assert found.kind == kind and why in found.reason


def test_kinds_can_be_overruled_and_columns_ignored():
    prep = fit(kinds={"whole": "category"}, ignore=["number"])
    assert "whole=3" in prep.features and "number" not in prep.features
    with pytest.raises(DataError, match='did you mean "whole"'):
        fit(kinds={"wohle": "category"})
    with pytest.raises(OptionError, match="unknown kind 'numeric'"):
        fit(kinds={"whole": "numeric"})
    with pytest.raises(OptionError, match="cannot be a number"):
        fit(kinds={"color": "number"})


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0, 1] * 20, "binary", [0, 1]),
        (["no", "yes"] * 20, "binary", ["no", "yes"]),
        ([True, False] * 20, "binary", [False, True]),
        ([1.0, 2.0] * 20, "binary", [1.0, 2.0]),
        (["a", "b", "c", "d"] * 10, "multiclass", ["a", "b", "c", "d"]),
        ([3, 4, 5, 8] * 10, "multiclass", [3, 4, 5, 8]),
        (list(range(20)) * 2, "regression", None),
        ([0.5, 1.5, 2.25, 3.0] * 10, "regression", None),
    ],
)
def test_the_target_decides_the_task(values, task, classes):
    prep = fit(pl.DataFrame({"x": np.arange(40) ** 0.5, "y": values}), "y")
    assert prep.task == task and prep.classes == classes


def test_regression_targets_are_standardized_and_come_back():
    frame = pl.DataFrame({"x": np.arange(40.0), "y": np.arange(40) * 3.0 + 100})
    prep = fit(frame, "y")
    y = prep.transform(frame).y
    assert y.mean() == pytest.approx(0, abs=1e-6) and y.std() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(prep.untransform_target(y), frame["y"].to_numpy(), rtol=1e-5)


def test_rows_without_a_target_are_left_out_and_counted():
    frame = FRAME.with_columns(target=pl.Series(["no", None, "no", "yes", "yes", None]))
    prep = fit(frame)
    arrays = prep.transform(frame)
    assert arrays.rows.tolist() == [0, 2, 3, 4] and arrays.y.tolist() == [0, 0, 1, 1]
    assert any("skipped 2 rows without a value" in note for note in prep.notes)


def test_refitting_keeps_kinds_and_classes():
    rows = pl.DataFrame({"id": range(100), "x": np.arange(100.0) ** 0.5, "y": [0, 1] * 50})
    looked = fit(rows, "y")
    part = rows.sample(50, seed=0)
    again = looked.refit(part)
    assert again.features == ["x"] and again.classes == [0, 1]
    assert again.encoders[0].mean == pytest.approx(part["x"].mean())


values = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([float("inf"), float("nan")]))


@given(
    numbers=st.lists(values, min_size=6, max_size=6),
    words=st.lists(st.sampled_from(["a", "b", "ü", None, ""]), min_size=6, max_size=6),
)
def test_json_round_trips_give_the_same_bits_and_everything_is_finite(numbers, words):
    frame = FRAME.with_columns(
        number=pl.Series(numbers, dtype=pl.Float64), color=pl.Series(words, dtype=pl.String)
    )
    prep = fit(frame)
    again = TablePreprocessing.from_json(json.loads(json.dumps(prep.to_json(), allow_nan=False)))
    a, b = prep.transform(frame), again.transform(frame)
    np.testing.assert_array_equal(a.x, b.x)
    np.testing.assert_array_equal(a.y, b.y)
    assert np.isfinite(a.x).all() and a.x.shape[1] == len(prep.features)
    assert len(prep.feature_sources) == len(prep.features)


@pytest.mark.parametrize(
    ("frame", "target", "words"),
    [
        (FRAME, "tarket", 'did you mean "target"'),
        (
            FRAME.with_columns(target=pl.lit("yes")),
            "target",
            "has only one class, 'yes', in all 6 rows",
        ),
        (FRAME.with_columns(target=pl.lit(None)), "target", "has no values"),
        (FRAME.with_columns(target=pl.lit(float("nan"))), "target", "is NaN or infinite in 6 rows"),
        (
            FRAME.select("target", x=pl.lit(1)),
            "target",
            "no usable column to predict 'target' from",
        ),
        (FRAME.select("target"), "target", "no usable column to predict 'target' from"),
    ],
)
def test_tables_from_which_nothing_can_be_learned_are_told_why(frame, target, words):
    with pytest.raises(DataError, match=words):
        fit(frame, target)


def test_tasks_that_do_not_fit_are_named():
    with pytest.raises(OptionError, match="holds String"):
        fit(task="regression")
    with pytest.raises(OptionError, match="has 4 classes"):
        fit(FRAME.rename({"whole": "y"}), "y", task="binary")


def test_a_class_with_one_row_is_noted():
    frame = FRAME.with_columns(target=pl.Series(["a", "b", "a", "b", "b", "c"]))
    assert any("only one row of 'c'" in note for note in fit(frame).notes)


def test_infinity_is_taken_as_missing_and_counted():
    frame = FRAME.with_columns(number=pl.Series([1.0, float("inf"), 2.0, 4.0, -float("inf"), 3.0]))
    prep = fit(frame)
    assert any("number: 2 infinite values, treated as missing" in n for n in prep.notes)
    assert np.isfinite(prep.transform(frame).x).all()


def test_a_missing_column_at_prediction_is_named():
    with pytest.raises(DataError, match=r"no column 'color'.*\n.*\n.*did you mean \"colour\""):
        fit().transform(FRAME.rename({"color": "colour"}), with_target=False)


def test_a_new_category_at_prediction_is_zeros_and_noted():
    prep = fit()
    arrays = prep.transform(FRAME.with_columns(color=pl.lit("pink")), with_target=False)
    chosen = [k for k, name in enumerate(prep.features) if name.startswith("color")]
    assert not arrays.x[:, chosen].any()
    assert any("6 rows with values not seen in training ('pink')" in note for note in arrays.notes)


def test_text_where_numbers_were_is_named_with_its_row():
    frame = FRAME.with_columns(number=pl.Series(["1", " 2.5 ", "many", "4", None, "more"]))
    with pytest.raises(DataError, match=r"'number' holds 'many' in row 3 \(2 such values\)"):
        fit().transform(frame, with_target=False)
    fine = FRAME.with_columns(number=pl.Series(["1", " 2.0 ", None, "4", "5.5", "-1"]))
    np.testing.assert_array_equal(fit().transform(fine).x, fit().transform(FRAME).x)


def test_an_unseen_class_at_evaluation_is_named():
    frame = FRAME.with_columns(target=pl.lit("maybe"))
    with pytest.raises(
        DataError, match="holds 'maybe' in 6 rows, a class that is not in the training data"
    ):
        fit().transform(frame)


def test_preprocessing_of_something_else_is_named():
    for value in ({}, {"format": 99}, {"format": 1, "columns": [{"x": 1}]}):
        with pytest.raises(DataError, match="not a preprocessing of a table"):
            TablePreprocessing.from_json(value)


def test_titanic_is_understood(shared_data):
    prep = fit(read_table(shared_data / "titanic/titanic.csv"), "Survived")
    kinds = {c.name: c.kind for c in prep.columns}
    assert kinds["PassengerId"] == "identifier" and kinds["Name"] == "text"
    assert kinds["Ticket"] == "identifier" and kinds["Cabin"] == "presence"
    assert kinds["Sex"] == kinds["Embarked"] == "category"
    assert {"Age", "Age is missing", "Cabin is present", "Sex=female"} <= set(prep.features)
