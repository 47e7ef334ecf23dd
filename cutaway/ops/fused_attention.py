"""Attention in one fused kernel of the GPU vendor: cuDNN's, through JAX, in bfloat16.

The kernel processes the keys block by block and never stores the weights: without a mask its
memory is linear in the number of tokens, not quadratic. The derivative is the vendor's too, so this
is the only pullback in `ops/` that is JAX's instead of our own.

References:
    Dao et al. 2022, "FlashAttention", arXiv:2205.14135.
"""

import functools

import jax
import jax.numpy as jnp

from cutaway.ops.precision import current_precision
from cutaway.runtime import on_gpu

MOST_FEATURES = 128  # per head, for the backward pass
FEATURES_BY = 8  # their number must be a multiple of this


def serves(q, k, v, num_heads: int, dropout: float) -> bool:
    """Whether the kernel supports this attention: on a GPU that has it, in bfloat16."""
    if not on_gpu() or current_precision() != "bfloat16" or dropout:
        return False
    if any(x.dtype != jnp.float32 or x.ndim != 3 or 0 in x.shape for x in (q, k, v)):
        return False
    size, value_size = q.shape[-1] // num_heads, v.shape[-1] // num_heads
    if size != value_size or size > MOST_FEATURES or size % FEATURES_BY:
        return False
    if q.shape[1] % 2 or k.shape[1] % 2:  # in the backward pass, JAX always has a bias
        return False
    return _is_there()


def attend(q, k, v, num_heads: int, allowed, causal: bool):
    """(out, pullback): softmax(q kᵀ / √d) v, and the function from ∂L/∂out to those of q, k, v.

    Shapes:
        q, k, v: (batch, tokens, features)
        allowed: booleans that broadcast to (batch, heads, queries, keys), or None
    """
    if allowed is not None:  # a mask shared by heads or examples stays shared
        leading = (1, 1, *allowed.shape[:-2])[-2:]
        allowed = jnp.broadcast_to(allowed, (*leading, q.shape[1], k.shape[1]))

    def attention(q, k, v):
        heads = (_by_heads(x, num_heads).astype(jnp.bfloat16) for x in (q, k, v))
        out = _kernel(*heads, mask=allowed, is_causal=causal)
        if allowed is not None:  # a query that may see no key gets zeros
            seen = allowed & _earlier(q, k) if causal else allowed
            seen = jnp.swapaxes(seen.any(-1), 1, 2)[..., None]  # (batch, queries, heads, 1)
            out = jnp.where(seen, out, 0)
        return out.reshape(q.shape).astype(jnp.float32)

    return jax.vjp(attention, q, k, v)


_kernel = functools.partial(jax.nn.dot_product_attention, implementation="cudnn")


def _by_heads(x, num_heads):
    return x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)


def _earlier(q, k):
    return jnp.tri(q.shape[1], k.shape[1], dtype=bool)


@functools.cache
def _is_there() -> bool:
    """Whether this card, with this cuDNN and this JAX, runs the kernel forward and backward."""
    try:
        with jax.ensure_compile_time_eval():  # also where a step is being traced: it really runs
            q = jnp.ones((1, 16, 1, 16), jnp.bfloat16)
            out, pull_back = jax.vjp(functools.partial(_kernel, is_causal=True), q, q, q)
            jax.block_until_ready(pull_back(out))
    except Exception:  # of JAX, of XLA, of the driver: whatever it is, do without
        return False
    return True
