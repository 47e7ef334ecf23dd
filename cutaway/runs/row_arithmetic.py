"""RowArithmetic: the way of one row, from its raw values to ŷ, the decision and the loss."""

import dataclasses
import math
import textwrap
from html import escape

import numpy as np

from cutaway.runs.kinds import KINDS
from cutaway.runs.row_loss import loss_lines, output_of
from cutaway.story.equation import equation
from cutaway.story.text import WIDTH, Story, number
from cutaway.story.told_html import symbols

WRITTEN = 6  # exponentials of a softmax that are written out; of a longer one, the largest
COLUMNS = 8  # of a table whose encoding is shown: those that matter most
STEPS = 6  # of a forecast that are written out
HEADINGS = {
    "inputs": "From the values to the inputs x of the network",
    "output": "From the output of the network to ŷ",
    "loss": "The loss L of this row",
}


@dataclasses.dataclass(frozen=True, repr=False)
class RowArithmetic(Story):
    """The way from the values of a row to its prediction and loss. Made by `arithmetic_of_row`.

    Attributes:
        inputs: how its values became the inputs of the network, a line each.
        output: from the network's score z to ŷ and the decision.
        loss: the loss against the truth; [] without one.
    """

    inputs: list
    output: list
    loss: list

    def text(self, width: int = WIDTH) -> str:
        lines = []
        for part, heading in HEADINGS.items():
            found = getattr(self, part)
            if found:
                lines += ["", f"{heading}:"]
            for line in found:
                lines += textwrap.wrap(
                    line,
                    width,
                    initial_indent="  ",
                    subsequent_indent="      ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
        return "\n".join(lines[1:])

    def html(self) -> str:
        """The lines below their headings, with indices and powers set as such."""
        parts = []
        for part, heading in HEADINGS.items():
            found = getattr(self, part)
            if found:
                lines = "".join(f'<p class="equation">{symbols(line)}</p>' for line in found)
                parts.append(f'<p class="part"><b>{escape(heading)}</b></p>{lines}')
        return f'<div class="cutaway-told">{"".join(parts)}</div>'

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)


def arithmetic_of_row(run, x, y, frame, explanation, attribution=None) -> RowArithmetic:
    """The RowArithmetic of one row of a run.

    Args:
        run: the Run.
        x, y: the encoded row (1, ...); y None: the truth is unknown.
        frame: the row of the data.
        explanation: the Explanation of this row.
        attribution: of its prediction, by which the columns to show are chosen; or None.
    """
    kind, rows = KINDS[run.config["kind"]], run.preprocessing
    spec = run.config["network"]
    inputs, loss = _most_important(kind.encoding(rows, x, frame, spec), attribution), spec["loss"]
    raw = np.ravel(np.asarray(explanation.output, np.float64))
    truth = None if y is None else np.ravel(np.asarray(y))
    if rows.task == "language" and truth is not None:
        truth = truth[-1:]  # each window is explained by its last prediction
    if rows.task == "regression":
        output = _forecast(rows, raw)
    elif rows.task == "binary":
        output = _binary(rows, raw, explanation, loss)
    else:
        output = _classes(rows, raw, explanation, loss)
    lines = [] if truth is None else loss_lines(run, raw, truth, explanation)
    return RowArithmetic(inputs, output, lines)


def _most_important(encoding: dict, attribution) -> list:
    """The lines of the columns with the largest attributions."""
    names = list(encoding)
    if len(names) > COLUMNS:
        sizes = dict.fromkeys(names, 0.0)
        for label, _, value in [] if attribution is None else attribution.bars():
            name = label.partition(" = ")[0]
            if name in sizes:
                sizes[name] += abs(value)
        names = sorted(sorted(names, key=lambda n: -sizes[n])[:COLUMNS], key=names.index)
    lines = [line for name in names for line in encoding[name]]
    left = len(encoding) - len(names)
    return [*lines, f"and {left} more columns, with smaller attributions"] if left else lines


def _forecast(rows, raw) -> list:
    """Outputs in standardized units, and as values of the target."""
    mean, scale = rows.target.mean, rows.target.scale
    one = len(raw) == 1
    lines = []
    for k, z in enumerate(raw[:STEPS]):
        place = "" if one else f"_{k + 1}"
        lines += _value_of(rows.target, z, place)
    if len(raw) > STEPS:
        lines.append(f"and {len(raw) - STEPS} more steps ahead, likewise")
    z = f"z = {number(raw[0])}" if one else "z_1, z_2, ..."
    whose = "its mean" if rows.target.transform == "none" else "the mean of ln(1 + truth),"
    return [
        f"{z}: output of the network, standardized as the target was, with {whose} "
        f"μ = {number(mean)} and standard deviation σ = {number(scale)} in training",
        *lines,
    ]


