"""Traces a forward pass: the calls of modules, and how tensors connect them by the tape."""

import contextlib
import dataclasses
import math
import typing

import jax
import numpy as np

from cutaway.diagram.architecture.operation_parts import is_plumbing, operation_part
from cutaway.diagram.architecture.parts import (
    INPUT,
    Part,
    Scope,
    is_leaf,
    part_of,
    shape_text,
    unique_sources,
)
from cutaway.engine import Record, Tensor
from cutaway.engine.tape import current_module
from cutaway.nn import (
    Dropout,
    Module,
    Parameter,
    Recompute,
    in_mode,
    named_variables,
    replacing,
    watch,
)
from cutaway.nn.state import Held, values_of
from cutaway.nn.trees import call, leaves, map_leaves, named_leaves


@dataclasses.dataclass
class Call:
    """A call of a module.

    Attributes:
        module, path: the module and its path.
        caller: path of the module that called it.
        inputs, outs: its input tensors and, as far as known, its output tensors.
        start, end: serial numbers of the tape before and after the call.
        calls: the calls inside it, in order.
    """

    module: Module
    path: str
    caller: str
    inputs: list
    outs: list
    end: int
    start: int = -1
    calls: list = dataclasses.field(default_factory=list)


def trace(net: Module, inputs) -> Scope:
    """The structure of `net`, from one forward pass; only shapes are computed if that suffices.

    Args:
        inputs: a tree of arrays, or of jax.ShapeDtypeStruct with the batch first.
    """
    keys = []
    scope = _scope(_calls(net, inputs, keys), set())
    origins = scope.output_keys
    scope.output_keys = [keys[first] for first in origins] if len(origins) == len(keys) else []
    return scope


def _calls(net, inputs, keys: list) -> Call:
    """The call of `net` with all calls inside it; the network is left unchanged.

    Args:
        keys: filled with those of each Tensor in what the network returns.
    """
    paths = {id(module): path for path, module in net.modules().items()}
    done = []

    def note(module, tensors, out):
        path = paths.get(id(module), type(module).__name__)
        call = Call(module, path, current_module(), tensors, [], _now())
        if isinstance(out, Tensor):
            out.requires_grad = True  # so the tape continues behind functions without slope
            call.outs.append(out)
        while done and done[-1].caller == path:
            call.calls.insert(0, done.pop())
        done.append(call)

    def forward(x):
        x = map_leaves(Tensor, x)
        for tensor in leaves(x):
            tensor.requires_grad = True  # integers too: their path is traced as well
        with watch(net, note):
            results = call(net, x)
        found = {k: t for k, t in named_leaves(results).items() if isinstance(t, Tensor)}
        keys[:] = found
        # watch reports the first result only, and inputs in the order of the call
        done[-1].inputs, done[-1].outs = leaves(x), list(found.values())
        return 0

    with _unchanged(net):
        try:
            jax.eval_shape(forward, inputs)
        except jax.errors.ConcretizationTypeError:  # the forward reads values: give it zeros
            done.clear()
            forward(
                map_leaves(
                    lambda x: x if isinstance(x, np.ndarray) else np.zeros(x.shape, x.dtype),
                    inputs,
                )
            )
    _set_starts(done[-1])
    return done[-1]


def _now() -> int:
    return Record(None, (), (), {}, None, None).serial


def _set_starts(call):
    before = call.start
    for inner in call.calls:
        inner.start = before
        before = inner.end
        _set_starts(inner)


@contextlib.contextmanager
def _unchanged(net):
    """Evaluation mode without recomputation; afterwards all is as it was."""
    variables = list(named_variables(net).values())
    # how memory is saved is no part of the architecture
    plain = {m: m.inner for m in net.modules().values() if isinstance(m, Recompute)}
    with in_mode(net, False), replacing(plain), Held(variables, values_of(variables)):
        yield


@dataclasses.dataclass(eq=False)
class _Node:
    """A Part under construction.

    Attributes:
        part: the Part, without its sources.
        time: serial number of the operation, or of the end of the call.
        sources: [(_Node or INPUT, number of its output)].
        call: the Call of a child; None for an operation or a parameter.
        exports: tensors computed in it that other parts read.
    """

    part: Part
    time: int
    sources: list = dataclasses.field(default_factory=list)
    call: typing.Any = None
    exports: list = dataclasses.field(default_factory=list)


