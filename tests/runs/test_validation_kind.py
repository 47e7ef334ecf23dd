"""How the scores are called that a run's metrics hold under "validation"."""

import pytest

from cutaway.runs.model_card import _card_of_run
from cutaway.runs.schema import Metrics, read_form
from cutaway.runs.validation_kind import ValidationKind, scores_of_sets

METRICS = {
    **{"task": "binary", "train": {"accuracy": 0.9}, "validation": {"accuracy": 0.8}},
    **{"parameters": 9, "seconds": 1.0, "epochs": 3, "best_epoch": 2, "stopped": None},
    **{"device": "CPU", "precision": "float32"},
}
OUT_OF_FOLD = {**METRICS, "validation_kind": "out of fold"}


def test_runs_of_older_versions_have_validation_rows():
    metrics = read_form(METRICS, Metrics)
    assert ValidationKind.of(metrics) is ValidationKind.VALIDATION
    assert list(scores_of_sets(metrics)) == ["training", "validation"]


def test_scores_out_of_fold_are_called_so_in_tables_and_in_sentences():
    metrics = read_form(OUT_OF_FOLD, Metrics)
    kind = ValidationKind.of(metrics)
    assert scores_of_sets(metrics)["out of fold"] == {"accuracy": 0.8}
    assert kind.adjective == "out-of-fold"
    sentence = kind.sentence("891", "rows")
    assert "predicted only by networks that did not train on it" in sentence
    assert "very slightly too good" in sentence and "usually a little better" in sentence


def test_where_no_rows_validate_there_is_one_column_of_scores():
    metrics = {**METRICS, "validation_kind": "training", "validation": METRICS["train"]}
    assert scores_of_sets(metrics) == {"training": {"accuracy": 0.9}}


def test_another_word_is_damage():
    with pytest.raises(ValueError, match="validation_kind"):
        read_form({**METRICS, "validation_kind": "guessed"}, Metrics)


@pytest.mark.parametrize(
    ("metrics", "heading"), [(METRICS, "validation"), (OUT_OF_FOLD, "out of fold")]
)
def test_a_model_card_has_the_heading(metrics, heading):
    config = {"task": "binary", "kind": "table", "target": "y", "data": "t.csv", "cutaway": "1"}
    card = _card_of_run({**config, "options": {}}, metrics, "me/x", None)
    assert f"| score | training | {heading} |" in card
