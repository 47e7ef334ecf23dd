"""The forward pass of one element: z_j = Σ_i w_ij O_i + b_j term by term, and O_j = act(z_j)."""

import dataclasses

import numpy as np

from cutaway.engine import float64
from cutaway.explain.arithmetic import (
    LONGEST_SUM,
    Arithmetic,
    arithmetic_of,
    wrapped_equation,
)
from cutaway.explain.graph import Node
from cutaway.explain.graph_formula import GraphFormula
from cutaway.explain.names import ElementNames, name_of_origin
from cutaway.explain.paths import LocalJacobians
from cutaway.optim.terms import Quantity
from cutaway.story.panels import indexed, signed_bars
from cutaway.story.text import WIDTH, Story, align, bracketed, latex_number, number

SHOWN = 12  # largest terms of a long sum that are printed


@dataclasses.dataclass(frozen=True)
class Term:
    """One product of a sum.

    Attributes:
        weight, source: names of the weight and of the value it multiplies.
        weight_value, source_value: their values.
    """

    weight: str
    source: str
    weight_value: float
    source_value: float

    @property
    def product(self) -> float:
        return self.weight_value * self.source_value


@dataclasses.dataclass(frozen=True)
class Stage:
    """An intermediate value, and what it was computed from.

    Attributes:
        name: of the value.
        value: the value.
        how: the operation in words, or the right-hand side of the formula.
        terms: the products that were summed; [] if it is not a sum of products.
        bias: (name, value) of the bias, or None.
        inputs: [(name, value)] of the inputs of any other operation.
        steps: the formula of a function with its numbers: ["1 / (1 + e^0.168)"].
        because: why this branch of the formula holds; "" without branches.
        latex: of the steps.
        is_of_row: whether it is a function of a whole row, as softmax is.
    """

    name: str
    value: float
    how: str
    terms: list = dataclasses.field(default_factory=list)
    bias: tuple | None = None
    inputs: list = dataclasses.field(default_factory=list)
    steps: list = dataclasses.field(default_factory=list)
    because: str = ""
    latex: list = dataclasses.field(default_factory=list)
    is_of_row: bool = False


