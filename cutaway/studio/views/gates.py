"""The gates of an LSTM or GRU at each step of the row that is looked at."""

from typing import Any

import jax
import jax.numpy as jnp

from cutaway.explain.gates import MEANINGS
from cutaway.nn import GRU, LSTM, replacing
from cutaway.nn.recurrent import Recurrent
from cutaway.nn.trees import call
from cutaway.studio.sequences import (
    STEPS,
    UNITS,
    about_steps,
    first_step,
    layers_of,
    without_padding,
)
from cutaway.studio.shapes import output_shapes
from cutaway.studio.views.contract import Passes, View


class GatesOverTime(View):
    """Arrays: (time, units) of i, f, o, g, c and h of an LSTM, or of r, z', n and h of a GRU.

    Of stacked layers the last one, and of two directions the forward one.
    """

    name = "gates"
    title = "Gates"
    needs = ("row",)
    has_row = True
    has_layer = True

    def fits(self, scene):
        return bool(self.layers(scene))

    def layers(self, scene):
        return layers_of(scene, (LSTM, GRU))

    def traced(self, passes: Passes, scene):
        layer: Any = passes.program.net.modules()[self.layer(scene)]
        found: dict[str, Any] = {}

        def keep(x, state=None, lengths=None):
            found.update(gates_of(layer, x, state, lengths))
            return type(layer).forward(layer, x, state, lengths)

        with passes.evaluating(), replacing({layer: keep}):
            call(passes.program.net, passes.inputs("row"))
        first = first_step(scene, len(found["h"]))
        return {
            symbol: values[first : first + STEPS, :UNITS].astype(jnp.float32)
            for symbol, values in found.items()
        }

    def header(self, scene, arrays):
        path = self.layer(scene)
        time = output_shapes(scene.program, scene.example())[path][1]
        units = scene.net.modules()[path].hidden_features
        return {
            "layers": self.layers(scene),
            "gates": {symbol: MEANINGS[symbol] for symbol in MEANINGS if symbol in arrays},
            **about_steps(scene, path, time, units),
        }

    def sent(self, scene, arrays):
        return {symbol: without_padding(scene, values) for symbol, values in arrays.items()}


def gates_of(layer: Recurrent, x, state=None, lengths=None) -> dict[str, Any]:
    """{symbol: (time, units)} of the first row: the equations of ops.lstm and ops.gru, all steps.

    Args:
        layer: an LSTM or a GRU, in evaluation mode.
        x, state, lengths: as for its call.
    """
    directions = 2 if layer.reversed_layers else 1
    for k, weights in enumerate(layer.layers[:-1]):
        outputs = [layer.run(weights, x, _state(layer, state, directions * k), lengths, False)[0]]
        if directions == 2:
            own = _state(layer, state, directions * k + 1)
            outputs.append(layer.run(layer.reversed_layers[k], x, own, lengths, True)[0])
        x = jnp.concatenate([out.data for out in outputs], axis=-1)
    own = _state(layer, state, directions * (len(layer.layers) - 1))
    weights = layer.layers[-1]
    h = layer.run(weights, x, own, lengths, False)[0].data[0]  # (time, units)
    start = [None if part is None else part.data[0] for part in own]
    first = jnp.zeros_like(h[:1]) if start[0] is None else start[0][None]
    before = jnp.concatenate([first, h[:-1]])
    row = getattr(x, "data", x)[0]  # (time, features)
    z = row @ weights.weight.data + weights.bias.data
    product = before @ weights.hidden_weight.data
    if isinstance(layer, LSTM):
        return _of_lstm(z + product, h, None if start[1] is None else start[1])
    return _of_gru(z, product, weights.hidden_bias, h)


def _of_lstm(z, h, cell) -> dict[str, Any]:
    i, f, g, o = jnp.split(z, 4, axis=-1)
    i, f, o, g = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jax.nn.sigmoid(o), jnp.tanh(g)

    def step(c, gates):
        i, f, g = gates
        c = f * c + i * g
        return c, c

    _, c = jax.lax.scan(step, jnp.zeros_like(h[0]) if cell is None else cell, (i, f, g))
    return {"i": i, "f": f, "o": o, "g": g, "c": c, "h": h}


def _of_gru(z, product, hidden_bias, h) -> dict[str, Any]:
    hidden = h.shape[-1]
    gates = jax.nn.sigmoid(z[:, : 2 * hidden] + product[:, : 2 * hidden])
    r, kept = jnp.split(gates, 2, axis=-1)
    n = jnp.tanh(z[:, 2 * hidden :] + r * (product[:, 2 * hidden :] + hidden_bias.data))
    return {"r": r, "z'": kept, "n": n, "h": h}


def _state(layer: Recurrent, state, place: int) -> tuple:
    """The parts of the state of one layer and direction; Nones without a state."""
    if state is None:
        return (None,) * len(layer.state_parts)
    parts = state if isinstance(state, tuple) else (state,)
    return tuple(part[place] for part in parts)
