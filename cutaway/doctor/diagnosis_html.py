"""A Diagnosis as HTML: each finding with its evidence and what to change."""

from html import escape

from cutaway.story.html import folded, table
from cutaway.story.text import number
from cutaway.story.told_html import symbols


def diagnosis_body(diagnosis) -> str:
    """The findings, the most important one first, and the notes."""
    head = diagnosis.headline()
    findings = "".join(_finding(k, f) for k, f in enumerate(diagnosis.findings, 1))
    notes = "".join(f"<li>{escape(note)}</li>" for note in diagnosis.notes)
    return f"<p>{escape(head)}</p>{findings}" + (f'<ul class="soft">{notes}</ul>' if notes else "")


def _finding(k, finding) -> str:
    heading = f"{k}. {finding.code.replace('_', ' ')}: {finding.where}"
    rows = [
        (
            m.what,
            number(m.value),
            "" if m.threshold is None else f"{m.relation} {number(m.threshold)}",
        )
        for m in finding.evidence
    ]
    evidence = table(("evidence", "value", ""), rows, numbers=(1,)) if rows else ""
    first, others = finding.prescriptions[:1], finding.prescriptions[1:]
    fix = "".join(f"<p><b>Fix:</b> {escape(p.text)}</p>" for p in first)
    more = "".join(f"<li>{escape(p.text)}</li>" for p in others)
    more = folded("other changes that may help", f"<ul>{more}</ul>") if more else ""
    return (
        f'<p class="part"><b>{escape(heading)}</b></p><p>{symbols(finding.explanation)}</p>'
        f"{fix}{evidence}{more}"
    )
