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

from cutaway.doctor.heads import heads_or_none, loss_of
from cutaway.doctor.measured_head import MeasuredHead
from cutaway.doctor.reruns import SECONDS, STEPS, Reruns
from cutaway.doctor.stop import Stop, find_stop
from cutaway.doctor.time_left import TimeLeft
from cutaway.doctor.training_plan import TrainingPlan, evenly_spaced
from cutaway.engine import Tensor, no_grad
from cutaway.errors import CutawayError, DataError, OptionError, TrainingError, counted
from cutaway.nn import Module
from cutaway.nn.state import Held, values_of
from cutaway.nn.trees import count_rows, is_array, leaves, map_leaves
from cutaway.train import EarlyStopping, Probes, Trainer
from cutaway.train.probes import Layer

PROBED_ROWS = 256
ROWS = 2000  # most rows on which losses are measured
LEAST_STEPS = 60  # of a rerun, however long it takes
BATCH_ROWS, BATCH_STEPS = 32, 200  # of the attempt to overfit one batch
TRIED_STEPS = 500  # most steps of a training with changes
LEAST_ROWS, LEAST_EPOCHS = 20, 5  # with fewer, overfitting is not judged
LEARNED = 0.05  # fraction of the chance-level loss that must be gone if anything was learned
WORTH = 0.25  # fraction of the changed training's loss reduction that the plan must have missed


@dataclasses.dataclass(frozen=True)
class ChangedTraining:
    """How a training with changes ended.

    Attributes:
        loss: on training rows; inf if it diverged, NaN if a change does not fit the plan.
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
        rows: of the history, one per epoch.
    """

    trainer: Trainer
    training: tuple
    validation: tuple
    rows: list

    @property
    def losses(self) -> np.ndarray:
        """Validation loss after each epoch."""
        return self.losses_of("")

    def losses_of(self, term: str) -> np.ndarray:
        """Validation loss after each epoch, or that of a named term."""
        name = f"val_loss_{term}" if term else "val_loss"
        return np.array([row[name] for row in self.rows])


def note_other_terms(evidence) -> None:
    """Note the terms of the loss whose outputs and targets are not known."""
    for term in evidence.other_terms:
        name = f"the term {term!r} of the loss" if term else "the loss"
        evidence.not_checked(
            f"{name} against its targets",
            "it is none of cutaway.losses of an output of the network and a target",
        )


def note_missing(evidence) -> None:
    """Note what cannot be judged because the plan lacks rows, epochs or validation rows."""
    plan = evidence.plan
    if plan.validation is None:
        evidence.not_checked(
            "whether new rows are like the training rows", "there are no validation rows"
        )
    if plan.rows < LEAST_ROWS:
        evidence.not_checked(
            "overfitting", f"{plan.rows} training rows are too few to set some apart"
        )
    elif len(evidence.losses) < LEAST_EPOCHS and evidence.trouble is None:
        evidence.not_checked(
            "overfitting",
            f"{counted(len(evidence.losses), 'epoch')} do not show a course"
            if len(evidence.losses) != 1
            else "one epoch shows no course",
        )


