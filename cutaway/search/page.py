"""tune.html: what a search has tried, what mattered, and what the best is worth."""

from html import escape

from cutaway.search.study import ENOUGH
from cutaway.story.figures import svg_of
from cutaway.story.html import page, section, table

SHOWN = 40  # trials in the table
WORDS = {"weight_decay": "weight decay", "batch_size": "batch", "num_layers": "layers", "init": ""}


def tune_page(tuned) -> str:
    """The page as HTML.

    Args:
        tuned: search.result.Tuned.
    """
    summary = tuned.summary
    head = (
        f"<h1>{escape(summary['title'])}</h1>"
        f'<p class="soft">{counted(summary)}, of at most {summary["epochs"]} epochs each.</p>'
        f'<p class="headline">{escape(tuned.verdict())}</p>'
        f"<pre>cutaway predict {escape(str(tuned.path / 'best'))} NEW</pre>"
    )
    headings, rows = trial_rows(tuned, most=SHOWN)
    sections = [
        head,
        section("How the search went", f'<div class="chart">{svg_of(tuned.plot())}</div>'),
        section("What mattered", _mattered(summary)),
        section(f"The best {len(rows)} trials", table(headings, rows, range(4))),
    ]
    failed = [t for t in summary["trials"] if t["failed"]]
    if failed:
        reasons = [(str(t["trial"]), t["failed"]) for t in failed]
        sections.append(section("Trials that failed", table(("trial", "why"), reasons, (0,))))
    return page(f"Search: {summary['title']}", sections)


def counted(summary: dict) -> str:
    """How many trials there are, and how they ended, in words."""
    states = [t["state"] for t in summary["trials"]]
    text = f"{len(states)} of {summary['wanted']} trials"
    if len(states) >= summary["wanted"]:
        text = f"{len(states)} trials"
    parts = [f"{states.count('complete')} went through"]
    if "pruned" in states:
        parts.append(f"{states.count('pruned')} given up early")
    if "failed" in states:
        parts.append(f"{states.count('failed')} failed")
    return f"{text}: {', '.join(parts)}"


def trial_rows(tuned, *, most: int, columns=None):
    """(headings, rows) of the best trials; `columns` names options, by default all searched."""
    summary = tuned.summary
    ranked = tuned.ranked()[:most]
    fixed = ("trial", "state", "value", "epochs", "seconds", "parameters", "score", "failed")
    options = [name for name in ranked[0] if name not in fixed]
    options = [name for name in options if columns is None or name in columns]
    loss = summary["measure"].removeprefix("val_")
    score = summary["score"].replace("mean_absolute_error", "mean error").replace("_", " ")
    headings = ["trial", loss]
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


def _mattered(summary):
    shares = summary["importances"]
    if not shares:
        return (
            f"<p>Fewer than {ENOUGH} trials went through: too few to say. "
            "A larger --trials goes on with these.</p>"
        )
    rows = [(name, f"{share:.0%}") for name, share in shares.items()]
    return (
        '<p class="soft">Of the differences between the trials that went through, how much comes '
        "from each option by itself, over what was tried of it: functional analysis of variance "
        "(Hutter et al. 2014) of their ranks. It says what is worth choosing with care, not "
        "which value is best; with few trials it is rough.</p>"
        + table(("option", "share"), rows, (1,))
    )


def compare_page(found) -> str:
    """The page of a comparison as HTML.

    Args:
        found: search.compare.Comparison.
    """
    summary = found.summary
    headings, rows = found.table()
    examples, score = summary["examples"], summary["score"]
    head = (
        f"<h1>{escape(summary['title'])}: when does depth pay?</h1>"
        f'<p class="headline">{escape(found.verdict())}</p>'
        f'<div class="chart">{svg_of(found.plot())}</div>'
    )
    return page(
        f"When does depth pay: {summary['title']}",
        [
            head,
            section(
                f"{score[0].upper()}{score[1:]} by {examples} to train on",
                table(headings, rows, range(len(headings))),
            ),
            section("How it was measured", f"<p>{escape(how_measured(found))}</p>"),
        ],
    )


def how_measured(found) -> str:
    """What is behind the numbers, in words."""
    summary = found.summary
    examples, seeds = summary["examples"], summary["seeds"]
    tested = f"{summary['test_rows']:,}"
    if summary["redrawn"]:
        text = f"{seeds} seeds. Each divides the {examples} anew, {tested} to test on, and "
    else:
        text = f"{seeds} seeds; the {tested} test {examples} came with the data. Each seed "
    text += (
        "draws the smaller sizes from the others; all models get the same. ± is 95% by "
        "Student's t over the seeds"
    )
    if summary["redrawn"]:
        text += ", widened because the divisions overlap (Nadeau & Bengio 2003)"
    return text + (
        ". The verdict is about the differences seed by seed. The network has "
        f"{summary['parameters']:,} parameters and holds a part of its {examples} out to choose "
        "the epoch; scikit-learn's models have their defaults and train on all of them. How "
        f"{examples} are encoded (scaling, words) is the same for all models and sizes."
    )
