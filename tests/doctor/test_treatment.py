"""treat: prescriptions against an untreated control and against chance."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor import Diagnosis, Finding, Prescription, TrainingPlan, changes
from cutaway.doctor.comparable_score import ComparableScore
from cutaway.doctor.treatment import paired, treat
from cutaway.errors import OptionError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("compile_quickly"),
]  # minutes in all; `pytest -m slow` runs them

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4)).astype(np.float32)
Y = (X @ np.array([[1.0], [-2.0], [0.5], [0.0]])).astype(np.float32)


def regression(lr=1e-3, **options):
    net = ct.Sequential(ct.Linear(4, 8), ct.Tanh(), ct.Linear(8, 1))
    optimizer = ct.SGD(net, lr=lr)
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=optimizer)
    return TrainingPlan.of(trainer, X, Y, epochs=6, batch_size=40, **options)


def diagnosis(plan, *prescribed):
    prescriptions = [Prescription(" and ".join(c.text for c in p), p) for p in prescribed]
    return Diagnosis([Finding("plateau", "", [], "", prescriptions, 0.9)], [], plan)


def test_the_interval_is_that_of_scipy():
    from scipy import stats

    differences = [-0.3, -0.5, -0.1, 0.05, -0.4]
    effect = paired(differences)
    told = stats.ttest_1samp(differences, 0)
    low, high = told.confidence_interval(0.95)
    assert effect.p == pytest.approx(told.pvalue)
    assert (effect.low, effect.high) == (pytest.approx(low), pytest.approx(high))


@pytest.fixture(scope="module")
def treated():
    told = []
    treatment = treat(
        diagnosis(
            regression(validation=(X[:40], Y[:40])),
            (changes.LearningRate(100.0),),
            (changes.LearningRate(1e12),),
            (changes.Clip(1e9),),
            (changes.SetDropout(0.0),),
            (),
            (changes.Epochs(2),),
        ),
        seeds=3,
        watch=lambda done, total, name: told.append((done, total)),
    )
    return treatment, told


def test_what_helps_hurts_and_does_nothing_is_told_apart(treated):
    treatment, _ = treated
    helps, hurts, nothing, longer = treatment.arms
    assert treatment.verdict(helps) == "helped" and treatment.best is helps
    assert treatment.verdict(hurts) == "hurt" and hurts.broken == 3
    assert treatment.verdict(nothing) == "no effect"
    assert treatment.effect(nothing).mean == 0  # the same seeds, the same order of the rows
    assert treatment.effect(helps).high < 0
    assert treatment.effect(helps, on="sample").high < 0
    assert treatment.chance_of(helps) is treatment.chance[1]
    assert treatment.chance_of(longer) is treatment.chance[2]
    assert longer.curves[0][-1][0] == 12 and treatment.chance[2].curves[0][-1][0] == 12
    assert len(treatment.chance[1].tried) == 3


def test_all_is_told_in_80_columns_as_json_and_as_a_plot(treated):
    treatment, told = treated
    assert max(map(len, str(treatment).splitlines())) <= 80
    assert "Cannot be tried: remove dropout" in " ".join(str(treatment).split())
    as_dict = treatment.to_dict()
    kinds = [arm["kind"] for arm in as_dict["arms"]]
    assert kinds == ["control", *["prescription"] * 4, *["chance"] * 2]
    assert len(as_dict["arms"][1]["validation"]) == 3
    assert told[-1] == (21, 21)
    assert len(treatment.plot().lines) == 7


def test_a_budget_leaves_out_the_last_prescriptions():
    asked = diagnosis(regression(), (changes.LearningRate(10.0),), (changes.Clip(1.0),))
    treatment = treat(asked, seeds=2, budget=6)
    assert [arm.name for arm in treatment.arms] == ["multiply the learning rate by 10"]
    assert treatment.notes == ["Not tried, to stay within the budget: clip the gradient norm to 1."]
    with pytest.raises(OptionError, match="budget of 5"):
        treat(asked, seeds=2, budget=5)


def test_there_must_be_something_to_try():
    with pytest.raises(OptionError, match="nothing was found"):
        treat(Diagnosis([], [], regression()))
    with pytest.raises(OptionError, match="no prescription is a change"):
        treat(diagnosis(regression(), ()))


def test_scaled_targets_are_measured_in_the_units_of_the_first():
    large = regression()
    large = TrainingPlan.of(ct.Trainer(large.program), X, 100 * Y + 1000, epochs=2, batch_size=40)
    scaled = large.changed(changes.ScaleTargets())
    stick = ComparableScore(large, [scaled])
    trainer = scaled.fresh()
    mean, std = scaled.target_scale[0]
    direct = trainer.predict(X) * std + mean
    by_hand = np.mean((direct - large.y) ** 2)
    assert stick.sample(trainer, scaled) == pytest.approx(by_hand, rel=1e-4)
    assert stick.what == "loss"


def test_another_loss_is_compared_by_wrong_answers_each_class_alike():
    labels = (np.arange(160) < 16).astype(np.int32)
    net = ct.Sequential(ct.Linear(4, 2))
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    plan = TrainingPlan.of(ct.Trainer(net, loss=loss), X, labels, epochs=1)
    stick = ComparableScore(plan, [plan.changed(changes.ClassWeights())])
    trainer = plan.fresh()
    state = trainer.net.state_dict()
    trainer.net.load_state_dict({"0.weight": 0 * state["0.weight"], "0.bias": [1.0, 0.0]})
    assert stick.what == "balanced error rate"
    assert stick.sample(trainer, plan) == 0.5  # all right for class 0, all wrong for class 1
