"""dropout_story: a small network before and after dropout, unit by unit."""

import dataclasses
import itertools
import textwrap
from html import escape

import numpy as np

from cutaway.engine import no_grad
from cutaway.errors import OptionError, expect_integer, expect_range
from cutaway.nn import Dropout, Linear, Sigmoid
from cutaway.nn.random import seeded
from cutaway.story.design import ORANGE, SIGNS, hue
from cutaway.story.html import table
from cutaway.story.panels import new_axes, new_figure
from cutaway.story.svg import picture, text
from cutaway.story.text import WIDTH, Story, align, number

COLUMN, ROW, RADIUS = 96, 48, 16  # distances in SVG units
MOST_UNITS = 10  # of a layer, so that its numbers can be read
HEADINGS = ["unit", "O before", "in this step", "factor", "after"]
INK, DROPPED = "0.45", "0.75"


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class DropoutStory(Story):
    """A network of sigmoids before and in one step of training with dropout.

    Attributes:
        sizes: of the layers, inputs first.
        p: fraction dropped. seed: of weights, input and what is dropped.
        before: outputs O of each layer in evaluation, inputs first: arrays (units,).
        raw: of each hidden layer the outputs in this step, before its dropout.
        after: outputs of each layer in this step, after dropout, inputs first.
    """

    sizes: tuple[int, ...]
    p: float
    seed: int
    before: tuple[np.ndarray, ...]
    raw: tuple[np.ndarray, ...]
    after: tuple[np.ndarray, ...]

    @property
    def kept(self) -> list:
        """For each layer which units are kept, as booleans; inputs and outputs all are."""
        hidden = [after != 0 for after in self.after[1:-1]]
        ends = [np.ones(self.sizes[k], bool) for k in (0, -1)]
        return [ends[0], *hidden, ends[1]]

    def rows(self) -> list:
        """A row of texts for each hidden unit; see HEADINGS."""
        found = []
        for layer, raw in enumerate(self.raw, start=1):
            for j in range(self.sizes[layer]):
                factor = 1 / (1 - self.p) if self.kept[layer][j] else 0.0
                found.append(
                    [
                        f"O_{j + 1}^({layer})",
                        number(self.before[layer][j]),
                        number(raw[j]),
                        number(factor),
                        number(self.after[layer][j]),
                    ]
                )
        return found

    def sentences(self) -> list[str]:
        hidden = self.kept[1:-1]
        dropped, units = sum(int((~k).sum()) for k in hidden), sum(map(len, hidden))
        scale = number(1 / (1 - self.p))
        return [
            f"Dropped are units, not layers: {dropped} of {units} hidden units in this step, each "
            f"with probability p = {number(self.p)}; the next step draws others. No gradient "
            f"reaches the weights into and out of a dropped unit.",
            f"The kept units are multiplied by 1/(1 - p) = {scale}, so that a unit's output is "
            f"on average what it is without dropout; in evaluation nothing is dropped and nothing "
            f"scaled.",
            f"Textbooks often leave the kept units as they are and multiply the weights by the "
            f"fraction kept, w · {number(1 - self.p)}, at test time: the same on average.",
        ]

    def text(self, width: int = WIDTH) -> str:
        sizes = "-".join(map(str, self.sizes))
        head = f"dropout with p = {number(self.p)} in a network {sizes} of sigmoids"
        layers = [
            ["layer", "before", "after"],
            *([str(k), "o " * n, "".join("o " if one else "x " for one in self.kept[k])]
              for k, n in enumerate(self.sizes)),
        ]  # fmt: skip
        layers[1][0], layers[-1][0] = "inputs", "output"
        return "\n\n".join(
            [
                head,
                "\n".join([*align(layers), "o kept, x dropped"]),
                "\n".join(align([HEADINGS, *self.rows()], "<>>>>")),
                *(textwrap.fill(s, width, break_on_hyphens=False) for s in self.sentences()),
            ]
        )

    def html(self) -> str:
        drawn = "".join(
            f"<div>{_drawing(title, self.sizes, values, kept)}</div>"
            for title, values, kept in self._pictures()
        )
        sentences = "".join(f"<p>{escape(s)}</p>" for s in self.sentences())
        pair = f'<div style="display:flex;flex-wrap:wrap;gap:1rem 2rem">{drawn}</div>'
        return f"{pair}{sentences}{table(HEADINGS, self.rows(), numbers=range(1, 5))}"

    def _pictures(self):
        everyone = [np.ones(n, bool) for n in self.sizes]
        return [
            ("(a) before dropout", self.before, everyone),
            ("(b) after dropout", self.after, self.kept),
        ]

    def to_dict(self) -> dict:
        return {
            "sizes": list(self.sizes),
            "p": self.p,
            "seed": self.seed,
            "before": [v.tolist() for v in self.before],
            "after": [v.tolist() for v in self.after],
            "kept": [k.tolist() for k in self.kept],
            "remarks": self.sentences(),
        }

    def plot(self, axes=None):
        """The network after dropout, by matplotlib."""
        return _plotted(new_axes(axes, width=5, height=4), self.sizes, *self._pictures()[1])

    def figure(self):
        """Before and after side by side, as a matplotlib Figure."""
        drawn = new_figure(10, 4.2)
        for axes, (title, values, kept) in zip(drawn.subplots(1, 2), self._pictures(), strict=True):
            _plotted(axes, self.sizes, title, values, kept)
        return drawn


