"""Classes that may mean a missing value are named; others are not."""

import numpy as np
import polars as pl
import pytest

from cutaway.data import TablePreprocessing
from cutaway.data.class_codes import codes_among
from cutaway.data.table_reading import read_encoded


@pytest.mark.parametrize(
    ("classes", "codes"),
    [
        ([0, 1, 99], [99]),
        ([1, 2, -9], [-9]),
        ([0, 1, 9], [9]),
        (["0", "1", "98", "99"], [98, 99]),
        ([1.0, 2.0, 3.0, 999.0], [999]),
        ([-99, 0, 1, 99], [-99, 99]),
        ([*range(1, 10)], []),  # 9 goes on
        ([1, 2, 3, 4, 5, 9], []),  # a scale of ten, perhaps
        ([97, 98, 99], []),
        ([0, 99], []),  # one value is no range: two classes
        ([0, 1, 50], []),
        ([-1, 0, 1], []),
        (["a", "b", "99"], []),
        ([True, False], []),
    ],
)
def test_codes_stand_apart_from_the_other_classes(classes, codes):
    assert codes_among(classes) == codes


def test_a_code_among_classes_is_named_with_its_rows_and_missing_takes_it_out():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    y[:14] = 99
    table = {"x": rng.normal(size=200), "y": y}
    frame, _, _ = read_encoded(table)
    fitted = TablePreprocessing.fit(frame, "y")
    assert fitted.classes == [0, 1, 99]
    assert (
        "y: 99 in 14 rows is a class like the others; if it means a missing value: --missing 99, "
        "which holds for every column" in fitted.notes
    )
    frame, _, _ = read_encoded(table, missing=("99",))
    fitted = TablePreprocessing.fit(frame, "y")
    assert fitted.classes == [0, 1] and fitted.notes == ["y: skipped 14 rows without a value"]


def test_classes_that_are_words_or_go_on_have_no_note():
    y = pl.Series(["9", "8", "7"] * 20)
    fitted = TablePreprocessing.fit(
        pl.DataFrame({"x": range(60), "y": y}), "y", kinds={"x": "number"}
    )
    assert fitted.notes == []
