"""Where a NaN first appears: repeats one step eagerly and checks every operation."""

import dataclasses
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, gradients
from cutaway.engine.tape import records
from cutaway.errors import ShapeError, TrainingError
from cutaway.nn.module import watch
from cutaway.nn.state import Held, values_of
from cutaway.nn.trees import count_rows, leaves, map_leaves
from cutaway.runtime import parts
from cutaway.train.program import Program
from cutaway.train.steps import Chunk, EpochSteps


@dataclasses.dataclass(frozen=True)
class NanOrigin:
    """Where a NaN or infinity first appeared.

    Attributes:
        phase: "weights" (not finite before the step), "inputs" (from the trainer's `prepare` or a
            stream), "forward", "loss", "gradient" or "optimizer".
        operation: name of the first operation whose output, or in "gradient" whose derivative, is
            not finite; "" if there is none.
        layer: path of the module in which it ran; of a parameter in "weights" and "optimizer".
        kind: class of that module.
        largest: largest absolute value among the inputs of the operation.
        member: which of several networks that train together; None: there is one.
        row: index of the first affected row in the arrays passed to `fit`; None if it does not
            depend on rows or is unknown.
        rows: number of affected rows in the batch.
        epoch, step: when, 1 for the first.
    """

    phase: str
    operation: str = ""
    layer: str = ""
    kind: str = ""
    largest: float = math.nan
    row: int | None = None
    rows: int = 0
    epoch: int = 0
    step: int = 0
    member: int | None = None

    def text(self) -> str:
        """Where, in words."""
        which = "" if self.member is None else f"of network {self.member}, "
        return which + self._place()

    def _place(self) -> str:
        where = f"layer {self.layer} ({self.kind})" if self.kind else "the loss itself"
        if self.phase == "weights":
            return f"the weights {self.layer} were no longer finite"
        if self.phase == "optimizer":
            return f"it began in the optimizer step, which made {self.layer} not finite"
        if self.phase == "inputs":
            text = "it began in the inputs of the network, before its first layer"
        elif self.phase == "gradient":
            text = f"it began in the gradient of {self.operation} in {where}"
        else:
            text = f"it began in {self.operation or 'the output'} of {where}"
        if math.isfinite(self.largest):
            text += f", whose inputs reached {self.largest:.3g}"
        if self.row is not None:
            others = f" and {self.rows - 1} more of its batch" if self.rows > 1 else ""
            text += f", at row {self.row}{others}"
        return text


@dataclasses.dataclass
class RanSteps:
    """A chunk of steps, and the order of the rows of its block."""

    chunk: Chunk
    order: np.ndarray
    epoch: int


def not_finite(
    steps: EpochSteps, ran: RanSteps, before: RanSteps | None, *, row_numbers: Callable | None
) -> TrainingError | None:
    """The error for a chunk of which a loss is NaN or infinite; None if all are finite.

    The state is then that of before the step where it began.

    Args:
        before: the chunk before it, if it is kept: its last step may have made the weights so.
        row_numbers: function of elements of `order` -> the numbers of these rows among those passed
            to `fit`; None: they are not known.
    """
    losses = ran.chunk.losses
    bad = np.flatnonzero(~np.isfinite(losses))
    if not len(bad):
        return None
    step = ran.chunk.start + int(bad[0])
    value = "NaN" if np.isnan(losses[bad[0]]) else "infinite"
    rate = float(steps.program.optimizer.lr)
    origin = _origin(steps, ran, step, row_numbers)
    if origin is not None and origin.phase == "weights":
        # the previous step made them so; its own loss was still finite
        if step > ran.chunk.start:
            origin = _origin(steps, ran, step - 1, row_numbers) or origin
        elif before is not None:
            last = before.chunk.start + len(before.chunk.losses) - 1
            origin = _origin(steps, before, last, row_numbers) or origin
    text = (
        "the same step run alone is finite, so this is a rounding effect"
        if origin is None
        else origin.text()
    )
    if origin is not None and (origin.epoch, origin.step) != (ran.epoch, step + 1):
        text += f", in epoch {origin.epoch}, step {origin.step}"
    error = TrainingError(
        f"the loss became {value} in epoch {ran.epoch}, step {step + 1}: {text}",
        expected="a finite loss",
        fix=f"lower the learning rate (it was {rate:.3g}), scale the inputs and targets, or clip "
        "the gradients; the last finite weights are kept",
    )
    error.origin = origin
    return error


def _origin(steps: EpochSteps, ran: RanSteps, step: int, row_numbers: Callable | None):
    """Where step `step` of `ran` stops being finite; restores the values from before it."""
    steps.rewind(ran.chunk, step, ran.order)
    for rows in np.atleast_2d(steps.parts(ran.order)[step]):
        x, y = map_leaves(lambda leaf, rows=rows: parts.taken(leaf, rows), ran.chunk.data)
        known = None if row_numbers is None else row_numbers(rows)
        found = find_nan_origin(steps.program, x, y, known)
        if found is not None:
            return dataclasses.replace(found, epoch=ran.epoch, step=step + 1)
    return None


