"""What the doctor reports: findings with their evidence, and what to change."""

import dataclasses
import math
import textwrap
import typing

from cutaway.story.text import WIDTH, Story, number


@dataclasses.dataclass(frozen=True)
class Measure:
    """A measured value that a finding rests on.

    Attributes:
        what: what was measured, in words.
        value: the value.
        threshold: what it was compared with; None if it is only informative.
        relation: "above" or "below" the threshold.
        source: where the threshold comes from: a paper, a derivation, a measurement.
    """

    what: str
    value: float
    threshold: float | None = None
    relation: str = "above"
    source: str = ""

    def text(self) -> str:
        limit = "" if self.threshold is None else f", {self.relation} {number(self.threshold)}"
        return f"{self.what} {number(self.value)}{limit}"


@dataclasses.dataclass(frozen=True)
class Prescription:
    """A change that may help.

    Attributes:
        text: what to do.
        changes: the changes.Change objects that apply it to a plan; () if only a person can.
    """

    text: str
    changes: tuple = ()


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        code: name of the symptom's file, "vanishing_gradient".
        where: layer, parameter, column or row.
        evidence: [Measure].
        explanation: a few sentences.
        prescriptions: [Prescription], the smallest change first.
        confidence: from 0 to 1.
        cured: the loss with the first prescription relative to that without; NaN if it was not
            tried.
        path: of the layer that it is most about, "" for none.
    """

    code: str
    where: str
    evidence: list
    explanation: str
    prescriptions: list
    confidence: float
    cured: float = math.nan
    path: str = ""

    def text(self, width: int = WIDTH, *, brief: bool = False) -> str:
        """Code and location, evidence, explanation (unless brief) and first prescription."""
        lines = textwrap.wrap(f"{self.code.replace('_', ' ')}: {self.where}", width)
        lines += _indented("; ".join(m.text() for m in self.evidence), width)
        if not brief:
            lines += _indented(self.explanation, width)
        if self.prescriptions:
            lines += _indented(f"Fix: {self.prescriptions[0].text}", width)
        return "\n".join(lines)

    def to_dict(self) -> dict:
        return {
            "code": self.code,
            "where": self.where,
            "evidence": [dataclasses.asdict(m) for m in self.evidence],
            "explanation": self.explanation,
            "prescriptions": [p.text for p in self.prescriptions],
            "confidence": self.confidence,
        }


def _indented(text, width):
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")


@dataclasses.dataclass(repr=False)
class Diagnosis(Story):
    """The findings about a training. Made by `diagnose`.

    Attributes:
        findings: [Finding], the most important one first; [] for a healthy training.
        notes: further observations, and what could not be checked.
        plan: the TrainingPlan that was diagnosed.
        evidence: the Evidence that it rests on.
        course: what the losses show besides the findings: that it overfits, and which weights were
            kept; "" for nothing.
        unlearned: that next to nothing was learned, with the numbers; "" otherwise.
    """

    findings: list
    notes: list
    plan: typing.Any = None
    evidence: typing.Any = None
    course: str = ""
    unlearned: str = ""

    @property
    def healthy(self) -> bool:
        return not self.findings

    def headline(self) -> str:
        """The result in a sentence or two."""
        count = len(self.findings)
        if count:
            return "1 finding." if count == 1 else f"{count} findings, most important first."
        return f"{self._found()} {self.course}".rstrip()

    def _found(self) -> str:
        if self.unlearned:
            return (
                f"No cause was found, but this training learned next to nothing: {self.unlearned}"
            )
        return "Healthy: no problems were found in this training."

    def answer(self) -> str:
        """What is wrong first and what to change, or that nothing is."""
        if not self.findings:
            return self._found()
        first = self.findings[0]
        told = f"{first.code.replace('_', ' ').capitalize()}: {first.where}"
        others = len(self.findings) - 1
        more = f" (and {others} more finding{'s' * (others > 1)})" if others else ""
        fix = f" Fix: {first.prescriptions[0].text.rstrip('.')}." if first.prescriptions else ""
        return f"{told}{more}.{fix}"

    def text(self, width: int = WIDTH) -> str:
        head = textwrap.wrap(self.headline(), width)
        parts = [f.text(width - 3, brief=k > 0) for k, f in enumerate(self.findings)]
        numbered = [f"\n{k}. {part}" for k, part in enumerate(parts, 1)]
        notes = [""] + [line for n in self.notes for line in _indented(f"- {n}", width)]
        return "\n".join([*head, *numbered, *(notes if self.notes else [])])

    def html(self) -> str:
        from cutaway.doctor.diagnosis_html import diagnosis_body

        return diagnosis_body(self)

    def to_dict(self) -> dict:
        return {
            "healthy": self.healthy,
            "headline": self.headline(),
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": self.notes,
        }
