"""Attention: each position averages the values of all others, weighted by query-key similarity.

    scores s = q kᵀ / √d,  weights p = softmax(s) over the keys,  out = p v

for each head separately; a head is a slice of d features. The rule, with ḡ for ∂L/∂out:

    ∂L/∂v = pᵀ ḡ,  ∂L/∂p = ḡ vᵀ,  ∂L/∂s = p (∂L/∂p - δ),  δ = Σ_keys p ∂L/∂p = Σ_features ḡ out

δ is the softmax's own term; as a sum over features it does not need the weights [1].

References:
    Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762, sec. 3.2.
    [1] Dao et al. 2022, "FlashAttention", arXiv:2205.14135, appendix B.2.
"""

import math

import jax.numpy as jnp
import numpy as np

from cutaway.engine import as_array
from cutaway.engine.operation import operation
from cutaway.errors import OptionError, ShapeError, expect_range
from cutaway.ops import fused_attention
from cutaway.ops.activations import softmax
from cutaway.ops.elementwise import where
from cutaway.ops.keep_mask import keep_mask
from cutaway.ops.precision import product
from cutaway.ops.shapes import reshape, transpose


@operation(saves=True)
def attention(q, k, v, *, num_heads=1, mask=None, causal=False, dropout=0.0, key=None):
    """softmax(q kᵀ / √d) v, per head; a query that may attend to no key gets zeros.

    Shapes:
        q: (..., queries, features), features = num_heads · d
        k: (..., keys, features)
        v: (..., keys, value_features)
        mask: booleans that broadcast to (..., num_heads, queries, keys); True: may be attended to
        out: (..., queries, value_features)

    Args:
        causal: a position attends only to itself and earlier ones.
        dropout: probability of dropping a weight, drawn from the JAX key `key`; the others are
            divided by 1 - dropout.
    """
    _expect_fit(q, k, v, num_heads, causal, where="attention")
    if fused_attention.serves(q, k, v, num_heads, dropout):
        scores_shape = (*q.shape[:-2], num_heads, q.shape[-2], k.shape[-2])
        allowed = _allowed(mask, False, scores_shape, where="attention")
        return fused_attention.attend(q, k, v, num_heads, allowed, causal)
    heads, q, k = _scaled_heads(q, k, num_heads)
    weights = _weights(q, k, _allowed(mask, causal, heads, where="attention"))
    kept = None
    if dropout:
        expect_range(dropout, what="attention: dropout", least=0, below=1)
        if key is None:
            raise OptionError(
                f"attention: dropout={dropout} without a key",
                expected="a JAX key",
                fix="for example key=jax.random.PRNGKey(0)",
            )
        kept = keep_mask(key, dropout, weights.shape)
    out = _product(_dropped(weights, kept, dropout), split_heads(v, num_heads))
    return merge_heads(out), (weights, kept)


@attention.backward
def attention_backward(
    grad, out, saved, q, k, v, *, num_heads=1, mask=None, causal=False, dropout=0.0, key=None
):
    if callable(saved):  # the fused kernel's own way back
        return saved(grad)
    weights, kept = saved
    grad, out = split_heads(grad, num_heads), split_heads(out, num_heads)
    _, q, k = _scaled_heads(q, k, num_heads)
    v = split_heads(v, num_heads)
    to_v = _product(_turned(_dropped(weights, kept, dropout)), grad)
    to_weights = _dropped(_product(grad, _turned(v)), kept, dropout)
    delta = jnp.sum(grad * out, -1, keepdims=True)
    to_scores = weights * (to_weights - delta)
    return *_to_q_and_k(to_scores, q, k), merge_heads(to_v)


@attention.onnx
def attention_onnx(g, q, k, v, *, num_heads=1, mask=None, causal=False, dropout=0.0, key=None):
    weights = _weights_node(g, q, k, num_heads, mask, causal)
    return _merged_node(g, g.node("MatMul", weights, _heads_node(g, v, num_heads)), q.ndim)


@attention.decomposition
def attention_decomposition(
    label, q, k, v, *, num_heads=1, mask=None, causal=False, dropout=0.0, key=None
):
    q, k, v = (_heads_apart(part, num_heads) for part in (q, k, v))
    last = k.ndim - 1
    turned = transpose(k, axes=(*range(last - 1), last, last - 1))
    scores = label(q @ turned / math.sqrt(q.shape[-1]), "s")
    allowed = jnp.ones(scores.shape[-2:], bool)
    if causal:
        allowed = jnp.tril(allowed)
    if mask is not None:
        allowed = allowed & jnp.asarray(mask)
    allowed = jnp.broadcast_to(allowed, scores.shape)
    if not bool(allowed.all()):
        scores = where(allowed, scores, jnp.asarray(-1e30, scores.dtype))
    weights = label(softmax(scores), "p")
    if not bool(allowed.all()):
        weights = where(allowed, weights, jnp.zeros((), weights.dtype))
    return _heads_together(label(weights @ v, "o"))


