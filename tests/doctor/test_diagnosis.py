"""diagnose: every symptom is asked, findings come in the order in which they matter."""

import graphlib
import math

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor import Finding, Prescription, TrainingPlan, changes, diagnosis
from cutaway.doctor.diagnosis import all_symptoms, effects, rank
from cutaway.errors import DataError, OptionError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype(np.float32)
Y = (X @ np.array([[1.0], [-2.0], [0.5]])).astype(np.float32)


def finding(code, confidence, *prescribed, cured=math.nan):
    prescriptions = [Prescription(c.text, (c,)) for c in prescribed]
    return Finding(code, "somewhere", [], "because", prescriptions, confidence, cured)


def plan(lr=0.05, epochs=10):
    net = ct.Sequential(ct.Linear(3, 1))
    optimizer = ct.SGD(net, lr=lr)
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=optimizer)
    return TrainingPlan.of(trainer, X, Y, epochs=epochs, batch_size=30)


def test_what_explains_what_has_only_circles_of_two_and_only_known_codes():
    one_way = {
        k: {v for v in found if k not in effects().get(v, ())} for k, found in effects().items()
    }
    graphlib.TopologicalSorter(one_way).prepare()
    told = set(effects()) | {code for codes in effects().values() for code in codes}
    assert set(all_symptoms()) <= told | {"overfitting", "nan_source"}


def test_a_cause_stands_before_a_consequence_that_is_a_little_surer():
    found = [finding("dead_units", 0.8), finding("class_imbalance", 0.3)]
    ranked, explained = rank([*found, finding("learning_rate_too_high", 0.7)])
    assert [f.code for f in ranked] == [
        "learning_rate_too_high",
        "class_imbalance",
        "dead_units",
    ]
    assert explained == {"dead_units": "learning_rate_too_high"}


@pytest.mark.parametrize("surer", ["oscillation", "learning_rate_too_high"])
def test_of_two_that_explain_each_other_the_surer_is_the_cause(surer):
    other = {"oscillation", "learning_rate_too_high"} - {surer}
    ranked, explained = rank([finding(*other, 0.7), finding(surer, 0.75)])
    assert ranked[0].code == surer and explained == {other.pop(): surer}


def test_a_weak_cure_loses_its_place():
    shock = finding("bad_initial_scale", 0.88, cured=0.66)
    ranked, _ = rank([shock, finding("adaptive_rate_decay", 0.85, cured=0.02)])
    assert ranked[0].code == "adaptive_rate_decay"
    ranked, _ = rank([shock, finding("adaptive_rate_decay", 0.85, cured=0.5)])
    assert ranked[0].code == "bad_initial_scale"


def test_a_doubtful_cause_explains_nothing():
    ranked, explained = rank([finding("dead_units", 0.9), finding("unscaled_inputs", 0.3)])
    assert [f.code for f in ranked] == ["dead_units", "unscaled_inputs"]
    assert explained == {}


def test_the_findings_of_all_symptoms_are_ranked_and_errors_become_notes(monkeypatch):
    def fails(evidence):
        raise DataError("the data are odd")

    asked = []

    def finds(evidence):
        asked.append(evidence.final_loss)
        return finding("dead_units", 0.9)

    symptoms = {"batch_leak": fails, "dead_units": finds, "plateau": lambda evidence: None}
    monkeypatch.setattr(diagnosis, "all_symptoms", lambda: symptoms)
    looked = []
    found = ct.diagnose(plan(), watch=looked.append)
    assert [f.code for f in found.findings] == ["dead_units"] and not found.healthy
    assert found.notes == [
        "batch leak could not be checked: the data are odd.",
        "Not checked: whether new rows are like the training rows, because there are no validation "
        "rows.",
    ]
    assert found.evidence.final_loss == asked[0]
    assert looked == ["training under probes", "batch leak", "dead units", "plateau"]
    assert "1. dead units: somewhere" in str(found)
    assert found.to_dict()["findings"][0]["code"] == "dead_units"


def test_the_trainer_that_was_given_stays_as_it_was(monkeypatch):
    monkeypatch.setattr(diagnosis, "all_symptoms", dict)
    given = plan().fresh()
    before = given.net.state_dict()
    found = ct.diagnose(given, X, Y, epochs=3)
    assert found.healthy and len(found.evidence.losses) == 3
    for path, value in given.net.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_a_trainer_that_has_trained_is_noted(monkeypatch):
    monkeypatch.setattr(diagnosis, "all_symptoms", dict)
    trained = plan().run()
    assert "has trained before" in ct.diagnose(trained, X, Y, epochs=1).notes[0]


def test_a_training_that_breaks_off_is_diagnosed_too(monkeypatch):
    monkeypatch.setattr(diagnosis, "all_symptoms", dict)
    found = ct.diagnose(plan(lr=1e30))
    assert found.notes[0].startswith("Training stopped: the loss became")


def test_what_cannot_be_diagnosed_is_refused():
    with pytest.raises(OptionError, match="without data"):
        ct.diagnose(plan().fresh())
    with pytest.raises(OptionError, match="both a TrainingPlan and data"):
        ct.diagnose(plan(), X, Y)
    with pytest.raises(OptionError, match="given a Linear"):
        ct.diagnose(ct.Linear(2, 1))


def test_too_small_a_learning_rate_is_found_and_a_healthy_one_is_not():
    slow = ct.diagnose(plan(lr=1e-4))
    assert slow.findings[0].code == "learning_rate_too_low"
    (change,) = slow.findings[0].prescriptions[0].changes
    assert isinstance(change, changes.LearningRate) and change.factor > 10
    assert ct.diagnose(plan(lr=0.1, epochs=60)).healthy
