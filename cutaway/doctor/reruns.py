"""Reruns: the same training again with changes, and how much they gain.

A symptom of slow learning rests on a training that did better. Without one, nobody can know whether
a loss is high because learning went wrong or because there is nothing more to learn.
"""

import copy
import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np

from cutaway.doctor.changes import UseOptimizer
from cutaway.doctor.changes.length import stretch_schedule
from cutaway.doctor.time_left import TimeLeft
from cutaway.doctor.training_plan import TrainingPlan, evenly_spaced
from cutaway.errors import CutawayError, TrainingError
from cutaway.losses import expects
from cutaway.models import mlp
from cutaway.nn import Flatten, Sequential, Sigmoid, Softmax
from cutaway.nn.init import glorot_uniform
from cutaway.nn.random import seeded
from cutaway.nn.trees import is_array, take_rows
from cutaway.optim import Adam
from cutaway.train import Trainer

STEPS = 3000  # of a rerun at most; for longer programs, the first epochs are compared
ROWS = 2000  # most rows on which losses are measured
SECONDS = 60  # that a rerun of a long plan may take
VALIDATION_FRACTION = 0.2  # of the rows, if the plan has no validation set
VALIDATION_FROM = 100  # rows; the mean over fewer than 20 validation rows is too noisy

# Fraction of the better training's loss reduction that the plan must have missed to count as a
# fault. A choice: the healthy programs of tests/doctor/test_rate_symptoms.py stay below it in all
# reruns, the faulty ones are above.
WORTH = 0.25
# or this fraction, if the loss also falls to a third (as in R² rising from 0.85 to 0.97)
WORTH_LESS, THIRD = 0.1, 1 / 3
# Fraction of its chance-level loss that must be gone if a training has learned anything.
LEARNED = 0.05
# The plain reference network: larger than a small table needs, and still small.
RELATIVE_UNITS, RELATIVE_STEPS = 128, 600
RELATIVE_INPUTS = 5000  # most columns for which it is still small
BIGRAM_TOKENS = 5000  # most tokens whose pairs fit into a table of counts
REPEATS = 0.7  # median correlation above which targets are copies of the inputs, perhaps noisy
PLAIN_EPS, PLAIN_BETAS = 1e-6, (0.9, 0.999)  # Kingma & Ba 2015, Algorithm 1, and a larger ε
ADAM_RATES = (1e-3, 1e-2)  # Kingma & Ba's default, and the usual one for small networks


@dataclasses.dataclass(frozen=True)
class RerunResult:
    """The result of a training.

    Attributes:
        loss: on training rows after the last epoch, in evaluation mode; inf if it diverged.
        best_validation: the lowest validation loss over the epochs; NaN without validation rows.
        final_validation: likewise, the median over the last quarter of the epochs.
        losses: training loss of each complete epoch.
        validation_losses: validation loss of each complete epoch.
        trainer, values: the Trainer afterwards, and the values of its RepeatedTrainer; only for
            `base`.
    """

    loss: float
    best_validation: float
    final_validation: float
    losses: np.ndarray
    validation_losses: np.ndarray
    trainer: Trainer | None = None
    values: list | None = None

    @property
    def broke(self) -> bool:
        return not math.isfinite(self.loss)


