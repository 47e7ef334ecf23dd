import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from cutaway.errors import DataError, OptionError
from cutaway.runs import Run, write_report
from cutaway.runs.text import SHOWN, TextOptions, TextRows, prepare_text

RNG = np.random.default_rng(0)
GOOD = ["a splendid and touching film", "what a great cast and story", "truly great fun"]
BAD = ["a dull and empty film", "what a boring waste of time", "truly boring and bad"]
ROWS = 120
IS_GOOD = RNG.random(ROWS) < 0.5
TEXTS = [
    f"{RNG.choice(GOOD if good else BAD)} , seen on day {RNG.integers(30)} of the month {k}"
    for k, good in enumerate(IS_GOOD)
]
FRAME = pl.DataFrame({"id": range(ROWS), "text": TEXTS, "praise": np.where(IS_GOOD, "yes", "no")})
QUICK = TextOptions(epochs=6, lr=0.02, batch_size=32)


def trained(tmp_path, prepared):
    return prepared.train(tmp_path / "run", progress=False)


def test_texts_of_a_table_are_told_apart_and_the_run_says_the_same_later(tmp_path):
    prepared = prepare_text(FRAME, "praise", QUICK, why="a column of free text")
    assert prepared.kind == "text" and prepared.preprocessing.task == "binary"
    assert "not used: id" in prepared.notes
    run = trained(tmp_path, prepared)
    assert run.metrics["validation"]["accuracy"] >= 0.95
    report = write_report(prepared, run).read_text()
    assert "a column of free text" in report and "seen on day" in report

    again = Run.open(run.path)
    first, _ = run.predict(FRAME)
    second, _ = again.predict(FRAME.drop("praise"))
    assert first["prediction"].to_list() == second["prediction"].to_list()
    assert again.evaluate(FRAME)[0]["accuracy"] >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_each_model_trains_on_labeled_lines_which_need_no_target(tmp_path, model):
    path = tmp_path / "reviews.txt"
    path.write_text(
        "".join(f"{int(g)}\t{t}\n" for g, t in zip(IS_GOOD[:60], TEXTS[:60], strict=True))
    )
    prepared = prepare_text(path, options=dataclasses.replace(QUICK, model=model, lr=0.005))
    assert prepared.target == "label" and prepared.spec["model"] == f"text_{model}"
    run = trained(tmp_path, prepared)
    assert run.metrics["validation"]["accuracy"] >= 0.75
    assert len(run.predict(path)[0]) == 60


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (np.where(IS_GOOD, 2.5, -1.0) + RNG.normal(0, 0.1, ROWS), "regression"),
        (np.arange(ROWS) % 3, "multiclass"),
    ],
)
def test_any_target_may_be_told_from_a_text(tmp_path, target, task):
    frame = FRAME.drop("praise").with_columns(y=pl.Series(target))
    prepared = prepare_text(frame, "y", dataclasses.replace(QUICK, epochs=8))
    assert prepared.preprocessing.task == task
    run = trained(tmp_path, prepared)
    write_report(prepared, run)
    if task == "regression":
        assert run.metrics["validation"]["r2"] > 0.5
    else:
        assert run.metrics["validation"].keys() >= {"accuracy", "f1"}


def test_a_few_texts_without_words_are_left_out_and_named(tmp_path):
    texts = TEXTS.copy()
    texts[3], texts[7] = "  ", ""
    frame = FRAME.with_columns(text=pl.Series(texts))
    prepared = prepare_text(frame, "praise", QUICK)
    assert "text: 2 rows (rows 4, 8) without words, skipped" in prepared.notes
    assert len(prepared.x) == ROWS - 2 and 4 not in prepared.row_numbers
    run = trained(tmp_path, prepared)
    told, notes = run.predict(frame)
    assert told["prediction"].is_null().to_list() == [k in (3, 7) for k in range(ROWS)]
    assert told["probability"].null_count() == 2
    assert "text: 2 rows (rows 4, 8) without words, no prediction" in notes
    scores, notes = run.evaluate(frame)
    assert scores["accuracy"] > 0.9
    assert "text: 2 rows (rows 4, 8) without words, skipped" in notes
    lines = tmp_path / "new.txt"
    lines.write_text("truly great fun\n\nboring\n")
    assert run.predict(lines)[0]["prediction"].to_list()[:2] == ["yes", None]


