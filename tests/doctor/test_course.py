"""What the doctor says of a course of losses, of what it left out, and of what was meant."""

import dataclasses

import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.cli.doctor import verdict
from cutaway.doctor import Finding, Prescription, changes, diagnosis
from cutaway.doctor.course import overfits
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Diagnosis
from cutaway.doctor.reruns import RerunResult
from cutaway.doctor.sources import limits_of, options_with, plan_of
from cutaway.doctor.stop import Stop, _kind
from cutaway.doctor.symptoms import learning_rate_too_low, local_minimum, plateau, saddle_point
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.runs.table import TableOptions, prepare_table
from cutaway.train import EarlyStopping

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6)).astype(np.float32)
NOISY = (X[:, 0] + 1.5 * RNG.normal(size=120) > 0).astype(np.int32)
LOSS = losses.sparse_categorical_cross_entropy_with_logits


def rows(training, validation):
    return [{"loss": t, "val_loss": v} for t, v in zip(training, validation, strict=True)]


def classifier(*, y=NOISY, callbacks=(), epochs=60, validation=True, width=64):
    ct.seed(0)
    net = ct.Sequential(ct.Linear(6, width), ct.ReLU(), ct.Linear(width, 2))
    trainer = ct.Trainer(net, loss=LOSS, optimizer=ct.Adam(net, lr=0.01))
    held = (X[80:], y[80:]) if validation else None
    return TrainingPlan.of(
        trainer, X[:80], y[:80], validation=held, epochs=epochs, callbacks=callbacks
    )


def test_a_rise_of_the_validation_loss_has_its_epoch_and_both_numbers():
    told = overfits(rows([0.7, 0.3, 0.2, 0.1], [0.7, 0.36, 0.42, 0.48]), 2)
    assert told == (
        "After epoch 2 it overfits: the validation loss rises from 0.36 there to 0.48 in epoch 4, "
        "while the training loss falls from 0.3 to 0.1. The weights that were kept are those of "
        "epoch 2, from before."
    )
    last = overfits(rows([0.7, 0.3, 0.2, 0.1], [0.7, 0.36, 0.42, 0.48]), None)
    assert last.endswith("The weights are those of the last epoch.")
    other = overfits(rows([0.7, 0.3, 0.2, 0.1], [0.7, 0.36, 0.42, 0.48]), 3)
    assert other.endswith("those of epoch 3, with 0.42.")


def test_a_rise_without_memorizing_is_not_called_overfitting():
    told = overfits(rows([0.7, 0.31, 0.3], [0.7, 0.36, 0.48]), 2)
    assert "overfits" not in told and "0.36 there to 0.48" in told


@pytest.mark.parametrize(
    "validation", [[0.7, 0.4, 0.3], [0.7, 0.36, 0.365], [0.7, 0.001, 0.002], [0.7, 0.3, np.nan]]
)
def test_what_does_not_rise_is_not_said_to(validation):
    assert overfits(rows([0.7, 0.3, 0.1], validation), 2) == ""


def test_healthy_above_a_rising_curve_says_which_weights_were_kept():
    found = diagnosis.diagnose(classifier(callbacks=(EarlyStopping(None),)))
    history = found.evidence.trainer.history
    best = int(np.argmin(history["val_loss"])) + 1
    assert history["val_loss"][-1] > 1.2 * min(history["val_loss"])
    assert found.evidence.kept_epoch == best and "overfitting" not in str(found.findings)
    text = " ".join(str(found).split())
    assert f"{min(history['val_loss']):.3g} there to {history['val_loss'][-1]:.3g}" in text
    assert f"The weights that were kept are those of epoch {best}, from before." in text
    assert f"epoch {best}, from before" in " ".join(verdict(found).split())


def test_healthy_is_not_said_of_a_training_that_learned_nothing(monkeypatch):
    monkeypatch.setattr(diagnosis, "all_symptoms", dict)
    made = classifier(y=RNG.permutation(NOISY), epochs=1, width=2)
    made.program.optimizer.lr = 1e-6
    found = diagnosis.diagnose(made)
    assert "Healthy" not in str(found) and "learned next to nothing" in str(found)
    assert f"{found.evidence.final_loss:.3g}" in found.headline()
    assert f"{found.evidence.chance_loss:.3g}" in found.headline()


def test_what_could_not_be_judged_is_said_and_shown(monkeypatch):
    monkeypatch.setattr(diagnosis, "all_symptoms", dict)
    found = diagnosis.diagnose(classifier(validation=False, epochs=1))
    assert found.notes == [
        "Not checked: whether new rows are like the training rows, because there are no validation "
        "rows.",
        "Not checked: overfitting, because one epoch shows no course.",
    ]
    many = dataclasses.replace(found, notes=[f"remark {k}" for k in range(9)] + found.notes)
    text = " ".join(verdict(many).split())
    assert "no validation rows" in text and "shows no course" in text and "remark 5" not in text


