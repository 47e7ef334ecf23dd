"""The chain rule of one weight: ∂L/∂w as a sum over paths, with names and numbers."""

import dataclasses
import itertools
import re
import textwrap
from html import escape

import numpy as np

from cutaway.engine import Operation, float64
from cutaway.errors import GradientError
from cutaway.explain.arithmetic import slope_at
from cutaway.explain.element_loss import slope_of_loss
from cutaway.explain.gradient_notes import notes_of, notes_of_zero
from cutaway.explain.names import ElementNames, name_of_origin
from cutaway.explain.paths import LocalJacobians, strongest_paths
from cutaway.explain.softmax_jacobian import slope_matrix
from cutaway.story.design import ORANGE
from cutaway.story.html import Markup, table
from cutaway.story.panels import signed_bars
from cutaway.story.text import WIDTH, Story, align, bracketed, latex_number, number
from cutaway.story.told_html import symbols, told_html

TOLERANCE = 1e-9  # of the sum over all paths against the engine's gradient, relative
ROUNDING = 1e-13  # of the largest path: a sum below that is zero
FORMULA_FACTORS = 16  # of a typeset sum over paths
ZERO = "> "  # begins the line of a factor of 0
CANCEL = (
    "Shares are of the sum. Paths of opposite sign cancel, so one alone may be more than 100 %."
)
OUTLINED = 9  # names of a path that a page shows
FORMULA_LINES = 12  # of a sum over paths; a longer one shows its strongest paths


_NUMBERS = re.compile(r"\s+[=+·] [-+\d.e() ·=]+")  # a line of a product
_ZERO = re.compile(r"(?<![\w.])0(?![\w.])")


@dataclasses.dataclass(frozen=True)
class Factor:
    """One local derivative on a path: ∂above/∂below.

    Attributes:
        above, below: names of the two elements, the one nearer to the loss first.
        value: the derivative.
        what: what it is, in words.
        activation: the operation whose slope it is, where it is a function of one value, or None.
        latex: the fraction.
        arithmetic: of the value, "0.6225 · (1 - 0.6225)"; "" if it is a number of the network.
        at: the value of the element below.
        is_last: whether the element below is the weight itself.
    """

    above: str
    below: str
    value: float
    what: str
    activation: Operation | None
    latex: str
    arithmetic: str = ""
    at: float = 0.0
    is_last: bool = False

    @property
    def text(self) -> str:
        return f"∂{self.above}/∂{self.below}"


@dataclasses.dataclass(frozen=True)
class Path:
    """One path from the weight to the loss.

    Attributes:
        nodes: names of the elements on it, from the loss to the weight.
        factors: the local derivatives between them.
        product: of all factors: the path's contribution to the gradient.
    """

    nodes: list
    factors: list
    product: float

    def outline(self, most: int = 12) -> str:
        """The names from the loss to the weight: "L <- ŷ <- z_1^(2) <- ... <- w_11^(1)".

        Args:
            most: names that are printed; of a longer path the first and the last, and how many
                are left out.
        """
        names = self.nodes
        if len(names) > most:
            first = (most + 1) // 2
            left = f"({len(names) - most} more)"
            names = [*names[:first], left, *names[len(names) - (most - first) :]]
        return " <- ".join(names)


