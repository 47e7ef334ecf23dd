"""Recurrent operations against JAX's derivative, central differences, and the laws of padding."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cutaway as ct
from cutaway import ops
from cutaway.engine import Operation, Tensor, check_gradient, float64, gradients
from cutaway.ops import recurrence
from tests.shapes import few

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
STATES = {"rnn": 1, "lstm": 2, "gru": 1}


def drawn(name, batch, time, features, hidden, seed=0):
    """Inputs of the operation: x, weight, hidden_weight, biases, states."""
    rng = np.random.default_rng(seed)
    width = GATES[name] * hidden
    shapes = [(batch, time, features), (features, width), (hidden, width), (width,)]
    shapes += [(hidden,)] if name == "gru" else []
    shapes += [(batch, hidden)] * STATES[name]
    return [rng.normal(size=shape) for shape in shapes]


def square_sum(outs):
    """Σ of the squares of all outputs and final states."""
    return sum((out * out).sum() for out in outs)


def test_every_operation_of_the_file_is_tested_here():
    found = inspect.getmembers(recurrence, lambda v: isinstance(v, Operation))
    assert {v.name for _, v in found if v.__module__ == recurrence.__name__} == {*GATES}


@pytest.mark.parametrize("name", GATES)
@few(3)
@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 4),
    reverse=st.booleans(),
    unequal=st.booleans(),
    seed=st.integers(0, 3),
)
def test_rules_equal_jax(name, sizes, reverse, unequal, seed):
    batch, time = sizes[:2]
    lengths = np.random.default_rng(seed).integers(1, time + 1, batch) if unequal else None
    operation = getattr(ops, name)

    def call(*inputs):
        return operation(*inputs, lengths=lengths, reverse=reverse)

    with float64():
        arrays = [jnp.asarray(a) for a in drawn(name, *sizes, seed)]
        leaves = [Tensor(a, requires_grad=True) for a in arrays]
        rng = np.random.default_rng(1)
        weights = [jnp.asarray(rng.uniform(0.5, 1.5, out.shape)) for out in call(*leaves)]

        def weighed(*inputs):
            outs = zip(call(*inputs), weights, strict=True)
            return sum((out * Tensor(w)).sum() for out, w in outs)

        ours = {id(t): g for t, g in gradients(weighed(*leaves))}
        theirs = jax.jit(
            jax.grad(
                lambda *a: weighed(*map(Tensor, a)).data,
                argnums=tuple(range(len(arrays))),
            )
        )(*arrays)
        for leaf, expected in zip(leaves, theirs, strict=True):
            assert ours[id(leaf)].shape == leaf.shape
            np.testing.assert_allclose(ours[id(leaf)], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("reverse", [False, True])
def test_rules_equal_central_differences(name, reverse):
    lengths = np.array([3, 1])
    operation = getattr(ops, name)
    check_gradient(
        lambda *a: operation(*a, lengths=lengths, reverse=reverse), *drawn(name, 2, 3, 2, 2)
    )


def test_the_rule_of_an_rnn_is_that_of_its_activation():
    for activation in (ops.relu, ops.silu):
        check_gradient(
            lambda *a, act=activation: ops.rnn(*a, activation=act), *drawn("rnn", 2, 3, 2, 2)
        )


@pytest.mark.parametrize("name", GATES)
def test_what_stands_in_padded_steps_changes_nothing(name):
    x, *rest = (a.astype(np.float32) for a in drawn(name, 3, 5, 2, 3))
    lengths = np.array([5, 2, 3])
    other = x.copy()
    other[1, 2:] = other[1, 4:1:-1]  # permuted
    other[2, 3:] = 1e6
    for reverse in (False, True):
        results = []
        for values in (x, other):
            leaves = [Tensor(a, requires_grad=True) for a in (values, *rest)]
            outs = getattr(ops, name)(*leaves, lengths=lengths, reverse=reverse)
            square_sum(outs).backward()
            results.append([out.data for out in outs] + [leaf.grad for leaf in leaves])
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)
        out, to_x = results[0][0], results[0][1 + STATES[name]]
        for row, length in enumerate(lengths):
            assert not np.any(out[row, length:]) and not np.any(to_x[row, length:])


@pytest.mark.parametrize("name", GATES)
def test_a_padded_row_gives_what_it_gives_alone(name):
    inputs = [a.astype(np.float32) for a in drawn(name, 2, 5, 2, 3)]
    x, *weights = inputs[: len(inputs) - STATES[name]]
    states = inputs[len(inputs) - STATES[name] :]
    for reverse in (False, True):
        operation = getattr(ops, name)
        lengths = np.array([5, 3])
        both, *finals = operation(x, *weights, *states, lengths=lengths, reverse=reverse)
        one = operation(x[1:, :3], *weights, *(s[1:] for s in states), reverse=reverse)
        alone, *finals_alone = one
        np.testing.assert_allclose(both[1:, :3].data, alone.data, rtol=1e-5, atol=1e-6)
        for final, expected in zip(finals, finals_alone, strict=True):
            np.testing.assert_allclose(final[1:].data, expected.data, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", GATES)
def test_reversed_is_the_reversed_sequence_read_forwards(name):
    x, *rest = (a.astype(np.float32) for a in drawn(name, 2, 4, 3, 2))
    backwards, *finals = getattr(ops, name)(x, *rest, reverse=True)
    turned, *turned_finals = getattr(ops, name)(x[:, ::-1], *rest)
    np.testing.assert_allclose(backwards.data[:, ::-1], turned.data, rtol=1e-5, atol=1e-6)
    for final, expected in zip(finals, turned_finals, strict=True):
        np.testing.assert_allclose(final.data, expected.data, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", GATES)
def test_no_initial_state_is_a_state_of_zeros(name):
    arrays = [a.astype(np.float32) for a in drawn(name, 2, 3, 2, 2)]
    count = STATES[name]
    given = arrays[:-count] + [np.zeros_like(a) for a in arrays[-count:]]
    absent = arrays[:-count] + [None] * count
    results = []
    for inputs in (given, absent):
        leaves = [None if a is None else Tensor(a, requires_grad=True) for a in inputs]
        outs = getattr(ops, name)(*leaves)
        square_sum(outs).backward()
        results.append([out.data for out in outs] + [leaf.grad for leaf in leaves[:-count]])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", GATES)
def test_compiled_equals_eager(name):
    arrays = [a.astype(np.float32) for a in drawn(name, 3, 6, 4, 5)]

    def step(*inputs):
        leaves = [Tensor(x, requires_grad=True) for x in inputs]
        outs = getattr(ops, name)(*leaves, lengths=Tensor(np.array([6, 1, 4])))
        square_sum(outs).backward()
        return outs, [leaf.grad for leaf in leaves]

    eager, compiled = step(*arrays), ct.jit(step)(*arrays)
    for a, b in zip(compiled[0], eager[0], strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-5, atol=1e-6)
    for a, b in zip(compiled[1], eager[1], strict=True):
        np.testing.assert_allclose(a.data, b, rtol=1e-5, atol=1e-5)
