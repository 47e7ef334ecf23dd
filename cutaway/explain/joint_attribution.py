"""The attributions of one output to several inputs, which add up together."""

import textwrap

from cutaway.errors import OptionError, ShapeError
from cutaway.explain import attribution_charts as charts
from cutaway.explain.attribution_story import MEANINGS, Attribution
from cutaway.nn.trees import subscripts
from cutaway.story import panels
from cutaway.story.text import WIDTH, Story, number
from cutaway.story.told_html import ACROSS, told_html


class JointAttribution(Story):
    """The contribution of each element of several inputs to an output, also for a batch.

    `attribution["table"]` is that of one input, by its key; `row` chooses an example of a batch.

    Attributes:
        parts: {keys of an input in the tree of inputs: its Attribution}.
        whole: the Attribution to the elements of all inputs, one input after the other; its `gap`
            compares the sum over all of them with F(x) - F(baseline).
    """

    def __init__(self, whole: Attribution, parts: dict[tuple, Attribution]):
        self.whole, self.parts = whole, parts

    @property
    def one(self) -> bool:
        """Whether it is of a single example."""
        return self.whole.one

    def __len__(self):
        return len(self.whole)

    def __getitem__(self, key) -> Attribution:
        keys = key if isinstance(key, tuple) else (key,)
        if keys not in self.parts:
            known = ", ".join(f"attribution{subscripts(k)}" for k in self.parts)
            raise OptionError(
                f"attribution[{key!r}]: there is no such input",
                expected=known,
                fix="for an example of a batch write attribution.row(0)",
            )
        return self.parts[keys]

    def __iter__(self):
        return iter(self.parts.values())

    def row(self, k: int) -> "JointAttribution":
        """That of row k of a batch."""
        parts = {keys: part.row(k) for keys, part in self.parts.items()}
        return JointAttribution(self.whole.row(k), parts)

    def is_complete(self) -> bool | None:
        """Whether all values sum to F(x) - F(baseline) within 1%; None if they need not."""
        return self.whole.is_complete()

    def text(self, width: int = WIDTH) -> str:
        whole = self.whole
        if not whole.one:
            return "\n\n".join(part.text(width) for part in self)
        head = f"Attribution of {whole.output_name()} = {number(whole.output)}"
        lines = [f"{head}: {whole.method_title()}"]
        lines += textwrap.wrap(MEANINGS[whole.method], width)
        for part in self:
            total = "" if whole.method == "saliency" else f", sum {number(part.values.sum())}"
            lines += ["", f"{part.input}{total}:", *part.value_lines(width)]
        sums = whole.sum_lines(width)
        return "\n".join([*lines, "", *sums] if sums else lines)

    def to_dict(self) -> dict:
        common = ("method", "target", "output", "baseline_output", "gap", "steps", "complete")
        whole = self.whole.to_dict()
        return {
            **{name: whole[name] for name in common},
            "inputs": {part.input: part.to_dict() for part in self},
        }

    def plot(self, axes=None):
        """The attributions to each input, one below the other.

        Args:
            axes: one for each input; None: a new figure.
        """
        count = len(self.parts)
        if axes is None:
            heights = [charts.height_of(part) for part in self]
            figure = panels.new_figure(7.0, sum(heights))
            places = figure.subplots(count, 1, squeeze=False, height_ratios=heights)
            axes = places[:, 0]
        if len(axes) != count:
            raise ShapeError(
                f"{len(axes)} axes were given for {count} inputs",
                expected="one for each, or axes=None for a figure of their own",
            )
        for part, place in zip(self, axes, strict=True):
            part.plot(place)
        return axes

    def html(self) -> str:
        if not self.one:
            return super().html()
        sums = told_html("\n".join(self.whole.sum_lines(ACROSS)))
        return "".join(part.html() for part in self) + sums