class GradientStory(Story):
    """∂L/∂w of one weight as a sum over paths. Made by `Explanation.gradient`.

    Attributes:
        name: the weight's name, "w_11^(1)".
        path, index: the parameter, and the index in it.
        weight: the weight's value.
        value: the engine's gradient.
        count: number of paths. Every element that an operation reads is an edge, even if the slope
            is 0 there; for a maximum, only the element that was selected.
        paths: the strongest, largest first; then those with a factor of 0.
        remainder: contribution of all other paths together.
    """

    def __init__(
        self,
        trace,
        jacobians: LocalJacobians,
        names: ElementNames,
        path: str,
        index: tuple,
        top: int,
    ):
        node = expect_node(trace, path)
        element = int(np.ravel_multi_index(index, node.shape)) if node.shape else 0
        self.path, self.index = path, index
        self.name = names.text(node, element)
        self.weight = float(node.value.ravel()[element])
        with float64():
            found = strongest_paths(jacobians, node, element, top)
        self.value = float(trace.engine_gradients[path].ravel()[element])
        self._expect_equal(found)
        self.count = found.count
        self.paths = [_named(steps, product, names, jacobians) for product, steps in found.paths]
        self.remainder = found.total - float(np.sum([p.product for p in self.paths]))
        self._latex_name = names.latex(node, element)
        self.slope_matrix = slope_matrix([steps for _, steps in found.paths], names, jacobians)

    def _expect_equal(self, found):
        # rounding is relative to the summed paths, which may cancel
        size = max(abs(self.value), *(abs(p) for p, _ in found.paths), 1e-300)
        if abs(found.total - self.value) > TOLERANCE * size:
            raise GradientError(
                f"the paths of {self.name} sum to {found.total:.12g}",
                expected=f"the engine's gradient, {self.value:.12g}",
                fix="an operation's rule is inconsistent with its traits: if the operation is one "
                "of Cutaway's, please report this as a bug",
            )

    def notes(self) -> list:
        """Where the gradient vanished or grew on the strongest path, in sentences."""
        if not self.paths:
            if self.count == 0:
                return ["no path leads from this weight to the loss of this example"]
            return ["every path has a factor of 0"]
        if self._is_zero():
            return notes_of_zero(self.paths, self.count)
        return notes_of(self.paths[0].factors)

    def text(self, width: int = WIDTH) -> str:
        place = ", ".join(map(str, self.index))
        lines = [f"∂L/∂{self.name}   ({self.path}[{place}] = {number(self.weight)})", ""]
        lines += self._formula(width)
        lines += self._sum()
        if any(self._share(p.product) > 1 + 1e-9 for p in self.paths):
            lines += textwrap.wrap(CANCEL, width)
        if self.paths:
            lines += ["", f"The {self._which()}, factor by factor:"]
            lines += [shortened(line, width) for line in self._factors()]
        if self.slope_matrix is not None:
            lines += ["", *(shortened(line, width) for line in self.slope_matrix.lines())]
        for note in self.notes():
            lines += textwrap.wrap(f"! {note}", width, subsequent_indent="  ")
        return "\n".join(lines)

    def _formula(self, width) -> list:
        lead = f"∂L/∂{self.name} = "
        indent = " " * (len(lead) - 2)
        symbols, values = [], []
        for k, path in enumerate(self.paths):
            more = _wrapped(indent + "+ " if k else lead, [f.text for f in path.factors], width)
            if k and len(symbols) + len(more) > FORMULA_LINES:
                break
            symbols += more
            numbers = [bracketed(f.value) for f in path.factors]
            values += _wrapped(indent + ("+ " if k else "= "), numbers, width)
        shown = sum(line.startswith((lead, indent + "+ ")) for line in symbols)
        if self.count > shown and symbols:
            rest = self.count - shown
            symbols.append(f"{indent}+ {counted(rest)} more path{'s' if rest > 1 else ''}")
            values.append(f"{indent}+ ...")
        if self._is_zero() and self.count == 1:
            values[-1] += " = 0"
        return [*symbols, "", *values, ""] if symbols else []

    def _is_zero(self) -> bool:
        """Whether there are paths, but each has a factor of 0."""
        return bool(self.paths) and self.paths[0].product == 0

    def _has_rest(self) -> bool:
        return self.count > len(self.paths)

    def _sum(self) -> list:
        return align(self._sum_rows(), "<>>")

    def _sum_rows(self) -> list:
        """[name, contribution, share] of the paths, of the others together, and the sum."""
        rows = [[f"path {k}", number(p.product, 6), self._percent(p.product)]
                for k, p in enumerate(self.paths, 1)]  # fmt: skip
        if self._has_rest():
            rest = self.count - len(self.paths)
            left = 0.0 if self._rounds_to_zero(self.remainder) else self.remainder
            rows.append([f"{counted(rest)} other{'s' if rest > 1 else ''}", number(left, 6),
                         self._percent(left)])  # fmt: skip
        rows.append([f"∂L/∂{self.name}", number(self.value, 6), self._in_paths()])
        return rows

    def _share(self, product) -> float:
        return 0.0 if self._rounds_to_zero(self.value) else product / self.value

    def _percent(self, product) -> str:
        if self._rounds_to_zero(self.value):
            return ""
        return f"{number(100 * self._share(product), 3)} %"

    def _rounds_to_zero(self, value) -> bool:
        """Whether a sum is nothing but the rounding error of its terms."""
        return abs(value) <= ROUNDING * max((abs(p.product) for p in self.paths), default=0.0)

    def _factors(self) -> list:
        rows = [
            [f"{ZERO if f.value == 0 else '  '}{f.text}", number(f.value), _with_numbers(f)]
            for f in self.paths[0].factors
        ]
        return align(rows, "<><")

    def html(self) -> str:
        """Its paths and the factors of the first one as tables, with factors of 0 marked."""
        place = f"{self.path}[{', '.join(map(str, self.index))}] = {number(self.weight)}"
        parts = [
            f'<p class="fact"><b>{symbols(f"∂L/∂{self.name} = {number(self.value)}")}</b> '
            f'<span class="soft">{escape(place)}, {escape(self._in_paths())}</span></p>'
        ]
        if self.paths:
            ways = [Markup(symbols(path.outline(OUTLINED))) for path in self.paths]
            ways += [Markup("")] * (len(self._sum_rows()) - len(ways))
            rows = [
                (Markup(symbols(name)), value, share, way)
                for (name, value, share), way in zip(self._sum_rows(), ways, strict=True)
            ]
            rows[-1] = (rows[-1][0], rows[-1][1], "", Markup(""))
            parts.append(table(("path", "contribution", "share", "from L back"), rows, (1, 2)))
            parts.append(f'<p class="part"><b>The {self._which()}, factor by factor</b></p>')
            factors = [
                (
                    Markup(symbols(f.text)),
                    Markup(f"<mark>{number(f.value)}</mark>" if f.value == 0 else number(f.value)),
                    Markup(symbols(_with_numbers(f))),
                )
                for f in self.paths[0].factors
            ]
            parts.append(table(("factor", "value", "what it is"), factors, (1,)))
        if any(self._share(p.product) > 1 + 1e-9 for p in self.paths):
            parts.append(f"<p>{escape(CANCEL)}</p>")
        if self.slope_matrix is not None:
            parts.append(told_html("\n".join(self.slope_matrix.lines())))
        parts += [f'<p class="warning">{symbols(note)}</p>' for note in self.notes()]
        return f'<div class="cutaway-told">{"".join(parts)}</div>'

    def _in_paths(self) -> str:
        return f"in {counted(self.count)} path{'' if self.count == 1 else 's'}"

    def _which(self) -> str:
        if self.count == 1:
            return "path"
        return "first path" if self._is_zero() else "strongest path"

    def latex(self) -> str:
        shown = self.paths[:1]
        for path in self.paths[1:]:
            if sum(len(p.factors) for p in shown) + len(path.factors) > FORMULA_FACTORS:
                break
            shown.append(path)
        rest = r" + \dots" if self.count > len(shown) else ""
        symbols = " + ".join(r" \cdot ".join(f.latex for f in p.factors) for p in shown)
        values = (r" \cdot ".join(_latex_value(f.value) for f in p.factors) for p in shown)
        parts = [rf"\frac{{\partial L}}{{\partial {self._latex_name}}}"]
        parts += [symbols + rest, " + ".join(values) + rest] if shown else []
        return " = ".join([*parts, latex_number(number(self.value))])

    def to_dict(self) -> dict:
        return {
            "weight": self.name,
            "path": self.path,
            "index": list(self.index),
            "weight_value": self.weight,
            "value": self.value,
            "count": self.count,
            "paths": [
                {
                    "nodes": p.nodes,
                    "factors": [
                        {
                            "derivative": f.text,
                            "value": f.value,
                            "what": f.what,
                            "arithmetic": f.arithmetic,
                        }
                        for f in p.factors
                    ],
                    "product": p.product,
                }
                for p in self.paths
            ],
            "remainder": self.remainder,
            "slope_matrix": None if self.slope_matrix is None else self.slope_matrix.to_dict(),
            "notes": self.notes(),
        }

    def plot(self, axes=None):
        """The contribution of each path, as bars."""
        labels = [f"path {k}" for k in range(1, len(self.paths) + 1)]
        values = [p.product for p in self.paths]
        if self._has_rest():
            labels.append(f"{counted(self.count - len(self.paths))} others")
            values.append(self.remainder)
        label = rf"contribution to $\partial L/\partial {self._latex_name}$ = {number(self.value)}"
        return signed_bars(axes, labels, values, label=label)


