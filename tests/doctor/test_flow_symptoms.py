"""Each symptom of the flow of signals is found where it is, and silent on a healthy relative."""

import functools
import importlib
import math

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.nn import init

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("compile_quickly"),
]  # minutes in all; `pytest -m slow` runs them

ROWS = 256


def look(code, evidence):
    return importlib.import_module(f"cutaway.doctor.symptoms.{code}").look(evidence)


@functools.cache
def rings():
    """Two classes, inside and outside of a circle: no line parts them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 2)).astype(np.float32)
    return x, ((x**2).sum(axis=1) > 1.4).astype(np.float32)[:, None]


@functools.cache
def noise():
    """Labels that have nothing to do with x: the loss of chance is all that can be attained."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(ROWS, 2)).astype(np.float32)
    return x, rng.integers(0, 2, size=(ROWS, 1)).astype(np.float32)


def mlp(depth=2, width=16, activation=ct.ReLU, weights=init.he_normal, last=None):
    layers = [ct.Linear(2, width, init=weights), activation()]
    for _ in range(depth - 1):
        layers += [ct.Linear(width, width, init=weights), activation()]
    return ct.Sequential(*layers, ct.Linear(width, 1, init=last or weights))


def evidence_of(net, *, data=rings, optimizer=None, loss=None, epochs=20, **options):
    x, y = data()
    trainer = ct.Trainer(
        net,
        loss=loss or ct.losses.binary_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=1e-2) if optimizer is None else optimizer(net),
    )
    return Evidence.gather(TrainingPlan.of(trainer, x, y, epochs=epochs, batch_size=32, **options))


@pytest.fixture(scope="module")
def healthy():
    ct.seed(0)
    return evidence_of(mlp())


@pytest.fixture(scope="module")
def hopeless():
    """A healthy network on labels without meaning."""
    ct.seed(0)
    return evidence_of(mlp(depth=5), data=noise, epochs=3)


CODES = (
    "vanishing_gradient",
    "exploding_gradient",
    "dead_units",
    "saturated_units",
    "symmetric_weights",
    "bad_initial_scale",
    "wrong_hidden_activation",
    "frozen_parameters",
    "nan_source",
)


@pytest.mark.parametrize("code", CODES)
def test_a_network_that_learns_has_no_symptom(code, healthy):
    assert healthy.relative_loss < 0.5
    assert look(code, healthy) is None


@pytest.mark.parametrize("code", CODES)
def test_a_network_that_cannot_learn_because_labels_mean_nothing_has_no_symptom(code, hopeless):
    assert hopeless.relative_loss > 0.9
    assert look(code, hopeless) is None


def test_ten_sigmoids_let_the_gradient_vanish_and_the_product_of_slopes_is_told():
    net = mlp(depth=10, activation=ct.Sigmoid, weights=init.glorot_uniform)
    evidence = evidence_of(net, optimizer=lambda net: ct.SGD(net, lr=0.1), epochs=5)
    finding = look("vanishing_gradient", evidence)
    assert finding.evidence[0].value < 1e-4
    assert "10 slopes of at most 1/4 multiply to" in finding.explanation
    assert "(0.25^10 = 9.537e-07)" in finding.explanation


def test_small_gradients_of_finished_learning_are_no_vanishing_gradient():
    net = mlp(depth=3, activation=ct.Tanh, weights=init.glorot_uniform)
    evidence = evidence_of(net, epochs=150)
    assert evidence.probes.rows[-1]["grad"] < 0.2 * evidence.probes.at(0)[-1]["grad"]
    assert look("vanishing_gradient", evidence) is None
    assert look("saturated_units", evidence) is None


def test_weights_that_grow_the_gradient_explode_it():
    large = functools.partial(init.normal, std=1.0)  # He's would be 0.35
    net = mlp(depth=10, weights=large)
    evidence = evidence_of(net, optimizer=lambda net: ct.SGD(net, lr=0.1), epochs=5)
    finding = look("exploding_gradient", evidence)
    assert finding.evidence[0].value > 1e3
    assert "^10 = " in finding.explanation or "no longer a finite" in finding.explanation


@functools.cache
def first_of_many(steps=40):
    """Sequences of which only the first step matters."""
    x = np.random.default_rng(2).normal(size=(64, steps, 1)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.float32)


