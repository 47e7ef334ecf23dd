"""Several short epochs in one program.

An epoch of a small network on a small table takes less time than the Python around it. So epochs
run in groups: steps, validation and the state after each epoch come back together, and callbacks
are told of one epoch after the other as if each had been run alone.
"""

import dataclasses
import math
import time

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor
from cutaway.nn.lifting import scan_over
from cutaway.runtime import distributed
from cutaway.train.blocks import ArrayRows
from cutaway.train.evaluation import Evaluator
from cutaway.train.program import Program
from cutaway.train.steps import EpochSteps

GROUP_SECONDS = 0.05  # of one group: until its end, neither Ctrl-C nor a progress bar does anything
MOST_EPOCHS = 128  # in a group
MOST_NUMBERS = 2**21  # of all orders and states of a group
FIRST_EPOCHS = 8  # in the first group after the one that compiles


@dataclasses.dataclass
class EpochGroup:
    """What came of some epochs in a row.

    Attributes:
        losses: {"loss": (epochs, steps)}, and so the named terms of the loss.
        scores: {name: (epochs,)} on the validation set, as Evaluator.score names them.
        states: the values of the Variables of the training after each epoch.
        orders: (epochs, steps, ...) row indices of each step.
        seconds: of one epoch.
    """

    losses: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    states: "States"
    orders: np.ndarray
    seconds: float

    def __len__(self):
        return len(self.losses["loss"])


class States:
    """The values of some Variables after each of some epochs.

    Args:
        variables: the Variables.
        rows: {dtype: (epochs, numbers)}, each row as `packed` returns it.
    """

    def __init__(self, variables, rows: dict):
        self.rows = {dtype: np.asarray(values) for dtype, values in rows.items()}
        self.places = []  # of each Variable: its dtype, where it begins, and its shape
        used = dict.fromkeys(rows, 0)
        for variable in variables:
            dtype = str(variable.dtype)
            self.places.append((dtype, used[dtype], variable.shape))
            used[dtype] += variable.size

    def value(self, i: int, k: int) -> np.ndarray:
        """Of Variable i, after epoch k."""
        dtype, begin, shape = self.places[i]
        return self.rows[dtype][k, begin : begin + math.prod(shape)].reshape(shape)

    def after(self, k: int) -> list[np.ndarray]:
        """Of all Variables, after epoch k."""
        return [self.value(i, k) for i in range(len(self.places))]


def packed(arrays) -> dict:
    """{dtype: vector} of all numbers of some arrays.

    XLA compiles a kernel for each array that it stores: for one vector that is 0.1 s less.
    """
    found: dict = {}
    for array in arrays:
        found.setdefault(str(array.dtype), []).append(array.ravel())
    return {dtype: jnp.concatenate(parts) for dtype, parts in found.items()}


class GroupedEpochs:
    """Runs the epochs of a program in groups, where that is faster.

    Args:
        program: the Program.
        steps: its EpochSteps.
        evaluator: its Evaluator.
    """

    def __init__(self, program: Program, steps: EpochSteps, evaluator: Evaluator):
        self.program = program
        self.steps = steps
        self.evaluator = evaluator
        self._compiled = None
        self._seconds = None  # of one epoch; None: not known yet
        self._groups = 0
        self._numbers = 0  # of one state

    def start(self) -> None:
        """Begin a fit."""
        self._seconds, self._groups = None, 0
        self._numbers = sum(v.size for v in self.program.variables().values())

    def size(self, training, validation, batch_size: int, epochs: int) -> int:
        """Number of epochs for the next group, at most `epochs`; 0: run one epoch by itself."""
        if not (isinstance(training, ArrayRows) and isinstance(validation, ArrayRows | None)):
            return 0
        if self.steps.control.is_used or distributed.is_sharing():
            return 0
        if not self.steps.is_quick(training.x, training.steps(batch_size), batch_size):
            return 0
        most = self._capacity(training)
        if most < 2:
            return 0
        if self._groups == 0:
            return 1
        if self._groups == 1 or self._seconds is None:
            return min(FIRST_EPOCHS, epochs, most)
        return max(1, min(int(GROUP_SECONDS / self._seconds), epochs, most))

    def run(self, training, validation, batch_size: int, generators) -> EpochGroup:
        """Run as many epochs as there are random generators, each for the order of one."""
        orders = np.stack([self.steps.parts(training.order(rng, batch_size)) for rng in generators])
        count, capacity = len(orders), self._capacity(training)
        padded = np.zeros((capacity, *orders.shape[1:]), orders.dtype)
        padded[:count] = orders
        validated = () if validation is None else self.evaluator.arguments(validation)
        if self._compiled is None:
            self._compiled = self.steps.compiled(self._epoch, batch_size)
        began = time.perf_counter()
        losses, scores, states = self._compiled.loop(
            0, count, padded, training.x, training.y, *validated, capacity=capacity
        )
        found = EpochGroup(
            {name: values.numpy()[:count] for name, values in losses.items()},
            {name: values.numpy()[:count] for name, values in scores.items()},
            States(
                self.program.variables().values(),
                {dtype: values.data for dtype, values in states.items()},
            ),
            orders,
            (time.perf_counter() - began) / count,
        )
        self._groups += 1
        if self._groups > 1:  # the first one compiles
            self._seconds = found.seconds
        return found

    def _capacity(self, training) -> int:
        return min(MOST_EPOCHS, MOST_NUMBERS // max(1, self._numbers + training.rows))

    def _epoch(self, i, orders, x, y, *validated):
        program = self.program
        order = Tensor(orders.data[i.data])
        losses = scan_over(
            lambda rows: self.steps.step(rows, x, y), order, *program.owners().values()
        )
        # results of the steps, not to be computed together with what follows
        variables = list(program.variables().values())
        values = jax.lax.optimization_barrier([v.data for v in variables])
        for variable, value in zip(variables, values, strict=True):
            variable.data = value
        scores = {}
        if validated:
            with program.averaged(), program.in_mode(False):
                scores = self.evaluator.score(*validated)
        return losses, scores, {dtype: Tensor(vector) for dtype, vector in packed(values).items()}
