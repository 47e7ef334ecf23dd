"""Evidence: what is known of a training, measured once and shared by all symptoms.

What costs little is measured always; an experiment (another short training from the same start) is
made when the first symptom asks for it, and its result is kept.
"""

import contextlib
import copy
import dataclasses
import functools
import math

import numpy as np

from cutaway.doctor.outputs import Ending, ask, constant, ending, forward, wants
from cutaway.doctor.program import Program
from cutaway.doctor.reruns import SECONDS, STEPS, Reruns
from cutaway.doctor.stop import Stop, find_stop
from cutaway.engine import Tensor, no_grad
from cutaway.errors import CutawayError, DataError, OptionError, TrainingError
from cutaway.losses import expects
from cutaway.nn import Module
from cutaway.train import Probes, Trainer
from cutaway.train.probes import Layer

ROWS = 2000  # of which losses are measured, at most
LEAST_STEPS = 60  # of a rerun of a program however long it takes
BATCH_ROWS, BATCH_STEPS = 32, 200  # of the attempt to learn one batch by heart
TRIED_STEPS = 500  # of a training with something changed, at most
LEARNED = 0.05  # of the loss of chance, that a training takes away which learned something
WORTH = 0.25  # of what the changed training takes away, the share that the program must leave


@dataclasses.dataclass(frozen=True)
class ChangedTraining:
    """How a training with something changed ended.

    Attributes:
        loss: on training rows; inf where it broke, NaN where a change does not fit the program.
        held: the lowest on the validation rows, NaN without.
    """

    loss: float
    held: float


@dataclasses.dataclass(frozen=True)
class ValidationTraining:
    """A training and rows that it did not see.

    Attributes:
        trainer: after it.
        training, rest: (x, y) of the rows it saw and of those it did not.
        losses: on `rest`, after each epoch.
    """

    trainer: Trainer
    training: tuple
    rest: tuple
    losses: np.ndarray


