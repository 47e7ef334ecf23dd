"""The doctor, live: what is wrong is said when it arises, and what is prescribed can be tried."""

from pathlib import Path

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor.diagnosis import all_symptoms
from cutaway.studio.lane import Lane, new_training
from cutaway.studio.origins.from_data import subject_of_data
from cutaway.studio.origins.spirals import spirals
from cutaway.studio.patient import Moment, Patient
from cutaway.train import Probes, Program, Trainer
from tests.studio.watching import Watcher, new_subject

STUDENTS = Path(ct.__file__).parent / "data" / "students.csv"


def subject_with(activation, optimizer, *, hidden=(8, 8)):
    subject = new_subject()
    ct.seed(1)
    net = ct.models.mlp((2, *hidden, 1), activation=activation)
    loss = ct.losses.binary_cross_entropy_with_logits
    subject.program = Program(net, loss=loss, optimizer=optimizer(net))
    return subject


def vanishing():
    return subject_with(ct.Sigmoid, lambda net: ct.Adam(net, lr=0.01), hidden=[8] * 10)


def dead():
    subject = subject_with(ct.ReLU, lambda net: ct.Adam(net, lr=0.01))
    subject.program.net.named_parameters()["2.bias"].data = np.full(8, -10, np.float32)
    return subject


def found_in(watcher, *, speed=None) -> dict:
    """The first finding of a training."""
    watcher.send(type="speed", per_second=speed)
    watcher.send(type="play")
    return watcher.wait("finding")[0]


def first_gradient(watcher, lane: int) -> float:
    watcher.settled()
    training = watcher.session.lanes.lane(lane).training
    return float(np.linalg.norm(training.backward()["0.weight"]))


@pytest.mark.slow
def test_ten_sigmoid_layers_have_a_vanishing_gradient_and_the_prescription_beside_learns():
    with Watcher(vanishing()) as watcher:
        found = found_in(watcher, speed=60)
        assert (found["symptom"], found["lane"], found["path"]) == ("vanishing_gradient", 0, "0")
        ratio = found["numbers"][0]
        assert ratio["value"] < ratio["threshold"] == 1e-3
        assert "act'" in found["text"]
        assert found["can_try"]
        watcher.send(type="pause")
        watcher.ask("lanes", type="try_finding", lane=0, finding=found["id"])
        trial = watcher.wait("lane", when=lambda h: h["lane"] == 1)[0]
        assert trial["title"] == found["tries"] == found["prescriptions"][0]
        lane = watcher.session.lanes.lane(1)
        assert lane.training.position.steps == 0  # its weights are drawn: it begins anew
        assert first_gradient(watcher, 1) > 100 * first_gradient(watcher, 0)
        watcher.send(type="step", unit="batch", count=600)
        watcher.frame_at(600, lane=1)
        chance = np.log(2)
        assert lane.curve.last() < 0.8 * chance


def test_dead_units_are_found_with_their_layer():
    with Watcher(dead()) as watcher:
        found = found_in(watcher)
        assert (found["symptom"], found["path"]) == ("dead_units", "3")
        assert found["numbers"][0]["value"] == 1.0


@pytest.mark.slow
def test_a_finding_is_gone_when_what_was_wrong_is_changed():
    with Watcher(dead()) as watcher:
        found = found_in(watcher)
        watcher.ask("finding_gone", type="seed_weights", initializer="he_normal", seed=3)
        gone = watcher.wait("finding_gone")[0]
        assert (gone["lane"], gone["id"]) == (0, found["id"])
        assert watcher.session.doctor.findings() == []
        error = watcher.ask("error", type="try_finding", lane=0, finding=found["id"])[0]
        assert "no finding" in error["text"]


def test_a_learning_rate_far_too_high_is_found_and_a_lower_one_learns_from_the_same_weights():
    with Watcher(subject_with(ct.Tanh, lambda net: ct.SGD(net, lr=100.0))) as watcher:
        beginning = watcher.session.lanes.lane(0).training.state()
        found = found_in(watcher)
        assert found["symptom"] == "learning_rate_too_high"
        assert "100" in found["where"]
        watcher.send(type="pause")
        watcher.ask("lanes", type="try_finding", lane=0, finding=found["id"])
        watcher.settled()
        lane = watcher.session.lanes.lane(1)
        for (path, variable), value in zip(
            lane.program.variables().items(), beginning.values, strict=True
        ):
            if path != "optimizer.base_lr":
                np.testing.assert_array_equal(variable.data, value, err_msg=path)
        assert lane.training.lr < 10


@pytest.mark.slow
def test_a_second_trial_takes_the_place_of_the_first_but_not_of_a_network_of_the_user():
    with Watcher(dead()) as watcher:
        found = found_in(watcher)
        watcher.send(type="pause")
        command = {"type": "try_finding", "lane": 0, "finding": found["id"]}
        for _ in range(2):
            watcher.ask("lanes", **command)
            watcher.settled()
            assert sorted(watcher.session.lanes.all) == [0, 1]
        watcher.ask("lanes", type="drop", lane=1)
        watcher.ask("lanes", type="branch", lane=0)
        assert "2 networks" in watcher.ask("error", **command)[0]["text"]


