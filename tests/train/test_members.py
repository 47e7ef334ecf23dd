"""Networks that train together are those that train alone, on the rows that each has."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, TrainingError
from cutaway.nn.random import seeded
from cutaway.train import MembersProgram

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] + X[:, 2:3]).astype(np.float32)
LABELS = (Y[:, 0] > 0).astype(np.int32)
MSE = ct.losses.mean_squared_error
ENTROPY = ct.losses.sparse_categorical_cross_entropy_with_logits
FOLDS = ct.data.Folds.deal(Y[:, 0], 3, stratify=False)


def network(seed: int, outputs: int = 1):
    with seeded(seed):
        layers = ct.Linear(4, 8), ct.Tanh(), ct.BatchNorm(8), ct.Dropout(0.2)
        return ct.Sequential(*layers, ct.Linear(8, outputs))


def optimizer(net):
    schedule = ct.optim.Cosine(40)
    return ct.AdamW(net, lr=0.02, schedule=schedule, decays=lambda path, p: p.ndim > 1)


def together(count=3, *, loss=MSE, outputs=1, metrics=()):
    members = [network(k, outputs) for k in range(count)]
    program = MembersProgram(members, loss=loss, optimizer=optimizer, metrics=metrics)
    return ct.Trainer(program), program


def alone(k, *, loss=MSE, outputs=1):
    net = network(k, outputs)
    return ct.Trainer(net, loss=loss, optimizer=optimizer(net))


def expect_same(net, other):
    ours, theirs = net.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for path in ours:
        np.testing.assert_allclose(ours[path], theirs[path], rtol=1e-5, atol=1e-6, err_msg=path)


OPTIONS = {"epochs": 4, "batch_size": 32, "seed": 0, "progress": False}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_members_are_what_they_are_alone(accumulate):
    trainer, program = together()
    trainer.fit(X, Y, accumulate=accumulate, **OPTIONS)
    for k in (0, 2):
        single = alone(k)
        single.fit(X, Y, accumulate=accumulate, **OPTIONS)
        expect_same(program.member(k), single.net)


def test_each_member_trains_on_the_rows_of_its_own_and_is_scored_on_the_others():
    trainer, program = together(loss=ENTROPY, outputs=2, metrics=[ct.metrics.accuracy])
    held = FOLDS.held_out
    validation = (X, LABELS, held)
    history = trainer.fit(X, LABELS, weights=FOLDS.trained_on, validation=validation, **OPTIONS)
    losses, right = [], []
    for k in range(3):
        single = alone(k, loss=ENTROPY, outputs=2)
        single.fit(X, LABELS, weights=FOLDS.trained_on[:, k], **OPTIONS)
        expect_same(program.member(k), single.net)
        own = held[:, k] > 0
        losses.append(single.evaluate(X[own], LABELS[own])["loss"])
        right.append((single.predict(X[own]).argmax(axis=1) == LABELS[own]).sum())
    row = history.rows[-1]
    assert row["val_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert row["val_accuracy"] == pytest.approx(sum(right) / len(X), rel=1e-6)


def test_the_prediction_is_the_mean_and_so_is_the_ensemble_that_is_left():
    trainer, program = together()
    trainer.fit(X, Y, validation=(X[:50], Y[:50]), **OPTIONS)
    outputs = [program.member(k)(X).numpy() for k in range(3)]
    np.testing.assert_allclose(trainer.predict(X), np.mean(outputs, axis=0), atol=1e-6)
    net = program.ensemble()
    np.testing.assert_allclose(net(X).numpy(), np.mean(outputs, axis=0), atol=1e-6)
    error = np.mean((np.mean(outputs, axis=0)[:50] - Y[:50]) ** 2)
    assert trainer.history.rows[-1]["val_loss"] == pytest.approx(error, rel=1e-5)


def test_best_weights_come_back_and_a_resumed_training_has_the_same_bits(
    tmp_path,
):
    def fitted(epochs, *callbacks, **options):
        trainer, _ = together()
        given = OPTIONS | {"epochs": epochs}
        validation = (X, Y, FOLDS.held_out)
        trainer.fit(
            X, Y, weights=FOLDS.trained_on, validation=validation, callbacks=callbacks, **given
        )
        return trainer

    whole = fitted(6)
    kept = ct.train.Checkpoints(tmp_path / "kept", every_seconds=0, resume=True)
    fitted(3, kept)
    again = fitted(6, ct.train.Checkpoints(tmp_path / "kept", every_seconds=0, resume=True))
    for path, values in whole.program.snapshot().items():
        np.testing.assert_array_equal(values, again.program.snapshot()[path], err_msg=path)

    stopping = ct.train.EarlyStopping(patience=50)
    best = fitted(8, stopping)
    assert best.evaluate(X, Y, weights=FOLDS.held_out)["loss"] == pytest.approx(
        min(best.history["val_loss"]), rel=1e-6
    )


def test_the_chain_rule_of_an_opened_member_is_that_of_the_member():
    _, program = together()
    with program.opened(1):
        opened = program.gradients(X[:8], Y[:8])
    single = alone(1).program.gradients(X[:8], Y[:8])
    for path, gradient in single.items():
        np.testing.assert_allclose(opened[path].numpy(), gradient.numpy(), rtol=1e-5, atol=1e-7)


def test_probes_measure_the_first_member():
    found = []
    for trainer in (together()[0], alone(0)):
        probes = ct.Probes(X, Y)
        trainer.fit(X, Y, callbacks=[probes], **OPTIONS)
        found.append(probes.at(0))
    for ours, theirs in zip(*found, strict=True):
        assert ours["layer"] == theirs["layer"]
        assert ours["grad"] == pytest.approx(theirs["grad"], rel=1e-4)


def test_a_nan_names_the_member():
    members = [network(k) for k in range(3)]
    members[2][4].weight.data = members[2][4].weight.data * 1e30
    trainer = ct.Trainer(MembersProgram(members, loss=MSE, optimizer=optimizer))
    with pytest.raises(TrainingError, match="became infinite in epoch 1, step 1: of network 2, it"):
        trainer.fit(X, Y, **OPTIONS)


def test_members_of_other_layers_are_refused():
    wider = ct.Sequential(ct.Linear(4, 9), ct.Tanh(), ct.Linear(9, 1))
    plain = ct.Sequential(ct.Linear(4, 8), ct.Tanh(), ct.Linear(8, 1))
    with pytest.raises(OptionError, match=r"member 1 has \(4, 9\) at 0.weight, and member 0 has"):
        MembersProgram([plain, wider], loss=MSE)
    with pytest.raises(OptionError, match="no members"):
        MembersProgram([], loss=MSE)


def test_weights_for_another_number_of_members_are_refused():
    with pytest.raises(OptionError, match=r"each of the 3 members its own, \(rows, members\)"):
        together()[0].fit(X, Y, weights=np.ones((200, 2)), **OPTIONS)
