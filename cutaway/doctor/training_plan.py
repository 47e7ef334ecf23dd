"""TrainingPlan: a training with its data, which can be repeated, as it is or with changes."""

import copy
import dataclasses

import numpy as np

from cutaway.train import Trainer


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """Everything that defines a training.

    Attributes:
        trainer: a Trainer that has not trained; it is copied, never run.
        x, y: training arrays (rows, ...).
        validation: (x, y) or None.
        epochs, batch_size: as for Trainer.fit.
        seed: random seed for the order of the rows.
        callbacks: for example (EarlyStopping(20),); each run gets copies.
        target_scale: (mean, std) if y was standardized by a change: predictions times std plus
            mean are in the units of the user's targets.
    """

    trainer: Trainer
    x: np.ndarray
    y: np.ndarray
    validation: tuple | None = None
    epochs: int = 100
    batch_size: int = 32
    seed: int = 0
    callbacks: tuple = ()
    target_scale: tuple | None = None

    @classmethod
    def of(cls, trainer: Trainer, x, y, **options) -> "TrainingPlan":
        """The program of a trainer in its present state, before it trains."""
        return cls(copied(trainer), np.asarray(x), np.asarray(y), **options)

    def fresh(self, seed: int = 0) -> Trainer:
        """A new Trainer to be trained; the program's own is not modified.

        Args:
            seed: 0 keeps the initial weights; any other permutes the entries of each weight, which
                is another sample from the same distribution (a constant weight stays constant).
        """
        return Trainer(self.trainer.program.fresh(seed))

    def run(
        self, seed: int = 0, *, callbacks=(), epochs: int | None = None, trainer=None
    ) -> Trainer:
        """Train a new Trainer, or the given one, and return it.

        Raises:
            TrainingError: the loss became NaN or infinite.
        """
        trainer = self.fresh(seed) if trainer is None else trainer
        trainer.fit(
            self.x,
            self.y,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_size,
            validation=self.validation,
            callbacks=[*copy.deepcopy(list(self.callbacks)), *callbacks],
            seed=self.seed + seed,
            progress=False,
        )
        return trainer

    def changed(self, *changes) -> "TrainingPlan":
        """The program after the changes (see doctor/changes), applied one after the other."""
        program = dataclasses.replace(self, trainer=copied(self.trainer))
        for change in changes:
            program = change.apply(program)
        return program


def copied(trainer: Trainer) -> Trainer:
    """A Trainer with its own copies of network and optimizer, in the same state."""
    return Trainer(trainer.program.copied())


def rebuilt(trainer: Trainer, *, net=None, optimizer=None, loss=None) -> Trainer:
    """A copy of a trainer, with another network, optimizer or loss; see train.Program.copied."""
    return Trainer(trainer.program.copied(net=net, optimizer=optimizer, loss=loss))
