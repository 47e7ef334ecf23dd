"""Evidence: what is known about a training, measured once and shared by all symptoms.

Cheap quantities are always measured; an experiment (another short training from the same initial
weights) runs when the first symptom asks for it, and its result is cached.
"""

import contextlib
import copy
import dataclasses
import functools
import math

import numpy as np

from cutaway.doctor.outputs import Ending, ask, constant, ending, forward, wants
from cutaway.doctor.reruns import SECONDS, STEPS, Reruns
from cutaway.doctor.stop import Stop, find_stop
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.engine import Tensor, no_grad
from cutaway.errors import CutawayError, DataError, OptionError, TrainingError
from cutaway.losses import expects
from cutaway.nn import Module
from cutaway.train import Probes, Trainer
from cutaway.train.probes import Layer

ROWS = 2000  # most rows on which losses are measured
LEAST_STEPS = 60  # of a rerun, however long it takes
BATCH_ROWS, BATCH_STEPS = 32, 200  # of the attempt to overfit one batch
TRIED_STEPS = 500  # most steps of a training with changes
LEARNED = 0.05  # fraction of the chance-level loss that must be gone if anything was learned
WORTH = 0.25  # fraction of the changed training's loss reduction that the program must have missed


@dataclasses.dataclass(frozen=True)
class ChangedTraining:
    """How a training with changes ended.

    Attributes:
        loss: on training rows; inf if it diverged, NaN if a change does not fit the program.
        best_validation: the lowest validation loss, NaN without a validation set.
    """

    loss: float
    best_validation: float


@dataclasses.dataclass(frozen=True)
class ValidationTraining:
    """A training with validation rows.

    Attributes:
        trainer: after training.
        training, validation: (x, y).
        losses: validation loss after each epoch.
    """

    trainer: Trainer
    training: tuple
    validation: tuple
    losses: np.ndarray


