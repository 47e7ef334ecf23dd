"""Examples about texts run, on real data and in short."""

import pytest

from cutaway.models import BertSize
from tests.docs.scripts import example


def first_lines(path, count, target):
    lines = path.read_text().split("\n")[:count]
    target.write_text("\n".join(lines) + "\n")
    return target


@pytest.mark.slow
def test_spam_is_found_better_than_by_logistic_regression(shared_data, tmp_path):
    path = first_lines(shared_data / "sms_spam" / "SMSSpamCollection", 1500, tmp_path / "sms.txt")
    found = example("sms_spam").main(path, epochs=12, models=("bag",))
    assert found["bag"]["f1"] >= found["logistic regression"]["f1"]


@pytest.mark.slow
def test_praise_is_told_from_the_rest(shared_data):
    folder = shared_data / "sentiment_sentences"
    found = example("sentiment").main([folder / "imdb_labelled.txt"], epochs=10, models=("bag",))
    assert found["imdb_labelled.txt"]["bag"] > 0.7


@pytest.mark.slow
def test_shakespeare_in_short_is_better_than_the_frequencies_of_characters(shared_data, tmp_path):
    text = (shared_data / "tinyshakespeare" / "input.txt").read_text()
    path = tmp_path / "input.txt"
    path.write_text(text[:60_000])
    scores, written = example("shakespeare").main(path, epochs=2, hidden=64, written=50)
    assert scores["nats_per_character"] < 2.6 < scores["baseline_nats_per_character"]
    assert len(written) == 50


@pytest.mark.slow
@pytest.mark.longest
def test_a_small_bert_fills_in_letters_better_than_bigrams(shared_data):
    path = shared_data / "tinyshakespeare" / "input.txt"
    size = BertSize(features=64, num_layers=2, num_heads=2)
    found = example("bert_mlm").main(path, 1500, size=size, lr=3e-3, test_rows=200)
    assert found["bert"] < found["bigram"] < 13
