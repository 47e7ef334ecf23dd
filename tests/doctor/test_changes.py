"""Changes: each does what its text says, to a copy."""

import functools

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor import changes
from cutaway.doctor.outputs import ending
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.errors import OptionError
from cutaway.losses import expects

X = np.random.default_rng(0).normal(3, 5, size=(60, 4)).astype(np.float32)
LABELS = (np.arange(60) % 10 == 0).astype(np.int32)


def plan(*layers, loss=None, y=None, optimizer=None, **options):
    net = ct.Sequential(*layers) if layers else net_of_three()
    loss = loss or ct.losses.sparse_categorical_cross_entropy_with_logits
    optimizer = ct.SGD(net, lr=0.1) if optimizer is None else optimizer(net)
    trainer = ct.Trainer(net, loss=loss, optimizer=optimizer)
    y = LABELS if y is None else y
    return TrainingPlan.of(trainer, X, y, epochs=2, batch_size=20, **options)


def net_of_three():
    return ct.Sequential(
        ct.Linear(4, 5), ct.Sigmoid(), ct.Linear(5, 6), ct.Sigmoid(), ct.Linear(6, 2)
    )


def kinds(plan):
    return [type(layer).__name__ for layer in plan.program.net]


ALL = [
    changes.LearningRate(0.1),
    changes.UseOptimizer("adam"),
    changes.UseOptimizer("sgd"),
    changes.ReplaceActivations("relu"),
    changes.ReplaceActivations("prelu", where="1"),
    changes.Reinitialize(),
    changes.ScaleInputs(),
    changes.Clip(1.0),
    changes.Epochs(2),
    changes.BatchSize(0.5),
    changes.ReplaceLoss("categorical_cross_entropy_with_logits"),
    changes.OutputActivation("softmax"),
    changes.Unfreeze(),
    changes.ClassWeights(),
    changes.SetDropout(0.2),
    changes.WeightDecay(0.01),
    changes.InsertLayerNorm(),
    changes.Patience(3),
]


@pytest.mark.parametrize("change", ALL, ids=repr)
def test_a_changed_program_trains_and_the_first_one_is_as_before(change):
    before = plan()
    weights = before.program.net.state_dict()
    after = before.changed(change)
    assert change.text
    if after.epochs == 2 and "Softmax" not in kinds(after):
        after.run()
    assert kinds(before) == ["Linear", "Sigmoid", "Linear", "Sigmoid", "Linear"]
    for path, value in before.program.net.state_dict().items():
        np.testing.assert_array_equal(value, weights[path])
    assert float(before.program.optimizer.lr) == pytest.approx(0.1)
    assert before.program.penalty is None
    assert before.program.optimizer.clip is None


def test_the_optimizer_of_a_changed_net_has_the_parameters_of_that_net():
    for change in ALL:
        trainer = plan().changed(change).program
        own = {id(p) for p in trainer.net.parameters()}
        assert {id(p) for p in trainer.optimizer.parameters} == own


def test_hidden_activations_are_replaced_and_the_output_is_not():
    sigmoid = plan(ct.Linear(4, 3), ct.Tanh(), ct.Linear(3, 1), ct.Sigmoid())
    assert kinds(sigmoid.changed(changes.ReplaceActivations("relu")))[1::2] == ["ReLU", "Sigmoid"]
    with_logits = sigmoid.changed(changes.OutputActivation(None))
    assert kinds(with_logits) == ["Linear", "Tanh", "Linear", "Identity"]
    first = plan().changed(changes.ReplaceActivations("relu", where="1"))
    assert kinds(first)[1::2] == ["ReLU", "Sigmoid"]


def test_a_net_without_activations_gets_them_between_its_layers():
    linear = plan(ct.Linear(4, 3), ct.Linear(3, 2))
    assert kinds(linear.changed(changes.ReplaceActivations("relu"))) == ["Linear", "ReLU", "Linear"]


