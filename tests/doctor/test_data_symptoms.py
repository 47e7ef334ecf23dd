"""Symptoms of data, loss and regularization: found where they are, silent on healthy relatives."""

import functools

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.symptoms import (
    batch_leak,
    class_imbalance,
    data_shift,
    over_regularized,
    overfitting,
    shuffled_labels,
    train_eval_mismatch,
    unscaled_inputs,
    unscaled_targets,
    wrong_loss,
    wrong_output_activation,
)
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.train import Trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("compile_quickly"),
]  # minutes in all; `pytest -m slow` runs them

CROSS_ENTROPY = losses.sparse_categorical_cross_entropy_with_logits
ALL = (
    batch_leak,
    class_imbalance,
    data_shift,
    over_regularized,
    overfitting,
    shuffled_labels,
    train_eval_mismatch,
    unscaled_inputs,
    unscaled_targets,
    wrong_loss,
    wrong_output_activation,
)


def rows(n=240, features=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, features)).astype(np.float32)


def blobs(n=240, classes=3, seed=0, noise=0.6):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centers = 1.5 * np.eye(classes, 6)
    x = (centers[y] + noise * rng.normal(size=(n, 6))).astype(np.float32)
    return (x - x.mean(0)) / x.std(0), y.astype(np.int32)


def quantity(n=240, seed=0):
    x = rows(n, seed=seed)
    return x, (x[:, :1] - 0.5 * x[:, 1:2] * x[:, 2:3]).astype(np.float32)


def evidence(net, loss, x, y, *, lr=0.01, epochs=30, optimizer=ct.Adam, **options):
    trainer_options = {k: options.pop(k) for k in ("penalty",) if k in options}
    trainer = Trainer(net, loss=loss, optimizer=optimizer(net, lr=lr), **trainer_options)
    return Evidence.gather(TrainingPlan.of(trainer, x, y, epochs=epochs, **options))


def mlp(inputs, outputs, *after, hidden=16, between=()):
    return ct.Sequential(
        ct.Linear(inputs, hidden), ct.ReLU(), *between, ct.Linear(hidden, outputs), *after
    )


def found_in(symptom, seen):
    finding = symptom.look(seen)
    assert finding is not None
    assert finding.code == symptom.__name__.rsplit(".", 1)[-1]
    assert finding.evidence
    assert finding.prescriptions
    assert 0 < finding.confidence <= 1
    assert finding.text()
    return finding


def codes(seen):
    found = [symptom.look(seen) for symptom in ALL]
    return [finding.code for finding in found if finding is not None]


def healthy_regression():
    x, y = quantity()
    return evidence(mlp(6, 1), losses.mean_squared_error, x, y)


def healthy_classes():
    x, y = blobs()
    return evidence(mlp(6, 3), CROSS_ENTROPY, x, y, validation=blobs(seed=1))


def trained_to_the_end():
    x, y = blobs(noise=0.2)
    held = blobs(noise=0.2, seed=1)
    return evidence(mlp(6, 3), CROSS_ENTROPY, x, y, epochs=80, validation=held)


def zero_initialized_logistic_regression():
    x, y = blobs(classes=2)
    net = ct.Sequential(ct.Linear(6, 1), ct.Sigmoid())
    net[0].weight.data = 0 * net[0].weight.data
    return evidence(net, losses.binary_cross_entropy, x, y, lr=0.05)


def standardized_inputs_with_tails():
    rng = np.random.default_rng(1)
    x = np.clip(rng.standard_t(3, size=(240, 6)) / 1.5, -6, 6).astype(np.float32)
    return evidence(mlp(6, 1), losses.mean_squared_error, x, x[:, :1] - x[:, 1:2])


def frozen_backbone():
    x, y = blobs()
    net = mlp(6, 3)
    net[0].freeze()
    return evidence(net, CROSS_ENTROPY, x, y, lr=0.03)


def heavy_dropout():
    x, y = blobs()
    return evidence(mlp(6, 3, hidden=64, between=[ct.Dropout(0.6)]), CROSS_ENTROPY, x, y)


def label_noise_stopped_early():
    x, y = blobs()
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(y)) < 0.3, rng.integers(0, 3, len(y)), y).astype(np.int32)
    return evidence(mlp(6, 3), CROSS_ENTROPY, x, noisy, epochs=8)


def rare_class(n=1000, share=20):
    x, y = blobs(n, classes=2, noise=1.3, seed=2)
    keep = np.concatenate(
        [np.flatnonzero(y == 0), np.flatnonzero(y == 1)[: (y == 0).sum() // share]]
    )
    return x[keep], y[keep]


def imbalance_with_weights():
    x, y = rare_class()
    weighted = functools.partial(losses.binary_cross_entropy_with_logits, class_weights=(1.0, 20.0))
    return evidence(mlp(6, 1), weighted, x, y, epochs=15)


def autoencoder():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(240, 2)) @ rng.normal(size=(2, 6)) + 0.3 * rows()).astype(np.float32)
    net = ct.Sequential(ct.Linear(6, 2), ct.Linear(2, 6))
    return evidence(net, losses.mean_squared_error, x / x.std(0), x / x.std(0))