class Root(ct.Module):
    """Undefined below 0."""

    def forward(self, x):
        return ct.ops.sqrt(x)


def test_an_undefined_operation_is_found_with_its_layer_and_told_from_a_divergence():
    subject = new_subject()
    net = ct.Sequential(ct.Linear(2, 4), Root(), ct.Linear(4, 1))
    subject.program = Program(net, loss=subject.program.loss)
    with Watcher(subject) as watcher:
        found = found_in(watcher)
        assert (found["symptom"], found["path"]) == ("nan_source", "1")
        assert "undefined" in found["text"]


@pytest.mark.slow
@pytest.mark.parametrize("make", [spirals, lambda: subject_of_data(STUDENTS, "passed")])
def test_a_healthy_training_at_full_speed_has_no_finding(make):
    with Watcher(make()) as watcher:
        watcher.send(type="speed", per_second=None)
        watcher.send(type="play")
        while watcher.session.doctor.looks < 6:
            watcher.wait("frame", begin=len(watcher.messages))
        watcher.settled()
        kinds = {header["type"] for header, _ in watcher.messages}
        assert not kinds & {"finding", "error", "closed"}


def looked_at(subject, steps: int):
    """What a Patient finds after so many steps."""
    lane = Lane(0, subject, new_training(subject, subject.program))
    patient = Patient(subject, lane.training, lane.memory.beginning())
    patient.prepare()
    lane.run(steps)
    state = lane.training.state()
    curves = lane.curve.arrays(), lane.validation_curve.arrays()
    return patient.look(Moment(state.position, state.values, *curves))


def codes(found) -> list[str]:
    return [one.finding.code for one in found]


def test_adagrad_that_has_stopped_too_early_goes_on_with_adam_from_where_it_is():
    optimizer = ct.Adagrad
    found = looked_at(subject_with(ct.Tanh, lambda net: optimizer(net, lr=0.001)), 20_000)
    assert codes(found) == ["adaptive_rate_decay"]
    assert found[0].goes_on
    found = looked_at(subject_with(ct.Tanh, lambda net: optimizer(net, lr=0.1)), 20_000)
    assert codes(found) == []


def test_a_learning_rate_far_too_low_is_found():
    found = looked_at(subject_with(ct.Tanh, lambda net: ct.SGD(net, lr=1e-6)), 200)
    assert codes(found) == ["learning_rate_too_low"]
    found = looked_at(subject_with(ct.Tanh, lambda net: ct.SGD(net, lr=1e-2)), 200)
    assert codes(found) == []


def test_probabilities_given_to_a_loss_of_logits_are_found():
    subject = new_subject()
    net = ct.Sequential(ct.Linear(2, 4), ct.Tanh(), ct.Linear(4, 1), ct.Sigmoid())
    subject.program = Program(net, loss=ct.losses.binary_cross_entropy_with_logits)
    found = looked_at(subject, 200)
    assert codes(found) == ["wrong_output_activation"]
    assert found[0].trial is not None


def test_no_symptom_that_is_asked_live_trains_anything(monkeypatch):
    def fit(*args, **options):
        raise AssertionError("it trains")

    monkeypatch.setattr(Trainer, "fit", fit)
    for make in (vanishing, dead, spirals):
        subject = make()
        found = looked_at(subject, 200)
        assert (codes(found) == []) == (make is spirals)


def test_looking_leaves_the_network_as_it_is():
    def weights(looks: bool):
        subject = new_subject()
        if looks:
            looked_at(subject, 50)
        else:
            new_training(subject, subject.program).run(50)
        return subject.program.snapshot()

    one, other = weights(True), weights(False)
    for path, value in one.items():
        np.testing.assert_array_equal(value, other[path], err_msg=path)


def test_a_measurement_made_without_callbacks_is_that_of_a_training():
    subject = new_subject()
    x, y = subject.x[:64], subject.y[:64]
    trainer, probes = Trainer(subject.program), Probes(x, y)
    probes.measure(trainer, step=0, epoch=0)
    probes.measure(trainer, step=0, epoch=0)
    watching = Probes(x, y)
    Trainer(subject.program.copied()).fit(x, y, epochs=1, callbacks=[watching], progress=False)
    assert probes.steps == [0]
    for own, other in zip(probes.at(0), watching.at(0), strict=True):
        assert own == pytest.approx(other, nan_ok=True)
    for step in (5, 9, 12):
        probes.measure(trainer, step=step, epoch=1)
    probes.forget_after(9)
    assert probes.steps == [0, 5, 9]
    probes.thin()
    assert probes.steps == [0, 9]


def test_every_symptom_that_is_asked_live_is_one_of_the_doctor():
    live = all_symptoms("look_live")
    assert live.keys() <= all_symptoms().keys()
    assert set(all_symptoms("GOES_ON")) <= live.keys()
