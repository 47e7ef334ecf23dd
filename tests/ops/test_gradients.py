"""Invariant 1: every rule equals JAX's derivative of the same forward, and central differences."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import ops
from cutaway.engine import Operation, Tensor, check_gradient, float64, gradients
from cutaway.ops import activations, arithmetic, elementwise, reductions, shapes, turns

SHAPES = [(), (1,), (3,), (2, 3), (1, 3), (2, 1, 3), (0, 3)]
PAIRS = [((), ()), ((3,), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 3), (2, 1)), ((0, 3), (3,))]
REDUCTIONS = [((3,), None), ((2, 3), 0), ((2, 3), (0, 1)), ((2, 1, 3), -1), ((1, 3), (0, -1))]


def anywhere(rng, shape):
    return rng.normal(size=shape) * 2


def positive(rng, shape):
    return rng.uniform(0.3, 3, shape)


def apart(rng, shape):
    """Different numbers, none near zero: away from kinks and ties."""
    size = int(np.prod(shape))
    return rng.permutation(np.linspace(-2, 2.3, size + size % 2)[:size]).reshape(shape) + 0.05


# operation: how its inputs are drawn; one input of any shape
ONE = {
    "negative": anywhere,
    "exp": anywhere,
    "expm1": anywhere,
    "log": positive,
    "log1p": positive,
    "sqrt": positive,
    "square": anywhere,
    "absolute": apart,
    "sin": anywhere,
    "cos": anywhere,
    "cos_turns": anywhere,
    "sin_turns": anywhere,
    "smooth_clip": anywhere,
    "sign": apart,
    "threshold": apart,
    "linear": anywhere,
    "sigmoid": anywhere,
    "tanh": anywhere,
    "relu": apart,
    "relu6": apart,
    "leaky_relu": apart,
    "elu": apart,
    "selu": apart,
    "softplus": anywhere,
    "silu": anywhere,
    "mish": anywhere,
    "hard_sigmoid": apart,
    "hard_swish": apart,
    "gelu": anywhere,
    "gelu_tanh": anywhere,
}
# two inputs that broadcast
TWO = {
    "add": anywhere,
    "subtract": anywhere,
    "multiply": anywhere,
    "divide": positive,
    "power": positive,
    "maximum": apart,
    "minimum": apart,
}
REDUCED = {
    "sum": anywhere,
    "mean": anywhere,
    "max": apart,
    "min": apart,
    "var": anywhere,
    "std": apart,
    "logsumexp": anywhere,
}
# the others, each with calls of its own
CALLS = {
    "softmax": [(lambda x: ops.softmax(x, axis=0), [(2, 3)]), (ops.softmax, [(1, 1)])],
    "log_softmax": [(lambda x: ops.log_softmax(x, axis=-1), [(2, 3)])],
    "parametric_relu": [
        (ops.parametric_relu, [(2, 3), (3,)]),
        (ops.parametric_relu, [(2, 2, 3), (1,)]),
    ],
    "clip": [(lambda x: ops.clip(x, low=-0.5, high=0.7), [(5,)])],
    "where": [(lambda a, b: ops.where(np.array([True, False, True]), a, b), [(2, 3), (3,)])],
    "matmul": [
        (ops.matmul, [(2, 3), (3, 4)]),
        (ops.matmul, [(3,), (3,)]),
        (ops.matmul, [(3,), (3, 2)]),
        (ops.matmul, [(2, 3), (3,)]),
        (ops.matmul, [(5, 2, 3), (3, 4)]),
        (ops.matmul, [(2, 3), (5, 3, 4)]),
        (ops.matmul, [(4, 1, 2, 3), (5, 3, 2)]),
        (ops.matmul, [(4, 2, 3), (3,)]),
        (ops.matmul, [(0, 3), (3, 4)]),
        (ops.matmul, [(2, 0), (0, 3)]),
        (ops.matmul, [(2, 0, 3), (3, 1)]),
    ],
    "reshape": [(lambda x: ops.reshape(x, shape=(3, -1)), [(2, 3)])],
    "transpose": [
        (ops.transpose, [(2, 3, 4)]),
        (lambda x: ops.transpose(x, axes=(1, 2, 0)), [(2, 3, 4)]),
    ],
    "broadcast_to": [(lambda x: ops.broadcast_to(x, shape=(4, 2, 3)), [(2, 1)])],
    "astype": [(lambda x: ops.astype(x, dtype=x.dtype), [(2, 3)])],
    "squeeze": [(lambda x: ops.squeeze(x, axis=1), [(2, 1, 3)])],
    "expand_dims": [(lambda x: ops.expand_dims(x, axis=1), [(2, 3)])],
    "flip": [(lambda x: ops.flip(x, axis=1), [(2, 3)])],
    "pad": [(lambda x: ops.pad(x, widths=((1, 0), (0, 2)), value=3.0), [(2, 3)])],
    "_join": [
        (lambda a, b: ops.concatenate([a, b, a], axis=1), [(2, 3), (2, 1)]),
        (lambda a, b: ops.stack([a, b], axis=1), [(2, 3), (2, 3)]),
    ],
    "getitem": [
        (lambda x: x[1:, [0, 2, 2]], [(3, 3)]),
        (lambda x: x[..., None, -1], [(2, 3)]),
        (lambda x: x[np.array([[True, False, True], [False, True, False]])], [(2, 3)]),
        (lambda x: ops.split(x, 3, axis=1)[1], [(2, 3)]),
        (lambda x: x[-1, 5:], [(2, 3, 2)]),
        (lambda x: x[::2, 1], [(3, 2)]),
        (lambda x: x[2:1, -2:], [(3, 4)]),
        (lambda x: x[1] * x[-2], [(3,)]),
    ],
    "decode_boxes": [
        (ops.decode_boxes, [(3, 4), (3, 4)]),
        (lambda t, p: ops.decode_boxes(t, p, weights=(10, 10, 5, 5)), [(2, 4), (2, 4)]),
        (lambda t, p: ops.decode_boxes(t, p, largest=1.0), [(2, 4), (2, 4)]),
    ],
    "take": [(lambda x: ops.take(x, np.array([[0, 2], [2, 2]]), axis=1), [(2, 3)])],
}


def all_operations():
    for module in (activations, arithmetic, elementwise, reductions, shapes, turns):
        for name, value in inspect.getmembers(module, lambda v: isinstance(v, Operation)):
            if value.differentiable:
                yield value.name, name


def test_every_operation_stands_in_a_table_of_this_file():
    tested = {*ONE, *TWO, *REDUCED, *CALLS}
    assert {name for name, _ in all_operations()} <= tested


def expect_jax_agrees(call, arrays):
    """The gradient of Σ weights · call(arrays) by our rules and by JAX, in float64."""
    with float64():
        leaves = [Tensor(jnp.asarray(a), requires_grad=True) for a in arrays]
        out = call(*leaves)
        weights = jnp.asarray(np.random.default_rng(1).uniform(0.5, 1.5, out.shape))
        ours = {id(t): g for t, g in gradients(out, weights)}

        def forward(*values):
            return jnp.sum(call(*(Tensor(v) for v in values)).data * weights)

        jaxs = jax.grad(forward, argnums=tuple(range(len(arrays))))(*map(jnp.asarray, arrays))
        for x, theirs in zip(leaves, jaxs, strict=True):
            mine = ours[id(x)]
            assert mine.shape == x.shape
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ONE)
@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 3))
def test_rules_of_one_input_equal_jax(name, shape, seed):
    expect_jax_agrees(getattr(ops, name), [ONE[name](np.random.default_rng(seed), shape)])


@pytest.mark.parametrize("name", TWO)
@given(pair=st.sampled_from(PAIRS), swap=st.booleans(), seed=st.integers(0, 3))
def test_rules_of_two_inputs_equal_jax_with_broadcasting(name, pair, swap, seed):
    rng = np.random.default_rng(seed)
    a, b = reversed(pair) if swap else pair
    expect_jax_agrees(getattr(ops, name), [TWO[name](rng, a), TWO[name](rng, b) + 0.013])


@pytest.mark.parametrize("name", REDUCED)
@given(case=st.sampled_from(REDUCTIONS), keepdims=st.booleans(), seed=st.integers(0, 3))
def test_rules_of_reductions_equal_jax(name, case, keepdims, seed):
    shape, axis = case
    x = REDUCED[name](np.random.default_rng(seed), shape)
    if (name == "std" and x.size == 1) or (name == "std" and shape == (2, 1, 3) and axis == 1):
        return
    operation = getattr(ops, name)
    expect_jax_agrees(lambda t: operation(t, axis=axis, keepdims=keepdims), [x])


@pytest.mark.parametrize(
    ("name", "k"), [(name, k) for name, calls in CALLS.items() for k in range(len(calls))]
)
def test_rules_of_the_others_equal_jax_and_central_differences(name, k):
    call, shapes_ = CALLS[name][k]
    rng = np.random.default_rng(k)
    arrays = [apart(rng, s) for s in shapes_]
    expect_jax_agrees(call, arrays)
    check_gradient(call, *arrays)


@pytest.mark.parametrize("name", ONE)
def test_rules_of_one_input_equal_central_differences(name):
    check_gradient(getattr(ops, name), ONE[name](np.random.default_rng(5), (2, 3)), rtol=1e-5)


@pytest.mark.parametrize("name", TWO)
def test_rules_of_two_inputs_equal_central_differences(name):
    rng = np.random.default_rng(5)
    a, b = TWO[name](rng, (2, 3)), TWO[name](rng, (3,)) + 0.013
    check_gradient(getattr(ops, name), a, b, rtol=1e-5)


@pytest.mark.parametrize("name", REDUCED)
def test_rules_of_reductions_equal_central_differences(name):
    x = REDUCED[name](np.random.default_rng(5), (2, 3))
    check_gradient(lambda t: getattr(ops, name)(t, axis=1), x, rtol=1e-5)


def test_ties_share_the_gradient():
    for name in ("max", "min"):
        x = Tensor([2.0, 2.0, 2.0, 2.0], requires_grad=True)
        getattr(ops, name)(x).backward()
        assert x.grad.tolist() == [0.25] * 4
    a = Tensor([1.0, 3.0], requires_grad=True)
    b = Tensor([1.0, 2.0], requires_grad=True)
    ops.maximum(a, b).sum().backward()
    assert a.grad.tolist() == [0.5, 1.0] and b.grad.tolist() == [0.5, 0.0]


def test_powers_at_zero_have_finite_gradients():
    x = Tensor([0.0, 0.0, 2.0], requires_grad=True)
    (x**2).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 4.0]
    x = Tensor([0.0, -2.0], requires_grad=True)
    (x**0 + x**3).sum().backward()
    assert x.grad.tolist() == [0.0, 12.0]


def test_the_subgradient_of_abs_at_zero_is_zero():
    x = Tensor([0.0, -3.0, 2.0], requires_grad=True)
    abs(x).sum().backward()
    assert x.grad.tolist() == [0.0, -1.0, 1.0]
