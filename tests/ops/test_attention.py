"""Attention against PyTorch, JAX's derivative, central differences, and laws of its own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cutaway as ct
from cutaway import ops
from cutaway.engine import Tensor, check_gradient, float64, gradients
from cutaway.errors import OptionError, ShapeError
from cutaway.nn import jit
from cutaway.ops import fused_attention
from tests.shapes import few

RTOL = {"float32": 1e-5, "float64": 1e-10}


def drawn(*shapes, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def close(ours, theirs, rtol):
    scale = max(1.0, np.abs(theirs).max(initial=0))
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("dtype", RTOL)
@few(8)
@given(
    sizes=st.sampled_from([(2, 3, 3, 1, 4, 4), (1, 4, 4, 2, 6, 6), (3, 1, 5, 2, 4, 2)]),
    kind=st.sampled_from(["all", "causal", "padding", "heads"]),
    seed=st.integers(0, 3),
)
def test_attention_equals_pytorch_forward_and_every_gradient(dtype, sizes, kind, seed):
    batch, queries, keys, heads, features, value_features = sizes
    causal = kind == "causal" and queries == keys
    mask = None
    rng = np.random.default_rng(seed)
    if kind in ("padding", "heads"):
        shape = (batch, 1, 1, keys) if kind == "padding" else (batch, heads, queries, keys)
        mask = rng.random(shape) < 0.6
        mask[..., 0] = True  # a row without keys is a test of its own
    arrays = drawn(
        (batch, queries, features),
        (batch, keys, features),
        (batch, keys, value_features),
        seed=seed,
        dtype=dtype,
    )
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    split = [t.reshape(*t.shape[:-1], heads, -1).transpose(1, 2) for t in theirs]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *split, attn_mask=None if mask is None else torch.tensor(mask), is_causal=causal
    )
    expected = expected.transpose(1, 2).reshape(batch, queries, value_features)
    (expected**3 + expected).sum().backward()
    with float64():
        ours = [Tensor(jnp.asarray(a), requires_grad=True) for a in arrays]
        out = ops.attention(*ours, num_heads=heads, mask=mask, causal=causal)
        assert out.dtype == dtype
        (out * out * out + out).sum().backward()
        close(out.data, expected.detach().numpy(), RTOL[dtype])
        for a, b in zip(ours, theirs, strict=True):
            close(a.grad, b.grad.numpy(), RTOL[dtype])


SOME = np.array([[True, False, True, True], [False, False, False, False], [True] * 4])
CALLS = {
    "attention": (lambda q, k, v: ops.attention(q, k, v, num_heads=2), 3),
    "attention with masks": (
        lambda q, k, v: ops.attention(q, k, v, num_heads=2, mask=SOME),
        3,
    ),
    "attention with dropout": (
        lambda q, k, v: ops.attention(
            q, k, v, num_heads=2, dropout=0.4, key=np.array([3, 7], np.uint32)
        ),
        3,
    ),
    "attention_weights": (lambda q, k: ops.attention_weights(q, k, num_heads=2, mask=SOME), 2),
    "rotary": (lambda x: ops.rotary(x, num_heads=2), 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_rules_equal_jax_and_central_differences_and_the_compiled_ones(name):
    call, count = CALLS[name]
    arrays = drawn((2, 3, 4), (2, 4, 4), (2, 4, 4))[:count]
    check_gradient(call, *arrays)
    with float64():
        arrays = [jnp.asarray(a) for a in arrays]
        leaves = [Tensor(a, requires_grad=True) for a in arrays]
        out = call(*leaves)
        weights = jnp.asarray(np.random.default_rng(9).uniform(0.5, 1.5, out.shape))
        ours = {id(t): g for t, g in gradients(out, weights)}

        def forward(*values):
            return jnp.sum(call(*(Tensor(v) for v in values)).data * weights)

        argnums = tuple(range(count))
        for leaf, expected in zip(leaves, jax.grad(forward, argnums)(*arrays), strict=True):
            np.testing.assert_allclose(ours[id(leaf)], expected, rtol=1e-9, atol=1e-11)

        def step(*tensors):
            inner = [Tensor(t.data, requires_grad=True) for t in tensors]
            result = call(*inner)
            return result, [dict_of(result, weights)[id(t)] for t in inner]

        result, grads = jit(step)(*arrays)
        np.testing.assert_allclose(result.numpy(), out.numpy(), rtol=1e-12, atol=1e-14)
        for leaf, compiled in zip(leaves, grads, strict=True):
            np.testing.assert_allclose(compiled.numpy(), ours[id(leaf)], rtol=1e-10, atol=1e-13)


def dict_of(out, weights):
    return {id(t): g for t, g in gradients(out, weights)}


def test_a_query_that_may_see_no_key_gets_zeros_and_sends_none_back():
    q, k, v = (Tensor(a, requires_grad=True) for a in drawn((1, 3, 4), (1, 4, 4), (1, 4, 4)))
    out = ops.attention(q, k, v, mask=SOME)
    assert out.tolist()[0][1] == [0] * 4
    assert ops.attention_weights(q, k, mask=SOME).numpy()[0, 0].sum(-1) == pytest.approx([1, 0, 1])
    out.sum().backward()
    assert not q.grad[0, 1].any() and q.grad[0, 0].any()
    nothing = ops.attention(q, k, v, mask=np.zeros((3, 4), bool))
    nothing.sum().backward()
    assert not nothing.numpy().any()
    for t in (q, k, v):
        assert np.isfinite(t.grad).all()


def test_no_keys_at_all_are_no_keys_to_see():
    q, k, v = (Tensor(a) for a in drawn((2, 3, 4), (2, 0, 4), (2, 0, 4)))
    assert ops.attention(q, k, v, num_heads=2).tolist() == np.zeros((2, 3, 4)).tolist()
    assert ops.attention(k, q, q).shape == (2, 0, 4)


def test_causal_positions_depend_on_no_later_one():
    for t in range(5):
        q, k, v = (Tensor(a, requires_grad=True) for a in drawn(*[(1, 5, 4)] * 3))
        out = ops.attention(q, k, v, num_heads=2, causal=True)
        (out[0, t] * np.arange(1.0, 5.0)).sum().backward()
        for x in (k, v):
            assert not x.grad[0, t + 1 :].any()
            assert x is k or x.grad[0, : t + 1].all()
        assert not np.delete(np.asarray(q.grad[0]), t, axis=0).any()


def test_huge_scores_do_not_overflow():
    q, k, v = (Tensor(a, requires_grad=True) for a in drawn(*[(1, 3, 2)] * 3, dtype="float32"))
    out = ops.attention(q * 1e4, k * 1e4, v)
    out.sum().backward()
    assert np.isfinite(out.numpy()).all() and np.isfinite(q.grad).all()
    picked = ops.attention_weights(q * 1e4, k * 1e4).numpy()
    np.testing.assert_allclose(picked.max(-1), 1, rtol=1e-6)


def test_dropped_weights_keep_the_mean_and_repeat_with_the_key():
    q, k, v = drawn((1, 200, 4), (1, 150, 4), (1, 150, 4), dtype="float32")
    v = np.abs(v)
    one = ops.attention(q, k, v, dropout=0.5, key=np.array([1, 2], np.uint32)).numpy()
    two = ops.attention(q, k, v, dropout=0.5, key=np.array([1, 2], np.uint32)).numpy()
    other = ops.attention(q, k, v, dropout=0.5, key=np.array([1, 3], np.uint32)).numpy()
    whole = ops.attention(q, k, v).numpy()
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other) and not np.array_equal(one, whole)
    assert one.mean() == pytest.approx(whole.mean(), rel=0.03)


def test_rotated_scores_depend_on_the_distance_only():
    # RoFormer, eq. 16: the same query and key at every position
    rng = np.random.default_rng(0)
    q, k = (np.tile(rng.normal(size=6), (1, 9, 1)) for _ in range(2))
    with float64():
        rotated = [ops.rotary(x).numpy()[0] for x in (q, k)]
        scores = rotated[0] @ rotated[1].T
        for distance in range(-8, 9):
            diagonal = np.diagonal(scores, distance)
            np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-12)
        assert len(np.unique(np.round(scores[0], 6))) == 9
        # a rotation: lengths stay, and position 0 does not turn
        np.testing.assert_allclose(
            np.linalg.norm(rotated[0], axis=-1), np.linalg.norm(q[0], axis=-1), rtol=1e-12
        )
        np.testing.assert_array_equal(rotated[0][0], q[0, 0])


def test_rotary_turns_by_the_papers_angles():
    x = np.zeros((3, 4))
    x[:, 0] = x[:, 1] = 1  # pairs are (0, 2) and (1, 3), their wavelengths 2π and 2π · 100
    with float64():
        out = ops.rotary(x).numpy()
    expected = [[np.cos(t), np.cos(t / 100), np.sin(t), np.sin(t / 100)] for t in range(3)]
    np.testing.assert_allclose(out, expected, rtol=1e-12)


Q = np.ones((2, 3, 4), np.float32)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: ops.attention(Q, Q, Q, num_heads=3), ShapeError, "divides the features"),
        (lambda: ops.attention(Q, Q[:1], Q[:1]), ShapeError, "equal leading axes"),
        (lambda: ops.attention(Q, Q[..., :2], Q), ShapeError, "q and k with equal features"),
        (lambda: ops.attention(Q, Q, Q[:, :2]), ShapeError, "equal numbers of keys"),
        (lambda: ops.attention(Q[0, 0], Q, Q), ShapeError, r"q has shape \(4,\)"),
        (lambda: ops.attention(Q, Q[:, :2], Q[:, :2], causal=True), ShapeError, "2 keys"),
        (
            lambda: ops.attention(Q, Q, Q, mask=np.ones((2, 3), bool)),
            ShapeError,
            r"mask has shape \(2, 3\)(.|\n)*\(2, 1, 3, 3\)",
        ),
        (lambda: ops.attention(Q, Q, Q, mask=np.ones((3, 3))), OptionError, "has dtype float"),
        (lambda: ops.attention(Q, Q, Q, dropout=1.0), OptionError, "dropout is 1.0"),
        (lambda: ops.rotary(Q, num_heads=4), ShapeError, "even number of features"),
    ],
)
def test_what_does_not_fit_is_named(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()


@pytest.fixture
def fused(monkeypatch):
    """attention as on a GPU with the kernel, for which XLA's own arithmetic stands in."""
    stand_in = functools.partial(jax.nn.dot_product_attention, implementation="xla")
    monkeypatch.setattr(fused_attention, "on_gpu", lambda: True)
    monkeypatch.setattr(fused_attention, "_is_there", lambda: True)
    monkeypatch.setattr(fused_attention, "_kernel", stand_in)
    with ct.matmul_precision("bfloat16"):
        yield


