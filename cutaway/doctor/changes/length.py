"""Changes of how long is trained, and in what pieces."""

import dataclasses

from cutaway.doctor.changes.base import Change
from cutaway.optim import Exponential
from cutaway.train import EarlyStopping


@dataclasses.dataclass(frozen=True)
class Epochs(Change):
    """Training for a factor of the epochs, and a schedule that is as much longer."""

    factor: float

    @property
    def text(self) -> str:
        return f"train for {self.factor:.3g} times as many epochs"

    def _apply(self, program):
        stretch(program.trainer.optimizer.schedule, self.factor)
        return dataclasses.replace(program, epochs=max(1, round(program.epochs * self.factor)))


@dataclasses.dataclass(frozen=True)
class BatchSize(Change):
    """Batches of a factor of the rows, at most all of them."""

    factor: float

    @property
    def text(self) -> str:
        word = "larger" if self.factor >= 1 else "smaller"
        by = self.factor if self.factor >= 1 else 1 / self.factor
        return f"make the batches {by:.3g} times {word}"

    def _apply(self, program):
        size = min(len(program.x), max(1, round(program.batch_size * self.factor)))
        stretch(program.trainer.optimizer.schedule, program.batch_size / size)
        return dataclasses.replace(program, batch_size=size)


@dataclasses.dataclass(frozen=True)
class Patience(Change):
    """Early stopping that keeps the best weights, after so many epochs without a better one."""

    epochs: int

    @property
    def text(self) -> str:
        return f"stop early after {self.epochs} epochs without a better loss, keep the best weights"

    def _apply(self, program):
        others = [c for c in program.callbacks if not isinstance(c, EarlyStopping)]
        return dataclasses.replace(program, callbacks=(*others, EarlyStopping(self.epochs)))


def stretch(schedule, factor) -> None:
    """The same course over `factor` times as many steps."""
    if schedule is None:
        return
    for name in ("total_steps", "warmup_steps", "every"):
        if hasattr(schedule, name):
            setattr(schedule, name, max(1, round(getattr(schedule, name) * factor)))
    if isinstance(schedule, Exponential):
        schedule.rate = schedule.rate ** (1 / factor)
    stretch(getattr(schedule, "then", None), factor)
