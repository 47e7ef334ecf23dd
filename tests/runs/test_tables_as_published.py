"""Tables as people publish them: what is read from each, and what is said of it.

The files are written anew after the cases that once failed, and after what spreadsheets, statistics
programs, databases and sensors write.
"""

import codecs
import dataclasses
import datetime

import numpy as np
import polars as pl
import pytest

from cutaway.errors import DataError, OptionError
from cutaway.runs import Run, prepare, recognize
from cutaway.runs.options.table import TableOptions
from cutaway.runs.table import prepare_table, train_table

RNG = np.random.default_rng(0)
ROWS = 60
A = RNG.normal(size=ROWS).round(3)
Y = (A > 0).astype(int)
AY = [*zip(A, Y, strict=True)]


@dataclasses.dataclass(frozen=True)
class Published:
    """A file, and what is to come of it.

    Attributes:
        text: its content; bytes for other encodings than UTF-8.
        kinds: {column: kind} of the columns besides the target.
        target: the column to predict.
        task: of the target.
        says: parts of notes.
        options: of the training.
        suffix: of the file's name.
    """

    text: str | bytes
    kinds: dict
    target: str = "y"
    task: str = "binary"
    says: tuple = ()
    options: dict = dataclasses.field(default_factory=dict)
    suffix: str = ".csv"


def lines(header: str, rows, separator=",", end="\n") -> str:
    return end.join([header, *(separator.join(map(str, row)) for row in rows)]) + end


def dated(form: str, step=datetime.timedelta(days=5)) -> str:
    first = datetime.datetime(2020, 1, 1, 10)
    times = [format(first + k * step, form) for k in range(ROWS)]
    return lines("when,a,y", zip(times, A, Y, strict=True))


def american(k: int) -> str:
    day = datetime.date(2020, 1, 1) + datetime.timedelta(days=5 * k)
    return f"{day.month}/{day.day}/{day.year}"


def comma(value) -> str:
    return str(value).replace(".", ",")


def other(number: float) -> float:
    return round(float(number), 2)


BIG = RNG.integers(1_000, 2_000_000, ROWS)
PRICES = RNG.integers(100, 99_900, ROWS) / 100
NUMBERS = {"a": "number"}
DATED = {"when": "date", "a": "number"}

