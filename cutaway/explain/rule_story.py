"""The rule of a neuron that learns without gradients, row by row, with its numbers."""

import dataclasses
import textwrap

import numpy as np

from cutaway.errors import OptionError
from cutaway.explain.arithmetic import wrapped_equation
from cutaway.nn.trees import leaves
from cutaway.optim.terms import constant, named, spell
from cutaway.story.panels import signed_bars
from cutaway.story.text import WIDTH, Story, align, bracketed, latex_number, number

MOST = 8  # rows and weights that are written out


@dataclasses.dataclass(frozen=True)
class RuleStep:
    """What one row changes.

    Attributes:
        x, y: the row and its target.
        z, out: the score and the prediction before the change.
        names: of the weights, the bias last.
        before, after: their values.
        terms: for each weight, the FormulaSteps of the rule.
    """

    x: np.ndarray
    y: float
    z: float
    out: float
    names: list
    before: list
    after: list
    terms: list


class RuleStory(Story):
    """What rows would change in a neuron with a learning rule. Made by `Explanation.rule`.

    The rows are taken one after the other, each with the weights that the rows before it left. The
    neuron itself is not changed.

    Attributes:
        neuron: name of its class.
        formula: of the rule, in symbols.
        lr: η.
        steps: [RuleStep], one per row.
    """

    def __init__(self, net, x, y):
        if not net.rule_weights:
            raise OptionError(
                f"a {type(net).__name__} has no learning rule of its own",
                expected="a neuron trained by a rule: ct.Perceptron or ct.nn.HebbianNeuron",
                fix="networks are trained by gradients: gradient(path, index) and update(...)",
            )
        if y is None:
            raise OptionError(
                "the rule was requested, but there is no target y",
                expected="explain(neuron, x, y)",
                fix="give the target of each row",
            )
        self.neuron, self.formula, self.lr = type(net).__name__, net.rule_formula, float(net.lr)
        rows = np.asarray(leaves(x)[0].numpy(), float)
        rows = rows.reshape(-1, rows.shape[-1])
        targets = np.asarray(leaves(y)[0].numpy(), float).ravel()
        if len(targets) != len(rows):
            raise OptionError(
                f"the rule got {len(rows)} rows and {len(targets)} targets",
                expected="a target for each row",
            )
        weights = [*net.weight.numpy()[:, 0].astype(float).tolist(), float(net.bias.numpy()[0])]
        self.steps = []
        for row, target in zip(rows, targets.tolist(), strict=True):
            step = _step(net, row, target, weights)
            weights = step.after
            self.steps.append(step)

    def text(self, width: int = WIDTH) -> str:
        lines = [f"{self.neuron}: {self.formula}, with η = {number(self.lr)}"]
        for k, step in enumerate(self.steps[:MOST], 1):
            lines.append("")
            if len(self.steps) > 1:
                lines.append(f"Row {k}")
            lines += self._step(step, width)
        if len(self.steps) > MOST:
            lines += ["", f"and {len(self.steps) - MOST} more rows; after them"]
        if len(self.steps) > 1:
            last = self.steps[-1]
            after = [f"{n} = {number(w)}" for n, w in zip(last.names, last.after, strict=True)]
            said = f"After {len(self.steps)} rows: {', '.join(after)}"
            lines += ["", *textwrap.wrap(said, width)]
        return "\n".join(line[:width] for line in lines)

    def _step(self, step: RuleStep, width) -> list:
        x = [*step.x.tolist(), 1.0]
        shown = list(zip(step.before, x, strict=True))
        products = [f"{bracketed(w)} · {bracketed(v)}" for w, v in shown[:-1]]
        total = " + ".join([*products[:MOST], *(["..."] if products[MOST:] else [])])
        total += f" + {bracketed(step.before[-1])}"
        lines = wrapped_equation(f"  z = Σ w x + b = {total} = {number(step.z)}", width)
        sign = ">=" if step.z >= 0 else "<"
        lines += [f"  ŷ = {number(step.out)}, because z {sign} 0;  y = {number(step.y)}"]
        common = [t for t in step.terms[0] if t.symbol not in ("Δw", "w")]
        for term in common:
            lines.append(
                f"  {term.symbol} = {term.formula} = {term.numbers} = {number(term.value)}, "
                f"{term.meaning}"
            )
        rows = []
        for name, before, after, terms in zip(
            step.names, step.before, step.after, step.terms, strict=True
        ):
            change = next(t for t in terms if t.symbol == "Δw")
            rows.append(
                [f"  Δ{name}", f"= {change.formula}", f"= {change.numbers}",
                 f"= {number(change.value)}", f"{name}: {number(before)} → {number(after)}"]
            )  # fmt: skip
        lines += align([*rows[:MOST], *(rows[-1:] if len(rows) > MOST else [])])
        if all(after == before for before, after in zip(step.before, step.after, strict=True)):
            lines.append("  Nothing changes.")
        return lines

    def latex(self) -> str | None:
        if len(self.steps) > 1:
            return None
        (step,) = self.steps
        lines = [
            rf"\Delta {_latex_name(name)} &= {change.latex} = {change.latex_numbers} = "
            + latex_number(number(change.value))
            for name, terms in list(zip(step.names, step.terms, strict=True))[:MOST]
            for change in terms
            if change.symbol == "Δw"
        ]
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def to_dict(self) -> dict:
        return {
            "neuron": self.neuron,
            "rule": self.formula,
            "lr": self.lr,
            "steps": [
                {
                    "x": step.x.tolist(),
                    "y": step.y,
                    "z": step.z,
                    "prediction": step.out,
                    "names": step.names,
                    "before": step.before,
                    "after": step.after,
                }
                for step in self.steps
            ],
        }

    def plot(self, axes=None):
        """The change of each weight over all rows."""
        first, last = self.steps[0], self.steps[-1]
        changes = [b - a for a, b in zip(first.before, last.after, strict=True)]
        return signed_bars(axes, first.names, changes, label="change")


def _step(net, row, target, weights) -> RuleStep:
    z = float(row @ np.asarray(weights[:-1]) + weights[-1])
    out = float(net.outputs[int(z >= 0)])
    names = [*(f"w_{i}" for i in range(1, len(row) + 1)), "b"]
    terms, after = [], []
    for name, weight, value in zip(names, weights, [*row.tolist(), 1.0], strict=True):
        # the bias is a weight of an input that is always 1
        x = None if name == "b" else named(f"x_{name[2:]}", value)
        rule = net.rule(
            named("w", weight), x, named("y", target), named("ŷ", out), constant("η", net.lr)
        )
        found = spell(rule, ())
        terms.append(found)
        after.append(found[-1].value)
    return RuleStep(row, target, z, out, names, list(weights), after, terms)


def _latex_name(name) -> str:
    letter, _, index = name.partition("_")
    return f"{letter}_{{{index}}}" if index else letter
