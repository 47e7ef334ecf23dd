"""The data sets of benchmarks/tables: two halves that share nothing."""

import inspect

import numpy as np
import pytest

from benchmarks.tables import drawn
from benchmarks.tables.datasets import ALL, CHOICE, TEST, Bundled, Drawn
from benchmarks.tables.realmlp import _without_missing
from benchmarks.tables.report import blocks
from cutaway.search.table_models import FitOutcome, LinearModel
from cutaway.search.table_problem import TableProblem
from cutaway.search.table_protocol import FitRecord

OFFLINE = [data for data in ALL if isinstance(data.read, Drawn | Bundled)]


def test_the_halves_share_no_data_and_have_every_drawn_kind():
    assert len(CHOICE) >= 12 and len(TEST) >= 12
    assert len({data.name for data in ALL}) == len({repr(data.read) for data in ALL}) == len(ALL)
    kinds = [
        {data.read.function.rpartition("_")[0] for data in half if isinstance(data.read, Drawn)}
        for half in (CHOICE, TEST)
    ]
    assert kinds[0] == kinds[1] and len(kinds[0]) == 10
    assert {data.half for data in CHOICE} == {"choice"} and {d.half for d in TEST} == {"test"}


def test_every_drawing_says_what_it_tests_and_repeats():
    for data in ALL:
        if isinstance(data.read, Drawn):
            function = getattr(drawn, data.read.function)
            assert inspect.getdoc(function).endswith(".")
            if data.name.startswith(("xor", "rare", "categories")):
                assert function()[0].equals(function()[0]), data.name


@pytest.mark.parametrize("data", OFFLINE, ids=lambda data: data.name)
def test_a_data_set_has_its_task_and_every_class_on_both_sides(data):
    problem = data.problem(None)
    split = problem.splits(1)[0]
    assert problem.task == data.task and np.isfinite(problem.truth).all()
    if problem.classes:
        for rows in (split.training, split.test):
            assert set(problem.truth[rows]) == set(range(len(problem.classes)))
    if data.name.startswith("rare"):
        assert problem.truth.mean() == pytest.approx(1 / 31, rel=0.2)
    if data.name.startswith("xor"):
        assert problem.truth.mean() == pytest.approx(0.5, abs=0.05)


def test_realmlp_gets_medians_and_marks_for_missing_numbers_and_no_others():
    x = np.array([[1.0, np.nan], [3.0, 0.0], [np.nan, 1.0], [8.0, np.nan]])
    filled, new, is_category = _without_missing(x, x[:1], np.array([False, True]))
    assert filled[:, 0].tolist() == [1, 3, 3, 8] and filled[:, 2].tolist() == [0, 0, 1, 0]
    assert np.array_equal(filled[:, 1], x[:, 1], equal_nan=True)
    assert new.shape == (1, 3) and is_category.tolist() == [False, True, False]


def test_the_report_fits_eighty_columns_and_names_where_the_first_model_is_worse():
    frame, target = drawn.steps_choice()
    problem = TableProblem.of("wine_quality_white", frame, target)
    split = problem.splits(1)[0]
    truth = problem.truth[split.test]
    names = ["cutaway", "RealMLP", "boosted", "forest", "sklearn MLP", "linear"]
    records = []
    for k, name in enumerate(names):
        model = LinearModel()
        model.name = name
        off = truth + [0.2, 0.1, 0.3, 0.4, 0.5, 0.6][k]
        records.append(FitRecord.of(problem, model, split, FitOutcome(off, 2.0 + k, 2.0, 10**8)))
    found = blocks(records, names, "cutaway")
    text = "\n".join(block.text() for block in found)
    assert max(map(len, text.splitlines())) <= 80
    assert "by over 5%: 1 of 1 sets" in text and "rmse 0.2000, RealMLP 0.1000 (+100%)" in text
    assert "cutaway / RealMLP: 0.67" in text
    assert "| rmse (1) | 2.00* | 1.00* | 3.00* | 4.00* | 5.00* | 6.00* | 7.54 |" in "".join(
        block.markdown() for block in found
    )
