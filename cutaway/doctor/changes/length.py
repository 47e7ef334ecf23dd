"""Changes to the number of epochs and the batch size."""

import dataclasses

from cutaway.doctor.changes.base import Change
from cutaway.optim import Schedule
from cutaway.train import EarlyStopping


@dataclasses.dataclass(frozen=True)
class Epochs(Change):
    """Multiply the number of epochs by a factor; a schedule is stretched with it."""

    factor: float

    @property
    def text(self) -> str:
        return f"train for {self.factor:.3g} times as many epochs"

    def _apply(self, plan):
        stretch_schedule(plan.program, self.factor)
        return dataclasses.replace(plan, epochs=max(1, round(plan.epochs * self.factor)))


@dataclasses.dataclass(frozen=True)
class BatchSize(Change):
    """Multiply the batch size by a factor, up to all rows."""

    factor: float

    @property
    def text(self) -> str:
        word = "multiply" if self.factor >= 1 else "divide"
        by = self.factor if self.factor >= 1 else 1 / self.factor
        return f"{word} the batch size by {by:.3g}"

    def _apply(self, plan):
        size = min(len(plan.x), max(1, round(plan.batch_size * self.factor)))
        stretch_schedule(plan.program, plan.batch_size / size)
        return dataclasses.replace(plan, batch_size=size)


@dataclasses.dataclass(frozen=True)
class Patience(Change):
    """Stop early after this many epochs without improvement, and restore the best weights."""

    epochs: int

    @property
    def text(self) -> str:
        return f"stop early after {self.epochs} epochs without improvement, keep the best weights"

    def _apply(self, plan):
        others = [c for c in plan.callbacks if not isinstance(c, EarlyStopping)]
        return dataclasses.replace(plan, callbacks=(*others, EarlyStopping(self.epochs)))


def stretch_schedule(program, factor: float) -> None:
    """Run the schedules of a program over `factor` times as many steps."""
    optimizer = program.optimizer
    schedules = (optimizer.schedule, optimizer.decay_schedule, program.dropout_schedule)
    for schedule in {id(schedule): schedule for schedule in schedules}.values():
        if isinstance(schedule, Schedule):  # else one's own function, whose steps are not known
            schedule.stretch(factor)
