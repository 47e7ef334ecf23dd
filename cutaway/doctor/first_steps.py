"""FirstSteps: repeated short trainings from the start, in one compiled program."""

import time

import jax.numpy as jnp
import numpy as np

from cutaway.doctor.heads import loss_of
from cutaway.doctor.inputs import DROPPERS
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.engine import Tensor, as_array
from cutaway.nn.lifting import jit
from cutaway.nn.trees import leaves, map_leaves, take_rows
from cutaway.runtime import on_cpu
from cutaway.train.blocks import leaves_by_name
from cutaway.train.nan_origin import find_nan_origin

CAPACITY = 256  # most steps per run
JUDGED = 4  # batches on which losses are compared before and after the steps
BATCH_STEPS, RATE_STEPS = 200, 50
LEAST_STEPS = 6  # fewer are not informative
SMALL = 1e6  # weights times rows
BATCH_ROWS, BATCH_NUMBERS = 32, 2**20
FACTORS = (1.0, 10.0, 0.1, 100.0, 1e4, 1e6)  # on η, in the order tried on one batch
RATES = (0.01, 0.1, 1.0, 10.0, 100.0, 1e4, 1e6)
FALLING = 0.85  # of the initial loss: below it, a learning rate is not far too low
LEARNED = 0.5  # of the initial loss: below it, a batch is learned well enough to stop


