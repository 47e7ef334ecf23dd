"""cutaway train."""

import shlex
import sys

from cutaway.cli.show import console, escape, number, print_json, print_notes, print_scores, table
from cutaway.data import students_path
from cutaway.runs import prepare_table, write_report


def train_command(data, target, options, *, out, resume, as_json) -> None:
    prepared = prepare_table(data, target, options)
    if not as_json:
        _show_data(prepared)
        _show_network(prepared)
    command = "cutaway " + shlex.join(sys.argv[1:])
    run = prepared.train(out, resume=resume, progress=False if as_json else None)
    if not as_json:
        _show_result(prepared, run)
    report = write_report(prepared, run, command=command)
    if as_json:
        print_json({"run": str(run.path), "report": str(report), **run.metrics})
        return
    console.print(f"\nSaved in [bold]{escape(run.path)}[/]. What now:")
    follow_ups = [
        (str(report), "the report, for your browser: curves, and the rows it got most wrong"),
        (f"cutaway predict {run.path} NEW.csv", "predictions for new rows"),
        (f"cutaway evaluate {run.path} MORE.csv", "how good it is on other rows"),
        (f"cutaway summary {run.path}", "the network, layer by layer"),
    ]
    for command, what in follow_ups:
        console.print(f"  [bold]{escape(command)}[/]\n      {what}")
    if run.metrics["stopped"] == "interrupted":
        sys.exit(130)


def _show_data(prepared) -> None:
    rows = len(prepared.frame)
    source = escape(prepared.source)
    if prepared.source == str(students_path()):
        source = "students.csv, which comes with Cutaway"
    console.print(f"[bold]{source}[/]: {rows:,} rows, {len(prepared.frame.columns)} columns\n")
    shown = [(name, kind, done) for name, kind, done, *_ in prepared.preprocessing.summary_rows()]
    console.print(table(["column", "kind", "what is done with it"], shown))
    print_notes(prepared.notes)


def _show_network(prepared) -> None:
    options, spec = prepared.options, prepared.spec
    sizes = [len(prepared.preprocessing.features), *spec["layers"], spec["outputs"]]
    console.print(
        f"\nNetwork {'-'.join(map(str, sizes))}, {prepared.net.summary().total:,} parameters; "
        f"{options.optimizer}, lr {options.rate():g}, {prepared.epochs} epochs in batches of "
        f"{prepared.batch_size}, {len(prepared.training):,} rows to train on, "
        f"{len(prepared.held):,} held out\n"
    )


def _show_result(prepared, run) -> None:
    metrics = run.metrics
    why = f" ({metrics['stopped']})" if metrics["stopped"] else ""
    console.print(
        f"{metrics['epochs']} epochs in {metrics['seconds']:.1f} s{escape(why)}; "
        f"the weights are those of epoch {metrics['best_epoch']}, the best on held-out rows\n"
    )
    console.print(headline(prepared, metrics["validation"]))
    print_scores({"training": metrics["train"], "held out": metrics["validation"]})


def headline(prepared, scores: dict) -> str:
    """How good it is on held-out rows, in words, beside what guessing would give."""
    target, rows = escape(prepared.target), len(prepared.held)
    if prepared.preprocessing.task == "regression":
        unit = number(scores["mean_absolute_error"])
        guess = number(scores["baseline_mean_absolute_error"])
        return (
            f"Predicts [bold]{target}[/] within [bold green]{unit}[/] on average for {rows} "
            f"held-out rows; always guessing the mean is off by {guess}."
        )
    right, guess = scores["accuracy"], scores["baseline_accuracy"]
    return (
        f"Predicts [bold]{target}[/] right for [bold green]{round(right * rows)} of {rows}[/] "
        f"held-out rows ({right:.1%}); always guessing the commonest is right for {guess:.1%}."
    )
