"""The tape: what was computed, in order, and the walk back over it.

Every operation on a tensor that needs a gradient leaves a Record. The records of a computation
form a graph without cycles, and a record's serial number is larger than those of the records it
reads from. So the chain rule is one walk by descending serial number: when a record's turn comes,
every gradient that flows into it has arrived.
"""

import contextlib
import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp


class Record:
    """One operation that was carried out.

    Attributes:
        operation: the Operation.
        inputs: its inputs in order, each a Tensor, or None for a constant; repeats are kept, so
            x * x has two edges.
        arrays: the values that the operation read, in the same order.
        options: its keyword options.
        out: the array it returned, or a tuple of them; a Tensor's `output` is its place in it.
        saved: what an operation with saves=True kept for its rule, otherwise None.
        module: path of the module it ran in, "" outside any.
        serial: its place in time.
    """

    __slots__ = ("arrays", "inputs", "module", "operation", "options", "out", "saved", "serial")

    _serials = itertools.count()

    def __init__(
        self,
        operation: Any,
        inputs: tuple,
        arrays: tuple,
        options: dict,
        out: Any,
        saved: Any,
    ):
        self.operation = operation
        self.inputs = inputs
        self.arrays = arrays
        self.options = options
        self.out = out
        self.saved = saved
        self.module = current_module()
        self.serial = next(Record._serials)

    @property
    def outs(self) -> tuple:
        """The arrays it returned, one or several."""
        return self.out if isinstance(self.out, tuple) else (self.out,)

    def __repr__(self):
        where = f" in {self.module!r}" if self.module else ""
        return f"<Record {self.serial}: {self.operation.name}{where}>"


class _State(threading.local):
    def __init__(self):
        self.recording = True
        self.modules = [""]
        self.runner: Callable | None = None
        self.reader: Any = None


_state = _State()


def is_recording() -> bool:
    """Whether operations are recorded at this moment in this thread."""
    return _state.recording


def current_module() -> str:
    """Path of the module whose forward runs at this moment, "" outside any."""
    return _state.modules[-1]


@contextlib.contextmanager
def module_scope(path: str):
    """Records made inside carry this module path."""
    _state.modules.append(path)
    try:
        yield
    finally:
        _state.modules.pop()


def runner():
    """What carries out operations at this moment in this thread; None: they do it themselves."""
    return _state.runner


@contextlib.contextmanager
def run_by(carry_out):
    """Operations inside are carried out by `carry_out(operation, arrays, options)`.

    It returns what `operation.forward` would.
    """
    before, _state.runner = _state.runner, carry_out
    try:
        yield
    finally:
        _state.runner = before


def reader():
    """What prepares the arrays that operations read in this thread; None: they are as they are."""
    return _state.reader


@contextlib.contextmanager
def read_by(prepare):
    """Operations and their rules inside compute with what `prepare` makes of their inputs.

    What is recorded are the inputs themselves.

    Args:
        prepare: has `inputs(arrays, grad=None)`, what to compute with, for a rule with the
            gradient of the output; and `gradients(grads, arrays)`, what a rule returns then.
    """
    before, _state.reader = _state.reader, prepare
    try:
        yield
    finally:
        _state.reader = before


class no_grad(contextlib.ContextDecorator):
    """Context or decorator in which nothing is recorded, so no gradient can flow.

    Example:
        >>> import cutaway as ct
        >>> w = ct.Tensor(2.0, requires_grad=True)
        >>> with ct.no_grad():
        ...     y = w * w
        >>> y.requires_grad
        False
    """

    def __init__(self):
        self._before: list[bool] = []  # a stack, because one decorated function may call itself

    def __enter__(self):
        self._before.append(_state.recording)
        _state.recording = False
        return self

    def __exit__(self, *exc):
        _state.recording = self._before.pop()


def gradients(root: Record, grad, visit=None, *, output: int = 0) -> list:
    """Walk back from `root`, whose output has the gradient `grad`.

    Args:
        output: which of its outputs, where it has several.
        visit: function (record, ∂L/∂out, gradients of its inputs) that is told of every record.

    Returns:
        [(leaf, gradient)] for every tensor that needs a gradient and was not computed by an
        operation; what reaches a leaf along several ways is added up.
    """
    records = {root.serial: root}
    pending = {}  # serial -> ∂L/∂out as far as it has arrived; several outputs: {output: ∂L/∂out}
    _add(pending, root, output, grad)
    latest = [-root.serial]
    leaves = {}

    while latest:
        serial = -heapq.heappop(latest)
        record = records.pop(serial)
        arrived = pending.pop(serial)
        if isinstance(record.out, tuple):  # an output that nobody reads has no gradient
            arrived = tuple(
                arrived[k] if k in arrived else jnp.zeros_like(out)
                for k, out in enumerate(record.out)
            )
        grads = record.operation.pullback(record, arrived)
        if visit is not None:
            visit(record, arrived, grads)
        for tensor, g in zip(record.inputs, grads, strict=True):
            if tensor is None or g is None or not tensor.requires_grad:
                continue
            source = tensor.record
            if source is None:
                before = leaves.get(id(tensor))
                leaves[id(tensor)] = (tensor, g if before is None else before[1] + g)
                continue
            if source.serial not in records:
                records[source.serial] = source
                heapq.heappush(latest, -source.serial)
            _add(pending, source, tensor.output, g)
    return list(leaves.values())


def _add(pending: dict, record: Record, output: int, grad) -> None:
    """`grad` arrives at an output of `record`; what arrives along several ways is added up."""
    if isinstance(record.out, tuple):
        pending = pending.setdefault(record.serial, {})
        key = output
    else:
        key = record.serial
    pending[key] = pending[key] + grad if key in pending else grad


def records(root: Record | None) -> list:
    """`root` and all records below it, in the order of time."""
    found, waiting = {}, [root]
    while waiting:
        record = waiting.pop()
        if record is not None and record.serial not in found:
            found[record.serial] = record
            waiting += [t.record for t in record.inputs if t is not None]
    return [found[serial] for serial in sorted(found)]
