"""Symptoms of the pace of learning: found where they are, silent where it only looks like them."""

import functools
import importlib
import math

import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import losses, ops
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.reruns import RepeatedTrainer, RerunResult, Reruns
from cutaway.doctor.symptoms.adaptive_rate_decay import accumulator
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.models import LanguageModel, mlp
from cutaway.nn import (
    LSTM,
    BatchNorm,
    LastStep,
    LearnedPositions,
    Linear,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    TransformerEncoder,
)
from cutaway.optim import (
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    ClipNorm,
    Cosine,
    Momentum,
    OneCycle,
    Schedule,
    Warmup,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("compile_quickly"),
]  # minutes in all; `pytest -m slow` runs them

CODES = (
    "learning_rate_too_high",
    "learning_rate_too_low",
    "oscillation",
    "plateau",
    "saddle_point",
    "local_minimum",
    "adaptive_rate_decay",
    "optimizer_mismatch",
    "too_few_epochs",
    "underfitting",
)
mse = losses.mean_squared_error
bce = losses.binary_cross_entropy
classes = losses.sparse_categorical_cross_entropy_with_logits


def plan(net, optimizer, loss, rows, *, epochs=30, batch_size=32):
    trainer = ct.Trainer(net, loss=loss, optimizer=optimizer(net))
    return TrainingPlan.of(trainer, *rows, epochs=epochs, batch_size=batch_size)


# data


def ring():
    """Whether a point is far from the middle: no line tells it."""
    x = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    return x, ((x**2).sum(axis=1, keepdims=True) > 1.4).astype(np.float32)


def waves():
    """A smooth function of three numbers, without noise."""
    x = np.random.default_rng(0).uniform(-2, 2, size=(400, 3)).astype(np.float32)
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:]
    return x, (y / y.std()).astype(np.float32)


