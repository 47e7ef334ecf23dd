"""prepare finds out what it is given, picks a network and says why."""

import datetime

import numpy as np
import pytest

from cutaway.data import write_wav
from cutaway.errors import DataError, OptionError
from cutaway.runs import prepare

RNG = np.random.default_rng(0)


def labeled_texts(folder):
    lines = [
        f"{'good' if k % 2 else 'bad'}\tthis film was {'fine' if k % 2 else 'poor'} and I say so"
        for k in range(40)
    ]
    path = folder / "reviews.txt"
    path.write_text("\n".join(lines))
    return path


def monthly(folder):
    rows = ["month,sales"]
    for k in range(72):
        day = datetime.date(2015 + k // 12, k % 12 + 1, 1)
        rows.append(f"{day},{100 + k + 10 * np.sin(k / 2):.1f}")
    path = folder / "sales.csv"
    path.write_text("\n".join(rows))
    return path


def recordings(folder):
    for name, pitch in (("low", 200), ("high", 900)):
        for k in range(6):
            t = np.arange(2000) / 4000
            wave = 0.5 * np.sin(2 * np.pi * pitch * t) + 0.01 * RNG.normal(size=2000)
            write_wav(folder / f"{name}_{k}.wav", wave.astype(np.float32)[:, None], 4000)
    return folder


def plain_text(folder):
    path = folder / "book.txt"
    path.write_text("the cat sat on the mat and the dog lay in the hall\n" * 60)
    return path


def ucr(folder):
    for split, count in (("TRAIN", 12), ("TEST", 4)):
        rows = [
            "\t".join([str(k % 2), *(f"{v:.3f}" for v in RNG.normal(k % 2, 1, 30))])
            for k in range(count)
        ]
        (folder / f"Toy_{split}.tsv").write_text("\n".join(rows))
    return folder


@pytest.mark.parametrize(
    ("make", "options", "kind", "model", "word"),
    [
        (labeled_texts, {}, "text", "text_bag", "bag of embeddings"),
        (monthly, {}, "series", "lstm", "LSTM"),
        (recordings, {"batch_size": 4}, "recordings", "time_series_cnn", "spectrogram"),
        (plain_text, {"length": 16, "batch_size": 8}, "language", "language_lstm", "LSTM"),
        (ucr, {"batch_size": 4}, "time-series-classification", "time_series_cnn", "over time"),
    ],
)
def test_each_kind_is_recognized_and_gets_a_network_with_its_reason(
    tmp_path, make, options, kind, model, word
):
    prepared = prepare(make(tmp_path), **options)
    assert prepared.kind == kind and prepared.spec["model"] == model
    assert prepared.why.startswith("Detected as ") and word in prepared.why
    assert not set(prepared.training) & set(prepared.validation)


def test_kind_overrules_what_is_found(tmp_path):
    prepared = prepare(monthly(tmp_path), "sales", kind="table")
    assert prepared.kind == "table" and prepared.preprocessing.task == "regression"
    prepared = prepare(monthly(tmp_path), "sales", kind="series")
    assert prepared.options.column == "sales"


def test_what_does_not_fit_is_named(tmp_path):
    with pytest.raises(OptionError, match="window: not an option for labeled texts"):
        prepare(labeled_texts(tmp_path), window=3)
    with pytest.raises(OptionError, match="layers: not an option for a plain text"):
        prepare(plain_text(tmp_path), layers=(2,))
    with pytest.raises(DataError, match="no kind 'picture'"):
        prepare(monthly(tmp_path), kind="picture")
    with pytest.raises(DataError, match='did you mean "sales'):
        monthly(tmp_path)
        prepare(tmp_path / "sale.csv")
