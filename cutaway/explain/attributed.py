"""Attribution: what an output owes to each element of an input, as text, picture and HTML."""

import dataclasses
from html import escape

import numpy as np

from cutaway.errors import OptionError, ShapeError
from cutaway.explain import panels
from cutaway.explain.story import WIDTH, Story, align, number

TITLES = {
    "integrated_gradients": "integrated gradients",
    "gradient_x_input": "gradient x input",
    "occlusion": "occlusion",
    "saliency": "saliency",
}
MEANINGS = {
    "integrated_gradients": "What each adds to the output on the way from the baseline to its "
    "value here.",
    "gradient_x_input": "The slope of the output at this input, times the value.",
    "occlusion": "By how much the output falls if it is replaced by the baseline.",
    "saliency": "How steeply the output changes with it, up or down.",
}
SHOWN = 20  # columns or tokens in a text or plot
REGIONS, STRETCHES = 4, 6  # along each side of an image, and of a series, in a text


@dataclasses.dataclass(frozen=True, repr=False)
class Attribution(Story):
    """What an output owes to each element of an input, or of each input of a batch.

    Of a batch, `attribution[k]` is that of row k, and `len` says how many there are.

    Attributes:
        method: one of METHODS.
        values: the shares, of the shape of x.
        x: the input.
        target: number of the output, in the flattened outputs of a row; of a batch one for each.
        output_shape: of the outputs of a row.
        output: F(x); of a batch (batch,), as are the next three.
        baseline_output: F(baseline); None if the method does not use it.
        gap: sum of the values - (F(x) - F(baseline)); None likewise.
        steps: how many points the integral was taken at; None likewise.
        baseline: as it was given, None for zeros.
        names: of the elements of a row, or None; of a batch of texts one list for each.
        output_names: names of the outputs, or None.
        kind: "table", "tokens", "series", "image" or "other", of one row.
        padding: booleans of the shape of x: tokens that only fill up.
        one: whether it is of one input.
    """

    method: str
    values: np.ndarray
    x: np.ndarray
    target: object
    output_shape: tuple
    output: object
    baseline_output: object
    gap: object
    steps: object
    baseline: object
    names: list | None
    output_names: list | None
    kind: str
    padding: np.ndarray
    one: bool

    @classmethod
    def of_batch(
        cls,
        inputs,
        *,
        method,
        values,
        targets,
        outputs,
        baseline,
        base_outputs,
        steps,
        names,
        output_names,
    ):
        """From what `attribute` found for the batch `inputs`, see Inputs."""
        shape = inputs.x.shape[1:]
        kind = {1: "table", 2: "series", 3: "image"}.get(len(shape), "other")
        if kind == "table" and inputs.embedded.all():
            kind = "tokens"
        if names is not None:
            names = _expect_names(names, kind, inputs)
        if output_names is not None and len(output_names) != inputs.outputs.shape[1]:
            raise ShapeError(
                f"{len(output_names)} output_names for {inputs.outputs.shape[1]} outputs",
                expected="a name for each output",
            )
        gap = None
        if base_outputs is not None:
            gap = values.reshape(len(values), -1).sum(axis=1) - (outputs - base_outputs)
        batch = cls(
            method=method,
            values=values,
            x=inputs.x,
            target=targets,
            output_shape=tuple(inputs.axes),
            output=outputs,
            baseline_output=base_outputs,
            gap=gap,
            steps=steps,
            baseline=baseline,
            names=names,
            output_names=None if output_names is None else [str(name) for name in output_names],
            kind=kind,
            padding=inputs.padding.reshape(inputs.x.shape),
            one=False,
        )
        return batch[0] if inputs.one else batch

    def __len__(self):
        if self.one:
            raise TypeError("this is the attribution of one input")
        return len(self.values)

    def __getitem__(self, k):
        if not 0 <= k < len(self):  # also ends a for loop
            raise IndexError(f"row {k} of an attribution of {len(self)} rows, counted from 0")

        def of_row(value):
            return None if value is None else value[k].item()

        names = self.names
        if names is not None and self.kind == "tokens" and isinstance(names[0], list):
            names = names[k]
        return dataclasses.replace(
            self,
            values=self.values[k],
            x=self.x[k],
            target=of_row(self.target),
            output=of_row(self.output),
            baseline_output=of_row(self.baseline_output),
            gap=of_row(self.gap),
            steps=of_row(self.steps),
            names=names,
            padding=self.padding[k],
            one=True,
        )

    def bars(self) -> list:
        """[(name, value of x or None, share)] of a table's columns or a text's tokens, in order.

        Columns that share a name are added up, and padding is left out. Of a batch of tables the
        mean size of the share is given.
        """
        values = self.values if self.one else np.abs(self.values).mean(axis=0)
        if self.kind == "tokens":
            return [
                (self._token(k), None, float(values[k]))
                for k in np.flatnonzero(~self.padding.ravel())
            ]
        if self.names is None:
            names = [_index(index) for index in np.ndindex(values.shape)]
        else:
            names = self.names
        places = {}
        for k, name in enumerate(names):
            places.setdefault(name, []).append(k)
        flat, x = self.values.reshape(-1, values.size), self.x.ravel()
        found = []
        for name, ks in places.items():
            shares = flat[:, ks].sum(axis=1)
            share = shares[0] if self.one else np.abs(shares).mean()
            value = float(x[ks[0]]) if self.one and len(ks) == 1 else None
            found.append((name, value, float(share)))
        return found

    def _token(self, k) -> str:
        return f"token {int(self.x[k])}" if self.names is None else self.names[k]

    def output_name(self) -> str:
        """What the output is called, in a text about one input."""
        if self.output_names is not None:
            return self.output_names[self.target]
        if np.prod(self.output_shape) == 1:
            return "ŷ"
        return f"ŷ[{', '.join(map(str, np.unravel_index(self.target, self.output_shape)))}]"

    def is_complete(self) -> bool | None:
        """Whether the shares add up to F(x) - F(baseline) within 1%; None if they need not."""
        if self.gap is None:
            return None
        difference = np.abs(np.asarray(self.output) - np.asarray(self.baseline_output))
        return bool(np.all(np.abs(self.gap) <= 0.01 * difference + 1e-9))

    # text

    def text(self, width: int = WIDTH) -> str:
        if not self.one:
            return self._text_of_batch(width)
        lines = [f"What {self.output_name()} = {number(self.output)} rests on: {self._title()}"]
        lines += [*_wrapped(MEANINGS[self.method], width), ""]
        if self.kind in ("table", "tokens", "other"):
            lines += self._bar_lines(width)
        else:
            lines += self._region_lines()
        sums = self._sum_lines(width)
        return "\n".join([*lines, "", *sums] if sums else lines)

    def _title(self):
        steps = f", {self.steps} steps" if self.one and self.steps is not None else ""
        return f"{TITLES[self.method]}{steps}"

    def _bar_lines(self, width):
        bars = self.bars()
        in_order = self.kind == "tokens" and len(bars) <= SHOWN
        ranked = sorted(range(len(bars)), key=lambda k: -abs(bars[k][2]))
        shown = range(len(bars)) if in_order else ranked[:SHOWN]
        rows = []
        for k in shown:
            name, value, share = bars[k]
            at = f"{k + 1}" if self.kind == "tokens" else ""
            rows.append(
                [
                    at,
                    _cut(name, 26),
                    "" if value is None else number(value),
                    f"{share:.4g}" if self._unsigned() else f"{share:+.4g}",
                ]
            )
        rest = [bars[k][2] for k in ranked[SHOWN:]] if not in_order else []
        if rest:
            total = f"{sum(rest):.4g}" if self._unsigned() else f"{sum(rest):+.4g}"
            rows.append(["", f"({len(rest)} more)", "", total])
        used = [k for k in range(4) if any(row[k] for row in rows)]
        rows = [[row[k] for k in used] for row in rows]
        lines = align(rows, sides=["><>>"[k] for k in used])
        room = max(8, width - max(map(len, lines), default=0) - 3)
        largest = max((abs(share) for _, _, share in bars), default=0.0) or 1.0
        out = []
        for line, k in zip(lines, shown, strict=False):
            share = bars[k][2]
            mark = "*" if self._unsigned() else "+" if share > 0 else "-"
            out.append(f"{line}  {mark * round(abs(share) / largest * room)}")
        return [line.rstrip() for line in out] + lines[len(out) :]

    def _region_lines(self):
        values = self.values.sum(axis=-1) if self.kind == "image" else self.values
        if self.kind == "image":
            down, right = (min(REGIONS, n) for n in values.shape)
            table = _summed(_summed(values, down, 0), right, 1)
            head = f"Sums over {down} x {right} regions of the image, as they lie:"
            rows = [[f"{v:+.4g}" for v in row] for row in table]
            return [head, *align(rows, sides=">" * right)]
        right = min(STRETCHES, len(values))
        table = _summed(values, right, 0).T  # features down, time to the right
        names = [self._feature(k) for k in range(len(table))]
        if len(table) > SHOWN:
            order = np.argsort(-np.abs(table).sum(axis=1), kind="stable")[:SHOWN]
            table, names = table[order], [names[k] for k in order]
        head = f"Sums over {right} stretches of time, from first to last:"
        rows = [[_cut(names[k], 12), *(f"{v:+.1e}" for v in row)] for k, row in enumerate(table)]
        return [head, *align(rows, sides="<" + ">" * right)]

    def _sum_lines(self, width):
        total = number(self.values.sum())
        if self.method == "gradient_x_input":
            return [f"sum of the shares {total}; the output itself is {number(self.output)}"]
        if self.gap is None:
            return []
        difference = self.output - self.baseline_output
        if np.ndim(self.baseline):
            baseline = "the one given"
        else:
            baseline = "zeros" if self.baseline is None else number(self.baseline)
        start = number(self.baseline_output)
        start = f"({start})" if self.baseline_output < 0 else start
        off = "" if difference == 0 else f" ({number(100 * abs(self.gap / difference), 2)}%)"
        lines = align(
            [
                ["sum of the shares", total],
                [
                    "F(x) - F(baseline)",
                    f"{number(difference)} = {number(self.output)} - {start}",
                ],
                ["off by", f"{number(abs(self.gap), 2)}{off}"],
                ["baseline", baseline],
            ]
        )
        if not self.is_complete():
            lines += _wrapped(
                "That is more than 1%: between the baseline and x the output bends too sharply "
                f"for {self.steps} steps. Give more steps, or a baseline nearer to x.",
                width,
            )
        return lines

    def _text_of_batch(self, width):
        count = len(self)
        if self.kind != "table":
            parts = [self[k].text(width) for k in range(min(count, 3))]
            if count > 3:
                parts.append(f"({count - 3} more rows: [{3}] to [{count - 1}])")
            return "\n\n".join(parts)
        lines = [f"What the outputs of {count} rows rest on: {self._title()}"]
        lines += [*_wrapped("The mean size of the shares, signs left aside.", width), ""]
        lines += self._bar_lines(width)
        if self.gap is not None:
            complete = "all" if self.is_complete() else "not all"
            lines += [
                "",
                f"{complete} rows add up to F(x) - F(baseline) within 1%; the largest gap is "
                f"{number(np.abs(self.gap).max(), 2)}",
            ]
        return "\n".join(lines)

    def _unsigned(self):
        return not self.one or self.method == "saliency"

    # for programs

    def to_dict(self) -> dict:
        def simple(value):
            return value.tolist() if isinstance(value, np.ndarray) else value

        return {
            "method": self.method,
            "target": simple(self.target),
            "output": simple(self.output),
            "baseline_output": simple(self.baseline_output),
            "gap": simple(self.gap),
            "steps": simple(self.steps),
            "complete": self.is_complete(),
            "kind": self.kind,
            "names": self.names,
            "output_names": self.output_names,
            "x": self.x.tolist(),
            "values": self.values.tolist(),
        }

    # pictures

    def plot(self, axes=None):
        """Bars for tables and texts; for images and series the input and the shares over it.

        Args:
            axes: where to draw the shares; None: a new figure, for images and series with the
                input beside it.
        """
        if self.kind in ("table", "tokens", "other"):
            if self.kind == "tokens":
                self._expect_one()
            return self._plot_bars(axes)
        self._expect_one()
        return self._plot_image(axes) if self.kind == "image" else self._plot_series(axes)

    def _expect_one(self):
        if not self.one:
            raise OptionError(
                f"a picture of the attributions of {len(self)} inputs",
                expected="one of them",
                mend="choose a row, for example attribution[0].plot()",
            )

    def _plot_bars(self, axes):
        from matplotlib.patches import Patch

        bars = self.bars()
        ranked = sorted(range(len(bars)), key=lambda k: -abs(bars[k][2]))[:SHOWN]
        if self.kind == "tokens":
            ranked = sorted(ranked)  # as they are read
        names = [
            _cut(bars[k][0], 28) + ("" if bars[k][1] is None else f" = {number(bars[k][1], 3)}")
            for k in ranked
        ]
        shares = np.array([bars[k][2] for k in ranked])
        axes = panels.new_axes(axes, width=6.4, height=1.3 + 0.27 * len(ranked))
        for k, share in enumerate(shares):
            axes.barh(
                k,
                share,
                color=panels.UP if share >= 0 else panels.DOWN,
                hatch=None if share >= 0 else "////",
                edgecolor=axes.get_facecolor(),
                linewidth=0,
            )
        axes.set_yticks(range(len(ranked)), [panels.plain(name) for name in names])
        axes.invert_yaxis()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.axvline(0, color=axes.xaxis.label.get_color(), lw=0.8)
        axes.grid(axis="x", alpha=0.25)
        axes.set_axisbelow(True)
        axes.set_title(panels.plain(self._plot_title()))
        if self._unsigned():
            axes.set_xlabel("size of the share")
            return axes
        axes.set_xlabel("share of the output")
        paper = {"edgecolor": axes.get_facecolor(), "lw": 0}
        legend = [
            Patch(facecolor=panels.UP, label="raises it", **paper),
            Patch(facecolor=panels.DOWN, hatch="////", label="lowers it", **paper),
        ]
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.6 / axes.bbox.height * 72)}
        axes.legend(handles=legend, ncols=2, frameon=False, **below)
        return axes

    def _plot_title(self):
        if not self.one:
            return f"{len(self)} rows: {TITLES[self.method]}, mean size"
        return f"{self.output_name()} = {number(self.output)}: {TITLES[self.method]}"

    def _plot_image(self, axes):
        if axes is None:
            figure = panels.new_figure(7.4, 3.6)
            left, axes = figure.subplots(1, 2, width_ratios=(1, 1.22))
            left.imshow(panels.as_picture(self.x), interpolation="nearest")
            left.set_title("input")
            panels.bare(left)
            result = np.array([left, axes])
        else:
            result = axes
        heat = self.values.sum(axis=-1)
        if self.method == "saliency":
            heat = self.values.max(axis=-1)  # as in the paper: the steepest channel
        strong = np.percentile(np.abs(heat), 99) or np.abs(heat).max() or 1.0
        colours = {"cmap": panels.SIGNED, "vmin": -strong, "vmax": strong}
        label = "lowers the output  ←  0  →  raises it"
        if self.method == "saliency":
            colours = {"cmap": panels.AMOUNT, "vmin": 0, "vmax": strong}
            label = "steepness"
        panels.overlay(
            axes,
            self.x,
            heat,
            np.abs(heat) / strong,
            title=panels.plain(self._plot_title()),
            colour_label=label,
            **colours,
        )
        return result

    def _plot_series(self, axes):
        if axes is None:
            figure = panels.new_figure(7.4, 3.8)
            above, axes = figure.subplots(2, 1, sharex=True)
            result = np.array([above, axes])
            styles = ("-", "--", ":", "-.")
            features = self.x.shape[1]
            for k in range(min(features, 4)):
                above.plot(self.x[:, k], styles[k], lw=1.4, label=self._feature(k))
            above.set_title("input" if features <= 4 else f"input, 4 of {features} columns")
            if features > 1:
                above.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
            above.grid(alpha=0.25)
        else:
            result = axes
        colours = panels.signed_range(self.values)
        drawn = axes.imshow(self.values.T, aspect="auto", interpolation="nearest", **colours)
        axes.set_title(panels.plain(self._plot_title()))
        axes.set_xlabel("time step")
        shown = np.unique(np.linspace(0, self.x.shape[1] - 1, min(self.x.shape[1], 8)).astype(int))
        axes.set_yticks(shown, [panels.plain(self._feature(k)) for k in shown])
        label = "share of the output" if self.method != "saliency" else "steepness"
        axes.figure.colorbar(drawn, ax=axes).set_label(label)
        return result

    def _feature(self, k):
        return f"x[:, {k}]" if self.names is None else _cut(self.names[k], 16)

    # HTML

    def html(self) -> str:
        if not self.one:
            return super().html()
        if self.kind in ("image", "series"):
            return panels.as_image_tag(self.plot(), self._plot_title())
        return self._html_of_tokens() if self.kind == "tokens" else super().html()

    def _html_of_tokens(self):
        """Tokens on colours, stronger with the size; what lowers the output is underlined too."""
        largest = max((abs(share) for _, _, share in self.bars()), default=0.0) or 1.0
        spans = []
        for name, _, share in self.bars():
            spans.append(
                f'<span title="{share:+.4g}" style="{_shade(share / largest)}">'
                f"{escape(str(name))}</span>"
            )
        legend = (
            f'<span style="{_shade(1)}">raises</span> <span style="{_shade(-1)}">lowers</span> '
            "the output, the stronger the colour the more"
        )
        if self.method == "saliency":
            legend = f'<span style="{_shade(1)}">steep</span>: the output changes most with these'
        sums = "<br>".join(escape(line) for line in self._sum_lines(WIDTH))
        return (
            f'<div class="cutaway-story"><p>{escape(self._plot_title())}</p>'
            f'<p style="line-height:1.9">{" ".join(spans)}</p>'
            f"<p><small>{legend}<br>{sums}</small></p></div>"
        )