def _heads_apart(x, num_heads):
    # (..., positions, features) -> (..., heads, positions, d)
    *rest, positions, features = x.shape
    x = reshape(x, shape=(*rest, positions, num_heads, features // num_heads))
    n = len(rest)
    return transpose(x, axes=(*range(n), n + 1, n, n + 2))


def _heads_together(x):
    # (..., heads, positions, d) -> (..., positions, features)
    *rest, heads, positions, d = x.shape
    n = len(rest)
    x = transpose(x, axes=(*range(n), n + 1, n, n + 2))
    return reshape(x, shape=(*rest, positions, heads * d))


def _weights_node(g, q, k, num_heads, mask, causal) -> str:
    scale = (q.shape[-1] // num_heads) ** -0.5
    scaled = g.node("Mul", _heads_node(g, q, num_heads), scale)
    scores = g.node("MatMul", scaled, _heads_node(g, k, num_heads, turned=True))
    allowed = None if mask is None else g.name(mask)
    if causal:
        below = g.constant(np.tril(np.ones((q.shape[-2], k.shape[-2]), bool)))
        allowed = below if allowed is None else g.node("And", allowed, below)
    if allowed is None:
        return g.node("Softmax", scores, axis=-1)
    least = np.finfo(q.dtype).min
    weights = g.node("Softmax", g.node("Where", allowed, scores, least), axis=-1)
    return g.node("Where", allowed, weights, 0)  # a query that may see no key gets zeros


def _heads_node(g, x, num_heads, turned=False) -> str:
    """(..., tokens, features) -> (..., heads, tokens, d), or (..., heads, d, tokens)."""
    split = g.reshaped(x, (*x.shape[:-1], num_heads, x.shape[-1] // num_heads))
    *before, tokens, heads, d = range(x.ndim + 1)
    order = [*before, heads, *((d, tokens) if turned else (tokens, d))]
    return g.node("Transpose", split, perm=order)


def _merged_node(g, heads, axes):
    """(..., heads, tokens, d) -> the step's result, (..., tokens, features) of so many axes."""
    order = [*range(axes - 2), axes - 1, axes - 2, axes]
    return g.result(g.reshaped(g.node("Transpose", heads, perm=order), g.shape))


@operation
def attention_weights(q, k, *, num_heads=1, mask=None, causal=False):
    """The weights p with which `attention` sums the values.

    Shapes:
        q, k, mask: as for `attention`
        out: (..., num_heads, queries, keys); each row sums to 1, or is 0 where every key is
            masked
    """
    _expect_fit(q, k, k, num_heads, causal, where="attention_weights")
    heads, q, k = _scaled_heads(q, k, num_heads)
    return _weights(q, k, _allowed(mask, causal, heads, where="attention_weights"))


@attention_weights.backward
def attention_weights_backward(grad, out, q, k, *, num_heads=1, mask=None, causal=False):
    _, q, k = _scaled_heads(q, k, num_heads)
    to_scores = out * (grad - jnp.sum(grad * out, -1, keepdims=True))
    return _to_q_and_k(to_scores, q, k)


@attention_weights.onnx
def attention_weights_onnx(g, q, k, *, num_heads=1, mask=None, causal=False):
    return g.result(_weights_node(g, q, k, num_heads, mask, causal))


@operation
def rotary(x, *, num_heads=1, base=10000.0):
    """Rotates pairs of features by angles that grow with the position.

    In each head of d features, features i and i + d/2 turn by position · base^(-2i/d). So the
    product of a rotated query and a rotated key depends on their positions by the distance only.
    Su et al. 2021, "RoFormer", arXiv:2104.09864, sec. 3.2.2 (there neighbors are paired).

    Shapes:
        x: (..., positions, features), features = num_heads · d with an even d
    """
    features = x.shape[-1]
    if x.ndim < 2 or num_heads < 1 or features % (2 * num_heads):
        raise ShapeError(
            f"rotary: an input of shape {x.shape} in {num_heads} heads",
            expected="(..., positions, features) with an even number of features per head",
        )
    return _rotated(x, num_heads, base, 1)


@rotary.backward
def rotary_backward(grad, out, x, *, num_heads=1, base=10000.0):
    # a rotation's transpose is the rotation back
    return _rotated(grad, num_heads, base, -1)


@rotary.onnx
def rotary_onnx(g, x, *, num_heads=1, base=10000.0):
    tokens, d = x.shape[-2], x.shape[-1] // num_heads
    angles = np.arange(tokens)[:, None] * base ** (-2 * np.arange(d // 2) / d)
    cos, sin = (np.concatenate([f(angles)] * 2, -1).astype(x.dtype) for f in (np.cos, np.sin))
    heads = _heads_node(g, x, num_heads)
    a, b = g.node("Split", heads, axis=x.ndim, num_outputs=2, outputs=2)
    turned = g.node("Concat", g.node("Neg", b), a, axis=x.ndim)
    out = g.node("Add", g.node("Mul", heads, cos), g.node("Mul", turned, sin))
    return _merged_node(g, out, x.ndim)


def _rotated(x, num_heads, base, sign):
    positions, size = x.shape[-2], x.shape[-1] // num_heads
    frequencies = base ** (-np.arange(0, size, 2) / size)
    angles = np.outer(np.arange(positions), frequencies)[:, None, :]  # (positions, 1, d/2)
    cos, sin = (jnp.asarray(f(angles), x.dtype) for f in (np.cos, np.sin))
    pairs = x.reshape(*x.shape[:-1], num_heads, 2, size // 2)
    a, b = pairs[..., 0, :], pairs[..., 1, :]
    turned = jnp.stack([a * cos - sign * b * sin, b * cos + sign * a * sin], axis=-2)
    return turned.reshape(x.shape)


def split_heads(x, num_heads):
    """(..., tokens, features) -> (..., heads, tokens, features of a head), of an array."""
    x = x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)
    return jnp.swapaxes(x, -2, -3)


def merge_heads(x):
    """(..., heads, tokens, features of a head) -> (..., tokens, features), of an array."""
    x = jnp.swapaxes(x, -2, -3)
    return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])


def _product(a, b):
    return product(jnp.matmul, a, b)


def _turned(x):
    return jnp.swapaxes(x, -1, -2)


def _scaled_heads(q, k, num_heads):
    """Shape of the scores, and q / √d and k by heads."""
    q = split_heads(q, num_heads)
    k = split_heads(k, num_heads)
    return (*q.shape[:-1], k.shape[-2]), q * (1 / math.sqrt(max(1, q.shape[-1]))), k


def _weights(q, k, allowed):
    scores = _product(q, _turned(k))
    if allowed is not None:
        scores = jnp.where(allowed, scores, -jnp.inf)
    top = jnp.max(scores, -1, keepdims=True, initial=-jnp.inf)
    # where every key is masked, top is -∞: e^(-∞ - 0) = 0, and 0 / 1 = 0
    raised = jnp.exp(scores - jnp.where(top == -jnp.inf, 0, top))
    total = jnp.sum(raised, -1, keepdims=True)
    return raised / jnp.where(total == 0, 1, total)


def _dropped(weights, kept, dropout):
    return weights if kept is None else jnp.where(kept, weights / (1 - dropout), 0)


def _to_q_and_k(to_scores, q, k):
    scale = 1 / math.sqrt(max(1, q.shape[-1]))
    to_q = _product(to_scores, k) * scale
    to_k = _product(_turned(to_scores), q)  # q is scaled already
    return merge_heads(to_q), merge_heads(to_k)


def _allowed(mask, causal, shape, *, where):
    """Which keys each query may attend to, for scores of this shape; None: all."""
    allowed = None
    if mask is not None:
        allowed = as_array(mask)
        if allowed.dtype != bool:
            raise OptionError(
                f"{where}: the mask has dtype {allowed.dtype}",
                expected="booleans, True where a key may be attended to",
                fix="compare, for example tokens != 0; for a mask of 0 and -inf use mask == 0",
            )
        fits = allowed.ndim <= len(shape) and all(
            m in (1, n) for m, n in zip(reversed(allowed.shape), reversed(shape), strict=False)
        )
        if not fits:
            raise ShapeError(
                f"{where}: the mask has shape {allowed.shape}",
                expected=f"a shape that broadcasts to (..., heads, queries, keys) = {shape}",
                fix="use mask[:, None, None, :] for a mask of the keys, mask[:, None] for one of "
                "queries and keys",
            )
    if causal:
        earlier = np.tri(shape[-2], dtype=bool)
        allowed = earlier if allowed is None else allowed & earlier
    return allowed


def _expect_fit(q, k, v, num_heads, causal, *, where):
    shapes = f"{where}: q has shape {q.shape}, k {k.shape}, v {v.shape}"
    if min(q.ndim, k.ndim, v.ndim) < 2 or not (q.shape[:-2] == k.shape[:-2] == v.shape[:-2]):
        raise ShapeError(
            shapes,
            expected="(..., queries, features), (..., keys, features) and (..., keys, features) "
            "with equal leading axes",
        )
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            shapes,
            expected="q and k with equal features, k and v with equal numbers of keys",
        )
    if num_heads < 1 or q.shape[-1] % num_heads or v.shape[-1] % num_heads:
        raise ShapeError(
            f"{where}: {q.shape[-1]} features of q and k and {v.shape[-1]} of v "
            f"in {num_heads} heads",
            expected="a number of heads that divides the features",
        )
    if causal and q.shape[-2] != k.shape[-2]:
        raise ShapeError(
            f"{where}: causal, with {q.shape[-2]} queries and {k.shape[-2]} keys",
            expected="equal numbers of queries and keys",
            fix="pass a mask of the keys that each query may attend to",
        )