def batch_norm():
    x, y = blobs()
    return evidence(mlp(6, 3, between=[ct.BatchNorm(16)]), CROSS_ENTROPY, x, y)


def words():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, (240, 5)).astype(np.int32)
    net = ct.Sequential(ct.Embedding(20, 4), ct.Flatten(), ct.Linear(20, 2))
    return evidence(net, CROSS_ENTROPY, x, (x[:, 0] > 9).astype(np.int32))


HEALTHY = (
    healthy_regression,
    healthy_classes,
    trained_to_the_end,
    zero_initialized_logistic_regression,
    standardized_inputs_with_tails,
    frozen_backbone,
    heavy_dropout,
    label_noise_stopped_early,
    imbalance_with_weights,
    autoencoder,
    batch_norm,
    words,
)


@pytest.mark.parametrize("plan", HEALTHY, ids=lambda f: f.__name__)
def test_healthy_programs_have_none_of_these_symptoms(plan):
    assert codes(plan()) == []


# the loss and the output layer


def test_softmax_before_a_loss_that_has_its_own_softmax():
    x, y = blobs()
    seen = evidence(mlp(6, 3, ct.Softmax()), lambda p, t: CROSS_ENTROPY(p, t), x, y)
    finding = found_in(wrong_output_activation, seen)
    lowest = next(m.value for m in finding.evidence if m.what.startswith("lowest"))
    assert lowest == pytest.approx(np.log(np.e + 2) - 1, rel=1e-3)  # z is one-hot at best


def test_relu_before_targets_of_both_signs():
    x, y = quantity()
    seen = evidence(mlp(6, 1, ct.ReLU()), losses.mean_squared_error, x, y)
    found_in(wrong_output_activation, seen)


def test_sigmoid_before_targets_beyond_1():
    x, y = quantity()
    seen = evidence(mlp(6, 1, ct.Sigmoid()), losses.mean_squared_error, x, 3 * y)
    found_in(wrong_output_activation, seen)


def test_softmax_before_several_labels_a_row():
    x = rows()
    y = (x[:, :4] > 0).astype(np.float32)
    seen = evidence(mlp(6, 4, ct.Softmax()), losses.binary_cross_entropy, x, y)
    found_in(wrong_output_activation, seen)


def test_sigmoid_before_a_loss_for_exclusive_classes():
    x, y = blobs()
    seen = evidence(mlp(6, 3, ct.Sigmoid()), losses.sparse_categorical_cross_entropy, x, y)
    found_in(wrong_output_activation, seen)


def test_tanh_before_a_loss_on_probabilities():
    x, y = blobs(classes=2)
    seen = evidence(mlp(6, 1, ct.Tanh()), losses.binary_cross_entropy, x, y)
    found_in(wrong_output_activation, seen)


def test_sigmoid_for_targets_in_0_to_1_and_relu_for_counts_are_right():
    x, y = quantity()
    shares = 1 / (1 + np.exp(-y))
    seen = evidence(mlp(6, 1, ct.Sigmoid()), losses.mean_squared_error, x, shares)
    assert wrong_output_activation.look(seen) is None
    counts = np.abs(y).round()
    seen = evidence(mlp(6, 1, ct.Softplus()), losses.mean_squared_error, x, counts)
    assert wrong_output_activation.look(seen) is None


def test_a_loss_that_sets_every_row_against_every_other():
    x, y = quantity()
    seen = evidence(mlp(6, 1), lambda p, t: ((p - t.reshape(-1)) ** 2).mean(), x, y)
    found_in(wrong_loss, seen)


def test_a_users_own_squared_error_is_right():
    x, y = quantity()
    seen = evidence(mlp(6, 1), lambda p, t: ((p - t) ** 2).mean(), x, y)
    assert wrong_loss.look(seen) is None
    assert wrong_output_activation.look(seen) is None


def test_squared_error_over_numbers_of_classes():
    x, y = blobs(classes=5, noise=0.3)
    y = np.array([3, 0, 4, 1, 2])[y][:, None].astype(np.float32)
    seen = evidence(mlp(6, 1), losses.mean_squared_error, x, y, epochs=10)
    found_in(wrong_loss, seen)


def test_squares_over_a_few_wild_targets():
    x, y = quantity(600)
    rng = np.random.default_rng(5)
    wild = rng.random(len(y)) < 0.05
    y = y + np.float32(30) * rng.normal(size=y.shape).astype(np.float32) * wild[:, None]
    seen = evidence(mlp(6, 1), losses.mean_squared_error, x, y)
    found_in(wrong_loss, seen)
    assert shuffled_labels.look(seen) is None
    tails = np.random.default_rng(6).standard_t(3, size=y.shape).astype(np.float32)
    seen = evidence(mlp(6, 1), losses.mean_squared_error, x, quantity(600)[1] + 0.1 * tails)
    assert wrong_loss.look(seen) is None


def test_a_softmax_that_a_module_calls_is_seen():
    class Squash(ct.Module):
        def forward(self, z):
            return ct.ops.softmax(z)

    x, y = blobs()
    net = ct.Sequential(*mlp(6, 3).layers(), Squash())
    found_in(wrong_output_activation, evidence(net, CROSS_ENTROPY, x, y))


