"""One step of a training, looked at layer by layer. It runs in one compiled program.

It is the trainer's own step on a window of rows: its loss, its optimizer. Nothing of it is kept but
its numbers: weights, slots, statistics and random keys stay as they were.
"""

import contextlib
import dataclasses

import jax
import numpy as np

from cutaway import ops
from cutaway.engine import Operation, Tensor, gradients
from cutaway.engine.tape import records
from cutaway.nn.lifting import jit
from cutaway.nn.module import Module, watch
from cutaway.nn.recurrent import Recurrent
from cutaway.nn.rematerialize import Recompute
from cutaway.nn.state import signature, wrap
from cutaway.ops.precision import current_precision
from cutaway.train.probe_numbers import (
    as_float,
    finished,
    numbers_of,
    own_parameters,
    raw_of,
    top_class,
)

HOST_NUMBERS = 2**20  # that a program hands out as they are; of more it takes the statistics


@dataclasses.dataclass
class Place:
    """Where something is measured: a layer, by one of its calls, or an activation function.

    Attributes:
        path: of the layer, or of the module that called the function with the function's name
            behind a colon; from the second call on with its number, "again#2".
        module: the layer; of a function the module it ran in.
        kind: class of the layer, or of the one that holds the function: "ReLU".
        role: "weights", "activation" or "norm".
        number: l; of an activation or norm that of the layer before.
        activation, activation_path: of the activation that follows a layer, "" for none.
        is_last: whether it is the layer that gives the network's output.
        function: the operation of an activation, else None.
    """

    path: str
    module: Module | None
    kind: str
    role: str
    number: int = 0
    activation: str = ""
    activation_path: str = ""
    is_last: bool = False
    function: Operation | None = None


class _Found:
    """A place, and what the tape has of it while the step is traced."""

    def __init__(self, place, out, record):
        self.place = place
        self.out = out
        self.record = record
        self.made_by = _made_by(place.module, record)  # the records whose gradients count
        self.grads = []


class ProbedStep:
    """The step of a trainer on a window of rows.

    Args:
        trainer: a Trainer.
        x, y: the window.
    """

    def __init__(self, trainer, x, y):
        self.trainer = trainer
        self.x, self.y = x, y
        self._programs = {}

    def program(self) -> "ProbeProgram":
        """For the network as it is now: traced, if need be, but not compiled."""
        trainer = self.trainer
        owners = list(trainer._owners().values())
        with _training(trainer._prepared), trainer._computing():
            variables, owned = signature(owners)
            key = (owned, current_precision())
            if key not in self._programs:
                self._programs[key] = ProbeProgram(trainer, owners, variables, self.x, self.y)
        return self._programs[key]


class ProbeProgram:
    """One compiled form of a step. Made by ProbedStep.

    Attributes:
        places: what it measures, in the order of the forward pass.
    """

    def __init__(self, trainer, owners, variables, x, y):
        self.places = []
        self._variables = variables
        self._window = (x, y)
        step = jit(lambda x, y: self._trace(trainer, x, y), *owners, donate=False)
        self._lowered = step.lower(x, y)
        self._executable = None

    def compile(self) -> None:
        """Compile it. May run in a thread beside the training."""
        if self._executable is None:
            self._executable = self._lowered.compile()
            self._lowered = None

    def values(self) -> list:
        """What the step begins with: to keep, and to measure later."""
        return [(v.data, v.grad) for v in self._variables]

    def run(self, values: list) -> tuple:
        """(loss, top_class, [numbers of each place]) of the step that begins with `values`."""
        self.compile()
        said, _ = self._executable(values, self._window)
        loss, top, found = jax.device_get(said)
        if self._on_host:
            with np.errstate(all="ignore"):  # a network may be about to break
                found = [numbers_of(p, raw) for p, raw in zip(self.places, found, strict=True)]
        return float(loss), float(top), [finished(numbers) for numbers in found]

    def _trace(self, trainer, x, y):
        """The step; every Variable is put back."""
        variables = list(trainer._variables().values())
        before = [(v.data, v.grad) for v in variables]
        try:
            for v in variables:
                v.grad = None
            found, loss, out = _forward(trainer, x, y)
            _backward(found, loss)
            moved = [p for p in trainer.optimizer.parameters if p.grad is not None]
            moves = {p: [p.data, p.grad] for p in moved}
            if moved:
                trainer.optimizer.step()
            for p in moved:
                moves[p] += [p.data - moves[p][0], trainer.optimizer.rate_of(p)]
            raw = [raw_of(one, moves) for one in found]
        finally:
            for v, (data, grad) in zip(variables, before, strict=True):
                v.data, v.grad = data, grad
        self.places = [one.place for one in found]
        # a small program compiles in half the time without the statistics
        self._on_host = sum(a.size for a in jax.tree.leaves(raw)) <= HOST_NUMBERS
        if not self._on_host:
            raw = [numbers_of(one.place, r) for one, r in zip(found, raw, strict=True)]
        return wrap((as_float(loss.data), top_class(trainer.loss, out), raw))