def expect_node(trace, path):
    trace.expect_loss()
    node = trace.graph.parameters.get(path)
    if path in trace.rule_paths:
        raise GradientError(
            f"{path} is not trained by a gradient: the slope of its threshold is 0 everywhere",
            expected="a parameter of a network that learns by gradients",
            fix="rule() shows what the neuron's own rule would change",
        )
    if path in trace.frozen:
        raise GradientError(
            f"{path} gets no gradient: it is frozen",
            expected="a parameter with requires_grad",
            fix="call .unfreeze() on its module",
        )
    if node is None:
        raise GradientError(
            f"no path leads from {path} to the loss",
            expected="a parameter that the loss depends on",
            fix="use it in forward, without detaching the result (.detach(), .data, no_grad)",
        )
    return node


def _named(steps, product, names: ElementNames, jacobians: LocalJacobians) -> Path:
    """The path between named elements; steps through unnamed ones are combined."""
    visible = [k for k, s in enumerate(steps) if names.of(s.node) is not None]
    text = {k: names.text(steps[k].node, steps[k].element) for k in visible}
    latex = {k: names.latex(steps[k].node, steps[k].element) for k in visible}
    factors = []
    for a, b in itertools.pairwise(visible):
        operations = [s.node.record.operation for s in steps[a:b]]
        value = float(np.prod([s.factor for s in steps[a + 1 : b + 1]]))
        factors.append(
            Factor(
                text[a],
                text[b],
                value,
                _meaning(steps[a : b + 1], names, jacobians),
                operations[0] if operations[0].traits.is_function else None,
                rf"\frac{{\partial {latex[a]}}}{{\partial {latex[b]}}}",
                _arithmetic(steps[a : b + 1], value, names),
                float(steps[b].node.value.ravel()[steps[b].element]),
                b == len(steps) - 1,
            )
        )
    return Path(list(text.values()), factors, product)