def test_categorical_loss_over_labels_that_do_not_exclude_each_other():
    x = rows()
    y = (x[:, :4] > 0).astype(np.float32)
    seen = evidence(mlp(6, 4), losses.categorical_cross_entropy_with_logits, x, y)
    found_in(wrong_loss, seen)


def test_squared_error_over_one_hot_rows_that_is_learned_well_is_left_alone():
    x, y = blobs(noise=0.3)
    seen = evidence(mlp(6, 3, ct.Softmax()), losses.mean_squared_error, x, np.eye(3)[y])
    assert wrong_loss.look(seen) is None


# scales


def test_inputs_of_thousands():
    x, y = quantity()
    seen = evidence(mlp(6, 1), losses.mean_squared_error, 3000 * x + 5000, y, lr=1e-3, epochs=15)
    found_in(unscaled_inputs, seen)


def test_one_input_a_thousand_times_as_large_as_the_others():
    x, y = quantity()
    x = x * np.array([1, 1, 1, 1, 1, 1000], np.float32)
    seen = evidence(mlp(6, 1), losses.mean_squared_error, x, y, lr=1e-3, epochs=15)
    found_in(unscaled_inputs, seen)


def test_inputs_that_the_network_scales_itself_are_scaled():
    x, y = quantity()
    x = 3000 * x + 5000
    net = ct.Sequential(ct.Standardize(x.mean(0), x.std(0)), *mlp(6, 1))
    assert unscaled_inputs.look(evidence(net, losses.mean_squared_error, x, y)) is None


def test_targets_of_thousands():
    x, y = quantity()
    seen = evidence(mlp(6, 1), losses.mean_squared_error, x, 300 * y + 4000, lr=1e-3)
    found_in(unscaled_targets, seen)


# the rows


def test_one_row_in_twenty_without_weights():
    x, y = rare_class()
    loss = losses.binary_cross_entropy_with_logits
    seen = evidence(mlp(6, 1), loss, x, y, lr=3e-3, epochs=10)
    assert found_in(class_imbalance, seen).where.startswith("class 1")


def test_labels_that_were_shuffled():
    x, y = blobs()
    y = np.random.default_rng(3).permutation(y)
    seen = evidence(mlp(6, 3, hidden=64), CROSS_ENTROPY, x, y)
    found_in(shuffled_labels, seen)


def test_labels_far_from_a_line_are_not_taken_for_shuffled():
    x = rows(features=2)
    y = ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(np.int32)
    seen = evidence(mlp(2, 2), CROSS_ENTROPY, x, y)
    assert shuffled_labels.look(seen) is None


def test_a_large_network_on_few_noisy_rows():
    x, y = blobs(60, noise=2.5)
    held = blobs(200, noise=2.5, seed=1)
    for validation in (held, None):
        seen = evidence(
            mlp(6, 3, hidden=128), CROSS_ENTROPY, x, y, epochs=150, validation=validation
        )
        found_in(overfitting, seen)


def test_validation_rows_that_were_scaled_otherwise():
    x, y = blobs()
    x_held, y_held = blobs(80, seed=1)
    seen = evidence(mlp(6, 3), CROSS_ENTROPY, x, y, validation=(2 * x_held + 2, y_held))
    found_in(data_shift, seen)


def test_validation_rows_of_other_classes():
    x, y = blobs()
    one = y != 2
    seen = evidence(mlp(6, 3), CROSS_ENTROPY, x[one], y[one], validation=(x[~one], y[~one]))
    found_in(data_shift, seen)


# regularization and modes


def test_decay_that_pulls_all_weights_to_zero():
    x, y = blobs()
    strong = functools.partial(ct.AdamW, weight_decay=30.0)
    seen = evidence(mlp(6, 3), CROSS_ENTROPY, x, y, optimizer=strong)
    assert "weight decay 30" in found_in(over_regularized, seen).where


def test_dropout_that_leaves_nearly_nothing():
    x, y = blobs()
    net = mlp(6, 3, between=[ct.Dropout(0.97)])
    assert "dropout" in found_in(over_regularized, evidence(net, CROSS_ENTROPY, x, y)).where


def test_running_averages_that_never_arrive():
    x, y = blobs()
    net = ct.Sequential(ct.BatchNorm(6, momentum=1e-4), *mlp(6, 3))
    seen = evidence(net, CROSS_ENTROPY, 10 * x + 40, y)
    assert "BatchNorm" in found_in(train_eval_mismatch, seen).where


class MixesRows(ct.Module):
    def forward(self, x):
        return x - x.mean(axis=0)


@pytest.mark.parametrize("where", [0, 1])
def test_a_layer_that_takes_the_mean_over_the_batch(where):
    x, y = blobs()
    layers = list(mlp(6, 3))
    layers.insert(where, MixesRows())
    seen = evidence(ct.Sequential(*layers), CROSS_ENTROPY, x, y, epochs=3)
    assert found_in(batch_leak, seen).where == f"layer {where} (MixesRows)"
