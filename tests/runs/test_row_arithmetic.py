"""What `explain` writes of a row is true: each line is calculated again from its own numbers."""

import itertools
import math
import re
import wave

import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway.explain.paths import strongest_paths
from cutaway.runs import prepare
from cutaway.runs.explain import explain_row, explanation_of, open_row
from cutaway.runs.row_arithmetic import RowArithmetic
from cutaway.story.text import number

ALLOWED = re.compile(r"[-+*/().,0-9e| ]*")
FUNCTIONS = {"exp": math.exp, "ln": math.log, "max": max, "abs": abs}


def calculated(text: str) -> float | None:
    """The value of an expression of numbers; None if it is something else."""
    text = text.replace("·", "*").replace("²", "**2").strip()
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    text = re.sub(r"e\^(\(-?[\d.e+-]+\)|[\d.]+(?:e[+-]?\d+)?)", r"exp(\1)", text)
    text = re.sub(r"ln (\d[\d.e+-]*)", r"ln(\1)", text)
    bare = re.sub(r"exp|ln|max|abs", "", text)
    if not re.search(r"\d", bare) or not ALLOWED.fullmatch(bare):
        return None
    try:
        return float(eval(text, {"__builtins__": {}}, FUNCTIONS))
    except SyntaxError:  # numbers side by side, as in a matrix
        return None


def equations(text: str) -> list:
    """[(left side, right side)] of the arithmetic in a text, both in numbers."""
    joined = re.sub(r"\n {6,}", " ", text)
    found = []
    for line in joined.splitlines():
        parts = line.split(" = ")
        for left, right in itertools.pairwise(parts):
            left = re.split(r": |-> |; |, (?=[^\d(-])|  ", left.rstrip())[-1]
            right = re.split(r": |, |  | \(", right.strip())[0]
            if calculated(left) is not None and calculated(right) is not None:
                found.append((left, right))
    return found


def expect_true(text: str, least: int) -> None:
    """Raise unless there are so many equations in a text, and each of them holds as it stands."""
    found = equations(text)
    assert len(found) >= least, text
    for left, right in found:
        digits = len(re.sub(r"e.*|[^\d]", "", right).lstrip("0"))
        assert number(calculated(left), max(digits, 4)) == number(calculated(right), 4), (
            f"{left} is {calculated(left)}, not {right}"
        )


def test_the_check_finds_what_is_wrong():
    expect_true("x: 2 -> (2 - 3.1875) / 1.7746 = -0.6692", 1)
    expect_true("L = -ln ŷ = -ln 0.257 = 1.359: the probability", 1)
    with pytest.raises(AssertionError):
        expect_true("x: 2 -> (2 - 3.1875) / 1.7746 = -0.6693", 1)
    with pytest.raises(AssertionError):
        expect_true("ŷ = 1 / (1 + e^3.14) = 0.0415", 1)  # it is 0.04149


def table(folder):
    return None, {"layers": (3, 2)}


def numbers(folder):
    rng = np.random.default_rng(0)
    x, kind = rng.uniform(0, 50, 60), rng.choice(["a", "b", "c"], 60)
    frame = pl.DataFrame({"x": x, "kind": kind, "y": 3 * x + (kind == "a") * 7 + 20})
    frame.write_csv(folder / "t.csv")
    return folder / "t.csv", {"target": "y", "layers": (3, 2)}


