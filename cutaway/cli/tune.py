"""cutaway tune."""

import sys
import textwrap

from cutaway.cli.show import console, escape, print_json, table
from cutaway.runs.kinds import KINDS

SHOWN = 8
COLUMNS = ("optimizer", "lr", "layers", "batch_size", "dropout", "width", "hidden", "num_layers")


def tune_command(data, target, kind, given, *, trials, jobs, out, log, study, as_json) -> None:
    from cutaway.search.hyperparameters import tune
    from cutaway.search.page import counted, trial_rows

    tell = None if as_json else _TrialPrinter(trials)
    options = {"trials": trials, "jobs": jobs, "out": out, "log": log, "study": study}
    found = tune(data, target, kind=kind, on_trial=tell, **options, **given)
    done = len(found.summary["trials"])
    if as_json:
        print_json({"out": str(found.path), **found.summary})
    else:
        headings, rows = trial_rows(found, most=SHOWN, columns=COLUMNS)
        console.print(f"\n{counted(found.summary)}. Best trials:\n")
        console.print(table(headings, rows, right=range(4)))
        _print_importances(found)
        console.print("\n" + escape(textwrap.fill(found.verdict(), 79)) + "\n", highlight=False)
        use, use_for = KINDS[found.summary["kind"]].use(found.path / "best")
        for command, what in (
            (str(found.report), "report for the browser: trials and hyperparameter importances"),
            (use, f"{use_for} with the best run"),
        ):
            console.print(f"  [bold]{escape(command)}[/]\n      {what}", soft_wrap=True)
    if done < trials:
        if not as_json:
            print(
                f"\nInterrupted after {done} of {trials} trials; repeat the command to resume.",
                file=sys.stderr,
            )
        sys.exit(130)


class _TrialPrinter:
    """Prints a line for each finished trial."""

    def __init__(self, trials):
        self.trials = trials
        self.begun = False

    def __call__(self, finished):
        done = len(finished)
        if not self.begun and done > 1:
            console.print(f"[dim]resuming after {_trials(done - 1)}[/]")
        self.begun = True
        trial = finished[-1]
        state = trial.state.name
        values = trial.params
        summary = [_value(n, v) for n, v in values.items() if n in ("optimizer", "rate_factor")]
        if state == "COMPLETE":
            how = f"{trial.value:<8.4g}"
        elif state == "PRUNED":
            how = f"pruned at epoch {trial.user_attrs['pruned']}"
        else:
            how = "failed"
        line = f"trial {done:>3} of {self.trials}  {how}  {' '.join(summary)}".rstrip()
        if state == "FAIL":
            line += f" {trial.user_attrs['failed']}"
        console.print(escape(line[:79]), highlight=False)


def _trials(count):
    return "1 trial" if count == 1 else f"{count} trials"


def _value(name, value):
    return f"lr × {value:.2g}" if name == "rate_factor" else str(value)


def _print_importances(found) -> None:
    if not found.importances:
        return
    widest = max(found.importances.values()) or 1.0
    rows = [
        (name, f"{importance:.0%}", "█" * round(30 * importance / widest))
        for name, importance in found.importances.items()
    ]
    console.print("\nHyperparameter importances (fANOVA):\n")
    console.print(table(("option", "importance", ""), rows, right=(1,)))
