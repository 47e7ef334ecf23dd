"""The studio's session: what the page asks for is done by the engine, bit for bit."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cutaway as ct
from cutaway.studio.client import parsed
from cutaway.studio.commands import ANY, COMMANDS
from cutaway.studio.curve import Curve
from cutaway.studio.memory import Memory
from cutaway.studio.wire import packed, unpacked
from cutaway.train import ArrayRows, StepwiseTraining, Trainer
from tests.studio.watching import Watcher, new_subject


def fitted(epochs: int) -> dict:
    """The weights that `fit` reaches on the same rows."""
    subject = new_subject()
    trainer = Trainer(subject.program)
    x, y = subject.x[subject.training], subject.y[subject.training]
    trainer.fit(
        x, y, epochs=epochs, batch_size=subject.batch_size, seed=subject.seed, progress=False
    )
    return subject.program.snapshot()


def expect_equal(state: dict, other: dict):
    assert state.keys() == other.keys()
    for path, value in state.items():
        np.testing.assert_array_equal(value, other[path], err_msg=path)


def state_of(watcher, lane: int = 0) -> dict:
    watcher.settled()
    return watcher.session.lanes.lane(lane).program.snapshot()


def test_forward_backward_and_update_one_by_one_give_the_weights_of_fit():
    with Watcher(new_subject()) as watcher:
        for step in range(1, 6):  # 70 rows are 5 batches of 16
            for unit in ("forward", "backward", "update"):
                watcher.send(type="step", unit=unit)
            watcher.frame_at(step)
        watcher.send(type="step", unit="epoch")
        watcher.frame_at(10)
        expect_equal(state_of(watcher), fitted(2))


@pytest.mark.parametrize(
    ("units", "steps"),
    [
        (["batch"] * 3, 3),
        (["batch", "epoch"], 5),  # 5 batches are an epoch: the second ends the first epoch
        (["epoch", "batch", "epoch"], 10),
        (["epoch", "epoch"], 10),
        (["forward", "update", "backward", "update", "batch"], 3),
    ],
)
def test_no_click_is_lost_that_comes_before_the_last_one_was_obeyed(units, steps):
    with Watcher(new_subject()) as watcher:
        watcher.session._todo.put(lambda: [watcher.send(type="step", unit=one) for one in units])
        watcher.frame_at(steps)


def test_a_pause_forgets_the_steps_that_still_have_to_run():
    with Watcher(new_subject()) as watcher:
        watcher.session._todo.put(
            lambda: [
                watcher.send(type="step", unit="epoch"),
                watcher.send(type="pause"),
                watcher.send(type="step", unit="batch"),
            ]
        )
        watcher.frame_at(1)


def test_the_phases_show_the_loss_and_the_gradients_of_the_next_step():
    subject = new_subject()
    training = StepwiseTraining(
        new_subject().program,
        ArrayRows(subject.x, subject.y, subject.training.astype(np.int32)),
        batch_size=16,
        seed=4,
    )
    with Watcher(subject) as watcher:
        watcher.send(type="step", unit="backward")
        header, arrays = watcher.wait("frame", when=lambda h: h["phase"] == "backward")
    upcoming = header["lanes"][0]["next"]
    assert upcoming["rows"] == training.rows().tolist()
    assert upcoming["loss"] == pytest.approx(training.forward()["loss"], rel=1e-6)
    for path, slope in training.backward().items():
        np.testing.assert_allclose(arrays[f"0/slopes/{path}"], slope, rtol=1e-5, atol=1e-8)


def test_going_back_and_on_gives_the_same_weights_again():
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch", count=3)
        watcher.frame_at(3)
        memory, _ = watcher.wait("memory", when=lambda h: h["entries"][-1][1] == 3)
        number = memory["entries"][-1][0]
        watcher.send(type="step", unit="batch", count=7)
        watcher.frame_at(10)
        end = state_of(watcher)
        watcher.send(type="rewind", id=number)
        watcher.settled()
        assert watcher.session.lanes.lane(0).training.position.steps == 3
        watcher.send(type="step", unit="batch", count=7)
        watcher.wait("frame", begin=len(watcher.messages) - 1, when=lambda h: True)
        while watcher.session.lanes.lane(0).training.position.steps < 10:
            watcher.settled()
        expect_equal(state_of(watcher), end)


def test_a_branch_beside_trains_on_the_same_batches():
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch", count=2)
        watcher.frame_at(2)
        watcher.ask("lanes", type="branch")
        watcher.ask("lane", type="number", name="lr", value=0.5, lane=1)
        watcher.send(type="step", unit="forward")
        header, _ = watcher.wait("frame", when=lambda h: len(h["lanes"]) == 2 and h["phase"])
        rows = [lane["next"]["rows"] for lane in header["lanes"]]
        assert rows[0] == rows[1]
        watcher.send(type="step", unit="update")
        watcher.frame_at(3, lane=1)
        one, other = state_of(watcher, 0), state_of(watcher, 1)
        assert not np.array_equal(one["net.0.weight"], other["net.0.weight"])
        watcher.send(type="step", unit="epoch", count=1)
        watcher.frame_at(5, lane=1)
        watcher.ask("lanes", type="drop", lane=1)
        assert list(watcher.session.lanes.all) == [0]
        expect_equal(state_of(watcher), fitted(1))  # the other one left no trace


CHANGES = {
    "wider": {"type": "units", "path": "0", "count": 9},
    "narrower": {"type": "units", "path": "2", "count": 3},
    "another activation": {"type": "activation", "name": "relu"},
    "one more layer": {"type": "add_layer", "after": "1", "units": 4, "activation": "tanh"},
    "one layer less": {"type": "remove_layer", "path": "2"},
    "another optimizer": {"type": "optimizer", "name": "SGD", "numbers": {"lr": 0.05}},
    "another batch size": {"type": "batch", "size": 7},
    "a frozen parameter": {"type": "freeze", "path": "0.weight", "frozen": True},
    "a frozen weight": {"type": "freeze", "path": "0.weight", "index": [1, 2], "frozen": True},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_network_trains_on_from_the_step_it_was_at(change):
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch", count=4)
        watcher.frame_at(4)
        before = state_of(watcher)
        watcher.ask("ready", **change)
        assert watcher.session.lanes.lane(0).training.position.steps == 4
        watcher.send(type="step", unit="batch", count=4)
        header, _ = watcher.frame_at(8)
        assert header["lanes"][0]["loss"] is not None
        if change["type"] == "freeze":
            now = state_of(watcher)["net.0.weight"]
            old = before["net.0.weight"]
            if "index" in change:
                assert now[1, 2] == old[1, 2]
                assert (np.delete(now.ravel(), 8) != np.delete(old.ravel(), 8)).all()
            else:
                np.testing.assert_array_equal(now, old)


def test_all_pages_are_told_of_another_batch_size():
    with Watcher(new_subject()) as watcher:
        header, _ = watcher.ask("state", type="batch", size=7)
        assert header["batch_size"] == 7


def test_a_wider_network_returns_what_the_narrower_one_did():
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch", count=4)
        watcher.frame_at(4)
        net = watcher.session.lanes.lane(0).program.net
        x = watcher.session.subject.x
        before = net(x).numpy()
        watcher.ask("ready", type="units", path="2", count=12)
        wider = watcher.session.lanes.lane(0).program.net
        assert wider[2].weight.shape == (6, 12)
        np.testing.assert_allclose(wider(x).numpy(), before, atol=1e-6)


def test_one_edited_weight_is_the_only_one_that_changes():
    with Watcher(new_subject()) as watcher:
        before = state_of(watcher)
        watcher.send(type="edit", path="0.weight", index=[1, 0], value=2.5)
        after = state_of(watcher)
        assert after["net.0.weight"][1, 0] == 2.5
        after["net.0.weight"][1, 0] = before["net.0.weight"][1, 0]
        expect_equal(after, before)


def test_a_nan_pauses_and_says_where_it_began():
    subject = new_subject()
    subject.x[5] = np.inf
    with Watcher(subject) as watcher:
        header, _ = watcher.ask("error", type="play")
        assert "the loss became NaN" in header["text"]
        assert header["fix"].endswith("go back to an earlier state, or restart")
        state, _ = watcher.wait("state", when=lambda h: not h["playing"])
        assert state["playing"] is False


WRONG = {
    "no command": {"type": "explode"},
    "a field too many": {"type": "play", "path": "/etc/passwd"},
    "no such network": {"type": "drop", "lane": 7},
    "no such layer": {"type": "units", "path": "17", "count": 4},
    "too many units": {"type": "units", "path": "0", "count": 10**6},
    "no such activation": {"type": "activation", "name": "os.system"},
    "no such optimizer": {"type": "optimizer", "name": "Magic"},
    "no such number of an optimizer": {"type": "optimizer", "name": "SGD", "numbers": {"beta": 1}},
    "no such weight": {"type": "edit", "path": "0.weight", "index": [9, 9], "value": 1.0},
    "no such state": {"type": "rewind", "id": 12345},
    "a learning rate below 0": {"type": "number", "name": "lr", "value": -1},
    "a batch size beyond the rows": {"type": "batch", "size": 90_000},
    "columns that are none": {"type": "look", "columns": [0, 9]},
    "a click on nothing": {"type": "click", "id": 1, "what": "moon"},
    "a count of 0": {"type": "step", "unit": "batch", "count": 0},
}


@pytest.mark.parametrize("command", WRONG.values(), ids=WRONG)
def test_a_wrong_command_is_answered_with_an_error_and_changes_nothing(command):
    with Watcher(new_subject()) as watcher:
        before = state_of(watcher)
        header, arrays = watcher.ask("error", **command)
        assert header["text"] and header["expected"]
        watcher.wait("state", begin=watcher.messages.index((header, arrays)))  # resets fields
        expect_equal(state_of(watcher), before)
        watcher.send(type="step", unit="batch")
        watcher.frame_at(1)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
            ),
            max_leaves=10,
        ),
    )
)
def test_whatever_comes_is_a_command_or_an_error(message):
    if not isinstance(message, bytes | str):
        message = json.dumps(message)
    with pytest.raises(ct.errors.OptionError):
        parsed(message, ANY)


def test_every_command_has_its_own_tag():
    tags = [command.__struct_config__.tag for command in COMMANDS]
    assert len(set(tags)) == len(tags) == len(COMMANDS) > 20


def test_messages_come_back_from_bytes():
    arrays = {
        "a": np.arange(7, dtype=np.uint8),
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "c": np.zeros((0, 4), np.int32),
    }
    header, found = unpacked(packed({"type": "frame", "x": float("nan")}, arrays))
    assert header == {"type": "frame", "x": None}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_a_curve_keeps_the_mean_of_all_values_and_the_last_step(parts):
    curve, values, first = Curve(16), np.random.default_rng(0).normal(size=sum(parts)), 1
    for count in parts:
        curve.add(first, values[first - 1 : first - 1 + count])
        first += count
    steps, means = curve.arrays()
    widths = np.diff(steps, prepend=0)
    assert len(steps) <= 16
    assert steps[-1] == len(values)
    assert np.average(means, weights=widths) == pytest.approx(values.mean(), abs=1e-5)


def test_memory_keeps_the_first_the_changes_and_the_latest_states():
    subject = new_subject()
    rows = ArrayRows(subject.x, subject.y, subject.training.astype(np.int32))
    training = StepwiseTraining(subject.program, rows, batch_size=16)
    memory = Memory(most_states=20)
    for step in range(100):
        memory.remember(training, 0.0, "a change" if step == 3 else "")
        training.run(1)
    entries = memory.entries()
    steps = [entry[1] for entry in entries]
    assert len(entries) <= 20
    assert steps[0] == 0 and 3 in steps and steps[-5:] == [95, 96, 97, 98, 99]


def test_the_surface_comes_and_the_network_trains_on():
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch", count=4)
        watcher.frame_at(4)
        _, arrays = watcher.ask("surface", type="surface")
        assert arrays["surface/loss"].shape == (31, 31)
        ways = [name for name in arrays if name.startswith("surface/paths/")]
        assert len(ways) == 4
        assert all(np.allclose(arrays[name][0], 0, atol=1e-4) for name in ways)
        watcher.send(type="step", unit="batch", count=6)
        watcher.frame_at(10)
        expect_equal(state_of(watcher), fitted(2))


def test_the_worst_rows_are_the_wrong_ones_the_surest_first():
    with Watcher(new_subject()) as watcher:
        subject, net = watcher.session.subject, watcher.session.lanes.lane(0).program.net
        z = net(subject.x[subject.training]).numpy()[:, 0]
        truth = subject.y[subject.training][:, 0] > 0.5
        wrong = np.flatnonzero((z > 0) != truth)
        surest = wrong[np.argsort(-np.abs(z[wrong]), kind="stable")]
        for rank in (1, 2):
            header, _ = watcher.ask("worst", type="wrong")
            assert (header["count"], header["rank"]) == (len(wrong), rank)
            assert watcher.session.look.row == surest[rank - 1]


class Held:
    """Makes a LaneSet compile nothing until it is let go."""

    def __init__(self, watcher):
        self.background = watcher.session._background
        self.run, self.works = self.background.run, []
        self.background.run = lambda *work: self.works.append(work)

    def let_go(self, count: int):
        """Compile the first works that were asked for."""
        works, self.works = self.works[:count], self.works[count:]
        for _pool, work, then, _failed in works:
            work()
            self.background._hand_over(lambda then=then: then(None))


def test_two_networks_take_another_batch_size_between_the_same_two_steps():
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch", count=3)
        watcher.frame_at(3)
        watcher.ask("ready", type="branch")
        watcher.settled()
        held = Held(watcher)
        watcher.send(type="batch", size=7)
        watcher.settled()
        assert len(held.works) == 4  # two lanes, each with a step and its views
        held.let_go(2)
        watcher.send(type="step", unit="batch", count=4)  # over the end of the first epoch
        watcher.frame_at(7, lane=1)
        lanes = watcher.session.lanes
        assert [lane.training.batch_size for lane in lanes] == [16, 16]
        held.let_go(2)
        watcher.settled()
        assert [lane.training.batch_size for lane in lanes] == [7, 7]
        one, other = (lane.training for lane in lanes)
        assert one.position == other.position
        np.testing.assert_array_equal(one.rows(), other.rows())


def test_a_closed_network_keeps_no_other_one_waiting_for_its_batch_size():
    with Watcher(new_subject()) as watcher:
        watcher.ask("ready", type="branch")
        watcher.settled()
        held = Held(watcher)
        watcher.send(type="batch", size=7)
        watcher.settled()
        held.let_go(2)
        watcher.settled()
        watcher.ask("ready", type="drop", lane=1)
        assert watcher.session.lanes.lane(0).training.batch_size == 7


def test_going_back_before_another_batch_size_gives_the_old_one_to_all_networks():
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch", count=2)
        watcher.frame_at(2)
        watcher.ask("ready", type="branch")
        watcher.settled()
        watcher.ask("ready", type="batch", size=7)
        watcher.settled()
        lanes = watcher.session.lanes
        assert [lane.training.batch_size for lane in lanes] == [7, 7]
        first = lanes.lane(0).memory.entries()[0][0]
        begin = len(watcher.messages)
        watcher.send(type="rewind", id=first)
        watcher.wait("state", begin=begin, when=lambda h: h["batch_size"] == 16)
        watcher.wait("ready", begin=begin, when=lambda h: h["lane"] == 1)
        assert [lane.training.batch_size for lane in lanes] == [16, 16]


def test_a_branch_made_while_a_batch_size_is_compiled_goes_the_same_way():
    with Watcher(new_subject()) as watcher:
        held = Held(watcher)
        watcher.send(type="batch", size=7)
        watcher.send(type="branch")
        watcher.settled()
        lanes = watcher.session.lanes
        assert [lane.training.batch_size for lane in lanes] == [16, 16]
        while any(lane.training.batch_size == 16 for lane in lanes):
            assert held.works
            held.let_go(1)
            watcher.settled()
        one, other = (lane.training for lane in lanes)
        assert one.position == other.position
        np.testing.assert_array_equal(one.rows(), other.rows())


def test_going_back_ends_the_waiting_for_a_change():
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch")
        watcher.frame_at(1)
        held = Held(watcher)
        watcher.ask("compiling", type="units", path="0", count=9)
        watcher.ask("ready", type="rewind")
        held.let_go(2)
        watcher.settled()
        assert watcher.session.lanes.lane(0).program.net[0].weight.shape == (2, 6)
        assert not watcher.session.lanes.are_changing


def test_noise_that_is_set_while_a_change_is_compiled_or_undone_holds():
    with Watcher(new_subject()) as watcher:
        lane = watcher.session.lanes.lane(0)
        clean = watcher.session.subject.x
        held = Held(watcher)
        watcher.send(type="units", path="0", count=9)
        watcher.send(type="noise", value=0.5)
        watcher.settled()
        held.let_go(2)
        watcher.settled()
        noisy = watcher.session.subject.x
        assert lane.program.net[0].weight.shape == (2, 9)
        assert lane.training.training.x is noisy and not np.array_equal(noisy, clean)
        watcher.send(type="noise", value=0.0)
        watcher.send(type="rewind", id=lane.memory.entries()[0][0])
        watcher.settled()
        assert lane.program.net[0].weight.shape == (2, 6)
        assert lane.training.training.x is clean


def test_changes_in_quick_succession_are_compiled_once_as_the_last_of_them(monkeypatch):
    prepared = []
    with Watcher(new_subject()) as watcher:
        watcher.send(type="step", unit="batch")
        watcher.frame_at(1)
        monkeypatch.setattr(
            StepwiseTraining,
            "prepare",
            lambda self: prepared.append(self.program.net[0].weight.shape),
        )
        held = Held(watcher)
        for count in (7, 8, 9):
            watcher.send(type="units", path="0", count=count)
        for _ in range(2):
            watcher.send(type="add_layer", after="1", units=9, activation="tanh")
        watcher.settled()
        held.let_go(len(held.works))
        watcher.settled()
        lane = watcher.session.lanes.lane(0)
        assert lane.program.net[0].weight.shape == (2, 9)
        assert lane.memory.entries()[-1][4] == "9 units in layer 0, one more layer (2 times)"
    assert prepared == [(2, 9)]
