"""A run whose numbers had points reads a table with commas alike, where that is clear."""

import numpy as np
import polars as pl
import pytest

from cutaway.data import TablePreprocessing
from cutaway.data.cells import read_cells
from cutaway.data.level_names import other_spellings
from cutaway.data.table_reading import find_reading
from cutaway.runs.options.table import TableOptions
from cutaway.runs.table import train_table


def commas(text):
    """As a German Excel writes it."""
    return text.translate(str.maketrans(",.", ";,"))


def table(rows=60):
    rng = np.random.default_rng(0)
    lines = [
        f"{rng.normal():.2f},{rng.integers(20)},{rng.choice(['1.5', '2.5'])},{5 + k % 3 + 0.4:.1f}"
        for k in range(rows)
    ]
    return "\n".join(["x,n,size,grade", *lines]) + "\n"


@pytest.mark.parametrize("kinds", [{}, {"grade": "category", "size": "category"}])
def test_a_table_with_commas_has_the_scores_and_predictions_of_one_with_points(tmp_path, kinds):
    (tmp_path / "a.csv").write_text(table())
    (tmp_path / "b.csv").write_text(commas(table()))
    options = TableOptions(epochs=2, layers=(4,), task="multiclass", kinds=kinds)
    run = train_table(tmp_path / "a.csv", "grade", options=options, out=tmp_path / "run")
    assert [float(name) for name in run.preprocessing.class_names()] == [5.4, 6.4, 7.4]
    scores, _ = run.evaluate(tmp_path / "a.csv")
    again, notes = run.evaluate(tmp_path / "b.csv")
    assert again == scores
    assert (
        "the decimal mark of the numbers is a comma here and was another one in the training data: "
        "they are read alike"
    ) in notes
    found = run.predict_rows(tmp_path / "b.csv")
    plain = run.predict_rows(tmp_path / "a.csv")
    assert found.frame["prediction"].equals(plain.frame["prediction"])
    assert found.csv().startswith("x;n;size;grade;prediction")
    line = found.csv().splitlines()[1].split(";")
    assert "," in line[5] and "." not in line[5]  # a probability
    one = tmp_path / "one.csv"
    one.write_text("\n".join(commas(table()).splitlines()[:2]) + "\n")
    assert run.evaluate(one)[0]["accuracy"] in (0.0, 1.0)


def test_marks_that_are_not_clear_change_nothing(tmp_path):
    def cells(text):
        (tmp_path / "t.csv").write_text(text)
        return read_cells(tmp_path / "t.csv")

    points = find_reading(cells("a;b\n1.5;1,250\n2.5;7.25\n"))
    assert points.apply(cells("a;b\n3;1,250\n")).row(0) == (3.0, 1250.0)  # a thousand as before
    both = points.apply(cells("a;b\n3,5;1.5\n3.5;2,5\n"))  # each column in both forms
    assert both["a"].to_list() == [None, 3.5] and both["b"].to_list() == [1.5, None]
    mixed = find_reading(cells("a;b\n1.5;1,5\n2.5;2,25\n"))  # columns that differ in training
    assert mixed.apply(cells("a;b\n1.234;1,5\n")).row(0) == (1.234, 1.5)
    german = find_reading(cells("a;b\n1,5;1.250\n2,5;7,25\n"))
    assert german.apply(cells("a;b\n3.5;1,250.5\n")).row(0) == (3.5, 1250.5)


def test_names_of_the_same_number_are_found_unless_there_are_two():
    assert other_spellings(["7.4"], ["7,4"]) == {"7.4": "7,4"}
    assert other_spellings(["1,234"], ["1.234", "1234"]) == {}
    assert other_spellings(["1,234"], ["1.234"]) == {"1,234": "1.234"}
    assert other_spellings(["1,234"], ["1234"]) == {}  # perhaps thousands, perhaps not
    assert other_spellings(["7,4", None], ["7,4", "7.4"]) == {}  # a class itself
    frame = pl.DataFrame({"x": ["1.5", "2.5"] * 20, "y": ["a", "b"] * 20})
    fitted = TablePreprocessing.fit(frame, "y", kinds={"x": "category"})
    new = pl.DataFrame({"x": ["1,5", "9,9"]})
    found = fitted.transform(new, with_target=False)
    assert found.x.tolist() == [[1, 0], [0, 0]]
    assert found.notes == ["x: 1 row with values not seen in training ('9,9'), encoded as unknown"]
