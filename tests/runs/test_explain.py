"""The story of a row for every kind of data."""

import wave

import numpy as np
import pytest

from cutaway.runs import prepare
from cutaway.runs.explain import explain_row


def story_of(path, tmp_path, row=0, **options):
    run = prepare(path, epochs=1, **options).train(tmp_path / "run", progress=False)
    story = explain_row(run, row=row)
    text = story.text()
    assert max(map(len, text.splitlines())) <= 80
    assert story.gradient is not None and story.to_dict()["prediction"]
    return story, text


@pytest.mark.slow
def test_an_image(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 190)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for k in range(12):
            pixels = rng.integers(level - 40, level + 40, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{k}.png")
    story, text = story_of(tmp_path / "images", tmp_path, row=2)
    assert "Sums over" in text and story.attribution.kind == "image"


@pytest.mark.slow
def test_a_text(tmp_path):
    table = tmp_path / "texts.csv"
    words = {"good": "a fine and lovely film indeed", "bad": "what a dull and dreary thing"}
    rows = [f"{label},{text} number {k}" for k in range(20) for label, text in words.items()]
    table.write_text("label,text\n" + "\n".join(rows) + "\n")
    story, text = story_of(table, tmp_path, target="label", model="bag", tokens="word")
    assert "lovely" in text and story.attribution.kind == "tokens"


@pytest.mark.slow
def test_a_series(tmp_path):
    table = tmp_path / "series.csv"
    values = 10 + np.sin(np.arange(120) * 2 * np.pi / 12)
    lines = [f"{1990 + k // 12}-{k % 12 + 1:02d}-01,{v:.4f}" for k, v in enumerate(values)]
    table.write_text("date,value\n" + "\n".join(lines) + "\n")
    _, text = story_of(table, tmp_path, kind="series", window=6, horizon=2)
    assert "Prediction: value = " in text


@pytest.mark.slow
def test_a_recording(tmp_path):
    rng = np.random.default_rng(0)
    for name, pitch in (("low", 200), ("high", 900)):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for k in range(8):
            t = np.arange(2000) / 8000
            sound = np.sin(2 * np.pi * pitch * t) + 0.1 * rng.normal(size=2000)
            with wave.open(str(tmp_path / "sounds" / name / f"{k}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes((sound * 8000).astype("<i2").tobytes())
    _, text = story_of(tmp_path / "sounds", tmp_path)
    assert "Prediction: class = " in text
