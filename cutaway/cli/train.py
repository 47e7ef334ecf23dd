"""cutaway train."""

import contextlib
import dataclasses
import math
import shlex
import sys
import textwrap

from cutaway.cli.show import (
    console,
    escape,
    print_device,
    print_json,
    print_notes,
    print_scores,
    table,
)
from cutaway.data import students_path
from cutaway.doctor.course import overfits
from cutaway.doctor.preflight import preflight
from cutaway.errors import counted, expect_choice, visible
from cutaway.runs import KINDS, prepare, write_report
from cutaway.runs.preprocessing import score_in_words
from cutaway.runs.report import Remark
from cutaway.runs.run_folder import RunFolder
from cutaway.runs.validation_kind import scores_of_sets
from cutaway.runs.worth_seeing import worth_seeing
from cutaway.runtime import device, distributed
from cutaway.train.loggers import LOGGERS

MAX_CLASSES = 20
CHECKED_ROWS = 1000  # rows on which the doctor checks the finished training


def train_command(
    data,
    target,
    kind,
    given,
    *,
    out,
    resume,
    before,
    log,
    as_json,
    devices=None,
    shard_parameters=False,
) -> None:
    for name in log:
        expect_choice(name, LOGGERS, what="logger")
    # before data are read: what is not installed or not there is said at once
    count = int(devices) if devices is not None and devices.isdecimal() else devices
    if distributed.is_launched() or count is not None or shard_parameters:
        distributed.start(devices=count, shard_parameters=shard_parameters)
    loggers = [LOGGERS[name]() for name in dict.fromkeys(log)]
    with contextlib.ExitStack() as stack:
        for logger in loggers:  # open until the report is written
            stack.enter_context(logger)
        _train(data, target, kind, given, out, resume, before, loggers, as_json)


def _train(data, target, kind, given, out, resume, before, loggers, as_json) -> None:
    from cutaway.doctor.glance import glance
    from cutaway.doctor.sources import plan_of

    if not distributed.is_first():
        prepare(data, target, kind=kind, **given).join(resume=resume)
        return
    if out is not None and not resume:
        RunFolder(out).expect_free()  # before data are read and checked, which takes a while
    experiment = prepare(data, target, kind=kind, **given)
    if not as_json:
        _show_data(experiment)
        _show_network(experiment)
    before = before and experiment.has_checks and not resume
    checks = preflight(plan_of(experiment)) if before else None
    if checks is not None and not as_json:
        _show_checks(checks)
    command = "cutaway " + shlex.join(sys.argv[1:])
    plan = plan_of(experiment, rows=CHECKED_ROWS) if experiment.has_checks else None
    told = len(experiment.notes)
    progress = False if as_json else None
    run = experiment.train(out, resume=resume, callbacks=loggers, progress=progress)
    finding = None
    if plan is not None and experiment.trainer is not None and experiment.probes is not None:
        opened = experiment.opened()
        assert opened.trainer is not None  # after a training
        finding = glance(plan, opened.trainer, experiment.probes)
    if not as_json:
        _show_result(experiment, run)
        print_notes(experiment.notes[told:])
    learned = not experiment.warning(run)
    experiment.remarks = _remarks(checks, finding, glanced=plan is not None, learned=learned)
    worth = worth_seeing(experiment, run)
    path = shlex.quote(str(run.path))
    if worth is not None:
        experiment.explain = f"cutaway explain {path} --row {worth.row}"
    report = write_report(experiment, run, command=command)
    if as_json:
        summary = {
            "finding": None if finding is None else finding.to_dict(),
            "warning": experiment.warning(run) or None,
            "explain": None if worth is None else dataclasses.asdict(worth),
        }
        if checks is not None:
            summary["preflight"] = checks.to_dict()["findings"]
        print_json({"run": str(run.path), "report": str(report), **run.metrics, **summary})
        return
    if finding is not None:
        print(visible(f"\n{finding.text(brief=True)}"))
    kind = KINDS[experiment.kind]
    console.print(f"\nSaved to [bold]{escape(run.path)}[/]. Next steps:")
    follow_ups = [
        (str(report), "report for the browser: learning curves, scores, worst predictions"),
        kind.use(run.path),
        (f"cutaway evaluate {run.path} {kind.new[1]}", "score on other labeled data"),
        (f"cutaway summary {run.path}", "show the network layer by layer"),
    ]
    if worth is not None:
        follow_ups.append((experiment.explain, _fitted(worth.why)))
    why = "diagnose the training: what is wrong, and what fixes it"
    if finding is not None:
        why = f"more about the {finding.code.replace('_', ' ')}, and all other checks"
    follow_ups.append((f"cutaway doctor {path}", why))
    for command, what in follow_ups:
        console.print(f"  [bold]{escape(command)}[/]\n      {escape(what)}")
    if run.metrics["stopped"] == "interrupted":
        sys.exit(130)


