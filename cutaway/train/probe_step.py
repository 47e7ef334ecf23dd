"""One training step, measured layer by layer in one compiled program.

It is the trainer's own step, with its loss and optimizer, on a fixed sample of rows. Only the
statistics are kept: weights, optimizer state, running statistics and random keys are restored.
"""

import dataclasses

import jax
import numpy as np

from cutaway.engine import Operation, Tensor, gradients
from cutaway.engine.tape import records
from cutaway.nn import replacing
from cutaway.nn.lifting import jit
from cutaway.nn.module import Module, watch
from cutaway.nn.recurrent import Recurrent
from cutaway.nn.rematerialize import Recompute
from cutaway.nn.state import Held, wrap
from cutaway.nn.survey import signature
from cutaway.nn.trees import leaves
from cutaway.ops.precision import current_precision
from cutaway.train.probe_numbers import (
    as_float,
    finished,
    numbers_of,
    own_parameters,
    raw_of,
    top_class,
)

HOST_NUMBERS = 2**20  # up to this many values a program returns raw arrays; above, statistics


@dataclasses.dataclass
class ProbeLocation:
    """Where statistics are measured: one call of a layer, or of an activation function.

    Attributes:
        path: of the layer, or "path:function" of the module that calls an activation function;
            from the second call on with its number, "path#2".
        module: the layer, or the module in which the function ran.
        kind: class of the layer, or of the layer with this function: "ReLU".
        role: "weights", "activation" or "norm".
        number: l; for an activation or norm that of the preceding layer.
        activation, activation_path: of the activation that follows a layer, "" for none.
        follows: paths of the layers whose outputs a layer gets.
        is_last: whether the layer computes an output of the network.
        function: the operation of an activation, otherwise None.
    """

    path: str
    module: Module | None
    kind: str
    role: str
    number: int = 0
    activation: str = ""
    activation_path: str = ""
    follows: tuple[str, ...] = ()
    is_last: bool = False
    function: Operation | None = None


class _Measured:
    """A location, and its records on the tape while the step is traced."""

    def __init__(self, location, out, record):
        self.location = location
        self.out = out
        self.record = record
        self.sources = _source_records(location.module, record)  # whose gradients are measured
        self.grads = []


class ProbedStep:
    """The step of a trainer on a fixed sample of rows.

    Args:
        trainer: a Trainer.
        x, y: the rows.
    """

    def __init__(self, trainer, x, y):
        self.trainer = trainer
        self.x, self.y = x, y
        self._programs = {}

    def program(self) -> "ProbeProgram":
        """The program for the current state of the network, traced but not yet compiled."""
        trainer = self.trainer
        program = trainer.program
        owners = list(program.owners().values())
        with program.in_mode(True), program.computing():
            variables, owned = signature(owners)
            key = (owned, current_precision())
            if key not in self._programs:
                self._programs[key] = ProbeProgram(trainer, owners, variables, self.x, self.y)
        return self._programs[key]


class ProbeProgram:
    """One compiled version of a step. Made by ProbedStep.

    Attributes:
        locations: where it measures, in the order of the forward pass.
        is_large: whether it computes the statistics too, and takes long to compile.
    """

    def __init__(self, trainer, owners, variables, x, y):
        self.locations = []
        self._variables = variables
        self._window = (x, y)
        step = jit(lambda x, y: self._trace(trainer, x, y), *owners, donate=False)
        self._lowered = step.lower(x, y)
        self._compiled = None

    def compile(self):
        """Compile it, and return the executable. May run in a thread during training."""
        if self._compiled is None:
            self._compiled = self._lowered.compile()
            del self._lowered
        return self._compiled

    def values(self) -> list:
        """The current values that the step starts from, for measuring later."""
        return [(v.data, v.grad) for v in self._variables]

    def run(self, values: list) -> tuple:
        """(loss, top_class, [statistics of each location]) of the step from these `values`."""
        outputs, _ = self.compile()(values, self._window)
        loss, top, found = jax.device_get(outputs)
        if not self.is_large:
            with np.errstate(all="ignore"):  # the network may be about to diverge
                found = [numbers_of(p, raw) for p, raw in zip(self.locations, found, strict=True)]
        return float(loss), float(top), [finished(numbers) for numbers in found]

    def _trace(self, trainer, x, y):
        """The step; no Variable is changed."""
        program = trainer.program
        variables = list(program.variables().values())
        with Held(variables, [(v.data, None) for v in variables]), program.opened():
            found, loss, out = _forward(program, x, y)
            _backward(found, loss)
            moved = [p for p in trainer.optimizer.parameters if p.grad is not None]
            moves = {p: [p.data, p.grad] for p in moved}
            if moved:
                trainer.optimizer.step()
            for p in moved:
                moves[p] += [p.data - moves[p][0], trainer.optimizer.rate_of(p)]
            raw = [raw_of(one, moves) for one in found]
        self.locations = [one.location for one in found]
        # a small program compiles in half the time without the statistics
        self.is_large = sum(a.size for a in jax.tree.leaves(raw)) > HOST_NUMBERS
        if self.is_large:
            raw = [numbers_of(one.location, r) for one, r in zip(found, raw, strict=True)]
        return wrap((as_float(loss.data), top_class(trainer.loss, out), raw))


