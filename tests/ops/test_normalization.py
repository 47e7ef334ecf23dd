"""Normalizations against JAX's derivative, central differences, and laws of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import ops
from cutaway.engine import Operation, Tensor, check_gradient, float64, gradients
from cutaway.errors import OptionError, ShapeError
from cutaway.nn import jit
from cutaway.ops import normalization
from tests.shapes import few

# operation: a call of it, and how many vectors of one number per channel it takes after x
CALLS = {
    "layer_norm": (ops.layer_norm, 2),
    "rms_norm": (ops.rms_norm, 1),
    "batch_norm": (ops.batch_norm, 2),
    "normalize": (ops.normalize, 4),
    "instance_norm": (ops.instance_norm, 2),
    "group_norm": (lambda *inputs: ops.group_norm(*inputs, num_groups=2), 2),
    "local_response_norm": (
        lambda x: ops.local_response_norm(x, size=3, alpha=0.3, beta=0.6, k=1.5),
        0,
    ),
}
SHAPES = [(3, 2, 4), (2, 1, 3, 6), (2, 5, 2)]


def drawn(name, shape, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * 2 + 0.5
    return [x] + [rng.uniform(0.5, 2, shape[-1:]) for _ in range(CALLS[name][1])]


def test_every_normalization_is_called_here():
    own = [v for v in vars(normalization).values() if isinstance(v, Operation)]
    found = {v.name for v in own if v.__module__ == normalization.__name__}
    assert found == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
@few(6)
@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 3))
def test_rules_equal_jax(name, shape, seed):
    call, _ = CALLS[name]
    with float64():
        arrays = [jnp.asarray(a) for a in drawn(name, shape, seed)]
        leaves = [Tensor(a, requires_grad=True) for a in arrays]
        out = call(*leaves)
        weights = jnp.asarray(np.random.default_rng(9).uniform(0.5, 1.5, out.shape))
        ours = {id(t): g for t, g in gradients(out, weights)}

        def forward(*values):
            return jnp.sum(call(*(Tensor(v) for v in values)).data * weights)

        theirs = jax.grad(forward, argnums=tuple(range(len(arrays))))(*arrays)
        for leaf, expected in zip(leaves, theirs, strict=True):
            np.testing.assert_allclose(ours[id(leaf)], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", CALLS)
def test_rules_equal_central_differences(name):
    check_gradient(CALLS[name][0], *drawn(name, (2, 3, 4)), rtol=1e-5)


@pytest.mark.parametrize("name", [n for n, (_, vectors) in CALLS.items() if vectors])
def test_without_weight_and_bias_they_are_one_and_zero(name):
    call, _ = CALLS[name]
    x, *vectors = drawn(name, (3, 5, 4))
    given = vectors[:2] if name == "normalize" else []
    affine = [np.ones(4), np.zeros(4)][: len(vectors) - len(given)]
    with float64():
        results = []
        for rest in ([None] * len(affine), affine):
            leaf = Tensor(jnp.asarray(x), requires_grad=True)
            out = call(leaf, *given, *rest)
            (out * out * out).sum().backward()
            results.append((out.numpy(), leaf.grad))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "instance_norm", "group_norm"])
def test_a_large_mean_costs_no_digits_of_the_variance(name):
    # float32 has 7 digits: mean(x²) - μ² would have none left here
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(8, 64, 32)) + 3000).astype(np.float32)
    call, vectors = CALLS[name]
    for run in (call, jit(call)):
        out = run(x, *[None] * vectors).numpy()
        with float64():
            exact = call(x.astype(np.float64), *[None] * vectors).numpy()
        np.testing.assert_allclose(out, exact, atol=2e-3)  # x itself is known to 2e-4
        assert out.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "instance_norm", "group_norm"])
def test_the_gradient_neither_shifts_nor_stretches(name):
    # y(a x + b) = y(x) for ε = 0: the derivative along x and along a constant is 0
    call = {"group_norm": lambda x: ops.group_norm(x, None, None, num_groups=2, eps=0.0)}.get(
        name, lambda x: getattr(ops, name)(x, None, None, eps=0.0)
    )
    with float64():
        x = Tensor(jnp.asarray(drawn(name, (3, 4, 4))[0]), requires_grad=True)
        (call(x) ** 3).sum().backward()
        assert abs(jnp.sum(x.grad)) < 1e-10
        assert abs(jnp.sum(x.grad * x.data)) < 1e-10
        assert jnp.abs(x.grad).max() > 1e-2


def test_instances_need_positions_and_groups_must_divide():
    with pytest.raises(ShapeError, match=r"shape \(2, 3\)"):
        ops.instance_norm(np.ones((2, 3)), None, None)
    with pytest.raises(ShapeError, match=r"shape \(2, 5\) in 2 groups"):
        ops.group_norm(np.ones((2, 5)), None, None, num_groups=2)
    with pytest.raises(OptionError, match="size is 0"):
        ops.local_response_norm(np.ones((2, 3)), size=0)
