"""Backpropagation through time of one recurrent weight: its gradient as a sum over the steps."""

import dataclasses
import operator
import textwrap

import numpy as np

from cutaway.errors import OptionError
from cutaway.explain.names import ElementNames, name_of_origin
from cutaway.explain.paths import LocalJacobians
from cutaway.explain.unrolled import Unrolled
from cutaway.story.design import BLUE, GRAY, ORANGE
from cutaway.story.equation import equation
from cutaway.story.figures import svg_of
from cutaway.story.panels import new_figure
from cutaway.story.text import WIDTH, Story, align, number, subscript

STEPS = 24  # in a text
SHARED = (
    "It is one weight, shared by all steps. Its gradient is the sum over the steps at which it was "
    "used: of the slope at that step times what the weight was multiplied by."
)


@dataclasses.dataclass(frozen=True)
class TimeStep:
    """What one time step contributes to the gradient of a weight.

    Attributes:
        time: the step, from 0.
        slope: (name, value): ∂L/∂z at this step, along all paths from there.
        source: (name, value): what the weight was multiplied by; 1 for a bias.
        contribution: slope times source.
    """

    time: int
    slope: tuple
    source: tuple
    contribution: float


class ThroughTime(Story):
    """The gradient of a recurrent weight, step by step. Made by `Explanation.through_time`.

    Attributes:
        path, index, name: of the weight.
        weight: its value.
        value: the engine's gradient.
        steps: [TimeStep] in the order of time.
        states: {time: √(mean of (∂L/∂h)²) over the units}: how strong the gradient is there.
        cells: the same of ∂L/∂c, of an LSTM; otherwise {}.
    """

    def __init__(self, trace, jacobians: LocalJacobians, names: ElementNames, path, index):
        trace.expect_loss()
        graph = trace.graph
        node = graph.parameters[path]
        self.path, self.index = path, index
        element = int(np.ravel_multi_index(index, node.shape)) if node.shape else 0
        self.name = names.text(node, element)
        self.weight = float(node.value.ravel()[element])
        self.value = float(trace.engine_gradients[path].ravel()[element])
        self._graph, self._names, self._jacobians = graph, names, jacobians
        grads, consumers = graph.gradients(), graph.consumers()
        uses = [(_time_of(user, consumers), user) for user in consumers[node.number]]
        if not uses or any(time is None for time, _ in uses):
            raise OptionError(
                f"{path} is not used at time steps",
                expected="a weight of an RNN, LSTM or GRU",
                fix="for another weight call gradient(path, index)",
            )
        self.steps = [
            self._step(time, user, node, grads) for time, user in sorted(uses, key=_by_time)
        ]
        layer = next(user.module for _, user in uses)
        self.states = _sizes(graph, grads, layer, "h")
        self.cells = _sizes(graph, grads, layer, "c")

    def _step(self, time, user, node, grads) -> TimeStep:
        place = next(k for k, s in enumerate(user.sources) if s is node)
        column = self.index[-1]
        grad = np.asarray(grads.get(user.number, np.zeros(user.shape)))
        slope = float(grad[..., column].sum())
        names = self._names
        symbol = f"∂L/∂{self._score_name(time, column)}"
        is_product = user.record.operation.traits.sign == "×"
        if len(self.index) == 1 and not is_product:  # a bias is added as it is
            return TimeStep(time, (symbol, slope), ("1", 1.0), slope)
        other = 1 - place
        at = column if is_product else self.index[0]  # a GRU gates the bias of its candidate
        source, array = user.sources[other], np.asarray(user.record.arrays[other], np.float64)
        if len(array) != 1:
            raise OptionError(
                f"the path through time of a batch of {len(array)} rows",
                expected="one example",
                fix="explain one row: ct.explain(net, x[:1], y[:1], loss=...)",
            )
        value, called = float(array[0, at]), "a constant"
        if source is not None:
            called = name_of_origin(source, at, names, self._jacobians)
        return TimeStep(time, (symbol, slope), (called, value), slope * value)

    def _score_name(self, time, column) -> str:
        """z_j^(l)[t] where the weight leads to it; a_j^(l)[t] for a part of a GRU's candidate."""
        scores = [
            n for n in self._graph.nodes if n.label is not None and n.label[:2] == ("z", time)
        ]
        symbol = "z" if any(n.shape[-1] > column for n in scores) else "a"
        layer = self._names.layer_of(self.path)
        at = "" if layer is None else f"^({layer})"
        return f"{symbol}_{subscript(column)}{at}[t={time + 1}]"

    @property
    def total(self) -> float:
        """The sum over the steps."""
        return float(np.sum([step.contribution for step in self.steps]))

    def text(self, width: int = WIDTH) -> str:
        place = ", ".join(map(str, self.index))
        lines = [f"∂L/∂{self.name} through time   ({self.path}[{place}] = {number(self.weight)})"]
        lines += ["", *textwrap.wrap(SHARED, width), ""]
        shown = self.steps
        if len(shown) > STEPS:
            largest = sorted(self.steps, key=lambda s: -abs(s.contribution))[:STEPS]
            shown = sorted(largest, key=lambda s: s.time)
        rows = []
        for step in shown:
            written = equation("{0:n} · {1}", operator.mul, step.slope[1], step.source[1])
            left, right = written.split(" = ")
            rows.append([f"  {step.slope[0]} · {step.source[0]}", f"= {left}", f"= {right}"])
        if len(self.steps) > len(shown):
            rest = self.total - sum(s.contribution for s in shown)
            left = len(self.steps) - len(shown)
            rows.append([f"  {left} other steps, smaller ones", "", f"= {number(rest)}"])
        rows.append([f"  sum: ∂L/∂{self.name}", "", f"= {number(self.value, 6)}"])
        lines += align(rows)
        if self.states:
            lines += ["", *self._strength("∂L/∂h", self.states, width)]
        if self.cells:
            lines += ["", *self._strength("∂L/∂c, of the cell,", self.cells, width)]
        return "\n".join([*lines, *textwrap.wrap(self.note(), width)])

    def _strength(self, what, sizes, width) -> list:
        """How a gradient changes backward in time, as bars of characters."""
        lines = [f"Size of {what} at each step (root mean square over the units):"]
        shown = list(sizes.items())[-STEPS:]
        largest = max(value for _, value in shown) or 1.0
        rows = [[f"  t={time + 1}", number(value)] for time, value in shown]
        aligned = align(rows, "<>")
        room = width - max(map(len, aligned)) - 2
        for line, (_, value) in zip(aligned, shown, strict=True):
            lines.append(f"{line}  {'*' * round(value / largest * room)}".rstrip())
        return lines

    def note(self) -> str:
        """Whether the gradient vanishes or grows backward in time, in a sentence or two."""
        if not self.cells:
            return _course("it", self.states)
        return " ".join(filter(None, (_course("∂L/∂h", self.states), _course("∂L/∂c", self.cells))))

    def option(self) -> str:
        """The option of `cutaway explain` that shows it."""
        return f"--weight {self.path}:{','.join(map(str, self.index))}"

    def to_dict(self) -> dict:
        return {
            "weight": self.name,
            "path": self.path,
            "index": list(self.index),
            "value": self.value,
            "steps": [
                {
                    "time": step.time,
                    "slope": step.slope[1],
                    "source": step.source[0],
                    "source_value": step.source[1],
                    "contribution": step.contribution,
                }
                for step in self.steps
            ],
            "states": {str(time): value for time, value in self.states.items()},
            "cells": {str(time): value for time, value in self.cells.items()},
        }

    def plot(self, axes=None):
        """The contribution of each step, and above it the size of ∂L/∂h."""
        if axes is None:
            figure = new_figure(6.4, 3.6)
            upper, axes = figure.subplots(2, 1, sharex=True)
            times = [time + 1 for time in self.states]
            upper.plot(times, list(self.states.values()), marker="o", markersize=3, color=BLUE,
                       label="∂L/∂h")  # fmt: skip
            upper.set_ylabel("size of ∂L/∂h")
            if self.cells:
                upper.plot(times, list(self.cells.values()), marker="s", markersize=3, color=ORANGE,
                           label="∂L/∂c")  # fmt: skip
                upper.set_ylabel("size")
                upper.legend()
            upper.set_ylim(bottom=0)
        steps = [step.time + 1 for step in self.steps]
        axes.bar(steps, [step.contribution for step in self.steps], color=ORANGE)
        axes.axhline(0, linewidth=0.8, color=GRAY)
        axes.set_ylabel("contribution")
        axes.set_xlabel("time step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        return axes

    def html(self) -> str:
        drawing = Unrolled(self.states).svg()
        return (
            f'<figure class="scroll">{drawing}</figure>{super().html()}'
            f'<div class="chart scroll">{svg_of(self.plot().figure)}</div>'
        )


def _sizes(graph, grads, layer, symbol) -> dict:
    """{time: √(mean of (∂L/∂state)²) over the units}, of a state of a layer."""
    found = {
        n.label[1]: float(np.sqrt(np.mean(np.asarray(grads.get(n.number, 0.0)) ** 2)))
        for n in graph.nodes
        if n.label is not None and n.label[0] == symbol and n.module == layer
    }
    return dict(sorted(found.items()))


def _course(what, sizes) -> str:
    """What becomes of a gradient backward in time."""
    values = list(sizes.values())
    if len(values) < 2 or not values[-1]:
        return ""
    first, last = values[0], values[-1]
    if first == 0:
        begin = "No gradient" if what == "it" else f"No {what}"
        return f"{begin} reaches t=1 from t={len(values)}."
    each, factor = (first / last) ** (1 / (len(values) - 1)), number(first / last, 3)
    return (
        f"From t={len(values)} back to t=1 {what} is multiplied by {factor}: by {number(each, 3)} "
        "per step, on average."
    )


def is_used_over_time(graph, path: str) -> bool:
    """Whether a parameter is used at time steps, as a recurrent weight is."""
    node = graph.parameters.get(path)
    if node is None:
        return False
    consumers = graph.consumers()
    users = consumers[node.number]
    return bool(users) and all(_time_of(user, consumers) is not None for user in users)


def _by_time(use):
    return use[0]


def _time_of(node, consumers) -> int | None:
    """The time step that a node belongs to: that of the next labeled result."""
    waiting, seen = [node], set()
    while waiting:
        found = waiting.pop(0)
        if found.number in seen:
            continue
        seen.add(found.number)
        if found.label is not None and found.label[1] is not None:
            return found.label[1]
        if found.label is None and found.module == node.module:
            waiting += consumers[found.number]
    return None
