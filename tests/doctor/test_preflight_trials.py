"""Pre-flight: what is measured before it is called wrong, and what is no fault."""

import warnings

import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.doctor.first_steps import FirstSteps
from cutaway.doctor.preflight import preflight
from cutaway.doctor.sources import plan_of
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.runs.table import TableOptions, prepare_table

X = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
GRADES = (15 + 4 * X[:, :1] * X[:, 1:2]).astype(np.float32)


def plan(
    y, *, x=X, lr=0.01, epochs=100, loss=losses.mean_squared_error, outputs=1, optimizer=ct.Adam
):
    ct.seed(0)
    net = ct.Sequential(ct.Linear(x.shape[1], 32), ct.ReLU(), ct.Linear(32, outputs))
    trainer = ct.Trainer(net, loss=loss, optimizer=optimizer(net, lr=lr))
    return TrainingPlan.of(trainer, x, y, epochs=epochs)


def found(plan, code):
    return [f for f in preflight(plan).findings if f.code == code]


def test_targets_on_their_own_scale_that_are_learned_are_no_finding():
    assert np.sqrt((GRADES**2).mean()) > 10
    assert preflight(plan(GRADES)).healthy


def test_targets_that_are_not_reached_in_time_are_a_finding_with_both_numbers():
    (finding,) = found(plan(GRADES, lr=0.001, epochs=20), "unscaled_targets")
    own, scaled = finding.evidence[-2:]
    assert own.value > 1 > scaled.value  # more than 1: worse than the mean


def test_a_training_that_diverges_on_large_targets_is_said_to():
    (finding,) = found(plan(100 * GRADES, optimizer=ct.SGD), "unscaled_targets")
    assert "diverged" in finding.text()
    assert all(np.isfinite(m.value) and "inf" not in m.text() for m in finding.evidence)


def test_a_table_of_nothing_but_categories_does_not_ignore_its_input():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 40, 600)
    y = (a % 3 == 0) ^ (rng.random(600) < 0.2)
    frame = pl.DataFrame({"city": [f"c{k}" for k in a], "y": np.where(y, "yes", "no")})
    prepared = prepare_table(frame, "y", TableOptions(epochs=40))
    assert prepared.spec["embeddings"] and not prepared.spec["num_features"]
    assert preflight(plan_of(prepared)).healthy


class Stepped(ct.Module):
    """Reads its input by thresholds, which have no slope."""

    def __init__(self, blocked):
        self.last, self.blocked = ct.Linear(5, 1), blocked

    def forward(self, x):
        return self.last(ct.ops.threshold(x) * (0.0 if self.blocked else 1.0))


@pytest.mark.parametrize("blocked", [False, True])
def test_an_input_without_slope_is_ignored_only_if_outputs_stay(blocked):
    net = Stepped(blocked)
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, lr=0.01))
    findings = found(TrainingPlan.of(trainer, X, X[:, :1], epochs=20), "input_ignored")
    assert len(findings) == blocked


def test_a_rate_is_judged_by_the_same_rows_before_and_after():
    # one batch in four is a hundred times as hard: losses of single batches say nothing of a rate
    y = X[:, :1] * np.where(np.arange(400) % 4 == 0, 10.0, 0.1)[:, None].astype(np.float32)
    trial = FirstSteps(plan(y, lr=1e-9), seconds=2.0)
    # at a rate of nothing nothing changes, whatever the batches are
    assert trial.rates[1.0] == pytest.approx(trial.first_loss, rel=1e-4)
    assert trial.rates[0.1] == pytest.approx(trial.first_loss, rel=1e-4)


def test_the_size_of_the_largest_class_is_told_as_it_is():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2, 3], [168, 160, 66, 6]).astype(np.int32)
    made = plan(
        y, x=rng.normal(size=(400, 5)).astype(np.float32), outputs=4,
        loss=losses.sparse_categorical_cross_entropy_with_logits,
    )  # fmt: skip
    (finding,) = found(made, "class_imbalance")
    assert "42% of the rows and never for class 3" in finding.explanation
    assert "nearly always" not in finding.text()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("place", ["x", "y"])
def test_no_warning_of_numpy_reaches_the_user(value, place):
    x, y = X.copy(), GRADES.copy()
    {"x": x, "y": y}[place][3, 0] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        looked = preflight(plan(y, x=x))
        diagnosed = ct.diagnose(plan(y, x=x, epochs=2))
    assert not looked.healthy and not diagnosed.healthy
    if not np.isfinite(value):
        assert [f.code for f in looked.findings] == ["nan_source"]
        assert "row 3" in looked.findings[0].where
