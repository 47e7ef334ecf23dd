"""Reruns: the same training again with something changed, and what that is worth.

A symptom of the pace of learning rests on a training that did better. Without it, nobody can know
whether a loss is high because learning went wrong or because there is no more to be learned.
"""

import copy
import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np

from cutaway.doctor.changes import UseOptimizer
from cutaway.doctor.changes.length import stretch
from cutaway.doctor.program import Program, rebuilt
from cutaway.errors import CutawayError, TrainingError
from cutaway.losses import expects
from cutaway.models import mlp
from cutaway.nn import Flatten, Sequential, Sigmoid, Softmax
from cutaway.nn.init import glorot_uniform
from cutaway.nn.random import seeded
from cutaway.nn.state import named_variables
from cutaway.optim import Adam
from cutaway.train import Trainer

STEPS = 3000  # of a rerun at most; of longer programs, the first epochs are compared
ROWS = 2000  # of which losses are measured, at most
SECONDS = 60  # that a rerun of a long program may take
HELD_SHARE = 0.2  # of the rows that reruns hold out where the program has no validation set
HELD_FROM = 100  # rows from which they do: the mean of fewer than 20 held rows says too little

# Of the loss that better training takes away, the share that the program must leave to be called
# ill. A choice: the healthy programs of tests/doctor/test_rate_symptoms.py stay below it with every
# rerun at once, the faults there are above.
WORTH = 0.25
# or this share, if the loss also falls to a third (a regression that explains 85 instead of 97%)
WORTH_LESS, THIRD = 0.1, 1 / 3
# Share of its chance loss that a training has to take away to have learned anything.
LEARNED = 0.05
# The plain network that takes the place of another: more than a small table needs, and still small.
RELATIVE_UNITS, RELATIVE_STEPS = 128, 600
RELATIVE_INPUTS = 5000  # columns for which it is still small
BIGRAM_TOKENS = 5000  # whose pairs can be counted in a table
REPEATS = 0.7  # median correlation of targets with inputs above which they are the same, noisy
PLAIN_EPS, PLAIN_BETAS = 1e-6, (0.9, 0.999)  # Kingma & Ba 2015, Algorithm 1, and a larger ε
ADAM_RATES = (1e-3, 1e-2)  # Kingma & Ba's default, and the usual one of small networks


@dataclasses.dataclass(frozen=True)
class RerunResult:
    """What became of a training.

    Attributes:
        loss: on training rows after the last epoch, in evaluation mode; inf if it broke.
        held: the lowest loss on the rows held out, over the epochs; NaN where there are none.
        held_end: likewise, the median of the last quarter of the epochs.
        losses: training loss of each complete epoch.
        held_losses: likewise on the rows held out.
        trainer, values: the Trainer afterwards, and what its RepeatedTrainer then held; only of
            `base`.
    """

    loss: float
    held: float
    held_end: float
    losses: np.ndarray
    held_losses: np.ndarray
    trainer: Trainer | None = None
    values: list | None = None

    @property
    def broke(self) -> bool:
        return not math.isfinite(self.loss)


