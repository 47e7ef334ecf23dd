"""Programs: steps as one writes them by hand, examples as trees, terms, objectives, weights."""

import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.errors import OptionError, ShapeError
from cutaway.train import Checkpoints, Probes, Program

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype(np.float32)
Y = X @ RNG.normal(size=(4, 1)).astype(np.float32)
LABELS = (Y[:, 0] > 0).astype(np.int32)


class Both(ct.Module):
    """Two inputs, two outputs: classes and a number."""

    def __init__(self):
        self.left, self.right = ct.Linear(2, 8), ct.Linear(2, 8)
        self.classes, self.number = ct.Linear(8, 2), ct.Linear(8, 1)

    def forward(self, a, b):
        hidden = (self.left(a) + self.right(b)).relu()
        return {"class": self.classes(hidden), "number": self.number(hidden)}


def both_losses(prediction, target):
    return {
        "class": losses.sparse_categorical_cross_entropy_with_logits(
            prediction["class"], target["class"]
        ),
        "number": losses.mean_squared_error(prediction["number"], target["number"]),
    }


def both(**options):
    ct.seed(0)
    net = Both()
    return ct.Trainer(net, loss=both_losses, optimizer=ct.Adam(net, 1e-2), **options)


TARGETS = {"class": LABELS, "number": Y}
PAIR = (X[:, :2], X[:, 2:])


def mlp():
    ct.seed(0)
    return ct.models.mlp((4, 8, 1))


def test_a_step_is_the_one_written_by_hand():
    net, same = mlp(), mlp()
    program = Program(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, 1e-2))
    optimizer = ct.Adam(same, 1e-2)
    for _ in range(5):
        found = program.step(X, Y)
        loss = losses.mean_squared_error(same(X), Y)
        loss.backward()
        optimizer.step()
        assert found["loss"].item() == loss.item()
    for path, value in same.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[path], value)


def test_a_trainer_runs_a_program_as_it_runs_its_parts():
    fits = []
    for given in ("parts", "program"):
        net = mlp()
        parts = {"loss": losses.mean_squared_error, "optimizer": ct.SGD(net, 0.05)}
        trainer = (
            ct.Trainer(net, **parts) if given == "parts" else ct.Trainer(Program(net, **parts))
        )
        fits.append(trainer.fit(X, Y, epochs=3, batch_size=16, seed=0, progress=False))
    assert fits[0]["loss"] == fits[1]["loss"]


def test_a_snapshot_can_be_gone_back_to():
    net = mlp()
    program = Program(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, 1e-2))
    program.step(X, Y)
    state = program.snapshot()
    first = [program.step(X, Y)["loss"].item() for _ in range(3)]
    program.restore(state)
    assert [program.step(X, Y)["loss"].item() for _ in range(3)] == first


def test_copies_share_nothing_and_fresh_ones_have_other_weights():
    net = mlp()
    program = Program(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, 1e-2))
    start = program.snapshot()
    copied, other = program.copied(), program.fresh(1)
    copied.step(X, Y)
    np.testing.assert_array_equal(start["net.0.weight"], program.snapshot()["net.0.weight"])
    assert copied.optimizer.parameters[0] is copied.net.parameters()[0]
    mixed = other.snapshot()["net.0.weight"]
    assert (mixed != start["net.0.weight"]).any()
    np.testing.assert_array_equal(np.sort(mixed.ravel()), np.sort(start["net.0.weight"].ravel()))


@pytest.mark.parametrize("given", [{}, {"loss": losses.mean_squared_error, "objective": print}])
def test_a_program_needs_a_loss_or_an_objective(given):
    with pytest.raises(OptionError, match=r"neither a loss nor an objective|both"):
        Program(mlp(), **given)


def test_several_inputs_and_outputs_are_trained_as_by_hand():
    trainer = both()
    trainer.fit(PAIR, TARGETS, epochs=3, batch_size=64, seed=0, progress=False)
    ct.seed(0)
    net = Both()
    optimizer = ct.Adam(net, 1e-2)
    by_hand = []
    for _ in range(3):
        found = both_losses(net(*PAIR), TARGETS)
        loss = found["class"] + found["number"]
        loss.backward()
        optimizer.step()
        by_hand.append((loss.item(), found["class"].item(), found["number"].item()))
    history = trainer.history
    columns = zip(history["loss"], history["loss_class"], history["loss_number"], strict=True)
    np.testing.assert_allclose(list(columns), by_hand, rtol=2e-6)
    for path, value in net.state_dict().items():
        np.testing.assert_allclose(trainer.net.state_dict()[path], value, rtol=1e-4, atol=1e-6)


def test_a_dict_of_inputs_gives_the_same_as_a_tuple():
    rows = []
    for x in (PAIR, {"b": PAIR[1], "a": PAIR[0]}):
        trainer = both()
        trainer.fit(x, TARGETS, epochs=2, batch_size=16, seed=0, progress=False)
        rows.append((trainer.history["loss"], trainer.predict(x)["number"]))
    assert rows[0][0] == rows[1][0]
    np.testing.assert_array_equal(rows[0][1], rows[1][1])


