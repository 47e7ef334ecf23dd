"""cutaway train."""

import shlex
import sys

from cutaway.cli.show import (
    console,
    escape,
    number,
    print_device,
    print_json,
    print_notes,
    print_scores,
    table,
)
from cutaway.data import students_path
from cutaway.doctor.preflight import preflight
from cutaway.runs import prepare, write_report
from cutaway.runtime import device

MOST_CLASSES = 20
LOOKED_AT = 1000  # rows that the doctor has a glance at
NEW = {"table": ("NEW.csv", "MORE.csv"), "labeled series": ("NEW.tsv", "MORE.tsv")}


def train_command(data, target, kind, given, *, out, resume, before, as_json) -> None:
    from cutaway.doctor.glance import glance
    from cutaway.doctor.programs import program_of

    prepared = prepare(data, target, kind=kind, **given)
    if not as_json:
        _show_data(prepared)
        _show_network(prepared)
    before = before and prepared.looked_at and not resume
    looked = preflight(program_of(prepared)) if before else None
    if looked is not None and not as_json:
        _show_look(looked)
    command = "cutaway " + shlex.join(sys.argv[1:])
    program = program_of(prepared, rows=LOOKED_AT) if prepared.looked_at else None
    run = prepared.train(out, resume=resume, progress=False if as_json else None)
    finding = None if program is None else glance(program, prepared.trainer, prepared.probes)
    if not as_json:
        _show_result(prepared, run)
    report = write_report(prepared, run, command=command)
    if as_json:
        told = {"finding": None if finding is None else finding.to_dict()}
        if looked is not None:
            told["preflight"] = looked.to_dict()["findings"]
        print_json({"run": str(run.path), "report": str(report), **run.metrics, **told})
        return
    if finding is not None:
        print(f"\n{finding.text(brief=True)}\n  More: cutaway doctor {shlex.quote(str(run.path))}")
    new, more = NEW.get(prepared.kind, ("NEW", "MORE"))
    use = (f"cutaway predict {run.path} {new}", "predictions for what is new")
    if prepared.kind == "language":
        use = (f"cutaway generate {run.path}", "text in the manner of what it has read")
    console.print(f"\nSaved in [bold]{escape(run.path)}[/]. What now:")
    follow_ups = [
        (str(report), "the report, for your browser: curves, and the rows it got most wrong"),
        use,
        (f"cutaway evaluate {run.path} {more}", "how good it is on other data"),
        (f"cutaway summary {run.path}", "the network, layer by layer"),
    ]
    for command, what in follow_ups:
        console.print(f"  [bold]{escape(command)}[/]\n      {what}")
    if run.metrics["stopped"] == "interrupted":
        sys.exit(130)


def _show_look(looked) -> None:
    line = escape(looked.line())
    console.print(line if looked.healthy else f"[yellow]{line}[/]")
    for finding in looked.findings:
        console.print(escape(finding.text()), highlight=False)
    console.print()


def _show_data(prepared) -> None:
    rows = len(prepared.frame)
    source = escape(prepared.source)
    if prepared.source == str(students_path()):
        source = "students.csv, which comes with Cutaway"
    if prepared.kind == "table":
        columns = len(prepared.frame.columns)
        console.print(f"[bold]{source}[/]: {rows:,} rows, {columns} columns\n")
    else:
        console.print(f"[bold]{source}[/]: {rows:,} {prepared.preprocessing.things}")
        console.print(f"{escape(prepared.why)}\n")
    headings = prepared.preprocessing.headings[:3]
    shown = [row[:3] for row in prepared.preprocessing.summary_rows()]
    if len(shown) > MOST_CLASSES and prepared.kind != "table":
        shown = [*shown[:MOST_CLASSES], (f"... {len(shown) - MOST_CLASSES} more", "", "")]
    console.print(table(headings, shown))
    print_notes(prepared.notes)


def _show_network(prepared) -> None:
    options, spec, things = prepared.options, prepared.spec, prepared.preprocessing.things
    name = spec["model"]
    if name == "mlp":
        sizes = [len(prepared.preprocessing.features), *spec["layers"], spec["outputs"]]
        name = "-".join(map(str, sizes))
    if name == "transfer":
        name = f"head on {spec['from']}"
    console.print(
        f"\nNetwork {name}, {prepared.net.summary().total:,} parameters; "
        f"{options.optimizer}, lr {options.rate():g}, {prepared.epochs} epochs in batches of "
        f"{prepared.batch_size}, {prepared.training_rows:,} {things} to train on, "
        f"{len(prepared.held):,} held out"
    )
    print_device(device(), options.precision)
    print()


def _show_result(prepared, run) -> None:
    metrics = run.metrics
    why = f" ({metrics['stopped']})" if metrics["stopped"] else ""
    console.print(
        f"{metrics['epochs']} epochs in {metrics['seconds']:.1f} s{escape(why)}; "
        f"the weights are those of epoch {metrics['best_epoch']}, the best on held-out "
        f"{prepared.preprocessing.things}{_waited(metrics)}\n"
    )
    console.print(headline(prepared, metrics["validation"]))
    sets = {"training": "train", "held out": "validation", "test set": "test"}
    print_scores({name: metrics[key] for name, key in sets.items() if key in metrics})


def _waited(metrics) -> str:
    """What part of the time went into waiting for data, where they come as a stream."""
    if "waited_for_data" not in metrics:
        return ""
    return f"; {metrics['waited_for_data']:.1%} of the time went into waiting for data"


def headline(prepared, scores: dict) -> str:
    """How good it is on what was held out, in words, beside what guessing would give."""
    target, rows = escape(prepared.target), len(prepared.held)
    things = prepared.preprocessing.things
    if "nats_a_character" in scores:
        return (
            f"Foretells the held-out end of the text with [bold green]"
            f"{scores['nats_a_character']:.3f}[/] nats a character; knowing only how common each "
            f"is gives {scores['baseline_nats_a_character']:.3f}."
        )
    if prepared.preprocessing.task == "regression":
        unit = number(scores["mean_absolute_error"])
        guess = number(scores["baseline_mean_absolute_error"])
        return (
            f"Predicts [bold]{target}[/] within [bold green]{unit}[/] on average for {rows} "
            f"held-out {things}; {prepared.preprocessing.baseline} is off by {guess}."
        )
    right, guess = scores["accuracy"], scores["baseline_accuracy"]
    return (
        f"Predicts [bold]{target}[/] right for [bold green]{round(right * rows)} of {rows}[/] "
        f"held-out {things} ({right:.1%}); always guessing the commonest is right for {guess:.1%}."
    )