# the cases of ../shared/cases, by what they hold
CASES = {
    "timestamps with a space": Published(
        dated("%Y-%m-%d %H:%M:%S", datetime.timedelta(hours=7)), DATED
    ),
    "timestamps of UTC": Published(dated("%Y-%m-%dT%H:%M:%SZ"), DATED),
    "month/day/year": Published(
        lines("when,a,y", zip(map(american, range(ROWS)), A, Y, strict=True)),
        DATED,
        says=("month/day/year",),
    ),
    "the word missing": Published(
        lines("a,y", [(a if k != 7 else "missing", y) for k, (a, y) in enumerate(AY)]),
        NUMBERS,
        says=("'missing'", "treated as missing"),
    ),
    "errors of a spreadsheet": Published(
        lines("a,y", [(a if k % 9 else "#N/A", y) for k, (a, y) in enumerate(AY)]),
        NUMBERS,
        says=("'#N/A'",),
    ),
    "thousands": Published(
        lines("a,y", [(f'"{n:,}"', y) for n, y in zip(BIG, Y, strict=True)]), NUMBERS
    ),
    "decimal commas": Published(
        lines(
            "a;b;y",
            [
                (comma(a), f"{n:,}".replace(",", ".") + ",5", y)
                for a, n, y in zip(A, BIG, Y, strict=True)
            ],
            ";",
        ),
        {"a": "number", "b": "number"},
    ),
    "prices as target": Published(
        lines("a,price", [(a, f"${p:.2f}") for a, p in zip(A, PRICES, strict=True)]),
        NUMBERS,
        "price",
        "regression",
        ("'$'",),
    ),
    "a class named NA": Published(
        lines("a,y", [(a, ("NA", "EU", "AS")[k % 3]) for k, a in enumerate(A)]),
        NUMBERS,
        task="multiclass",
        says=("'NA' in 20 rows", "--missing NA"),
    ),
    "quotes in the header": Published(
        '"Name, first",a,"b\nunit",y\n' + lines("", zip(A, -A, A**2, Y, strict=True))[1:],
        {"Name, first": "number", "a": "number", "b\nunit": "number"},
    ),
    "equal names": Published(
        lines("a,a,y", zip(A, RNG.normal(size=ROWS).round(2), Y, strict=True)),
        {"a": "number", "a 2": "number"},
        says=("a 2",),
    ),
    "latin-1": Published(
        lines(
            "Stadt;Höhe;y", zip(["Köln", "München"] * (ROWS // 2), A, Y, strict=True), ";"
        ).encode("cp1252"),
        {"Stadt": "category", "Höhe": "number"},
        says=("not UTF-8",),
    ),
    "utf-16": Published(
        codecs.BOM_UTF16_LE + lines("a,y", AY).encode("utf-16-le"),
        NUMBERS,
        says=("utf-16",),
    ),
    "a copy of the target": Published(
        lines(
            "a,copy,y",
            zip(RNG.normal(size=150).round(3), ["no", "yes"] * 75, [0, 1] * 75, strict=True),
        ),
        {"a": "number", "copy": "category"},
        says=("`copy`", "--ignore copy"),
    ),
    "an id out of order": Published(
        lines(
            "id,a,y", zip(RNG.permutation(np.arange(1000, 1000 + 17 * ROWS, 17)), A, Y, strict=True)
        ),
        {"id": "identifier", "a": "number"},
        says=("id: not used", "--column id=number"),
    ),
    "250 classes": Published(
        lines("a,y", [(other(k), f"sku{k % 250}") for k in range(1000)]), NUMBERS, task="multiclass"
    ),
    "codes with zeros": Published(
        lines("zip,a,y", [(f"{501 + 37 * (k % 5):05}", a, y) for k, (a, y) in enumerate(AY)]),
        {"zip": "category", "a": "number"},
    ),
}

# what other programs write
MORE = {
    "R with row names": Published(
        '"a","kind","y"\n'
        + "".join(
            f'"{k + 1}",{a if k != 3 else "NA"},"{("u", "v")[k % 2]}",{y}\n'
            for k, (a, y) in enumerate(AY)
        ),
        {"row name": "identifier", "a": "number", "kind": "category"},
        says=("row name",),
    ),
    "pandas with its index": Published(
        lines(",a,y", zip(range(ROWS), A, Y, strict=True)),
        {"column 1": "identifier", "a": "number"},
    ),
    "Excel in German": Published(
        lines(
            "Größe;Preis;Datum;y",
            [
                (
                    comma(f"{a:.2f}"),
                    f"{p:.2f}".replace(".", ",") + " €",
                    f"{1 + k % 28:02}.{1 + k % 12:02}.2021",
                    y,
                )
                for k, (a, p, y) in enumerate(zip(A, PRICES, Y, strict=True))
            ],
            ";",
            "\r\n",
        ).encode("cp1252"),
        {"Größe": "number", "Preis": "number", "Datum": "date"},
        says=("'€'", "day"),
    ),
    "Excel in French": Published(
        lines(
            "prix;taux;y",
            [
                (f"{n:,}".replace(",", "\u202f") + ",50", comma(f"{a:.1f}") + " %", y)
                for n, a, y in zip(BIG, A, Y, strict=True)
            ],
            ";",
        ),
        {"prix": "number", "taux": "number"},
    ),
    "SAS, a point for missing": Published(
        lines("a,y", [("." if k % 10 == 4 else a, y) for k, (a, y) in enumerate(AY)]),
        NUMBERS,
        says=("'.'",),
    ),
    "SQL, NULL for missing": Published(
        lines(
            "a,kind,y",
            [
                ("NULL" if k % 10 == 4 else a, "NULL" if k % 7 == 0 else "uv"[k % 2], y)
                for k, (a, y) in enumerate(AY)
            ],
        ),
        {"a": "number", "kind": "category"},
    ),
    "sensors, -999 for missing": Published(
        lines("a,y", [(-999 if k % 12 == 5 else other(20 + a), y) for k, (a, y) in enumerate(AY)]),
        NUMBERS,
        says=("-999 in 5 rows",),
    ),
    "sensors, -200 for missing": Published(
        lines(
            "Date;Time;CO;y",
            [
                (
                    f"{10 + k % 15:02}/03/2004",
                    f"{k % 24:02}.00.00",
                    "-200" if k % 9 == 2 else comma(f"{2 + a:.1f}"),
                    y,
                )
                for k, (a, y) in enumerate(AY)
            ],
            ";",
        ),
        {"Date": "date", "CO": "number"},
        says=("-200 in 7 rows",),
    ),
    "percent": Published(
        lines("rate,y", [(f"{50 + 10 * a:.1f}%", y) for a, y in AY]),
        {"rate": "number"},
        says=("percent",),
    ),
    "accounting": Published(
        lines(
            "gain,y",
            [
                (f'"(${p:,.2f})"' if k % 3 == 0 else f'"${p:,.2f}"', y)
                for k, (p, y) in enumerate(zip(100 * PRICES, Y, strict=True))
            ],
        ),
        {"gain": "number"},
        says=("'$'",),
    ),
    "kilograms": Published(
        lines("weight,y", [(f"{70 + 8 * a:.1f} kg", y) for a, y in AY]),
        {"weight": "number"},
        says=("'kg'",),
    ),
    "thousands as k and M": Published(
        lines(
            "followers,y",
            [
                (f"{n / 1e6:.1f}M" if n > 1e6 else f"{n / 1e3:.1f}k", y)
                for n, y in zip(BIG, Y, strict=True)
            ],
        ),
        {"followers": "number"},
    ),
    "Swiss apostrophes": Published(
        lines(
            "lohn;y", [(f"{n:,}".replace(",", "'"), y) for n, y in zip(BIG, Y, strict=True)], ";"
        ),
        {"lohn": "number"},
    ),
    "a minus of typesetting": Published(
        lines("a,y", [(str(a).replace("-", "\u2212"), y) for a, y in AY]), NUMBERS
    ),
    "exponents": Published(lines("a,y", [(f"{a:.3e}", y) for a, y in AY]), NUMBERS),
    "true and false": Published(
        lines("open,a,y", [("TRUE" if k % 2 else "FALSE", a, y) for k, (a, y) in enumerate(AY)]),
        {"open": "boolean", "a": "number"},
    ),
    "yes and no as target": Published(
        lines("a,y", [(a, "yes" if y else "no") for a, y in AY]), NUMBERS
    ),
    "day.month.year": Published(dated("%d.%m.%Y"), DATED, says=("day",)),
    "names of months": Published(dated("%d %b %Y"), DATED),
    "a clock of 12 hours": Published(
        dated("%m/%d/%Y %I:%M %p", datetime.timedelta(hours=7)), DATED
    ),
    "months": Published(
        lines(
            "month,a,y",
            [(f"{2001 + k // 12}-{1 + k % 12:02}", a, y) for k, (a, y) in enumerate(AY)],
        ),
        {"month": "date", "a": "number"},
    ),
    "dates without separators": Published(
        lines(
            "date,a,y",
            [(f"2021{1 + k % 12:02}{1 + k % 28:02}", a, y) for k, (a, y) in enumerate(AY)],
        ),
        {"date": "date", "a": "number"},
    ),
    "a title above the header": Published(
        "Survey of 2021\n\n" + lines("a,b,y", zip(A, -A, Y, strict=True)),
        {"a": "number", "b": "number"},
    ),
    "comments above the header": Published(
        "# made by a program\n# units: m\n" + lines("a,y", AY), NUMBERS
    ),
    "no header": Published(
        lines("", zip(A, -A, Y, strict=True))[1:],
        {"column 1": "number", "column 2": "number"},
        "column 3",
        says=("header",),
    ),
    "a separator at each end": Published(
        lines("a,b,y,", [(a, -a, y, "") for a, y in AY]),
        {"a": "number", "b": "number"},
    ),
    "tabs in a .txt": Published(
        lines("a\tb\ty", zip(A, -A, Y, strict=True), "\t"),
        {"a": "number", "b": "number"},
        suffix=".txt",
    ),
    "bars": Published(
        lines("a|b|y", zip(A, -A, Y, strict=True), "|"), {"a": "number", "b": "number"}
    ),
    "columns of spaces": Published(
        "".join(
            f"{p:>9}{q:>9}{r:>3}\n" for p, q, r in [("a", "b", "y"), *zip(A, -A, Y, strict=True)]
        ),
        {"a": "number", "b": "number"},
        suffix=".txt",
    ),
    "returns of an old Macintosh": Published(lines("a,y", AY, end="\r"), NUMBERS),
    "a mark of UTF-8": Published(b"\xef\xbb\xbf" + lines("a,y", AY).encode(), NUMBERS),
    "Weka": Published(
        "@relation r\n@attribute a numeric\n@attribute y {no,yes}\n@data\n"
        + "".join(f"{a},{'yes' if y else 'no'}\n" for a, y in AY),
        NUMBERS,
        suffix=".arff",
    ),
    "JSON lines": Published(
        "".join(f'{{"a": {a}, "y": "{"no" if y else "yes"}"}}\n' for a, y in AY),
        NUMBERS,
        suffix=".jsonl",
    ),
    "a text beside numbers": Published(
        lines(
            "review,a,y",
            [
                (f'"this one is {"good" if y else "bad"}, I say, and number {k}"', a, y)
                for k, (a, y) in enumerate(AY)
            ],
        ),
        {"review": "text", "a": "number"},
    ),
    "grades": Published(
        lines("a,quality", [(a, 3 + k % 6) for k, a in enumerate(A)]),
        NUMBERS,
        "quality",
        "multiclass",
        ("6 different integers, 3 to 8", "--task regression"),
    ),
    "ages as target": Published(
        lines("a,age", [(a, 18 + (7 * k) % 60) for k, a in enumerate(A)]),
        NUMBERS,
        "age",
        "regression",
    ),
    "eleven vowels": Published(
        lines("a,vowel", [(other(k), k % 11) for k in range(220)]),
        NUMBERS,
        "vowel",
        "multiclass",
        ("11 different integers",),
    ),
    "ids of stores": Published(
        lines("store_id,a,y", [(100 + k % 6, a, y) for k, (a, y) in enumerate(AY)]),
        {"store_id": "category", "a": "number"},
    ),
    "a column of one value": Published(
        lines("site,a,y", [("north", a, y) for a, y in AY]),
        {"site": "constant", "a": "number"},
        says=("site: not used (every value is north)",),
    ),
    "missing by the user's word": Published(
        lines("a,kind,y", [(a, ("u", "v", "none given")[k % 3], y) for k, (a, y) in enumerate(AY)]),
        {"a": "number", "kind": "category"},
        options={"missing": ("none given",)},
    ),
    "a number that is a name": Published(
        lines("model,a,y", [((911, 918, 959)[k % 3], a, y) for k, (a, y) in enumerate(AY)]),
        {"model": "category", "a": "number"},
        options={"kinds": {"model": "category"}},
    ),
}


@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_a_published_table_is_read_as_a_person_reads_it(name, tmp_path):
    found = {**CASES, **MORE}[name]
    content = found.text.encode() if isinstance(found.text, str) else found.text
    path = tmp_path / f"t{found.suffix}"
    path.write_bytes(content)
    prepared = prepare_table(path, found.target, TableOptions(**found.options))
    fitted = prepared.preprocessing.fitted
    kinds = {column.name: column.kind for column in fitted.columns}
    assert {name: kinds.get(name) for name in found.kinds} == found.kinds
    assert fitted.task == found.task
    told = "\n".join(map(str, prepared.notes))
    assert [part for part in found.says if part not in told] == []


def test_values_are_the_numbers_that_a_person_reads(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(MORE["Excel in German"].text)
    frame = prepare_table(path, "y").frame
    np.testing.assert_allclose(frame["Preis"], PRICES)
    np.testing.assert_allclose(frame["Größe"], [float(f"{a:.2f}") for a in A])
    path.write_bytes(MORE["accounting"].text.encode())
    gains = prepare_table(path, "y").frame["gain"].to_numpy()
    assert (gains[::3] < 0).all() and (gains[1::3] > 0).all()
    np.testing.assert_allclose(np.abs(gains), 100 * PRICES)


def as_r(frame) -> str:
    """As write.csv of R writes a data frame."""

    def cell(value):
        return "NA" if value is None else f'"{value}"' if isinstance(value, str) else str(value)

    rows = [",".join([f'"{k + 1}"', *map(cell, row)]) for k, row in enumerate(frame.rows())]
    header = ",".join(['""', *(f'"{name}"' for name in frame.columns)])
    return "\n".join([header, *rows]) + "\n"


def as_german(frame) -> bytes:
    """As a German Excel saves a table as CSV."""

    def cell(value):
        return "" if value is None else comma(value) if isinstance(value, float) else str(value)

    rows = [";".join(map(cell, row)) for row in frame.rows()]
    return ("\r\n".join([";".join(frame.columns), *rows]) + "\r\n").encode("cp1252")


@pytest.mark.parametrize("name", ["iris", "wine", "diabetes"])
def test_a_data_set_is_the_same_from_pandas_excel_and_r(name, tmp_path):
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = data.frame.rename(columns={"target": "Güte"})
    if name != "diabetes":
        frame["Güte"] = data.target_names[data.target]
    frame.to_csv(tmp_path / "pandas.csv", index=False)
    exact = pl.DataFrame({column: frame[column].to_list() for column in frame})
    gaps = exact.with_columns(pl.when(pl.int_range(pl.len()) != 5).then(pl.col(exact.columns[0])))
    (tmp_path / "german.csv").write_bytes(as_german(exact))
    (tmp_path / "r.csv").write_text(as_r(gaps), encoding="utf-8")
    found = {
        file: prepare_table(tmp_path / f"{file}.csv", "Güte") for file in ("pandas", "german", "r")
    }
    plain = found["pandas"]
    assert found["german"].preprocessing.features == plain.preprocessing.features
    np.testing.assert_array_equal(found["german"].x, plain.x)
    np.testing.assert_array_equal(found["german"].y, plain.y)
    left_out = found["r"].preprocessing.fitted.columns[0]
    assert left_out.kind == "identifier" and left_out.distinct == len(exact)
    assert found["r"].preprocessing.features == plain.preprocessing.features
    np.testing.assert_array_equal(found["r"].y, plain.y)
    assert found["r"].frame[gaps.columns[0]].null_count() == 1
    np.testing.assert_allclose(found["r"].x[:, 1:], plain.x[:, 1:], atol=1e-6)


def test_a_predicted_table_keeps_the_cells_of_its_input(tmp_path):
    rows = [
        (f"{501 + 37 * (k % 5):05}", f"{comma(p)} €", y)
        for k, (p, y) in enumerate(zip(PRICES, Y, strict=True))
    ]
    text = lines("zip;price;y", rows, ";")
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    run = train_table(tmp_path / "t.csv", "y", options=TableOptions(epochs=2), out=tmp_path / "run")
    new = 'zip;price;extra\n00501;"1,50 €"; x \n00538;;=1+1\n'
    (tmp_path / "new.csv").write_text(new, encoding="utf-8")
    found = Run.open(run.path).predict_rows(tmp_path / "new.csv")
    assert found.separator == ";"
    head, first, second = found.csv().splitlines()
    assert head.startswith("zip;price;extra;prediction;probability;probability of 0;")
    assert first.startswith("00501;1,50 €; x ;") and second.startswith("00538;;=1+1;")
    assert found.frame["probability of 0"][0] + found.frame["probability of 1"][0] == pytest.approx(
        1
    )


def test_one_row_is_read_as_training_read_its_column(tmp_path):
    rows = [(f"{n:,}".replace(",", "."), y) for n, y in zip(BIG, Y, strict=True)]
    text = lines("sum;b;y", [(s, comma(a), y) for (s, y), a in zip(rows, A, strict=True)], ";")
    (tmp_path / "t.csv").write_text(text)
    run = train_table(tmp_path / "t.csv", "y", options=TableOptions(epochs=2), out=tmp_path / "r")
    (tmp_path / "one.csv").write_text("sum;b\n1.234;0,5\n")
    read = Run.open(run.path).preprocessing.read(tmp_path / "one.csv")
    assert read.rows() == [(1234, 0.5)]
    (tmp_path / "one.csv").write_text("sum;b\nmany;0,5\n")
    with pytest.raises(DataError, match="'sum' holds 'many' in row 1"):
        run.predict(tmp_path / "one.csv")
    (tmp_path / "two.csv").write_text("sum;b\nmany;0,5\n7;0,5\n")
    _, notes = run.predict(tmp_path / "two.csv")
    assert any("'many'" in note for note in notes)


def test_rows_of_a_class_that_training_did_not_have_count_as_wrong(tmp_path):
    frame = pl.DataFrame({"a": A, "y": ["p" if y else "n" for y in Y]})
    run = train_table(frame, "y", options=TableOptions(epochs=20), out=tmp_path / "run")
    known, _ = run.evaluate(frame)
    more = pl.concat([frame, pl.DataFrame({"a": A[:20], "y": ["new"] * 20})])
    scores, notes = run.evaluate(more)
    assert scores["accuracy"] == pytest.approx(known["accuracy"] * ROWS / (ROWS + 20))
    assert any("20 rows of classes that are not in the training data ('new')" in n for n in notes)
    with pytest.raises(DataError, match="none of the 20 rows has a class"):
        run.evaluate(more[-20:])


def test_all_rows_train_if_none_are_to_validate(tmp_path):
    frame = pl.DataFrame({"age": [20, 30, 40, 50], "bmi": [18.5, 19.0, 20.5, 22.0]})
    options = TableOptions(validation=0, epochs=3)
    prepared = prepare_table(frame, "bmi", options)
    assert len(prepared.training) == 4 and not prepared.has_validation
    assert any("no validation rows" in note for note in prepared.notes)
    run = prepared.train(tmp_path / "run", progress=False)
    assert run.metrics["train"] == run.metrics["validation"]
    assert run.metrics["validation_kind"] == "training"
    page = prepared.page(run, "cutaway train")
    assert "that the network was trained on: they say nothing about new rows" in page
    assert "validation rows" not in page.partition("no validation rows")[0]
    assert run.preprocessing.interval is None


def test_a_few_labeled_lines_are_known_by_the_labels(tmp_path):
    words = {"pos": "a very good and fine film", "neg": "a very bad and dull film"}
    text = "".join(f"{label}\t{words[label]} {k}\n" for k in range(40) for label in words)
    (tmp_path / "t.txt").write_text(text)
    run = prepare(tmp_path / "t.txt", epochs=2).train(tmp_path / "run", progress=False)
    (tmp_path / "new.txt").write_text("pos\ta good one\n")
    frame, _ = run.predict(tmp_path / "new.txt")
    assert frame["text"].to_list() == ["a good one"] and frame["label"].to_list() == ["pos"]


def test_a_us_dated_series_is_one_and_two_shops_are_two(tmp_path):
    days = [american(k) for k in range(120)]
    text = lines("day,sales", [(d, other(10 + np.sin(k / 3))) for k, d in enumerate(days)])
    (tmp_path / "us.csv").write_text(text)
    assert recognize(tmp_path / "us.csv").kind == "series"


@pytest.mark.parametrize(("text", "words"), [
    ("a", "NAME=KIND"), ("a=integer", "integer"), ("=number", "NAME=KIND"),
])  # fmt: skip
def test_a_kind_that_is_none_is_refused(text, words):
    from cutaway.runs.options.tabular import parse_kinds

    with pytest.raises(OptionError, match=words):
        parse_kinds(text)
    assert parse_kinds("a=number, b = text") == {"a": "number", "b": "text"}


def test_a_column_that_cannot_be_what_the_user_says_is_named():
    frame = pl.DataFrame({"a": ["x", "y"] * 30, "b": A, "y": Y})
    with pytest.raises(OptionError, match="'a' cannot be a number: it holds 'x'"):
        prepare_table(frame, "y", TableOptions(kinds={"a": "number"}))
    prepared = prepare_table(frame, "y", TableOptions(kinds={"a": "ignore"}))
    assert prepared.preprocessing.features == ["b"]


def test_the_kind_of_a_target_is_its_task():
    frame = pl.DataFrame({"a": A, "grade": [3 + k % 4 for k in range(ROWS)]})
    for kind, task in (("number", "regression"), ("category", "multiclass")):
        prepared = prepare_table(frame, "grade", TableOptions(kinds={"grade": kind}))
        assert prepared.preprocessing.task == task
    with pytest.raises(OptionError, match="the target 'grade' as date"):
        prepare_table(frame, "grade", TableOptions(kinds={"grade": "date"}))
    with pytest.raises(OptionError, match="the target 'grade' is to be ignored"):
        prepare_table(frame, "grade", TableOptions(ignore=("grade",)))


def test_numbers_that_a_frame_holds_as_texts_stay_texts_with_a_note():
    frame = pl.DataFrame({"a": A, "n": [str(k % 7) for k in range(ROWS)], "y": list(map(str, A))})
    prepared = prepare_table(frame, "y", TableOptions(task="regression"))
    assert prepared.preprocessing.task == "regression"
    told = [note for note in prepared.notes if note.startswith("n: all its texts are numbers")]
    assert "--column n=number" in told[0]
    read = prepare_table(frame, "y", TableOptions(task="regression", kinds={"n": "number"}))
    assert read.preprocessing.features == ["a", "n"]


def test_a_category_of_integers_is_the_same_beside_a_gap():
    levels = ["1.0", "2.0", "007", "1.50"]
    frame = pl.DataFrame({"c": levels * 15, "y": Y})
    fitted = prepare_table(frame, "y").preprocessing.fitted
    assert fitted.encoders[0].levels == ["1", "1.50", "2", "007"]
    new = fitted.transform(pl.DataFrame({"c": ["1", "2.0"]}), with_target=False)
    assert new.notes == [] and new.x.sum(axis=1).tolist() == [1, 1]


def test_years_in_a_row_are_numbers_and_numbers_of_rows_are_not():
    for name, first, kind in (("year", 1901, "number"), ("case", 1, "identifier")):
        frame = pl.DataFrame({name: range(first, first + ROWS), "a": A, "y": Y})
        kinds = {c.name: c.kind for c in prepare_table(frame, "y").preprocessing.fitted.columns}
        assert kinds[name] == kind


def test_a_pandas_frame_comes_back_with_its_own_columns(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": A.astype("f2"), "c": pd.Categorical(["u", "v"] * 30), 7: Y})
    run = train_table(frame, "7", options=TableOptions(epochs=2), out=tmp_path / "run")
    given = frame.set_axis([0] * ROWS, axis=0)  # an index that repeats
    found, _ = run.predict(given)
    pd.testing.assert_frame_equal(found[given.columns], given)
    assert found.columns[3:].tolist() == [
        *("prediction", "probability"), *("probability of 0", "probability of 1")
    ]  # fmt: skip


def test_predictions_have_the_decimal_mark_and_the_encoding_of_the_input(tmp_path):
    (tmp_path / "t.csv").write_bytes(MORE["Excel in German"].text)
    options = TableOptions(epochs=2)
    run = train_table(tmp_path / "t.csv", "Preis", options=options, out=tmp_path / "run")
    found = run.predict_rows(tmp_path / "t.csv")
    head, first, *_ = found.content().decode("cp1252").splitlines()
    assert head == "Größe;Preis;Datum;y;prediction"
    assert all("," in cell and "." not in cell for cell in first.split(";")[4:])


def test_a_word_that_only_contains_a_measure_is_none():
    for name, kind in (("account", "identifier"), ("rank of the team", "number")):
        frame = pl.DataFrame({name: range(1, 1 + ROWS), "a": A, "y": Y})
        kinds = {c.name: c.kind for c in prepare_table(frame, "y").preprocessing.fitted.columns}
        assert kinds[name] == kind