def test_trees_are_validated_evaluated_and_predicted_row_by_row():
    def right(prediction, target):
        return (prediction["class"].argmax(axis=-1) == target["class"]).mean()

    trainer = both(metrics=[right])
    history = trainer.fit(
        PAIR, TARGETS, epochs=4, batch_size=16, validation=0.25, seed=0, progress=False
    )
    assert history.columns == [
        *("epoch", "loss", "loss_class", "loss_number", "lr", "val_loss", "val_loss_class"),
        *("val_loss_number", "val_right", "seconds"),
    ]
    outputs = trainer.predict(PAIR, batch_size=7)
    with ct.nn.in_mode(trainer.net, False):
        plain = trainer.net(*PAIR)
    for name in ("class", "number"):
        np.testing.assert_allclose(outputs[name], plain[name].numpy(), rtol=1e-5, atol=1e-6)
    scores = trainer.evaluate(PAIR, TARGETS)
    expected = {name: loss.item() for name, loss in both_losses(plain, TARGETS).items()}
    assert scores["loss_class"] == pytest.approx(expected["class"], rel=1e-5)
    assert scores["loss"] == pytest.approx(sum(expected.values()), rel=1e-5)
    assert scores["right"] == (outputs["class"].argmax(axis=1) == LABELS).mean()


def test_a_training_on_trees_resumes_with_the_same_bits_and_is_probed(tmp_path):
    probes = Probes(PAIR, TARGETS)
    whole = both()
    whole.fit(PAIR, TARGETS, epochs=6, batch_size=16, seed=0, progress=False, callbacks=[probes])
    for epochs in (2, 6):
        parts = both()
        kept = Checkpoints(tmp_path, resume=epochs == 6)
        parts.fit(
            PAIR, TARGETS, epochs=epochs, batch_size=16, seed=0, progress=False, callbacks=[kept]
        )
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(parts.net.state_dict()[path], value)
    assert {row["layer"] for row in probes.rows} >= {"left", "right", "classes", "number"}


def test_a_nan_in_one_of_several_inputs_is_refused_by_its_name():
    bad = X[:, 2:].copy()
    bad[5, 1] = np.nan
    with pytest.raises(ct.errors.DataError, match=r"x\[1\] contains NaN or infinity in 1 of 64"):
        both().fit((X[:, :2], bad), TARGETS, epochs=1, progress=False)
    with pytest.raises(ShapeError, match=r"x\[0\] has 64 rows, y\['class'\] has 63"):
        both().fit(PAIR, {"class": LABELS[:63], "number": Y}, epochs=1, progress=False)


def test_an_objective_gets_the_targets_and_its_terms_are_columns():
    def objective(net, x, y):
        prediction = net(x)
        return {
            "fit": losses.mean_squared_error(prediction, y),
            "small": 0.1 * (prediction * prediction).mean(),
        }

    def loss(prediction, y):
        return losses.mean_squared_error(prediction, y) + 0.1 * (prediction * prediction).mean()

    fits = {}
    for name, given in (("objective", {"objective": objective}), ("loss", {"loss": loss})):
        net = mlp()
        trainer = ct.Trainer(net, optimizer=ct.SGD(net, 0.05), **given)
        fits[name] = trainer.fit(
            X, Y, epochs=3, batch_size=16, validation=(X[:50], Y[:50]), seed=0, progress=False
        )
    for column in ("loss", "val_loss"):
        np.testing.assert_allclose(fits["objective"][column], fits["loss"][column], rtol=2e-6)
    total = np.add(fits["objective"]["loss_fit"], fits["objective"]["loss_small"])
    np.testing.assert_allclose(total, fits["objective"]["loss"], rtol=1e-6)
    total = np.add(fits["objective"]["val_loss_fit"], fits["objective"]["val_loss_small"])
    np.testing.assert_allclose(total, fits["objective"]["val_loss"], rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "outputs", "y"),
    [
        (losses.mean_squared_error, 1, Y),
        (losses.binary_cross_entropy_with_logits, 1, LABELS[:, None].astype(np.float32)),
        (losses.sparse_categorical_cross_entropy_with_logits, 2, LABELS),
    ],
)
def test_a_weight_of_two_is_a_row_twice_and_of_zero_none(loss, outputs, y):
    counts = RNG.integers(0, 3, len(X))
    repeated = np.repeat(np.arange(len(X)), counts)
    fits = []
    for rows, weights in ((np.arange(len(X)), counts), (repeated, None)):
        ct.seed(0)
        net = ct.models.mlp((4, 8, outputs))
        trainer = ct.Trainer(net, loss=loss, optimizer=ct.SGD(net, 0.1))
        trainer.fit(
            X[rows], y[rows], weights=weights, epochs=5, batch_size=len(rows), seed=0,
            progress=False,
        )  # fmt: skip
        fits.append(trainer)
    np.testing.assert_allclose(fits[0].history["loss"], fits[1].history["loss"], rtol=1e-5)
    for path, value in fits[1].net.state_dict().items():
        np.testing.assert_allclose(fits[0].net.state_dict()[path], value, rtol=1e-4, atol=1e-6)