def _remarks(checks, finding, *, glanced: bool, learned: bool) -> list[Remark]:
    """What the report says of the checks before and after the training.

    Args:
        glanced: whether the training was looked at when it was over.
        learned: whether it was worth it; if not, no finding means that the cause is unknown.
    """
    remarks = [] if checks is None else [Remark(checks.line())]
    found = [] if checks is None else [*checks.findings]
    if glanced and finding is None:
        what = "problems" if learned else "cause; the diagnosis looks further"
        remarks.append(Remark(f"After training: a quick check found no {what}"))
    for one in [*found, *([] if finding is None else [finding])]:
        measured = "; ".join(measure.text() for measure in one.evidence)
        fix = [f"Fix: {one.prescriptions[0].text}"] if one.prescriptions else []
        title = f"{one.code.replace('_', ' ').capitalize()}: {one.where}"
        remarks.append(Remark(title, (measured, one.explanation, *fix)))
    return remarks


def _fitted(text: str) -> str:
    """A text as lines that fit on the screen below a command."""
    return textwrap.fill(text, console.width - 7, subsequent_indent=" " * 6)


def _show_checks(checks) -> None:
    line = escape(checks.line())
    console.print(line if checks.healthy else f"[yellow]{line}[/]")
    for finding in checks.findings:
        console.print(escape(finding.text()), highlight=False)
    console.print()


def _show_data(experiment) -> None:
    rows = len(experiment.frame)
    source = escape(experiment.source)
    if experiment.source == str(students_path()):
        source = "students.csv (bundled with Cutaway)"
    by_column = KINDS[experiment.kind].lists_columns
    if by_column:
        columns = len(experiment.frame.columns)
        console.print(f"[bold]{source}[/]: {rows:,} rows, {columns} columns\n")
    else:
        console.print(f"[bold]{source}[/]: {rows:,} {experiment.preprocessing.examples}")
        console.print(f"{escape(experiment.why)}\n")
    headings = experiment.preprocessing.headings[:3]
    rows = [row[:3] for row in experiment.preprocessing.summary_rows()]
    if len(rows) > MAX_CLASSES and not by_column:
        rows = [*rows[:MAX_CLASSES], (f"... {len(rows) - MAX_CLASSES} more", "", "")]
    console.print(table(headings, rows))
    print_notes(experiment.notes)


def _show_network(experiment) -> None:
    options, spec = experiment.options, experiment.spec
    name = spec["model"]
    if name == "mlp":
        sizes = [len(experiment.preprocessing.features), *spec["layers"], spec["outputs"]]
        name = "-".join(map(str, sizes))
    if name == "table_ensemble":
        sizes = [len(experiment.preprocessing.features), *spec["layers"], spec["outputs"]]
        name = f"ensemble of {spec['members']} networks {'-'.join(map(str, sizes))}"
    if name == "transfer":
        name = f"head on {spec['from']}"
    steps = math.ceil(experiment.training_rows / experiment.batch_size)
    console.print(
        f"\nNetwork: {name}, {experiment.net.summary().total:,} parameters\n"
        f"Training: {experiment.training_line}, "
        f"{experiment.epochs} epoch{'s' * (experiment.epochs != 1)}, "
        f"batch size {experiment.batch_size}, {counted(steps, 'step')} per epoch\n"
        f"Data: {experiment.data_line}"
    )
    print_device(device(), options.precision)
    print()


def _show_result(experiment, run) -> None:
    metrics = run.metrics
    why = f" ({metrics['stopped']})" if metrics["stopped"] else ""
    epochs = f"{metrics['epochs']} epoch" + "s" * (metrics["epochs"] != 1)
    console.print(f"{epochs} in {metrics['seconds']:.1f} s{escape(why)}")
    monitor = experiment.options.MONITOR
    watched = score_in_words(monitor.removeprefix("val_"))
    kind = experiment.validation_kind.adjective
    best = f"{'lowest' if monitor == 'val_loss' else 'highest'} {kind} {watched}"
    best += experiment.kept_among
    if metrics["best_epoch"] is None:
        console.print("Kept the weights of the last epoch")
    else:
        console.print(f"Kept the weights of epoch {metrics['best_epoch']} ({best})")
        rises = overfits(run.history.rows, metrics["best_epoch"])
        print_notes([rises] if rises and not experiment.has_cycles else [])
    if "waited_for_data" in metrics:
        console.print(f"Waiting for data: {metrics['waited_for_data']:.1%} of the time")
    if experiment.stream is not None:
        print_notes(experiment.stream.notes)
    warning = experiment.warning(run)
    if warning:
        console.print(f"\n[yellow]{escape(warning)}[/]")
    console.print(f"\n{headline(experiment, metrics['validation'])}")
    print_scores(scores_of_sets(metrics))


def headline(experiment, scores: dict) -> str:
    """The main validation score beside that of the baseline, in one sentence."""
    target = f"[bold]{escape(experiment.target)}[/]"
    found = experiment.preprocessing.headline(
        scores, target, experiment.validation_rows, experiment.validation_kind
    )
    return f"{found.before}[bold green]{found.score}[/]{found.after}"