class ForwardStory(Story):
    """How one element of a layer's output is computed. Made by `Explanation.forward`.

    Attributes:
        path, index: the layer, and the index in its output.
        name, value: of the element.
        stages: [Stage] in the order of computation.
    """

    def __init__(
        self,
        jacobians: LocalJacobians,
        names: ElementNames,
        path: str,
        node: Node,
        index: tuple,
        what: str,
    ):
        self.path, self.index, self.layer = path, index, what
        self._jacobians, self._names = jacobians, names
        self._latex_names = {}  # {name of a stage: the same in LaTeX}
        element = int(np.ravel_multi_index(index, node.shape)) if node.shape else 0
        node, element = self._named(node, element)
        self.name = names.text(node, element)
        self.value = float(node.value.ravel()[element])
        with float64():
            self.stages = self._attention(path, index) + self._stages(node, element)

    def _attention(self, path, index) -> list:
        """The attention weights of this position, head by head."""
        stages = []
        for node in self._jacobians.graph.nodes:
            if node.label is None or node.label[0] != "p" or node.module != path:
                continue
            *rows, heads, _, _ = node.shape
            for head in range(heads):
                row = node.value[(*index[: len(rows)], head, index[-2])]
                places = [(f"position {k + 1}", float(p)) for k, p in enumerate(row)]
                name = f"p, head {head + 1}"
                what = f"attention weights (they sum to 1) of position {index[-2] + 1} over"
                stages.append(Stage(name, float(row.max()), what, inputs=places))
        return stages

    def _named(self, node, element):
        """The element itself, or the named element that it is a copy of."""
        while node.record is not None and (
            self._names.of(node) is None or node.record.operation.traits.edges == "movement"
        ):
            source, origin = self._jacobians.origin(node, element)
            if source is None:
                break
            node, element = source, origin
        return node, element

    def _stages(self, node, element):
        stages, waiting, seen = [], [(node, element)], set()
        while waiting:
            node, element = waiting.pop()
            if node is None or node.leaf is not None or (node.number, element) in seen:
                continue
            seen.add((node.number, element))
            stage, before = self._stage(node, element)
            stages.append(stage)
            waiting += before
        return stages[::-1]

    def _stage(self, node, element):
        """How this element was computed, and the elements to explain next."""
        name, value = self._names.text(node, element), float(node.value.ravel()[element])
        self._latex_names[name] = self._names.latex(node, element)
        operation = node.record.operation
        products, biases = self._sum_of(node, element)
        if products:
            terms = [term for part, at in products for term in self._terms(part, at)]
            bias = [(self._names.text(b, at), float(b.value.ravel()[at])) for b, at in biases]
            how = "weights times inputs" + (", plus the bias" if bias else "")
            return Stage(name, value, how, terms, bias[0] if bias else None), []
        inputs, before = self._inputs(node, element)
        own = self._names.of(node)
        written = arithmetic_of(node, element)
        if written is not None:
            before = before if len(before) <= LONGEST_SUM else []
            return self._written(node, element, written, inputs), before
        if len(inputs) == 1 and operation.traits.role not in ("arithmetic", "choice"):
            return Stage(name, value, f"{operation.symbol}({inputs[0][0]})", inputs=inputs), before
        how = (own.what.partition(" in ")[0] if own else operation.name) + " of"
        if own is not None:
            formula = own.formula or self._formula(own, [n for n, _ in before])
            composed = None if formula else self._composed(node, element)
            if composed is not None:
                numbers = composed.text(numbers=True)
                return Stage(name, value, composed.text(), inputs=inputs, steps=[numbers]), before
            how = f"{formula}, from" if formula else how
        together = [b for b in before if own and self._same_time(b[0], own)]
        return Stage(name, value, how, inputs=inputs), together

    def _composed(self, node, element) -> Quantity | None:
        """A short formula of + - · / of named values; None if it is none."""
        found = GraphFormula(self._names, self._jacobians).of(node, element)
        if found is None or found.kind is None or node.record.operation.traits.is_function:
            return None
        if not np.isclose(found.value, node.value.ravel()[element], rtol=1e-9):
            return None
        return found if len(found.text()) <= WIDTH // 2 else None

    def _written(self, node, element, written: Arithmetic, inputs) -> Stage:
        """The stage of a function whose formula is written out with its numbers."""
        name, value = self._names.text(node, element), float(node.value.ravel()[element])
        operation = node.record.operation
        steps = [step for step in written.steps() if step != number(value)]
        is_of_row = operation.traits.edges != "elementwise"
        if is_of_row:
            width = node.shape[-1]
            how = f"{operation.symbol} of {width} values, here no. {element % width + 1}"
        else:
            how = f"{operation.symbol}({', '.join(called for called, _ in inputs)})"
            numbers = ", ".join(number(at) for _, at in inputs)
            steps = [f"{operation.symbol}({numbers})", *steps]
        because = "" if is_of_row else written.condition
        return Stage(
            name, value, how, inputs=inputs, steps=steps, because=because,
            latex=written.latex_steps(), is_of_row=is_of_row,
        )  # fmt: skip

    def _formula(self, own, sources) -> str | None:
        """The formula of a normalized value or of a sum of branches; None for other results."""
        names = [name for name in map(self._names.of, sources) if name is not None]
        symbols = [name.symbol for name in names]
        if own.symbol == "s" and ("z" in symbols or "x" in symbols):
            return "sum"
        if own.symbol != "n" or "γ" not in symbols:
            return None
        normalized = next((s for s in symbols if s not in ("γ", "β")), "z")
        if not any(_is_norm(node) for node in sources):
            normalized = f"({normalized} - μ) / √(σ² + ε)"
        return f"γ · {normalized}" + (" + β" if "β" in symbols else "")

    def _same_time(self, node, own) -> bool:
        other = self._names.of(node)
        return other is not None and own.time is not None and other.time == own.time

    def _sum_of(self, node, element):
        """([(node, element) of products that are summed], [(node, element) of biases]).

        Both are empty if the element is not a sum of products.
        """
        products, biases, waiting = [], [], [(node, element)]
        while waiting:
            part, at = waiting.pop(0)
            if part.record is None:
                biases.append((part, at))
            elif part.record.operation.traits.role == "weights" and hasattr(
                self._jacobians.of(part), "terms"
            ):
                products.append((part, at))
            elif part is not node and self._names.of(part) is not None:
                return [], []  # a sum of something else, as in a residual connection
            elif part.record.operation.traits.sign == "+" or (
                part.record.operation.traits.edges == "movement"
            ):
                waiting += list(self._sources(part, at))
            else:
                return [], []
        return (products, biases) if products else ([], [])

    def _sources(self, node, element):
        for place, elements, _ in self._jacobians.of(node).row(element):
            for at in elements.tolist():
                yield node.sources[place], at

    def _terms(self, node, element) -> list:
        sides = self._jacobians.of(node).terms(element)
        names = [self._side_names(node, k, elements) for k, (elements, _) in enumerate(sides)]
        # the side that is a parameter is the weight
        weight = 0 if self._is_parameter(node.sources[0]) else 1
        return [
            Term(w, s, float(wv), float(sv))
            for w, s, wv, sv in zip(
                names[weight], names[1 - weight], sides[weight][1], sides[1 - weight][1],
                strict=True,
            )
        ]  # fmt: skip

    def _is_parameter(self, node) -> bool:
        return node is not None and node.leaf is not None and not self._names.is_example(node)

    def _side_names(self, node, k, elements):
        source = node.sources[k]
        if source is None:
            return [f"constant {e + 1}" for e in elements]
        return [name_of_origin(source, e, self._names, self._jacobians) for e in elements.tolist()]

    def _inputs(self, node, element):
        """([(name, value)], [(node, element)]) of the named elements that it was computed from."""
        found, waiting, seen = [], list(self._sources(node, element)), set()
        while waiting:
            source, at = waiting.pop(0)
            if (source.number, at) in seen or len(found) > 4 * SHOWN:
                continue
            seen.add((source.number, at))
            if self._names.of(source) is not None:
                found.append((source, at))
            elif source.record is not None:
                waiting += list(self._sources(source, at))
        texts = [(self._names.text(s, at), float(s.value.ravel()[at])) for s, at in found]
        return texts, found

    def text(self, width: int = WIDTH) -> str:
        lines = [f"{self.name} = {number(self.value, 6)}   ({self.layer})"]
        for stage in self.stages:
            lines += ["", *self._stage_text(stage, width)]
        return "\n".join(line[:width] for line in lines)

    def _stage_text(self, stage, width):
        if stage.steps:
            return _function_text(stage, width)
        lines = [f"{stage.name} = {stage.how} = {number(stage.value, 6)}"]
        if stage.terms:
            lines[0] = f"{stage.name} = {number(stage.value, 6)}: {stage.how}"
            ordered = stage.terms
            if len(ordered) > SHOWN:
                ordered = sorted(ordered, key=lambda t: -abs(t.product))
            terms = ordered[:SHOWN]
            rows = [
                [
                    f"  {'+' if k else ' '} {t.weight} · {t.source}",
                    f"= {bracketed(t.weight_value)} · {bracketed(t.source_value)}",
                    f"= {number(t.product)}",
                ]
                for k, t in enumerate(terms)
            ]
            left = ordered[SHOWN:]
            if left:
                total = float(np.sum([t.product for t in left]))
                rows.append([f"  + {len(left):,} smaller terms", "", f"= {number(total)}"])
            if stage.bias is not None:
                rows.append([f"  + {stage.bias[0]}", "", f"= {number(stage.bias[1])}"])
            lines += align(rows)
        elif len(stage.inputs) > 1:
            shown = sorted(stage.inputs, key=lambda item: -abs(item[1]))[:SHOWN]
            value = f" = {number(stage.value, 6)}" if "^" in stage.name or "_" in stage.name else ""
            lines[0] = f"{stage.name}{value}: {stage.how}"
            lines += align([[f"    {name}", f"= {number(value)}"] for name, value in shown])
            if len(stage.inputs) > SHOWN:
                lines.append(f"    and {len(stage.inputs) - SHOWN} more")
        elif stage.inputs:
            name, value = stage.inputs[0]
            right = stage.how.replace(name, number(value)) if name in stage.how else stage.how
            lines[0] = f"{stage.name} = {stage.how} = {right} = {number(stage.value, 6)}"
        return lines

    def latex(self) -> str | None:
        lines = [line for line in map(self._stage_latex, self.stages) if line is not None]
        if len(lines) < 2:
            return lines[0].replace(" &= ", " = ") if lines else None
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def _stage_latex(self, stage) -> str | None:
        if stage.latex:
            value = latex_number(number(stage.value, 6))
            right = list(dict.fromkeys([*stage.latex, value]))
            return f"{self._latex_names[stage.name]} &= {' = '.join(right)}"
        if stage.terms and len(stage.terms) <= SHOWN:
            parts = [
                rf"{latex_number(bracketed(t.weight_value))} \cdot "
                rf"{latex_number(bracketed(t.source_value))}"
                for t in stage.terms
            ]
            bias = "" if stage.bias is None else f" + {latex_number(bracketed(stage.bias[1]))}"
            name, value = self._latex_names[stage.name], latex_number(number(stage.value))
            return f"{name} &= {' + '.join(parts)}{bias} = {value}"
        return None

    def to_dict(self) -> dict:
        return {
            "name": self.name,
            "path": self.path,
            "index": list(self.index),
            "value": self.value,
            "stages": [
                {
                    **dataclasses.asdict(stage),
                    "terms": [{**dataclasses.asdict(t), "product": t.product} for t in stage.terms],
                }
                for stage in self.stages
            ],
        }

    def plot(self, axes=None):
        """The terms of the last sum as bars."""
        sums = [stage for stage in self.stages if stage.terms]
        terms = sums[-1].terms if sums else []
        if len(terms) > SHOWN:  # as in the text
            terms = sorted(terms, key=lambda t: -abs(t.product))[:SHOWN]
        return signed_bars(
            axes,
            [indexed(f"{t.weight} · {t.source}") for t in terms],
            [t.product for t in terms],
            label=f"contribution to {indexed(sums[-1].name if sums else self.name)}",
        )


def _function_text(stage, width) -> list:
    """O = σ(z) = σ(-0.168) = 1 / (1 + e^0.168) = 0.4581; of a softmax, with its exponentials."""
    value = number(stage.value, 6)
    because = f", because {stage.because}" if stage.because else ""
    head = [] if stage.is_of_row else [stage.how]
    right = dict.fromkeys([*head, *stage.steps, value])
    lines = wrapped_equation(f"{stage.name} = {' = '.join(right)}{because}", width)
    return [f"{stage.name} = {value}: {stage.how}", *lines] if stage.is_of_row else lines


def _is_norm(node: Node) -> bool:
    return node.record is not None and node.record.operation.traits.role == "norm"