class Evidence:
    """A training that has run, and measurements of it.

    Args:
        plan: what was run.
        trainer: the Trainer after training; its history has every complete epoch.
        probes: the Probes that watched it.
        trouble: the error that ended it, or None.

    Attributes: see Args; `layers` is [Layer], `notes` are what could not be checked, and why;
        `kept_epoch` is the epoch whose weights a callback restored at the end, None for the last.
    """

    def __init__(self, plan: TrainingPlan, trainer: Trainer, probes: Probes, trouble=None):
        self.plan = plan
        self.trainer = trainer
        self.probes = probes
        self.trouble = trouble
        self.kept_epoch: int | None = None
        self.notes: list[str] = []
        self.time_left = TimeLeft(plan.seconds)
        self._tried = {}

    @classmethod
    def gather(cls, plan: TrainingPlan) -> "Evidence":
        """Run the plan under probes."""
        trainer = plan.fresh()
        finite = all(np.isfinite(a).all() for a in leaves((plan.x, plan.y)) if a.dtype.kind == "f")
        window = plan.examples(slice(PROBED_ROWS))
        probes = Probes(*(window if finite else map_leaves(np.zeros_like, window)))
        trouble = None
        callbacks = copy.deepcopy(list(plan.callbacks))
        try:
            trainer.fit(
                plan.x,
                plan.y,
                epochs=plan.epochs,
                batch_size=plan.batch_size,
                validation=plan.validation,
                callbacks=[*callbacks, probes],
                seed=plan.seed,
                progress=False,
            )
        except TrainingError as error:
            trouble = error
        except DataError as error:
            if finite:
                raise
            trouble = error  # NaN in the data: nothing was trained, nan_source reports where
        evidence = cls(plan, trainer, probes, trouble)
        restored = (c for c in callbacks if isinstance(c, EarlyStopping) and c.best_weights)
        evidence.kept_epoch = next((c.best_epoch for c in restored), None)
        return evidence

    # the plan

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
    def _heads(self) -> tuple:
        return heads_or_none(self.plan.program, self.plan.x, self.plan.y)

    @functools.cached_property
    def heads(self) -> list[MeasuredHead]:
        """The outputs of the network, each with its target and its part of the loss."""
        return [MeasuredHead(self, head) for head in self._heads[0]]

    @property
    def other_terms(self) -> list[str]:
        """Names of the terms of the loss that no head stands for."""
        return self._heads[1]

    @property
    def is_single(self) -> bool:
        """Whether there is one array of inputs, and a loss of one array of targets."""
        plan = self.plan
        return is_array(plan.x) and is_array(plan.y) and plan.program.loss is not None

    def not_checked(self, what: str, why: str) -> None:
        """Note for the diagnosis that something could not be checked."""
        self.note(f"Not checked: {what}, because {why}.")

    def note(self, text: str) -> None:
        """A remark for the diagnosis; the same one counts once."""
        if text not in self.notes:
            self.notes.append(text)

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
        return self.plan.spread(ROWS)

    def loss_of(self, trainer: Trainer, x=None, y=None, *, training: bool = False) -> float:
        """The loss of a trainer's network, by default on the sample and in evaluation mode."""
        x, y = self.sample if x is None or y is None else (x, y)
        if not training:
            return float(trainer.evaluate(x, y)["loss"])
        program = trainer.program
        variables = list(program.variables().values())
        held = Held(variables, values_of(variables))
        with program.in_mode(True), held, no_grad(), program.computing():
            inputs = map_leaves(Tensor, program.inputs(x))
            return loss_of(program, inputs, map_leaves(Tensor, y)).item()

    @functools.cached_property
    def initial_loss(self) -> float:
        return self.loss_of(self.plan.fresh())

    @functools.cached_property
    def final_loss(self) -> float:
        return self.loss_of(self.trainer)

    @functools.cached_property
    def chance_loss(self) -> float:
        """The loss of the best constant prediction, which a network reaches that ignores its input.

        NaN if it is not known what the loss, or one of its terms, expects.
        """
        if self.other_terms or not self.heads:
            return math.nan
        return sum(head.chance_loss for head in self.heads)

    # experiments

    @functools.cached_property
    def one_batch(self) -> tuple:
        """(loss before, loss after) of an attempt to overfit one small batch.

        BATCH_STEPS steps with the plan's own optimizer.
        """
        x, y = self.plan.examples(slice(BATCH_ROWS))
        with self.time_left.spent(BATCH_STEPS * self.epoch_seconds):
            trainer = self.plan.fresh()
            before = self.loss_of(trainer, x, y)
            options = {"epochs": BATCH_STEPS, "batch_size": count_rows(x), "seed": 0}
            try:
                trainer.fit(x, y, **options, progress=False)
            except CutawayError:
                return before, math.inf
            return before, self.loss_of(trainer, x, y)

    @functools.cached_property
    def epoch_seconds(self) -> float:
        """How long an epoch of the training took, most of them; 0 if there was none."""
        history = self.trainer.history
        return float(np.median(history["seconds"])) if len(history) else 0.0

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

        As long as the plan, but at most TRIED_STEPS steps. Without changes it is the control.
        """
        if changes not in self._tried:
            with self.time_left.spent(self.plan.epochs * self.epoch_seconds):
                self._tried[changes] = self._try(changes)
        return self._tried[changes]

    def _try(self, changes):
        try:
            plan = self.plan.changed(*changes)
        except OptionError:
            return ChangedTraining(math.nan, math.nan)
        rows = min(plan.rows, TRIED_STEPS * plan.batch_size)
        epochs = max(1, min(plan.epochs, TRIED_STEPS * plan.batch_size // rows))
        trainer = plan.fresh()
        try:
            trainer.fit(
                *plan.examples(slice(rows)),
                epochs=epochs,
                batch_size=min(plan.batch_size, rows),
                validation=plan.validation,
                seed=plan.seed,
                progress=False,
            )
        except CutawayError:
            return ChangedTraining(math.inf, math.inf)
        loss = self.loss_of(trainer, *plan.examples(evenly_spaced(rows, ROWS)))
        validation = [row["val_loss"] for row in trainer.history.rows if "val_loss" in row]
        return ChangedTraining(loss, min(validation, default=math.nan))

    def helps(self, *changes, worth: float = WORTH) -> bool:
        """Whether training with these changes ends much lower than without.

        (L - L') / (max(L, chance) - L') is at least `worth`, or 0.1 with a third of the loss, or
        0.05 with a tenth; on training rows and, if there are any, on validation rows.
        """
        treated, control = self.tried(*changes), self.tried()
        pairs = [(control.loss, treated.loss)]
        if self.plan.validation is not None:
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
        done = self.trainer.epoch * math.ceil(self.plan.rows / self.plan.batch_size)
        steps = STEPS
        if seconds > SECONDS:
            steps = max(LEAST_STEPS, min(STEPS, int(done * SECONDS / seconds)))
        with self.time_left.spent(self.plan.epochs * self.epoch_seconds):
            return Reruns(
                self.plan,
                self.chance_loss,
                steps,
                expected=self.epoch_seconds,
                time_left=self.time_left,
            )

    @functools.cached_property
    def stop(self) -> Stop | None:
        """Where training is stuck far above what is attainable, None if it is not."""
        return find_stop(self)

    @functools.cached_property
    def validated(self) -> "ValidationTraining":
        """The training with its validation set; without one, a run with a fifth held out."""
        plan = self.plan
        losses = self.validation_losses
        if plan.validation is not None and losses is not None and len(losses):
            rows = self.trainer.history.rows
            return ValidationTraining(self.trainer, (plan.x, plan.y), plan.validation, rows)
        order = np.random.default_rng(0).permutation(plan.rows)
        out, kept = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
        validation = plan.examples(out)
        x, y = plan.examples(kept)
        smaller = dataclasses.replace(
            plan,
            x=x,
            y=y,
            validation=validation,
            batch_size=min(plan.batch_size, len(kept)),
        )
        trainer, rows = smaller.fresh(), []
        with (
            self.time_left.spent(plan.epochs * self.epoch_seconds),
            contextlib.suppress(CutawayError),  # the epochs completed before count
        ):
            trainer = smaller.run(callbacks=[lambda _, row: rows.append(row)])
        return ValidationTraining(trainer, (x, y), validation, rows)

    @functools.cached_property
    def outputs(self):
        """The trained network's outputs on the sample, in evaluation mode; a tree."""
        return self.trainer.predict(self.sample[0])

    @functools.cached_property
    def scale(self) -> float:
        """The scale of the loss: its chance level, or its initial value."""
        chance = self.chance_loss
        if not math.isfinite(chance):
            chance = self.initial_loss
        return abs(chance) if math.isfinite(chance) else math.nan
