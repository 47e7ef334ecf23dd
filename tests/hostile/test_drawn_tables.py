"""Drawn tables with drawn options: each is read, or ends in an error of Cutaway's own."""

import warnings

import numpy as np
import pytest

from cutaway.errors import CutawayError
from cutaway.runs.preprocessing import with_columns
from cutaway.runs.table import TableOptions, TableRows, prepare_table

CELLS = (
    *("", "NA", "n/a", "#N/A", "?", "-", "--", "missing", "None", "nan", "inf", "-999", "9999"),
    *("0", "1", "-1", "3.5", "1e5", "1e400", "0x1F", "1,5", "1.234,5", "1,234.5", "1 234", "1'000"),
    *("$5", "5 €", "(3.00)", "12%", "5 kg", "1.2k", "00501", "+7", "\u22123", "٣", "½", "1/2"),
    *("2020-01-01", "1/2/2020", "31.12.2020", "2020-02-30", "10:30", "25:61", "2020-01-01T10:00Z"),
    *("0001-01-01", "9999-12-31", "20200101", "Jan 5, 2020", "yes", "no", "TRUE", "false", "T"),
    *("a", "b", "c", "a long text of several words", "=1+1", "@x", "\u202e", "\x00", "é", "\ufeff"),
    *('"', "'", 'a"b', "a,b", "a;b", "a\tb", "a\nb", "a\r", " ", "  x  ", "x" * 300, "\U0001f600"),
)
NAMES = (
    "a",
    "b",
    "id",
    "y",
    "date",
    "",
    " ",
    "a",
    "y ",
    "count",
    "prediction",
    "index",
    "é",
    "a=b",
)
KINDS = ("number", "category", "text", "date", "boolean", "id", "ignore", "integer")
ENCODINGS = (None, None, None, "utf-8", "cp1252", "utf-16", "latin-1", "ebcdic", "idna", "")
SPLITS = (None, None, "random", "time:a", "time:date", "group:b", "group:id", "time:", "no.txt")
WEIGHTS = (None, None, None, "balanced", "a=2", "a", "1=0", "=")


def column(rng, rows: int) -> list[str]:
    """Cells mostly of one kind, as those of real columns are."""
    mixed = rng.uniform() < 0.3
    usual = rng.choice(len(CELLS), size=rng.integers(1, 6))
    if rng.uniform() < 0.3:
        cells = [f"{value:.3g}" for value in rng.normal(size=rows) * 10.0 ** rng.integers(-3, 6)]
    else:
        cells = [CELLS[k] for k in rng.choice(len(CELLS) if mixed else usual, size=rows)]
    for row in rng.integers(0, rows, size=rng.integers(0, 3)):
        cells[row] = CELLS[rng.integers(len(CELLS))]
    return cells


def drawn(rng, path) -> tuple[str, dict]:
    """Writes a file; returns (target, options)."""
    rows, width = int(rng.integers(1, 60)), int(rng.integers(1, 5))
    names = [NAMES[k] for k in rng.choice(len(NAMES), size=width)]
    columns = [column(rng, rows) for _ in range(width)]
    if rng.uniform() < 0.8:  # something to learn from, and something to learn
        names = [*names, "feature", "y"]
        columns.append([f"{value:.4g}" for value in rng.normal(size=rows)])
        columns.append([str(k) for k in rng.integers(0, 3, size=rows)])
    separator = str(rng.choice([",", ",", ";", "\t", "|", " "]))
    quoted = rng.uniform() < 0.5

    def cell(text):
        if quoted and any(c in text for c in (separator, '"', "\n", "\r")):
            return '"' + text.replace('"', '""') + '"'
        return text

    end = str(rng.choice(["\n", "\n", "\r\n", "\r"]))
    lines = [separator.join(map(cell, line)) for line in [names, *zip(*columns, strict=True)]]
    content = end.join(lines).encode(
        str(rng.choice(["utf-8", "utf-8", "utf-16", "latin-1"])), "replace"
    )
    path.write_bytes(content)
    usual = {
        "encoding": ENCODINGS,
        "header": (None, True, False),
        "split": SPLITS,
        "class_weights": WEIGHTS,
        "validation": (0.2, 0.5, 0),
        "test": (0.0, 0.3),
        "task": (None, "binary", "multiclass", "regression"),
    }
    options: dict = {
        name: values[rng.integers(len(values))]
        for name, values in usual.items()
        if rng.uniform() < 0.15
    }
    if rng.uniform() < 0.3:
        options["missing"] = tuple(CELLS[k] for k in rng.choice(len(CELLS), size=2))
    if rng.uniform() < 0.3:
        options["kinds"] = {str(rng.choice(names)): KINDS[rng.integers(len(KINDS))]}
    target = "y" if rng.uniform() < 0.7 else str(rng.choice(names))
    return target, options


def use(path, target, options) -> str:
    """How far a table comes."""
    try:
        prepared = prepare_table(path, target, TableOptions(epochs=1, **options))
    except CutawayError:
        return "refused"
    rows = prepared.preprocessing
    again = TableRows.from_json(rows.to_json())
    frame, cells = again.read_written(path)
    arrays = again.transform(frame, with_target=False)
    np.testing.assert_array_equal(arrays.x[prepared.row_numbers - 1], prepared.x)
    assert np.isfinite(arrays.x).all()
    with_columns(cells.frame, {"prediction": np.zeros(len(frame))}).write_csv()
    return "read"


def draws(folder, begin: int, count: int) -> dict[str, int]:
    found = {"read": 0, "refused": 0}
    for seed in range(begin, begin + count):
        rng = np.random.default_rng(seed)
        path = folder / f"t{rng.choice(['.csv', '.csv', '.tsv', '.txt'])}"
        target, options = drawn(rng, path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found[use(path, target, options)] += 1
        except BaseException as error:
            error.add_note(
                f"seed {seed}, target {target!r}, {options}, {path.read_bytes()[:2000]!r}"
            )
            raise
    return found


def test_drawn_tables_are_read_or_refused(tmp_path):
    found = draws(tmp_path, 0, 100)
    assert found["read"] > 10 and found["refused"] > 10


@pytest.mark.slow
def test_a_thousand_drawn_tables_are_read_or_refused(tmp_path):
    found = draws(tmp_path, 100, 1000)
    assert found["read"] > 100 and found["refused"] > 100