def test_a_loss_of_the_users_own_is_weighted_by_its_rows():
    def squared(prediction, target, *, reduction="mean"):
        each = (prediction - target) ** 2
        return each if reduction == "none" else each.mean()

    weights, fits = RNG.uniform(0, 2, len(X)), []
    for loss in (squared, losses.mean_squared_error):
        net = mlp()
        trainer = ct.Trainer(net, loss=loss, optimizer=ct.SGD(net, 0.1))
        fits.append(
            trainer.fit(
                X, Y, weights=weights, validation=0.25, epochs=3, batch_size=16, seed=0,
                progress=False,
            )
        )  # fmt: skip
    np.testing.assert_allclose(fits[0]["loss"], fits[1]["loss"], rtol=1e-5)
    np.testing.assert_allclose(fits[0]["val_loss"], fits[1]["val_loss"], rtol=1e-5)


def test_a_batch_whose_weights_are_all_zero_moves_nothing():
    net = mlp()
    start = net.state_dict()
    weights = np.zeros(len(X))
    weights[0] = 1.0
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, 0.1))
    history = trainer.fit(X, Y, weights=weights, epochs=1, batch_size=1, seed=0, progress=False)
    assert np.isfinite(history["loss"][0])
    one = mlp()
    optimizer = ct.SGD(one, 0.1)
    losses.mean_squared_error(one(X[:1]), Y[:1]).backward()
    optimizer.step()
    for path, value in one.state_dict().items():
        assert (value != start[path]).any()
        np.testing.assert_allclose(net.state_dict()[path], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"weights of shape \(3,\)"),
        (-np.ones(64), "from -1 to -1"),
        (np.zeros(64), "all weights are 0"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    trainer = ct.Trainer(mlp(), loss=losses.mean_squared_error)
    with pytest.raises(OptionError, match=message):
        trainer.fit(X, Y, weights=weights, epochs=1, progress=False)


def test_a_program_goes_on_without_weights_after_a_fit_with_them_and_is_probed_in_one():
    net = mlp()
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, 0.1))
    probes = Probes(X, Y)
    trainer.fit(
        X, Y, weights=RNG.uniform(0, 2, len(X)), epochs=2, batch_size=16, validation=0.25,
        callbacks=[probes], progress=False,
    )  # fmt: skip
    assert {row["layer"] for row in probes.rows} == {"0", "1", "2"}
    expected = losses.mean_squared_error(net(X), Y).item()
    assert trainer.program.step(X, Y)["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_weights_need_a_loss_that_can_be_had_for_each_row():
    trainer = ct.Trainer(mlp(), loss=lambda prediction, y: ((prediction - y) ** 2).mean())
    with pytest.raises(OptionError, match="neither of the options row_weights and reduction"):
        trainer.fit(X, Y, weights=np.ones(64), epochs=1, progress=False)


def test_a_loss_that_is_not_finite_is_found_in_trees():
    def objective(net, x, y):
        outputs = net(*x)
        number = ct.Tensor(jnp.where(y["number"].data > 3, jnp.inf, 1.0)) * outputs["number"]
        return (number - y["number"]).mean()

    ct.seed(0)
    net = Both()
    trainer = ct.Trainer(net, objective=objective, optimizer=ct.SGD(net, 1e-3))
    with pytest.raises(ct.errors.TrainingError, match="the loss became"):
        trainer.fit(PAIR, TARGETS, epochs=1, batch_size=16, seed=0, progress=False)


def test_a_program_explains_the_loss_that_it_minimizes_with_its_penalty():
    net = mlp()
    program = Program(
        net,
        loss=losses.mean_squared_error,
        penalty=lambda net: losses.l2_penalty(net.parameters(), 0.1),
        optimizer=ct.SGD(net, 0.5),
    )
    why = program.explain(X[:8], Y[:8])
    before = float(net[0].weight.numpy()[1, 2])
    update = why.update(program.optimizer, "0.weight", (1, 2))
    found = program.step(X[:8], Y[:8])
    assert why.loss == pytest.approx(found["loss"].item(), rel=1e-5)
    after = float(net[0].weight.numpy()[1, 2])
    assert update.change == pytest.approx(after - before, rel=1e-4)
    trainer = both()
    x, y = ((a[:1], b[:1]) for a, b in ((PAIR[0], PAIR[1]), (LABELS, Y)))
    why = trainer.program.explain(x, {"class": y[0], "number": y[1]})
    assert list(why.terms) == ["class", "number"] and why.gradient("left.weight", (0, 0)).count > 1
