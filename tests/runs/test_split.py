"""How rows and files are split: at random, by time, by group, or as a list says."""

import itertools

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given

from cutaway.data import split_groups, split_in_order
from cutaway.errors import DataError, OptionError
from cutaway.runs import prepare
from cutaway.runs.images import ImageOptions
from cutaway.runs.options.language import LanguageOptions
from cutaway.runs.options.series import SeriesOptions
from cutaway.runs.series import prepare_series
from cutaway.runs.split import sets_of_examples
from cutaway.runs.table import TableOptions, prepare_table

RNG = np.random.default_rng(0)
FRACTIONS = st.sampled_from([[0.2], [0.5], [0.2, 0.2], [0.1, 0.3]])


@given(hnp.arrays(np.int64, st.integers(3, 60), elements=st.integers(0, 40)), FRACTIONS)
def test_sets_in_order_follow_each_other_and_have_every_row_once(values, fractions):
    if len(np.unique(values)) <= len(fractions):
        with pytest.raises(DataError, match="different values"):
            split_in_order(values, fractions)
        return
    sets = split_in_order(values, fractions)
    assert sorted(np.concatenate(sets)) == list(range(len(values)))
    for one, later in itertools.pairwise(sets):
        assert values[one].max() < values[later].min()


def test_sets_in_order_have_their_fractions_where_values_differ():
    values = RNG.permutation(1000)
    sets = split_in_order(values, [0.2, 0.1])
    assert [len(one) for one in sets] == [700, 200, 100]
    assert set(values[sets[2]]) == set(range(900, 1000))


@given(hnp.arrays(np.int64, st.integers(3, 60), elements=st.integers(0, 12)), FRACTIONS)
def test_no_group_is_in_two_sets(groups, fractions):
    if len(np.unique(groups)) <= len(fractions):
        with pytest.raises(DataError, match="groups"):
            split_groups(groups, fractions, seed=0)
        return
    sets = split_groups(groups, fractions, seed=0)
    assert sorted(np.concatenate(sets)) == list(range(len(groups)))
    assert all(len(one) for one in sets)
    assert sum(len(set(groups[one])) for one in sets) == len(set(groups))


def test_groups_of_equal_size_fill_the_fractions_and_the_seed_draws_them():
    groups = np.repeat(np.arange(100), 7)
    first, again, other = (split_groups(groups, [0.2, 0.1], seed=s) for s in (0, 0, 1))
    assert [len(one) for one in first] == [490, 140, 70]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert set(first[2]) != set(other[2])


def visits(count=200):
    """Patients with several visits each, whose result depends on the patient and drifts."""
    patient = RNG.integers(0, 20, count)
    day = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=count - 1),
                        eager=True)  # fmt: skip
    x = RNG.normal(size=count)
    return pl.DataFrame(
        {"patient": [f"P{k}" for k in patient], "day": day, "x": x, "y": x + patient}
    )[RNG.permutation(count)]


def test_a_table_is_split_by_time():
    frame = visits()
    found = prepare_table(frame, "y", TableOptions(split="time:day", test=0.1))
    training, validation = (found.frame[rows]["day"] for rows in (found.training, found.validation))
    assert len(validation) == 36 and found.test_rows == 20
    assert training.max() < validation.min() and validation.max() < frame["day"].max()
    assert any("begin at 2020-05-24" in note for note in found.notes)


def test_dates_as_text_and_rows_without_one():
    frame = visits().with_columns(
        pl.col("day").dt.strftime("%d/%m/%Y"),
    )
    frame[3, "day"] = None
    found = prepare_table(frame, "y", TableOptions(split="time:day"))
    assert 3 in found.training
    assert any("1 row without a time" in note for note in found.notes)


def test_a_table_is_split_by_group_and_the_group_is_no_input():
    found = prepare_table(
        visits(), "y", TableOptions(split="group:patient", test=0.2, recipe="plain")
    )
    training, validation = (
        set(found.frame[rows]["patient"]) for rows in (found.training, found.validation)
    )
    assert training and validation and not training & validation
    assert not any("patient" in name for name in found.preprocessing.features)


def test_a_table_is_split_by_lists_of_row_numbers(tmp_path):
    frame = visits()
    frame[0, "y"] = None  # numbers are those of the file, also where a row has no target
    (tmp_path / "test.txt").write_text("2\n3 5\n1\n")
    found = prepare_table(frame, "y", TableOptions(split=str(tmp_path / "test.txt")))
    assert found.test_rows == 3
    assert not {2, 3, 5} & set(found.row_numbers[np.r_[found.training, found.validation]])
    (tmp_path / "val.txt").write_text("7 8 9")
    found = prepare_table(frame, "y", TableOptions(split=str(tmp_path)))
    assert set(found.row_numbers[found.validation]) == {7, 8, 9}
    assert len(found.training) == 199 - 6


@pytest.mark.parametrize(("split", "words"), [
    ("time:dya", "no column 'dya'"), ("time:patient", "holds .'P"), ("lists.txt", "no such list"),
    ("time:", "no such list"),
])  # fmt: skip
def test_what_is_no_split_of_a_table_is_named(split, words):
    with pytest.raises(OptionError, match=words):
        prepare_table(visits(), "y", TableOptions(split=split))