def _value_of(target, z, place: str) -> list:
    """How an output z became a value in the target's unit, in lines."""
    mean, scale = target.mean, target.scale
    written = equation("{0:n} · {1} + {2}", _untransformed, z, scale, mean)
    if target.transform == "log1p":
        value = float(target.decode(z))
        power = equation("e^{0} - 1", math.expm1, math.log1p(value))
        lines = [
            f"v{place} = z{place} · σ + μ = {written}: ln(1 + ŷ{place})",
            f"ŷ{place} = e^v{place} - 1 = {power}",
        ]
    else:
        value = float(target.decode(z))
        lines = [f"ŷ{place} = z{place} · σ + μ = {written}"]
    limited = float(target.limited(value))
    if limited != value:
        low, high = map(number, target.bounds)
        lines.append(
            f"ŷ{place} = {number(limited)}: predictions are limited to the range of the training "
            f"values, {low} to {high}"
        )
    return lines


def _untransformed(z, scale, mean):
    return z * scale + mean


def sigmoid(z: float) -> float:
    """1 / (1 + e^-z); 0 where e^-z overflows."""
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def _binary(rows, raw, explanation, loss) -> list:
    target, (no, yes) = rows.target.name, rows.classes
    z = _before_activation(raw, explanation, loss)
    meaning = f"probability of {target} = {yes}"
    if z is None:
        p, lines = float(raw[0]), [f"ŷ = {number(raw[0])}: {meaning}"]
    else:
        z, p = float(z[0]), sigmoid(float(z[0]))
        written = equation("1 / (1 + e^{0})", _logistic, -z)
        if output_of(loss) == "score":
            meaning = "score as a number from 0 to 1; it is not trained to be a probability"
        lines = [
            f"z = {number(z)}: score of the network, before the sigmoid",
            f"ŷ = σ(z) = 1 / (1 + e^-z) = {written}: {meaning}",
        ]
    rest = equation("1 - {0}", _complement, p)
    chosen = rows.decision
    if chosen is None:
        if p > 0.5:  # ties go to the first class
            return [*lines, f"ŷ > 0.5: predicted is {target} = {yes}"]
        return [*lines, f"ŷ <= 0.5: predicted is {target} = {no}, with 1 - ŷ = {rest}"]
    share, symbol = (p, "ŷ") if chosen.positive else (1 - p, f"1 - ŷ = {rest}")
    is_it = share >= chosen.value
    guess = rows.classes[chosen.positive if is_it else 1 - chosen.positive]
    compared = f"{symbol} {'>=' if is_it else '<'} {number(chosen.value)}, the threshold"
    return [*lines, f"{compared}: predicted is {target} = {guess}"]


def _logistic(minus_z):
    return 1 / (1 + math.exp(min(minus_z, 700)))


def _complement(p):
    return 1 - p


def _before_activation(raw, explanation, loss):
    """The scores z (outputs,); None if the network does not end with them, or sigmoid, softmax."""
    if output_of(loss) in ("logit", "score"):
        return raw
    for node in explanation.trace.graph.outputs.values():
        if node.name in ("sigmoid", "softmax") and node.sources[0] is not None:
            return np.ravel(node.sources[0].value)
    return None


def _classes(rows, raw, explanation, loss) -> list:
    """Softmax, written out for the largest scores."""
    names = class_names(rows)
    z = _before_activation(raw, explanation, loss)
    if z is None:
        order = np.argsort(-raw, kind="stable")[:WRITTEN]
        lines = [f"ŷ_{k + 1} = {number(raw[k])}: {names[k]}" for k in order]
        return [*lines, f"the largest is predicted: {names[order[0]]}"]
    z = z[-len(names) :]
    shift = z.max() if np.abs(z).max() > 500 else 0.0  # e^z overflows at 709
    powers = np.exp(z - shift)
    total = powers.sum()
    order = np.argsort(-z, kind="stable")
    shown = order[:WRITTEN]
    each = "token" if rows.task == "language" else "class"
    lines = [f"z: scores of the network, one for each {each}; softmax makes them probabilities"]
    if shift:
        lines.append(f"from each z, {number(shift)} is subtracted, which changes no ŷ")
    for k in shown:
        power = equation("e^{0}", math.exp, float(z[k] - shift))
        lines.append(f"z_{k + 1} = {number(z[k])}: {names[k]}; e^z_{k + 1} = {power}")
    few = len(z) <= WRITTEN
    if few:
        parts = " + ".join(f"{{{k}}}" for k in range(len(z)))
        written = equation(parts, _summed, *powers.tolist())
        lines.append(f"S = Σ e^z_k = {written}")
    else:
        lines.append(f"S = Σ e^z_k = {number(total)}, over all {len(z)} of them")
    for k in shown[:2]:
        written = equation("{0} / {1}", _quotient, float(powers[k]), float(total))
        lines.append(f"ŷ_{k + 1} = e^z_{k + 1} / S = {written}: probability of {names[k]}")
    best = int(order[0])
    return [*lines, f"the largest is ŷ_{best + 1}: predicted is {names[best]}"]


def _summed(*parts):
    return sum(parts)


def _quotient(a, b):
    return a / b


def class_names(rows) -> list:
    """The classes of a run, or the tokens of a language model, in order."""
    if rows.classes is not None:
        return [str(c) for c in rows.classes]
    return [repr(rows.tokenizer.token(k)) for k in range(rows.tokenizer.size)]
