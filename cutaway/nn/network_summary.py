"""Summary of a network: layers, output shapes and numbers of parameters."""

import dataclasses
import inspect
from collections.abc import Mapping
from types import MappingProxyType

import jax
import numpy as np

from cutaway.engine import Tensor, no_grad
from cutaway.nn.ensemble import Ensemble
from cutaway.nn.layers import Linear
from cutaway.nn.modes import in_mode
from cutaway.nn.module import Module, watch
from cutaway.nn.state import Parameter, named_variables
from cutaway.nn.trees import call, map_leaves, named_leaves
from cutaway.story.html import table
from cutaway.story.notebook import shown

HEADINGS = ("path", "layer", "output shape", "parameters")


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        path: its path in the network.
        layer: its class and options.
        output: its output shape, "batch" first; "" if unknown.
        parameters: number of trainable parameters not shared with an earlier layer.
        frozen: number of parameters with requires_grad=False.
    """

    path: str
    layer: str
    output: str
    parameters: int
    frozen: int


class Summary:
    """The layers of a network, with totals; prints as a table.

    Of the members of an Ensemble that are alike, the table shows the first.

    Args:
        ensembles: {path: number of members} of each Ensemble in the network.

    Attributes:
        rows: list of Row, one for each layer without sublayers.
        total: number of trainable parameters, shared ones counted once.
        frozen: number of parameters that are not trained.
    """

    def __init__(self, rows, ensembles: Mapping[str, int] = MappingProxyType({})):
        self.rows, self.ensembles = rows, ensembles
        self.total = sum(row.parameters for row in rows)
        self.frozen = sum(row.frozen for row in rows)

    def to_dict(self) -> dict:
        return {
            "layers": [dataclasses.asdict(row) for row in self.rows],
            "total": self.total,
            "frozen": self.frozen,
        }

    def __str__(self):
        cells = [HEADINGS, *map(_cells, self._shown())]
        widths = [max(len(row[k]) for row in cells) for k in range(4)]
        lines = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}"
            for a, b, c, d in cells
        ]
        width = len(lines[0])
        lines.insert(1, "-" * width)
        lines.append("-" * width)
        lines.append(f"{'trainable parameters':<{width - 14}}{self.total:>14,}")
        if self.frozen:
            lines.append(f"{'frozen parameters':<{width - 14}}{self.frozen:>14,}")
        return "\n".join(lines)

    __repr__ = __str__

    def html(self) -> str:
        """The table as HTML."""
        rows = [_cells(row) for row in self._shown()]
        rows.append(("", "trainable parameters", "", f"{self.total:,}"))
        if self.frozen:
            rows.append(("", "frozen parameters", "", f"{self.frozen:,}"))
        return table(HEADINGS, rows, numbers=(3,))

    def _shown(self) -> list[Row]:
        """The rows, with one in place of the second to last member of an Ensemble of equal ones."""
        shown = list(self.rows)
        for path, count in self.ensembles.items():
            names = [".".join(filter(None, (path, "members", str(k)))) for k in range(count)]
            each = [[row for row in shown if f"{row.path}.".startswith(f"{n}.")] for n in names]
            first = [_within(row, names[0]) for row in each[0]]
            pairs = zip(names, each, strict=True)
            if (
                count < 2
                or not first
                or any([_within(r, n) for r in rows] != first for n, rows in pairs)
            ):
                continue
            others = [row for rows in each[1:] for row in rows]
            one = Row(
                names[1] if count == 2 else f"{names[1]} to {count - 1}",
                "the same layers",
                "",
                sum(row.parameters for row in others),
                sum(row.frozen for row in others),
            )
            at = shown.index(others[0])
            shown = [row for row in shown if row not in others]
            shown.insert(at, one)
        return shown

    def _repr_html_(self):
        return shown(self.html())


def _cells(row: Row) -> tuple[str, str, str, str]:
    return row.path, row.layer, row.output, f"{row.parameters:,}"


def _within(row: Row, path: str) -> Row:
    """The row with its path from the member at `path` on."""
    return dataclasses.replace(row, path=row.path[len(path) :])


def summary(net: Module, input_shape=None, *, x=None) -> Summary:
    """The layers of `net` with output shapes and trainable parameters.

    Args:
        input_shape: shape of one example, without the batch; by default inferred from the first
            layer if it is a Linear, otherwise output shapes are omitted.
        x: instead, a batch, of which only shapes and types are used; a tuple or dict for a network
            of several inputs.

    Example:
        >>> from cutaway.nn import summary
        >>> from cutaway.nn import Linear, Sequential
        >>> summary(Sequential(Linear(4, 3), Linear(3, 2), Linear(2, 1))).total
        26
    """
    modules = {path: m for path, m in net.modules().items() if not _holds_modules(m)}
    if not modules:
        modules = {"": net}
    shapes = _output_shapes(net, _two_rows(net, modules, input_shape, x))
    rows, counted = [], set()
    for path, module in modules.items():
        own = [v for v in named_variables(module).values() if isinstance(v, Parameter)]
        own = [p for p in own if id(p) not in counted]
        counted.update(id(p) for p in own)
        rows.append(
            Row(
                path=path,
                layer=f"{type(module).__name__}({module.describe()})".removesuffix("()"),
                output=shapes.get(id(module), ""),
                parameters=sum(p.size for p in own if p.requires_grad),
                frozen=sum(p.size for p in own if not p.requires_grad),
            )
        )
    loose = [
        p for p in net.named_parameters().items() if id(p[1]) not in counted
    ]  # parameters of modules with submodules
    rows += [
        Row(
            path,
            "Parameter",
            str(p.shape),
            p.size * p.requires_grad,
            p.size * (not p.requires_grad),
        )
        for path, p in loose
    ]
    ensembles = {p: len(m.members) for p, m in net.modules().items() if isinstance(m, Ensemble)}
    return Summary(rows, ensembles)


def _holds_modules(module) -> bool:
    return len(module.modules()) > 1


def _two_rows(net, modules, input_shape, x):
    """Two rows of the inputs, a tree of shapes; None if they are not known."""
    if x is not None:
        return jax.tree.map(_shape_of_two, x, is_leaf=lambda v: not isinstance(v, tuple | dict))
    if input_shape is None:
        first = next(iter(modules.values()))
        if not isinstance(first, Linear) or _count_inputs(net) != 1:
            return None
        input_shape = (first.weight.shape[0],)
    return jax.ShapeDtypeStruct((2, *input_shape), np.float32)


def _shape_of_two(batch):
    array = batch.data if isinstance(batch, Tensor) else np.asarray(batch)
    dtype = np.float32 if array.dtype == np.float64 else array.dtype
    return jax.ShapeDtypeStruct((2, *array.shape[1:]), dtype)


def _count_inputs(net) -> int:
    """How many inputs the network must be given."""
    parameters = inspect.signature(net.forward).parameters.values()
    return sum(p.default is p.empty and p.kind != p.VAR_KEYWORD for p in parameters)


def _output_shapes(net, rows) -> dict:
    if rows is None:
        return {}
    found = {}

    def note(module, inputs, out):
        found.setdefault(id(module), _shape_text(out))

    @no_grad()
    def forward(x):
        with watch(net, note):
            return map_leaves(lambda t: t.data, call(net, map_leaves(Tensor, x)))

    with in_mode(net, False):  # leaves random keys unchanged
        jax.eval_shape(forward, rows)
    return found


def _shape_text(out) -> str:
    """(batch, 3), or for a dict of outputs "class (batch, 3), value (batch, 1)"."""
    if isinstance(out, Tensor):
        return f"({', '.join(['batch', *map(str, out.shape[1:])])})"
    shapes = {keys: _shape_text(leaf) for keys, leaf in named_leaves(out).items()}
    return ", ".join(f"{'.'.join(map(str, keys))} {shape}" for keys, shape in shapes.items())


# a method of every Module, added here because Module cannot import layers
Module.summary = summary
