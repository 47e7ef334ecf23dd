"""predictions.csv: headers, dates, groups, separators and marks as the input wrote them."""

import datetime

import numpy as np
import polars as pl
import pytest

from cutaway.runs import prepare
from cutaway.runs.options.series import SeriesOptions
from cutaway.runs.options.table import TableOptions
from cutaway.runs.row_predictions import RowPredictions
from cutaway.runs.series import prepare_series
from cutaway.runs.table import train_table

PROBABILITIES = "prediction,probability,probability of a,probability of b"


def cells(rows=40, first=False):
    rng = np.random.default_rng(0)
    values = rng.normal(size=rows).round(2)
    start = [f"r{k}," if first else "" for k in range(rows)]
    return [f"{start[k]}{v},{k % 7 / 2},{'ab'[int(v > 0)]}" for k, v in enumerate(values)]


@pytest.mark.parametrize(
    ("header", "first", "target"),
    [
        ("x,x,y", False, "y"),  # twice
        (" x , z,y", False, "y"),  # blanks
        (',"a,b",y', False, "y"),  # no name; a separator
        (",x,z,y", True, "y"),  # row names of write.csv of R, the index of pandas
        ("x,z,y", True, "y"),  # those of write.table: the header has a name fewer
    ],
)
def test_the_header_is_that_of_the_input(tmp_path, header, first, target):
    lines = cells(first=first)
    (tmp_path / "t.csv").write_text("\n".join([header, *lines]) + "\n")
    run = train_table(
        tmp_path / "t.csv", target, options=TableOptions(epochs=1), out=tmp_path / "r"
    )
    found = run.predict_rows(tmp_path / "t.csv").csv().split("\n")
    assert found[0] == f"{header},{PROBABILITIES}"
    assert [line.rsplit(",", 4)[0] for line in found[1:41]] == lines


def test_a_table_without_a_header_gets_names_for_its_columns(tmp_path):
    (tmp_path / "t.csv").write_text("\n".join(cells()) + "\n")
    options = TableOptions(epochs=1, header=False)
    run = train_table(tmp_path / "t.csv", "column 3", options=options, out=tmp_path / "r")
    found = run.predict_rows(tmp_path / "t.csv").csv()
    assert found.startswith(f"column 1,column 2,column 3,{PROBABILITIES}\n")


@pytest.mark.parametrize("label_first", [True, False])
@pytest.mark.parametrize("header", [True, False])
def test_labeled_lines_come_back_as_lines_in_their_order(tmp_path, label_first, header):
    rng = np.random.default_rng(0)
    words = {"ham": ["noon", "home", "soon"], "spam": ["prize", "win", "cash"]}
    pairs = [
        (label, f' say "{rng.choice(words[label])}, now" to no {k}')
        for k in range(30)
        for label in words
    ]
    rows = [("kind", " the text"), *pairs] if header else pairs
    lines = ["\t".join(row if label_first else row[::-1]) for row in rows]
    (tmp_path / "messages").write_bytes("\n".join(lines).encode("utf-16"))
    run = prepare(tmp_path / "messages", kind="text", epochs=1).train(tmp_path / "run")
    found = run.predict_rows(tmp_path / "messages")
    texts = found.content().decode("utf-16").splitlines()
    usual = ("label", "text") if label_first else ("text", "label")
    names = lines[0] if header else "\t".join(usual)
    added = "prediction\tprobability\tprobability of ham\tprobability of spam"
    assert texts[0] == f"{names}\t{added}"
    body = lines[1:] if header else lines
    assert ["\t".join(text.split("\t")[:2]) for text in texts[1:]] == body


def series_text(form, separator=";", mark=",", groups=()):
    start, lines = datetime.date(2010, 1, 1), [f"Datum{separator}Höhe"]
    if groups:
        lines = [f"{separator}Datum{separator}Höhe"]
    for group in groups or ("",):
        for k in range(90):
            value = f"{10 + 3 * np.sin(k / 3):.3f}".replace(".", mark)
            day = (start + datetime.timedelta(days=k)).strftime(form)
            lines.append(separator.join([*([group] if group else []), day, value]))
    return "\n".join(lines) + "\n"


def forecast(tmp_path, text, **options):
    (tmp_path / "t.csv").write_bytes(text.encode("cp1252"))
    options = SeriesOptions(epochs=1, window=7, horizon=3, hidden=4, column="Höhe", **options)
    run = prepare_series(tmp_path / "t.csv", options).train(tmp_path / "run")
    return run, run.predict_rows(tmp_path / "t.csv")


def test_forecasts_have_the_dates_the_separator_and_the_mark_of_the_input(tmp_path):
    run, found = forecast(tmp_path, series_text("%d.%m.%Y"))
    head, *rows = found.content().decode("cp1252").splitlines()
    assert head.startswith("Datum;prediction")
    assert [row.split(";")[0] for row in rows] == ["01.04.2010", "02.04.2010", "03.04.2010"]
    numbers = [cell for row in rows for cell in row.split(";")[1:]]
    assert all("," in cell and "." not in cell for cell in numbers)
    values = [float(cell.replace(",", ".")) for cell in numbers]
    expected = found.frame.drop("Datum").to_numpy().ravel()
    assert values == pytest.approx(expected.tolist(), rel=1e-6)
    frame, _ = run.predict(tmp_path / "t.csv")  # in Python dates stay dates
    assert frame["Datum"].to_list()[0] == datetime.date(2010, 4, 1)


def test_forecasts_of_groups_have_their_header_and_names(tmp_path):
    text = series_text("%-m/%-d/%Y", groups=("007", "008"))
    _, found = forecast(tmp_path, text)
    head, *rows = found.csv().splitlines()
    assert head.startswith(";Datum;prediction")  # the groups have no name
    assert [row.split(";")[:2] for row in rows] == [
        [group, f"4/{day}/2010"] for group in ("007", "008") for day in (1, 2, 3)
    ]


def test_a_class_with_a_tab_is_quoted_though_lines_are_not():
    frame = pl.DataFrame({"t": ['a "b"'], "prediction": ["x\ty"]})
    found = RowPredictions(frame, [], "\t", 1, has_quotes=False)
    assert found.csv() == 't\tprediction\n"a ""b"""\t"x\ty"\n'
    plain = RowPredictions(
        frame.with_columns(prediction=pl.lit("x")), [], "\t", 1, has_quotes=False
    )
    assert plain.csv() == 't\tprediction\na "b"\tx\n'