class _SourceFinder:
    """Finds the part of a call's scope that computed a given tensor."""

    def __init__(self, call: Call):
        self.call = call
        self.children = [self._child(inner) for inner in call.calls]
        self.operations = {}  # {serial: (_Node, 0), or the source that plumbing passes on}
        self.parameters = {}  # {id of a parameter used directly: _Node}

    def _child(self, inner):
        part = part_of(inner.module, inner.path, self.call.path)
        return _Node(part, inner.end, call=inner, exports=list(inner.outs))

    def source(self, tensor, before):
        """(_Node or INPUT, output number); None for a constant, or if the trace is lost."""
        for child in reversed(self.children):
            # an identity layer returns its input tensor itself
            if child.time < before and child.call.outs and child.call.outs[0] is tensor:
                return child, 0
        for k, given in enumerate(self.call.inputs):
            if given is tensor:
                return INPUT, k
        record = tensor.record
        if record is None:
            return self._parameter(tensor) if isinstance(tensor, Parameter) else None
        if record.serial in self.operations:
            return self.operations[record.serial]
        if record.serial < self.call.start:
            return None
        for child in self.children:
            if child.time > record.serial:
                if all(tensor is not exported for exported in child.exports):
                    child.exports.append(tensor)
                number = next(k for k, t in enumerate(child.exports) if t is tensor)
                return child, number
        return None

    def _parameter(self, tensor):
        names = {id(p): path for path, p in self.call.module.named_parameters().items()}
        if id(tensor) not in self.parameters:
            part = Part(
                "parameter",
                names.get(id(tensor), "parameter"),
                detail=shape_text(tensor.shape),
                parameters=tensor.size,
                frozen=not tensor.requires_grad,
            )
            self.parameters[id(tensor)] = _Node(part, self.call.start)
        return self.parameters[id(tensor)], 0

    def find_operations(self):
        """Make nodes for the operations of this scope that lead to a child or to the result."""
        found = {}
        waiting = [t for c in self.children for t in c.call.inputs] + self.call.outs
        while waiting:
            record = waiting.pop().record
            if record is None or record.serial in found or record.serial < self.call.start:
                continue
            if record.module != self.call.path or record.serial > self.call.end:
                continue  # computed inside a child, whose inputs are visited anyway
            found[record.serial] = record
            waiting += [t for t in record.inputs if t is not None]
        for serial in sorted(found):
            self._operation(found[serial])

    def _operation(self, record):
        sources = [self.source(t, record.serial) for t in record.inputs if t is not None]
        sources = [s for s in sources if s is not None]
        passes = len(sources) == 1 and is_plumbing(record, from_input=sources[0][0] is INPUT)
        if passes:
            self.operations[record.serial] = sources[0]
            return
        node = _Node(operation_part(record), record.serial, sources)
        self.operations[record.serial] = node, 0


def _scope(call: Call, counted: set) -> Scope:
    """The Scope of a call.

    Args:
        counted: ids of the parameters in earlier parts; updated.
    """
    finder = _SourceFinder(call)
    finder.find_operations()
    before = None
    for child in finder.children:
        found = [finder.source(t, child.time) for t in child.call.inputs]
        child.sources = [s for s in found if s is not None]
        if found and not child.sources:
            child.sources = [(before, 0) if before is not None else (INPUT, 0)]
            child.part.guessed = True
        elif child.sources:
            # inputs without a source, such as a mask, get no line in the drawing
            pairs = zip(child.call.inputs, found, strict=True)
            child.call.inputs = [t for t, s in pairs if s is not None]
        before = child
    outputs = [finder.source(t, math.inf) for t in call.outs]
    if call.outs and before is not None and all(s is None for s in outputs):
        outputs = [(before, 0)]

    made = [n[0] for n in finder.operations.values() if isinstance(n[0], _Node)]
    operations = {id(n): n for n in made if n.call is None and n.part.kind == "operation"}
    nodes = sorted(
        [*finder.children, *finder.parameters.values(), *operations.values()], key=lambda n: n.time
    )
    for node in nodes:
        if node.call is not None:
            _finish(node, counted)
    return _numbered(nodes, outputs, max(1, len(call.inputs)))


def _finish(node, counted):
    """Complete the part of a child: its shape, its inside, whether its weights are shared."""
    part, call = node.part, node.call
    own = {id(p) for p in call.module.parameters()}
    part.shared = bool(own) and own <= counted
    if not is_leaf(call.module):
        call.outs = node.exports or call.outs
        part.inner = _scope(call, counted)
    counted |= own
    if call.outs:
        part.shape = tuple(call.outs[0].shape[1:])
        part.changes = not call.inputs or call.inputs[0].shape[1:] != call.outs[0].shape[1:]


def _numbered(nodes, outputs, inputs) -> Scope:
    """The Scope with sources by index; identity layers such as Dropout(0) are omitted."""
    number, aliases, parts = {}, {}, []

    def place(source):
        node, port = source
        while id(node) in aliases:
            node, port = aliases[id(node)]
        return (INPUT, port) if node is INPUT else (number[id(node)], port)

    for node in nodes:
        module = node.call.module if node.call is not None else None
        if isinstance(module, Dropout) and module.p == 0 and len(node.sources) == 1:
            aliases[id(node)] = node.sources[0]
            continue
        node.part.sources = unique_sources(node.part, [place(s) for s in node.sources])
        number[id(node)] = len(parts)
        parts.append(node.part)
    origins = {}  # the first result that comes from each source
    for k, source in enumerate(outputs):
        if source is not None:
            origins.setdefault(place(source), k)
    return Scope(parts, list(origins), inputs, list(origins.values()))