def _forward(program, x, y):
    """([_Measured] in the order of the calls, loss, first output of the network)."""
    net = program.net
    paths = {id(module): path for path, module in net.modules().items()}
    calls, outputs = [], []

    def record_call(module, inputs, out):
        if id(module) not in paths or not isinstance(out, Tensor):
            return
        role = _role(module)
        if role is not None:
            path = paths[id(module)]
            location = ProbeLocation(path, module, type(module).__name__, role)
            calls.append(_Measured(location, out, out.record))

    # `recompute` blocks run as ordinary ones, which exposes their layers
    plain: dict = {m: m.inner for m in net.modules().values() if isinstance(m, Recompute)}
    whole = plain.get(net, net.forward)

    def noting_outputs(*inputs, **named):
        out = whole(*inputs, **named)
        outputs[:] = leaves(out)
        return out

    with replacing({**plain, net: noting_outputs}), watch(net, record_call):
        loss = program.loss_of(x, y)
    found = _merged(calls, _activations(records(loss.record), net))
    _connect(found, outputs or [loss])
    return found, loss, outputs[0] if outputs else loss


def _role(module) -> str | None:
    own = own_parameters(module)
    if not own:
        return None
    if any(p.ndim > 1 for p in own):
        return "weights"
    return "norm" if module.layer_kind == "normalization" else None


def _activations(records, net) -> list:
    modules = net.modules()
    found = []
    for record in records:
        function, module = record.operation, modules.get(record.module)
        activation = function.traits.activation
        if activation is None or activation.changes_nothing:
            continue
        is_layer = module is not None and module.activation_function is function
        if not (is_layer or function.traits.is_function):  # a softmax inside a layer or a loss
            continue
        path = record.module if is_layer else f"{record.module}:{function.name}".lstrip(":")
        title = activation.title
        location = ProbeLocation(path, module, title, "activation", function=function)
        found.append(_Measured(location, None, record))
    return found


def _merged(calls, activations) -> list:
    """Calls and activations in order of execution; repeated paths get a number."""
    latest, ordered = 0, []
    for call in calls:
        # a call without a record (all of it frozen) stays after the previous one
        latest = call.record.serial if call.record is not None else latest
        ordered.append((latest, call))
    ordered += [(found.record.serial, found) for found in activations]
    ordered.sort(key=lambda item: item[0])
    seen, number = {}, 0
    for _, found in ordered:
        location = found.location
        count = seen[location.path] = seen.get(location.path, 0) + 1
        if count > 1:
            location.path = f"{location.path}#{count}"
        number += location.role == "weights"
        location.number = number
    return [found for _, found in ordered]


def _source_records(module, record) -> list:
    """The records whose outputs form a module's output; one per direction of a recurrent layer.

    Each returns the outputs and the final state; if only the state is used, the outputs have no
    gradient, so that of the record counts, not that of the joined outputs of both directions.
    """
    if not isinstance(module, Recurrent):
        return [record] if record is not None else []
    found, waiting = [], [record]
    while waiting:
        record = waiting.pop()
        if record is None:
            continue
        if record.operation.traits.edges == "movement":
            waiting += [t.record for t in record.inputs if t is not None]
        else:
            found.append(record)
    return found


def _connect(found, outputs):
    """Set for each layer what it follows, which activation follows it, and whether it is last."""
    weights = [one for one in found if one.location.role == "weights"]
    layers = {record.serial: one.location for one in weights for record in one.sources}
    functions = {one.record.serial: one for one in found if one.location.role == "activation"}
    for one in functions.values():
        for layer in _sources(one.record, layers, functions):
            if not layer.activation:
                layer.activation = one.location.kind
                layer.activation_path = one.location.path
    for one in weights:
        followed = [layer for record in one.sources for layer in _sources(record, layers, {})]
        one.location.follows = tuple(dict.fromkeys(layer.path for layer in followed))
    for output in outputs:
        start = output.record
        if start is None:
            continue
        direct = layers.get(start.serial)
        ends = [direct] if direct else _sources(start, layers, {})
        if ends:
            max(ends, key=lambda location: location.number).is_last = True


def _sources(record, layers, functions) -> list:
    """The layers that a record's inputs come from, without other trained layers in between."""
    found, seen = [], {record.serial}
    waiting = [t.record for t in record.inputs if t is not None]
    while waiting:
        current = waiting.pop()
        if current is None or current.serial in seen or current.serial in functions:
            continue
        seen.add(current.serial)
        if current.serial in layers:
            found.append(layers[current.serial])
        else:
            waiting += [t.record for t in current.inputs if t is not None]
    return found


def _backward(found, loss):
    """Store gradients in the parameters, and those of the outputs in `found`."""
    wanted = {}
    for one in found:
        for record in one.sources:
            wanted.setdefault(record.serial, []).append(one)

    def visit(record, grad, grads):
        for one in wanted.get(record.serial, ()):
            one.grads.extend(grad if isinstance(grad, tuple) else (grad,))

    for leaf, grad in gradients(loss, visit=visit):
        leaf.grad = grad
