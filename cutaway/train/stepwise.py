"""A training without a thread and without callbacks: whoever has it runs its steps."""

import dataclasses
from typing import Any

import jax
import numpy as np

from cutaway.errors import TrainingError
from cutaway.nn.trees import map_leaves
from cutaway.train.blocks import ArrayRows, StreamRows
from cutaway.train.control import Control
from cutaway.train.evaluation import Evaluator
from cutaway.train.nan_origin import RanSteps, not_finite
from cutaway.train.next_step import NextStep
from cutaway.train.program import Program
from cutaway.train.steps import CAPACITY, Chunk, EpochSteps

ORDERED_STEPS = 2048  # for which the order of the rows is drawn at a time


@dataclasses.dataclass(frozen=True, order=True)
class Position:
    """How far a training is.

    Attributes:
        steps: all steps that it has run.
        epoch: complete epochs.
        step: steps of the epoch that has begun.
    """

    steps: int = 0
    epoch: int = 0
    step: int = 0


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """What a StepwiseTraining goes back to. The arrays are the training's own: no copies."""

    position: Position
    values: list


@dataclasses.dataclass(frozen=True)
class _Block:
    """Rows on the device and the order of some steps, of one epoch or of several in a row."""

    x: Any
    y: Any
    order: Any  # (steps, batch_size), perhaps padded
    steps: int
    first: int  # number of its first step among all
    epoch: int
    of_epoch: int  # steps of its epoch before it
    rows: np.ndarray  # `order` on the host


