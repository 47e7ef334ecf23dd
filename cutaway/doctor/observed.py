"""ObservedEvidence: what a training shows that was only watched, without experiments."""

import functools

import numpy as np

from cutaway.doctor.evidence import Evidence, ValidationTraining
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.errors import CutawayError

OF_WEIGHTS = ("layers", "final_loss", "outputs")  # cached properties


FLAT = 0.02  # of the scale of the loss


class NoExperimentError(CutawayError):
    """A symptom asked for an experiment."""


class ObservedPlan(TrainingPlan):
    """A TrainingPlan that refuses to run again."""

    def run(self, *args, **options):
        raise NoExperimentError("a training that is only watched is not run again")

    @classmethod
    def watching(cls, plan: TrainingPlan) -> "ObservedPlan":
        """Another one of the same parts."""
        return cls(**{name: getattr(plan, name) for name in plan.__dataclass_fields__})


class ObservedEvidence(Evidence):
    """Evidence that refuses every experiment, with a NoExperimentError."""

    def _refuse(self, *args, **options):
        raise NoExperimentError("a training that is only watched is not run again")

    one_batch = reruns = stop = property(_refuse)  # pyright: ignore[reportAssignmentType]
    tried = _refuse

    @property
    def initial_loss(self) -> float:
        return self.probes.rows[0]["loss"]


class LiveEvidence(ObservedEvidence):
    """Evidence of a training that is going on, renewed from time to time.

    Args:
        plan: with the program as it was before the first step; not run.
        trainer: with the program as it is now, and a history of one row per epoch so far.
        probes: of both moments and those between.
        trouble: the error that stopped it, or None.

    Attributes:
        course: losses of stretches of the steps so far.
        validation_rows: rows of a history that have a validation loss.
    """

    stop = None  # where training is stuck is not known while it runs
    rows = 512  # most rows on which losses are measured

    def __init__(self, plan: TrainingPlan, trainer, probes, trouble=None):
        super().__init__(ObservedPlan.watching(plan), trainer, probes, trouble)
        self.course: list[float] = []
        self.validation_rows: list[dict] = []

    def renew(self) -> None:
        """Forget what was measured of the weights, which have changed."""
        for owner in (self, *self.heads):
            for name in OF_WEIGHTS:
                owner.__dict__.pop(name, None)

    @property
    def is_flat(self) -> bool:
        """Whether the loss of the last quarter of the steps is that of the quarter before."""
        width = len(self.course) // 4
        if width < 2:
            return False
        before, now = (np.median(self.course[-2 * width : -width]), np.median(self.course[-width:]))
        return bool(abs(now - before) < FLAT * self.scale)

    @functools.cached_property
    def sample(self) -> tuple:
        return self.plan.spread(self.rows)

    @property
    def validated(self) -> ValidationTraining:
        plan = self.plan
        if plan.validation is None:
            raise NoExperimentError("there are no validation rows")
        return ValidationTraining(
            self.trainer, (plan.x, plan.y), plan.validation, self.validation_rows
        )
