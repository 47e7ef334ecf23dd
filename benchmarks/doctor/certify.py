"""Proof that each fault hurts and its reference fix repairs it, and that healthy programs are well.

    python -m benchmarks.doctor.certify [--half both] [--only dead_units] [--seeds 5] [--jobs 1]

A fault is certified if the twin is worth more than the faulty plan by at least LEAST_GAP and by
twice the standard error over the seeds, and the reference fix, on seeds of its own, wins back at
least RECOVERED of that gap. A healthy plan is certified if it is worth at least LEAST_WORTH, and
none of the common changes (rate times 3 and by 3, three times the epochs) makes it worth more
by LEAST_GAP. The worth is case.worth on validation rows: 0 is chance, 1 is perfect. Programs that
are not certified are left out of the score, and the table says which.

Answers go to certified.json, and what it has is not done again.
"""

import argparse
import dataclasses
import statistics
from pathlib import Path

from .case import task_of, worth
from .pool import answer, case_of, chosen

LEAST_GAP = 0.1
RECOVERED = 0.8
LEAST_WORTH = 0.1  # of data that say little, a good network has no more
FILE = Path(__file__).with_name("certified.json")


def certify(name: str, half: str, seeds: int, twins: bool = False) -> dict:
    """The certificate of a case in one half."""
    case = case_of(name)
    return _of_healthy(case, half, seeds) if not case.code else _of_fault(case, half, seeds, twins)


def _of_fault(case, half, seeds, twins):
    faulty, twin, fixed = [], [], []
    for number in range(seeds):
        drawn, other = case.drawn(half, number), case.drawn(half, 100 + number)
        faulty.append(_worth(drawn, drawn.plan))
        twin.append(_worth(drawn, drawn.twin))
        fixed.append(_worth(other, other.fix(other.plan)))
    gap = statistics.mean(twin) - statistics.mean(faulty)
    error = statistics.mean((_error(faulty) ** 2, _error(twin) ** 2)) ** 0.5 * 2**0.5
    recovered = (statistics.mean(fixed) - statistics.mean(faulty)) / gap if gap > 0 else 0.0
    certified = gap >= LEAST_GAP and gap >= 2 * error and recovered >= RECOVERED
    found = {
        "certified": certified,
        "faulty": _rounded(faulty),
        "twin": _rounded(twin),
        "fixed": _rounded(fixed),
        "gap": round(gap, 3),
        "recovered": round(recovered, 3),
        "line": f"{'certified' if certified else 'NO'}: faulty {faulty[0]:.2f}, twin "
        f"{twin[0]:.2f}, gap {gap:.2f}, recovered {recovered:.2f}",
    }
    if twins:
        found["twin_certified"] = _is_well(case, half, twin)
    return found


def _of_healthy(case, half, seeds):
    values = [_worth(d, d.twin) for d in (case.drawn(half, k) for k in range(seeds))]
    certified, better = _is_well(case, half, values, explain=True)
    state = "certified" if certified else "NO"
    return {
        "certified": certified,
        "worth": _rounded(values),
        "changed": better,
        "line": f"{state}: worth {values[0]:.2f}, changed {better}",
    }


def _is_well(case, half, values, *, explain=False):
    """Whether a healthy plan can hardly be made better by a common change."""
    changed = {}
    for name, change in CHANGES.items():
        drawn = [case.drawn(half, k) for k in range(len(values))]
        changed[name] = round(statistics.mean(_worth(d, change(d.twin)) for d in drawn), 3)
    now = statistics.mean(values)
    well = now >= LEAST_WORTH and max(changed.values()) - now < LEAST_GAP
    return (well, changed) if explain else well


def _faster(plan, factor):
    plan = plan.changed()
    plan.program.optimizer.lr = float(plan.program.optimizer.base_lr.data) * factor
    return plan


CHANGES = {
    "rate × 3": lambda plan: _faster(plan, 3.0),
    "rate / 3": lambda plan: _faster(plan, 1 / 3),
    "epochs × 3": lambda plan: dataclasses.replace(plan, epochs=3 * plan.epochs),
}


def _worth(drawn, plan):
    return worth(plan, task_of(drawn), judged_by=drawn.judged_by)


def _error(values):
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def _rounded(values):
    return [round(v, 3) for v in values]


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--half", default="both", choices=("set", "held", "both"))
    parser.add_argument("--only", default="", help="parts of names, with commas between")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--twins", action="store_true", help="certify the twins as healthy, too")
    parser.add_argument("--jobs", type=int, default=1, help="processes, at most 2")
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    jobs = {
        f"{case.name}@{half}": (case.name, half, given.seeds, given.twins)
        for case, half in chosen(given.only, given.half)
    }
    found = answer(certify, jobs, given.file, given.jobs)
    bad = [key for key in jobs if not found[key]["certified"]]
    print(f"{len(jobs) - len(bad)} of {len(jobs)} certified; not: {', '.join(bad) or 'none'}")


if __name__ == "__main__":
    main()