def _arithmetic(steps, value, names) -> str:
    """The value of a factor as arithmetic, where one operation lies between its elements."""
    if len(steps) != 2:
        return ""
    above, below = steps
    found = slope_at(above.node, above.element, below.element, value)
    if found is not None:
        return found.calculable().steps()[0]
    if above.node is names.graph.result or names.graph.term_of(above.node) is not None:
        return slope_of_loss(above.node, below.element, value, names)
    return ""


def _with_numbers(f: Factor) -> str:
    return f"{f.what}, {f.arithmetic}" if f.arithmetic else f.what


def _latex_value(value) -> str:
    zero = rf"\textcolor{{{ORANGE}}}{{\mathbf{{0}}}}"
    return zero if value == 0 else latex_number(bracketed(value))


def _meaning(steps, names: ElementNames, jacobians: LocalJacobians) -> str:
    """What the factor from the last of these steps to the first is, in words."""
    operations = [s.node.record.operation for s in steps[:-1]]
    graph = names.graph
    terms = {node.number: name for name, node in graph.terms.items()}
    if steps[0].node is graph.result:
        return "a term of the loss" if steps[-1].node.number in terms else "slope of the loss"
    if steps[0].node.number in terms:
        return f"slope of the loss term {terms[steps[0].node.number]}"
    for above, below in itertools.pairwise(steps):
        if above.node.record.operation.traits.role == "weights":
            return _partner(above, below, names, jacobians)
    if operations[0].traits.is_function or operations[0].traits.activation is not None:
        return f"slope of {operations[0].name}"
    calculated = [o for o in operations if o.traits.edges != "movement"]
    signs = {o.traits.sign for o in calculated}
    if steps[-1].node.leaf is not None and signs == {"+"}:
        return "added unchanged"
    if steps[-1].node.leaf is not None and "×" in signs:
        above, below = next(
            pair
            for pair in itertools.pairwise(steps)
            if pair[0].node.record.operation.traits.sign == "×"
        )
        if signs <= {"+", "×"}:
            return _other_factor(above, below, names, jacobians)
    return ", ".join(dict.fromkeys(o.name for o in calculated)) or "unchanged"


def _other_factor(above, below, names, jacobians) -> str:
    """The name of the factor that `below` is multiplied by."""
    for k, elements, _ in jacobians.of(above.node).row(above.element):
        source = above.node.sources[k]
        if source is not below.node:
            return name_of_origin(source, int(elements[0]), names, jacobians)
    return "a constant"


def _partner(above, below, names, jacobians) -> str:
    jacobian = jacobians.of(above.node)
    if not hasattr(jacobian, "partner"):
        return "a weight" if below.node.leaf is None else "an input"
    k = next(k for k, s in enumerate(above.node.sources) if s is below.node)
    number, element = jacobian.partner(above.element, k, below.element)
    source = above.node.sources[number]
    if source is None:
        return "a constant"
    weight = k == 0 and names.weight_behind(source)
    return ("weight " if weight else "") + name_of_origin(source, element, names, jacobians)


def _wrapped(head, parts, width) -> list:
    """head part · part · ..., wrapped before a factor."""
    lines, line = [], head
    for k, part in enumerate(parts):
        piece = part if k == 0 else f" · {part}"
        if k and len(line) + len(piece) > width:
            lines.append(line)
            line = " " * len(head) + f"· {part}"
        else:
            line += piece
    return [*lines, line]


def shortened(line: str, width: int) -> str:
    """The line, truncated to `width`."""
    return line if len(line) <= width else line[: width - 1] + "…"


def counted(n: int) -> str:
    """A number of paths, formatted."""
    return f"{n:,}" if n < 10**9 else f"{n:.3e}" if n < 10**300 else f"10^{len(str(n)) - 1}"
