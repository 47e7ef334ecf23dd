"""glance: the most important finding about a finished training, without experiments."""

import importlib

from cutaway.doctor.diagnosis import rank
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.errors import CutawayError
from cutaway.train import Probes, Trainer

# symptoms that need only probes, losses and rows: they compile nothing
CHEAP = ("data_shift", "overfitting", "symmetric_weights")


class _NoExperiment(CutawayError):
    """An experiment was requested."""


class _Watched(TrainingPlan):
    """A TrainingPlan that refuses to run again."""

    def run(self, *args, **options):
        raise _NoExperiment("no experiments at a glance")


class _Seen(Evidence):
    """Evidence without experiments."""

    def _refuse(self, *args, **options):
        raise _NoExperiment("no experiments at a glance")

    one_batch = reruns = stop = property(_refuse)  # pyright: ignore[reportAssignmentType]
    tried = _refuse

    @property
    def initial_loss(self) -> float:
        return self.probes.rows[0]["loss"]


def glance(plan: TrainingPlan, trainer: Trainer, probes: Probes) -> Finding | None:
    """The most important finding about a finished training, None if there is none.

    Args:
        plan: as before training, with a sample of the rows.
        trainer: after training.
        probes: that watched it.
    """
    if not probes.rows or plan.program.alternates:
        return None
    parts = {name: getattr(plan, name) for name in plan.__dataclass_fields__}
    evidence, found = _Seen(_Watched(**parts), trainer, probes), []
    for code in CHEAP:
        symptom = importlib.import_module(f"cutaway.doctor.symptoms.{code}")
        try:
            finding = symptom.look(evidence)
        except CutawayError:
            continue
        if finding is not None:
            found.append(finding)
    ranked, _ = rank(found)
    return ranked[0] if ranked else None
