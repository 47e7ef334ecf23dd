"""hidden_states and attention_maps: the states of a recurrent layer, and attention weights."""

import dataclasses

import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import OptionError, ShapeError, counted
from cutaway.explain.batching import run_one
from cutaway.explain.layerwise import find_layer, frozen, output_of, plain_forward, replaced
from cutaway.nn import GRU, LSTM, RNN, Module, MultiHeadAttention
from cutaway.nn.trees import call, map_leaves
from cutaway.story import panels
from cutaway.story.text import WIDTH, Story, align, number

RECURRENT = (RNN, LSTM, GRU)
LINES = 24  # steps or tokens in a text
HEADS, LAYERS = 8, 6  # in a plot
SATURATED = 0.99


def hidden_states(net: Module, x, layer=None, *, names=None) -> "HiddenStates":
    """The state of a recurrent layer after each step of one sequence.

    Args:
        x: one input, with or without its batch axis; of several inputs a tuple or dict.
        layer: path of the layer, or the layer; None: the last recurrent one. It returns
            (batch, time, features), alone or as the first of several results.
        names: of the steps, for example the tokens; steps after the last name are omitted.

    Example:
        >>> import numpy as np
        >>> from cutaway.explain import hidden_states
        >>> from cutaway.nn import GRU, LastStep, Linear, Sequential
        >>> net = Sequential(GRU(3, 5), LastStep(), Linear(5, 1))
        >>> hidden_states(net, np.ones((7, 3))).values.shape
        (7, 5)
    """
    with frozen(net):
        path, module = find_layer(net, layer, RECURRENT, what="recurrent layer", last=True)
        out, _, _ = output_of(net, module, path, x)
        if out.ndim != 3:
            raise OptionError(
                f"layer {path!r}, {type(module).__name__}, returns shape {out.shape}",
                expected="a layer that returns (batch, time, features)",
                fix="choose an RNN, LSTM or GRU, as in net.summary()",
            )
        values = out.numpy()[0]
    if names is not None:
        names = _expect_names(names, len(values), "step")
        values = values[: len(names)]
    return HiddenStates(path, type(module).__name__, values, names)


@dataclasses.dataclass(frozen=True, repr=False)
class HiddenStates(Story):
    """The state of a recurrent layer after each step of a sequence.

    Attributes:
        layer: path of the layer.
        kind: its class.
        values: (time, units).
        names: of the steps, or None.
    """

    layer: str
    kind: str
    values: np.ndarray
    names: list | None = None

    def moves(self) -> np.ndarray:
        """(time,) change of the state in each step: |h_t - h_{t-1}|, with h_0 = 0."""
        return np.sqrt((np.diff(self.values, axis=0, prepend=0.0) ** 2).sum(axis=1))

    def text(self, width: int = WIDTH) -> str:
        time, units = self.values.shape
        moves = self.moves()
        lines = [
            f"Hidden states of layer {self.layer}, {self.kind}: {units} units over {time} steps",
            "Change of the state in each step, |h_t - h_(t-1)|:",
            "",
        ]
        shown = np.arange(time)
        if time > LINES:
            shown = np.sort(np.argsort(-moves, kind="stable")[:LINES])
        rows = [[f"{t}", panels.cut(self._step(t), 20), number(moves[t])] for t in shown]
        aligned = align(rows, sides="><>")
        room = width - max(map(len, aligned)) - 2
        largest = moves.max() or 1.0
        for line, t in zip(aligned, shown, strict=True):
            lines.append(f"{line}  {'*' * round(float(moves[t] / largest) * room)}".rstrip())
        if time > LINES:
            lines.append(f"({time - LINES} more steps, with smaller changes)")
        full = np.mean(np.abs(self.values) > SATURATED)
        constant = int(np.sum(np.ptp(self.values, axis=0) == 0)) if time > 1 else 0
        lines += ["", f"saturated (beyond ±{SATURATED}): {100 * full:.1f}% of the states"]
        if constant:
            lines.append(f"constant over all steps: {constant} of {units} units")
        return "\n".join(lines)

    def _step(self, t):
        return "" if self.names is None else self.names[t]

    def to_dict(self) -> dict:
        return {
            "layer": self.layer,
            "kind": self.kind,
            "names": self.names,
            "values": self.values.tolist(),
            "moves": self.moves().tolist(),
        }

    def plot(self, axes=None):
        """Units downwards, time to the right."""
        return panels.heat_map(
            axes,
            self.values.T,
            title=f"layer {self.layer}, {self.kind}: hidden states",
            down="unit",
            along="time step" if self.names is None else "",
            color_label="state",
            names=self.names,
        )

    def html(self) -> str:
        return panels.as_svg(self.plot(), f"hidden states of layer {self.layer}")


