"""Multi-head attention; the formulas and derivatives are in ops/dot_product_attention.py.

Masks are boolean, and True means that a key may be attended to (such as `tokens != padding`), as in
JAX and Keras. PyTorch's key_padding_mask is the opposite.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import OptionError, ShapeError, expect_axis, expect_integer, expect_range
from cutaway.nn import init
from cutaway.nn.layers import Linear
from cutaway.nn.module import Module
from cutaway.nn.random import new_key
from cutaway.nn.state import Buffer


class MultiHeadAttention(Module):
    """Attention with several parallel heads, each with its own projections.

    head_h = softmax(q_h k_hᵀ / √d) v_h with q = x W_q + b_q, k = c W_k + b_k, v = c W_v + b_v;
    y = [head_1, ..., head_H] W_o + b_o. Without a context c, c = x: self-attention.

    Args:
        features: size of the last axis of x, c and y.
        num_heads: H; divides features, d = features / H.
        causal: a position attends only to itself and earlier ones.
        rotary: queries and keys are rotated by their positions (RoFormer), so scores depend on
            relative positions; self-attention only.
        dropout: probability of dropping an attention weight in training.
        bias: whether there are b_q, b_k, b_v and b_o.

    Shapes:
        x: (batch, queries, features)
        context: (batch, keys, features); None: x
        padding_mask: booleans (batch, keys), False for padding
        mask: booleans (queries, keys), (batch, queries, keys) or (batch, 1 or H, queries, keys),
            True where a key may be attended to
        y: (batch, queries, features); 0 W_o + b_o for a query that may attend to no key

    Parameters:
        query_key_value: Linear; its columns are W_q, W_k and W_v, each Glorot uniform.
        out: Linear, W_o.

    References:
        Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762, sec. 3.2.2.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> layer = ct.MultiHeadAttention(8, 2)
        >>> x = np.ones((3, 5, 8), np.float32)
        >>> layer(x).shape, layer.weights(x).shape
        ((3, 5, 8), (3, 2, 5, 5))
    """

    layer_kind = "attention"

    keeps_features = True

    def __init__(
        self,
        features: int,
        num_heads: int,
        *,
        causal: bool = False,
        rotary: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
    ):
        expect_integer(features, what="MultiHeadAttention: features", least=1)
        expect_integer(num_heads, what="MultiHeadAttention: num_heads", least=1)
        expect_range(dropout, what="MultiHeadAttention: dropout", least=0, below=1)
        _expect_heads(features, num_heads, rotary)
        self.query_key_value = Linear(features, 3 * features, bias=bias, init=_side_by_side)
        self.out = Linear(features, features, bias=bias)
        self.num_heads = num_heads
        self.causal = causal
        self.rotary = rotary
        self.dropout = dropout
        self.key = Buffer(new_key())

    def forward(self, x, context=None, padding_mask=None, mask=None):
        q, k, v = self._project(x, context)
        dropping = {}
        if self.training and self.dropout:
            self.key.data, key = jax.random.split(self.key.data)
            dropping = {"dropout": self.dropout, "key": key}
        out = ops.attention(
            q,
            k,
            v,
            num_heads=self.num_heads,
            mask=self._joined(padding_mask, mask, q, k),
            causal=self.causal,
            **dropping,
        )
        return self.out(out)

    def weights(self, x, context=None, padding_mask=None, mask=None) -> Tensor:
        """(batch, heads, queries, keys): the attention weights."""
        x, context, padding_mask, mask = (
            a if a is None or isinstance(a, Tensor) else Tensor(a)
            for a in (x, context, padding_mask, mask)
        )
        q, k, _ = self._project(x, context)
        return ops.attention_weights(
            q,
            k,
            num_heads=self.num_heads,
            mask=self._joined(padding_mask, mask, q, k),
            causal=self.causal,
        )

    def _project(self, x, context):
        features = self.out.weight.shape[0]
        for tensor in (x,) if context is None else (x, context):
            expect_axis(tensor, -1, features, where=self.label(), name="features")
            if tensor.ndim != 3:
                raise ShapeError(
                    f"{self.label()}: an input of shape {tensor.shape}",
                    expected=f"(batch, tokens, {features})",
                    fix="add the missing axis; for a single example: x[None]",
                )
        if context is None:  # one product for all three
            q, k, v = ops.split(self.query_key_value(x), 3, axis=-1)
        else:
            if self.rotary:
                raise OptionError(
                    f"{self.label()}: rotary positions with a context",
                    expected="self-attention, where queries and keys have the same positions",
                    fix="build the layer with rotary=False for cross-attention",
                )
            if len(context) != len(x):
                raise ShapeError(
                    f"{self.label()}: the input has shape {x.shape}, the context {context.shape}",
                    expected="equal batch sizes",
                )
            weight, bias = self.query_key_value.weight, self.query_key_value.bias
            q = x @ weight[:, :features]
            kv = context @ weight[:, features:]
            if bias is not None:
                q, kv = q + bias[:features], kv + bias[features:]
            k, v = ops.split(kv, 2, axis=-1)
        if self.rotary:
            q, k = (ops.rotary(a, num_heads=self.num_heads) for a in (q, k))
        return q, k, v

    def _joined(self, padding_mask, mask, q, k):
        """One mask that broadcasts to (batch, heads, queries, keys), or None."""
        batch, queries, keys = q.shape[0], q.shape[1], k.shape[1]
        joined = None
        if mask is not None:
            shapes = {2: (queries, keys), 3: (batch, queries, keys)}
            fits = mask.shape == shapes.get(mask.ndim) or (
                mask.ndim == 4
                and mask.shape[0] in (1, batch)
                and mask.shape[1] in (1, self.num_heads)
                and mask.shape[2:] == (queries, keys)
            )
            if not fits:
                raise ShapeError(
                    f"{self.label()}: the mask has shape {mask.shape}",
                    expected=f"(queries, keys) = {(queries, keys)}, (batch, queries, keys) = "
                    f"{(batch, queries, keys)}, or (batch, 1 or heads, queries, keys)",
                    fix="pass a mask of the keys only as padding_mask",
                )
            _expect_booleans(mask, self.label(), "mask")
            joined = mask.data[:, None] if mask.ndim == 3 else mask.data
        if padding_mask is not None:
            if padding_mask.shape != (batch, keys):
                raise ShapeError(
                    f"{self.label()}: the padding mask has shape {padding_mask.shape}",
                    expected=f"(batch, keys) = {(batch, keys)}",
                    fix="pass one boolean per token, False for padding",
                )
            _expect_booleans(padding_mask, self.label(), "padding mask")
            keys_mask = padding_mask.data[:, None, None, :]
            joined = keys_mask if joined is None else joined & keys_mask
        return joined

    def describe(self):
        options = [f"{self.out.weight.shape[0]}, {self.num_heads}"]
        options += [f"{name}=True" for name in ("causal", "rotary") if getattr(self, name)]
        return ", ".join(options)


def _side_by_side(shape) -> np.ndarray:
    """Three square matrices, each initialized separately with its own fans."""
    size = shape[0]
    return np.concatenate([init.glorot_uniform((size, size)) for _ in range(3)], axis=1)


def _expect_heads(features, num_heads, rotary):
    if features % num_heads:
        raise OptionError(
            f"MultiHeadAttention: {features} features in {num_heads} heads",
            expected="a number of heads that divides the features",
            fix=f"choose num_heads from "
            f"{', '.join(str(d) for d in range(1, features + 1) if features % d == 0)}",
        )
    if rotary and (features // num_heads) % 2:
        raise OptionError(
            f"MultiHeadAttention: rotary positions with {features // num_heads} features per head",
            expected="an even number of features per head, since they are rotated in pairs",
            fix="choose features and num_heads so that features / num_heads is even",
        )


def _expect_booleans(mask, where, name):
    if mask.dtype != jnp.bool_:
        raise OptionError(
            f"{where}: the {name} has dtype {mask.dtype}",
            expected="booleans, True where a key may be attended to",
            fix="compare, for example tokens != 0; for a mask of 0 and -inf use mask == 0",
        )
