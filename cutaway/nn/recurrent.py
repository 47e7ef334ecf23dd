"""Recurrent layers: stacks of the operations in ops/recurrence.py, in one or both directions.

Each takes (batch, time, features) and returns the outputs of all steps and the final state.
In a Sequential, `LastStep()` or `AllSteps()` selects what is passed on:

    Sequential(Embedding(5000, 64), LSTM(64, 128), LastStep(), Linear(128, 1))    # one output
    Sequential(Embedding(65, 64), GRU(64, 256), AllSteps(), Linear(256, 65))      # one per step

The state of an RNN or a GRU is a Tensor, that of an LSTM the pair (h, c).

Truncated backpropagation through time: split a long sequence into chunks and pass the state on
without its history:

    state = None
    for x, y in chunks:
        outputs, state = net(x, state)
        loss(head(outputs), y).backward()       # through this chunk only
        optimizer.step()
        state = ct.detach(state)

Weights from PyTorch: transpose weight_ih_l{k} and weight_hh_l{k}; the order of the gates is the
same. For RNN and LSTM bias = bias_ih + bias_hh; for GRU too, except that the last third of bias_hh
is hidden_bias, and the last third of bias is that of bias_ih only.
"""

import functools
import math

import jax
import numpy as np
from jax.core import Tracer

from cutaway import ops
from cutaway.engine import Operation, Tensor
from cutaway.errors import (
    DataError,
    OptionError,
    ShapeError,
    expect_axis,
    expect_integer,
    expect_range,
)
from cutaway.nn import init
from cutaway.nn.drop_rates import survivors
from cutaway.nn.module import Module
from cutaway.nn.random import new_key
from cutaway.nn.state import Buffer, Parameter, Stateful
from cutaway.nn.units import units_along


class Direction(Stateful):
    """The weights of one layer in one direction; all uniform in ±1/√hidden_features."""

    def __init__(self, in_features: int, hidden_features: int, gates: int):
        limit = 1 / math.sqrt(hidden_features)
        width = gates * hidden_features
        self.weight = Parameter(init.uniform((in_features, width), limit))
        self.hidden_weight = Parameter(init.uniform((hidden_features, width), limit))
        self.bias = Parameter(init.uniform((width,), limit))

    hidden_bias: Parameter | None = None  # of a GRU's candidate only