def _shade(share) -> str:
    red, green, blue = (43, 123, 186) if share >= 0 else (217, 95, 14)
    line = ";text-decoration:underline" if share < 0 else ""
    return (
        f"background:rgba({red},{green},{blue},{0.75 * abs(share):.2f});"
        f"padding:1px 3px;border-radius:3px{line}"
    )


def _expect_names(names, kind, inputs) -> list:
    shape = inputs.x.shape[1:]
    if kind in ("image", "other"):
        raise OptionError(
            f"names for inputs of shape {shape}",
            expected="names for the columns of a table or a series, or for tokens",
        )
    if kind == "tokens":
        several = len(names) > 0 and isinstance(names[0], list | tuple)
        texts = list(names) if several else [names] * len(inputs.x)
        if len(texts) != len(inputs.x):
            raise ShapeError(
                f"names for {len(texts)} texts, and {len(inputs.x)} texts",
                expected="a list of tokens for each text",
            )
        for text, padding in zip(texts, inputs.padding, strict=True):
            needed = int(np.max(np.flatnonzero(~padding), initial=-1)) + 1
            if not needed <= len(text) <= shape[0]:
                raise ShapeError(
                    f"{len(text)} names for a text of {needed} tokens",
                    expected="a name for each token; padding needs none",
                )
        texts = [[str(n) for n in text] + [""] * (shape[0] - len(text)) for text in texts]
        return texts if several and not inputs.one else texts[0]
    if len(names) != shape[-1]:
        raise ShapeError(
            f"{len(names)} names for {shape[-1]} columns", expected="a name for each column"
        )
    return [str(name) for name in names]


def _index(index) -> str:
    return f"x[{', '.join(map(str, index))}]"


def _cut(name, most) -> str:
    name = str(name).replace("\n", "⏎")
    return name if len(name) <= most else name[: most - 1] + "…"


def _summed(values, parts, axis):
    edges = np.linspace(0, values.shape[axis], parts + 1).round().astype(int)
    return np.add.reduceat(values, edges[:-1], axis=axis)


def _wrapped(text, width) -> list:
    import textwrap

    return textwrap.wrap(text, width)
