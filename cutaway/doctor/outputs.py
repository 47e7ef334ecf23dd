"""What a network can output, what a loss expects, and whether the two fit.

Nothing here trains: the loss is evaluated on outputs constructed from the targets.
"""

import contextlib
import dataclasses
import math

import jax
import numpy as np

from cutaway import ops
from cutaway.engine import Tensor, as_array, no_grad
from cutaway.losses import expects
from cutaway.losses.contract import Expects
from cutaway.nn import watch
from cutaway.nn.state import Held, values_of
from cutaway.nn.trees import call, leaves, map_leaves, take_rows
from cutaway.train.compatibility import outputs_of

SURE = 10.0  # the logit of a confident prediction: σ(10) = 0.99995


def forward(program, x, *, training: bool = False, watcher=None, frozen=(), recording=False):
    """The outputs of a program's network for raw inputs x; state and modes are restored after it.

    Args:
        watcher: see nn.watch; or None.
        frozen: modules that stay in evaluation mode.
        recording: whether the tape is kept, from network inputs that need gradients.
    """
    net = program.prepared
    variables = list(program.variables().values())
    with program.in_mode(training), Held(variables, values_of(variables)):
        for module in frozen:
            module.eval()
        tape = contextlib.nullcontext() if recording else no_grad()
        with tape, program.computing(), watch(net, watcher or (lambda *_: None)):
            if recording:
                given = program.inputs(map_leaves(Tensor, x))
                out = call(program.net, map_leaves(_recorded, given))
            else:
                out = call(net, map_leaves(Tensor, x))
    return map_leaves(lambda leaf: np.asarray(leaf.data, np.float32), out)