class Recurrent(Module):
    """Base class of RNN, LSTM and GRU: stacked layers in one or both directions.

    A subclass sets its number of gates and the parts of its state, and runs one direction.
    """

    gates: int
    state_parts: tuple[str, ...] = ("h",)

    def __init__(self, in_features, hidden_features, num_layers, bidirectional, dropout):
        name = type(self).__name__
        expect_integer(in_features, what=f"{name}: in_features", least=1)
        expect_integer(hidden_features, what=f"{name}: hidden_features", least=1)
        expect_integer(num_layers, what=f"{name}: num_layers", least=1)
        expect_range(dropout, what=f"{name}: dropout", least=0, below=1)
        if dropout and num_layers == 1:
            raise OptionError(
                f"{name}: dropout={dropout} with one layer",
                expected="num_layers of at least 2: dropout acts between layers",
                fix="omit dropout, or add a Dropout layer after this one",
            )
        self.in_features = in_features
        self.hidden_features = hidden_features
        directions = 2 if bidirectional else 1
        sizes = [in_features] + [directions * hidden_features] * (num_layers - 1)
        self.layers = [self.direction(size) for size in sizes]
        self.reversed_layers = [self.direction(size) for size in sizes] if bidirectional else []
        self.dropout = dropout
        self.key = Buffer(new_key()) if dropout else None

    def direction(self, in_features: int) -> Direction:
        """New weights of one layer in one direction."""
        return Direction(in_features, self.hidden_features, self.gates)

    def run(self, weights: Direction, x, state: tuple, lengths, reverse: bool) -> tuple:
        """(outputs, part of the state, ...) of one direction.

        Args:
            state: its parts, Tensors (batch, hidden) or Nones.
        """
        raise NotImplementedError

    def forward(self, x, state=None, lengths=None):
        batch, time = self._expect_sequence(x)
        lengths = self._expect_lengths(lengths, batch, time)
        states = self._states(state, batch)
        finals = []
        for layer in range(len(self.layers)):
            outputs = []
            for weights, reverse in self._directions(layer):
                output, *final = self.run(weights, x, states[len(finals)], lengths, reverse)
                outputs.append(output)  # (batch, time, hidden)
                finals.append(final)
            x = outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=-1)
            if layer < len(self.layers) - 1:
                x = self._dropped(x)
        parts = [ops.stack(part) for part in zip(*finals, strict=True)]
        return x, tuple(parts) if len(parts) > 1 else parts[0]

    def _dropped(self, x):
        if not self.training or self.key is None:  # without dropout there is no key
            return x
        self.key.data, key = jax.random.split(self.key.data)
        return x * Tensor(survivors(key, self.dropout, x.shape, x.dtype))

    def _directions(self, layer):
        yield self.layers[layer], False
        if self.reversed_layers:
            yield self.reversed_layers[layer], True

    def _expect_sequence(self, x):
        if len(x.shape) != 3:
            raise ShapeError(
                f"{self.label()}: the input has shape {tuple(x.shape)}",
                expected=f"(batch, time, features), here (batch, time, {self.in_features})",
                fix="for a single sequence x[None], for a single feature x[..., None]; for token "
                "ids put an Embedding before this layer",
            )
        expect_axis(x, -1, self.in_features, where=self.label(), name="in_features")
        if x.shape[1] == 0:
            raise ShapeError(
                f"{self.label()}: the input has shape {tuple(x.shape)}, so it has no time steps",
                expected="at least one step along axis 1",
                fix="remove empty sequences, or pad them to one step",
            )
        return x.shape[:2]

    def _expect_lengths(self, lengths, batch, time):
        if lengths is None:
            return None
        lengths = Tensor(lengths)
        if lengths.shape != (batch,):
            raise ShapeError(
                f"{self.label()}: lengths has shape {lengths.shape} for a batch of {batch}",
                expected=f"one length per row, shape ({batch},)",
            )
        if not isinstance(lengths.data, Tracer):  # in compiled code, values are unknown
            values = lengths.numpy()
            wrong = (values < 1) | (values > time) | (values != np.round(values))
            if wrong.any():
                row = int(np.argmax(wrong))
                raise DataError(
                    f"{self.label()}: the length of row {row} is {values[row]:g}",
                    expected=f"integers from 1 to {time}, the size of the time axis",
                    fix="count the valid steps of each row; remove empty rows",
                )
        return lengths

    def _states(self, state, batch) -> list:
        """The parts of the state of each layer and direction, Nones without a state."""
        count = len(self.layers) + len(self.reversed_layers)
        if state is None:
            return [(None,) * len(self.state_parts)] * count
        parts = state if isinstance(state, tuple) else (state,)
        shape = (count, batch, self.hidden_features)
        given = [np.shape(part) for part in parts]
        if given != [shape] * len(self.state_parts):
            names = " and ".join(self.state_parts)
            raise ShapeError(
                f"{self.label()}: the state has shape {' and '.join(map(str, given))}",
                expected=f"{names} of shape {shape}"
                + (", as a tuple" if len(self.state_parts) > 1 else "")
                + ": (num_layers · directions, batch, hidden_features)",
                fix="pass the state that this layer returned for a batch of the same size, or "
                "None for zeros",
            )
        parts = [part if isinstance(part, Tensor) else Tensor(part) for part in parts]
        return [tuple(part[k] for part in parts) for k in range(count)]

    def output_units(self):
        fresh = functools.partial(init.uniform, limit=1 / math.sqrt(self.hidden_features))
        places = []
        for stack in (self.layers, self.reversed_layers):
            for k, weights in enumerate(stack):
                places += [(weights.weight, 1, fresh), (weights.hidden_weight, 1, fresh)]
                # new units say nothing yet to any unit, of this layer or the next one
                places += [(weights.hidden_weight, 0), (weights.weight if k else None, 0)]
                places += [(weights.bias, 0, fresh), (weights.hidden_bias, 0, fresh)]
        return units_along(*places, count=self.hidden_features, sizes=("hidden_features",))

    def input_units(self):
        first = [*self.layers[:1], *self.reversed_layers[:1]]
        return units_along(*((w.weight, 0) for w in first), sizes=("in_features",))

    def describe(self):
        options = [f"{self.in_features}, {self.hidden_features}"]
        if len(self.layers) > 1:
            options.append(f"num_layers={len(self.layers)}")
        if self.reversed_layers:
            options.append("bidirectional=True")
        if self.dropout:
            options.append(f"dropout={self.dropout}")
        return ", ".join(options)