def test_many_texts_without_words_are_an_error_that_counts_and_names_them():
    texts = [" " if k % 4 == 1 else t for k, t in enumerate(TEXTS)]
    with pytest.raises(DataError, match=r"30 rows \(rows 2, 6, 10, 14, 18, \.\.\.\) of 120"):
        prepare_text(FRAME.with_columns(text=pl.Series(texts)), "praise", QUICK)


def test_the_tokenizer_and_the_classes_are_those_of_the_training_rows(tmp_path):
    prepared = prepare_text(FRAME, "praise", QUICK)
    rows = prepared.preprocessing
    last = [str(k) for k in prepared.validation if k > 30]  # each text ends with its own number
    assert not any(rows.tokenizer.inner.token_to_id(number) for number in last)
    again = TextRows.from_json(json.loads(json.dumps(rows.to_json())))
    np.testing.assert_array_equal(again.transform(FRAME).x, rows.transform(FRAME).x)
    assert again.target == rows.target


@pytest.mark.parametrize("tokens", ["bpe", "character"])
def test_texts_may_be_cut_into_other_tokens(tokens):
    options = TextOptions(tokens=tokens, length=20, vocabulary=300)
    prepared = prepare_text(FRAME, "praise", options)
    assert prepared.x.shape == (ROWS, 20)
    assert any("texts were truncated to 20 tokens" in note for note in prepared.notes)


def test_long_texts_are_shortened_in_the_report_alone():
    texts = [t + " word" * 200 for t in TEXTS]
    prepared = prepare_text(FRAME.with_columns(text=pl.Series(texts)), "praise", QUICK)
    assert prepared.frame["text"].str.len_chars().max() == SHOWN + 4
    assert prepared.x.shape[1] > 200


@pytest.mark.parametrize(
    ("target", "options", "error", "words"),
    [
        (None, {}, OptionError, "no target was given"),
        ("prase", {}, DataError, 'did you mean "praise"'),
        ("praise", {"text": "tekst"}, DataError, 'did you mean "text"'),
        ("text", {"text": "text"}, OptionError, "both the text and the target"),
        ("text", {}, DataError, "no column holds free text"),
        ("praise", {"batch_size": 500}, OptionError, "batch_size is 500"),
    ],
)
def test_what_cannot_be_trained_says_why(target, options, error, words):
    with pytest.raises(error, match=words):
        prepare_text(FRAME, target, TextOptions(**options))


def test_lines_without_labels_and_unknown_names_are_errors(tmp_path):
    path = tmp_path / "plain.txt"
    path.write_text("\n".join(TEXTS))
    with pytest.raises(DataError, match="the lines have no labels"):
        prepare_text(path)
    for wrong in ({"model": "cnn"}, {"tokens": "sentence"}, {"length": 0}, {"task": "words"}):
        with pytest.raises(OptionError):
            TextOptions(**wrong)


def test_new_data_without_the_text_or_the_target_are_errors():
    rows = prepare_text(FRAME, "praise", QUICK).preprocessing
    with pytest.raises(DataError, match="there is no column 'text'"):
        rows.transform(FRAME.drop("text"), with_target=False)
    with pytest.raises(DataError, match="there is no column 'praise'"):
        rows.transform(FRAME.drop("praise"))


def test_notes_of_an_evaluation_count_the_rows_of_the_file(tmp_path):
    words = [
        (f"good film no {k}", "good") if k % 2 else (f"bad film no {k}", "bad") for k in range(40)
    ]
    frame = pl.DataFrame(words, schema=["text", "label"], orient="row")
    run = prepare_text(frame, "label", TextOptions(epochs=1)).train(tmp_path / "run")
    new = pl.DataFrame(
        [
            ("odd one", "odd"),
            ("good film", "good"),
            ("odd two", "odd"),
            (" ", "bad"),
            ("bad", "bad"),
        ],
        schema=["text", "label"],
        orient="row",
    )
    _, notes = run.evaluate(new)
    assert "text: 1 row (row 4) without words, skipped" in notes
    assert any(note.startswith("2 texts of classes that are not in the training") for note in notes)
