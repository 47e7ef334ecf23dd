"""Changes to the optimizer."""

import dataclasses
import functools

from cutaway import losses
from cutaway.doctor.changes.base import Change, with_new_parameters
from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.optim import OPTIMIZERS, Adam, AdamW, ClipNorm


@dataclasses.dataclass(frozen=True)
class LearningRate(Change):
    """Multiply the learning rate by a factor; a schedule is kept and scaled with it."""

    factor: float

    @property
    def text(self) -> str:
        word = "multiply" if self.factor >= 1 else "divide"
        by = self.factor if self.factor >= 1 else 1 / self.factor
        return f"{word} the learning rate by {by:.3g}"

    def _apply(self, plan):
        optimizer = plan.program.optimizer
        optimizer.lr = float(optimizer.base_lr.data) * self.factor
        return plan


@dataclasses.dataclass(frozen=True)
class ConstantRate(Change):
    """Remove the schedule: the learning rate stays constant."""

    @property
    def text(self) -> str:
        return "train with a constant learning rate, without the schedule"

    def _apply(self, plan):
        plan.program.optimizer.schedule = None
        return plan


@dataclasses.dataclass(frozen=True)
class UseOptimizer(Change):
    """Replace the optimizer; schedule and clipping are kept.

    Args:
        name: in OPTIMIZERS.
        lr: learning rate; None: the one that is usual for the optimizer.
    """

    name: str
    lr: float | None = None

    @property
    def text(self) -> str:
        rate = "" if self.lr is None else f" with lr={self.lr:.3g}"
        return f"use the optimizer {OPTIMIZERS[self.name].__name__}{rate}"

    def _apply(self, plan):
        expect_choice(self.name, OPTIMIZERS, what="optimizer")
        program = plan.program
        old = program.optimizer
        lr = OPTIMIZERS[self.name].usual_lr if self.lr is None else self.lr
        options = {} if lr is None else {"lr": lr}
        whole = len(old.parameters) == len(program.net.parameters())
        program.optimizer = OPTIMIZERS[self.name](
            program.net if whole else old.parameters,
            schedule=old.schedule,
            clip=old.clip,
            **options,
        )
        return plan


@dataclasses.dataclass(frozen=True)
class Clip(Change):
    """Clip the global norm of the gradients to `norm`."""

    norm: float

    @property
    def text(self) -> str:
        return f"clip the gradient norm to {self.norm:.3g}"

    def _apply(self, plan):
        plan.program.optimizer.clip = ClipNorm(self.norm)
        return plan


@dataclasses.dataclass(frozen=True)
class WeightDecay(Change):
    """Set the weight decay λ and remove a penalty on the loss.

    Adam becomes AdamW. Other optimizers without weight decay get the penalty λ/2 ‖w‖² instead.
    """

    value: float

    @property
    def text(self) -> str:
        if self.value == 0:
            return "remove weight decay and penalties"
        return f"set the weight decay to {self.value:.3g}"

    def _apply(self, plan):
        expect_range(self.value, what="weight_decay", least=0)
        program = plan.program
        old = program.optimizer
        program.penalty = None
        if old.takes_decay:
            old.weight_decay = self.value
        elif type(old) is Adam and self.value:
            new = AdamW(old.parameters, float(old.base_lr.data), betas=old.betas, eps=old.eps)
            new.weight_decay = self.value
            new.schedule, new.clip = old.schedule, old.clip
            program.optimizer = new.over(program.net)
        elif self.value:
            program.penalty = functools.partial(_half_squares, strength=self.value / 2)
        return plan


def _half_squares(net, *, strength):
    return losses.l2_penalty(net.parameters(), strength)


@dataclasses.dataclass(frozen=True)
class Unfreeze(Change):
    """Train every parameter."""

    text = "train all parameters (none frozen, none missing from the optimizer)"

    def _apply(self, plan):
        plan.program.net.unfreeze()
        return with_new_parameters(plan)


@dataclasses.dataclass(frozen=True)
class NoPenalty(Change):
    """Remove the penalty."""

    text = "remove the penalty"

    def _apply(self, plan):
        if plan.program.penalty is None:
            raise OptionError("there is no penalty to remove", expected="a program with a penalty")
        plan.program.penalty = None
        return plan
