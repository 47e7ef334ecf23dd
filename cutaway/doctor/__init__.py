"""What is wrong with a training, the evidence, and what to change."""

from cutaway.doctor.diagnosis import diagnose
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Diagnosis, Finding, Measure, Prescription
from cutaway.doctor.program import Program
from cutaway.doctor.treatment import Treatment, treat

__all__ = [
    "Diagnosis",
    "Evidence",
    "Finding",
    "Measure",
    "Prescription",
    "Program",
    "Treatment",
    "diagnose",
    "treat",
]