class Reruns:
    """Trainings of a plan, as it is and with changes. Each runs when first asked for.

    Args:
        plan: what is trained. If it has enough rows and no validation set, a fifth of them is
            held out in all reruns alike, to distinguish learning from memorizing.
        chance: the loss of the best constant prediction; if NaN (not known), the initial loss is
            used instead.
        steps: most steps of a rerun; for longer programs, the first epochs are compared.
        expected: seconds that an epoch takes.
        time_left: what is left for reruns; None: no limit.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        chance: float,
        steps: int = STEPS,
        *,
        expected: float = 0.0,
        time_left: TimeLeft | None = None,
    ):
        self.plan = plan
        self._expected = expected
        self._time_left = TimeLeft(math.inf) if time_left is None else time_left
        rows = np.arange(plan.rows)
        self.validation = plan.validation
        if self.validation is None and len(rows) >= VALIDATION_FROM:
            shuffled = np.random.default_rng(0).permutation(rows)
            count = min(int(VALIDATION_FRACTION * len(rows)), ROWS)
            out, rows = np.sort(shuffled[:count]), np.sort(shuffled[count:])
            self.validation = plan.examples(out)
        rows = rows[: steps * plan.batch_size]
        self.x, self.y = plan.examples(rows)
        self.batch_size = min(plan.batch_size, len(rows))
        self.steps_per_epoch = math.ceil(len(rows) / self.batch_size)
        self.epochs = max(1, min(plan.epochs, steps // self.steps_per_epoch))
        self._rows = len(rows)
        self.sample = take_rows((self.x, self.y), evenly_spaced(len(rows), ROWS))
        self._repeated = RepeatedTrainer(plan.fresh())
        self._results = {}
        self.start = self._repeated.loss(*self.sample)
        self.chance = chance if math.isfinite(chance) else self.start

    # comparisons

    @functools.cached_property
    def base(self) -> RerunResult:
        """The plan as it is."""
        return self._train(self._repeated, keep=True)

    @property
    def has_room(self) -> bool:
        """Whether there is room for improvement: the loss is not near 0."""
        # of a loss that is never below 0, gain <= L / L0
        return self.base.broke or self.chance <= 0 or self.base.loss >= WORTH_LESS * self.chance

    def gain(
        self, better: RerunResult, than: RerunResult | None = None, *, end: bool = False
    ) -> float:
        """Fraction of the loss reduction of `better` that the other (by default `base`) missed.

        (L - L') / (L0 - L'), with L0 the chance-level loss or L, whichever is higher: 0 for the
        same loss, 1 if only `better` learned anything. The lesser of the fractions on training and
        on validation rows.

        Args:
            end: compare the validation losses at the end of training. By default each training
                counts by its best epoch, so that memorizing faster is no gain.
        """
        return min(gain for gain, _ in self._gains(better, than, end))

    def is_worth(
        self, better: RerunResult, than: RerunResult | None = None, *, end: bool = False
    ) -> bool:
        """Whether `better` did much better; arguments as for `gain`."""
        return all(
            gain >= WORTH or (gain >= WORTH_LESS and ratio <= THIRD)
            for gain, ratio in self._gains(better, than, end)
        )

    def _gains(self, better, than, end):
        than = self.base if than is None else than
        pairs = [(than.loss, better.loss)]
        if self.validation is not None and end:
            pairs.append((than.final_validation, better.final_validation))
        elif self.validation is not None:
            pairs.append((than.best_validation, better.best_validation))
        return [self._gain(worse, good) for worse, good in pairs]

    def _gain(self, worse, good):
        """(gain, good / worse) of two losses."""
        if not math.isfinite(good) or self.chance - good < LEARNED * abs(self.chance):
            return 0.0, 1.0
        if not math.isfinite(worse):
            return 1.0, 0.0
        gain = max(0.0, (worse - good) / (max(self.chance, worse) - good))
        return gain, good / worse if worse > 0 else 1.0

    # trainings

    def rate(self, factor: float) -> RerunResult:
        """With the learning rate times a factor."""
        factor = float(f"{factor:.6g}")
        if factor == 1:
            return self.base
        return self._once(("rate", factor), lambda: self._train(self._repeated, factor=factor))

    @property
    def best_rate(self) -> RerunResult:
        """The lowest training loss so far with the plan's own optimizer."""
        rates = [found for (what, *_), found in self._results.items() if what == "rate"]
        return min([self.base, *rates], key=lambda found: (found.loss, found.best_validation))

    def longer(self, factor: int) -> RerunResult:
        """With `factor` times the epochs; a schedule of a known length is stretched with them."""

        def train():
            repeated = self._repeated
            program = self.plan.program
            optimizer = program.optimizer
            schedules = (optimizer.schedule, optimizer.decay_schedule, program.dropout_schedule)
            if any(schedule is not None for schedule in schedules):
                repeated = RepeatedTrainer(self.plan.fresh())
                stretch_schedule(repeated.trainer, factor)
            return self._train(repeated, epochs=factor * self.epochs)

        return self._once(("longer", factor), train)

    def adam(self, lr: float) -> RerunResult:
        """With Adam, from the same initial weights."""

        if is_plain_adam(self.plan.program.optimizer):
            return self.rate(lr / self._repeated.lr)
        factor = lr / self._with_adam.lr
        return self._once(("adam", lr), lambda: self._train(self._with_adam, factor=factor))

    def constant_rate(self) -> RerunResult:
        """Without the schedule."""

        def train():
            trainer = self.plan.fresh()
            trainer.optimizer.schedule = None
            return self._train(RepeatedTrainer(trainer))

        return self._once(("constant",), train)

    def with_beta(self, beta: float) -> RerunResult:
        """With another β, for an optimizer with momentum."""

        def train():
            trainer = self.plan.fresh()
            setattr(trainer.optimizer, "beta", beta)  # noqa: B010, not every optimizer has one
            return self._train(RepeatedTrainer(trainer))

        return self._once(("beta", beta), train)

    @functools.cached_property
    def _with_adam(self):
        return RepeatedTrainer(self.plan.changed(UseOptimizer("adam", ADAM_RATES[0])).fresh())

    def restart(self, number: int) -> RerunResult:
        """From other initial weights: Glorot uniform (Glorot & Bengio 2010), biases 0."""

        def train():
            return self._train(self._repeated, change=functools.partial(_reinitialize, number))

        return self._once(("restart", number), train)

    def reinitialized(self, number: int) -> Trainer:
        """The Trainer from which `restart` begins."""
        trainer = self.plan.fresh()
        _reinitialize(number, trainer)
        return trainer

    def relative(self) -> RerunResult | None:
        """A plain reference model that learns most of what is attainable; None if there is none.

        For numbers, a network of two hidden layers of 128 ReLU units, trained with Adam; for tokens
        with a target each, bigram counts. None for several inputs or outputs, or if targets repeat
        inputs: an autoencoder is narrow on purpose.
        """
        x, y = self.x, self.y
        if not (is_array(x) and is_array(y)) or self.plan.program.loss is None:
            return None
        if x.dtype.kind in "iu" and x.ndim == 2 and y.shape == x.shape and y.dtype.kind in "iu":
            return self._once(("bigrams",), self._bigrams)
        if x.dtype.kind != "f" or x[0].size > RELATIVE_INPUTS or y.ndim > 2 or _repeats(x, y):
            return None
        return self._once(("relative",), self._relative)

    def _relative(self):
        program = self.plan.program
        outputs = self.plan.fresh().predict(self.x[:2])
        if not is_array(outputs) or outputs.ndim != 2:
            return None
        wants, last = expects(program.loss), None
        if wants is not None and wants.output == "probability":
            last = Softmax if wants.target in ("labels", "one_hot") else Sigmoid
        with seeded(0):
            sizes = (self.x[0].size, RELATIVE_UNITS, RELATIVE_UNITS, outputs.shape[1])
            net = Sequential(Flatten(), *mlp(sizes, output=last))
            other = Trainer(program.copied(net=net, optimizer=lambda net: Adam(net, ADAM_RATES[0])))
        epochs = max(self.epochs, math.ceil(RELATIVE_STEPS / self.steps_per_epoch))
        return self._train(RepeatedTrainer(other), epochs=epochs)

    def _bigrams(self):
        """-ln p(y | x) from bigram counts with add-one (Laplace) smoothing."""
        pairs = [self.sample] if self.validation is None else [self.sample, self.validation]
        tokens = 1 + max(int(max(x.max(), y.max())) for x, y in [(self.x, self.y), *pairs])
        if tokens > BIGRAM_TOKENS:
            return None
        counts = np.ones((tokens, tokens))
        np.add.at(counts, (self.x.ravel(), self.y.ravel()), 1)
        surprise = -np.log(counts / counts.sum(axis=1, keepdims=True))
        found = [float(surprise[np.asarray(x), np.asarray(y)].mean()) for x, y in pairs]
        validation = found[1] if len(found) == 2 else math.nan
        return RerunResult(
            found[0], validation, validation, np.array([found[0]]), np.array(found[1:])
        )

    @functools.cached_property
    def after_first_epoch(self) -> Trainer:
        """The plan's Trainer after one epoch."""
        self._train(self._repeated, epochs=1)
        return Trainer(self._repeated.trainer.program.copied())

    # training on from the end

    def onward(self, *, epochs: int, factor: float = 1.0) -> RerunResult:
        """More training from where `base` ended, at a constant learning rate times a factor."""
        key = ("onward", epochs, factor)
        repeated, values = self._after
        return self._once(
            key, lambda: self._train(repeated, epochs=epochs, factor=factor, values=values)
        )

    @functools.cached_property
    def _after(self):
        """(a RepeatedTrainer at a constant learning rate, the values at the end of `base`)."""
        if self.plan.program.optimizer.schedule is None:
            return self._repeated, self.base.values
        assert self.base.trainer is not None  # `base` keeps it
        trainer = Trainer(self.base.trainer.program.copied())
        trainer.optimizer.schedule = None
        repeated = RepeatedTrainer(trainer)
        return repeated, repeated.values

    def steps_after(self, count: int, factor: float = 1.0) -> tuple:
        """Single steps from the end of `base`.

        Returns:
            (count + 1,) losses on the same rows before and after them, and (count - 1,) cosines
            of the angle between successive weight updates.
        """
        repeated, values = self._after
        repeated.back(factor, values)
        rng = np.random.default_rng(0)
        found, weights = [repeated.loss(*self.sample)], [_weights(repeated)]
        for _ in range(count):
            rows = rng.choice(self._rows, self.batch_size, replace=False)
            try:
                x, y = take_rows((self.x, self.y), rows)
                repeated.trainer.fit(x, y, epochs=1, batch_size=len(rows), seed=0, progress=False)
            except TrainingError:
                found.append(math.inf)
                break
            found.append(repeated.loss(*self.sample))
            weights.append(_weights(repeated))
        updates = np.diff(weights, axis=0)
        updates /= np.maximum(np.linalg.norm(updates, axis=1, keepdims=True), 1e-30)
        return np.array(found), (updates[1:] * updates[:-1]).sum(axis=1)

    def _once(self, key, make):
        if key not in self._results:
            self._results[key] = make()
        return self._results[key]

    def _train(self, repeated, *, epochs=None, **options):
        epochs = self.epochs if epochs is None else epochs
        with self._time_left.spent(epochs * self._expected):
            return self._trained(repeated, epochs, **options)

    def _trained(self, repeated, epochs, *, factor=1.0, change=None, values=None, keep=False):
        repeated.back(factor, values)
        if change is not None:
            change(repeated.trainer)
        trainer, broke = repeated.trainer, False
        try:
            trainer.fit(
                self.x,
                self.y,
                epochs=epochs,
                batch_size=self.batch_size,
                validation=self.validation,
                callbacks=copy.deepcopy(list(self.plan.callbacks)),
                seed=self.plan.seed,
                progress=False,
            )
        except CutawayError:
            broke = True
        rows = trainer.history.rows
        losses = np.array([row["loss"] for row in rows])
        validation = np.array([row["val_loss"] for row in rows if "val_loss" in row])
        finite = validation[np.isfinite(validation)]
        last = math.ceil(len(validation) / 4)
        nothing = math.nan if self.validation is None else math.inf
        ended = not broke and len(validation)
        loss = math.inf if broke else repeated.loss(*self.sample)
        return RerunResult(
            loss=loss if math.isfinite(loss) else math.inf,
            best_validation=float(finite.min()) if len(finite) else nothing,
            final_validation=float(np.median(validation[-last:])) if ended else nothing,
            losses=losses,
            validation_losses=validation,
            trainer=Trainer(trainer.program.copied()) if keep else None,
            values=repeated.now() if keep else None,
        )