class Reruns:
    """Trainings of a program, as it is and with something changed. Each is made when asked for.

    Args:
        program: what is trained. Where it has no validation set and enough rows, a fifth of them
            is held out of all reruns alike, so that learning is told from learning by heart.
        chance: the loss of the best constant answer; NaN if not known, then the initial loss is
            taken in its place.
        steps: most steps of a rerun; of longer programs, the first epochs are compared.
    """

    def __init__(self, program: Program, chance: float, steps: int = STEPS):
        self.program = program
        rows = np.arange(len(program.x))
        self.held = program.validation
        if self.held is None and len(rows) >= HELD_FROM:
            shuffled = np.random.default_rng(0).permutation(rows)
            count = min(int(HELD_SHARE * len(rows)), ROWS)
            held, rows = np.sort(shuffled[:count]), np.sort(shuffled[count:])
            self.held = (program.x[held], program.y[held])
        rows = rows[: steps * program.batch_size]
        self.x, self.y = program.x[rows], program.y[rows]
        self.batch_size = min(program.batch_size, len(rows))
        self.steps_per_epoch = math.ceil(len(rows) / self.batch_size)
        self.epochs = max(1, min(program.epochs, steps // self.steps_per_epoch))
        spread = np.unique(np.linspace(0, len(rows) - 1, ROWS).astype(int))
        self.sample = (self.x[spread], self.y[spread])
        self._repeated = RepeatedTrainer(program.fresh())
        self._known = {}
        self.start = self._repeated.loss(*self.sample)
        self.chance = chance if math.isfinite(chance) else self.start

    # what is worth what

    @functools.cached_property
    def base(self) -> RerunResult:
        """The program as it is."""
        return self._train(self._repeated, keep=True)

    @property
    def has_room(self) -> bool:
        """Whether anything can be worth it: the loss is not near 0, where all is learned."""
        # of a loss that is never below 0, gain <= L / L0
        return self.base.broke or self.chance <= 0 or self.base.loss >= WORTH_LESS * self.chance

    def gain(
        self, better: RerunResult, than: RerunResult | None = None, *, end: bool = False
    ) -> float:
        """Share of what `better` took away that the other (by default `base`) left.

        (L - L') / (L0 - L'), L0 the chance loss or L, whichever is higher: 0 for the same loss,
        1 where only `better` learned anything. The lesser of the shares on the training rows and
        on the rows held out.

        Args:
            end: compare the rows held out at the end of training. By default each training is
                taken at its best epoch, so that learning by heart faster is no gain.
        """
        return min(share for share, _ in self._shares(better, than, end))

    def is_worth(
        self, better: RerunResult, than: RerunResult | None = None, *, end: bool = False
    ) -> bool:
        """Whether `better` did much better; arguments as for `gain`."""
        return all(
            share >= WORTH or (share >= WORTH_LESS and ratio <= THIRD)
            for share, ratio in self._shares(better, than, end)
        )

    def _shares(self, better, than, end):
        than = self.base if than is None else than
        pairs = [(than.loss, better.loss)]
        if self.held is not None:
            pairs.append((than.held_end, better.held_end) if end else (than.held, better.held))
        return [self._share(worse, good) for worse, good in pairs]

    def _share(self, worse, good):
        """(gain, good / worse) of two losses."""
        if not math.isfinite(good) or self.chance - good < LEARNED * abs(self.chance):
            return 0.0, 1.0
        if not math.isfinite(worse):
            return 1.0, 0.0
        share = max(0.0, (worse - good) / (max(self.chance, worse) - good))
        return share, good / worse if worse > 0 else 1.0

    # trainings

    def rate(self, factor: float) -> RerunResult:
        """With the learning rate times a factor."""
        factor = float(f"{factor:.6g}")
        if factor == 1:
            return self.base
        return self._once(("rate", factor), lambda: self._train(self._repeated, factor=factor))

    @property
    def best_rate(self) -> RerunResult:
        """The best on the training rows of those with the program's own optimizer, so far."""
        rates = [found for (what, *_), found in self._known.items() if what == "rate"]
        return min([self.base, *rates], key=lambda found: (found.loss, found.held))

    def longer(self, factor: int) -> RerunResult:
        """With so many times the epochs; a schedule of a known length is stretched with them."""

        def train():
            repeated = self._repeated
            if self.program.trainer.optimizer.schedule is not None:
                repeated = RepeatedTrainer(self.program.fresh())
                stretch(repeated.trainer.optimizer.schedule, factor)
            return self._train(repeated, epochs=factor * self.epochs)

        return self._once(("longer", factor), train)

    def adam(self, lr: float) -> RerunResult:
        """With Adam, from the same start."""

        if is_plain_adam(self.program.trainer.optimizer):
            return self.rate(lr / self._repeated.lr)
        factor = lr / self._adam_lab.lr
        return self._once(("adam", lr), lambda: self._train(self._adam_lab, factor=factor))

    def constant_rate(self) -> RerunResult:
        """Without the schedule."""

        def train():
            trainer = self.program.fresh()
            trainer.optimizer.schedule = None
            return self._train(RepeatedTrainer(trainer))

        return self._once(("constant",), train)

    def forgetful(self, beta: float) -> RerunResult:
        """With a velocity that forgets sooner: another β of an optimizer that has one."""

        def train():
            trainer = self.program.fresh()
            trainer.optimizer.beta = beta
            return self._train(RepeatedTrainer(trainer))

        return self._once(("beta", beta), train)

    @functools.cached_property
    def _adam_lab(self):
        return RepeatedTrainer(self.program.changed(UseOptimizer("adam", ADAM_RATES[0])).trainer)

    def restart(self, number: int) -> RerunResult:
        """From another start: weights drawn as Glorot & Bengio 2010 do, biases 0."""

        def train():
            return self._train(self._repeated, change=functools.partial(_redraw, number))

        return self._once(("restart", number), train)

    def redrawn(self, number: int) -> Trainer:
        """A Trainer as `restart` begins with."""
        trainer = self.program.fresh()
        _redraw(number, trainer)
        return trainer

    def relative(self) -> RerunResult | None:
        """A plain model that learns most of what there is to learn; None where we have none.

        For numbers, a network of two hidden layers of 128 ReLU, trained by Adam; for tokens with a
        target each, counts of what follows what. None where targets repeat inputs: an autoencoder
        is narrow on purpose.
        """
        x, y = self.x, self.y
        if x.dtype.kind in "iu" and x.ndim == 2 and y.shape == x.shape and y.dtype.kind in "iu":
            return self._once(("bigrams",), self._bigrams)
        if x.dtype.kind != "f" or x[0].size > RELATIVE_INPUTS or y.ndim > 2 or _repeats(x, y):
            return None
        return self._once(("relative",), self._relative)

    def _relative(self):
        trainer = self.program.trainer
        outputs = self.program.fresh().predict(self.x[:2]).shape[1:]
        if len(outputs) != 1:
            return None
        wants, last = expects(trainer.loss), None
        if wants is not None and wants.output == "probability":
            last = Softmax if wants.target in ("labels", "one_hot") else Sigmoid
        with seeded(0):
            sizes = (self.x[0].size, RELATIVE_UNITS, RELATIVE_UNITS, *outputs)
            net = Sequential(Flatten(), *mlp(sizes, output=last))
            other = rebuilt(trainer, net=net, optimizer=lambda net: Adam(net, ADAM_RATES[0]))
        epochs = max(self.epochs, math.ceil(RELATIVE_STEPS / self.steps_per_epoch))
        return self._train(RepeatedTrainer(other), epochs=epochs)

    def _bigrams(self):
        """-ln p(y | x) from counts, each pair counted once more than it was seen (Laplace)."""
        pairs = [self.sample] if self.held is None else [self.sample, self.held]
        tokens = 1 + max(int(max(x.max(), y.max())) for x, y in [(self.x, self.y), *pairs])
        if tokens > BIGRAM_TOKENS:
            return None
        counts = np.ones((tokens, tokens))
        np.add.at(counts, (self.x.ravel(), self.y.ravel()), 1)
        surprise = -np.log(counts / counts.sum(axis=1, keepdims=True))
        found = [float(surprise[np.asarray(x), np.asarray(y)].mean()) for x, y in pairs]
        held = found[1] if len(found) == 2 else math.nan
        return RerunResult(found[0], held, held, np.array([found[0]]), np.array(found[1:]))

    @functools.cached_property
    def after_first_epoch(self) -> Trainer:
        """The program's Trainer after one epoch."""
        self._train(self._repeated, epochs=1)
        return rebuilt(self._repeated.trainer)

    # after the end

    def onward(self, *, epochs: int, factor: float = 1.0) -> RerunResult:
        """More training from where `base` ended, at a constant rate times a factor."""
        key = ("onward", epochs, factor)
        repeated, values = self._after
        return self._once(
            key, lambda: self._train(repeated, epochs=epochs, factor=factor, values=values)
        )

    @functools.cached_property
    def _after(self):
        """(a RepeatedTrainer at a constant rate, the values at the end of `base`)."""
        if self.program.trainer.optimizer.schedule is None:
            return self._repeated, self.base.values
        trainer = rebuilt(self.base.trainer)
        trainer.optimizer.schedule = None
        repeated = RepeatedTrainer(trainer)
        return repeated, repeated.values

    def steps_after(self, count: int, factor: float = 1.0) -> tuple:
        """Some single steps from the end of `base`.

        Returns:
            (count + 1,) losses on the same rows before and after them, and (count - 1,) cosines
            of the angle between each move of the weights and the one before.
        """
        repeated, values = self._after
        repeated.back(factor, values)
        rng = np.random.default_rng(0)
        found, weights = [repeated.loss(*self.sample)], [_weights(repeated)]
        for _ in range(count):
            rows = rng.choice(len(self.x), self.batch_size, replace=False)
            try:
                repeated.trainer.fit(
                    self.x[rows], self.y[rows], epochs=1, batch_size=len(rows), seed=0,
                    progress=False,
                )  # fmt: skip
            except TrainingError:
                found.append(math.inf)
                break
            found.append(repeated.loss(*self.sample))
            weights.append(_weights(repeated))
        moves = np.diff(weights, axis=0)
        moves /= np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-30)
        return np.array(found), (moves[1:] * moves[:-1]).sum(axis=1)

    def _once(self, key, make):
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _train(self, repeated, *, factor=1.0, epochs=None, change=None, values=None, keep=False):
        repeated.back(factor, values)
        if change is not None:
            change(repeated.trainer)
        trainer, broke = repeated.trainer, False
        try:
            trainer.fit(
                self.x,
                self.y,
                epochs=self.epochs if epochs is None else epochs,
                batch_size=self.batch_size,
                validation=self.held,
                callbacks=copy.deepcopy(list(self.program.callbacks)),
                seed=self.program.seed,
                progress=False,
            )
        except CutawayError:
            broke = True
        rows = trainer.history.rows
        losses = np.array([row["loss"] for row in rows])
        held = np.array([row["val_loss"] for row in rows if "val_loss" in row])
        known = held[np.isfinite(held)]
        last = math.ceil(len(held) / 4)
        nothing = math.nan if self.held is None else math.inf
        loss = math.inf if broke else repeated.loss(*self.sample)
        return RerunResult(
            loss=loss if math.isfinite(loss) else math.inf,
            held=float(known.min()) if len(known) else nothing,
            held_end=nothing if broke or not len(held) else float(np.median(held[-last:])),
            losses=losses,
            held_losses=held,
            trainer=rebuilt(trainer) if keep else None,
            values=repeated.now() if keep else None,
        )


def _redraw(number, trainer) -> None:
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
    """Whether it is Adam as Kingma & Ba recommend it, but for the rate."""
    return type(optimizer) is Adam and optimizer.eps <= PLAIN_EPS and optimizer.betas == PLAIN_BETAS


def _repeats(x, y) -> bool:
    """Whether targets are inputs, perhaps noisy ones: each column goes with its own."""
    if x.shape != y.shape or y.ndim != 2:
        return False
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    spread = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    alike = (a * b).sum(axis=0)[spread > 0] / spread[spread > 0]
    return bool(len(alike)) and float(np.median(alike)) > REPEATS


class RepeatedTrainer:
    """A Trainer that can be put back to where it was: compiled once for many trainings."""

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        owners = (trainer.net, trainer.optimizer, trainer.average, trainer.mix, trainer.prepare)
        self.variables = list(named_variables([o for o in owners if o is not None]).values())
        self.values = self.now()
        self.lr = float(trainer.optimizer.base_lr.data)

    def now(self) -> list:
        """The values of all that a training changes: a Trainer's steps donate nothing."""
        return [v.data for v in self.variables]

    def back(self, factor: float = 1.0, values=None) -> None:
        """To the start, or other values, with a learning rate times `factor`."""
        values = self.values if values is None else values
        for variable, value in zip(self.variables, values, strict=True):
            variable.data, variable.grad = value, None
        if factor != 1:
            self.trainer.optimizer.lr = self.lr * factor

    def loss(self, x, y) -> float:
        return float(self.trainer.evaluate(x, y)["loss"])
