"""Changes of how the weights are moved."""

import dataclasses
import functools

from cutaway import losses
from cutaway.doctor.changes.base import Change, with_new_parameters
from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.optim import OPTIMIZERS, Adam, AdamW, ClipNorm

RATES = {"sgd": 0.1, "momentum": 0.01, "averaged_momentum": 0.1, "nesterov": 0.01}


@dataclasses.dataclass(frozen=True)
class LearningRate(Change):
    """The learning rate times a factor; a schedule goes on as before, from there."""

    factor: float

    @property
    def text(self) -> str:
        word = "multiply" if self.factor >= 1 else "divide"
        by = self.factor if self.factor >= 1 else 1 / self.factor
        return f"{word} the learning rate by {by:.3g}"

    def _apply(self, program):
        optimizer = program.trainer.optimizer
        optimizer.lr = float(optimizer.base_lr.data) * self.factor
        return program


@dataclasses.dataclass(frozen=True)
class ConstantRate(Change):
    """No schedule: the learning rate stays as it is."""

    @property
    def text(self) -> str:
        return "train without the schedule, at a constant learning rate"

    def _apply(self, program):
        program.trainer.optimizer.schedule = None
        return program


@dataclasses.dataclass(frozen=True)
class UseOptimizer(Change):
    """Another optimizer, by its name in OPTIMIZERS; schedule and clipping are kept.

    lr None: its default; for gradient descent, which has none, 0.1, with momentum 0.01.
    """

    name: str
    lr: float | None = None

    @property
    def text(self) -> str:
        rate = "" if self.lr is None else f" with learning rate {self.lr:.3g}"
        return f"use {OPTIMIZERS[self.name].__name__}{rate} as optimizer"

    def _apply(self, program):
        expect_choice(self.name, OPTIMIZERS, what="optimizer")
        trainer = program.trainer
        old = trainer.optimizer
        lr = RATES.get(self.name) if self.lr is None else self.lr
        options = {} if lr is None else {"lr": lr}
        whole = len(old.parameters) == len(trainer.net.parameters())
        trainer.optimizer = OPTIMIZERS[self.name](
            trainer.net if whole else old.parameters,
            schedule=old.schedule,
            clip=old.clip,
            **options,
        )
        return program


@dataclasses.dataclass(frozen=True)
class Clip(Change):
    """Gradients scaled so that their common norm is at most `norm`."""

    norm: float

    @property
    def text(self) -> str:
        return f"clip the gradients to a norm of {self.norm:.3g}"

    def _apply(self, program):
        program.trainer.optimizer.clip = ClipNorm(self.norm)
        return program


@dataclasses.dataclass(frozen=True)
class WeightDecay(Change):
    """λ of the weight decay; a penalty on the loss is taken away.

    Adam becomes AdamW. Adaptive optimizers without decay get the penalty λ/2 ‖w‖² instead.
    """

    value: float

    @property
    def text(self) -> str:
        if self.value == 0:
            return "leave out the weight decay and penalties"
        return f"set the weight decay to {self.value:.3g}"

    def _apply(self, program):
        expect_range(self.value, what="weight_decay", least=0)
        trainer = program.trainer
        old = trainer.optimizer
        trainer.penalty = None
        if old.takes_decay:
            old.weight_decay = self.value
        elif type(old) is Adam and self.value:
            new = AdamW(old.parameters, float(old.base_lr.data), betas=old.betas, eps=old.eps)
            new.weight_decay = self.value
            new.schedule, new.clip = old.schedule, old.clip
            trainer.optimizer = new.over(trainer.net)
        elif self.value:
            trainer.penalty = functools.partial(_half_squares, strength=self.value / 2)
        return program


def _half_squares(net, *, strength):
    return losses.l2_penalty(net.parameters(), strength)


@dataclasses.dataclass(frozen=True)
class Unfreeze(Change):
    """Every parameter is trained."""

    text = "train all parameters (none frozen, none missing in the optimizer)"

    def _apply(self, program):
        program.trainer.net.unfreeze()
        return with_new_parameters(program)


@dataclasses.dataclass(frozen=True)
class NoPenalty(Change):
    """The loss without the trainer's penalty."""

    text = "leave out the penalty"

    def _apply(self, program):
        if program.trainer.penalty is None:
            raise OptionError("there is no penalty to leave out", fix="look for another cause")
        program.trainer.penalty = None
        return program