class RNN(Recurrent):
    """Elman network: h_t = act(x_t W + h_{t-1} U + b).

    Args:
        in_features: size of the last axis of x.
        hidden_features: size of the state and, in one direction, of the output.
        num_layers: number of stacked layers.
        activation: ops.tanh, ops.relu, or another elementwise operation.
        bidirectional: adds a second stack that reads backwards; outputs are concatenated.
        dropout: fraction of units dropped between layers in training.

    Shapes:
        x: (batch, time, in_features)
        state: (num_layers · directions, batch, hidden_features), layer by layer, in each the
            forward direction first; None for zeros
        lengths: (batch,), number of valid steps of each row; None: all. Padded steps leave the
            state unchanged and output 0; the backward direction starts at the last valid step.
        returns: outputs (batch, time, hidden_features · directions), and the state after the last
            valid step, as above

    Parameters:
        layers.k.weight: (in_features, hidden_features), from the second layer on
            (hidden_features · directions, hidden_features)
        layers.k.hidden_weight: (hidden_features, hidden_features)
        layers.k.bias: (hidden_features,)
        reversed_layers.k...: the same for the backward direction.
        All uniform in ±1/√hidden_features.

    References:
        Elman 1990, "Finding structure in time", Cognitive Science 14.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> outputs, state = ct.RNN(3, 4)(np.ones((2, 5, 3)))
        >>> outputs.shape, state.shape
        ((2, 5, 4), (1, 2, 4))
    """

    layer_kind = "recurrent"

    gates = 1

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        activation: Operation = ops.tanh,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ):
        if not isinstance(activation, Operation) or len(activation.input_names) != 1:
            raise OptionError(
                f"RNN: activation is {activation!r}",
                expected="an elementwise operation with one input",
                fix="for example activation=cutaway.ops.relu",
            )
        super().__init__(in_features, hidden_features, num_layers, bidirectional, dropout)
        self.activation = activation

    def run(self, weights, x, state, lengths, reverse):
        return ops.rnn(
            x,
            weights.weight,
            weights.hidden_weight,
            weights.bias,
            *state,
            activation=self.activation,
            lengths=lengths,
            reverse=reverse,
        )

    def describe(self):
        if self.activation is ops.tanh:
            return super().describe()
        return f"{super().describe()}, activation={self.activation.name}"


class LSTM(Recurrent):
    """Long short-term memory, Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al.

    The equations are in ops.lstm. The state is the pair (h, c): `outputs, (h, c) = lstm(x)`.

    Args:
        in_features: size of the last axis of x.
        hidden_features: size of h and c and, in one direction, of the output.
        num_layers: number of stacked layers.
        forget_bias: added to the initial bias of the forget gate; with 1 the cell remembers from
            the start [2].
        bidirectional: adds a second stack that reads backwards; outputs are concatenated.
        dropout: fraction of units dropped between layers in training.

    Shapes:
        x: (batch, time, in_features)
        state: the tuple (h, c), each (num_layers · directions, batch, hidden_features), layer by
            layer, in each the forward direction first; None for zeros
        lengths: (batch,), number of valid steps of each row; None: all. Padded steps leave the
            state unchanged and output 0; the backward direction starts at the last valid step.
        returns: outputs (batch, time, hidden_features · directions), and the state after the last
            valid step, as above

    Parameters:
        layers.k.weight: (in_features, 4 · hidden_features), gates in the order input, forget,
            candidate, output; from the second layer on (hidden_features · directions, ...)
        layers.k.hidden_weight: (hidden_features, 4 · hidden_features)
        layers.k.bias: (4 · hidden_features,)
        reversed_layers.k...: the same for the backward direction.
        All uniform in ±1/√hidden_features.

    References:
        [1] Gers, Schmidhuber & Cummins 2000, "Learning to forget", Neural Computation 12.
        [2] Jozefowicz, Zaremba & Sutskever 2015, "An empirical exploration of recurrent network
        architectures".

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> outputs, (h, c) = ct.LSTM(3, 4, bidirectional=True)(np.ones((2, 5, 3)))
        >>> outputs.shape, h.shape, c.shape
        ((2, 5, 8), (2, 2, 4), (2, 2, 4))
    """

    layer_kind = "recurrent"

    gates = 4
    state_parts = ("h", "c")

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        forget_bias: float = 0.0,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ):
        self.forget_bias = forget_bias
        super().__init__(in_features, hidden_features, num_layers, bidirectional, dropout)

    def direction(self, in_features):
        weights = super().direction(in_features)
        forget = slice(self.hidden_features, 2 * self.hidden_features)
        weights.bias.data = weights.bias.data.at[forget].add(self.forget_bias)
        return weights

    def run(self, weights, x, state, lengths, reverse):
        return ops.lstm(
            x,
            weights.weight,
            weights.hidden_weight,
            weights.bias,
            *state,
            lengths=lengths,
            reverse=reverse,
        )