def attention_maps(net: Module, x, layer=None, *, names=None) -> "AttentionMaps":
    """The attention weights for one input, for each layer and head.

    Args:
        x: one input, with or without its batch axis; of several inputs a tuple or dict.
        layer: path of a MultiHeadAttention, or the layer; None: all of them.
        names: of the tokens; tokens after the last name are omitted.

    Example:
        >>> import numpy as np
        >>> from cutaway.explain import attention_maps
        >>> from cutaway.nn import TransformerEncoder
        >>> maps = attention_maps(TransformerEncoder(8, 2, 16, num_layers=1), np.ones((5, 8)))
        >>> {path: weights.shape for path, weights in maps.values.items()}
        {'layers.0.attention': (2, 5, 5)}
    """
    with frozen(net):
        path, module = find_layer(net, layer, MultiHeadAttention, what="attention", last=True)
        if not isinstance(module, MultiHeadAttention):
            raise OptionError(
                f"layer {path!r} is a {type(module).__name__}",
                expected="a MultiHeadAttention",
                fix="omit layer to get all of them",
            )
        paths = {m: p for p, m in net.modules().items() if isinstance(m, MultiHeadAttention)}
        chosen = paths if layer is None else {module: path}
        values = {}

        def keep(attention, *inputs, **named):
            weights = attention.weights(*inputs, **named)
            values[chosen[attention]] = weights.numpy()[0]
            return plain_forward(attention, *inputs, **named)

        def run(batch):
            values.clear()
            with replaced(dict.fromkeys(chosen, keep)):
                return call(net, map_leaves(Tensor, batch))

        run_one(net, x, run)
    if not values:
        raise OptionError(
            f"layer {path!r} did not run for this input",
            expected="an attention that the network's forward calls",
        )
    if names is not None:
        longest = max(weights.shape[-1] for weights in values.values())
        names = _expect_names(names, longest, "token")
        count = len(names)
        values = {path: w[:, :count, :count] for path, w in values.items()}
    return AttentionMaps(values, names)


@dataclasses.dataclass(frozen=True, repr=False)
class AttentionMaps(Story):
    """The attention weights of each layer and head.

    Attributes:
        values: {path of the attention: (heads, queries, keys)}; rows add up to 1 over all keys.
        names: of the tokens, or None.
    """

    values: dict
    names: list | None = None

    def _token(self, k) -> str:
        return str(k) if self.names is None else panels.cut(self.names[k], 12)

    def text(self, width: int = WIDTH) -> str:
        lines = ["Attention: for each token and head, the key with the largest weight"]
        for path, weights in self.values.items():
            heads, queries, _ = weights.shape
            lines += ["", f"layer {path}, {counted(heads, 'head')}"]
            rows = [["token", *(f"head {h}" for h in range(heads))]]
            for q in range(min(queries, LINES)):
                best = weights[:, q].argmax(axis=-1)
                rows.append(
                    [
                        self._token(q),
                        *(
                            f"{self._token(k)} {100 * weights[h, q, k]:.0f}%"
                            for h, k in enumerate(best)
                        ),
                    ]
                )
            entropy = -(weights * np.log(np.where(weights > 0, weights, 1))).sum(axis=-1)
            used = np.exp(entropy).mean(axis=1)
            rows.append(["keys used", *(f"about {number(s, 2)}" for s in used)])
            whole = align(rows)
            fits = heads
            while max(map(len, whole)) > width and fits > 1:
                fits -= 1
                whole = align([row[: fits + 1] for row in rows])
            lines += whole
            if queries > LINES:
                lines.append(f"({queries - LINES} more tokens)")
            if fits < heads:
                lines.append(f"({heads - fits} more heads)")
        return "\n".join(lines)

    def to_dict(self) -> dict:
        return {
            "names": self.names,
            "values": {path: weights.tolist() for path, weights in self.values.items()},
        }

    def plot(self, axes=None):
        """A row for each layer, a picture for each head; queries downwards, keys to the right.

        Args:
            axes: for a single head alone; more make a new figure.
        """
        layers = list(self.values.items())[:LAYERS]
        heads = min(HEADS, max(len(weights) for _, weights in layers))
        tokens = max(weights.shape[1] for _, weights in layers)
        names = self.names if self.names is not None and tokens <= 40 else None
        named = names is not None
        if axes is None:
            side = min(max(1.7, 0.17 * tokens), 4.0) if named else 1.9
            figure = panels.new_figure(
                heads * (side + 0.35 * named) + 1.6, len(layers) * (side + 0.5 + 0.5 * named) + 0.5
            )
            places = figure.subplots(len(layers), heads, squeeze=False)
        else:
            if heads * len(layers) != 1:
                raise OptionError(
                    f"one axes for {len(layers)} layers of {heads} heads",
                    expected="axes=None, for a figure of its own",
                )
            places = np.array([[axes]])
        for level, (path, weights) in enumerate(layers):
            row = places[level]
            for h, place in enumerate(row):
                if h >= len(weights):
                    place.set_axis_off()
                    continue
                drawn = place.imshow(
                    weights[h], cmap=panels.amount_map(), vmin=0, vmax=1, interpolation="nearest"
                )
                panels.bare(place)
                place.set_title(panels.plain(f"{path}\nhead {h}"), fontsize=8)
                if names is not None:
                    panels.name_ticks(place.xaxis, names[: weights.shape[2]], most=40)
                if names is not None and h == 0:
                    panels.name_ticks(place.yaxis, names[: weights.shape[1]], most=40)
                if h == 0:
                    place.set_ylabel("query")
                if level == len(layers) - 1:
                    place.set_xlabel("key")
        places[0, 0].figure.colorbar(drawn, ax=places, shrink=0.8).set_label("weight")
        return places if axes is None else axes

    def html(self) -> str:
        return panels.as_svg(self.plot(), "attention maps")


def _expect_names(names, count, what) -> list:
    if not 1 <= len(names) <= count:
        raise ShapeError(
            f"{len(names)} names for {count} {what}s",
            expected=f"a name for each {what}, or for all but the padding at the end",
        )
    return [str(name) for name in names]