class Evidence:
    """A training that has run, and measurements of it.

    Args:
        program: what was run.
        trainer: the Trainer after training; its history has every complete epoch.
        probes: the Probes that watched it.
        trouble: the error that ended it, or None.

    Attributes: see Args; `layers` is [Layer].
    """

    def __init__(self, program: TrainingPlan, trainer: Trainer, probes: Probes, trouble=None):
        self.program = program
        self.trainer = trainer
        self.probes = probes
        self.trouble = trouble
        self._tried = {}

    @classmethod
    def gather(cls, program: TrainingPlan) -> "Evidence":
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
            trouble = error  # NaN in the data: nothing was trained, nan_source reports where
        return cls(program, trainer, probes, trouble)

    # the program

    @property
    def net(self) -> Module:
        """The trained network."""
        return self.trainer.net

    @property
    def trained(self) -> bool:
        """Whether any step was possible; False with NaN in the data."""
        return not isinstance(self.trouble, DataError)

    @functools.cached_property
    def layers(self) -> list[Layer]:
        return self.probes.layers(self.trainer)

    @functools.cached_property
    def task(self) -> str:
        """binary, multilabel, multiclass, tokens (a class per position) or regression."""
        wants, y = expects(self.program.trainer.loss), self.program.y
        if wants is not None and wants.target in ("labels", "one_hot"):
            several = y.ndim > (1 if wants.target == "labels" else 2)
            return "tokens" if several else "multiclass"
        if wants is not None and wants.target in ("binary", "sign"):
            return "multilabel" if y.ndim > 1 and y.shape[-1] > 1 else "binary"
        return "regression"

    @property
    def loss_wants(self):
        """losses.Expects of the loss, None for a custom loss."""
        return expects(self.program.trainer.loss)

    # losses

    @property
    def losses(self) -> np.ndarray:
        """Training loss of each complete epoch, in training mode."""
        return np.array(self.trainer.history["loss"] if len(self.trainer.history) else [])

    @property
    def validation_losses(self) -> np.ndarray | None:
        history = self.trainer.history
        has = len(history) and "val_loss" in history.rows[0]
        return np.array(history["val_loss"]) if has else None

    @functools.cached_property
    def sample(self) -> tuple:
        """(x, y): up to ROWS training rows, evenly spaced."""
        rows = np.unique(np.linspace(0, len(self.program.x) - 1, ROWS).astype(int))
        return self.program.x[rows], self.program.y[rows]

    def loss_of(self, trainer: Trainer, x=None, y=None, *, training: bool = False) -> float:
        """The loss of a trainer's network, by default on the sample and in evaluation mode."""
        x, y = self.sample if x is None or y is None else (x, y)
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
        """The loss of the best constant prediction, which a network reaches that ignores its input.

        NaN if it is not known what the loss expects.
        """
        y, task = np.asarray(self.program.y), self.task
        wants = self.loss_wants
        if wants is None or isinstance(self.program.trainer.loss, functools.partial):
            return self._chance_when_asked()
        if task in ("multiclass", "tokens"):
            labels = y if wants.target == "labels" else y.argmax(-1)
            frequencies = np.bincount(labels.ravel().astype(int)) / labels.size
            frequencies = frequencies[frequencies > 0]
            return float(-(frequencies * np.log(frequencies)).sum())
        if wants.target == "binary":
            p = np.clip(y.reshape(len(y), -1).mean(axis=0), 1e-12, 1 - 1e-12)
            return float(-(p * np.log(p) + (1 - p) * np.log(1 - p)).mean())
        loss = self.program.trainer.loss
        candidates = [y.mean(axis=0), np.median(y, axis=0)]
        constant = [np.broadcast_to(c, y.shape).astype(np.float32) for c in candidates]
        return min(float(loss(Tensor(c), Tensor(y)).item()) for c in constant)

    def _chance_when_asked(self) -> float:
        """chance_loss for a loss with options or a custom one: the better of two constants.

        They are the class frequencies and the uniform distribution, which is best with class
        weights.
        """
        y, shape, loss = self.sample[1], self.ending.shape, self.program.trainer.loss
        if self.wants is None:
            return math.nan
        frequencies = constant(self.wants, y, shape)
        values = {"probability": 1 / max(2, shape[-1] if shape else 1), "logit": 0.0}
        uniform = np.full_like(frequencies, values.get(self.wants.output, float(np.median(y))))
        found = [ask(loss, outputs, y) for outputs in (frequencies, uniform)]
        return min((v for v in found if math.isfinite(v)), default=math.nan)

    # experiments

    @functools.cached_property
    def one_batch(self) -> tuple:
        """(loss before, loss after) of an attempt to overfit one small batch.

        BATCH_STEPS steps with the program's own optimizer.
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
    def relative_loss(self) -> float:
        """The final loss relative to chance level: near 1 if nothing was learned.

        For a custom loss, whose chance level is not known, relative to the initial loss.
        """
        if self.trouble is not None:
            return math.inf
        chance = self.chance_loss
        reference = chance if math.isfinite(chance) and chance > 0 else self.initial_loss
        return self.final_loss / reference if reference > 0 else math.nan

    def tried(self, *changes) -> "ChangedTraining":
        """The result of training from the start with these changes (see doctor/changes).

        As long as the program, but at most TRIED_STEPS steps. Without changes it is the control.
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
        validation = [row["val_loss"] for row in trainer.history.rows if "val_loss" in row]
        return ChangedTraining(loss, min(validation, default=math.nan))

    def helps(self, *changes, worth: float = WORTH) -> bool:
        """Whether training with these changes ends much lower than without.

        (L - L') / (max(L, chance) - L') is at least `worth`, or 0.1 with a third of the loss, or
        0.05 with a tenth; on training rows and, if there are any, on validation rows.
        """
        treated, control = self.tried(*changes), self.tried()
        pairs = [(control.loss, treated.loss)]
        if self.program.validation is not None:
            pairs.append((control.best_validation, treated.best_validation))
        return all(self._is_worth(without, with_them, worth) for without, with_them in pairs)

    def _is_worth(self, without, with_them, worth):
        if not math.isfinite(with_them):
            return False
        if not math.isfinite(without):
            return with_them < self.initial_loss or with_them < self.chance_loss
        top = max(without, self.chance_loss) if math.isfinite(self.chance_loss) else without
        if with_them > (1 - LEARNED) * top:
            return False  # next to nothing was learned, so no fraction of it is meaningful
        gain = (without - with_them) / (top - with_them)
        ratio = with_them / without
        return gain >= worth or (gain >= 0.1 and ratio <= 1 / 3) or (gain >= 0.05 and ratio <= 0.1)

    @functools.cached_property
    def reruns(self) -> Reruns:
        """The same training with changes; see reruns.py."""
        seconds = sum(self.trainer.history["seconds"]) if len(self.trainer.history) else 0
        done = self.trainer.epoch * math.ceil(len(self.program.x) / self.program.batch_size)
        steps = STEPS
        if seconds > SECONDS:
            steps = max(LEAST_STEPS, min(STEPS, int(done * SECONDS / seconds)))
        return Reruns(self.program, self.chance_loss, steps)

    @functools.cached_property
    def stop(self) -> Stop | None:
        """Where training is stuck far above what is attainable, None if it is not."""
        return find_stop(self)

    @functools.cached_property
    def validated(self) -> "ValidationTraining":
        """The training with its validation set; without one, a run with a fifth held out."""
        program = self.program
        losses = self.validation_losses
        if program.validation is not None and losses is not None and len(losses):
            return ValidationTraining(
                self.trainer, (program.x, program.y), program.validation, losses
            )
        order = np.random.default_rng(0).permutation(len(program.x))
        out, kept = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
        validation = (program.x[out], program.y[out])
        smaller = dataclasses.replace(
            program,
            x=program.x[kept],
            y=program.y[kept],
            validation=validation,
            batch_size=min(program.batch_size, len(kept)),
        )
        trainer, losses = smaller.fresh(), []
        with contextlib.suppress(CutawayError):  # the epochs completed before count
            trainer = smaller.run(callbacks=[lambda _, row: losses.append(row["val_loss"])])
        return ValidationTraining(trainer, (smaller.x, smaller.y), validation, np.array(losses))

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
        """As `loss_wants`; for a custom loss what its values show, see outputs.wants."""
        return wants(self.program.trainer.loss, self.sample[1], self.ending.shape)

    @functools.cached_property
    def scale(self) -> float:
        """The scale of the loss: its chance level, or its initial value."""
        chance = self.chance_loss
        if not math.isfinite(chance):
            chance = self.initial_loss
        return abs(chance) if math.isfinite(chance) else math.nan