class GRU(Recurrent):
    """Gated recurrent unit, Cho et al. 2014; the equations are in ops.gru.

    Args:
        in_features: size of the last axis of x.
        hidden_features: size of the state and, in one direction, of the output.
        num_layers: number of stacked layers.
        bidirectional: adds a second stack that reads backwards; outputs are concatenated.
        dropout: fraction of units dropped between layers in training.

    Shapes:
        x: (batch, time, in_features)
        state: (num_layers · directions, batch, hidden_features), layer by layer, in each the
            forward direction first; None for zeros
        lengths: (batch,), number of valid steps of each row; None: all. Padded steps leave the
            state unchanged and output 0; the backward direction starts at the last valid step.
        returns: outputs (batch, time, hidden_features · directions), and the state after the last
            valid step, as above

    Parameters:
        layers.k.weight: (in_features, 3 · hidden_features), gates in the order reset, update,
            candidate; from the second layer on (hidden_features · directions, ...)
        layers.k.hidden_weight: (hidden_features, 3 · hidden_features)
        layers.k.bias: (3 · hidden_features,)
        layers.k.hidden_bias: (hidden_features,), of the candidate, inside the reset gate
        reversed_layers.k...: the same for the backward direction.
        All uniform in ±1/√hidden_features.

    References:
        Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical
        machine translation", arXiv:1406.1078.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> layer = ct.GRU(3, 4, num_layers=2)
        >>> outputs, state = layer(np.ones((2, 5, 3)), lengths=np.array([5, 3]))
        >>> outputs.shape, state.shape
        ((2, 5, 4), (2, 2, 4))
    """

    layer_kind = "recurrent"

    gates = 3

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__(in_features, hidden_features, num_layers, bidirectional, dropout)

    def direction(self, in_features):
        weights = super().direction(in_features)
        limit = 1 / math.sqrt(self.hidden_features)
        weights.hidden_bias = Parameter(init.uniform((self.hidden_features,), limit))
        return weights

    def run(self, weights, x, state, lengths, reverse):
        return ops.gru(
            x,
            weights.weight,
            weights.hidden_weight,
            weights.bias,
            weights.hidden_bias,
            *state,
            lengths=lengths,
            reverse=reverse,
        )


class AllSteps(Module):
    """Selects the outputs of all steps from the result of a recurrent layer; drops the state.

    Shapes:
        x: (outputs, state)
        y: (batch, time, hidden_features · directions)
    """

    layer_kind = "pooling"
    is_per_feature = True

    def forward(self, x):
        outputs, _ = self._expect_pair(x)
        return outputs

    def _expect_pair(self, x):
        if not (isinstance(x, tuple) and len(x) == 2):
            given = f"a Tensor of shape {tuple(x.shape)}" if isinstance(x, Tensor) else repr(x)
            raise ShapeError(
                f"{self.label()}: the input is {given}",
                expected="(outputs, state), as returned by RNN, LSTM and GRU",
                fix="put it directly after the recurrent layer",
            )
        return x


class LastStep(AllSteps):
    """The last layer's state after the last valid step of each row, both directions concatenated.

    In the forward direction that is the output of the last valid step; in the backward direction
    that of the first step, where it has read the whole row.

    Shapes:
        x: (outputs, state)
        y: (batch, hidden_features · directions)

    Example:
        >>> import numpy as np
        >>> from cutaway.nn import GRU, LastStep, Linear, Sequential
        >>> net = Sequential(GRU(3, 4, bidirectional=True), LastStep(), Linear(8, 1))
        >>> net(np.ones((2, 5, 3))).shape
        (2, 1)
    """

    def forward(self, x):
        outputs, state = self._expect_pair(x)
        h = state[0] if isinstance(state, tuple) else state  # of an LSTM's h and c
        directions = outputs.shape[-1] // h.shape[-1]
        last = [h[k] for k in range(h.shape[0] - directions, h.shape[0])]
        return last[0] if directions == 1 else ops.concatenate(last, axis=-1)
