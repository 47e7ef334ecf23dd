"""Claims of a textbook on training and optimizers, each shown with its number.

The number in front of a test's docstring is that of the claim.
"""

import json
import re
from importlib import import_module

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.diagram import dropout_story
from cutaway.doctor import diagnosis
from cutaway.doctor.training_plan import TrainingPlan
from tests.cli.in_process import cutaway
from tests.docs.course import flat, sigma

STUDENTS = (
    "iq,cgpa,tenth,twelfth,good\n105,7.5,88,85,1\n90,6,70,72,0\n120,8.9,95,93,1\n80,5,60,58,0\n"
)
BMI = "height,weight,bmi\n160,54,21\n170,64,22\n175,61,20\n180,58,18\n"
RNG = np.random.default_rng(0)


# the notes' own tables


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """(run folder, what `train` prints) of the notes' four students, all of them for training."""
    folder = tmp_path_factory.mktemp("students")
    (folder / "notes4.csv").write_text(STUDENTS)
    code, out, err = cutaway(
        "train", folder / "notes4.csv", "--target", "good", "--validation", "0", "--epochs", "3",
        "--layers", "3,2", "--batch-size", "2", "--out", folder / "run",
    )  # fmt: skip
    assert code == 0, err
    return folder / "run", out


def test_the_notes_four_students_train_without_validation(students):
    """77: `--validation 0` is taken, and the weights are not those of epoch 1."""
    run, out = students
    assert "no validation rows: all rows train" in out and "4 training rows" in out
    assert re.search(r"Kept the weights of epoch [23] \(lowest training loss\)", out), out
    assert (run / "report.html").exists()


def test_the_notes_bmi_is_a_regression(tmp_path):
    """77: 21, 22, 20, 18 are numbers, with a mean of 20.25, and not four classes."""
    (tmp_path / "bmi.csv").write_text(BMI)
    code, out, err = cutaway(
        "train", tmp_path / "bmi.csv", "--target", "bmi", "--validation", "0", "--epochs", "1",
        "--layers", "2", "--out", tmp_path / "run",
    )  # fmt: skip
    assert code == 0, err
    assert f"standardized (mean {np.mean([21, 22, 20, 18]):.2f}" in out
    assert "are taken as numbers" in out and "--task multiclass takes them as classes" in out
    assert "mean absolute error" in out and "accuracy" not in out


def test_the_prediction_is_a_probability_and_its_class_is_that_above_a_half(students):
    """7: ŷ is σ of the score z; from 0.5 on it is class 1."""
    run, _ = students
    for row in range(4):
        code, out, err = cutaway("explain", run, "--row", row)
        assert code == 0, err
        (found,) = re.findall(r"ŷ = σ\(z\) = 1 / \(1 \+ e\^-z\) = 1 / .* = ([\d.]+): prob", out)
        (z,) = re.findall(r"z = (-?[\d.]+): score of the network, before the sigmoid", out)
        assert float(found) == pytest.approx(sigma(float(z)), abs=2e-4)
        assert f"Prediction: good = {int(float(found) > 0.5)} (probability" in out


@pytest.mark.parametrize(("size", "steps"), [(1000, 1), (10, 100), (1, 1000)])
def test_iterations_are_rows_per_batch(size, steps):
    """34: of 1000 rows, an epoch has 1, 100 or 1000 iterations; the 1001st is in the next."""
    net = ct.Sequential(ct.Linear(1, 1))
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=1e-3))
    x = np.ones((1000, 1), np.float32)
    trainer.fit(x, x, epochs=1, batch_size=size, progress=False)
    assert trainer.optimizer.t == steps
    why = ct.explain(net, [1.0], [1.0], loss=losses.mean_squared_error)
    text = flat(why.update(trainer.optimizer, "0.weight", (0, 0), batches=steps))
    assert f"step {steps + 1} (epoch 2, batch 1 of {steps})" in text


def test_train_prints_the_iterations_of_an_epoch(students):
    """34: 4 rows in batches of 2."""
    assert "3 epochs, batch size 2, 2 steps per epoch" in students[1]


@pytest.mark.parametrize("what", ["overfitting", "underfitting"])
def test_many_layers_overfit_and_few_underfit(what, monkeypatch):
    """53: labels of noise, and an XOR of signs that one layer cannot learn."""
    look = import_module(f"cutaway.doctor.symptoms.{what}").look
    monkeypatch.setattr(diagnosis, "all_symptoms", lambda: {what: look})
    x = RNG.normal(size=(64, 2)).astype(np.float32)
    layers, y, validation = [ct.Linear(2, 2)], (x[:, 0] * x[:, 1] > 0).astype(np.int32), None
    if what == "overfitting":
        layers = [ct.Linear(2, 64), ct.ReLU(), ct.Linear(64, 64), ct.ReLU(), ct.Linear(64, 2)]
        y = RNG.integers(0, 2, 64).astype(np.int32)
        validation = x[32:], y[32:]
        x, y = x[:32], y[:32]
    net = ct.Sequential(*layers)
    loss = losses.sparse_categorical_cross_entropy_with_logits
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=0.02))
    found = ct.diagnose(TrainingPlan.of(trainer, x, y, validation=validation, epochs=60))
    assert [finding.code for finding in found.findings] == [what]
    says = {"overfitting": "fits the noise of the training rows", "underfitting": "add units"}
    assert says[what] in flat(found)


# surfaces


