"""What is wrong with a training, the evidence, and what to change."""

from cutaway.doctor.diagnosis import diagnose
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Diagnosis, Finding, Measure, Prescription
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.doctor.treatment import Treatment, treat

__all__ = [
    "Diagnosis",
    "Evidence",
    "Finding",
    "Measure",
    "Prescription",
    "TrainingPlan",
    "Treatment",
    "diagnose",
    "treat",
]
