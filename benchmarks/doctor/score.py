"""The doctor's score on the suite: how often it is right, and how often it alarms for nothing.

    python -m benchmarks.doctor.score [--half held] [--only dead_units] [--seeds 1] [--jobs 1]

Every plan with a fault and every healthy one is diagnosed; twins, too, as healthy programs, with
--twins. Thresholds are set on the half "set"; what counts is the half "held", which has other
seeds, widths and data sets. Programs that certified.json has as not certified are left out and
named. Answers are kept in answers.json (remove it, or give --again, after a change of the doctor),
and with --write the table goes to RESULTS.md.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from . import certify
from .pool import answer, case_of, chosen, read

FILE = Path(__file__).with_name("answers.json")
RESULTS = Path(__file__).with_name("RESULTS.md")
GOALS = {"unhealthy": 0.95, "first": 0.80, "in three": 0.93, "false alarms": 0.03}


def diagnose(name: str, half: str, number: int, twin: bool) -> dict:
    """What the doctor says of one plan: its findings' codes in their order."""
    from cutaway.doctor.diagnosis import diagnose

    drawn = case_of(name).drawn(half, number)
    began = time.perf_counter()
    try:
        found = diagnose(drawn.twin if twin else drawn.plan)
        codes = [finding.code for finding in found.findings]
        confidences = [round(float(finding.confidence), 3) for finding in found.findings]
    except Exception as error:  # a doctor that breaks has not found anything, and is to be fixed
        codes, confidences = [], []
        return {"codes": codes, "error": f"{type(error).__name__}: {error}"[:300], "line": "ERROR"}
    return {
        "codes": codes,
        "confidences": confidences,
        "seconds": round(time.perf_counter() - began, 1),
        "line": ", ".join(codes) or "healthy",
    }


def rows_of(found: dict, certificates: dict) -> tuple[list, list]:
    """([(case, half, codes, twin)] that count, [key] that are left out)."""
    rows, left = [], []
    for key, said in found.items():
        name, half, _, kind = key.split("@")
        certificate = certificates.get(f"{name}@{half}", {})
        case, twin = case_of(name), kind == "twin"
        known = certificate.get("twin_certified") if twin else certificate.get("certified")
        if known is False:
            left.append(key)
        else:
            rows.append((case, half, said["codes"], twin))
    return rows, left


def table(rows: list) -> str:
    """A line for each code, one for all, then the false alarms; as Markdown."""
    lines = [
        "| fault | programs | called unhealthy | right code first | in the first three | "
        "first, or an equivalent name | what came first instead |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    faults = [row for row in rows if row[0].code and not row[3]]
    for code in sorted({case.code for case, *_ in faults}):
        lines.append(_line(code, [row for row in faults if row[0].code == code]))
    lines.append(_line("all", faults, others=False))
    lines += ["", "| healthy | programs | false alarms | rate | codes reported |"]
    lines.append("| --- | --- | --- | --- | --- |")
    kinds = {
        "healthy programs": [row for row in rows if not row[0].code],
        "twins of faulty ones": [row for row in rows if row[3]],
    }
    kinds["all"] = [row for kind in kinds.values() for row in kind]
    for kind, these in kinds.items():
        alarms = Counter(codes[0] for _, _, codes, _ in these if codes)
        share = f"{sum(alarms.values()) / len(these):.1%}" if these else ""
        said = ", ".join(f"{code} {n}" for code, n in alarms.most_common(8))
        lines.append(f"| {kind} | {len(these)} | {sum(alarms.values())} | {share} | {said} |")
    return "\n".join(lines)


def _line(name, rows, *, others=True):
    count = len(rows)
    if not count:
        return f"| {name} | 0 | | | | | |"
    called = sum(bool(codes) for _, _, codes, _ in rows)
    first = sum(codes[:1] == [case.code] for case, _, codes, _ in rows)
    three = sum(case.code in codes[:3] for case, _, codes, _ in rows)
    named = sum(bool({*codes[:1]} & {case.code, *case.also}) for case, _, codes, _ in rows)
    shares = [f"{n} ({n / count:.0%})" for n in (called, first, three, named)]
    wrong = Counter(codes[0] for case, _, codes, _ in rows if codes and codes[0] != case.code)
    said = ", ".join(f"{code} {n}" for code, n in wrong.most_common(4)) if others else ""
    return f"| {name} | {count} | {' | '.join(shares)} | {said} |"


def report(found: dict, half: str) -> str:
    certificates = read(certify.FILE)
    rows, left = rows_of(found, certificates)
    errors = [f"{key}: {said['error']}" for key, said in found.items() if "error" in said]
    bare = sum(f"{case.name}@{h}" not in certificates for case, h, *_ in rows)
    parts = [table(rows)]
    if bare:
        parts.append(f"Not yet certified: {bare} of {len(rows)} programs.")
    if left:
        parts.append("Left out, because not certified: " + ", ".join(sorted(left)) + ".")
    if errors:
        parts.append("The doctor broke on:\n" + "\n".join(f"- {e}" for e in errors))
    head = f"Half: {half}. " + ", ".join(f"{k} {v:.0%}" for k, v in GOALS.items())
    return "\n\n".join([f"{head} are the goals.", *parts])


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--half", default="held", choices=("set", "held", "both"))
    parser.add_argument("--only", default="", help="parts of names, with commas between")
    parser.add_argument("--seeds", type=int, default=1, help="programs of each case")
    parser.add_argument("--twins", action="store_true", help="the twins, too, as healthy ones")
    parser.add_argument("--jobs", type=int, default=1, help="processes, at most 2")
    parser.add_argument("--again", action="store_true", help="forget the answers of these programs")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    jobs = {
        f"{case.name}@{half}@{number}@{'twin' if twin else 'fault'}": (
            case.name, half, number, twin,
        )
        for case, half in chosen(given.only, given.half)
        for number in range(given.seeds)
        for twin in ((False, True) if given.twins and case.code else (False,))
    }  # fmt: skip
    if given.again and given.file.is_file():
        kept = {key: said for key, said in read(given.file).items() if key not in jobs}
        given.file.write_text(json.dumps(kept))
    found = answer(diagnose, jobs, given.file, given.jobs)
    text = report({key: found[key] for key in jobs}, given.half)
    print("\n" + text)
    if given.write:
        options = f"--half {given.half} --seeds {given.seeds}{' --twins' if given.twins else ''}"
        command = f"python -m benchmarks.doctor.score {options}"
        RESULTS.write_text(f"# The doctor's score\n\n`{command}`\n\n{text}\n")


if __name__ == "__main__":
    main()