@pytest.mark.parametrize(("text", "words"), [
    ("0", "'0'"), ("201", "'201'"), ("a", "'a'"), ("", "no rows"), ("2 2", "example 2 2 times"),
])  # fmt: skip
def test_what_is_no_row_number_is_named(text, words, tmp_path):
    (tmp_path / "test.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        prepare_table(visits(), "y", TableOptions(split=str(tmp_path / "test.txt")))


def test_a_dated_table_is_told_of_the_split_by_time():
    notes = prepare_table(visits(), "y").notes
    assert any("--split time:day" in note for note in notes)
    for split in ("random", "time:day"):
        notes = prepare_table(visits(), "y", TableOptions(split=split)).notes
        assert not any("--split time:day" in note for note in notes)


def test_texts_are_split_by_group():
    words = [f"{'good' if k % 2 else 'bad'} film number {k} of all" for k in range(60)]
    frame = pl.DataFrame({
        "text": words, "label": [word.split()[0] for word in words],
        "author": [f"A{k % 10}" for k in range(60)],
    })  # fmt: skip
    found = prepare(frame, "label", kind="text", text="text", split="group:author")
    authors = [set(frame["author"].to_numpy()[found.row_numbers[rows] - 1]) for rows in
               (found.training, found.validation)]  # fmt: skip
    assert authors[0] and authors[1] and not authors[0] & authors[1]


def test_files_are_split_by_lists_of_names_or_at_random(tmp_path):
    files = [f"{c}/{n}.png" for c in "ab" for n in range(5)]
    frame = pl.DataFrame(
        {"path": [str(tmp_path / f) for f in files], "class": [f[0] for f in files]}
    )
    sets = {"train": frame[:8], "test": frame[8:]}
    assert sets_of_examples(sets, tmp_path, None) is sets
    assert sets_of_examples(sets, tmp_path, "random")["train"].equals(frame)
    (tmp_path / "list.txt").write_text("a/0.png\nb/3\n")
    found = sets_of_examples(sets, tmp_path, str(tmp_path / "list.txt"))
    assert found["test"].equals(frame[[0, 8]]) and len(found["train"]) == 8
    (tmp_path / "list.txt").write_text("0.png\n")
    with pytest.raises(DataError, match="2 files"):
        sets_of_examples(sets, tmp_path, str(tmp_path / "list.txt"))
    with pytest.raises(OptionError, match="no columns"):
        sets_of_examples(sets, tmp_path, "time:day")


def test_what_has_an_order_is_never_split_at_random(tmp_path):
    series = pl.DataFrame({"value": np.sin(np.arange(300.0))})
    with pytest.raises(OptionError, match="a time series"):
        prepare_series(series, SeriesOptions(split="random"))
    (tmp_path / "text.txt").write_text("to be or not to be. " * 400)
    with pytest.raises(OptionError, match="running text"):
        prepare(tmp_path / "text.txt", kind="language", split="random")
    assert ImageOptions(split="random").split == LanguageOptions(split="random").split


def test_a_large_group_does_not_take_the_place_of_the_training_rows():
    groups = np.r_[np.zeros(900, int), np.arange(1, 101)]
    for seed in range(20):
        training, validation = split_groups(groups, [0.1], seed=seed)
        assert (len(training), len(validation)) == (900, 100)
    training, validation, test = split_groups(groups, [0.2, 0.2], seed=0)
    assert len(training) == 900 and len(validation) == len(test) == 50


@pytest.mark.parametrize("split", ["random", "time:k", "group:k"])
def test_validation_rows_are_a_fraction_of_what_the_test_set_leaves(split):
    frame = pl.DataFrame({"k": range(200), "a": RNG.normal(size=200), "y": RNG.normal(size=200)})
    found = prepare_table(frame, "y", TableOptions(split=split, validation=0.6, test=0.6))
    assert [len(found.training), len(found.validation), found.test_rows] == [32, 48, 120]


def test_counts_of_classes_and_their_weights_are_those_of_the_training_rows():
    y = ["old"] * 200 + ["old", "new", "new", "new"] * 25
    frame = pl.DataFrame({"k": range(300), "x": RNG.normal(size=300), "y": y})
    found = prepare_table(
        frame, "y", TableOptions(split="time:k", validation=0.2, class_weights="balanced")
    )
    counts = np.unique(np.array(y)[:240], return_counts=True)[1]
    assert found.preprocessing.target.counts == counts.tolist()
    weights = found.spec["loss_options"]["class_weights"]
    np.testing.assert_allclose(weights, 240 / (2 * counts))
    with pytest.raises(OptionError, match="by the target"):
        prepare_table(frame, "y", TableOptions(split="group:y"))


def test_a_class_that_only_validates_stays_a_class_of_texts():
    words = [f"{'good' if k % 2 else 'bad'} film number {k} of all" for k in range(60)]
    labels = ["rare" if k > 50 else words[k].split()[0] for k in range(60)]
    frame = pl.DataFrame({"text": words, "label": labels, "k": range(60)})
    found = prepare(frame, "label", kind="text", text="text", split="time:k", validation=0.15)
    assert found.preprocessing.classes == ["bad", "good", "rare"]
    assert found.preprocessing.target.counts[2] == 0