def _recorded(leaf) -> Tensor:
    array = leaf.data if isinstance(leaf, Tensor) else leaf
    return Tensor(array, requires_grad=array.dtype.kind == "f")


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a network ends, or one of its outputs.

    Attributes:
        path, activation: of the last innermost layer; activation is the title of its function if
            its range is bounded below, else "".
        shape: of the outputs of one row.
    """

    path: str
    activation: str
    shape: tuple


def ending(program, x, output: int = 0) -> Ending:
    """How a program's network ends: its last layer, or the function that a layer calls last.

    Args:
        output: the number of the leaf, for a network that returns several.
    """
    outputs, last = outputs_of(program.prepared, x)
    shapes = [leaf.shape for leaf in leaves(outputs)]
    if len(shapes) > 1:  # the layer that ran last made one of them
        last, path = None, _last_record(program, x, output)[1]
    else:
        path = next((p for p, m in program.net.modules().items() if m is last), "")
    function = getattr(last, "activation_function", None) or _called_last(program, x, output)
    shape = shapes[output]
    activation = None if function is None else function.traits.activation
    title = "" if activation is None else activation.title
    return Ending(path, title if range_of(title) else "", shape[1:])


def range_of(title: str) -> tuple | None:
    """(low, high) of an activation by its title; None if it is unknown or unbounded below."""
    activation = ops.ACTIVATION_TRAITS.get(title)
    if activation is None or math.isinf(activation.range[0]):
        return None
    return activation.range


def gives_probabilities(title: str, *, exclusive: bool) -> bool:
    """Whether the outputs of an activation are probabilities.

    Args:
        title: of the activation; "" for none.
        exclusive: whether they must sum to 1 over the last axis.
    """
    low, high = range_of(title) or (-math.inf, math.inf)
    if low < 0 or high > 1:
        return False
    return not exclusive or ops.ACTIVATION_FUNCTIONS[title].traits.edges == "rowwise"


def _called_last(program, x, output):
    """The operation whose output the network returns, skipping reshapes and the like, or None."""
    record, _ = _last_record(program, x, output)
    while record is not None and record.inputs[0] is not None:
        if record.operation.traits.edges != "movement":
            break
        record = record.inputs[0].record
    return None if record is None else record.operation


def _last_record(program, x, output) -> tuple:
    """(the record of an output for two rows, the path of the module that made it)."""
    found = []

    def forward(x):  # of shapes only: nothing is compiled
        found.append(call(program.prepared, map_leaves(_recorded, x)))

    with program.in_mode(False), program.computing(), watch(program.net, lambda *_: None):
        jax.eval_shape(forward, map_leaves(as_array, take_rows(x, slice(2))))
    record = leaves(found[0])[output].record
    return record, "" if record is None else record.module


def wants(loss, y, shape) -> Expects | None:
    """What a loss expects: as declared, or, for a custom loss, as its values show.

    The loss is evaluated on outputs that are far on the wrong side. One that takes probabilities
    clips them and is flat there, or gives NaN; one that takes logits rises; one that compares
    outputs with targets is worse for outputs beyond the target than for the target itself.

    Args:
        loss: of the program.
        y: targets (rows, ...).
        shape: of the outputs of one row.

    Returns:
        losses.Expects; None for a loss that fits none of these cases.
    """
    declared = expects(loss)
    if declared is not None:
        return declared
    y = np.asarray(y)[:64]
    full = (len(y), *shape)
    whole = y.dtype.kind in "iub" or bool(np.all(y == np.round(y)))
    if whole and y.ndim == len(shape) and shape[-1] > 1 and y.min() >= 0 and y.max() < shape[-1]:
        target, truth = "labels", np.eye(shape[-1], dtype=np.float32)[y.astype(int)]
    elif y.size == math.prod(full) and np.isin(y, (0, 1)).all():
        truth = y.reshape(full).astype(np.float32)
        exclusive = shape[-1:] not in ((), (1,)) and bool((truth.sum(-1) == 1).all())
        target = "one_hot" if exclusive else "binary"
    else:
        return Expects("any", "real") if y.size == math.prod(full) else None
    sign = 2 * truth - 1
    wrong = [ask(loss, -k * sign, y) for k in (3.0, 4.0)]
    if not np.isfinite(wrong).all() or wrong[1] <= wrong[0] * (1 + 1e-3):
        return Expects("probability", target)
    if ask(loss, 8 * truth, y) > ask(loss, truth, y):
        return Expects("any", "real")
    return Expects("logit", target)


def ask(loss, outputs, y) -> float:
    """The loss of given outputs; NaN if it cannot be computed."""
    try:
        with no_grad():
            return float(loss(Tensor(np.asarray(outputs, np.float32)), Tensor(y)).item())
    except (ArithmeticError, ValueError, TypeError):
        return math.nan


def ideal(want: Expects, y, shape) -> np.ndarray:
    """The outputs (rows, *shape) that minimize a loss, ignoring the last activation.

    Logits are limited to ±SURE.
    """
    y = np.asarray(y)
    if want.target == "labels":
        truth = np.eye(shape[-1])[y.astype(int).reshape(len(y), *shape[:-1])]
    else:
        truth = y.reshape(len(y), *shape).astype(np.float64)
    if want.target == "sign":
        return np.where(truth > 0, 1.0, -1.0)
    return SURE * (2 * truth - 1) if want.output == "logit" else truth


def within(activation: str, outputs) -> np.ndarray:
    """The closest to `outputs` that a network ending in `activation` can produce."""
    limits = range_of(activation)
    if limits is None:
        return outputs
    out = np.clip(outputs, *limits)
    if ops.ACTIVATION_FUNCTIONS[activation].traits.edges == "rowwise":
        total = out.sum(-1, keepdims=True)
        out = np.where(total > 0, out / np.where(total > 0, total, 1), 1 / out.shape[-1])
    return out


def constant(want: Expects, y, shape) -> np.ndarray:
    """The best constant prediction: (rows, *shape) outputs that ignore the input."""
    truth = ideal(dataclasses.replace(want, output="any"), y, shape)
    mean = np.clip(truth.mean(axis=0), 1e-6, None) if want.target != "real" else truth.mean(axis=0)
    if want.output == "logit":
        mean = np.clip(mean, 1e-6, 1 - 1e-6)
        several = want.target in ("labels", "one_hot")
        mean = np.log(mean) if several else np.log(mean) - np.log1p(-mean)
    return np.broadcast_to(mean, truth.shape)


@dataclasses.dataclass(frozen=True)
class AttainableLosses:
    """The losses that are attainable with any weights.

    Attributes:
        best: of the outputs closest to the targets that the last activation allows.
        free: the same without the last activation.
        chance: of the best constant prediction.
    """

    best: float
    free: float
    chance: float

    @property
    def lost(self) -> float:
        """Fraction of the reduction from chance to ideal that the last activation rules out."""
        return (self.best - self.free) / max(self.chance - self.free, 1e-12)


def attainable_losses(loss, want: Expects, end: Ending, y) -> AttainableLosses:
    """The losses that a network with this ending can attain."""
    target = ideal(want, y, end.shape)
    return AttainableLosses(
        best=ask(loss, within(end.activation, target), y),
        free=ask(loss, target, y),
        chance=ask(loss, constant(want, y, end.shape), y),
    )


def class_numbers(y, want: Expects | None) -> np.ndarray | None:
    """The class of each row (of each position, flat), or None if the targets are not classes."""
    y = np.asarray(y)
    if want is None:
        return None
    if want.target == "labels":
        return y.astype(int).ravel()
    if want.target == "one_hot":
        return y.argmax(-1).ravel()
    if want.target in ("binary", "sign") and y.size == len(y) and np.unique(y).size <= 2:
        return (y.ravel() > 0).astype(int)
    return None


def chosen_classes(outputs, want: Expects) -> np.ndarray:
    """The class that each output predicts, flat."""
    if want.target in ("labels", "one_hot"):
        return outputs.argmax(-1).ravel()
    return (outputs.ravel() > (0.5 if want.output in ("probability", "any") else 0)).astype(int)
