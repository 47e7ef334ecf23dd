"""The file of an exported run gives the run's predictions, and says how to use it."""

import json
import types
import wave

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cutaway.runs.export import export_run_onnx, export_run_weights, interface
from cutaway.runs.from_path import prepare
from cutaway.runs.table import TableOptions, train_table
from cutaway.weights import load_weights, read_weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


def table(folder):
    x = RNG.normal(20, 5, 80)
    town = RNG.choice(["Bonn", "Köln", "Trier"], 80)
    frame = pl.DataFrame({"age": np.where(x > 27, np.nan, x), "town": town, "y": (x > 20) * 1})
    frame = frame.with_columns(pl.col("age").fill_nan(None))
    options = TableOptions(epochs=2, layers=(8,))
    return train_table(frame, "y", options=options, out=folder / "run"), frame


def texts(folder):
    words = RNG.choice(["good", "bad", "film", "a", "the"], (60, 6))
    moods = ["up" if "good" in w else "down" for w in words]
    pl.DataFrame({"text": [" ".join(w) for w in words], "mood": moods}).write_csv(folder / "t.csv")
    return prepare(folder / "t.csv", "mood", kind="text")


def series(folder):
    pl.DataFrame({"load": 5 + np.sin(np.arange(100) / 3)}).write_csv(folder / "s.csv")
    return prepare(folder / "s.csv", kind="series", window=8, horizon=3)


def images(folder):
    for name in ("cat", "dog"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(8):
            pixels = RNG.integers(0, 255, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    return prepare(folder / "photos")


def curves(folder):
    rows = [
        [i % 2, *np.sin(np.arange(20) / (3 + i % 2)) + RNG.normal(0, 0.1, 20)] for i in range(20)
    ]
    text = "\n".join("\t".join(map(str, row)) for row in rows)
    (folder / "Waves_TRAIN.tsv").write_text(text)
    return prepare(folder / "Waves_TRAIN.tsv", kind="time-series-classification")


def recordings(folder):
    for name in ("low", "high"):
        (folder / "sounds" / name).mkdir(parents=True)
        for i in range(6):
            sound = np.sin(np.arange(4000) * (0.1 if name == "low" else 0.9)) * 8000 + i
            with wave.open(str(folder / "sounds" / name / f"{i}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(sound.astype("<i2").tobytes())
    return prepare(folder / "sounds", kind="recordings")


def language(folder):
    (folder / "t.txt").write_text("the cat sat on the mat and the dog ran after the cat. " * 60)
    return prepare(folder / "t.txt", kind="language", length=16)


@pytest.mark.parametrize(
    "kind", (texts, series, images, curves, recordings, language), ids=lambda f: f.__name__
)
def test_a_network_of_every_kind_takes_what_the_sentences_say(kind, tmp_path):
    prepared = kind(tmp_path)
    run = types.SimpleNamespace(  # as it would be after training
        preprocessing=prepared.preprocessing,
        net=prepared.net.eval(),
        config={
            "kind": prepared.kind,
            "task": prepared.preprocessing.task,
            "target": prepared.target,
            "network": prepared.spec,
        },
    )
    about = export_run_onnx(run, tmp_path / "net.onnx")
    assert about["rows"] is None
    about = interface(run)
    (form,) = about.network_inputs
    assert about.inputs == form.sentences != [] and about.outputs
    x = np.asarray(prepared.x[:3])
    x = x[None] if x.ndim == len(form.shape) else x
    if kind is language:
        x = RNG.integers(1, 8, (3, *form.shape))
    assert x.shape[1:] == form.shape
    session = onnxruntime.InferenceSession(
        tmp_path / "net.onnx", providers=["CPUExecutionProvider"]
    )
    got = session.run(None, {form.name: x.astype(form.dtype)})[0]
    np.testing.assert_allclose(got, run.net(x).numpy(), rtol=1e-4, atol=1e-5)
    metadata = {p.key: p.value for p in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert json.loads(metadata["preprocessing"]) == json.loads(
        json.dumps(run.preprocessing.to_json())
    )
    assert metadata["inputs"] == "\n".join(about.inputs)


def test_the_sentences_of_a_table_are_enough_to_use_the_file(tmp_path):
    run, _ = table(tmp_path)
    says = interface(run)
    age = next(e for e in run.preprocessing.encoders if e.name == "age")
    assert f"(age - {age.mean:.6g}) / {age.scale:.6g}" in says.inputs[1]
    assert says.outputs == ["a logit: 1 / (1 + exp(-output)) is the probability of 1 (otherwise 0)"]
    export_run_onnx(run, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "net.onnx", providers=["CPUExecutionProvider"]
    )
    # by hand, as the sentences have it: age, whether it was missing, a column for each town
    row = np.array([[(21.5 - age.mean) / age.scale, 0, 0, 1, 0]], np.float32)
    logit = session.run(None, {"features": row})[0][0, 0]
    chance = 1 / (1 + np.exp(-logit))
    frame, _ = run.predict(pl.DataFrame({"age": [21.5], "town": ["Köln"]}))
    expected = frame["probability"][0]
    assert (chance if frame["prediction"][0] in (1, "1") else 1 - chance) == pytest.approx(
        expected, abs=1e-5
    )


def test_the_weights_alone_are_those_of_the_run(tmp_path):
    run, _ = table(tmp_path)
    about = export_run_weights(run, tmp_path / "w.safetensors")
    assert about["tensors"] == len(read_weights(tmp_path / "w.safetensors"))
    before = run.net.state_dict()
    load_weights(run.net, tmp_path / "w.safetensors")
    for path, value in run.net.state_dict().items():
        np.testing.assert_array_equal(value, before[path])
