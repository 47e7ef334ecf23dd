"""UpdateStory: one step of one weight as text, LaTeX, numbers and plot."""

import math
import textwrap
import unicodedata

import numpy as np

from cutaway.errors import OptionError
from cutaway.story.design import BLUE, GRAY, ORANGE
from cutaway.story.panels import legend_above, new_axes
from cutaway.story.text import WIDTH, Story, latex_number, number
from cutaway.story.told_html import ACROSS, told_html

MEANING = 38  # column where the meaning of a line starts, if its formula ends before
EPSILON = float(np.finfo(np.float64).eps)
NO_BREAK = "\u00a0"  # a space at which lines are not wrapped


class UpdateStory(Story):
    """One optimizer step of one weight.

    Attributes:
        move: the optimizer's preview of the step (an optim.step_preview.Move): `.before`,
            `.after`, `.gradient`, `.clipped`, `.lr`, `.slots`, `.new_slots`, `.terms`.
        batches: number of batches of an epoch, or None.
        name, latex_name: of the weight: "w_12^(1)" in a stack of linear layers, otherwise
            "0.weight[0, 1]".
    """

    def __init__(self, move, name: str, latex_name: str, *, batches: int | None = None):
        self.move = move
        self.batches = batches
        self.name = name
        self.latex_name = latex_name

    @property
    def change(self) -> float:
        """Δw = w_new - w_old."""
        return self.move.after - self.move.before

    @property
    def relative(self) -> float | None:
        """|Δw| / |w|; None for a weight of 0."""
        return abs(self.change / self.move.before) if self.move.before else None

    @property
    def clip_factor(self) -> float | None:
        """The factor by which clipping scaled the gradient; None without clipping."""
        if self.move.clipped is None:
            return None
        return self.move.clipped / self.move.gradient if self.move.gradient else 1.0

    @property
    def effective_rate(self) -> float | None:
        """η / (√v + ε), if the optimizer has a learning rate per weight; else None."""
        return next((t.value for t in self.move.terms or () if t.symbol == "η_eff"), None)

    def text(self, width: int = WIDTH) -> str:
        move = self.move
        place = f"element [{listed(move.index)}] of {move.path}" if move.index else move.path
        lines = textwrap.wrap(
            f"{move.optimizer}, step {move.step}{self._epoch()}: the update of {self.name}"
            + (f", {place}" if move.path not in self.name else ""),
            width,
        )
        lines += ["", *self._givens(), ""]
        for term in move.terms or ():
            lines += self._term(term, width)
        if not move.terms:
            lines += self._results()
        lines.append("")
        for sentence in self._sentences():
            wrapped = textwrap.wrap(sentence, width, break_on_hyphens=False)
            lines += [line.replace(NO_BREAK, " ") for line in wrapped]
        return "\n".join(lines)

    def _epoch(self) -> str:
        """Which batch of which epoch the step is: one step, or iteration, is one batch."""
        if self.batches is None:
            return ""
        epoch, batch = divmod(self.move.step - 1, self.batches)
        return f" (epoch {epoch + 1}, batch {batch + 1} of {self.batches})"

    def iterations(self) -> str | None:
        """How the number of steps so far follows from epochs and batches; None if unknown."""
        steps = self.move.step - 1
        if self.batches is None or steps == 0:
            return None
        epochs, rest = divmod(steps, self.batches)
        counted = f"{_counted(epochs, 'epoch')} of {_counted(self.batches, 'batch')}"
        left = f" and {_counted(rest, 'batch')}" if rest else ""
        if epochs == 0:
            counted, left = _counted(rest, "batch"), f" of the {self.batches} of the first epoch"
        return f"t = {steps:,} steps (iterations) so far: {counted}{left}."

    def _givens(self):
        move = self.move
        called = "current bias, called w below" if self._is_bias() else "current weight"
        given = [("w", number(move.before, move.digits), called)]
        given.append(("g", number(move.gradient), "gradient ∂L/∂w"))
        if not any(term.symbol == "η" for term in move.terms or ()):
            given.append(("η", number(move.lr), "learning rate"))
        state = "state from previous steps" if move.step > 1 else "0 before the first step"
        given += [(symbol, number(value), state) for symbol, value in move.slots.items()]
        value_width = max(len(value) for _, value, _ in given)
        for symbol, value, what in given:
            yield f"  {_pad(symbol, self._symbol_width())} = {value:<{value_width}}  {what}"

    def _is_bias(self) -> bool:
        return self.move.path.rpartition(".")[2] == "bias"

    def _what(self) -> str:
        return "bias" if self._is_bias() else "weight"

    def _change(self) -> str:
        """Δw, with the digits that a difference of float64 numbers still has."""
        move = self.move
        step = abs(self.change) / (EPSILON * max(abs(move.before), abs(move.after)) or 1.0)
        return number(self.change, max(1, min(4, int(math.log10(step))))) if step > 1 else "0"

    def _symbol_width(self):
        symbols = [*self.move.slots, *(term.symbol for term in self.move.terms or ())]
        return max((columns(symbol) for symbol in symbols), default=1)

    def _value(self, symbol, value):
        return number(value, self.move.digits if symbol == "w" else 4)

    def _term(self, term, width):
        indent = 2 + self._symbol_width() + 3
        arrow = "←" if term.replaces else "="
        line = f"  {_pad(term.symbol, indent - 5)} {arrow} {term.formula}"
        value = self._value(term.symbol, term.value)
        result = [f"= {value}"]
        if term.numbers != value:
            result = textwrap.wrap(
                _in_one_line(f"= {term.numbers} = {value}"),
                width - indent + 2,
                subsequent_indent="  ",
                break_long_words=False,
            )
        described = f"{_pad(line, MEANING)}  {term.meaning}"
        if columns(described) <= width:
            line = described
        else:
            yield f"{' ' * indent}{term.meaning}:"
        yield line
        yield from (" " * (indent - 2) + part.replace(NO_BREAK, " ") for part in result)

    def _results(self):
        move, symbols = self.move, self._symbol_width()
        for symbol, value in move.new_slots.items():
            change = f"{number(move.slots[symbol])} → {number(value)}"
            yield f"  {_pad(symbol, symbols)} : {change}"
        before, after = (self._value("w", x) for x in self._ends())
        yield f"  {_pad('w', symbols)} : {before} → {after}"

    def _ends(self):
        return self.move.before, self.move.after

    def _sentences(self):
        move = self.move
        if move.terms is None:
            yield (
                f"{move.optimizer} has no `terms` that show its arithmetic: these are the results "
                "of its `update`."
            )
        elif not move.terms:
            yield (
                f"The `terms` of {move.optimizer} do not reproduce its `update`, so only the "
                "results of its `update` are shown."
            )
        yield self._size()
        factor = self.clip_factor
        if factor is not None and np.isfinite(move.gradient):
            if factor == 1:
                yield "Clipping did not change the gradient."
            else:
                yield f"Clipping scaled the gradient by {number(factor)}."
        rate = self.effective_rate
        if rate is not None and np.isfinite(rate):
            ratio = number(rate / move.lr, 3)
            yield f"The effective learning rate of this {self._what()}, η_eff, is {ratio} times η."
        if move.slots and np.isfinite(move.gradient):
            plain = 0.0 - move.lr * move.gradient  # no -0
            yield f"Plain gradient descent would have changed it by -η g = {number(plain)}."
        if np.isfinite(move.gradient):
            for variant in move.variants:
                yield self._variant(variant)
        if move.remark:
            yield move.remark
        if self.iterations() is not None:
            yield str(self.iterations())

    def _variant(self, variant) -> str:
        """What the step would be by another definition of the algorithm."""
        value, own = (self._value("w", x) for x in (variant.value, self.move.after))
        formula = _in_one_line(f"w = {variant.formula} = {variant.numbers} = {value}")
        same = " (the same to these digits)" if value == own else f" instead of {own}"
        return f"{variant.meaning[0].upper()}{variant.meaning[1:]}: {formula}{same}."

    def _size(self):
        move, change = self.move, self.change
        if not np.isfinite(change):
            source = "the gradient" if not np.isfinite(move.gradient) else "a term above"
            return (
                f"The {self._what()} becomes {number(move.after)}, because {source} is not finite."
            )
        if change == 0:
            return f"The {self._what()} does not change."
        step = f"The step is Δw = {self._change()}"
        if self.relative is None:
            return f"{step}, from 0."
        step += f", {number(100 * self.relative, 3)}% of the {self._what()}"
        if _rounded(move.after, move.dtype) == _rounded(move.before, move.dtype):
            return f"{step}: too small to change the {move.dtype} value."
        return f"{step}."

    def latex(self) -> str:
        lines = [f"w &= {self.latex_name}"]
        for term in self.move.terms or ():
            parts = [term.latex, term.latex_numbers, self._value(term.symbol, term.value)]
            parts[2] = latex_number(parts[2])
            arrow = r"\leftarrow" if term.replaces else "="
            lines.append(f"{term.latex_symbol} &{arrow} {' = '.join(dict.fromkeys(parts))}")
        if not self.move.terms:
            before, after = (latex_number(self._value("w", x)) for x in self._ends())
            lines.append(rf"{before} &\rightarrow {after}")
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def to_dict(self) -> dict:
        move = self.move
        return {
            "optimizer": move.optimizer,
            "step": move.step,
            "path": move.path,
            "index": list(move.index),
            "name": self.name,
            "lr": move.lr,
            "before": move.before,
            "after": move.after,
            "change": self.change,
            "relative": self.relative,
            "gradient": move.gradient,
            "clipped": move.clipped,
            "clip_factor": self.clip_factor,
            "effective_rate": self.effective_rate,
            "slots": dict(move.slots),
            "new_slots": dict(move.new_slots),
            "batches": self.batches,
            "iterations": self.iterations(),
            "variants": [
                {"meaning": v.meaning, "formula": v.formula, "numbers": v.numbers, "value": v.value}
                for v in move.variants
            ],
            "remark": move.remark,
            "terms": [
                {
                    "symbol": term.symbol,
                    "formula": term.formula,
                    "numbers": term.numbers,
                    "latex": f"{term.latex_symbol} = {term.latex}",
                    "value": term.value,
                    "meaning": term.meaning,
                }
                for term in move.terms or ()
            ],
        }

    def html(self) -> str:
        """Its terms in words; their numbers stand in the typeset formula."""
        lines = self.text(ACROSS).split("\n")
        return told_html("\n".join(line for line in lines if not line.lstrip().startswith("= ")))

    def plot(self, axes=None, *, history=None):
        """The step compared with plain gradient descent; or the history of the weight.

        Args:
            axes: where to draw; None: a new figure.
            history: the values of this weight so far, one per step, the latest last; drawn as a
                line that ends at the new value.
        """
        axes = new_axes(axes, width=6.4, height=2.4 if history is None else 3.6)
        axes.spines[["top", "right"]].set_visible(False)
        if history is None:
            self._plot_steps(axes)
        else:
            self._plot_path(axes, [float(value) for value in history])
        axes.set_title(f"{self.move.optimizer}, step {self.move.step}: ${self.latex_name}$")
        return axes

    def _plot_steps(self, axes):
        move = self.move
        steps = {"gradient descent\n-η g": 0.0 - move.lr * move.gradient}
        if move.clipped is not None:
            steps["clipped\n-η g"] = 0.0 - move.lr * move.clipped
        steps[f"{move.optimizer}\nΔw"] = self.change
        colors = [GRAY] * (len(steps) - 1) + [ORANGE]
        places = list(range(len(steps)))
        bars = axes.barh(places, list(steps.values()), color=colors, edgecolor=GRAY)
        axes.bar_label(bars, [number(value) for value in steps.values()], padding=4)
        axes.set_yticks(places, list(steps))
        axes.invert_yaxis()
        axes.margins(x=0.25)
        axes.axvline(0, color=GRAY, linewidth=0.8)
        axes.set_xlabel(f"step of ${self.latex_name}$")

    def _plot_path(self, axes, values):
        move, now = self.move, len(values) - 1
        if not values or not np.isclose(values[-1], move.before, rtol=1e-5, equal_nan=True):
            raise OptionError(
                f"the history ends at {number(values[-1], 6) if values else 'nothing'}",
                expected=f"the current weight, {number(move.before, 6)}, as its last value",
                fix="record the weight before the first step and after every step",
            )
        axes.plot(range(len(values)), values, color=BLUE, marker=".", label="so far")
        axes.plot(
            [now, now + 1],
            [move.before, move.after],
            color=ORANGE,
            linestyle="--",
            marker="o",
            markevery=[1],
            label=f"this step: Δw = {self._change()}",
        )
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("step")
        axes.set_ylabel(f"${self.latex_name}$")
        legend_above(axes)


def _counted(n: int, what: str) -> str:
    plural = "es" if what.endswith("ch") and what != "epoch" else "s"
    return f"{n:,} {what}{plural if n != 1 else ''}"


def listed(index) -> str:
    return ", ".join(map(str, index))


def _rounded(value, dtype):
    return np.asarray(value).astype(dtype)


def _in_one_line(text) -> str:
    """Keep products and brackets together: lines are wrapped at sums."""
    for sign in (" · ", " / ", "= "):
        text = text.replace(sign, sign.replace(" ", NO_BREAK))
    depths = np.cumsum([(c == "(") - (c == ")") for c in text])
    letters = zip(text, depths, strict=True)
    return "".join(NO_BREAK if c == " " and depth else c for c, depth in letters)


def columns(text) -> int:
    """Display width of a text: combining characters take no column."""
    return sum(not unicodedata.combining(c) for c in text)


def _pad(text, width) -> str:
    return text + " " * (width - columns(text))
