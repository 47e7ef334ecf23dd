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
    from cutaway.doctor.sources import program_of

    experiment = prepare(data, target, kind=kind, **given)
    if not as_json:
        _show_data(experiment)
        _show_network(experiment)
    before = before and experiment.looked_at and not resume
    looked = preflight(program_of(experiment)) if before else None
    if looked is not None and not as_json:
        _show_look(looked)
    command = "cutaway " + shlex.join(sys.argv[1:])
    program = program_of(experiment, rows=LOOKED_AT) if experiment.looked_at else None
    run = experiment.train(out, resume=resume, progress=False if as_json else None)
    finding = None if program is None else glance(program, experiment.trainer, experiment.probes)
    if not as_json:
        _show_result(experiment, run)
    report = write_report(experiment, run, command=command)
    if as_json:
        told = {"finding": None if finding is None else finding.to_dict()}
        if looked is not None:
            told["preflight"] = looked.to_dict()["findings"]
        print_json({"run": str(run.path), "report": str(report), **run.metrics, **told})
        return
    if finding is not None:
        print(f"\n{finding.text(brief=True)}\n  More: cutaway doctor {shlex.quote(str(run.path))}")
    new, more = NEW.get(experiment.kind, ("NEW", "MORE"))
    use = (f"cutaway predict {run.path} {new}", "predictions for what is new")
    if experiment.kind == "language":
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


def _show_data(experiment) -> None:
    rows = len(experiment.frame)
    source = escape(experiment.source)
    if experiment.source == str(students_path()):
        source = "students.csv, which comes with Cutaway"
    if experiment.kind == "table":
        columns = len(experiment.frame.columns)
        console.print(f"[bold]{source}[/]: {rows:,} rows, {columns} columns\n")
    else:
        console.print(f"[bold]{source}[/]: {rows:,} {experiment.preprocessing.examples}")
        console.print(f"{escape(experiment.why)}\n")
    headings = experiment.preprocessing.headings[:3]
    shown = [row[:3] for row in experiment.preprocessing.summary_rows()]
    if len(shown) > MOST_CLASSES and experiment.kind != "table":
        shown = [*shown[:MOST_CLASSES], (f"... {len(shown) - MOST_CLASSES} more", "", "")]
    console.print(table(headings, shown))
    print_notes(experiment.notes)


def _show_network(experiment) -> None:
    options, spec, examples = experiment.options, experiment.spec, experiment.preprocessing.examples
    name = spec["model"]
    if name == "mlp":
        sizes = [len(experiment.preprocessing.features), *spec["layers"], spec["outputs"]]
        name = "-".join(map(str, sizes))
    if name == "transfer":
        name = f"head on {spec['from']}"
    console.print(
        f"\nNetwork {name}, {experiment.net.summary().total:,} parameters; "
        f"{options.optimizer}, lr {options.rate():g}, {experiment.epochs} epochs in batches of "
        f"{experiment.batch_size}, {experiment.training_rows:,} {examples} to train on, "
        f"{len(experiment.held):,} held out"
    )
    print_device(device(), options.precision)
    print()


def _show_result(experiment, run) -> None:
    metrics = run.metrics
    why = f" ({metrics['stopped']})" if metrics["stopped"] else ""
    console.print(
        f"{metrics['epochs']} epochs in {metrics['seconds']:.1f} s{escape(why)}; "
        f"the weights are those of epoch {metrics['best_epoch']}, the best on held-out "
        f"{experiment.preprocessing.examples}{_waited(metrics)}\n"
    )
    console.print(headline(experiment, metrics["validation"]))
    sets = {"training": "train", "held out": "validation", "test set": "test"}
    print_scores({name: metrics[key] for name, key in sets.items() if key in metrics})


def _waited(metrics) -> str:
    """What part of the time went into waiting for data, where they come as a stream."""
    if "waited_for_data" not in metrics:
        return ""
    return f"; {metrics['waited_for_data']:.1%} of the time went into waiting for data"


def headline(experiment, scores: dict) -> str:
    """How good it is on what was held out, in words, beside what guessing would give."""
    target, rows = escape(experiment.target), len(experiment.held)
    examples = experiment.preprocessing.examples
    if "nats_a_character" in scores:
        return (
            f"Foretells the held-out end of the text with [bold green]"
            f"{scores['nats_a_character']:.3f}[/] nats a character; knowing only how common each "
            f"is gives {scores['baseline_nats_a_character']:.3f}."
        )
    if experiment.preprocessing.task == "regression":
        unit = number(scores["mean_absolute_error"])
        guess = number(scores["baseline_mean_absolute_error"])
        return (
            f"Predicts [bold]{target}[/] within [bold green]{unit}[/] on average for {rows} "
            f"held-out {examples}; {experiment.preprocessing.baseline} is off by {guess}."
        )
    right, guess = scores["accuracy"], scores["baseline_accuracy"]
    return (
        f"Predicts [bold]{target}[/] right for [bold green]{round(right * rows)} of {rows}[/] "
        f"held-out {examples} ({right:.1%}); "
        f"always guessing the commonest is right for {guess:.1%}."
    )
