"""cutaway doctor."""

import contextlib
import os
import shlex
import sys
import textwrap
from pathlib import Path

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json
from cutaway.errors import visible

SHOWN = 4  # findings shown in full; the others are only named
NOTES = 3
NOTE_LINES = 4
UNJUDGED = ("Not checked", "Diagnosed ")  # notes that are always shown
EXPLANATION_LINES = 5  # of the first finding


def doctor_command(
    what, *, treated, seeds, budget, applied, out, html, force, trust, as_json
) -> None:
    with product(html, "--html", inputs=[what], force=force):
        _doctor(what, treated, seeds, budget, applied, out, html, trust, as_json)


def _doctor(what, treated, seeds, budget, applied, out, html, trust, as_json) -> None:
    from cutaway.doctor import diagnose, treat
    from cutaway.doctor.sources import (
        experiment_of_run,
        findings_of,
        limits_of,
        options_with,
        plan_in_script,
        plan_of,
    )
    from cutaway.errors import OptionError, RunError
    from cutaway.weights.hub import is_on_hub

    is_script = not os.path.isdir(what) and ":" in what and not is_on_hub(what)
    if is_script and applied:
        raise OptionError(
            f"--apply writes a run, and {what} is a script",
            expected="the folder of a run",
            fix="omit --apply, and make the change in the script",
        )
    source = None
    if os.path.isfile(what):
        raise OptionError(
            f"{what} is a file",
            expected="the folder of a run, or script.py:NAME",
            fix=f"name the training in a script: {what if what.endswith('.py') else 'script.py'}"
            ":trainer, where trainer = (trainer, x, y)",
        )
    if is_script:
        plan = plan_in_script(what)
    else:
        from cutaway.runs import Run

        if out is not None and Path(out).exists() and any(Path(out).iterdir()):
            raise RunError(f"{out} is not empty", expected="a new folder for the new run")
        run = Run.open(what)
        run.trusted = trust
        experiment = experiment_of_run(run)
        source = (run, experiment)
        plan = plan_of(experiment)
    with _status() as tell:
        diagnosis = diagnose(plan, watch=lambda symptom: tell(f"checking: {symptom}"))
        if source is not None:
            diagnosis.findings[:0] = findings_of(*source)
            diagnosis.notes += limits_of(source[1], plan)
    treatment, new = None, None
    if (treated or applied) and any(p.changes for f in diagnosis.findings for p in f.prescriptions):
        with _status() as tell:
            treatment = treat(
                diagnosis,
                seeds=seeds,
                budget=budget,
                watch=lambda done, total, arm: tell(f"{done}/{total} {arm}"),
            )
    if applied and source is not None and treatment is not None and treatment.best is not None:
        run, experiment = source
        prescription = treatment.best.prescription
        assert prescription is not None  # only the control has none
        options = options_with(experiment, prescription.changes)
        new = experiment_of_run(run, **options).train(out, progress=False if as_json else None)
    if html is not None:
        _write(html, what, diagnosis, treatment)
    if as_json:
        summary = diagnosis.to_dict()
        summary["treatment"] = None if treatment is None else treatment.to_dict()
        summary["run"] = None if new is None else str(new.path)
        print_json(summary)
    else:
        print(visible(verdict(diagnosis)))
        if treatment is not None:
            print(f"\n{treatment}")
        elif treated and not diagnosis.healthy:
            print("\nNone of the prescriptions can be tested automatically.")
        is_run = source is not None
        _follow_ups(what, diagnosis, treated or applied, treatment, applied, new, html, is_run)
    sys.exit(0 if diagnosis.healthy else 1)


def verdict(diagnosis, width: int = 80) -> str:
    """The diagnosis on one screen: three lines per finding, and an explanation of the first."""
    lines = textwrap.wrap(diagnosis.headline(), width)
    for k, finding in enumerate(diagnosis.findings[:SHOWN], 1):
        lines += ["", *_finding_lines(k, finding, width)]
    rest = [f.code.replace("_", " ") for f in diagnosis.findings[SHOWN:]]
    if rest:
        lines += ["", *textwrap.wrap(f"Also: {', '.join(rest)}.", width)]
    open_ones = [note for note in diagnosis.notes if note.startswith(UNJUDGED)]
    notes = [note for note in diagnosis.notes if note not in open_ones][:NOTES] + open_ones
    if notes:
        lines.append("")
    for note in notes:
        lines += textwrap.wrap(f"- {note}", width, subsequent_indent="  ")[:NOTE_LINES]
    return "\n".join(lines)


def _finding_lines(k, finding, width):
    lines = [_short(f"{k}. {finding.code.replace('_', ' ')}: {finding.where}", width)]
    evidence = "   "
    for measure in finding.evidence:  # as many as fit on the line
        more = ("" if evidence.isspace() else "; ") + measure.text()
        if len(evidence + more) <= width:
            evidence += more
    lines.append(_short(f"   {finding.evidence[0].text()}", width) if finding.evidence
                 and evidence.isspace() else evidence.rstrip())  # fmt: skip
    if k == 1:
        wrapped = textwrap.wrap(finding.explanation, width - 3)
        lines += [f"   {line}" for line in wrapped[:EXPLANATION_LINES]]
    if finding.prescriptions:
        lines.append(_short(f"   Fix: {finding.prescriptions[0].text}", width))
    return lines


def _short(text, width):
    return text if len(text) <= width else text[: width - 4].rstrip(" ,;") + " ..."


def _follow_ups(what, diagnosis, tested, treatment, applied, new, html, is_run):
    if new is not None:
        console.print(f"\nSaved the new run to [bold]{escape(new.path)}[/].", soft_wrap=True)
    elif applied and not diagnosis.healthy:
        print("\nNo new run was written: no prescription was shown to help.")
    if html is not None:
        console.print(f"\n[bold]{escape(html)}[/]\n  report for the browser", soft_wrap=True)
    hints = [] if html is not None else ["--html FILE"]
    if not diagnosis.healthy and not tested:
        hints.insert(0, "--treat")
    if is_run and treatment is not None and treatment.best is not None and not new:
        hints.insert(0, "--apply")
    if hints:
        print(f"\nMore: cutaway doctor {shlex.quote(str(what))} {' | '.join(hints)}")


def _write(html, what, diagnosis, treatment):
    from cutaway.doctor.probe_charts import probe_charts
    from cutaway.story import write_page

    stories: list = [("Findings", diagnosis)]
    if treatment is not None:
        stories.append(("Trials", treatment))
    stories += probe_charts(diagnosis.evidence)
    write_page(html, f"Diagnosis of {what}", stories)


@contextlib.contextmanager
def _status():
    """A status line on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True, highlight=False).status("") as status:
        yield lambda text: status.update(escape(_short(text, 70)))
