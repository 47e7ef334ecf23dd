"""What a change is."""

import dataclasses

from cutaway.doctor.training_plan import TrainingPlan, copied
from cutaway.nn.random import seeded
from cutaway.optim import ExponentialAverage

SEED = 20  # of weights that a change initializes


class Change:
    """Base: a subclass has `text` and `_apply(program)`, whose trainer it may modify."""

    text: str

    def apply(self, program: TrainingPlan) -> TrainingPlan:
        """The program with this change.

        Raises:
            OptionError: the change does not fit this program.
        """
        with seeded(SEED):
            changed = self._apply(dataclasses.replace(program, trainer=copied(program.trainer)))
        return dataclasses.replace(changed, trainer=copied(changed.trainer))

    def _apply(self, program: TrainingPlan) -> TrainingPlan:
        raise TypeError(f"{type(self).__name__} has no _apply")


def with_new_parameters(program: TrainingPlan) -> TrainingPlan:
    """The program with an optimizer and average over the network's present parameters."""
    trainer = program.trainer
    trainer.optimizer = trainer.optimizer.over(trainer.net)
    if trainer.average is not None:
        trainer.average = ExponentialAverage(trainer.net, trainer.average.decay)
    return program
