"""Attribution: the contribution of each input element to an output, as text, plot and HTML."""

import dataclasses
import textwrap
import typing

import numpy as np

from cutaway.errors import OptionError
from cutaway.explain import attribution_charts as charts
from cutaway.explain.layerwise import output_label
from cutaway.story import panels
from cutaway.story.text import WIDTH, Story, align, number

TITLES = {
    "integrated_gradients": "integrated gradients",
    "gradient_x_input": "gradient x input",
    "occlusion": "occlusion",
    "saliency": "saliency",
}
MEANINGS = {
    "integrated_gradients": "The contribution of each input between the baseline and its value.",
    "gradient_x_input": "The gradient of the output at this input, times the value.",
    "occlusion": "The decrease of the output if the input is replaced by the baseline.",
    "saliency": "The magnitude of the gradient of the output.",
}
REGIONS, SEGMENTS = 4, 6  # along each side of an image, and of a series, in a text
TOLERANCE = 0.01  # of F(x) - F(baseline), by which the sum of the attributions may deviate


def misses(gap, difference) -> np.ndarray:
    """Where the sum of the attributions deviates from `difference` by more than 1% of it."""
    return np.abs(gap) > TOLERANCE * np.abs(difference) + 1e-9


@dataclasses.dataclass(frozen=True, repr=False)
class Attribution(Story):
    """The contribution of each element of an input, or of each input of a batch, to an output.

    For a batch, `attribution[k]` is that of row k, and `len` is the number of rows.

    Attributes:
        method: name of the method, as in `attribute`.
        values: the attributions, of the shape of x.
        x: the input.
        target: index of the output in the flattened outputs of a row; for a batch one for each.
        output_shape: of the outputs of a row.
        output: F(x); for a batch (batch,), like the next three.
        baseline_output: F(baseline); None if the method does not use it.
        gap: sum of the values - (F(x) - F(baseline)); None likewise.
        steps: number of points of the integral; None likewise.
        baseline: as given, None for zeros.
        names: of the elements of a row, or None; for a batch of texts one list for each.
        output_names: names of the outputs, or None.
        kind: "table", "tokens", "series", "image" or "other", of one row.
        padding: booleans of the shape of x: padding tokens.
        one: whether it is of a single input.
        symbol: of the output, ŷ, or ŷ["class"] of a network with several.
        input: which of several inputs it is, x["table"]; "" for one alone.
    """

    method: str
    values: np.ndarray
    x: np.ndarray
    target: typing.Any
    output_shape: tuple
    output: typing.Any
    baseline_output: typing.Any
    gap: typing.Any
    steps: typing.Any
    baseline: typing.Any
    names: list | None
    output_names: list | None
    kind: str
    padding: np.ndarray
    one: bool
    symbol: str = "ŷ"
    input: str = ""

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

    def row(self, k: int) -> "Attribution":
        """The attribution of row k of a batch."""
        return self[k]

    def bars(self) -> list:
        """[(name, value of x or None, attribution)] of a table's columns or a text's tokens.

        Columns with the same name are summed, and padding is omitted. For a batch of tables it is
        the mean absolute attribution.
        """
        values = self.values if self.one else np.abs(self.values).mean(axis=0)
        if self.kind == "tokens":
            return [
                (self._token(k), None, float(values[k]))
                for k in np.flatnonzero(~self.padding.ravel())
            ]
        if self.names is None:
            own = self.input or "x"
            names = [f"{own}[{', '.join(map(str, at))}]" for at in np.ndindex(values.shape)]
        else:
            names = self.names
        places = {}
        for k, name in enumerate(names):
            places.setdefault(name, []).append(k)
        flat, x = self.values.reshape(-1, values.size), self.x.ravel()
        found = []
        for name, ks in places.items():
            sums = flat[:, ks].sum(axis=1)
            attribution = sums[0] if self.one else np.abs(sums).mean()
            value = float(x[ks[0]]) if self.one and len(ks) == 1 else None
            found.append((name, value, float(attribution)))
        return found

    def _token(self, k) -> str:
        return f"token {int(self.x[k])}" if self.names is None else self.names[k]

    def output_name(self) -> str:
        """Name of the output, in a text about one input."""
        return output_label(self.target, self.output_shape, self.output_names, self.symbol)

    def is_complete(self) -> bool | None:
        """Whether the values sum to F(x) - F(baseline) within 1%; None if they need not."""
        if self.gap is None:
            return None
        return not np.any(misses(self.gap, np.subtract(self.output, self.baseline_output)))

    # text

    def text(self, width: int = WIDTH) -> str:
        if not self.one:
            return self._text_of_batch(width)
        to = f" to {self.input}" if self.input else ""
        head = f"Attribution of {self.output_name()} = {number(self.output)}{to}"
        lines = [f"{head}: {self.method_title()}", *textwrap.wrap(MEANINGS[self.method], width), ""]
        lines += self.value_lines(width)
        sums = self.sum_lines(width)
        return "\n".join([*lines, "", *sums] if sums else lines)

    def value_lines(self, width: int = WIDTH) -> list:
        """The lines of a text that show the values of one input."""
        if self.kind in ("table", "tokens", "other"):
            return self._bar_lines(width)
        return self._region_lines()

    def method_title(self) -> str:
        """The name of the method, for a title."""
        steps = f", {self.steps} steps" if self.one and self.steps is not None else ""
        return f"{TITLES[self.method]}{steps}"

    def _bar_lines(self, width):
        bars = self.bars()
        in_order = self.kind == "tokens" and len(bars) <= charts.SHOWN
        ranked = sorted(range(len(bars)), key=lambda k: -abs(bars[k][2]))
        shown = range(len(bars)) if in_order else ranked[: charts.SHOWN]
        rows = []
        for k in shown:
            name, value, size = bars[k]
            at = str(k) if self.kind == "tokens" else ""
            rows.append(
                [
                    at,
                    panels.cut(name, 26),
                    "" if value is None else number(value),
                    f"{size:.4g}" if self.is_unsigned() else f"{size:+.4g}",
                ]
            )
        rest = [bars[k][2] for k in ranked[charts.SHOWN :]] if not in_order else []
        if rest:
            total = f"{sum(rest):.4g}" if self.is_unsigned() else f"{sum(rest):+.4g}"
            rows.append(["", f"({len(rest)} more)", "", total])
        used = [k for k in range(4) if any(row[k] for row in rows)]
        rows = [[row[k] for k in used] for row in rows]
        lines = align(rows, sides=["><>>"[k] for k in used])
        room = max(8, width - max(map(len, lines), default=0) - 3)
        largest = max((abs(size) for _, _, size in bars), default=0.0) or 1.0
        out = []
        for line, k in zip(lines, shown, strict=False):
            size = bars[k][2]
            mark = "*" if self.is_unsigned() else "+" if size > 0 else "-"
            out.append(f"{line}  {mark * round(abs(size) / largest * room)}")
        return [line.rstrip() for line in out] + lines[len(out) :]

    def _region_lines(self):
        values = self.values.sum(axis=-1) if self.kind == "image" else self.values
        if self.kind == "image":
            down, right = (min(REGIONS, n) for n in values.shape)
            table = segment_sums(segment_sums(values, down, 0), right, 1)
            head = f"Sums over {down} x {right} regions of the image:"
            rows = [[f"{v:+.4g}" for v in row] for row in table]
            return [head, *align(rows, sides=">" * right)]
        right = min(SEGMENTS, len(values))
        table = segment_sums(values, right, 0).T  # features down, time to the right
        names = [self.feature(k) for k in range(len(table))]
        if len(table) > charts.SHOWN:
            order = np.argsort(-np.abs(table).sum(axis=1), kind="stable")[: charts.SHOWN]
            table, names = table[order], [names[k] for k in order]
        head = f"Sums over {right} segments of time, from first to last:"
        rows = [
            [panels.cut(names[k], 12), *(f"{v:+.1e}" for v in row)] for k, row in enumerate(table)
        ]
        return [head, *align(rows, sides="<" + ">" * right)]

    def sum_lines(self, width: int = WIDTH) -> list:
        """Lines that compare the sum of the attributions of one input with the output."""
        total = number(self.values.sum())
        if self.method == "gradient_x_input" and not self.input:
            return [f"sum {total}; the output itself is {number(self.output)}"]
        if self.gap is None:
            return [f"sum {total}"] if self.input and self.steps is not None else []
        difference = self.output - self.baseline_output
        if isinstance(self.baseline, tuple | dict) or np.ndim(self.baseline):
            baseline = "as given"
        else:
            zeros = "vectors of zeros" if self.kind == "tokens" else "zeros"
            baseline = zeros if self.baseline is None else number(self.baseline)
        start = number(self.baseline_output)
        start = f"({start})" if self.baseline_output < 0 else start
        off = "" if difference == 0 else f" ({number(100 * abs(self.gap / difference), 2)}%)"
        lines = align(
            [
                ["sum", total],
                [
                    "F(x) - F(baseline)",
                    f"{number(difference)} = {number(self.output)} - {start}",
                ],
                ["error", f"{number(abs(self.gap), 2)}{off}"],
                ["baseline", baseline],
            ]
        )
        if not self.is_complete():
            lines += textwrap.wrap(
                "The error is above 1%: between the baseline and x the output is too nonlinear for "
                f"{self.steps} steps. Use more steps, or a baseline closer to x.",
                width,
            )
        return lines

    def _text_of_batch(self, width):
        count = len(self)
        if self.kind != "table":
            parts = [self[k].text(width) for k in range(min(count, 3))]
            if count > 3:
                parts.append(f"({count - 3} more rows: [3] to [{count - 1}])")
            return "\n\n".join(parts)
        of = f"{self.symbol} of" if self.symbol != "ŷ" else "the outputs of"
        to = f" to {self.input}" if self.input else ""
        lines = [f"Attribution of {of} {count} rows{to}: {self.method_title()}"]
        lines += [*textwrap.wrap("Mean absolute values over the rows.", width), ""]
        lines += self._bar_lines(width)
        if self.gap is not None:
            complete = "all" if self.is_complete() else "not all"
            lines += [
                "",
                f"{complete} rows sum to F(x) - F(baseline) within 1%; the largest error is "
                f"{number(np.abs(self.gap).max(), 2)}",
            ]
        return "\n".join(lines)

    def is_unsigned(self) -> bool:
        """Whether the bars are magnitudes."""
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
            **({"input": self.input} if self.input else {}),
            "kind": self.kind,
            "names": self.names,
            "output_names": self.output_names,
            "x": self.x.tolist(),
            "values": self.values.tolist(),
        }

    # pictures

    def plot(self, axes=None):
        """Bars for tables and texts; for images and series the attributions over the input.

        Args:
            axes: where to draw the attributions; None: a new figure, for images and series with
                the input beside it.
        """
        if self.kind in ("table", "tokens", "other"):
            if self.kind == "tokens":
                self._expect_one()
            return charts.plot_bars(self, axes)
        self._expect_one()
        draw = charts.plot_image if self.kind == "image" else charts.plot_series
        return draw(self, axes)

    def _expect_one(self):
        if not self.one:
            raise OptionError(
                f"cannot plot the attributions of {len(self)} inputs at once",
                expected="the attribution of one input",
                fix="choose a row, for example attribution[0].plot()",
            )

    def title(self) -> str:
        """Title of a plot."""
        to = f", {self.input}" if self.input else ""
        if not self.one:
            return f"{len(self)} rows: {TITLES[self.method]}, mean absolute value{to}"
        return f"{self.output_name()} = {number(self.output)}: {TITLES[self.method]}{to}"

    def feature(self, k) -> str:
        """Name of column k of a series."""
        return (
            f"{self.input or 'x'}[:, {k}]" if self.names is None else panels.cut(self.names[k], 16)
        )

    # HTML

    def html(self) -> str:
        if not self.one:
            return super().html()
        if self.kind in ("image", "series"):
            return panels.as_svg(self.plot(), self.title())
        return charts.html_of_tokens(self) if self.kind == "tokens" else super().html()


def segment_sums(values, parts: int, axis: int):
    """Sums over `parts` segments of about equal length along an axis."""
    edges = np.linspace(0, values.shape[axis], parts + 1).round().astype(int)
    return np.add.reduceat(values, edges[:-1], axis=axis)