def find_nan_origin(program: Program, x, y, rows=None) -> NanOrigin | None:
    """Where one training step on (x, y) first becomes non-finite; None if all of it is finite.

    Checks the parameters, then each operation of the forward pass, the loss and the backward pass,
    then the optimizer step. No state is changed.

    Args:
        x, y: the batch.
        rows: their indices in the data, or None.
    """
    variables = list(program.variables().values())
    for member in range(program.members or 1):
        with program.in_mode(True), Held(variables, values_of(variables)), program.opened(member):
            found = _search(program, x, y, rows)
        if found is not None:
            own = member if program.members else None
            return dataclasses.replace(found, member=own)
    return None


def _search(program, x, y, rows):
    parameters = program.net.named_parameters()
    for path, parameter in parameters.items():
        if not _finite(parameter.data):
            return NanOrigin("weights", layer=path)
    calls, received = [], []

    def check(module, inputs, out):
        if module is program.net:
            received.extend(i.data for i in inputs)
        bad = [leaf for leaf in leaves(out) if not _finite(leaf.data)]
        if bad and not calls:
            largest = _largest([i.data for i in inputs])
            calls.append((call.path_of(module), module, largest, bad[0]))

    # if x requires a gradient too, every operation is recorded
    leaf = map_leaves(
        lambda a: Tensor(a, requires_grad=bool(jnp.issubdtype(a.dtype, jnp.floating))), x
    )
    with watch(program.net, check) as call:
        loss = program.loss_of(leaf, map_leaves(Tensor, y))
    modules = program.net.modules()
    for array in received:
        if not _finite(array):
            return _with_rows(NanOrigin("inputs"), array, rows)
    for record in records(loss.record):
        for out in record.outs:
            if not _finite(out):
                return _at(record, out, _largest(record.arrays), modules, rows, program, x, y)
    if calls:
        path, module, largest, out = calls[0]
        found = NanOrigin("forward", layer=path, kind=type(module).__name__, largest=largest)
        return _with_rows(found, out.data, rows)
    if not _finite(loss.data):
        return NanOrigin("loss")
    return _in_gradient(program, loss, modules, parameters, rows)


def _in_gradient(program, loss, modules, parameters, rows):
    found = []

    def visit(record, grad, grads):
        arrived = grad if isinstance(grad, tuple) else (grad,)
        for g in grads:
            if not found and all(map(_finite, arrived)) and g is not None and not _finite(g):
                largest = _largest([*record.arrays, *arrived])
                where = {"operation": record.operation.name, **_layer(record, modules)}
                found.append(_with_rows(NanOrigin("gradient", **where, largest=largest), g, rows))

    for parameter, grad in gradients(loss, visit=visit):
        parameter.grad = grad
    if found:
        return found[0]
    program.optimizer.step()
    for path, parameter in parameters.items():
        if not _finite(parameter.data):
            return NanOrigin("optimizer", layer=path)
    return None


def _at(record, out, largest, modules, rows, program, x, y):
    layer = _layer(record, modules)
    phase = "forward" if layer else "loss"
    found = NanOrigin(phase, operation=record.operation.name, **layer, largest=largest)
    if phase == "loss" and rows is not None and np.ndim(out) == 0 and program.mix is None:
        bad = _rows_of_bad_loss(program, x, y)
        if bad:
            return dataclasses.replace(found, row=int(rows[bad[0]]), rows=len(bad))
    return _with_rows(found, out, rows)


def _rows_of_bad_loss(program, x, y) -> list[int]:
    """The rows of a batch that have no finite loss alone; [] if a layer needs several rows."""
    try:
        return [k for k in range(count_rows(x)) if not _finite(_loss_of(program, x, y, k))]
    except ShapeError:  # of batch statistics
        return []


def _loss_of(program, x, y, row):
    one = [map_leaves(lambda leaf: Tensor(leaf[row : row + 1]), tree) for tree in (x, y)]
    return program.loss_of(*one).data


def _layer(record, modules) -> dict:
    module = modules.get(record.module)
    if module is None or record.module == "":
        return {}
    return {"layer": record.module, "kind": type(module).__name__}


def _with_rows(found, array, rows) -> NanOrigin:
    """Adds the rows in which `array` is not finite, if its first axis is the batch."""
    if rows is None or np.ndim(array) == 0 or len(array) != len(rows):
        return found
    bad = ~np.isfinite(np.asarray(array, np.float32)).reshape(len(rows), -1).all(axis=1)
    chosen = np.asarray(rows)[bad]
    return (
        dataclasses.replace(found, row=int(chosen[0]), rows=len(chosen)) if len(chosen) else found
    )


def _largest(arrays) -> float:
    sizes = [float(jnp.abs(jnp.asarray(a)).max()) for a in arrays if a is not None and np.size(a)]
    return max(sizes, default=math.nan)


def _finite(array) -> bool:
    return bool(jnp.isfinite(array).all())
