"""The doctor on adversarial training: what is meaningful for two networks in turn, or a refusal."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor import Evidence, TrainingPlan, diagnose, treat
from cutaway.doctor.preflight import preflight
from cutaway.doctor.symptoms import exploding_gradient
from cutaway.errors import OptionError
from cutaway.train import AdversarialProgram

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(96, 2)).astype(np.float32)
REAL = (NOISE + 2).astype(np.float32)


def networks():
    ct.seed(0)
    return [ct.Sequential(ct.Linear(2, 8), ct.ReLU(), ct.Linear(8, outputs)) for outputs in (2, 1)]


def plan(generator, discriminator, *, lr=1e-3, x=NOISE, epochs=3):
    optimizers = tuple(ct.SGD(n, lr) for n in (generator, discriminator))
    program = AdversarialProgram(generator, discriminator, optimizers=optimizers)
    return TrainingPlan.of(ct.Trainer(program), x, REAL, epochs=epochs, batch_size=32)


def test_a_healthy_adversarial_training_has_no_findings_and_says_what_was_not_checked():
    found = diagnose(plan(*networks()))
    assert found.healthy
    assert found.notes == [
        "Not checked: anything but dead units, exploding gradient, nan source, because networks "
        "that train in turn have no chance level, and losses that rise or stay are no fault of "
        "theirs."
    ]


@pytest.mark.parametrize(("dead", "name"), [(0, "generator"), (1, "discriminator")])
def test_dead_units_are_found_in_the_network_that_has_them(dead, name):
    both = networks()
    both[dead][0].bias.data = both[dead][0].bias.data - 100
    found = diagnose(plan(*both)).findings
    assert [(f.code, f.where) for f in found] == [("dead_units", f"layer {name}.1")]
    assert [m.value for m in found[0].evidence] == [1.0, 1.0]


def test_a_gradient_that_grew_is_found_in_its_network():
    made = plan(*networks())
    ended = made.fresh()
    for p in ended.net.parameters():
        p.data = p.data * 100
    net = ended.program.discriminator
    net[2].weight.data = net[2].weight.data * 1e4
    found = exploding_gradient.look_in_turns(Evidence(made, ended, None))
    assert found.where == "the generator"
    assert found.evidence[0].value > 1e3


def test_nan_in_the_noise_is_found():
    bad = NOISE.copy()
    bad[5, 1] = np.nan
    (finding,) = diagnose(plan(*networks(), x=bad)).findings
    assert (finding.code, finding.where) == ("nan_source", "x, row 5, column 1")


def test_what_needs_one_network_with_one_loss_is_refused_in_words():
    made = plan(*networks())
    with pytest.raises(OptionError, match="networks that train in turn"):
        preflight(made)
    with pytest.raises(OptionError, match="there is nothing to try"):
        treat(diagnose(made))
