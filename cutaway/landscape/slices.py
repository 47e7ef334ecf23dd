"""loss_surface: the loss around a network, along one or two directions of its parameters."""

import dataclasses
import textwrap
from html import escape

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.errors import OptionError, RunError, ShapeError, did_you_mean, expect_range
from cutaway.landscape.objective import expect_point, network_objective, trained
from cutaway.story.design import BLUE, INK, ORANGE
from cutaway.story.panels import amount_map, new_axes
from cutaway.story.text import Story, align, number

SHADES = " .:-=+*#%@"  # from the lowest to the highest
MAP_WIDTH, MAP_HEIGHT = 61, 21  # characters of a map in a terminal


@dataclasses.dataclass(frozen=True, repr=False)
class LossSurface(Story):
    """Values of a loss at w + a u, or at w + a u + b v.

    Attributes:
        values: (points,), or (points, points) with a row for each b; may contain NaN and infinity.
        steps: (points,): the values of a, and of b.
        loss: its value at w.
        directions: (u,) or (u, v), each {path: array}.
        path: (states, 1 or 2): coordinates (a, b) of the training states, projected onto the
            directions; None if no states were given.
        path_losses: (states,): the loss at the states themselves, not at their projections.
        path_fractions: (states,): the fraction of a state's squared distance from w that lies
            within the slice; NaN for w itself.
    """

    values: np.ndarray
    steps: np.ndarray
    loss: float
    directions: tuple
    path: np.ndarray | None = None
    path_losses: np.ndarray | None = None
    path_fractions: np.ndarray | None = None

    def text(self, width: int = 80) -> str:
        lines = self._map(min(width, MAP_WIDTH)) if self.values.ndim == 2 else self._bars(width)
        parts = [textwrap.fill(self._head(), width), "\n".join(lines)]
        if self.path is not None:
            parts.append(textwrap.fill(self._path_text(), width))
        return "\n\n".join(parts)

    def html(self) -> str:
        """What the picture does not say; `plot` is shown below."""
        told = [self._head(), *([] if self.path is None else [self._path_text()])]
        return "".join(f"<p>{escape(sentence)}</p>" for sentence in told)

    def _head(self) -> str:
        return (
            f"loss along {'two directions' if self.values.ndim == 2 else 'one direction'}, "
            f"{number(self.steps[0], 3)} to {number(self.steps[-1], 3)} times "
            f"{'each' if self.values.ndim == 2 else 'it'} around the parameters: "
            f"{number(self.loss)} at the center, {self._extremes()}"
        )

    def _extremes(self) -> str:
        if not np.isfinite(self.values).any():
            return "with no finite value"
        words = []
        for name, at in (("lowest", np.nanargmin), ("highest", np.nanargmax)):
            found = np.where(np.isfinite(self.values), self.values, np.nan)
            index = np.unravel_index(at(found), found.shape)
            place = ", ".join(number(self.steps[k] + 0.0, 3) for k in reversed(index))
            place = f"({place})" if self.values.ndim == 2 else place
            words.append(f"{name} {number(found[index])} at {place}")
        return ", ".join(words)

    def _map(self, width) -> list:
        """The surface as characters, denser is higher; o marks w, x the training states."""
        columns, rows = min(width, 2 * MAP_WIDTH), MAP_HEIGHT
        across = np.linspace(0, len(self.steps) - 1, columns).round().astype(int)
        down = np.linspace(len(self.steps) - 1, 0, rows).round().astype(int)
        shown = self.values[np.ix_(down, across)]
        finite = shown[np.isfinite(shown)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        fraction = (shown - low) / (high - low or 1.0)
        # NaN and infinity are shown as "?"
        dense = np.clip(np.nan_to_num(fraction) * len(SHADES), 0, len(SHADES) - 1).astype(int)
        cells = np.where(np.isfinite(shown), np.array(list(SHADES))[dense], "?")
        low_end, reach = self.steps[0], self.steps[-1] - self.steps[0]
        marks = [] if self.path is None else [(place, "x") for place in self.path]
        for (a, b), mark in [*marks, ((0.0, 0.0), "o")]:
            column = round((a - low_end) / reach * (columns - 1))
            row = round((1 - (b - low_end) / reach) * (rows - 1))
            if 0 <= column < columns and 0 <= row < rows:
                cells[row, column] = mark
        ends = f'" " {number(low, 3)} to "{SHADES[-1]}" {number(high, 3)}'
        path = "" if self.path is None else ", x the training states"
        return [*("".join(row).rstrip() for row in cells), f"{ends}; o the parameters{path}"]

    def _bars(self, width) -> list:
        middle = len(self.steps) // 2
        stride = -(-len(self.steps) // 21)
        chosen = np.arange(middle % stride, len(self.steps), stride)
        values = self.values[chosen]
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        rows = [
            [number(self.steps[k] + 0.0, 3), number(value)]
            for k, value in zip(chosen, values, strict=True)
        ]
        lines = align(rows, ">>")
        room = width - max(map(len, lines)) - 2
        # bars start at the lowest value shown, so that differences are visible
        fraction = np.nan_to_num((values - low) / (high - low or 1.0), posinf=0, neginf=0)
        return [
            f"{line}  {'#' * round(part * room)}".rstrip()
            for line, part in zip(lines, fraction, strict=True)
        ]

    def _path_text(self) -> str:
        assert self.path is not None and self.path_losses is not None
        assert self.path_fractions is not None
        fractions = self.path_fractions[np.isfinite(self.path_fractions)]
        within = f"{fractions.min():.0%} to {fractions.max():.0%}" if fractions.size else "all"
        return (
            f"training: {len(self.path)} states, loss {number(self.path_losses[0])} to "
            f"{number(self.path_losses[-1])}; {within} of their squared distance from the "
            f"parameters lies in this slice"
        )

    def to_dict(self) -> dict:
        kept = {name: getattr(self, name) for name in ("path", "path_losses", "path_fractions")}
        return {
            "loss": self.loss,
            "steps": self.steps.tolist(),
            "values": self.values.tolist(),
            **{name: None if value is None else value.tolist() for name, value in kept.items()},
        }

    def plot(self, axes=None):
        """One direction: a line; two: filled contours with a color bar; with the training path."""
        axes = new_axes(axes, width=6.4, height=5 if self.values.ndim == 2 else 3.6)
        if self.values.ndim == 2:
            self._plot_contours(axes)
        else:
            self._plot_line(axes)
        axes.locator_params(nbins=6)
        axes.set_xlabel("along the first direction")
        axes.legend(frameon=True, framealpha=0.9, loc="best")
        return axes

    def _plot_line(self, axes):
        values = np.where(np.isfinite(self.values), self.values, np.nan)
        axes.plot(self.steps, values, color=BLUE, lw=1.8, label="the loss in this slice")
        axes.plot(0, self.loss, "o", color=INK, ms=7, label="the parameters")
        if self.path is not None:
            axes.plot(
                self.path[:, 0],
                self.path_losses,
                "x--",
                color=ORANGE,
                lw=1,
                ms=5,
                label="training states (their own loss)",
            )
        axes.set_ylabel("loss")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)

    def _plot_contours(self, axes):
        from matplotlib.colors import LogNorm
        from matplotlib.patheffects import Normal, Stroke

        values = np.ma.masked_invalid(self.values)
        low, high = values.min(), values.max()
        levels, scale = 20, None
        if low > 0 and high > 100 * low:
            levels, scale = np.geomspace(low, high, 20), LogNorm(low, high)
        filled = axes.contourf(
            self.steps, self.steps, values, levels, cmap=amount_map(), norm=scale
        )
        axes.contour(self.steps, self.steps, values, filled.levels, colors="white", linewidths=0.3)
        bar = axes.figure.colorbar(filled, ax=axes, format="%.3g")
        bar.set_label("loss")
        if self.path is not None:
            (line,) = axes.plot(*self.path.T, ".-", color=INK, lw=1.2, ms=7)
            line.set_label("training states")
            line.set_path_effects([Stroke(linewidth=3.5, foreground="white"), Normal()])
        axes.plot(0, 0, "o", color=ORANGE, mec="white", ms=9, ls="none", label="the parameters")
        axes.set_xlim(self.steps[0], self.steps[-1])
        axes.set_ylim(self.steps[0], self.steps[-1])
        axes.set_ylabel("along the second direction")


def loss_surface(
    net,
    x,
    y,
    *,
    loss,
    directions=None,
    path=None,
    span: float | None = None,
    points: int = 31,
    float64: bool = True,
) -> LossSurface:
    """The loss of a network on (x, y) at w + a u + b v, where w are its parameters.

    Runs in evaluation mode, with all of (x, y) in one batch; the network is not modified.

    Args:
        net: a Module; its frozen parameters are constants.
        x, y: inputs and targets.
        loss: function (prediction, target) -> Tensor of one number.
        directions: one or two of {path: array}, for example from random_directions,
            path_directions or Curvature.directions; parameters that a direction omits stay fixed.
            None: two random ones.
        path: states saved during training ({path: array}, as from state_dict()), which are
            projected onto the directions.
        span: largest |a| and |b|; None: 1, or more if the path needs it.
        points: number of values along each direction; if odd, w itself is one of them.
        float64: compute in float64; float32 is faster.

    References:
        Li, Xu, Taylor, Studer & Goldstein 2018, "Visualizing the loss landscape of neural nets",
        arXiv:1712.09913; Goodfellow, Vinyals & Saxe 2015, arXiv:1412.6544.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.losses import mean_squared_error
        >>> from cutaway.nn import Linear
        >>> net = Linear(1, 1, bias=False)
        >>> net.weight.data = net.weight.data * 0 + 2
        >>> around = ct.loss_surface(net, np.array([[1.0]]), np.array([[2.0]]), points=3,
        ...                          loss=mean_squared_error, directions=[{"weight": [[1.0]]}])
        >>> around.values.tolist()                # (2 + a - 2)² at a = -1, 0, 1
        [1.0, 0.0, 1.0]
    """
    expect_point(x, y, where="loss_surface")
    expect_range(points, what="points", least=3)
    objective, start = network_objective(net, x, y, loss, where="loss_surface", wide=float64)
    if directions is None:
        directions = random_directions(net)
    directions = [directions] if isinstance(directions, dict) else list(directions)
    if len(directions) not in (1, 2):
        raise OptionError(
            f"loss_surface: {len(directions)} directions were given",
            expected="one or two",
            fix="for more, plot a surface for each pair",
        )
    directions = [_fitting(d, start) for d in directions]
    places = losses = fractions = None
    if path is not None:
        states = [_state(state, start, k) for k, state in enumerate(path)]
        places, fractions = _project(states, start, directions)
        losses = np.array([_at(objective, state) for state in states])
    if span is None:
        reach = 0.0 if places is None else float(np.abs(places).max(initial=0.0))
        span = max(1.0, 1.1 * reach)
    expect_range(span, what="span", above=0, below=np.inf)
    steps = np.linspace(-span, span, points)
    if points % 2:
        steps[points // 2] = 0.0
    return LossSurface(
        values=_values(objective, start, directions, steps),
        steps=steps,
        loss=_at(objective, start),
        directions=tuple(directions),
        path=places,
        path_losses=losses,
        path_fractions=fractions,
    )


def random_directions(net, count: int = 2, *, seed: int = 0) -> list:
    """Random directions of the trained parameters, filter-normalized.

    Drawn from a normal distribution; then every filter (the weights of one neuron or channel: one
    index of the last axis) is scaled to the norm of the network's filter. So a step has the same
    meaning for large and small filters, and networks can be compared. Parameters with one axis
    (biases, scales of normalizations) stay fixed.

    Args:
        net: a Module.
        count: number of directions.
        seed: random seed.

    Returns:
        [{path: array}].
    """
    parameters = {k: p.numpy() for k, p in trained(net, where="random_directions").items()}
    rng = np.random.default_rng(seed)
    return [
        filter_normalized({k: rng.standard_normal(w.shape) for k, w in parameters.items()}, net)
        for _ in range(count)
    ]


def filter_normalized(direction: dict, net) -> dict:
    """The direction with every filter scaled to the norm of the network's: d ← d ‖w‖ / ‖d‖.

    Parameters of one axis or none get 0, as do filters that are 0 in the network or direction.

    References:
        Li et al. 2018, arXiv:1712.09913, section 4.
    """
    found = {}
    for path, parameter in trained(net, where="filter_normalized").items():
        if path not in direction:
            continue
        w, d = parameter.numpy().astype(np.float64), np.asarray(direction[path], np.float64)
        if d.ndim < 2:
            found[path] = np.zeros_like(d)
            continue
        axes = tuple(range(d.ndim - 1))
        own = np.sqrt((w**2).sum(axis=axes))
        length = np.sqrt((d**2).sum(axis=axes))
        found[path] = d * (own / np.where(length == 0, 1.0, length))
    return found


def path_directions(states, net, count: int = 2) -> list:
    """The principal directions of a training: principal components of its states minus w.

    They are scaled so that the farthest state is at 1 or -1 along the first one. There are fewer
    than `count` if the states span fewer dimensions.

    Args:
        states: [{path: array}] saved during training, as from state_dict().
        net: the network with its current parameters w.
        count: number of directions.

    References:
        Li et al. 2018, arXiv:1712.09913, section 7.
    """
    parameters = trained(net, where="path_directions")
    start = {k: p.numpy().astype(np.float64) for k, p in parameters.items()}
    states = [_state(state, start, k) for k, state in enumerate(states)]
    moves = np.array([_flat(state, start) - _flat(start, start) for state in states])
    if not moves.size or not np.abs(moves).max() > 0:
        raise OptionError(
            "path_directions: no state differs from the network",
            expected="states saved during training",
            fix="copy net.state_dict() after some of the epochs",
        )
    _, sizes, rows = np.linalg.svd(moves, full_matrices=False)
    rows = rows[sizes > 1e-6 * sizes[0]][:count]  # less is rounding of float32
    reach = float(np.abs(moves @ rows[0]).max())
    return [_named(row * reach, start) for row in rows]


def _values(objective, start, directions, steps):
    """The loss on the grid; each row is one call of a compiled program."""
    paths = list(start)

    def row(arguments, data):
        first, others, fixed = arguments

        def one(a):
            moved = [
                w + a * u + fixed * v for w, u, v in zip(others[0], others[1], others[2],
                                                         strict=True)
            ]  # fmt: skip
            return objective.pure_value(moved, data)

        return jax.lax.map(one, first)

    program = objective.compile(row)
    with objective.precision():
        base = [start[p] for p in paths]
        moves = [[jnp.asarray(d[p], w.dtype) for p, w in zip(paths, base, strict=True)]
                 for d in directions]  # fmt: skip
        moves = moves if len(moves) == 2 else [*moves, [jnp.zeros_like(w) for w in base]]
        across = jnp.asarray(steps, base[0].dtype)
        rows = [
            np.asarray(program((across, (base, *moves), b)))
            for b in (across if len(directions) == 2 else across[:1] * 0)
        ]
    return np.array(rows) if len(directions) == 2 else rows[0]


def _at(objective, state) -> float:
    with objective.precision():
        return float(objective.value([jnp.asarray(a) for a in state.values()]))


def _project(states, start, directions):
    """(coordinates (states, directions), fraction of each squared distance within the slice)."""
    basis = np.array([_flat(d, start) for d in directions])
    moves = np.array([_flat(state, start) - _flat(start, start) for state in states])
    places, *_ = np.linalg.lstsq(basis.T, moves.T)
    total = (moves**2).sum(axis=1)
    within = ((places.T @ basis) ** 2).sum(axis=1)
    return places.T, np.where(total > 0, within / np.where(total > 0, total, 1.0), np.nan)


def _fitting(direction, start) -> dict:
    """The direction, with zeros for the parameters that it omits."""
    if not isinstance(direction, dict):
        raise OptionError(
            f"loss_surface: a direction is a {type(direction).__name__}",
            expected="{path: array}",
            fix="for example one of random_directions(net)",
        )
    for path, array in direction.items():
        if path not in start:
            raise OptionError(
                f"loss_surface: a direction names {path!r}",
                expected="paths of trained parameters",
                fix=did_you_mean(path, start),
            )
        if np.shape(array) != start[path].shape:
            raise ShapeError(
                f"loss_surface: the direction of {path} has shape {np.shape(array)}",
                expected=f"the parameter's shape, {start[path].shape}",
            )
    found = {p: np.asarray(direction.get(p, np.zeros(w.shape)), float) for p, w in start.items()}
    if not any(np.any(a) for a in found.values()):
        raise OptionError("loss_surface: a direction is 0", expected="a nonzero direction")
    return found


def _state(state, start, k) -> dict:
    """The trained parameters of state k."""
    missing = [path for path in start if path not in state]
    wrong = [path for path in start if path in state and np.shape(state[path]) != start[path].shape]
    if missing or wrong:
        path = (missing or wrong)[0]
        raise RunError(
            f"state {k} of the training has {'no' if missing else 'another shape of'} {path}",
            expected="states of this network, as its state_dict() gives them",
            fix="give the states of the same architecture",
        )
    return {path: np.asarray(state[path]).astype(w.dtype) for path, w in start.items()}


def _flat(named, start):
    return np.concatenate([np.asarray(named[p], np.float64).ravel() for p in start])


def _named(vector, start) -> dict:
    parts = np.split(vector, np.cumsum([np.size(a) for a in start.values()])[:-1])
    named = zip(start.items(), parts, strict=True)
    return {path: part.reshape(np.shape(a)) for (path, a), part in named}
