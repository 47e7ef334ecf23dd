"""What a change is."""

import dataclasses

from cutaway.doctor.training_plan import TrainingPlan
from cutaway.nn.random import seeded
from cutaway.optim import ExponentialAverage

SEED = 20  # of weights that a change initializes


class Change:
    """Base: a subclass has `text` and `_apply(plan)`, whose program it may modify."""

    text: str

    def apply(self, plan: TrainingPlan) -> TrainingPlan:
        """The plan with this change.

        Raises:
            OptionError: the change does not fit this plan.
        """
        with seeded(SEED):
            changed = self._apply(dataclasses.replace(plan, program=plan.program.copied()))
        return dataclasses.replace(changed, program=changed.program.copied())

    def _apply(self, plan: TrainingPlan) -> TrainingPlan:
        raise TypeError(f"{type(self).__name__} has no _apply")


def with_new_parameters(plan: TrainingPlan) -> TrainingPlan:
    """The plan with an optimizer and average over the network's present parameters."""
    program = plan.program
    program.optimizer = program.optimizer.over(program.net)
    if program.average is not None:
        program.average = ExponentialAverage(program.net, program.average.decay)
    return plan