def dropout_story(sizes=(3, 5, 5, 1), *, p: float = 0.5, seed: int = 3) -> DropoutStory:
    """A small network of sigmoids before dropout and in one step of training with it.

    Args:
        sizes: of the layers, inputs first, at most 10 units each; every hidden layer has dropout.
        p: fraction of units dropped, in [0, 1).
        seed: random seed of weights, input and of what is dropped.

    Raises:
        OptionError: fewer than three layers, or a layer that is too large to be drawn.

    Example:
        >>> import cutaway as ct
        >>> story = ct.diagram.dropout_story((2, 6, 1), p=0.5)
        >>> set((story.after[1] / story.before[1]).round(5).tolist()) == {0.0, 2.0}
        True
    """
    expect_range(p, what="p", least=0, below=1)
    sizes = tuple(sizes)
    if len(sizes) < 3:
        raise OptionError(
            f"sizes {', '.join(map(str, sizes))}",
            expected="inputs, at least one hidden layer, and outputs",
            fix="for example 3,5,5,1",
        )
    for size in sizes:
        expect_integer(size, what="size of a layer", least=1, most=MOST_UNITS)
    with seeded(seed), no_grad():
        layers = [Linear(a, b) for a, b in itertools.pairwise(sizes)]
        dropouts = [Dropout(p) for _ in sizes[1:-1]]
        x = np.random.default_rng(seed).uniform(-1, 1, sizes[0]).astype(np.float32)
        before, raw, after = [x], [], [x]
        for k, layer in enumerate(layers):
            before.append(Sigmoid()(layer(before[-1])).numpy())
            out = Sigmoid()(layer(after[-1]))
            if k < len(dropouts):
                raw.append(out.numpy())
                out = dropouts[k].train()(out)
            after.append(out.numpy())
    wide = [tuple(np.asarray(v, np.float64) for v in values) for values in (before, raw, after)]
    return DropoutStory(sizes, float(p), int(seed), *wide)


def _places(sizes) -> list:
    """For each layer the (x, y) of its units."""
    height = ROW * max(sizes)
    return [
        [(30 + COLUMN * k, 34 + height / 2 + ROW * (j - (n - 1) / 2)) for j in range(n)]
        for k, n in enumerate(sizes)
    ]


def _edges(sizes, kept):
    """((layer, i), (layer, j)) of the edges between kept units."""
    for k, (a, b) in enumerate(itertools.pairwise(sizes)):
        for i, j in itertools.product(range(a), range(b)):
            if kept[k][i] and kept[k + 1][j]:
                yield (k, i), (k + 1, j)


def _drawing(title, sizes, values, kept) -> str:
    places, parts = _places(sizes), [text(10, 18, title, kind="strong")]
    for (k, i), (m, j) in _edges(sizes, kept):
        a, b = np.array(places[k][i]), np.array(places[m][j])
        rim = RADIUS * (b - a) / np.linalg.norm(b - a)
        (x0, y0), (x1, y1) = a + rim, b - rim
        parts.append(f'<path class="wire" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>')
    for k, layer in enumerate(places):
        for j, (x, y) in enumerate(layer):
            gone = not kept[k][j]
            dashes = ' stroke-dasharray="3 3" stroke-opacity=".55"' if gone else ""
            parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS}" class="node"{dashes}/>')
            if gone:
                r = 0.7 * RADIUS
                parts.append(
                    f'<path d="M{x - r:g} {y - r:g}l{2 * r:g} {2 * r:g}M{x - r:g} {y + r:g}'
                    f'l{2 * r:g} {-2 * r:g}" stroke="{hue(SIGNS["negative"])}" stroke-width="2"/>'
                )
            else:
                shown = f"{values[k][j]:.2f}".replace("-", "\u2212")
                parts.append(text(x, y + 4, shown, kind="small", side="middle"))
    width, height = 60 + COLUMN * (len(sizes) - 1), 50 + ROW * max(sizes)
    return picture(parts, width, height, title).svg


def _plotted(axes, sizes, title, values, kept):
    places = _places(sizes)
    for (k, i), (m, j) in _edges(sizes, kept):
        axes.plot(*zip(places[k][i], places[m][j], strict=True), color=INK, lw=0.9, zorder=1)
    for k, layer in enumerate(places):
        for j, (x, y) in enumerate(layer):
            color = INK if kept[k][j] else DROPPED
            axes.plot(x, y, "o", ms=25, mfc=axes.get_facecolor(), mec=color, zorder=2)
            if kept[k][j]:
                axes.annotate(f"{values[k][j]:.2f}", (x, y), ha="center", va="center", fontsize=8)
            else:
                axes.plot(x, y, "x", ms=16, color=ORANGE, zorder=3)
    axes.set_title(title)
    axes.margins(0.12)
    axes.invert_yaxis()
    axes.set_axis_off()
    return axes
