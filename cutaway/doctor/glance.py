"""glance: what a training that has ended shows by itself, without an experiment."""

import importlib

from cutaway.doctor.diagnosis import rank
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding
from cutaway.doctor.program import Program
from cutaway.errors import CutawayError
from cutaway.train import Probes, Trainer

# those that look at probes, losses and rows alone: they compile nothing
CHEAP = ("data_shift", "overfitting", "symmetric_weights")


class _NoExperiment(CutawayError):
    """An experiment was asked for."""


class _Watched(Program):
    """A Program that is not run again."""

    def run(self, *args, **options):
        raise _NoExperiment("no experiments at a glance")


class _Seen(Evidence):
    """Evidence without experiments."""

    def _refuse(self, *args, **options):
        raise _NoExperiment("no experiments at a glance")

    one_batch = reruns = stop = property(_refuse)
    tried = _refuse

    @property
    def initial_loss(self) -> float:
        return self.probes.rows[0]["loss"]


def glance(program: Program, trainer: Trainer, probes: Probes) -> Finding | None:
    """The one most important finding about a training that has ended, None if there is none.

    Args:
        program: as it was before, with some of the rows.
        trainer: after training.
        probes: that watched it.
    """
    if not probes.rows:
        return None
    parts = {name: getattr(program, name) for name in program.__dataclass_fields__}
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
