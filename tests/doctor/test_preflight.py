"""Pre-flight: each check finds its fault on a small plan and is silent on healthy ones."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import cutaway as ct
from cutaway import losses
from cutaway.cli.app import app
from cutaway.doctor.preflight import preflight
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.train import Trainer

CROSS_ENTROPY = losses.sparse_categorical_cross_entropy_with_logits


def rows(n=160, features=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, features)).astype(np.float32)


def classes(n=160, seed=0):
    x = rows(n, seed=seed)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int32)


def mlp(*after, outputs=2, between=()):
    return ct.Sequential(ct.Linear(5, 32), ct.ReLU(), *between, ct.Linear(32, outputs), *after)


def look(net, loss, x, y, *, lr=0.01, optimizer=None, **options):
    optimizer = ct.Adam(net, lr=lr) if optimizer is None else optimizer
    trainer = Trainer(net, loss=loss, optimizer=optimizer)
    return preflight(TrainingPlan.of(trainer, x, y, **{"epochs": 20} | options))


def codes(looked):
    return [finding.code for finding in looked.findings]


def healthy_classifier():
    return look(mlp(), CROSS_ENTROPY, *classes(), validation=classes(40, seed=1))


def healthy_regression():
    x = rows()
    return look(mlp(outputs=1), losses.mean_squared_error, x, x[:, :1] * x[:, 1:2])


def zero_initialized_logistic_regression():
    net = ct.Sequential(ct.Linear(5, 1), ct.Sigmoid())
    net[0].weight.data = 0 * net[0].weight.data
    return look(net, losses.binary_cross_entropy, *classes())


def frozen_backbone():
    net = mlp()
    net[0].freeze()
    return look(net, CROSS_ENTROPY, *classes())


def heavy_dropout_and_batch_norm():
    net = mlp(between=[ct.BatchNorm(32), ct.Dropout(0.8)])
    return look(net, CROSS_ENTROPY, *classes())


def inputs_with_tails():
    x = np.clip(np.random.default_rng(0).standard_t(3, size=(160, 5)) / 1.5, -6, 6)
    return look(mlp(), CROSS_ENTROPY, x.astype(np.float32), classes()[1])


def warm_up_and_clipping():
    net = mlp()
    optimizer = ct.Adam(net, lr=0.01, schedule=ct.optim.Warmup(500), clip=ct.optim.ClipNorm(0.1))
    return look(net, CROSS_ENTROPY, *classes(), optimizer=optimizer)


def words():
    x = np.random.default_rng(0).integers(0, 20, (160, 6)).astype(np.int32)
    net = ct.Sequential(ct.Embedding(20, 8), ct.Flatten(), ct.Linear(48, 2))
    return look(net, CROSS_ENTROPY, x, (x[:, 0] > 9).astype(np.int32))


def pictures():
    x = rows(48, features=64).reshape(48, 8, 8, 1)
    net = ct.Sequential(
        ct.Conv2d(1, 4, 3), ct.BatchNorm(4), ct.ReLU(), ct.Flatten(), ct.Linear(4 * 36, 2)
    )
    return look(net, CROSS_ENTROPY, x, (x[:, 0, 0, 0] > 0).astype(np.int32))


def autoencoder():
    x = rows()
    net = ct.Sequential(ct.Linear(5, 3), ct.Tanh(), ct.Linear(3, 5))
    return look(net, losses.mean_squared_error, x, x)


HEALTHY = (
    healthy_classifier,
    healthy_regression,
    zero_initialized_logistic_regression,
    frozen_backbone,
    heavy_dropout_and_batch_norm,
    inputs_with_tails,
    warm_up_and_clipping,
    words,
    pictures,
    autoencoder,
)


@pytest.mark.parametrize("plan", HEALTHY, ids=lambda f: f.__name__)
def test_healthy_programs_pass(plan):
    looked = plan()
    assert codes(looked) == []
    assert "\n" not in looked.line()


def test_nothing_of_the_program_is_changed():
    net = mlp()
    trainer = Trainer(net, loss=CROSS_ENTROPY)
    before = net.state_dict()
    plan = TrainingPlan.of(trainer, *classes())
    preflight(plan)
    for own in (net, plan.program.net):
        for path, value in own.state_dict().items():
            np.testing.assert_array_equal(value, before[path])


def test_a_loss_at_the_start_far_above_chance():
    net = mlp()
    net[2].weight.data = 100 * net[2].weight.data
    assert "initial_loss" in codes(look(net, CROSS_ENTROPY, *classes()))


class Forgets(ct.Module):
    def __init__(self):
        self.answer = ct.nn.Parameter(np.array([[0.3, 0.0]], np.float32))
        self.unused = ct.Linear(5, 5)

    def forward(self, x):
        return 0 * x[:, :2] + self.answer


def test_a_network_that_ignores_its_input_and_has_a_layer_to_spare():
    looked = look(Forgets(), CROSS_ENTROPY, *classes())
    assert "input_ignored" in codes(looked)
    frozen = next(f for f in looked.findings if f.code == "frozen_parameters")
    assert frozen.where == "unused.weight, unused.bias"


def test_a_parameter_that_the_optimizer_was_not_given():
    net = mlp()
    looked = look(net, CROSS_ENTROPY, *classes(), optimizer=ct.Adam(net[2], lr=0.01))
    frozen = next(f for f in looked.findings if f.code == "frozen_parameters")
    assert "0.weight" in frozen.where
    assert "2.weight" not in frozen.where


def test_all_units_dead():
    net = mlp()
    net[0].bias.data = net[0].bias.data - 100
    assert "input_ignored" in codes(look(net, CROSS_ENTROPY, *classes()))


class MixesRows(ct.Module):
    def forward(self, x):
        return x - x.mean(axis=0) if self.training else x


class MixesAlways(ct.Module):
    def forward(self, x):
        return x - x.mean(axis=0)


@pytest.mark.parametrize("layer", [MixesRows, MixesAlways])
def test_rows_that_reach_into_each_other(layer):
    looked = look(mlp(between=[layer()]), CROSS_ENTROPY, *classes())
    leak = next(f for f in looked.findings if f.code == "batch_leak")
    assert leak.where == f"layer 2 ({layer.__name__})"


def test_an_output_layer_that_the_loss_does_not_fit():
    looked = look(mlp(ct.Softmax()), lambda p, y: CROSS_ENTROPY(p, y), *classes())
    assert "wrong_output_activation" in codes(looked)
    x = rows()
    looked = look(mlp(ct.ReLU(), outputs=1), losses.mean_squared_error, x, x[:, :1])
    assert "wrong_output_activation" in codes(looked)


def test_a_loss_that_prefers_a_wrong_answer():
    x = rows()
    looked = look(mlp(outputs=1), lambda p, y: ((p - y) ** 2).mean(), x, x[:, 0])
    assert "wrong_loss" in codes(looked)


def test_inputs_and_targets_of_thousands():
    x, y = classes()
    assert "unscaled_inputs" in codes(look(mlp(), CROSS_ENTROPY, 2000 * x + 3000, y))
    looked = look(mlp(outputs=1), losses.mean_squared_error, x, 2000 * x[:, :1] + 3000)
    assert "unscaled_targets" in codes(looked)


def test_a_class_with_few_rows_unless_it_is_weighted():
    x, y = rows(400), np.zeros(400, np.int32)
    y[::50] = 1
    assert "class_imbalance" in codes(look(mlp(), CROSS_ENTROPY, x, y))

    def weighted(p, t):
        return CROSS_ENTROPY(p, t, class_weights=(1.0, 49.0))

    assert "class_imbalance" not in codes(look(mlp(), weighted, x, y))


def test_validation_rows_that_are_training_rows():
    x, y = classes()
    looked = look(mlp(), CROSS_ENTROPY, x, y, validation=(x[:30], y[:30]))
    assert codes(looked) == ["duplicated_rows"]


def test_learning_rates_far_too_high_and_far_too_low():
    x = rows()
    net = mlp(outputs=1)
    high = look(net, losses.mean_squared_error, x, x[:, :1], optimizer=ct.SGD(net, lr=5.0))
    assert "learning_rate_too_high" in codes(high)
    net = mlp(outputs=1)
    low = look(net, losses.mean_squared_error, x, x[:, :1], optimizer=ct.SGD(net, lr=1e-6))
    assert "learning_rate_too_low" in codes(low)


def test_a_network_that_gives_infinity():
    net = mlp()
    net[0].weight.data = net[0].weight.data * 1e38
    looked = look(net, CROSS_ENTROPY, *classes())
    assert "not_finite" in codes(looked)


@pytest.mark.slow
def test_the_command_looks_before_it_trains(tmp_path):
    def train(*options):
        out = str(tmp_path / f"run{len(options)}")
        return CliRunner().invoke(app, ["train", "--epochs", "30", "--out", out, *options])

    assert "Pre-flight: no problems found" in train().output
    assert "Pre-flight" not in train("--no-preflight").output
    assert json.loads(train("--no-preflight", "--json").output).get("preflight") is None
    out = train("--lr", "1e-6", "--optimizer", "sgd").output
    assert "learning rate too low" in out