MASKS = [None, (8,), (8, 8), (1, 1, 1, 8), (2, 1, 1, 8), (2, 1, 8, 8), (1, 4, 8, 8), (2, 4, 8, 8)]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", MASKS)
def test_the_fused_kernel_gets_masks_of_every_shape_and_gives_our_own_numbers(shape, causal, fused):
    rng = np.random.default_rng(0)
    q, k, v, grad = (rng.normal(size=(2, 8, 32)).astype(np.float32) for _ in range(4))
    mask = None if shape is None else rng.random(shape) < 0.6

    def run():
        leaves = [Tensor(a, requires_grad=True) for a in (q, k, v)]
        out = ops.attention(*leaves, num_heads=4, mask=mask, causal=causal)
        found = {id(t): g for t, g in gradients(out, grad)}
        return [out.numpy(), *(np.asarray(found[id(t)]) for t in leaves)]

    assert fused_attention.serves(*map(jnp.asarray, (q, k, v)), 4, 0.0)
    with ct.matmul_precision("float32"):
        expected = run()
    for mine, exact in zip(run(), expected, strict=True):
        np.testing.assert_allclose(mine, exact, rtol=0.1, atol=0.05)


def test_a_mask_for_all_heads_is_not_written_out_for_each(fused, monkeypatch):
    seen = []
    kernel = fused_attention._kernel

    def noted(*heads, mask, **options):
        seen.append(mask.shape)
        return kernel(*heads, mask=mask, **options)

    monkeypatch.setattr(fused_attention, "_kernel", noted)
    x = np.ones((2, 8, 32), np.float32)
    ops.attention(x, x, x, num_heads=4, mask=np.ones((2, 1, 1, 8), bool))
    assert seen == [(2, 1, 8, 8)]


@pytest.mark.parametrize("tokens", [1, 7, 197])
def test_odd_numbers_of_tokens_are_left_to_our_own_arithmetic(tokens, fused):
    x = jnp.ones((1, tokens, 32))
    assert not fused_attention.serves(x, x, x, 4, 0.0)


@jax.custom_vjp
def breaks_when_it_runs(q):
    def fail(q):
        raise RuntimeError("no such kernel on this card")

    return jax.pure_callback(fail, jax.ShapeDtypeStruct(q.shape, q.dtype), q)


breaks_when_it_runs.defvjp(lambda q: (breaks_when_it_runs(q), None), lambda _, grad: (grad,))


@pytest.mark.parametrize("works", [True, False])
def test_the_kernel_is_tried_for_real_also_where_a_step_is_being_traced(works, monkeypatch):
    def kernel(q, k, v, **options):
        return q + k + v if works else breaks_when_it_runs(q)

    monkeypatch.setattr(fused_attention, "_kernel", kernel)
    fused_attention._is_there.cache_clear()
    answers = []

    def step(x):
        answers.append(fused_attention._is_there())
        return x

    try:
        jax.jit(step)(1.0)
        assert answers == [works]
    finally:
        fused_attention._is_there.cache_clear()
