"""Recurrent layers over a whole sequence: one operation for one layer and one direction.

All three have the same plan. The inputs of all steps are projected by one matrix product, outside
the loop; a step then multiplies only the hidden state. Backward through time (Werbos 1990) the loop
runs the other way and leaves ∂L/∂(pre-activation) of every step in one array `dz`, from which one
matrix product each gives the gradients of the weights and of the input:

    ∂L/∂W = Σ_t x_tᵀ dz_t,    ∂L/∂U = Σ_t h_{t-1}ᵀ dz_t,    ∂L/∂b = Σ_t dz_t,    ∂L/∂x_t = dz_t Wᵀ

The gates of a step stand side by side in one array, so that a step is one product.

**Lengths.** Row k of a batch has `lengths[k]` valid steps; after them its state stays as it is, its
outputs are 0, and no gradient arises. With `reverse=True` the steps are taken from the last to the
first. The padded steps then come first, where the state still is the initial one, so that each row
is read backwards within its valid part.

**Results.** An operation gives one array, so the final states are further rows after the outputs:
(batch, time + 1, hidden), for the LSTM (batch, time + 2, hidden).
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from cutaway.engine import as_array, operation
from cutaway.ops.activations import tanh

# The loops are compiled also where the operation is called eagerly: without jit, JAX would compile
# a loop anew at each call.


@operation(saves=True)
def rnn(x, weight, hidden_weight, bias, h0, *, activation=tanh, lengths=None, reverse=False):
    """Elman's recurrence: h_t = act(x_t W + h_{t-1} U + b).

    Args:
        h0: the state before the first step; None for zeros.
        activation: an elementwise Operation, whose own rule serves backward: tanh, relu.
        lengths: valid steps of each row, whole numbers; None if all are.
        reverse: from the last step to the first.

    Shapes:
        x: (batch, time, features)
        weight, hidden_weight: (features, hidden), (hidden, hidden)
        bias: (hidden,)
        h0: (batch, hidden)
        lengths: (batch,)
        out: (batch, time + 1, hidden): the outputs, then the final state

    References:
        Elman 1990, "Finding structure in time", Cognitive Science 14.
    """
    return _rnn(x, weight, hidden_weight, bias, h0, _array(lengths), activation, reverse)


@functools.partial(jax.jit, static_argnames=("activation", "reverse"))
def _rnn(x, weight, hidden_weight, bias, h0, lengths, activation, reverse):
    time = x.shape[1]
    projected = _projected(x, weight, bias)  # (batch, time, hidden)
    valid = _valid(lengths, time)
    h = _state(h0, projected, hidden_weight)
    zs = jnp.zeros_like(projected)
    hs = jnp.zeros_like(projected)

    def step(k, carried):
        h, zs, hs = carried
        t = time - 1 - k if reverse else k
        z = _at(projected, t) + h @ hidden_weight
        h = _where(valid, t, activation.forward(z), h)
        return h, _put(zs, z, t), _put(hs, h, t)

    h, zs, hs = lax.fori_loop(0, time, step, (h, zs, hs))
    return _outputs(hs, valid, h), (zs, hs)


@rnn.backward
def rnn_backward(
    grad,
    out,
    saved,
    x,
    weight,
    hidden_weight,
    bias,
    h0,
    *,
    activation=tanh,
    lengths=None,
    reverse=False,
):
    lengths = _array(lengths)
    dz, dh0 = _rnn_backward(grad, saved, hidden_weight, lengths, activation, reverse)
    hidden_before = _before(saved[1], h0, reverse)
    dx, dw, du, db = _of_products(dz, dz, x, weight, hidden_before)
    return dx, dw, du, db, None if h0 is None else dh0


@functools.partial(jax.jit, static_argnames=("activation", "reverse"))
def _rnn_backward(grad, saved, hidden_weight, lengths, activation, reverse):
    zs, hs = saved
    time = zs.shape[1]
    valid = _valid(lengths, time)
    transposed = hidden_weight.T

    def step(k, carried):
        dh, dzs = carried
        t = k if reverse else time - 1 - k
        # dz = (∂L/∂h_t from the output and from step t + 1) act'(z), and h_{t-1} takes dz Uᵀ
        arrived = dh + _at(grad, t)
        dz = _where(valid, t, activation.rule(arrived, _at(hs, t), _at(zs, t)), 0)
        return _where(valid, t, dz @ transposed, dh), _put(dzs, dz, t)

    dh, dz = lax.fori_loop(0, time, step, (grad[:, time], jnp.zeros_like(zs)))
    return dz, dh


@operation(saves=True)
def lstm(x, weight, hidden_weight, bias, h0, c0, *, lengths=None, reverse=False):
    """Long short-term memory with a forget gate:

        i, f, g, o = x_t W + h_{t-1} U + b       in this order along the last axis
        i, f, o = σ(i), σ(f), σ(o);  g = tanh(g)
        c_t = f c_{t-1} + i g                    the cell: what is kept, and what is new
        h_t = o tanh(c_t)

    Args:
        h0, c0: hidden state and cell before the first step; None for zeros.
        lengths: valid steps of each row, whole numbers; None if all are.
        reverse: from the last step to the first.

    Shapes:
        x: (batch, time, features)
        weight, hidden_weight: (features, 4·hidden), (hidden, 4·hidden)
        bias: (4·hidden,)
        h0, c0: (batch, hidden)
        lengths: (batch,)
        out: (batch, time + 2, hidden): the outputs, then the final h and the final c

    References:
        Hochreiter & Schmidhuber 1997, "Long short-term memory", Neural Computation 9.
        Gers, Schmidhuber & Cummins 2000, "Learning to forget", Neural Computation 12.
    """
    return _lstm(x, weight, hidden_weight, bias, h0, c0, _array(lengths), reverse)


@functools.partial(jax.jit, static_argnames=("reverse",))
def _lstm(x, weight, hidden_weight, bias, h0, c0, lengths, reverse):
    batch, time, _ = x.shape
    projected = _projected(x, weight, bias)  # (batch, time, 4·hidden)
    valid = _valid(lengths, time)
    h = _state(h0, projected, hidden_weight)
    c = _state(c0, projected, hidden_weight)
    rows = jnp.zeros((batch, time, h.shape[1]), h.dtype)

    def step(k, carried):
        h, c, gates, hs, cs = carried
        t = time - 1 - k if reverse else k
        i, f, g, o = jnp.split(_at(projected, t) + h @ hidden_weight, 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        new_c = f * c + i * g
        h = _where(valid, t, o * jnp.tanh(new_c), h)
        c = _where(valid, t, new_c, c)
        gates = _put(gates, jnp.concatenate([i, f, g, o], axis=-1), t)
        return h, c, gates, _put(hs, h, t), _put(cs, c, t)

    h, c, gates, hs, cs = lax.fori_loop(
        0, time, step, (h, c, jnp.zeros_like(projected), rows, rows)
    )
    return _outputs(hs, valid, h, c), (gates, hs, cs)


@lstm.backward
def lstm_backward(
    grad, out, saved, x, weight, hidden_weight, bias, h0, c0, *, lengths=None, reverse=False
):
    lengths = _array(lengths)
    gates, hs, cs = saved
    cells_before = _before(cs, c0, reverse)
    dz, dh0, dc0 = _lstm_backward(grad, gates, cs, cells_before, hidden_weight, lengths, reverse)
    hidden_before = _before(hs, h0, reverse)
    dx, dw, du, db = _of_products(dz, dz, x, weight, hidden_before)
    return dx, dw, du, db, None if h0 is None else dh0, None if c0 is None else dc0


@functools.partial(jax.jit, static_argnames=("reverse",))
def _lstm_backward(grad, gates, cs, cells_before, hidden_weight, lengths, reverse):
    time = gates.shape[1]
    valid = _valid(lengths, time)
    transposed = hidden_weight.T

    def step(k, carried):
        dh, dc, dzs = carried
        t = k if reverse else time - 1 - k
        i, f, g, o = jnp.split(_at(gates, t), 4, axis=-1)
        tanh_c = jnp.tanh(_at(cs, t))
        # h = o tanh(c): the cell takes o (1 - tanh²) of what arrives at h, beside what comes
        # from c_{t+1} = f c_t + ...; the gates take it through σ' = σ (1 - σ), tanh' = 1 - tanh²
        arrived = dh + _at(grad, t)
        to_c = dc + arrived * o * (1 - tanh_c * tanh_c)
        dz = jnp.concatenate(
            [
                to_c * g * i * (1 - i),
                to_c * _at(cells_before, t) * f * (1 - f),
                to_c * i * (1 - g * g),
                arrived * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        dz = _where(valid, t, dz, 0)
        dh = _where(valid, t, dz @ transposed, dh)
        dc = _where(valid, t, to_c * f, dc)
        return dh, dc, _put(dzs, dz, t)

    start = (grad[:, time], grad[:, time + 1], jnp.zeros_like(gates))
    dh, dc, dz = lax.fori_loop(0, time, step, start)
    return dz, dh, dc


@operation(saves=True)
def gru(x, weight, hidden_weight, bias, hidden_bias, h0, *, lengths=None, reverse=False):
    """Gated recurrent unit, the reset gate applied after the product, as in PyTorch and cuDNN:

        r, z, n = x_t W + b                      in this order along the last axis
        r', z', n' = h_{t-1} U
        r, z = σ(r + r'), σ(z + z')              reset, update
        n = tanh(n + r (n' + hidden_bias))       the candidate
        h_t = (1 - z) n + z h_{t-1}

    In the paper r multiplies h_{t-1} before the product, and z is 1 - z.

    Args:
        h0: the state before the first step; None for zeros.
        lengths: valid steps of each row, whole numbers; None if all are.
        reverse: from the last step to the first.

    Shapes:
        x: (batch, time, features)
        weight, hidden_weight: (features, 3·hidden), (hidden, 3·hidden)
        bias, hidden_bias: (3·hidden,), (hidden,)
        h0: (batch, hidden)
        lengths: (batch,)
        out: (batch, time + 1, hidden): the outputs, then the final state

    References:
        Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical
        machine translation", arXiv:1406.1078.
    """
    return _gru(x, weight, hidden_weight, bias, hidden_bias, h0, _array(lengths), reverse)


@functools.partial(jax.jit, static_argnames=("reverse",))
def _gru(x, weight, hidden_weight, bias, hidden_bias, h0, lengths, reverse):
    batch, time, _ = x.shape
    projected = _projected(x, weight, bias)  # (batch, time, 3·hidden)
    valid = _valid(lengths, time)
    h = _state(h0, projected, hidden_weight)
    rows = jnp.zeros((batch, time, h.shape[1]), h.dtype)

    def step(k, carried):
        h, gates, inners, hs = carried
        t = time - 1 - k if reverse else k
        r, z, n = jnp.split(_at(projected, t), 3, axis=-1)
        to_r, to_z, to_n = jnp.split(h @ hidden_weight, 3, axis=-1)
        r, z = jax.nn.sigmoid(r + to_r), jax.nn.sigmoid(z + to_z)
        inner = to_n + hidden_bias
        n = jnp.tanh(n + r * inner)
        h = _where(valid, t, n + z * (h - n), h)
        gates = _put(gates, jnp.concatenate([r, z, n], axis=-1), t)
        return h, gates, _put(inners, inner, t), _put(hs, h, t)

    h, gates, inners, hs = lax.fori_loop(0, time, step, (h, jnp.zeros_like(projected), rows, rows))
    return _outputs(hs, valid, h), (gates, inners, hs)


@gru.backward
def gru_backward(
    grad,
    out,
    saved,
    x,
    weight,
    hidden_weight,
    bias,
    hidden_bias,
    h0,
    *,
    lengths=None,
    reverse=False,
):
    lengths = _array(lengths)
    gates, inners, hs = saved
    hidden_before = _before(hs, h0, reverse)
    dz, dz_hidden, dh0 = _gru_backward(
        grad, gates, inners, hidden_before, hidden_weight, lengths, reverse
    )
    dx, dw, du, db = _of_products(dz, dz_hidden, x, weight, hidden_before)
    hidden = hidden_before.shape[-1]
    d_hidden_bias = jnp.sum(dz_hidden[..., 2 * hidden :], axis=(0, 1))
    return dx, dw, du, db, d_hidden_bias, None if h0 is None else dh0


@functools.partial(jax.jit, static_argnames=("reverse",))
def _gru_backward(grad, gates, inners, hidden_before, hidden_weight, lengths, reverse):
    time = gates.shape[1]
    valid = _valid(lengths, time)
    transposed = hidden_weight.T

    def step(k, carried):
        dh, dzs, dzs_hidden = carried
        t = k if reverse else time - 1 - k
        r, z, n = jnp.split(_at(gates, t), 3, axis=-1)
        # h_t = n + z (h_{t-1} - n), through σ' = σ (1 - σ) and tanh' = 1 - tanh²
        arrived = dh + _at(grad, t)
        to_n = arrived * (1 - z) * (1 - n * n)
        to_z = arrived * (_at(hidden_before, t) - n) * z * (1 - z)
        to_r = to_n * _at(inners, t) * r * (1 - r)
        # the candidate's product with h_{t-1} stands inside r (...), that with x_t does not
        dz = _where(valid, t, jnp.concatenate([to_r, to_z, to_n], axis=-1), 0)
        dz_hidden = _where(valid, t, jnp.concatenate([to_r, to_z, to_n * r], axis=-1), 0)
        dh = _where(valid, t, arrived * z + dz_hidden @ transposed, dh)
        return dh, _put(dzs, dz, t), _put(dzs_hidden, dz_hidden, t)

    start = (grad[:, time], jnp.zeros_like(gates), jnp.zeros_like(gates))
    dh, dz, dz_hidden = lax.fori_loop(0, time, step, start)
    return dz, dz_hidden, dh


def _array(lengths):
    return None if lengths is None else as_array(lengths)


def _projected(x, weight, bias):
    """x W + b of all steps at once: (batch, time, features) -> (batch, time, gates·hidden)."""
    batch, time, features = x.shape
    flat = x.reshape(batch * time, features) @ weight + bias
    return flat.reshape(batch, time, weight.shape[1])


def _state(given, projected, hidden_weight):
    if given is not None:
        return given.astype(projected.dtype)
    return jnp.zeros((projected.shape[0], hidden_weight.shape[0]), projected.dtype)


def _valid(lengths, time):
    """(batch, time, 1): whether a step is within its row's length; None if all are."""
    if lengths is None:
        return None
    return (jnp.arange(time) < lengths[:, None])[..., None]


def _where(valid, t, there, elsewhere):
    return there if valid is None else jnp.where(_at(valid, t), there, elsewhere)


def _at(sequence, t):
    return lax.dynamic_index_in_dim(sequence, t, axis=1, keepdims=False)


def _put(sequence, value, t):
    return lax.dynamic_update_index_in_dim(sequence, value, t, axis=1)


def _outputs(hs, valid, *finals):
    """The outputs, 0 where a step is padded, and the final states as rows after them."""
    outputs = hs if valid is None else jnp.where(valid, hs, 0)
    return jnp.concatenate([outputs, *(final[:, None] for final in finals)], axis=1)


def _before(states, initial, reverse):
    """The state that each step began with: (batch, time, hidden)."""
    first = jnp.zeros_like(states[:, :1]) if initial is None else initial[:, None]
    if reverse:  # padded steps kept the initial state, so the shift is right at every length
        return jnp.concatenate([states[:, 1:], first], axis=1)
    return jnp.concatenate([first, states[:, :-1]], axis=1)


def _of_products(dz, dz_hidden, x, weight, hidden_before):
    """Gradients of x W + b and h U over all steps: of x, W, U and b."""
    batch, time, features = x.shape
    steps = batch * time
    flat = dz.reshape(steps, dz.shape[-1])
    dx = (flat @ weight.T).reshape(x.shape)
    dw = x.reshape(steps, features).T @ flat
    du = hidden_before.reshape(steps, -1).T @ dz_hidden.reshape(steps, -1)
    return dx, dw, du, jnp.sum(flat, axis=0)