def test_activations_deep_in_a_net_and_as_functions_are_replaced():
    block = ct.Residual(ct.Sequential(ct.Linear(4, 4), ct.Tanh()))
    deep = plan(block, ct.Linear(4, 2)).changed(changes.ReplaceActivations("relu"))
    assert type(deep.program.net[0].inner[1]).__name__ == "ReLU"

    class Own(ct.Module):
        def __init__(self):
            self.act = ct.Tanh()  # before the layers: only a run tells that it is hidden
            self.first, self.last = ct.Linear(4, 3), ct.Linear(3, 2)

        def forward(self, x):
            return self.last(self.act(self.first(x)))

    own = plan(Own()).changed(changes.ReplaceActivations("relu"))
    assert type(own.program.net[0].act).__name__ == "ReLU"

    x = np.zeros((6, 5, 3), np.float32)
    net = ct.Sequential(ct.RNN(3, 4), ct.LastStep(), ct.Linear(4, 1))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    recurrent = TrainingPlan.of(trainer, x, np.zeros(6)).changed(changes.ReplaceActivations("relu"))
    assert recurrent.program.net[0].activation is ct.ops.relu


def test_drawn_weights_have_he_variance_for_relu_and_are_the_same_each_time():
    wide = plan(ct.Linear(4, 100), ct.ReLU(), ct.Linear(100, 100), ct.ReLU(), ct.Linear(100, 2))
    for p in wide.program.net.parameters():
        p.data = p.data * 0 + 7
    a, b = (wide.changed(changes.Reinitialize()).program.net for _ in range(2))
    assert np.std(a[2].weight.numpy()) == pytest.approx(np.sqrt(2 / 100), rel=0.05)
    assert not a[2].bias.numpy().any()
    np.testing.assert_array_equal(a[2].weight.numpy(), b[2].weight.numpy())


def test_scaled_inputs_have_mean_0_and_validation_uses_the_same_numbers():
    scaled = plan(validation=(X + 1, LABELS)).changed(changes.ScaleInputs())
    np.testing.assert_allclose(scaled.x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.x.std(0), 1, atol=1e-5)
    np.testing.assert_allclose(scaled.validation[0] - scaled.x, 1 / X.std(0) + 0 * X, rtol=1e-3)


def test_scaled_targets_remember_the_way_back():
    y = 1000 + 50 * X[:, :1]
    p = plan(ct.Linear(4, 1), loss=ct.losses.mean_squared_error, y=y)
    mean, std = p.changed(changes.ScaleTargets()).target_scale[0]
    scaled = p.changed(changes.ScaleTargets())
    np.testing.assert_allclose(scaled.y * std + mean, y, rtol=1e-5)
    with pytest.raises(OptionError, match="targets are classes"):
        plan().changed(changes.ScaleTargets())


def test_replacing_a_loss_brings_the_targets_to_its_form():
    one_hot = plan().changed(changes.ReplaceLoss("categorical_cross_entropy_with_logits"))
    np.testing.assert_array_equal(one_hot.y, np.eye(2)[LABELS])
    back = one_hot.changed(changes.ReplaceLoss("sparse_categorical_cross_entropy_with_logits"))
    np.testing.assert_array_equal(back.y, LABELS)
    binary = plan(ct.Linear(4, 1), loss=ct.losses.mean_squared_error, y=LABELS.reshape(-1, 1))
    logits = binary.changed(changes.ReplaceLoss("binary_cross_entropy_with_logits"))
    assert logits.y.shape == (60, 1)


def test_class_weights_make_the_classes_equally_heavy():
    loss = plan().changed(changes.ClassWeights()).program.loss
    assert isinstance(loss, functools.partial)
    assert expects(loss).target == "labels"
    w0, w1 = loss.keywords["class_weights"]
    assert w0 * 54 == pytest.approx(w1 * 6, rel=1e-4)


def test_adam_with_decay_is_adamw_and_no_decay_takes_the_penalty_away():
    adam = plan(optimizer=lambda net: ct.Adam(net, 0.02))
    decayed = adam.changed(changes.WeightDecay(0.1)).program.optimizer
    assert type(decayed).__name__ == "AdamW"
    assert (float(decayed.lr), decayed.weight_decay) == (pytest.approx(0.02), 0.1)
    ada = plan(optimizer=ct.Adagrad).changed(changes.WeightDecay(0.1))
    net = ada.program.net
    half = 0.05 * sum(float((p.numpy() ** 2).sum()) for p in net.parameters())
    assert float(ada.program.penalty(net).item()) == pytest.approx(half, rel=1e-5)
    assert ada.changed(changes.WeightDecay(0)).program.penalty is None