def test_recurrent_weights_of_two_explode_the_gradient_through_time():
    def recurrent(scale):
        rnn = ct.RNN(1, 8, activation=ct.ops.relu)
        rnn.layers[0].hidden_weight.data = scale * init.orthogonal((8, 8))
        return ct.Sequential(rnn, ct.nn.LastStep(), ct.Linear(8, 1))

    options = {"data": first_of_many, "optimizer": lambda net: ct.SGD(net, lr=0.1), "epochs": 2}
    finding = look("exploding_gradient", evidence_of(recurrent(2.0), **options))
    assert "time" in finding.where
    assert look("exploding_gradient", evidence_of(recurrent(1.0), **options)) is None


def negative_bias(net, value):
    for layer in net:
        if isinstance(layer, ct.Linear):
            layer.bias.data = layer.bias.data + value
    return net


def test_relus_with_large_negative_biases_are_dead():
    finding = look("dead_units", evidence_of(negative_bias(mlp(), -10.0), epochs=5))
    assert finding.evidence[0].value > 0.9
    assert "the mean of b^(1) was -10" in finding.explanation


def test_outputs_of_which_eighty_percent_are_zero_are_not_dead_units():
    # each unit answers to one direction: off on most rows, on none of them always
    net = mlp(depth=1, width=64)
    net[0].bias.data = net[0].bias.data - 0.9
    evidence = evidence_of(net, epochs=1)
    row = evidence.probes.at(0)[1]
    assert row["off"] > 0.75
    assert look("dead_units", evidence) is None


def test_a_unit_that_is_off_in_the_window_and_on_elsewhere_is_not_dead():
    x = np.zeros((600, 8), np.float32)
    x[np.arange(600) % 30 == 29, :] = np.eye(8)[np.arange(20) % 8]  # rare and outside the window
    y = np.zeros((600, 1), np.float32)
    y[::2] = 1
    net = ct.Sequential(ct.Linear(8, 8, init=lambda s: 20 * np.eye(8, dtype="f4")), ct.ReLU(),
                        ct.Linear(8, 1))  # fmt: skip
    net[0].bias.data = net[0].bias.data - 0.1
    rare = evidence_of(net, data=lambda: (x, y), epochs=1)
    assert look("dead_units", rare) is None


def test_large_tanh_weights_saturate_units():
    large = functools.partial(init.normal, std=20.0)
    net = mlp(activation=ct.Tanh, weights=large, last=init.glorot_uniform)
    evidence = evidence_of(net, optimizer=lambda net: ct.SGD(net, lr=0.01), epochs=5)
    finding = look("saturated_units", evidence)
    assert finding.evidence[0].value > 0.8


def test_saturated_outputs_that_are_right_are_healthy():
    net = ct.Sequential(*mlp(), ct.Sigmoid())
    x, _ = rings()
    evidence = evidence_of(
        net, data=lambda: (x, (x[:, :1] > 0).astype("f4")),
        loss=ct.losses.binary_cross_entropy, epochs=60,
    )  # fmt: skip
    at_output = evidence.probes.at(-1)[-1]
    assert at_output["kind"] == "Sigmoid" and at_output["saturated"] > 0.5
    assert look("saturated_units", evidence) is None


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_constant_weights_stay_symmetric(value):
    evidence = evidence_of(mlp(weights=functools.partial(init.constant, value=value)), epochs=5)
    finding = look("symmetric_weights", evidence)
    assert finding.evidence[0].value < 1e-3
    assert ("were initialized to 0" in finding.explanation) == (value == 0)


def test_logistic_regression_and_residual_branches_may_begin_at_zero():
    class Residual(ct.Module):
        def __init__(self):
            self.inner = ct.Linear(16, 16)
            self.outer = ct.Linear(16, 16, init=init.zeros)

        def forward(self, x):
            return x + self.outer(ct.ops.relu(self.inner(x)))

    logistic = ct.Sequential(ct.Linear(2, 1, init=init.zeros))
    assert look("symmetric_weights", evidence_of(logistic, epochs=2)) is None
    net = ct.Sequential(ct.Linear(2, 16), Residual(), ct.Linear(16, 1))
    assert look("symmetric_weights", evidence_of(net, epochs=2)) is None


