"""Proof that the doctor's prescriptions repair, against no change and against random search.

    python -m benchmarks.doctor.repair [--half held] [--only dead_units] [--seeds 5] [--jobs 1]

Of every certified fault that a change of plan can fix: it is diagnosed once, and the first two
different changes that are prescribed, in the order of the findings, are tried on programs of
other seeds. Random search gets as many trainings: two changes sampled from
treatment.RANDOM_CHANGES that fit the plan, each on the same seeds, and the better of the two
counts. The metric is case.worth on validation rows. The doctor uses such rows too in its diagnosis,
but in a plan with another seed, whose data are generated again if synthetic and split again if
real.

Repaired     one of the two is worth more than the untreated plan, p < 0.05 by a paired t-test
             over the seeds (both of the sides; the mean must be higher). The better of two is
             taken without a correction for choosing: a change that does nothing would pass in up
             to 5% of programs (two chances of 2.5%), random search's two as well
Proven       repaired, and not worth less than random search by more than EVEN and p < 0.05

Answers are kept in repaired.json; --write puts the table below the score in RESULTS.md.
"""

import argparse
import statistics
import zlib
from pathlib import Path

import numpy as np

from cutaway.doctor.treatment import RANDOM_CHANGES, paired
from cutaway.errors import CutawayError

from . import certify
from .case import task_of, worth
from .pool import answer, case_of, chosen, read

FILE = Path(__file__).with_name("repaired.json")
RESULTS = Path(__file__).with_name("RESULTS.md")
TRIED = 2  # prescriptions, and random changes
FIRST_SEED = 200  # of the trials: not those of the diagnosis or of certify
EVEN = 0.01  # of worth: less is no difference
GOAL = 0.9


def repair(name: str, half: str, seeds: int) -> dict:
    """What the first prescriptions and as many random changes do to one faulty plan."""
    from cutaway.doctor.diagnosis import diagnose

    case = case_of(name)
    found = diagnose(case.drawn(half).plan)
    drawn = [case.drawn(half, FIRST_SEED + k) for k in range(seeds)]
    control = _worths(drawn, ())
    prescribed = [
        {"text": text, "finding": code, "worth": _worths(drawn, changes)}
        for code, text, changes in _first(found)
    ]
    searched = [
        {"text": change.text, "worth": _worths(drawn, (change,))}
        for change in _drawn_at_random(name, half, drawn[0].plan)
    ]
    out = {
        "codes": [finding.code for finding in found.findings],
        "control": control,
        "twin": [round(worth(d.twin, task_of(d), judged_by=d.judged_by), 3) for d in drawn],
        "prescribed": prescribed,
        "random": searched,
    }
    return {**out, "line": _line(out)}


def _first(found) -> list:
    """[(code of the finding, text, changes)] of the first TRIED different ones."""
    tried = {}
    for finding in found.findings:
        for prescription in finding.prescriptions:
            if prescription.changes:
                told = (finding.code, prescription.text, prescription.changes)
                tried.setdefault(repr(prescription.changes), told)
    fitting = []
    for code, text, changes in tried.values():
        try:
            found.plan.changed(*changes)
        except CutawayError:
            continue
        fitting.append((code, text, changes))
    return fitting[:TRIED]


def _drawn_at_random(name, half, plan) -> list:
    rng = np.random.default_rng(zlib.crc32(f"{name}@{half}".encode()))
    fitting = []
    for k in rng.permutation(len(RANDOM_CHANGES)):
        try:
            plan.changed(RANDOM_CHANGES[k])
        except CutawayError:
            continue
        fitting.append(RANDOM_CHANGES[k])
    return fitting[:TRIED]


def _worths(drawn, changes) -> list:
    found = []
    for d in drawn:
        plan = d.plan.changed(*changes) if changes else d.plan
        found.append(round(worth(plan, task_of(d), judged_by=d.judged_by), 4))
    return found


def is_better(worths, control) -> bool:
    effect = paired(np.subtract(worths, control))
    return effect.mean > 0 and effect.p < 0.05


def outcome(said: dict) -> dict:
    """{"repaired", "proven", "random"}: booleans, and the number of the change that did it."""
    control = said["control"]
    best = max(said["random"], key=lambda arm: statistics.mean(arm["worth"]), default=None)
    good = [
        k for k, arm in enumerate(said["prescribed"], 1) if is_better(arm["worth"], control)
    ]  # fmt: skip
    proven = [k for k in good if not _is_worse(said["prescribed"][k - 1], best)]
    return {
        "repaired": bool(good),
        "proven": bool(proven),
        "by": proven[0] if proven else None,
        "random": best is not None and is_better(best["worth"], control),
    }


def _is_worse(arm, other) -> bool:
    if other is None:
        return False
    effect = paired(np.subtract(arm["worth"], other["worth"]))
    return effect.mean < -EVEN and effect.p < 0.05


def _line(said):
    found, mean = outcome(said), statistics.mean
    state = f"proven by {found['by']}" if found["proven"] else "repaired" * found["repaired"]
    arms = [f"{mean(arm['worth']):.2f}" for arm in said["prescribed"]]
    chances = [f"{mean(arm['worth']):.2f}" for arm in said["random"]]
    return (
        f"{state or 'NO'}: {mean(said['control']):.2f} -> {' '.join(arms) or 'nothing'}, random "
        f"{' '.join(chances)}{' helps' if found['random'] else ''}, twin {mean(said['twin']):.2f}"
    )


def table(found: dict) -> str:
    """A line for each code and one for all, as Markdown."""
    lines = [
        "| fault | programs | repaired by the first or second prescription | of these not worse "
        "than random search | random search repairs |",
        "| --- | --- | --- | --- | --- |",
    ]
    by_code = {}
    for key, said in found.items():
        by_code.setdefault(case_of(key.split("@")[0]).code, []).append(outcome(said))
    everything = [one for several in by_code.values() for one in several]
    for code, several in [*sorted(by_code.items()), ("all", everything)]:
        count = max(1, len(several))
        shares = [
            f"{n} ({n / count:.0%})"
            for n in (
                sum(one[what] for one in several) for what in ("repaired", "proven", "random")
            )
        ]
        lines.append(f"| {code} | {len(several)} | {' | '.join(shares)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--half", default="held", choices=("set", "held", "both"))
    parser.add_argument("--only", default="", help="parts of names, with commas between")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="processes, at most 2")
    parser.add_argument("--again", action="store_true", help="forget the answers there are")
    parser.add_argument("--write", action="store_true", help="append the table to RESULTS.md")
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    certificates = read(certify.FILE)
    jobs = {
        f"{case.name}@{half}": (case.name, half, given.seeds)
        for case, half in chosen(given.only, given.half)
        if case.code and case.repairable
        and certificates.get(f"{case.name}@{half}", {}).get("certified", True)
    }  # fmt: skip
    if given.again:
        given.file.unlink(missing_ok=True)
    found = answer(repair, jobs, given.file, given.jobs)
    text = table({key: found[key] for key in jobs})
    print("\n" + text)
    if given.write:
        command = f"python -m benchmarks.doctor.repair --half {given.half} --seeds {given.seeds}"
        before = RESULTS.read_text().split("\n## Repair")[0] if RESULTS.exists() else ""
        RESULTS.write_text(f"{before}\n## Repair\n\n`{command}`; goal {GOAL:.0%}.\n\n{text}\n")


if __name__ == "__main__":
    main()
