"""Attention and rotary positions, in ONNX."""

import numpy as np

from cutaway import ops
from cutaway.export.operations.registry import exports


@exports(ops.attention)
def _attention(g, q, k, v, *, num_heads=1, mask=None, causal=False, dropout=0.0, key=None):
    weights = _attention_weights(g, q, k, num_heads, mask, causal)
    product = g.node("MatMul", weights, _heads(g, v, num_heads))
    order = [*range(q.ndim - 2), q.ndim - 1, q.ndim - 2, q.ndim]
    return g.result(g.reshaped(g.node("Transpose", product, perm=order), g.shape))


@exports(ops.attention_weights)
def _attention_weights_alone(g, q, k, *, num_heads=1, mask=None, causal=False):
    return g.result(_attention_weights(g, q, k, num_heads, mask, causal))


def _attention_weights(g, q, k, num_heads, mask, causal):
    scale = (q.shape[-1] // num_heads) ** -0.5
    scaled = g.node("Mul", _heads(g, q, num_heads), g.constant(np.asarray(scale, q.dtype)))
    scores = g.node("MatMul", scaled, _heads(g, k, num_heads, turned=True))
    allowed = None
    if mask is not None:
        allowed = g.name(mask)
    if causal:
        below = g.constant(np.tril(np.ones((q.shape[-2], k.shape[-2]), bool)))
        allowed = below if allowed is None else g.node("And", allowed, below)
    if allowed is None:
        return g.node("Softmax", scores, axis=-1)
    least = g.constant(np.asarray(np.finfo(q.dtype).min, q.dtype))
    weights = g.node("Softmax", g.node("Where", allowed, scores, least), axis=-1)
    # a query that may see no key gets zeros
    return g.node("Where", allowed, weights, g.constant(np.asarray(0, q.dtype)))


def _heads(g, x, num_heads, turned=False) -> str:
    """(..., tokens, features) -> (..., heads, tokens, d), or (..., heads, d, tokens)."""
    split = g.reshaped(x, (*x.shape[:-1], num_heads, x.shape[-1] // num_heads))
    before, (tokens, heads, d) = range(x.ndim - 2), range(x.ndim - 2, x.ndim + 1)
    return g.node(
        "Transpose", split, perm=[*before, heads, *((d, tokens) if turned else (tokens, d))]
    )


@exports(ops.rotary)
def _rotary(g, x, *, num_heads=1, base=10000.0):
    tokens, features = x.shape[-2:]
    d = features // num_heads
    angles = np.arange(tokens)[:, None] * base ** (-2 * np.arange(d // 2) / d)
    cos, sin = (np.concatenate([f(angles)] * 2, -1).astype(x.dtype) for f in (np.cos, np.sin))
    heads = _heads(g, x, num_heads)
    last = x.ndim  # (..., heads, tokens, d)
    a, b = g.node("Split", heads, axis=last, num_outputs=2, outputs=2)
    turned = g.node("Concat", g.node("Neg", b), a, axis=last)
    out = g.node(
        "Add", g.node("Mul", heads, g.constant(cos)), g.node("Mul", turned, g.constant(sin))
    )
    order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2, x.ndim]
    return g.result(g.reshaped(g.node("Transpose", out, perm=order), g.shape))
