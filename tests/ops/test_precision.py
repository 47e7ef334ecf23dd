"""bfloat16 products: only they are rounded, and only to bfloat16."""

import threading

import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import losses, ops
from cutaway.engine import Tensor, float64, gradients
from cutaway.errors import OptionError
from cutaway.ops.precision import current_precision, narrow
from cutaway.runtime import on_gpu

RNG = np.random.default_rng(0)


def rounded(x):
    """x in bfloat16, as exact float64 numbers."""
    return np.asarray(jnp.asarray(x).astype(jnp.bfloat16)).astype(np.float64)


SHAPES = [((3, 5), (5, 2)), ((5,), (5, 2)), ((4, 3, 5), (5, 2)), ((4, 3, 5), (4, 5, 2))]


@pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES)
def test_factors_are_rounded_and_nothing_else(a_shape, b_shape):
    a, b = (RNG.normal(size=s).astype(np.float32) for s in (a_shape, b_shape))
    with ct.matmul_precision("bfloat16"):
        x, w = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
        out = x @ w
        weights = RNG.normal(size=out.shape).astype(np.float32)
        found = {id(t): g for t, g in gradients(out, weights)}
    rtol = 2**-8 if on_gpu() else 1e-5  # there results are rounded once more where they leave
    np.testing.assert_allclose(out.numpy(), rounded(a) @ rounded(b), rtol=rtol, atol=1e-6)
    with float64():  # the rule, with all its factors rounded
        x64, w64 = (Tensor(rounded(v), requires_grad=True) for v in (a, b))
        exact = {id(t): g for t, g in gradients(x64 @ w64, rounded(weights))}
        for leaf, leaf64 in ((x, x64), (w, w64)):
            assert found[id(leaf)].dtype == jnp.float32
            np.testing.assert_allclose(found[id(leaf)], exact[id(leaf64)], rtol=rtol, atol=1e-5)


def test_sums_and_losses_keep_their_bits():
    x = RNG.normal(size=(64, 64)).astype(np.float32)
    expected = ops.softmax(x).numpy(), losses.mean_squared_error(x, x + 0.1).item()
    with ct.matmul_precision("bfloat16"):
        np.testing.assert_array_equal(ops.softmax(x).numpy(), expected[0])
        assert losses.mean_squared_error(x, x + 0.1).item() == expected[1]
        np.testing.assert_array_equal((Tensor(x) * x).sum().numpy(), (Tensor(x) * x).sum().numpy())


def test_float64_and_whole_numbers_are_left_alone():
    with float64(), ct.matmul_precision("bfloat16"):
        x = Tensor(RNG.normal(size=(3, 4)))
        np.testing.assert_allclose((x @ x.T).numpy(), x.numpy() @ x.numpy().T, rtol=1e-14)
    with ct.matmul_precision("bfloat16"):
        assert (Tensor([[3]]) @ Tensor([[1001]])).item() == 3003
        x, n = narrow(jnp.ones(2), jnp.arange(2))
        assert x.dtype == jnp.float32 and n.dtype == jnp.int32


def test_the_context_ends_and_is_that_of_its_thread():
    seen = []
    with pytest.raises(ZeroDivisionError), ct.matmul_precision("bfloat16"):
        thread = threading.Thread(target=lambda: seen.append(current_precision()))
        thread.start()
        thread.join()
        with ct.matmul_precision("float32"):
            seen.append(current_precision())
        seen.append(current_precision())
        raise ZeroDivisionError
    assert [*seen, current_precision()] == ["float32", "float32", "bfloat16", "float32"]


def test_a_compiled_step_compiles_anew_for_another_precision():
    net = ct.Linear(8, 4)
    traces = []

    def forward(x):
        traces.append(1)
        return net(x)

    compiled = ct.jit(forward, net)
    x = RNG.normal(size=(5, 8)).astype(np.float32)
    plain = compiled(x).numpy()
    with ct.matmul_precision("bfloat16"):
        eager = net(x).numpy()
        coarse = compiled(x).numpy()
    np.testing.assert_allclose(coarse, eager, rtol=1e-6)
    assert 1e-4 < np.abs(coarse - plain).max() < 0.05
    np.testing.assert_array_equal(compiled(x).numpy(), plain)
    assert len(traces) == 2


def test_an_unknown_precision_is_named():
    with (
        pytest.raises(OptionError, match="unknown precision 'float16'"),
        ct.matmul_precision("float16"),
    ):
        pass