def test_dropout_is_set_where_it_is_and_put_in_where_none_is():
    put = plan().changed(changes.SetDropout(0.3))
    assert kinds(put) == ["Linear", "Sigmoid", "Dropout"] * 2 + ["Linear"]
    assert put.changed(changes.SetDropout(0)).program.net[2].p == 0


def test_norms_stand_between_layer_and_activation():
    names = kinds(plan().changed(changes.InsertLayerNorm()))
    assert names == ["Linear", "LayerNorm", "Sigmoid"] * 2 + ["Linear"]


def test_what_a_group_said_of_a_parameter_holds_for_the_changed_net():
    p = plan(optimizer=lambda net: ct.SGD(net, 0.1, groups={"0": 0.5}))
    optimizer = p.changed(changes.InsertLayerNorm()).program.optimizer
    assert set(optimizer._each.factors) == {0, 1}


def test_frozen_parameters_are_trained_after_unfreezing():
    p = plan(optimizer=lambda net: ct.SGD(net.parameters()[:2], 0.1))
    p.program.net[2].freeze()
    trainer = p.changed(changes.Unfreeze()).program
    assert len(trainer.optimizer.parameters) == 6
    assert all(q.requires_grad for q in trainer.net.parameters())


def test_a_change_that_does_not_fit_says_so():
    with pytest.raises(OptionError, match="no dropout"):
        plan(ct.Linear(4, 2)).changed(changes.SetDropout(0))
    with pytest.raises(OptionError, match="class weights"):
        plan(ct.Linear(4, 1), loss=ct.losses.huber, y=X[:, :1]).changed(changes.ClassWeights())


def test_a_single_output_becomes_one_for_each_class():
    labels = (np.arange(60) % 3).astype(np.float32)[:, None]
    before = plan(ct.Linear(4, 5), ct.ReLU(), ct.Linear(5, 1),
                     y=labels, loss=ct.losses.mean_squared_error)  # fmt: skip
    after = before.changed(changes.ReplaceLoss("sparse_categorical_cross_entropy_with_logits"))
    assert after.program.net(X[:2]).shape == (2, 3) and after.y.tolist() == labels[:, 0].tolist()
    assert after.run().predict(X).shape == (60, 3)
    assert before.program.net(X[:2]).shape == (2, 1)


class Squash(ct.Module):
    def forward(self, z):
        return ct.ops.softmax(z)[:]


def test_a_function_at_the_end_is_seen_and_left_out():
    before = plan(ct.Linear(4, 2), Squash())
    assert ending(before.program, X).activation == "Softmax"
    after = before.changed(changes.OutputActivation(None))
    assert kinds(after) == ["Linear", "Identity"]
    assert ending(after.program, X).activation == ""


def test_batch_norms_follow_faster_and_those_that_do_stay():
    before = plan(ct.BatchNorm(4, momentum=1e-4), ct.Linear(4, 2), ct.BatchNorm(2, momentum=0.5))
    after = before.changed(changes.MinimumNormMomentum())
    assert [after.program.net[k].momentum for k in (0, 2)] == [0.1, 0.5]
    with pytest.raises(OptionError, match=r"no batch norm with a momentum below 0\.1"):
        after.changed(changes.MinimumNormMomentum())


def test_hidden_layers_are_widened_and_the_outputs_stay():
    after = plan().changed(changes.Widen(8))
    shapes = [layer.weight.shape for layer in after.program.net if isinstance(layer, ct.Linear)]
    assert shapes == [(4, 8), (8, 8), (8, 2)]
    assert after.run().predict(X).shape == (60, 2)
    with pytest.raises(OptionError, match="no hidden dense layer with fewer than 8 units"):
        after.changed(changes.Widen(8))
    with pytest.raises(OptionError, match="no hidden dense layer with fewer than"):
        plan(ct.Linear(4, 4), ct.LayerNorm(4), ct.Linear(4, 2)).changed(changes.Widen(8))


def test_the_penalty_is_left_out():
    net = ct.Sequential(ct.Linear(4, 2))
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    trainer = ct.Trainer(net, loss=loss, penalty=lambda net: (net[0].weight ** 2).sum())
    before = TrainingPlan.of(trainer, X, LABELS, epochs=2, batch_size=20)
    assert before.changed(changes.NoPenalty()).program.penalty is None
    assert before.program.penalty is not None
    with pytest.raises(OptionError, match="no penalty"):
        plan().changed(changes.NoPenalty())