def race(*arguments):
    code, out, err = cutaway("race", *arguments)
    assert code == 0, err
    return out


def test_the_minimum_of_x_squared_plus_y_squared_is_where_its_slopes_are_0():
    """32: ∂z/∂x = 2x is 6 at x = 3 and 0 at the minimum (0, 0), whose eigenvalues are 2 and 2."""
    out = race("x**2+y**2", "--start", "3,-2", "--optimizer", "sgd")
    assert "gradient at the start: ∂L/∂x = 6, ∂L/∂y = -4" in out
    assert "gradient at (0, 0): ∂L/∂x = 0, ∂L/∂y = 0" in out
    assert "(0, 0) minimum eigenvalues 2, 2" in out


def test_descent_on_all_rows_is_straight_and_on_batches_a_zigzag():
    """35: GD, mini-batch and SGD: the way grows, and steps lead uphill."""
    detours = []
    for one in json.loads(race("regression", "--batch-size", "all,4,1", "--json"))["optimizers"]:
        points = np.array(one["points"])
        way = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        detours.append(way / np.linalg.norm(points[-1] - points[0]))
    assert detours == sorted(detours) and detours[0] < 1.05 < 2 < detours[1]
    out = race("regression", "--batch-size", "all,4,1")
    rows = [("all 24 rows (GD)", 1), ("4 rows (mini-batch)", 6), ("1 row (SGD)", 24)]
    for (name, steps), detour in zip(rows, detours, strict=True):
        assert f"{name} {steps} {48 // steps} {detour:.2f} " in out
    assert "all 24 rows (GD): straight" in out and "1 row (SGD): in a zigzag" in out


@pytest.mark.parametrize(
    ("surface", "end", "eigenvalue"),
    [
        # near x = -3 of x² - 10 cos 2πx: f'' = 2 + 40 π² cos 2πx
        ("rastrigin", 2.98486, 2 + 40 * np.pi**2 * np.cos(2 * np.pi * 2.98486)),
        # near x = 2.75 of (x⁴ - 16 x² + 5 x) / 2: f'' = 6 x² - 16
        ("styblinski_tang", 2.74680, 6 * 2.74680**2 - 16),
    ],
)
def test_descent_ends_in_a_local_minimum(surface, end, eigenvalue):
    """49: the nearest one, not the deepest."""
    found = json.loads(race(surface, "--optimizer", "sgd", "--json"))
    (one,) = found["optimizers"]
    assert np.abs(one["points"][-1]) == pytest.approx([end, end], abs=1e-4)
    out = race(surface, "--optimizer", "sgd")
    assert f"minimum (local) eigenvalues {eigenvalue:.4g}, {eigenvalue:.4g}" in out


def test_on_a_plateau_plain_descent_stands_still_and_adam_does_not():
    """51: 1 - exp(-r²/2) at (-4.5, 3): the gradient is r exp(-r²/2), which is a millionth."""
    out = race("plateau", "--optimizer", "sgd,adam")
    assert f"∂L/∂x = {-4.5 * np.exp(-(4.5**2 + 3**2) / 2):.4g}" in out
    assert re.search(r"sgd 1 - 1 \(-4.50, 3.00\) plateau", out), out
    assert re.search(r"adam 0.06 \d+ \S+ \(\S+, \S+\) minimum", out), out


# dropout and optimizers


def test_dropout_is_shown_before_and_after():
    """57: units and not layers are dropped; the kept ones are doubled for p = 0.5."""
    story = dropout_story((3, 5, 5, 1), p=0.5)
    for raw, after, kept in zip(story.raw, story.after[1:-1], story.kept[1:-1], strict=True):
        assert 0 < kept.sum() < 5
        np.testing.assert_allclose(after, np.where(kept, 2 * raw, 0), rtol=1e-6)
    text = flat(story)
    assert "Dropped are units, not layers" in text and "w · 0.5, at test time" in text
    assert "<svg" in story.html()
    code, out, _ = cutaway("plot", "dropout")
    assert code == 0 and out == text


def stepped(optimizer, **options):
    """What the first step with a gradient of 1 does to a weight of 2.5, in words."""
    weight = ct.Parameter(2.5)
    made = optimizer([weight], **options)
    (weight * 1.0).backward()
    return flat(ct.explain_update(made, weight))


def test_what_the_notes_call_adadelta_is_rmsprop():
    """61: w_avg = 0.95 w_avg + 0.05 g² = 0.05, η / √0.05 = 0.4472; Zeiler's has no such rate."""
    text = stepped(ct.RMSprop, lr=0.1, beta=0.95)
    assert "0.95 · 0 + 0.05 · 1² = 0.05" in text and "= 0.4472" in text
    assert f"= {2.5 - 0.1 / np.sqrt(0.05):.4g} " in text
    assert "Some textbooks call this Adadelta" in text
    text = stepped(ct.Adadelta)
    assert f"= {np.sqrt(1e-6) / np.sqrt(0.1 + 1e-6):.4g} " in text
    assert "This is Zeiler's Adadelta, with a second running mean" in text


def test_adam_is_also_shown_without_bias_correction():
    """63: m = 0.1, v = 0.001: w = 2.5 - 0.001 · 0.1 / √0.001 instead of 2.5 - 0.001."""
    text = stepped(ct.Adam)
    without = 2.5 - 0.001 * 0.1 / np.sqrt(0.001)
    assert "Without bias correction, as some textbooks have it" in text
    assert f"= {without:.6f} instead of 2.499." in text
