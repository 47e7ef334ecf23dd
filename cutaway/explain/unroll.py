"""Composite operations written out: the same values by smaller steps, each with its own rule.

A layer that is one operation for speed (an LSTM over all steps, attention) hides what happens
inside. Here it is computed once more with the operations that its formulas name, so that a path
goes through gates and time steps. Values are compared with those of the original.
"""

import contextlib
import math
import threading

import jax.numpy as jnp

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.nn.rematerialize import recompute_operation


class _Labels(threading.local):
    def __init__(self):
        self.current = None


_labels = _Labels()


@contextlib.contextmanager
def labeling():
    """Context in which unrolled operations note how their intermediate results are called.

    Yields {id(record): (symbol, time step or None)}.
    """
    before, _labels.current = _labels.current, {}
    try:
        yield _labels.current
    finally:
        _labels.current = before


def _label(tensor, symbol, time=None):
    if _labels.current is not None and isinstance(tensor, Tensor) and tensor.record is not None:
        _labels.current[id(tensor.record)] = (symbol, time)
    return tensor


def rnn(x, weight, hidden_weight, bias, h0, *, activation=ops.tanh, lengths=None, reverse=False):
    def step(t, state):
        z = _pre_activation(x, weight, bias, state[0], hidden_weight, t)
        return [_label(activation(_label(z, "z", t)), "h", t)]

    return _over_time(step, x, [h0], hidden_weight, lengths, reverse)


def lstm(x, weight, hidden_weight, bias, h0, c0, *, lengths=None, reverse=False):
    def step(t, state):
        h, c = state
        z = _label(_pre_activation(x, weight, bias, h, hidden_weight, t), "z", t)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f, o = (
            _label(ops.sigmoid(gate), name, t) for gate, name in ((i, "i"), (f, "f"), (o, "o"))
        )
        g = _label(ops.tanh(g), "g", t)
        new = i * g if c is None else f * c + i * g
        c = _label(new, "c", t)
        return [_label(o * ops.tanh(c), "h", t), c]

    return _over_time(step, x, [h0, c0], hidden_weight, lengths, reverse)


def gru(x, weight, hidden_weight, bias, hidden_bias, h0, *, lengths=None, reverse=False):
    hidden = hidden_weight.shape[0]

    def step(t, state):
        (h,) = state
        z = x[:, t] @ weight + bias
        inner = hidden_bias
        gates = z[:, : 2 * hidden]
        if h is not None:
            product = h @ hidden_weight
            gates = gates + product[:, : 2 * hidden]
            inner = product[:, 2 * hidden :] + hidden_bias
        r, u = ops.split(_label(gates, "z", t), 2, axis=-1)
        r, u = _label(ops.sigmoid(r), "r", t), _label(ops.sigmoid(u), "z'", t)
        n = _label(ops.tanh(z[:, 2 * hidden :] + r * inner), "n", t)
        new = (1 - u) * n if h is None else (1 - u) * n + u * h
        return [_label(new, "h", t)]

    return _over_time(step, x, [h0], hidden_weight, lengths, reverse)


def _pre_activation(x, weight, bias, h, hidden_weight, t):
    z = x[:, t] @ weight
    if h is not None:  # a state of zeros at the start is left out: nothing flows through it
        z = z + h @ hidden_weight
    return z + bias


def _over_time(step, x, state, hidden_weight, lengths, reverse):
    batch, time = x.shape[:2]
    zeros = jnp.zeros((batch, hidden_weight.shape[0]), x.dtype)
    outputs = [None] * time
    for t in reversed(range(time)) if reverse else range(time):
        new = step(t, state)
        if lengths is None:
            outputs[t] = new[0]
        else:
            valid = (t < jnp.asarray(lengths))[:, None]
            outputs[t] = ops.where(valid, new[0], zeros)
            new = [
                ops.where(valid, after, zeros if before is None else before)
                for after, before in zip(new, state, strict=True)
            ]
        state = new
    return ops.stack([*outputs, *state], axis=1)


def attention(q, k, v, *, num_heads=1, mask=None, causal=False, dropout=0.0, key=None):
    q, k, v = (_split_heads(part, num_heads) for part in (q, k, v))
    last = k.ndim - 1
    turned = k.transpose((*range(last - 1), last, last - 1))
    scores = _label(q @ turned / math.sqrt(q.shape[-1]), "s")
    allowed = jnp.ones(scores.shape[-2:], bool)
    if causal:
        allowed = jnp.tril(allowed)
    if mask is not None:
        allowed = allowed & jnp.asarray(mask)
    allowed = jnp.broadcast_to(allowed, scores.shape)
    if not bool(allowed.all()):
        scores = ops.where(allowed, scores, jnp.asarray(-1e30, scores.dtype))
    weights = _label(ops.softmax(scores), "p")
    if not bool(allowed.all()):
        weights = ops.where(allowed, weights, jnp.zeros((), weights.dtype))
    return _merge_heads(_label(weights @ v, "o"))


def _split_heads(x, heads):
    # (..., positions, features) -> (..., heads, positions, d)
    *rest, positions, features = x.shape
    x = ops.reshape(x, shape=(*rest, positions, heads, features // heads))
    n = len(rest)
    return ops.transpose(x, axes=(*range(n), n + 1, n, n + 2))


def _merge_heads(x):
    *rest, heads, positions, d = x.shape
    n = len(rest)
    x = ops.transpose(x, axes=(*range(n), n + 1, n, n + 2))
    return ops.reshape(x, shape=(*rest, positions, heads * d))


def _affine(x, weight, bias):
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def normalize(x, mean, variance, weight, bias, *, eps=1e-5):
    return _affine((x - mean) / ops.sqrt(variance + eps), weight, bias)


def layer_norm(x, weight, bias, *, eps=1e-5):
    return _affine(ops.layer_norm(x, None, None, eps=eps), weight, bias)


def rms_norm(x, weight, *, eps=1e-6):
    return _affine(ops.rms_norm(x, None, eps=eps), weight, None)


def group_norm(x, weight, bias, *, num_groups, eps=1e-5):
    return _affine(ops.group_norm(x, None, None, num_groups=num_groups, eps=eps), weight, bias)


def instance_norm(x, weight, bias, *, eps=1e-5):
    return _affine(ops.instance_norm(x, None, None, eps=eps), weight, bias)


def batch_norm(x, weight, bias, *, eps=1e-5):
    return _affine(ops.batch_norm(x, None, None, eps=eps), weight, bias)


def recompute(*inputs, block, count, precision):
    return block.inner(*inputs[:count])


_NORMS = (layer_norm, rms_norm, group_norm, instance_norm, batch_norm)
UNROLLED = {
    **{getattr(ops, f.__name__): f for f in (rnn, lstm, gru, attention, normalize, *_NORMS)},
    recompute_operation: recompute,
}
# what happens in these is named by labels alone
LABELED = (rnn, lstm, gru, attention)


def unrolled(record):
    """The function that writes a record's operation out, or None if it is as small as it gets."""
    function = UNROLLED.get(record.operation)
    if function in _NORMS and all(x is None for x in record.inputs[1:]):
        return None  # the bare normalization, without γ and β
    return function
