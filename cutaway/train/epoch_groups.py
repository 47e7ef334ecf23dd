"""Several short epochs in one program.

An epoch of a small network on a small table takes less time than the Python around it. So epochs
run in groups: steps, validation and the state after each epoch come back together, and callbacks
are told of one epoch after the other as if each had been run alone.
"""

import dataclasses
import time

import jax
import numpy as np

from cutaway.engine import Tensor
from cutaway.nn.lifting import scan_over
from cutaway.train.blocks import ArrayRows
from cutaway.train.evaluation import Evaluator
from cutaway.train.program import Program
from cutaway.train.steps import EpochSteps

GROUP_SECONDS = 0.05  # of one group: until its end, neither Ctrl-C nor a progress bar does anything
LONG_SECONDS = 0.02  # epochs that take longer gain nothing
MOST_EPOCHS = 128  # in a group
MOST_NUMBERS = 2**22  # of all orders and states of a group
FIRST_EPOCHS = 8  # in the first group after the one that compiles


@dataclasses.dataclass
class EpochGroup:
    """What came of some epochs in a row.

    Attributes:
        losses: {"loss": (epochs, steps)}, and so the named terms of the loss.
        scores: {name: (epochs,)} on the validation set, as Evaluator.score names them.
        states: of each Variable of the training, (epochs, ...): its values after each epoch.
        orders: (epochs, steps, ...) row indices of each step.
        seconds: of one epoch.
    """

    losses: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    states: list
    orders: np.ndarray
    seconds: float

    def __len__(self):
        return len(self.losses["loss"])

    def state(self, k: int) -> list:
        """The values of the Variables after epoch k of the group, on the host."""
        return [np.asarray(values)[k] for values in self.states]


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

    def start(self) -> None:
        """Begin a fit."""
        self._seconds, self._groups = None, 0

    def size(self, training, validation, batch_size: int, epochs: int) -> int:
        """Number of epochs for the next group, at most `epochs`; 0: run one epoch by itself."""
        if not (isinstance(training, ArrayRows) and isinstance(validation, ArrayRows | None)):
            return 0
        if self.steps.control.is_used:
            return 0
        if not self.steps.is_quick(training.x, training.steps(batch_size), batch_size):
            return 0
        if self._seconds is not None and self._seconds > LONG_SECONDS:
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
            [state.data for state in states],
            orders,
            (time.perf_counter() - began) / count,
        )
        self._groups += 1
        if self._groups > 1:  # the first one compiles
            self._seconds = found.seconds
        return found

    def _capacity(self, training) -> int:
        numbers = sum(v.size for v in self.program.variables().values()) + training.rows
        return min(MOST_EPOCHS, MOST_NUMBERS // max(1, numbers))

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
        return losses, scores, list(map(Tensor, values))
