"""How arrays get into Variables: copied, and without a program for each shape."""

import copy

import jax
import jax.monitoring
import numpy as np
import pytest

import cutaway as ct
from cutaway.engine import Tensor


@pytest.fixture
def compiled():
    """A list that grows with each program that is compiled."""
    found = []

    def note(event, seconds, **_):
        if "compile" in event:
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield found
    jax.monitoring.unregister_event_duration_listener(note)


@pytest.mark.parametrize("rows", [3, 100_000])
def test_a_tensor_keeps_its_numbers_when_the_numpy_array_changes(rows):
    array = np.zeros((rows, 2), np.float32)
    tensor = Tensor(array)
    array[:] = 1
    assert float(tensor.data.sum()) == 0


def test_new_shapes_compile_nothing(compiled):
    jax.jit(lambda x: x * 3)(np.ones(17, np.float32))
    assert compiled  # it would be seen
    compiled.clear()
    parameter = ct.Parameter(np.ones((7, 13, 3), np.float32))
    copy.deepcopy(parameter)
    net = ct.Linear(11, 19)
    net.load_state_dict(net.state_dict())
    assert not compiled


def test_a_copy_of_a_variable_survives_the_donation_of_its_array():
    net = ct.Sequential(ct.Linear(2, 3), ct.Linear(3, 1))
    optimizer = ct.SGD(net, lr=0.5)
    other = copy.deepcopy(net)

    def step(x):
        loss = net(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    before = {path: value.copy() for path, value in net.state_dict().items()}
    ct.jit(step, net, optimizer)(np.ones((4, 2), np.float32))
    for path, value in other.state_dict().items():
        np.testing.assert_array_equal(value, before[path])
    assert not np.array_equal(net.state_dict()["1.bias"], before["1.bias"])


def test_a_shared_variable_stays_shared_in_a_copy():
    one = ct.Linear(2, 2)
    net = copy.deepcopy(ct.Sequential(one, one))
    assert net.state_dict().keys() == {"0.weight", "0.bias"}
    parameter = ct.Parameter(np.ones(2))
    parameter.requires_grad = False
    assert copy.deepcopy(parameter).requires_grad is False


def test_in_a_compiled_step_a_numpy_array_is_a_constant():
    table = np.arange(4, dtype=np.float32)
    step = ct.jit(lambda x: x * Tensor(table))
    np.testing.assert_array_equal(step(np.full(4, 2, np.float32)).numpy(), 2 * table)
