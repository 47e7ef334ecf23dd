"""A training that is led step by step is `fit`, bit for bit."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.data import ArrayStream
from cutaway.errors import TrainingError
from cutaway.train import ArrayRows, Position, Program, StepwiseTraining, StreamRows, Trainer

ROWS = 70
X = np.random.default_rng(0).normal(size=(ROWS, 2)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:] > 0).astype(np.float32)
CUTS = {"one by one": [1] * 15, "across epochs": [2, 9, 4], "at once": [15]}


def new_program() -> Program:
    ct.seed(0)
    net = ct.Sequential(ct.Linear(2, 8), ct.Tanh(), ct.nn.Dropout(0.2), ct.Linear(8, 1))
    loss = ct.losses.binary_cross_entropy_with_logits
    return Program(net, loss=loss, optimizer=ct.Adam(net, lr=0.05))


def fitted(x, y, epochs: int) -> dict:
    trainer = Trainer(new_program())
    trainer.fit(x, y, epochs=epochs, batch_size=16, seed=4, progress=False)
    return trainer.program.snapshot()


def expect_equal(state: dict, other: dict):
    assert state.keys() == other.keys()
    for path, value in state.items():
        np.testing.assert_array_equal(value, other[path], err_msg=path)


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
def test_steps_cut_in_any_way_leave_the_state_of_fit(cuts):
    training = StepwiseTraining(new_program(), ArrayRows(X, Y), batch_size=16, seed=4)
    for steps in cuts:
        training.run(steps)
    assert training.position == Position(15, 3, 0)  # 70 rows are 5 batches of 16
    expect_equal(training.program.snapshot(), fitted(X, Y, 3))


def test_a_stream_leaves_the_state_of_fit():
    stream = ArrayStream(X, Y, block_rows=32)
    training = StepwiseTraining(new_program(), StreamRows(stream), batch_size=16, seed=4)
    trainer = Trainer(new_program())
    trainer.fit(stream, epochs=3, batch_size=16, seed=4, progress=False)
    for steps in (1, 3, 4, 7):
        training.run(steps)
    assert (training.position.epoch, training.position.step) == (3, 0)
    expect_equal(training.program.snapshot(), trainer.program.snapshot())


@pytest.mark.parametrize("rows", ["arrays", "a stream"])
def test_after_going_back_the_same_steps_come_again(rows):
    given = ArrayRows(X, Y) if rows == "arrays" else StreamRows(ArrayStream(X, Y, block_rows=32))
    training = StepwiseTraining(new_program(), given, batch_size=16, seed=4)
    training.run(3)
    state = training.state()
    losses = training.run(11)["loss"]
    end = training.program.snapshot()
    training.restore(state)
    assert training.position == state.position
    np.testing.assert_array_equal(training.run(11)["loss"], losses)
    expect_equal(training.program.snapshot(), end)


def test_looking_into_the_next_step_changes_nothing_and_says_what_it_does():
    training = StepwiseTraining(new_program(), ArrayRows(X, Y), batch_size=16, seed=4)
    training.run(2)
    before = training.program.snapshot()
    x, y = training.batch()
    np.testing.assert_array_equal(x, X[training.rows()])
    np.testing.assert_array_equal(y, Y[training.rows()])
    forward, backward = training.forward(), training.backward()
    expect_equal(training.program.snapshot(), before)
    m = training.program.optimizer.state["m"]
    slots = [np.array(value.data) for value in m]
    assert training.run(1)["loss"][0] == pytest.approx(forward["loss"], rel=1e-6)
    paths = training.program.optimizer.paths
    for path, old, new in zip(paths, slots, m, strict=True):  # m = 0.9 m + 0.1 g
        slope = (new.data - 0.9 * old) / 0.1
        np.testing.assert_allclose(slope, backward[path], atol=1e-5, err_msg=path)


def test_a_nan_stops_before_its_step_and_names_epoch_and_row():
    y = Y.copy()
    y[7] = np.nan
    training = StepwiseTraining(new_program(), ArrayRows(X, y), batch_size=16, seed=4)
    with pytest.raises(TrainingError, match=r"NaN in epoch 1, step \d: .* at row 7"):
        training.run(5)
    position = training.position
    assert 7 in training.rows()
    assert position.epoch == 0
    expected = StepwiseTraining(new_program(), ArrayRows(X, Y), batch_size=16, seed=4)
    if position.steps:
        expected.run(position.steps)
    expect_equal(training.program.snapshot(), expected.program.snapshot())


def test_a_state_of_other_layers_is_refused():
    training = StepwiseTraining(new_program(), ArrayRows(X, Y), batch_size=16)
    state = training.state()
    training.program.change(lambda net: ct.nn.widen(net, "0", 9))
    with pytest.raises(TrainingError, match="other layers"):
        training.restore(state)
