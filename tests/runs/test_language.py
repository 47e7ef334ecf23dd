import json

import numpy as np
import pytest
from typer.testing import CliRunner

import cutaway as ct
from cutaway.cli.app import app
from cutaway.errors import DataError, OptionError
from cutaway.losses import sparse_categorical_cross_entropy_with_logits
from cutaway.models import LanguageModel
from cutaway.runs import Run, write_report
from cutaway.runs.language import (
    LanguageOptions,
    LanguageRows,
    Windows,
    generate,
    prepare_language,
    read_through,
)

LINE = "the quick brown fox jumps over the lazy dog.\n"
QUICK = LanguageOptions(hidden=32, length=32, epochs=12, lr=0.02)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    path = folder / "fox.txt"
    path.write_text(LINE * 100)
    ct.seed(0)
    prepared = prepare_language(path, QUICK)
    run = prepared.train(folder / "run", progress=False)
    write_report(prepared, run)
    return path, run


def test_a_text_that_repeats_is_learned_by_heart_and_written(trained):
    _, run = trained
    scores = run.metrics["validation"]
    assert scores["nats_per_character"] < 0.2 < 2 < scores["baseline_nats_per_character"]
    assert scores["perplexity"] == pytest.approx(np.exp(scores["nats_per_character"]))
    assert generate(run, "the quick", 36, temperature=0) == LINE[9:]
    assert "jumps over" in (run.path / "report.html").read_text()


def test_an_opened_run_writes_the_same(trained):
    path, run = trained
    again = Run.open(run.path)
    assert generate(again, "the", 40, 1.0, seed=3) == generate(run, "the", 40, 1.0, seed=3)
    assert again.evaluate(path)[0]["nats_per_character"] < 0.2


def test_the_command_prints_the_prompt_and_what_follows(trained):
    _, run = trained
    command = ["generate", str(run.path), "--prompt", "the quick", "--temperature", "0"]
    shown = CliRunner().invoke(app, [*command, "--length", "36"])
    assert shown.output == LINE + "\n"
    as_json = CliRunner().invoke(app, [*command, "--length", "6", "--json"])
    assert json.loads(as_json.output) == {"prompt": "the quick", "text": " brown"}


def test_writing_step_by_step_is_reading_all_again_at_each_step(trained):
    _, run = trained
    prompt = "the lazy"
    ids = run.preprocessing.encode(prompt).tolist()
    read = ct.jit(lambda x: run.net(x), run.net, donate=False)
    for _ in range(3):
        full = np.zeros((1, 16), np.int32)
        full[0, : len(ids)] = ids
        logits = np.array(read(full).numpy()[0, len(ids) - 1])
        logits[[0, 1]] = -np.inf  # padding and unknown
        ids.append(int(logits.argmax()))
    expected = run.preprocessing.tokenizer.decode(ids[len(prompt) :])
    assert generate(run, prompt, 3, temperature=0) == expected


def test_the_seed_decides_and_a_high_temperature_strays(trained):
    _, run = trained
    a, b = (generate(run, "the", 60, 5.0, seed=s) for s in (0, 1))
    assert len(a) == 60 and a != b
    assert len(set(a.split())) > len(set(generate(run, "the", 60, 0.1).split()))


def test_a_prompt_may_be_empty_or_hold_unknown_characters(trained):
    _, run = trained
    assert generate(run, "", 9, temperature=0) == "the quick"
    assert len(generate(run, "Ωμέγα", 5)) == 5


@pytest.mark.parametrize(
    "options", [{"length": 0}, {"temperature": -1.0}, {"temperature": np.inf}, {"seed": -1}]
)
def test_options_of_generate_out_of_range_are_errors(trained, options):
    with pytest.raises(OptionError):
        generate(trained[1], "the", **options)


def test_a_model_of_language_predicts_no_rows(trained):
    path, run = trained
    with pytest.raises(OptionError, match="cutaway generate"):
        run.predict(path)


def test_the_preprocessing_comes_back_from_json(trained):
    _, run = trained
    again = LanguageRows.from_json(json.loads(json.dumps(run.preprocessing.to_json())))
    assert again.counts == run.preprocessing.counts
    np.testing.assert_array_equal(again.encode(LINE), run.preprocessing.encode(LINE))


def test_windows_are_cut_at_other_places_every_epoch_and_hold_the_next_token():
    source = Windows(np.arange(100), 8)
    starts = set()
    for seed in range(10):
        ((x, y),) = source.blocks(seed)
        assert x.shape == y.shape == (source.rows, 8) and (y == x + 1).all()
        assert y[-1, -1] <= 99
        starts.add(int(x[0, 0]))
    assert len(starts) > 3


@pytest.mark.parametrize("tokens", [50, 256, 257, 5000])
def test_the_score_of_reading_through_is_that_of_reading_at_once(tokens, monkeypatch):
    monkeypatch.setattr("cutaway.runs.language.READ_ROWS", 1)
    net = LanguageModel(12, features=4, hidden_features=8).eval()
    ids = np.random.default_rng(0).integers(0, 12, tokens + 1).astype(np.int32)
    x, y = ids[:-1], ids[1:]
    whole = sparse_categorical_cross_entropy_with_logits(net(x[None]), y[None]).item()
    assert read_through(net, x, y) == pytest.approx(whole, rel=1e-4)


def test_a_short_text_and_unknown_names_are_errors(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text(LINE * 3)
    with pytest.raises(DataError, match="whole windows of 32 tokens"):
        prepare_language(path, QUICK)
    for wrong in ({"model": "transformer"}, {"tokens": "line"}, {"hidden": 0}, {"length": 1}):
        with pytest.raises(OptionError):
            LanguageOptions(**wrong)


def test_parts_of_words_are_scored_by_the_character(tmp_path):
    path = tmp_path / "fox.txt"
    path.write_text(LINE * 100)
    options = LanguageOptions(
        tokens="bpe", vocabulary=300, hidden=8, length=8, epochs=1, model="gru", batch_size=16
    )
    run = prepare_language(path, options).train(tmp_path / "run", progress=False)
    scores = run.metrics["validation"]
    rows = run.preprocessing
    validation = LINE * 100
    validation = validation[-round(len(validation) * 0.1) :]
    per = len(rows.encode(validation)) / len(validation)
    nats = np.log(scores["perplexity"])
    assert scores["nats_per_character"] == pytest.approx(nats * per, rel=0.02)
    assert generate(run, "the", 5)
