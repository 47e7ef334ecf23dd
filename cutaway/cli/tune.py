"""cutaway tune."""

import sys
import textwrap

from cutaway.cli.show import console, escape, print_json, table

SHOWN = 8
COLUMNS = ("optimizer", "lr", "layers", "batch_size", "dropout", "width", "hidden", "num_layers")


def tune_command(data, target, kind, given, *, trials, jobs, out, as_json) -> None:
    from cutaway.search.hyperparameters import tune
    from cutaway.search.page import counted, trial_rows

    tell = None if as_json else _Teller(trials)
    found = tune(data, target, kind=kind, trials=trials, jobs=jobs, out=out, on_trial=tell, **given)
    done = len(found.summary["trials"])
    if as_json:
        print_json({"out": str(found.path), **found.summary})
    else:
        headings, rows = trial_rows(found, most=SHOWN, columns=COLUMNS)
        console.print(f"\n{counted(found.summary)}. The best of them:\n")
        console.print(table(headings, rows, right=range(4)))
        _print_importances(found)
        console.print("\n" + escape(textwrap.fill(found.verdict(), 79)) + "\n", highlight=False)
        best = found.path / "best"
        for command, what in (
            (str(found.report), "the search, for your browser: all trials, and what mattered"),
            (f"cutaway predict {best} NEW", "predictions by the best, which is a run like others"),
        ):
            console.print(f"  [bold]{escape(command)}[/]\n      {what}", soft_wrap=True)
    if done < trials:
        if not as_json:
            print(
                f"\nInterrupted after {done} of {trials} trials; the same command goes on.",
                file=sys.stderr,
            )
        sys.exit(130)


class _Teller:
    """Prints a line for each trial that has ended."""

    def __init__(self, trials):
        self.trials = trials
        self.begun = False

    def __call__(self, found):
        done = len(found)
        if not self.begun and done > 1:
            console.print(f"[dim]going on after {_trials(done - 1)}[/]")
        self.begun = True
        trial = found[-1]
        state = trial.state.name
        values = trial.params
        summary = [_value(n, v) for n, v in values.items() if n in ("optimizer", "rate_factor")]
        if state == "COMPLETE":
            how = f"{trial.value:<8.4g}"
        elif state == "PRUNED":
            how = f"given up at epoch {trial.user_attrs['pruned']}"
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
        (name, f"{share:.0%}", "█" * round(30 * share / widest))
        for name, share in found.importances.items()
    ]
    console.print("\nWhat the differences between the trials come from:\n")
    console.print(table(("option", "share", ""), rows, right=(1,)))