class StepwiseTraining:
    """A training that is led step by step by the thread that holds it.

    Its weights are those of `Trainer.fit` with the same rows, batch size and seed, bit for bit,
    however the steps are divided. It can go back to any state that it was in.

    Args:
        program: the Program; its parts are not to be replaced while it trains.
        training: ArrayRows or StreamRows.
        validation: ArrayRows, or None.
        batch_size, seed: as for Trainer.fit.

    Attributes:
        position: its Position.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.train import ArrayRows, Program, StepwiseTraining
        >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
        >>> program = Program(ct.Linear(3, 1), loss=ct.losses.mean_squared_error)
        >>> training = StepwiseTraining(program, ArrayRows(x, x[:, :1]), batch_size=16)
        >>> len(training.run(6)["loss"]), training.position
        (6, Position(steps=6, epoch=1, step=2))
    """

    def __init__(
        self,
        program: Program,
        training: ArrayRows | StreamRows,
        validation: ArrayRows | None = None,
        *,
        batch_size: int = 32,
        seed: int = 0,
    ):
        self.program = program
        self.training: Any = training
        self.validation = validation
        self.batch_size, self.seed = batch_size, seed
        self.position = Position()
        self._steps = EpochSteps(program, Control())
        self._next = NextStep(program)
        self._evaluator = Evaluator(program)
        self._block: _Block | None = None
        self._blocks: Any = None  # the rest of the epoch of a stream
        self._upcoming: _Block | None = None  # its next block, if it was read already
        self._previous: RanSteps | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps of an epoch; of a stream an estimate until the first one has ended."""
        return self.training.steps(self.batch_size)

    @property
    def lr(self) -> float:
        """The learning rate of the next step, as a schedule has it."""
        return self._steps.rates()[0]

    # running it

    def run(self, steps: int) -> dict[str, np.ndarray]:
        """Run so many steps.

        Returns:
            {"loss": (steps,) before each update, "loss_NAME": of each named term}.

        Raises:
            TrainingError: the loss became NaN or infinite: says where it began. The weights are
                those from before that step.
        """
        found: list[dict[str, np.ndarray]] = []
        while steps:
            block = self._current()
            done = self.position.steps - block.first
            count = min(steps, block.steps - done, CAPACITY)
            found.append(self._run(block, done, count))
            steps -= count
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

    def _run(self, block: _Block, done: int, count: int) -> dict[str, np.ndarray]:
        before = self._steps.values()
        with self.program.computing(), self.program.in_mode(True):
            step = self._looped(block)
            with self._steps.undone_by_errors(before):
                found = step.loop(
                    done, done + count, block.order, block.x, block.y, capacity=CAPACITY
                )
                losses = {name: values.numpy()[:count] for name, values in found.items()}
            if not np.isfinite(losses["loss"]).all():
                return self._run_to_failure(block, done, losses, before)
        self._previous = self._ran(block, done, losses, before)
        self.position = self._after(block, done + count)
        return losses

    def _ran(self, block: _Block, done: int, losses: dict, before) -> RanSteps:
        """Steps of one epoch of a block, the first of them after `done` steps of the block."""
        place, epoch = self._after(block, done), block.rows
        if isinstance(self.training, ArrayRows):
            first = done - place.step
            epoch, done = block.rows[first : first + self.steps_per_epoch], place.step
        terms = {name: values for name, values in losses.items() if name != "loss"}
        chunk = Chunk(done, losses["loss"], terms, before, (block.x, block.y))
        return RanSteps(chunk, epoch, place.epoch + 1)

    def _run_to_failure(self, block: _Block, done: int, losses: dict, before) -> Any:
        """After steps with a loss that is not finite: those of the epochs before it, then raise."""
        self._steps.restore(before)
        bad = int(np.argmin(np.isfinite(losses["loss"])))
        begun = self._after(block, done + bad).step  # steps of that epoch
        if bad > begun and isinstance(self.training, ArrayRows):
            earlier = bad - begun
            self._run(block, done, earlier)
            return self._run(block, done + earlier, len(losses["loss"]) - earlier)
        ran = self._ran(block, done, losses, before)
        training = self.training
        numbers = training.row_numbers if isinstance(training, ArrayRows) else None
        error: Any = not_finite(self._steps, ran, self._previous, row_numbers=numbers)
        failed = self._after(block, done + bad)
        # it began there or in the step before, and the weights are those from before that one
        origin = error.origin
        is_earlier = origin is not None and (origin.epoch, origin.step) != (
            ran.epoch,
            ran.chunk.start + bad + 1,
        )
        self.position, self._previous = self._before(failed) if is_earlier else failed, None
        raise error

    def _before(self, place: Position) -> Position:
        """The position one step earlier."""
        if place.step:
            return Position(place.steps - 1, place.epoch, place.step - 1)
        return Position(place.steps - 1, place.epoch - 1, self.steps_per_epoch - 1)

    def prepare(self) -> None:
        """Compile the step now, without running it; another thread may do it."""
        if not self.training.rows:
            return
        block = self._current()
        step = self._looped(block)
        with self.program.computing(), self.program.in_mode(True):
            step.prepare_loop(0, 1, block.order, block.x, block.y, capacity=CAPACITY)

    def prepare_others(self) -> None:
        """Compile what `evaluate`, `forward` and `backward` run, without running it."""
        if self.validation is not None:
            with self.program.computing():
                self._evaluator.prepare(self.validation)
        if self.training.rows:
            self._next.prepare(*self.device_batch())

    def _looped(self, block: _Block):
        return self._steps.looped(block.x, self.steps_per_epoch, self.batch_size)

    def evaluate(self) -> dict[str, float] | None:
        """{"loss": ..., metric: ...} of the validation rows; None without any."""
        if self.validation is None:
            return None
        with self.program.computing(), self.program.averaged():
            return self._evaluator.evaluate(self.validation)

    def replace_rows(self, x) -> None:
        """Other inputs of the same rows, from the next step on; nothing is compiled.

        Raises:
            TrainingError: it trains on a stream.
        """
        if not isinstance(self.training, ArrayRows):
            raise TrainingError(
                "other inputs were given to a training on a stream",
                expected="a training on arrays",
            )
        self.training = ArrayRows(x, self.training.y, self.training.indices)
        if self.validation is not None:
            self.validation = ArrayRows(x, self.validation.y, self.validation.indices)
        self._block = None

    # looking into the next step

    def rows(self) -> np.ndarray:
        """(batch_size,) the rows of the next step: indices of rows of the arrays, or of a block."""
        block = self._current()
        return block.rows[self.position.steps - block.first]

    def batch(self) -> tuple:
        """(x, y) of the next step, NumPy arrays."""
        return map_leaves(np.asarray, self.device_batch())

    def forward(self) -> dict[str, float]:
        """{"loss": ..., "loss_NAME": ...} of the next step, before its update."""
        return self._next.losses(*self.device_batch())

    def backward(self) -> dict[str, np.ndarray]:
        """{path of a parameter: ∂L/∂parameter} of the next step, see Program.gradients."""
        return self._next.gradients(*self.device_batch())

    def device_batch(self) -> tuple:
        """(x, y) of the next step, JAX arrays."""
        block, rows = self._current(), self.rows()
        return map_leaves(lambda leaf: leaf[rows], (block.x, block.y))

    # going back

    def state(self) -> TrainingState:
        """The state now; nothing is copied, so it may be asked for after each step."""
        return TrainingState(self.position, self._steps.values())

    def restore(self, state: TrainingState) -> None:
        """Go back to a state of this training; the next steps are the same again.

        Raises:
            TrainingError: it is the state of a network with other layers.
        """
        shapes = [np.shape(value) for value in state.values]
        if shapes != [v.shape for v in self.program.variables().values()]:
            raise TrainingError(
                "the state is of a network with other layers",
                expected="a state of this training",
                fix="keep the training together with its states: a changed network is another one",
            )
        self._steps.restore(state.values)
        self.position, self._previous = state.position, None

    # the order of the rows

    def _current(self) -> _Block:
        """The block with the next step."""
        block, number = self._block, self.position.steps
        if block is None or not block.first <= number < block.first + block.steps:
            in_memory = isinstance(self.training, ArrayRows)
            block = self._block = self._of_arrays() if in_memory else self._of_stream()
        return block

    def _of_arrays(self) -> _Block:
        steps, epoch = self.steps_per_epoch, self.position.epoch
        count = max(1, ORDERED_STEPS // steps)
        orders = [
            self.training.order(np.random.default_rng([self.seed, e]), self.batch_size)
            for e in range(epoch, epoch + count)
        ]
        rows = np.concatenate(orders)
        first = self.position.steps - self.position.step
        x, y = self.training.x, self.training.y
        return _Block(x, y, jax.device_put(rows), len(rows), first, epoch, 0, rows)

    def _of_stream(self) -> _Block:
        """The block of the epoch with the next step; those before it are read over."""
        position = self.position
        if self._upcoming is None or self._upcoming.first != position.steps:
            rng = np.random.default_rng([self.seed, position.epoch])
            self._blocks = self.training.epoch(rng, self.batch_size)
            self._upcoming = self._next_of_stream(position.steps - position.step, position.epoch, 0)
        while True:
            block, self._upcoming = self._upcoming, None
            if block is None:
                raise TrainingError(
                    f"the stream ended before step {position.step + 1} of an epoch",
                    expected="as many rows in each epoch as before",
                )
            if position.steps < block.first + block.steps:
                return block
            done = block.of_epoch + block.steps
            self._upcoming = self._next_of_stream(block.first + block.steps, block.epoch, done)

    def _next_of_stream(self, first: int, epoch: int, of_epoch: int) -> _Block | None:
        """The next block of the epoch that runs; None: there is none."""
        for x, y, rows, steps in self._blocks:
            return _Block(x, y, jax.device_put(rows), steps, first, epoch, of_epoch, rows)
        return None

    def _after(self, block: _Block, done: int) -> Position:
        """The position after so many steps of a block."""
        number, step = block.first + done, block.of_epoch + done
        if isinstance(self.training, ArrayRows):
            epochs, step = divmod(step, self.steps_per_epoch)
            return Position(number, block.epoch + epochs, step)
        if done == block.steps:
            if self._upcoming is None:
                self._upcoming = self._next_of_stream(number, block.epoch, step)
            if self._upcoming is None:
                return Position(number, block.epoch + 1, 0)
        return Position(number, block.epoch, step)