def _reinitialize(number, trainer) -> None:
    named = zip(trainer.optimizer.paths, trainer.optimizer.parameters, strict=True)
    with seeded(number):
        for path, p in named:
            if p.ndim > 1:
                p.data = jnp.asarray(glorot_uniform(p.shape), p.dtype)
            elif path.endswith("bias"):
                p.data = jnp.zeros_like(p.data)


def _weights(repeated) -> np.ndarray:
    parameters = repeated.trainer.optimizer.parameters
    return np.concatenate([np.ravel(p.numpy()) for p in parameters]).astype(np.float64)


def is_plain_adam(optimizer) -> bool:
    """Whether it is Adam with the settings of Kingma & Ba, except for the learning rate."""
    return type(optimizer) is Adam and optimizer.eps <= PLAIN_EPS and optimizer.betas == PLAIN_BETAS


def _repeats(x, y) -> bool:
    """Whether the targets repeat the inputs, column by column, perhaps with noise."""
    if x.shape != y.shape or y.ndim != 2:
        return False
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    norms = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    correlations = (a * b).sum(axis=0)[norms > 0] / norms[norms > 0]
    return bool(len(correlations)) and float(np.median(correlations)) > REPEATS


class RepeatedTrainer:
    """A Trainer that can be reset to its start: compiled once for many trainings."""

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        self.variables = list(trainer.program.variables().values())
        self.values = self.now()
        self.lr = float(trainer.optimizer.base_lr.data)

    def now(self) -> list:
        """The values of everything that training changes: a Trainer's steps donate nothing."""
        return [v.data for v in self.variables]

    def back(self, factor: float = 1.0, values=None) -> None:
        """Reset to the start, or to other values, with the learning rate times `factor`."""
        values = self.values if values is None else values
        for variable, value in zip(self.variables, values, strict=True):
            variable.data, variable.grad = value, None
        if factor != 1:
            self.trainer.optimizer.lr = self.lr * factor

    def loss(self, x, y) -> float:
        return float(self.trainer.evaluate(x, y)["loss"])