@contextlib.contextmanager
def _training(net):
    """Context in which every module of net is in training mode; the modes are put back."""
    modes = [(module, module.training) for module in net.modules().values()]
    net.train()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _forward(trainer, x, y):
    """([_Found] in the order of the calls, loss, output of the network)."""
    net = trainer.net
    paths = {id(module): path for path, module in net.modules().items()}
    calls, outputs = [], []

    def look(module, inputs, out):
        if id(module) not in paths or not isinstance(out, Tensor):
            return
        if module is net:
            outputs.append(out)
        role = _role(module)
        if role is not None:
            path = paths[id(module)]
            place = Place(path, module, type(module).__name__, role)
            calls.append(_Found(place, out, out.record))

    with _kept(net), watch(net, look):
        loss = trainer._steps._loss(x, y)
    found = _merged(calls, _activations(records(loss.record), net))
    out = outputs[-1] if outputs else loss
    _connect(found, out)
    return found, loss, out


@contextlib.contextmanager
def _kept(net):
    """Context in which blocks of `recompute` run as if they were none, so that one sees inside."""
    blocks = [module for module in net.modules().values() if isinstance(module, Recompute)]
    for block in blocks:
        vars(block)["forward"] = block.inner  # before the method of the class
    try:
        yield
    finally:
        for block in blocks:
            del vars(block)["forward"]


def _role(module) -> str | None:
    own = own_parameters(module)
    if not own:
        return None
    if any(p.ndim > 1 for p in own):
        return "weights"
    return "norm" if "Norm" in type(module).__name__ else None


def _activations(records, net) -> list:
    modules = net.modules()
    found = []
    for record in records:
        function, module = record.operation, modules.get(record.module)
        activation = function.traits.activation
        if activation is None or function is ops.linear:
            continue
        is_layer = module is not None and module.activation_function is function
        if not (is_layer or function.traits.is_function):  # a softmax within a layer or a loss
            continue
        path = record.module if is_layer else f"{record.module}:{function.name}".lstrip(":")
        place = Place(path, module, activation.title, "activation", function=function)
        found.append(_Found(place, None, record))
    return found


def _merged(calls, activations) -> list:
    """Calls and activations in the order of time; names that come again get a number."""
    latest, ordered = 0, []
    for call in calls:
        # a call without a record (all of it frozen) keeps its place after the one before
        latest = call.record.serial if call.record is not None else latest
        ordered.append((latest, call))
    ordered += [(found.record.serial, found) for found in activations]
    ordered.sort(key=lambda item: item[0])
    seen, number = {}, 0
    for _, found in ordered:
        place = found.place
        count = seen[place.path] = seen.get(place.path, 0) + 1
        if count > 1:
            place.path = f"{place.path}#{count}"
        number += place.role == "weights"
        place.number = number
    return [found for _, found in ordered]


def _made_by(module, record) -> list:
    """The records whose outputs are a module's output, in pieces for a recurrent layer.

    Such a layer's outputs and its last state are cut out of what one operation made; those who
    read only the state leave the outputs without a gradient.
    """
    if not isinstance(module, Recurrent):
        return [record] if record is not None else []
    found, waiting = [], [record]
    while waiting:
        record = waiting.pop()
        if record is None:
            continue
        if record.operation.name in ("getitem", "_join"):
            waiting += [t.record for t in record.inputs if t is not None]
        else:
            found.append(record)
    return found


def _connect(found, output):
    """Tell each layer which activation follows it, and whether it is the last."""
    weights = [one for one in found if one.place.role == "weights"]
    layers = {record.serial: one.place for one in weights for record in one.made_by}
    functions = {one.record.serial: one for one in found if one.place.role == "activation"}
    for one in functions.values():
        for layer in _sources(one.record, layers, functions):
            if not layer.activation:
                layer.activation, layer.activation_path = one.place.kind, one.place.path
    if output.record is not None and layers:
        start = output.record
        at_once = layers.get(start.serial)
        ends = [at_once] if at_once else _sources(start, layers, {})
        if ends:
            max(ends, key=lambda place: place.number).is_last = True


def _sources(record, layers, functions) -> list:
    """The layers from which a record gets its inputs, with nothing that is trained between."""
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
    """Leave gradients in the parameters, and in `found` those of the outputs."""
    wanted = {}
    for one in found:
        for record in one.made_by:
            wanted.setdefault(record.serial, []).append(one)

    def visit(record, grad, grads):
        for one in wanted.get(record.serial, ()):
            one.grads.append(grad)

    for leaf, grad in gradients(loss, visit=visit):
        leaf.grad = grad