class Evidence:
    """A training that has run, and what can be asked of it.

    Args:
        program: what was run.
        trainer: the Trainer after training; its history has every epoch that was complete.
        probes: the Probes that watched.
        trouble: the TrainingError that ended it, or None.

    Attributes: see Args; `layers` is [Layer].
    """

    def __init__(self, program: Program, trainer: Trainer, probes: Probes, trouble=None):
        self.program = program
        self.trainer = trainer
        self.probes = probes
        self.trouble = trouble
        self._tried = {}

    @classmethod
    def gather(cls, program: Program) -> "Evidence":
        """Run the program under probes."""
        trainer = program.fresh()
        rows = np.arange(min(len(program.x), 256))
        finite = all(np.isfinite(a).all() for a in (program.x, program.y) if a.dtype.kind == "f")
        window = [a[rows] if finite else np.zeros_like(a[rows]) for a in (program.x, program.y)]
        probes = Probes(*window)
        trouble = None
        try:
            trainer.fit(
                program.x,
                program.y,
                epochs=program.epochs,
                batch_size=program.batch_size,
                validation=program.validation,
                callbacks=[*copy.deepcopy(list(program.callbacks)), probes],
                seed=program.seed,
                progress=False,
            )
        except TrainingError as error:
            trouble = error
        except DataError as error:
            if finite:
                raise
            trouble = error  # NaN in the data: nothing was trained, nan_source says where
        return cls(program, trainer, probes, trouble)

    # what the program is

    @property
    def net(self) -> Module:
        """The trained network."""
        return self.trainer.net

    @property
    def trained(self) -> bool:
        """Whether a step could be made at all: not so with NaN in the data."""
        return not isinstance(self.trouble, DataError)

    @functools.cached_property
    def layers(self) -> list[Layer]:
        return self.probes.layers(self.trainer)

    @functools.cached_property
    def task(self) -> str:
        """binary, multilabel, multiclass, tokens (a class at each position) or regression."""
        wants, y = expects(self.program.trainer.loss), self.program.y
        if wants is not None and wants.target in ("labels", "one_hot"):
            several = y.ndim > (1 if wants.target == "labels" else 2)
            return "tokens" if several else "multiclass"
        if wants is not None and wants.target in ("binary", "sign"):
            return "multilabel" if y.ndim > 1 and y.shape[-1] > 1 else "binary"
        return "regression"

    @property
    def loss_wants(self):
        """losses.Expects of the loss, None for a user's own."""
        return expects(self.program.trainer.loss)

    # losses

    @property
    def losses(self) -> np.ndarray:
        """Training loss of each complete epoch, as the optimizer saw it."""
        return np.array(self.trainer.history["loss"] if len(self.trainer.history) else [])

    @property
    def validation_losses(self) -> np.ndarray | None:
        history = self.trainer.history
        has = len(history) and "val_loss" in history.rows[0]
        return np.array(history["val_loss"]) if has else None

    @functools.cached_property
    def sample(self) -> tuple:
        """(x, y): up to ROWS training rows, spread over all."""
        rows = np.unique(np.linspace(0, len(self.program.x) - 1, ROWS).astype(int))
        return self.program.x[rows], self.program.y[rows]

    def loss_of(self, trainer: Trainer, x=None, y=None, *, training: bool = False) -> float:
        """The loss of a trainer's net, by default on the sample and in evaluation mode."""
        x, y = self.sample if x is None else (x, y)
        if not training:
            return float(trainer.evaluate(x, y)["loss"])
        out = forward(trainer, x, training=True)
        with no_grad():
            return trainer.loss(Tensor(out), Tensor(y)).item()

    @functools.cached_property
    def initial_loss(self) -> float:
        return self.loss_of(self.program.fresh())

    @functools.cached_property
    def final_loss(self) -> float:
        return self.loss_of(self.trainer)

    @functools.cached_property
    def chance_loss(self) -> float:
        """The loss of the best constant answer: what a network reaches that ignores its input.

        NaN where it is not known what the loss takes.
        """
        y, task = np.asarray(self.program.y), self.task
        wants = self.loss_wants
        if wants is None or isinstance(self.program.trainer.loss, functools.partial):
            return self._chance_when_asked()
        if task in ("multiclass", "tokens"):
            labels = y if wants.target == "labels" else y.argmax(-1)
            shares = np.bincount(labels.ravel().astype(int)) / labels.size
            shares = shares[shares > 0]
            return float(-(shares * np.log(shares)).sum())
        if wants.target == "binary":
            p = np.clip(y.reshape(len(y), -1).mean(axis=0), 1e-12, 1 - 1e-12)
            return float(-(p * np.log(p) + (1 - p) * np.log(1 - p)).mean())
        loss = self.program.trainer.loss
        candidates = [y.mean(axis=0), np.median(y, axis=0)]
        constant = [np.broadcast_to(c, y.shape).astype(np.float32) for c in candidates]
        return min(float(loss(Tensor(c), Tensor(y)).item()) for c in constant)

    def _chance_when_asked(self) -> float:
        """As chance_loss, for a loss with options or a user's own: of two constant answers.

        They are the shares of the classes, and all classes alike, which is best with weights.
        """
        y, shape, loss = self.sample[1], self.ending.shape, self.program.trainer.loss
        if self.wants is None:
            return math.nan
        shares = constant(self.wants, y, shape)
        sizes = {"probability": 1 / max(2, shape[-1] if shape else 1), "logit": 0.0}
        alike = np.full_like(shares, sizes.get(self.wants.output, float(np.median(y))))
        found = [ask(loss, answer, y) for answer in (shares, alike)]
        return min((v for v in found if math.isfinite(v)), default=math.nan)

    # experiments

    @functools.cached_property
    def one_batch(self) -> tuple:
        """(loss before, loss after) of an attempt to learn one small batch by heart.

        Dropout and the like are off. With the program's own optimizer, BATCH_STEPS steps.
        """
        x, y = self.program.x[:BATCH_ROWS], self.program.y[:BATCH_ROWS]
        trainer = self.program.fresh()
        before = self.loss_of(trainer, x, y)
        try:
            trainer.fit(x, y, epochs=BATCH_STEPS, batch_size=len(x), seed=0, progress=False)
        except CutawayError:
            return before, math.inf
        return before, self.loss_of(trainer, x, y)

    @property
    def left(self) -> float:
        """The loss at the end as a share of that of chance: near 1 where nothing was learned.

        Of a loss of one's own, whose chance is not known, as a share of the initial loss.
        """
        if self.trouble is not None:
            return math.inf
        chance = self.chance_loss
        reference = chance if math.isfinite(chance) and chance > 0 else self.initial_loss
        return self.final_loss / reference if reference > 0 else math.nan

    def tried(self, *changes) -> "ChangedTraining":
        """What becomes of a training from the start with these changes (see changes.py).

        As long as the program's, but TRIED_STEPS steps at most. Without changes it is the control.
        """
        if changes not in self._tried:
            self._tried[changes] = self._try(changes)
        return self._tried[changes]

    def _try(self, changes):
        try:
            program = self.program.changed(*changes)
        except OptionError:
            return ChangedTraining(math.nan, math.nan)
        rows = min(len(program.x), TRIED_STEPS * program.batch_size)
        epochs = max(1, min(program.epochs, TRIED_STEPS * program.batch_size // rows))
        trainer = program.fresh()
        try:
            trainer.fit(
                program.x[:rows],
                program.y[:rows],
                epochs=epochs,
                batch_size=min(program.batch_size, rows),
                validation=program.validation,
                seed=program.seed,
                progress=False,
            )
        except CutawayError:
            return ChangedTraining(math.inf, math.inf)
        spread = np.unique(np.linspace(0, rows - 1, ROWS).astype(int))
        loss = self.loss_of(trainer, program.x[spread], program.y[spread])
        held = [row["val_loss"] for row in trainer.history.rows if "val_loss" in row]
        return ChangedTraining(loss, min(held, default=math.nan))

    def helps(self, *changes, worth: float = WORTH) -> bool:
        """Whether a training with these changes goes much further down than one without.

        (L - L') / (max(L, chance) - L') is at least `worth`, or 0.1 with a third of the loss, or
        0.05 with a tenth; on training rows and, where there are any, on those of validation.
        """
        treated, control = self.tried(*changes), self.tried()
        pairs = [(control.loss, treated.loss)]
        if self.program.validation is not None:
            pairs.append((control.held, treated.held))
        return all(self._is_worth(without, with_them, worth) for without, with_them in pairs)

    def _is_worth(self, without, with_them, worth):
        if not math.isfinite(with_them):
            return False
        if not math.isfinite(without):
            return with_them < self.initial_loss or with_them < self.chance_loss
        top = max(without, self.chance_loss) if math.isfinite(self.chance_loss) else without
        if with_them > (1 - LEARNED) * top:
            return False  # of what is next to nothing, no share says anything
        gain = (without - with_them) / (top - with_them)
        ratio = with_them / without
        return gain >= worth or (gain >= 0.1 and ratio <= 1 / 3) or (gain >= 0.05 and ratio <= 0.1)

    @functools.cached_property
    def reruns(self) -> Reruns:
        """Whole trainings again, with something changed; see reruns.py."""
        seconds = sum(self.trainer.history["seconds"]) if len(self.trainer.history) else 0
        done = self.trainer.epoch * math.ceil(len(self.program.x) / self.program.batch_size)
        steps = STEPS
        if seconds > SECONDS:
            steps = max(LEAST_STEPS, min(STEPS, int(done * SECONDS / seconds)))
        return Reruns(self.program, self.chance_loss, steps)

    @functools.cached_property
    def stop(self) -> Stop | None:
        """Where the training is stuck far from what is attainable, None if it is not."""
        return find_stop(self)

    @functools.cached_property
    def held(self) -> "ValidationTraining":
        """How the program does on rows that it does not train on.

        Those of its validation set; without one, of an experiment that leaves out every fifth row.
        """
        program = self.program
        losses = self.validation_losses
        if program.validation is not None and losses is not None and len(losses):
            return ValidationTraining(
                self.trainer, (program.x, program.y), program.validation, losses
            )
        order = np.random.default_rng(0).permutation(len(program.x))
        out, kept = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
        rest = (program.x[out], program.y[out])
        smaller = dataclasses.replace(
            program,
            x=program.x[kept],
            y=program.y[kept],
            validation=rest,
            batch_size=min(program.batch_size, len(kept)),
        )
        trainer, losses = smaller.fresh(), []
        with contextlib.suppress(CutawayError):  # what was complete before counts
            trainer = smaller.run(callbacks=[lambda _, row: losses.append(row["val_loss"])])
        return ValidationTraining(trainer, (smaller.x, smaller.y), rest, np.array(losses))

    @functools.cached_property
    def outputs(self) -> np.ndarray:
        """The trained network's outputs on the sample, in evaluation mode."""
        return self.trainer.predict(self.sample[0])

    @functools.cached_property
    def ending(self) -> Ending:
        """How the network ends."""
        return ending(self.program.fresh(), self.sample[0])

    @functools.cached_property
    def wants(self):
        """As `loss_wants`; of a user's own loss what it shows when asked, see outputs.wants."""
        return wants(self.program.trainer.loss, self.sample[1], self.ending.shape)

    @functools.cached_property
    def scale(self) -> float:
        """What counts as much in terms of the loss: chance, or the loss at the start."""
        chance = self.chance_loss
        if not math.isfinite(chance):
            chance = self.initial_loss
        return abs(chance) if math.isfinite(chance) else math.nan