@pytest.mark.parametrize("std", [1e-4, 5.0])
def test_initial_weights_of_the_wrong_size_are_found(std):
    weights = functools.partial(init.normal, std=std)
    net = mlp(depth=4, weights=weights)
    evidence = evidence_of(net, optimizer=lambda net: ct.SGD(net, lr=0.1), epochs=40)
    finding = look("bad_initial_scale", evidence)
    assert finding.evidence[0].value > 3 if std > 1 else finding.evidence[0].value < 0.2


def test_small_weights_that_do_no_harm_are_not_found():
    net = mlp(depth=1, weights=functools.partial(init.normal, std=0.05))
    assert look("bad_initial_scale", evidence_of(net, epochs=40)) is None


@pytest.mark.parametrize("activation", [ct.nn.Softmax, ct.nn.Threshold, ct.nn.Identity])
def test_hidden_activations_that_cannot_work_are_found(activation):
    evidence = evidence_of(mlp(activation=activation, depth=3))
    finding = look("wrong_hidden_activation", evidence)
    assert activation.__name__.replace("Identity", "no activation") in finding.where


def test_linear_layers_in_a_row_are_healthy_where_a_line_is_enough():
    x, _ = rings()
    noisy = x[:, :1] + np.random.default_rng(3).normal(size=(ROWS, 1)) > 0
    net = ct.Sequential(ct.Linear(2, 4), ct.Linear(4, 1))
    evidence = evidence_of(net, data=lambda: (x, noisy.astype("f4")))
    assert look("wrong_hidden_activation", evidence) is None


def frozen(net, until):
    for layer in list(net)[:until]:
        layer.freeze()
    return net


def test_random_weights_that_are_frozen_on_purpose_are_a_remark_with_numbers():
    evidence = evidence_of(frozen(mlp(width=3, depth=2), 4), epochs=40)
    assert look("frozen_parameters", evidence) is None
    (note,) = [n for n in evidence.notes if n.startswith("Frozen on purpose")]
    assert "0.weight and 2.weight" in note and "as good as random" in note


def test_weights_that_the_optimizer_was_not_given_are_found():
    net = mlp(width=3, depth=2)
    evidence = evidence_of(net, optimizer=lambda net: ct.Adam(net[4], lr=1e-2), epochs=40)
    finding = look("frozen_parameters", evidence)
    assert "the optimizer was not given them" in finding.explanation


def test_a_frozen_backbone_that_was_trained_is_healthy():
    net = mlp(width=8, depth=2)
    x, y = rings()
    ct.Trainer(net, loss=ct.losses.binary_cross_entropy_with_logits,
               optimizer=ct.Adam(net, lr=1e-2)).fit(x, y, epochs=40, progress=False)  # fmt: skip
    net = ct.Sequential(*frozen(net, 4)[:4], ct.Linear(8, 1))
    evidence = evidence_of(net, epochs=10)
    assert look("frozen_parameters", evidence) is None


def test_the_root_of_a_zero_is_a_source_of_nan():
    def root_of_squares(prediction, target):
        error = prediction - target
        return ct.ops.mean(ct.ops.sqrt(error * error))  # its slope at 0 is 0 · ∞

    x, _ = rings()
    net = ct.Sequential(ct.Linear(2, 1, init=init.zeros))
    evidence = evidence_of(net, data=lambda: (x, 0 * x[:, :1]), loss=root_of_squares, epochs=3)
    finding = look("nan_source", evidence)
    assert finding.confidence > 0.9


def test_a_divergence_ranks_its_nan_low():
    net = ct.Sequential(ct.Linear(2, 1))
    x, _ = rings()
    evidence = evidence_of(
        net, data=lambda: (x, x[:, :1]), loss=ct.losses.mean_squared_error,
        optimizer=lambda net: ct.SGD(net, lr=50.0),
    )  # fmt: skip
    finding = look("nan_source", evidence)
    assert finding.confidence < 0.5 and "divergence" in finding.explanation


def test_a_missing_value_in_the_data_is_named():
    x, y = rings()
    x = x.copy()
    x[7, 1] = math.nan
    evidence = evidence_of(mlp(), data=lambda: (x, y))
    assert look("nan_source", evidence).where == "x, row 7, column 1"