def blobs(noise):
    """Five classes; a share of the labels is drawn at random."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 400)
    x = (1.2 * rng.normal(size=(5, 8))[y] + rng.normal(size=(400, 8))).astype(np.float32)
    drawn = rng.random(400) < noise
    y[drawn] = rng.integers(0, 5, drawn.sum())
    return x, y


def signs():
    """Whether a series adds up to more than 0."""
    x = np.random.default_rng(0).normal(size=(300, 8, 2)).astype(np.float32)
    return x, (x[:, :, 0].sum(axis=1) > 0).astype(np.int32)


def scales():
    """Columns whose sizes differ by a thousand; each counts as much as the others."""
    rng = np.random.default_rng(0)
    size = np.array([30, 10, 1, 0.3, 0.1, 0.03])
    x = rng.normal(size=(400, 6)) * size
    y = (x / size).sum(axis=1, keepdims=True)
    return x.astype(np.float32), (y / y.std()).astype(np.float32)


def pairs():
    """Tokens of which each says much about the next."""
    rng = np.random.default_rng(0)
    chances = np.cumsum(rng.dirichlet(np.full(12, 0.1), size=12), axis=1)
    tokens = rng.integers(0, 12, size=(120, 9))
    for t in range(1, 9):
        tokens[:, t] = (
            (rng.random(120)[:, None] > chances[tokens[:, t - 1]]).sum(axis=1).clip(0, 11)
        )
    return tokens[:, :-1].astype(np.int32), tokens[:, 1:].astype(np.int32)


# programs with a fault


def of_ring(optimizer, *, width=32, **options):
    return plan(mlp((2, width, width, 1), output=Sigmoid), optimizer, bce, ring(), **options)


def of_waves(optimizer, *, sizes=(3, 32, 32, 1), **options):
    return plan(mlp(sizes, activation=Tanh), optimizer, mse, waves(), **options)


def diverging():
    return of_waves(lambda net: SGD(net, 5.0))


def leaping():
    return of_waves(lambda net: Momentum(net, 0.1, beta=0.99), batch_size=400, epochs=150)


def near_zero():
    """Four linear layers that start beside 0, where all derivatives up to the third are 0."""
    x = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    y = x @ np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32)
    net = Sequential(Linear(6, 6), Linear(6, 6), Linear(6, 6), Linear(6, 2))
    for p in net.parameters():
        p.data = p.data * 0.05
    return plan(net, lambda net: SGD(net, 0.02), mse, (x, y / y.std()))


def saturated():
    """A sigmoid output at the far end of its flat side."""
    x, y = waves()
    net = Sequential(Linear(3, 16), Tanh(), Linear(16, 1), Sigmoid())
    net[2].bias.data = net[2].bias.data - 12
    return plan(net, lambda net: SGD(net, 0.1), mse, (x, (y > 0).astype(np.float32)))


class Sine(Module):
    def forward(self, x):
        return ops.sin(x)


def wrong_frequency():
    """sin(w x) fitted to sin(x), from w = 6: a local minimum, as each side lobe has one."""
    x = np.random.default_rng(0).uniform(-3, 3, size=(200, 1)).astype(np.float32)
    net = Sequential(Linear(1, 1, bias=False), Sine())
    net[0].weight.data = jnp.full((1, 1), 6.0)
    return plan(net, lambda net: SGD(net, 0.02), mse, (x, np.sin(x)))


def few_units_of_language():
    net = LanguageModel(12, features=1, hidden_features=1, dropout=0.0)
    return plan(net, lambda net: Adam(net, 3e-2), classes, pairs(), batch_size=16)


FAULTS = {
    "learning_rate_too_high": [lambda: of_ring(lambda net: SGD(net, 20.0)), diverging],
    "learning_rate_too_low": [lambda: of_ring(lambda net: Adam(net, 1e-5))],
    "oscillation": [leaping],
    "plateau": [saturated],
    "saddle_point": [near_zero],
    "local_minimum": [wrong_frequency],
    "adaptive_rate_decay": [lambda: of_waves(lambda net: Adagrad(net, 1e-2), epochs=40)],
    "optimizer_mismatch": [
        lambda: plan(
            mlp((6, 16, 1), activation=Tanh), lambda net: SGD(net, 0.01), mse, scales(), epochs=60
        )
    ],
    "too_few_epochs": [lambda: of_waves(lambda net: Adam(net, 3e-3), epochs=2)],
    "underfitting": [
        lambda: of_waves(lambda net: Adam(net, 1e-2), sizes=(3, 1)),
        few_units_of_language,
    ],
}
# codes that a fault also looks like
RIVALS = {
    "learning_rate_too_low": ("saddle_point", "too_few_epochs"),
    "oscillation": ("learning_rate_too_high",),
    "local_minimum": ("underfitting",),
    "adaptive_rate_decay": ("learning_rate_too_low", "too_few_epochs"),
    "too_few_epochs": ("learning_rate_too_low",),
}
CASES = [(code, build) for code, builds in FAULTS.items() for build in builds]


def look(code, evidence):
    return importlib.import_module(f"cutaway.doctor.symptoms.{code}").look(evidence)


@pytest.mark.parametrize(("code", "build"), CASES, ids=[code for code, _ in CASES])
def test_a_fault_is_found_and_ranks_first(code, build):
    evidence = Evidence.gather(build())
    found = [look(name, evidence) for name in (code, *RIVALS.get(code, ()))]
    found = sorted((f for f in found if f), key=lambda finding: -finding.confidence)
    assert found[0].code == code
    assert all(math.isfinite(measure.value) for measure in found[0].evidence[1:])
    assert found[0].evidence and found[0].explanation and found[0].prescriptions


# healthy programs, among them those that look as if they were not


class Restarts(Schedule):
    """Cosine from 1 to 0 and back to 1, every 100 steps."""

    def __call__(self, t):
        return (1 + jnp.cos(jnp.pi * ((t - 1) % 100) / 100)) / 2


def batch_norm_at_a_large_rate():
    layers = [Linear(8, 32), BatchNorm(32), ReLU(), Linear(32, 32), BatchNorm(32), ReLU()]
    net = Sequential(*layers, Linear(32, 5))
    return plan(net, lambda net: SGD(net, 1.0), classes, blobs(0.1), batch_size=64)


def one_cycle():
    optimizer = functools.partial(Adam, lr=2e-2, schedule=OneCycle(20 * 13))
    return plan(mlp((8, 32, 5)), optimizer, classes, blobs(0.15), epochs=20)


def cosine_restarts():
    optimizer = functools.partial(SGD, lr=0.5, schedule=Restarts())
    return plan(mlp((8, 32, 5)), optimizer, classes, blobs(0.1), epochs=20)


class Mean(Module):
    def forward(self, x):
        return x.mean(axis=1)


def transformer_with_warm_up():
    encoder = TransformerEncoder(16, 2, num_layers=1)
    net = Sequential(Linear(2, 16), LearnedPositions(8, 16), encoder, Mean(), Linear(16, 2))
    optimizer = functools.partial(Adam, lr=3e-3, schedule=Warmup(40))
    return plan(net, optimizer, classes, signs(), epochs=20)


def lstm_that_is_clipped():
    net = Sequential(LSTM(2, 16), LastStep(), Linear(16, 2))
    return plan(net, lambda net: Adam(net, 1e-2, clip=ClipNorm(0.1)), classes, signs())


def narrow_autoencoder():
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(300, 6)) @ rng.normal(size=(6, 16)))
    x = (x + 0.2 * rng.normal(size=x.shape)).astype(np.float32)
    net = mlp((16, 24, 3, 24, 16), activation=Tanh)
    return plan(net, lambda net: Adam(net, 5e-3), mse, (x, x), epochs=40)


def stopped_before_it_learns_noise():
    net = mlp((8, 64, 64, 5))
    return plan(net, lambda net: Adam(net, 3e-3), classes, blobs(0.3), epochs=8)


def delayed_generalization():
    """Sums modulo 17: the rows that are seen are learned long before the others."""
    a, b = np.divmod(np.random.default_rng(0).permutation(289)[:200], 17)
    x = np.concatenate([np.eye(17)[a], np.eye(17)[b]], axis=1).astype(np.float32)
    net = mlp((34, 64, 17))
    optimizer = functools.partial(AdamW, lr=1e-2, weight_decay=0.1)
    return plan(net, optimizer, classes, (x, (a + b) % 17), epochs=60)


def language():
    net = LanguageModel(12, features=12, hidden_features=24, dropout=0.1)
    return plan(net, lambda net: Adam(net, 1e-2), classes, pairs(), batch_size=16, epochs=20)


HEALTHY = (
    batch_norm_at_a_large_rate,
    one_cycle,
    cosine_restarts,
    transformer_with_warm_up,
    lstm_that_is_clipped,
    narrow_autoencoder,
    stopped_before_it_learns_noise,
    delayed_generalization,
    language,
)


@pytest.mark.parametrize("build", HEALTHY, ids=lambda build: build.__name__)
def test_no_symptom_speaks_of_a_healthy_program(build):
    evidence = Evidence.gather(build())
    assert [code for code in CODES if look(code, evidence)] == []


RELATIVES = {
    "ring": lambda: of_ring(lambda net: Adam(net, 1e-2)),
    "waves": lambda: of_waves(lambda net: Adam(net, 1e-2), epochs=40),
    "adagrad": lambda: of_waves(lambda net: Adagrad(net, 0.1), epochs=40),
    "descent": lambda: of_waves(lambda net: SGD(net, 0.1), batch_size=400, epochs=300),
}


@pytest.mark.parametrize("name", RELATIVES)
def test_the_programs_without_the_fault_are_healthy(name):
    evidence = Evidence.gather(RELATIVES[name]())
    assert [code for code in CODES if look(code, evidence)] == []


# what the symptoms rest on


def of_loss(loss, validation=math.nan):
    return RerunResult(loss, validation, validation, np.array([loss]), np.array([validation]))


def test_gain_is_the_fraction_of_the_attainable_reduction_that_was_missed():
    reruns = Reruns(of_waves(lambda net: Adam(net, 1e-2)), chance=1.0)
    reruns.validation = None
    assert reruns.gain(of_loss(0.2), of_loss(0.6)) == pytest.approx(0.5)
    assert reruns.gain(of_loss(0.2), of_loss(0.2)) == 0
    assert reruns.gain(of_loss(0.3), of_loss(0.2)) == 0
    assert reruns.gain(of_loss(0.2), of_loss(math.inf)) == 1
    assert reruns.gain(of_loss(0.99), of_loss(5.0)) == 0  # has learned nothing itself
    reruns.validation = (None, None)
    assert reruns.gain(of_loss(0.1, 0.5), of_loss(0.9, 0.5)) == 0  # memorized


def test_a_lab_goes_back_bit_for_bit():
    repeated = RepeatedTrainer(of_waves(lambda net: Adam(net, 1e-2)).fresh())
    x, y = waves()
    found = []
    for _ in range(2):
        repeated.back()
        repeated.trainer.fit(x, y, epochs=2, seed=0, progress=False)
        found.append([p.numpy() for p in repeated.trainer.net.parameters()])
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_reruns_leave_the_program_as_it_was():
    own = of_waves(lambda net: Adam(net, 1e-2), epochs=2)
    before = [p.numpy() for p in own.program.net.parameters()]
    reruns = Reruns(own, chance=1.0)
    reruns.rate(10.0), reruns.restart(1), reruns.onward(epochs=1)
    for was, p in zip(before, own.program.net.parameters(), strict=True):
        np.testing.assert_array_equal(was, p.numpy())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_adagrad_gathers_squares_without_forgetting(name):
    net = Sequential(Linear(2, 1))
    found = accumulator(OPTIMIZERS[name](net, lr=0.1))
    assert found == (0 if name == "adagrad" else None)


def test_a_stretched_schedule_ends_so_many_times_later():
    schedule = Warmup(10, Cosine(100))
    schedule.stretch(4)
    assert float(schedule(jnp.asarray(440.0))) == pytest.approx(0.0, abs=1e-3)
    assert float(schedule(jnp.asarray(240.0))) == pytest.approx(0.5, abs=0.02)
    assert float(schedule(jnp.asarray(21.0))) == pytest.approx(0.55)  # halfway from 0.1 to 1