def images(folder):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("medium", 120), ("light", 190)):
        (folder / "images" / name).mkdir(parents=True)
        for k in range(8):
            pixels = rng.integers(level - 40, level + 40, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{k}.png")
    return folder / "images", {}


def texts(folder):
    words = {"good": "a fine and lovely film indeed", "bad": "what a dull and dreary thing"}
    rows = [f"{label},{text} number {k}" for k in range(20) for label, text in words.items()]
    (folder / "texts.csv").write_text("label,text\n" + "\n".join(rows) + "\n")
    return folder / "texts.csv", {"target": "label", "model": "bag", "tokens": "word"}


def series(folder):
    values = 10 + np.sin(np.arange(120) * 2 * np.pi / 12)
    lines = [f"{1990 + k // 12}-{k % 12 + 1:02d}-01,{v:.4f}" for k, v in enumerate(values)]
    (folder / "series.csv").write_text("date,value\n" + "\n".join(lines) + "\n")
    return folder / "series.csv", {"kind": "series", "window": 6, "horizon": 2, "hidden": 4}


def sounds(folder):
    rng = np.random.default_rng(0)
    for name, pitch in (("low", 200), ("high", 900)):
        (folder / "sounds" / name).mkdir(parents=True)
        for k in range(8):
            t = np.arange(2000) / 8000
            sound = np.sin(2 * np.pi * pitch * t) + 0.1 * rng.normal(size=2000)
            with wave.open(str(folder / "sounds" / name / f"{k}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes((sound * 8000).astype("<i2").tobytes())
    return folder / "sounds", {}


def language(folder):
    text = "the cat sat on the mat. the dog saw the cat and ran.\n" * 30
    (folder / "text.txt").write_text(text)
    return folder / "text.txt", {"hidden": 6, "length": 12}


SLOW = pytest.mark.slow
MADE = [
    table,
    numbers,
    *(pytest.param(f, marks=SLOW) for f in (images, texts, series, sounds, language)),
]


@pytest.mark.parametrize("made", MADE)
def test_every_line_of_a_row_is_calculated_again(made, tmp_path):
    data, options = made(tmp_path)
    run = prepare(data, epochs=2, **options).train(tmp_path / "run", progress=False)
    story = explain_row(run, row=3)
    text = story.arithmetic.text()
    assert max(map(len, story.text().splitlines())) <= 80
    assert text in story.text()
    expect_true(text, 2)
    own = story.gradient
    added = sum(path.product for path in own.paths) + own.remainder
    engine = story.explanation.trace.engine_gradients[own.path][own.index]
    assert added == pytest.approx(engine, rel=1e-9, abs=1e-15)
    assert story.step.update.move.gradient == pytest.approx(engine, rel=1e-9)
    for heading, view in story.more:
        assert view.html() and heading
        if heading.startswith("Through time"):
            expect_true(view.text(), 3)
            assert view.total == pytest.approx(view.value, rel=1e-9, abs=1e-15)


def test_all_paths_of_a_table_are_listed_and_add_up_to_the_derivative(tmp_path):
    run = prepare(None, epochs=2, layers=(3, 2)).train(tmp_path / "run", progress=False)
    _, x, y, _ = open_row(run, None, 3)
    why = explanation_of(run, x, y)
    node = why.trace.graph.parameters["0.weight"]
    found = strongest_paths(why.jacobians, node, 4, 100)
    whole = sum(product for product, _ in found.paths)
    assert whole == pytest.approx(why.trace.engine_gradients["0.weight"].ravel()[4], rel=1e-9)
    weight = run.net.named_parameters()["0.weight"]
    before, losses = weight.numpy().copy(), []
    for step in (1e-2, -1e-2):  # float32 weights: a central difference is coarse
        changed = before.copy()
        changed.ravel()[4] += step
        weight.data = changed
        losses.append(explanation_of(run, x, y).loss)
    weight.data = before
    assert whole == pytest.approx((losses[0] - losses[1]) / 2e-2, rel=1e-2, abs=1e-6)


def test_the_prediction_is_called_y_hat_and_the_logit_z(tmp_path):
    run = prepare(None, epochs=2, layers=(3, 2)).train(tmp_path / "run", progress=False)
    story = explain_row(run, row=3)
    z = float(story.explanation.output[0, 0])
    assert story.gradient.paths[0].nodes[:2] == ["L", "z"]
    assert story.attribution.symbol == "z" and f"z = {number(z)}" in story.text()
    told = " ".join(story.text().split())
    assert f"= {number(1 / (1 + math.exp(-z)))}: probability of passed = 1" in told
    net = ct.Sequential(ct.Linear(2, 1), ct.Sigmoid())
    with_sigmoid = ct.explain(net, [1.0, 2.0], [1.0], loss=ct.losses.binary_cross_entropy)
    assert with_sigmoid.gradient("0.weight", (0, 0)).paths[0].nodes[:2] == ["L", "ŷ"]


def test_a_regression_is_untransformed_and_its_loss_is_in_both_units(tmp_path):
    data, options = numbers(tmp_path)
    run = prepare(data, epochs=2, **options).train(tmp_path / "run", progress=False)
    text = explain_row(run, row=3).arithmetic.text()
    target = run.preprocessing.target
    z = float(explain_row(run, row=3).explanation.output.ravel()[0])
    assert f"= {number(z * target.scale + target.mean)}" in text
    assert "kind: " in text and "one-hot" in text
    assert "(ŷ - truth)² = " in text and "which is L · σ²" in text
    assert isinstance(explain_row(run, row=3).arithmetic, RowArithmetic)


@pytest.mark.parametrize("loss", ["huber", "smooth_l1"])
def test_every_declared_loss_of_a_row_is_written_out(loss, tmp_path):
    data, options = numbers(tmp_path)
    run = prepare(data, epochs=2, loss=loss, **options).train(tmp_path / "run", progress=False)
    story = explain_row(run, row=3)
    lines = story.arithmetic.loss
    expect_true("\n".join(lines), 2)
    assert lines[0].startswith("y = (truth - μ) / σ = ")
    assert f" = {number(story.explanation.loss)}, because |" in lines[1]
