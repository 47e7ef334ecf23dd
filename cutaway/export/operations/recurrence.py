"""Recurrent layers, in ONNX."""

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError
from cutaway.export.operations.registry import exports


@exports(ops.rnn)
def _rnn(
    g, x, weight, hidden_weight, bias, h0, *, activation=ops.tanh, lengths=None, reverse=False
):
    kinds = {ops.tanh: "Tanh", ops.relu: "Relu", ops.sigmoid: "Sigmoid"}
    if activation not in kinds:
        raise OptionError(
            f"an RNN with the activation {activation.name} cannot be written in ONNX",
            expected="tanh, relu or sigmoid",
        )
    parts = _recurrent(g, "RNN", x, (weight, hidden_weight, bias), None, (0,), [h0], lengths,
                       reverse, activations=[kinds[activation]])  # fmt: skip
    return g.out("Concat", *parts, axis=1)


@exports(ops.lstm)
def _lstm(g, x, weight, hidden_weight, bias, h0, c0, *, lengths=None, reverse=False):
    # ours: input, forget, candidate, output; ONNX: input, output, forget, candidate
    parts = _recurrent(g, "LSTM", x, (weight, hidden_weight, bias), None, (0, 3, 1, 2), [h0, c0],
                       lengths, reverse)  # fmt: skip
    return g.out("Concat", *parts, axis=1)


@exports(ops.gru)
def _gru(g, x, weight, hidden_weight, bias, hidden_bias, h0, *, lengths=None, reverse=False):
    # ours: reset, update, candidate; ONNX: update, reset, candidate
    parts = _recurrent(g, "GRU", x, (weight, hidden_weight, bias), hidden_bias, (1, 0, 2), [h0],
                       lengths, reverse, linear_before_reset=1)  # fmt: skip
    return g.out("Concat", *parts, axis=1)


def _recurrent(g, kind, x, weights, hidden_bias, order, states, lengths, reverse, **attributes):
    """Names of the outputs (batch, time, hidden), and of each final state (batch, 1, hidden)."""
    if any(w.array is None for w in weights):
        raise OptionError(f"a {kind} whose weights are computed", expected="fixed weights")
    weight, hidden_weight, bias = (w.array for w in weights)
    hidden = hidden_weight.shape[0]

    def gates(array):
        return np.concatenate([np.split(array, len(order), -1)[i] for i in order], -1)

    second = np.zeros_like(bias)
    if hidden_bias is not None:
        second[2 * hidden :] = hidden_bias.array
    both = np.concatenate([gates(bias), second])  # the candidate stands last in both orders
    w, r = (gates(a).T[None] for a in (weight, hidden_weight))
    time_first = g.node("Transpose", x, perm=[1, 0, 2])
    starts = [None if s is None else g.node("Unsqueeze", s, g.constant(np.array([0])))
              for s in states]  # fmt: skip
    ends = None if lengths is None else g.cast(lengths, np.int32)
    outs = g.node(
        kind, time_first, g.constant(w, weights[0].hint or "constant"),
        g.constant(r, weights[1].hint or "constant"), g.constant(both[None]), ends, *starts,
        outputs=1 + len(states), hidden_size=hidden,
        direction="reverse" if reverse else "forward", **attributes,
    )  # fmt: skip
    # (time, directions = 1, batch, hidden) -> (batch, time, hidden)
    rows = g.node("Squeeze", outs[0], g.constant(np.array([1])))
    rows = g.node("Transpose", rows, perm=[1, 0, 2])
    return [rows, *(g.node("Transpose", final, perm=[1, 0, 2]) for final in outs[1:])]
