"""tune.html and compare.html: the reports of a search and of learning curves."""

from html import escape

from cutaway.runs.kinds import KINDS
from cutaway.runs.preprocessing import score_in_words
from cutaway.search.charts import compare_chart, tune_chart
from cutaway.search.study import ENOUGH
from cutaway.story.html import Markup, page, section, table

SHOWN = 40  # trials in the table
BAR = '<div class="bar"><div style="width:{:.0%}"></div></div>'
WORDS = {"weight_decay": "weight decay", "batch_size": "batch", "num_layers": "layers", "init": ""}


def tune_page(tuned) -> str:
    """The page as HTML.

    Args:
        tuned: search.result.Tuned.
    """
    summary = tuned.summary
    command, _ = KINDS[summary["kind"]].use(tuned.path / "best")
    head = (
        f"<h1>{escape(summary['title'])}</h1>"
        f'<p class="headline">{escape(tuned.verdict())}</p>'
        f'<div class="next"><p><b>Next:</b> use the best run on new data:</p>'
        f"<pre>{escape(command)}</pre></div>"
        f'<p class="soft">{counted(summary)}; at most {summary["epochs"]} epochs each.</p>'
    )
    headings, rows = trial_rows(tuned, most=SHOWN)
    sections = [
        head,
        section("Optimization history", tune_chart(summary)),
        section("Hyperparameter importances", _importances(summary)),
        section(f"The best {len(rows)} trials", table(headings, rows, range(4))),
    ]
    failed = [t for t in summary["trials"] if t["failed"]]
    if failed:
        reasons = [(str(t["trial"]), t["failed"]) for t in failed]
        sections.append(section("Failed trials", table(("trial", "error"), reasons, (0,))))
    return page(f"Search: {summary['title']}", sections)


def counted(summary: dict) -> str:
    """The number of trials by state, in words."""
    states = [t["state"] for t in summary["trials"]]
    text = f"{len(states)} of {summary['wanted']} trials"
    if len(states) >= summary["wanted"]:
        text = f"{len(states)} trial{'s' if len(states) != 1 else ''}"
    parts = [f"{states.count('complete')} completed"]
    if "pruned" in states:
        parts.append(f"{states.count('pruned')} pruned")
    if "failed" in states:
        parts.append(f"{states.count('failed')} failed")
    return f"{text}: {', '.join(parts)}"


def trial_rows(tuned, *, most: int, columns=None):
    """(headings, rows) of the best trials; `columns`: option names, by default all searched."""
    summary = tuned.summary
    ranked = tuned.ranked()[:most]
    fixed = ("trial", "state", "value", "epochs", "seconds", "parameters", "score", "failed")
    options = [name for name in ranked[0] if name not in fixed]
    options = [name for name in options if columns is None or name in columns]
    loss = summary["measure"].removeprefix("val_")
    score = score_in_words(summary["score"].replace("mean_absolute_error", "mean_error"))
    headings = ["trial", score_in_words(loss)]
    if summary["score"] != loss:
        headings.append(score)
    headings += ["seconds", *(WORDS.get(n, n) or n for n in options)]
    rows = []
    for trial in ranked:
        row = [str(trial["trial"]), f"{trial['value']:.4g}"]
        if summary["score"] != loss:
            row.append("" if trial["score"] is None else f"{trial['score']:.4g}")
        row.append(f"{trial['seconds']:.1f}")
        rows.append(row + [_written(trial.get(name)) for name in options])
    return headings, rows


def _written(value) -> str:
    if isinstance(value, float):
        return f"{value:.2g}"
    if isinstance(value, list):
        if len(value) > 2 and len(set(value)) == 1:
            return f"{len(value)} × {value[0]}"
        return "-".join(map(str, value))
    return "" if value is None else str(value)


def _importances(summary):
    importances = summary["importances"]
    if not importances:
        return (
            f"<p>Too few trials: at least {ENOUGH} must complete. "
            "A larger --trials continues the search.</p>"
        )
    rows = [
        (
            name,
            Markup(f'<div class="bar"><div style="width:{part:.0%}"></div></div>'),
            f"{part:.0%}",
        )
        for name, part in importances.items()
    ]
    return (
        '<p class="soft">The fraction of the variance between completed trials that each option '
        "explains by itself over its search range: functional ANOVA (Hutter et al. 2014) of the "
        "trials' ranks. It shows which options to choose with care, not which values are best, "
        "and is rough with few trials.</p>" + table(("option", "", "importance"), rows, (2,))
    )


def compare_page(found) -> str:
    """The page of a comparison as HTML.

    Args:
        found: search.learning_curve.Comparison.
    """
    summary = found.summary
    headings, rows = found.table()
    examples, score = summary["examples"], summary["score"]
    head = (
        f"<h1>{escape(summary['title'])}: learning curves</h1>"
        f'<p class="headline">{escape(found.verdict())}</p>'
        f"{compare_chart(found)}"
    )
    return page(
        f"Learning curves: {summary['title']}",
        [
            head,
            section(
                f"Test {score} by number of training {examples}",
                table(headings, rows, range(len(headings))),
            ),
            section("Method", f"<p>{escape(how_measured(found))}</p>"),
        ],
    )


def how_measured(found) -> str:
    """How the scores were measured, in words."""
    summary = found.summary
    examples, seeds = summary["examples"], summary["seeds"]
    tested = f"{summary['test_rows']:,}"
    if seeds == 1:
        drawn = "drawn at random" if summary["redrawn"] else "that came with the data"
        text = f"One seed: {tested} test {examples} {drawn}; it "
    elif summary["redrawn"]:
        text = f"{seeds} seeds, each with a new test set of {tested} {examples}; each seed "
    else:
        text = f"{seeds} seeds; the {tested} test {examples} came with the data. Each seed "
    text += "samples the training sets from the remaining ones, the same for all models"
    if seeds > 1:
        text += ". ± is a 95% confidence interval by Student's t over the seeds"
        if summary["redrawn"]:
            text += ", corrected for overlapping splits (Nadeau & Bengio 2003)"
        text += ". The verdict is based on paired differences per seed"
    if "method" in summary:
        return text + (
            f". The network has {summary['parameters']:,} parameters. {summary['method']}"
        )
    return text + (
        f". The network has {summary['parameters']:,} parameters and uses part of its "
        f"training {examples} for validation, to choose the epoch; scikit-learn's models have "
        f"their default options and train on all of them. The {examples} are encoded (scaling, "
        "tokens) in the same way for all models and sizes."
    )