class FirstSteps:
    """The first steps of a plan.

    In training mode, without dropout, at constant learning rates.

    Args:
        plan: is not modified.
        seconds: approximate time limit of the steps, without compilation.

    Attributes:
        batch_rows: batch size.
        first_loss: before the first step, of the rows that `rates` are of.
        origin: where NaN or infinity appeared in the first step, in words; "" if it is finite.
        gradients: {path: largest norm of ∂L/∂w}, for the optimizer's parameters.
        input_gradients: {name of an array of inputs: largest norm of ∂L/∂x}, of those of floats.
        moved: {path: value} of all parameters after the steps on one batch.
        unmoved: paths of trainable parameters that no step has changed.
        weights: number of trained values.
        step_seconds: how long a step takes, 0 if the first one is not finite.
        batch_steps, rate_steps: steps of each of the trainings below.
        one_batch: (first loss, last loss, factor on η) of the training on one batch with the
            lowest final loss; None if there was no time.
        rates: {factor: loss after `rate_steps` steps} of trainings on all rows; {} if there was no
            time. All are of the same rows: the loss of the last batch would mostly tell how hard
            that batch is.
    """

    def __init__(self, plan: TrainingPlan, *, seconds: float):
        trainer = self._trainer = plan.fresh()
        trainer.optimizer.schedule = None
        self._rate = float(trainer.optimizer.base_lr.data)
        numbers = max(1, sum(leaf[0].size for leaf in leaves(plan.x)))
        self.batch_rows = min(plan.rows, BATCH_ROWS, max(8, BATCH_NUMBERS // numbers))
        rng = np.random.default_rng(0)
        some = np.sort(rng.permutation(plan.rows)[: self.batch_rows * RATE_STEPS])
        self._x, self._y = map_leaves(as_array, plan.examples(some))
        self._input_names = self._names_of_floats()
        needed = CAPACITY * self.batch_rows
        orders = [rng.permutation(len(some)) for _ in range(needed // len(some) + 1)]
        shuffled = np.concatenate(orders)[:needed]
        self._shuffled = shuffled.reshape(CAPACITY, -1).astype(np.int32)
        self._same = np.tile(self._shuffled[:1], (CAPACITY, 1))
        self._judged = max(1, min(JUDGED, len(some) // self.batch_rows))
        self.step_seconds = 0.0
        # a small network compiles for longer than it runs: with little optimization it takes 0.8 s
        # instead of 1.2
        small = sum(p.size for p in trainer.optimizer.parameters) * self.batch_rows < SMALL
        options = {"xla_backend_optimization_level": 0} if small and on_cpu() else None
        owners = trainer.program.owners().values()
        self._step = jit(self._one_step, *owners, donate=False, compiler_options=options)
        self._start = {name: v.data for name, v in trainer.program.variables().items()}
        self._run_all(seconds)

    def _names_of_floats(self) -> list[str]:
        program = self._trainer.program
        with program.in_mode(False), program.computing():
            given = program.inputs(map_leaves(Tensor, take_rows(self._x, slice(2))))
        named = leaves_by_name("x", given)
        return [name for name, leaf in named.items() if jnp.issubdtype(leaf.dtype, jnp.floating)]

    def _run_all(self, seconds):
        trainer = self._trainer
        first, gradients = self._run(self._same, 2, 1.0)
        moved = {path: p.numpy() for path, p in trainer.net.named_parameters().items()}
        self.origin, self.first_loss = "", float(first[0])
        if not np.isfinite(first[0]):
            self._restart(1.0)
            rows = self._same[0]
            x, y = take_rows((self._x, self._y), rows)
            found = find_nan_origin(trainer.program, x, y)
            self.origin = found.text() if found is not None else "its origin was not found"
            return
        self._restart(1.0)
        self.first_loss = self._loss_now()
        for steps in (1, 20):  # the second time if steps take less than the call itself
            began = time.perf_counter()
            self._run(self._same, steps, 1.0)
            each = (time.perf_counter() - began) / steps
            if each > 0.05:
                break
        self.step_seconds = each
        left = max(0.0, seconds - each)
        self.batch_steps = min(BATCH_STEPS, int(0.5 * left / each / 4))
        self.rate_steps = min(RATE_STEPS, int(0.5 * left / each / 5))
        self.one_batch, self.rates = None, {}
        if self.batch_steps >= LEAST_STEPS:
            for factor in FACTORS:
                losses, gradients = self._run(self._same, self.batch_steps, factor)
                if factor == 1:
                    moved = {path: p.numpy() for path, p in trainer.net.named_parameters().items()}
                    seen = gradients
                last = float(losses[-1])
                if np.isfinite(last) and (self.one_batch is None or last < self.one_batch[1]):
                    self.one_batch = (float(losses[0]), last, factor)
                if self.one_batch is not None and last < LEARNED * float(losses[0]):
                    break
            gradients = seen
        if self.rate_steps >= LEAST_STEPS:
            for factor in RATES:
                losses, _ = self._run(self._shuffled, self.rate_steps, factor)
                last = self._loss_now() if np.isfinite(losses).all() else np.inf
                self.rates[factor] = last if np.isfinite(last) else np.inf
                if factor >= 100 and not FALLING * self.first_loss < last < np.inf:
                    break
        self._note(gradients, moved)

    def _note(self, gradients, moved):
        trainer, self.moved = self._trainer, moved
        largest = np.nanmax(np.where(np.isfinite(gradients), gradients, np.nan), axis=0)
        count = len(self._input_names)
        self.input_gradients = dict(zip(self._input_names, map(float, largest), strict=False))
        paths = {id(p): path for path, p in trainer.net.named_parameters().items()}
        trained = [p for p in trainer.optimizer.parameters if p.requires_grad]
        names = [paths.get(id(p), "?") for p in trained]
        self.gradients = dict(zip(names, map(float, largest[count:]), strict=True))
        self.weights = sum(p.size for p in trained)
        self.unmoved = [
            path
            for path, p in trainer.net.named_parameters().items()
            if p.requires_grad
            and np.array_equal(moved[path], np.asarray(self._start[f"net.{path}"]))
        ]

    def _restart(self, factor):
        for name, variable in self._trainer.program.variables().items():
            variable.data = self._start[name]
        for parameter in self._trainer.net.parameters():
            parameter.grad = None
        self._trainer.optimizer.lr = self._rate * factor

    def _run(self, order, steps: int, factor: float):
        """(losses, gradients (steps, inputs + parameters)) of `steps` steps from the start."""
        self._restart(factor)
        out = self._steps(order, 0, steps)
        return out[:, 0], out[:, 1:]

    def _steps(self, order, start: int, stop: int) -> np.ndarray:
        """(stop - start, 1 + inputs + parameters): the loss before each step, and gradients."""
        trainer = self._trainer
        with trainer.program.in_mode(True), trainer.program.computing():
            for module in trainer.net.modules().values():
                if isinstance(module, DROPPERS):
                    module.eval()
            out = self._step.loop(start, stop, order, self._x, self._y, capacity=CAPACITY).numpy()
        return out[: stop - start]

    def _loss_now(self) -> float:
        """The mean loss of the first batches with the present weights, which stay as they are."""
        variables = self._trainer.program.variables().values()
        kept = [variable.data for variable in variables]
        found = []
        for batch in range(self._judged):
            found.append(float(self._steps(self._shuffled, batch, batch + 1)[0, 0]))
            for variable, value in zip(variables, kept, strict=True):
                variable.data = value
        return float(np.mean(found))

    def _one_step(self, i, order, x, y):
        trainer = self._trainer
        rows = order.data[i.data]
        x, y = (map_leaves(lambda leaf: Tensor(leaf.data[rows]), tree) for tree in (x, y))
        given = map_leaves(_input, trainer.program.inputs(x))
        loss = loss_of(trainer.program, given, y)
        whole = loss if trainer.penalty is None else loss + trainer.penalty(trainer.net)
        whole.backward()
        trained = [p for p in trainer.optimizer.parameters if p.requires_grad]
        inputs = [leaf for leaf in leaves(given) if leaf.requires_grad]
        norms = [_norm(leaf.grad) for leaf in (*inputs, *trained)]
        trainer.optimizer.step()
        for parameter in trainer.net.parameters():
            parameter.grad = None
        return Tensor(jnp.stack([jnp.asarray(v, jnp.float32) for v in (loss.data, *norms)]))


def _input(leaf):
    return Tensor(leaf.data, requires_grad=bool(jnp.issubdtype(leaf.dtype, jnp.floating)))


def _norm(grad):
    return 0.0 if grad is None else jnp.sqrt(jnp.sum(jnp.square(grad.astype(jnp.float32))))
