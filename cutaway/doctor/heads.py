"""Heads: the outputs of a network, each with its target and the loss that compares the two.

A loss of several terms is taken apart by the tape: each loss of cutaway.losses in it leaves a
record of the prediction and the target that it compared.
"""

import dataclasses
import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, gradients
from cutaway.engine.tape import Record, records
from cutaway.errors import CutawayError
from cutaway.losses import LOSSES, expects
from cutaway.losses.contract import Expects
from cutaway.losses.terms import columns_of, named_terms
from cutaway.nn.state import Held, values_of
from cutaway.nn.trees import call, is_array, leaves, map_leaves, take_rows
from cutaway.train.blocks import leaves_by_name
from cutaway.train.program import Program

ROWS = 16  # on which a loss is taken apart: enough that no two targets have the same values


@dataclasses.dataclass(frozen=True)
class Head:
    """An output of a network with its target.

    Attributes:
        loss: function (prediction, target) -> scalar Tensor.
        weight: of this loss in that of the training.
        output, target: numbers of the leaves among outputs and targets.
        target_name: "y" if it is the only target, else like y['price'].
        term: name of the term of the loss that it belongs to, "" for none.
        is_only: whether the network has no other.
    """

    loss: Any
    weight: float = 1.0
    output: int = 0
    target: int = 0
    target_name: str = "y"
    term: str = ""
    is_only: bool = True

    @property
    def declared(self) -> Expects | None:
        """What the loss declares that it expects; None for a custom loss."""
        return expects(self.loss)

    @property
    def where(self) -> str:
        """ " of y['price']" in the `where` of a finding; "" for the only head."""
        return "" if self.is_only else f" of {self.target_name}"

    def of_outputs(self, outputs) -> np.ndarray:
        """Its leaf of the outputs."""
        return np.asarray(leaves(outputs)[self.output])

    def of_targets(self, targets) -> np.ndarray:
        """Its leaf of the targets."""
        return np.asarray(leaves(targets)[self.target])

    def predict(self, trainer, x) -> np.ndarray:
        """What a trainer's network predicts for it, in evaluation mode."""
        return self.of_outputs(trainer.predict(x))

    def with_targets(self, targets, leaf):
        """The targets with another leaf for it."""
        numbers = iter(range(len(leaves(targets))))
        return map_leaves(lambda old: leaf if next(numbers) == self.target else old, targets)


def heads_of(program: Program, x, y) -> tuple[list[Head], list[str]]:
    """([Head], names of the terms that are no loss of cutaway.losses on an output and a target).

    Args:
        x, y: training examples.
    """
    rows = slice(ROWS)
    x, y = (map_leaves(jnp.asarray, take_rows(tree, rows)) for tree in (x, y))
    variables = list(program.variables().values())
    with program.in_mode(False), Held(variables, values_of(variables)), program.computing():
        inputs = map_leaves(Tensor, program.inputs(x))
        if program.objective is not None:
            possible = _fitting_terms(program, inputs, y)
            if not any(possible.values()):
                return [], list(possible)
        outputs = call(program.net, inputs)
        if program.objective is None and is_array(outputs) and is_array(y):
            loss = program.loss(outputs, map_leaves(Tensor, y))
            if not isinstance(loss, dict):
                return [Head(program.loss)], []
        terms = terms_of(program, inputs, outputs, map_leaves(Tensor, y))
        found, unknown = [], []
        for term, value in terms.items():
            own = _heads_in(term, value, outputs, y)
            found += own
            if not own:
                unknown.append(term)
        if not found and is_array(outputs) and is_array(y) and program.objective is None:
            return [Head(functools.partial(summed, loss=program.loss))], []
    if len(found) == 1 and not unknown:
        return [dataclasses.replace(found[0], is_only=True)], []
    return found, unknown


def terms_of(program: Program, inputs, outputs, y) -> dict[str, Tensor]:
    """The named terms of the loss, without mix and penalty, for the inputs of the network.

    Args:
        outputs: of the network for these inputs; an objective computes its own.
    """
    if program.objective is not None:
        return named_terms(program.objective(program.net, inputs, y))
    return named_terms(program.loss(outputs, y))


def _fitting_terms(program: Program, inputs, y) -> dict[str, bool]:
    """{term of an objective: whether all that its losses compare has the size of a target}.

    Only shapes are traced: nothing is computed, which takes long where nothing is compiled.
    """
    found = {}
    sizes = {np.size(leaf) for leaf in leaves(y)}

    def traced(inputs, y):
        terms = terms_of(program, map_leaves(Tensor, inputs), None, map_leaves(Tensor, y))
        for term, value in terms.items():
            compared = _compared(value)
            found[term] = bool(compared) and all(_target_size(r) in sizes for r in compared)

    jax.eval_shape(traced, map_leaves(lambda leaf: leaf.data, inputs), y)
    return found


def _target_size(record: Record) -> int:
    return np.size(record.arrays[1]) if len(record.arrays) == 2 else -1


def loss_of(program: Program, inputs, y) -> Tensor:
    """The training loss for what the network gets, without the penalty."""
    return columns_of(program.terms_of_inputs(inputs, y))["loss"]


def summed(prediction, target, *, loss) -> Tensor:
    """The sum of a loss of named terms."""
    return columns_of(named_terms(loss(prediction, target)))["loss"]


def _heads_in(term: str, value: Tensor, outputs, y) -> list[Head]:
    """The heads of a term; [] if a part of it is something else."""
    compared = _compared(value)
    if not compared:
        return []
    slopes = {}
    gradients(value, visit=lambda record, grad, _: slopes.setdefault(record.serial, grad))
    found = []
    for record in compared:
        head = _head(term, record, slopes.get(record.serial), outputs, y)
        if head is None:
            return []
        found.append(head)
    return found


def _compared(value: Tensor) -> list[Record]:
    """The losses of cutaway.losses in a term."""
    if not value.requires_grad:
        return []
    return [r for r in records(value.record) if r.operation.name in LOSSES]


def _head(term: str, record: Record, slope, outputs, y) -> Head | None:
    options = dict(record.options)
    if slope is None or options.pop("rows", None) is not None or len(record.arrays) != 2:
        return None
    prediction, target = record.arrays
    output = _place(prediction, outputs)
    named = leaves_by_name("y", y)
    place = _place(target, y)
    if output is None or place is None:
        return None
    if options.get("reduction") == "none":
        options["reduction"] = "mean"
    loss = LOSSES[record.operation.name]
    defaults = inspect.signature(loss).parameters
    changed = {k: v for k, v in options.items() if v is not defaults[k].default}
    return Head(
        functools.partial(loss, **changed) if changed else loss,
        weight=float(jnp.sum(slope)),
        output=output,
        target=place,
        target_name=list(named)[place],
        term=term,
        is_only=False,
    )


def _place(array, tree) -> int | None:
    """The number of the leaf with the same values; None if there is none."""
    array = np.asarray(array).ravel()
    for number, leaf in enumerate(leaves(tree)):
        other = np.asarray(leaf.data if isinstance(leaf, Tensor) else leaf).ravel()
        if other.shape == array.shape and np.array_equal(other, array):
            return number
    return None


def heads_or_none(program: Program, x, y) -> tuple[list[Head], list[str]]:
    """As `heads_of`; without heads where the loss cannot be computed on these rows."""
    try:
        return heads_of(program, x, y)
    except CutawayError:
        return [], [""]