def test_a_part_of_a_run_is_said_to_be_a_part():
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": np.where(NOISY, "yes", "no")})
    prepared = prepare_table(frame, "y", TableOptions(epochs=20, recipe="plain"))
    assert limits_of(prepared, plan_of(prepared)) == []
    part = dataclasses.replace(plan_of(prepared, rows=50), epochs=12)
    (told,) = limits_of(prepared, part)
    assert told.startswith("Diagnosed on 50 of 96 training rows, for 12 of 20 epochs:")


def test_class_weights_that_are_prescribed_can_be_applied_and_trained_with(tmp_path):
    y = np.where(np.arange(120) % 30 == 0, "rare", "usual")
    prepared = prepare_table(
        pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y}), "y", TableOptions(epochs=2)
    )
    options = options_with(prepared, (changes.ClassWeights(),))
    assert options == {"class_weights": "balanced"}
    weighted = prepare_table(prepared.frame, "y", TableOptions(epochs=2, **options))
    run = weighted.train(tmp_path / "run")
    weights = run.config["network"]["loss_options"]["class_weights"]
    counts = np.array(weighted.preprocessing.class_counts)
    np.testing.assert_allclose(weights, counts.sum() / (2 * counts))


# frozen layers


def test_layers_that_someone_froze_are_a_remark_and_no_finding():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(6, 3), ct.ReLU(), ct.Linear(3, 2))
    net[0].freeze()
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
    trainer = ct.Trainer(net, loss=LOSS, optimizer=ct.Adam(net, lr=0.02))
    found = diagnosis.diagnose(TrainingPlan.of(trainer, X, y, epochs=60))
    assert "frozen_parameters" not in [f.code for f in found.findings]


# kinds of points


@dataclasses.dataclass
class Curved:
    smallest: float
    smallest_bound: float = 1e-6
    largest: float = 1.0
    verdict: str = "saddle"
    gradient_norm: float = 1e-9
    near: float = 0.01


class Rerunning:
    base = better = RerunResult(1.0, np.nan, np.nan, np.array([1.0]), np.array([]))

    def gain(self, better):
        return 0.9


class Stuck:
    def __init__(self, smallest):
        curved = None if smallest is None else Curved(smallest)
        kind = _kind(curved, Curved(0.0), 1.0)
        self.stop = Stop(kind, 0.0, Rerunning.better, "seed 1", True, curved)
        self.reruns = Rerunning()
        self.probes = type("Probes", (), {"rows": []})
        self.plan = classifier()


@pytest.mark.parametrize("smallest", [-0.5, -0.01, -0.002, -1e-5])
def test_no_point_with_negative_curvature_is_a_local_minimum(smallest):
    assert local_minimum.look(Stuck(smallest)) is None
    found = saddle_point.look(Stuck(smallest))
    assert found.evidence[0].value < found.evidence[0].threshold < 0


@pytest.mark.parametrize("smallest", [0.2, 0.0, -1e-9])
def test_a_curvature_within_its_error_of_zero_is_shown_as_zero_or_above(smallest):
    found = local_minimum.look(Stuck(smallest))
    assert found.code == "local_minimum" and found.evidence[0].value >= 0
    assert "As many steps with seed 1 end much lower" in found.explanation
    assert saddle_point.look(Stuck(smallest)) is None


def test_a_point_that_was_not_examined_is_not_said_to_curve_up():
    found = local_minimum.look(Stuck(None))
    assert "was not examined" in found.explanation and "curves up" not in found.explanation
    flat = Stuck(None)
    flat.stop = dataclasses.replace(flat.stop, by_restart=False)
    assert "nearly 0" not in plateau.look(flat).explanation


def test_the_size_of_steps_is_that_of_layers_that_move_and_unknown_without_layers():
    evidence = type("Seen", (), {"probes": type("Probes", (), {"rows": []})})
    assert np.isnan(learning_rate_too_low.usual_update(evidence))
    moves = [0.0, 0.0, 0.0, 2e-3, np.nan]  # frozen layers have updates of 0
    evidence.probes.rows = [{"role": "weights", "update": u} for u in moves]
    assert learning_rate_too_low.usual_update(evidence) == 2e-3


def test_a_diagnosis_that_finds_something_has_it_in_its_headline():
    one = Finding("plateau", "here", [], "because", [Prescription("wait")], 0.5)
    assert Diagnosis([one], [], course="After epoch 2 ...").headline() == "1 finding."


def test_a_training_without_restored_weights_keeps_those_of_the_last_epoch():
    evidence = Evidence.gather(classifier(epochs=3))
    assert evidence.kept_epoch is None
