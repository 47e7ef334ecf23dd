"""glance: the most important finding about a finished training, without experiments."""

import importlib

from cutaway.doctor.diagnosis import rank
from cutaway.doctor.finding import Finding
from cutaway.doctor.observed import ObservedEvidence, ObservedPlan
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.errors import CutawayError
from cutaway.train import Probes, Trainer

# symptoms that need only probes, losses and rows: they compile nothing
CHEAP = ("data_shift", "overfitting", "symmetric_weights")


def glance(plan: TrainingPlan, trainer: Trainer, probes: Probes) -> Finding | None:
    """The most important finding about a finished training, None if there is none.

    Args:
        plan: as before training, with a sample of the rows.
        trainer: after training.
        probes: that watched it.
    """
    if not probes.rows or plan.program.alternates:
        return None
    evidence, found = ObservedEvidence(ObservedPlan.watching(plan), trainer, probes), []
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
