"""report.html: one page that says what was done with a table and how good the result is."""

import dataclasses
import math
from html import escape

import numpy as np

from cutaway.diagram import draw
from cutaway.metrics import confusion_matrix
from cutaway.runs.charts import curves, layer_flow, residuals
from cutaway.story.html import Markup, page, section, table

WORST = 10
NUMBERS = {"missing", "different", "training rows", "share"}  # headings over numbers
FEW_ROWS = 100  # with fewer held-out rows, the accuracy is given with an interval


@dataclasses.dataclass(frozen=True)
class ReportData:
    """What the page shows.

    Attributes:
        title: for example "students.csv → passed".
        command: the command line that made the run.
        run: path of the run's folder.
        config: {setting: value}.
        headings, columns: of the table about the data; see Preprocessing.summary_rows.
        notes: what was noticed in the data.
        net, history, best_epoch, metrics: of the run.
        probes: frame of what the layers did in training, or None; see train.Probes.
        examples: what the examples are, in the plural.
        input_shape: of one example.
        feature_names: of the inputs; None where they have none.
        classes: names of the classes; None for regression.
        target: name of the target.
        truth: (rows,) class numbers or values of the held-out rows, for series (rows, horizon).
        outputs: (rows, classes) probabilities, or values of the shape of truth.
        rows: the held-out rows as a polars frame, in the same order.
        row_numbers: (rows,) their numbers in the source, 1 for the first.
        pictures: a function for each held-out row that gives an image element, or None.
        baseline: what the error is compared with, in words.
        chart: an SVG of the held-out rows beside what was predicted for them, or None.
        more: [(heading, HTML)] of sections after the errors.
    """

    title: str
    command: str
    run: str
    config: dict
    headings: tuple
    columns: list
    notes: list
    net: object
    input_shape: tuple
    feature_names: list | None
    history: object
    best_epoch: int | None
    metrics: dict
    examples: str
    classes: list | None
    target: str
    truth: np.ndarray
    outputs: np.ndarray
    rows: object
    row_numbers: np.ndarray
    pictures: list | None = None
    baseline: str = "always guessing the mean"
    chart: str | None = None
    probes: object = None
    more: list = dataclasses.field(default_factory=list)


def render(data: ReportData) -> str:
    """The page as HTML."""
    sections = [
        _head(data),
        section("The data", _data(data)),
        section("The network", _network(data)),
        section("How it learned", _learning(data)),
        section("Where it is right and wrong", _errors(data)),
        *(section(heading, body) for heading, body in data.more),
        section(
            f"The {min(WORST, len(data.truth))} {data.examples} it got most wrong", _worst(data)
        ),
        section("Settings", _settings(data)),
    ]
    return page(data.title, sections)


def language_page(data: ReportData, sample: str) -> str:
    """The page of a model of language, as HTML; of `data` truth, outputs and rows are not used.

    Args:
        sample: what the model wrote by itself.
    """
    scores = data.metrics["validation"]
    head = (
        f"<h1>{escape(data.title)}</h1>"
        '<p class="soft">The last part of the text was held out; the network never learned from '
        "it, and the numbers are about it. It did decide which weights were kept.</p>"
        f'<p class="headline">Expects each character of new text at '
        f"<b>{scores['nats_a_character']:.3f}</b> nats; knowing only how common each "
        f"{escape(data.target.removeprefix('next '))} is costs "
        f"{scores['baseline_nats_a_character']:.3f}.</p>"
        f"<pre>cutaway generate {escape(data.run)} --prompt TEXT</pre>"
    )
    sections = [
        head,
        section("What it writes by itself", f"<pre>{escape(sample)}</pre>"),
        section("The data", _data(data)),
        section("The network", _network(data)),
        section("How it learned", _learning(data)),
        section("Scores", _scores_table(data.metrics)),
        section("Settings", _settings(data)),
    ]
    return page(data.title, sections)


def _head(data):
    return (
        f"<h1>{escape(data.title)}</h1>"
        f'<p class="soft">{len(data.truth):,} {data.examples} were held out; the network never '
        f"learned from them, and what follows is about them. They did decide which weights were "
        f"kept, so new {data.examples} may turn out a little worse.</p>"
        f'<p class="headline">{_verdict(data)}</p>'
        f"<pre>cutaway predict {escape(data.run)} NEW</pre>"
    )


def _verdict(data):
    scores, rows = data.metrics["validation"], len(data.truth)
    target = f"<code>{escape(data.target)}</code>"
    if data.classes is None:
        return (
            f"Predicts {target} within <b>{scores['mean_absolute_error']:.4g}</b> on average; "
            f"{data.baseline} is off by {scores['baseline_mean_absolute_error']:.4g}."
        )
    right = round(scores["accuracy"] * rows)
    text = (
        f"Predicts {target} right for <b>{right} of {rows}</b> {data.examples} "
        f"({scores['accuracy']:.1%}); always guessing the commonest is right for "
        f"{scores['baseline_accuracy']:.1%}."
    )
    if rows < FEW_ROWS:
        low, high = wilson_interval(right, rows)
        text += (
            f' <span class="soft">With so few rows, the true share may well lie anywhere from '
            f"{low:.0%} to {high:.0%}.</span>"
        )
    return text


def wilson_interval(right: int, rows: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share at 95%. Wilson 1927, "Probable inference", JASA 22."""
    share = right / rows
    middle = share + z * z / (2 * rows)
    spread = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def _data(data):
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.notes)
    numbers = [k for k, name in enumerate(data.headings) if name in NUMBERS]
    return table(data.headings, data.columns, numbers) + (f"<ul>{notes}</ul>" if notes else "")


def _network(data):
    outputs = data.classes if data.classes is not None and len(data.classes) > 2 else None
    summary = data.net.summary(data.input_shape)
    rows = [(r.path, r.layer, r.output, f"{r.parameters:,}") for r in summary.rows]
    rows.append(("", "trainable parameters", "", f"{summary.total:,}"))
    layers = table(("path", "layer", "output shape", "parameters"), rows, numbers=(3,))
    picture = draw(
        data.net,
        input_shape=tuple(data.input_shape),
        input_names=data.feature_names,
        output_names=[str(c) for c in outputs] if outputs else [data.target],
    )
    return f'<div class="scroll">{picture.svg}</div>{layers}'


def _learning(data):
    if not len(data.history):
        return "<p>No epoch was completed.</p>"
    metrics = data.metrics
    where = ""
    if "device" in metrics:  # runs of older versions do not say
        where = f" on the {escape(metrics['device'])}, in {metrics['precision']}"
    why = f" It ended because {escape(metrics['stopped'])}." if metrics.get("stopped") else ""
    best = (
        f" The weights kept are those of epoch {data.best_epoch}, the best on held-out "
        f"{data.examples}."
        if data.best_epoch
        else ""
    )
    return (
        f"<p>{metrics['epochs']} epochs in {metrics['seconds']:.1f} s{where}.{why}{best}</p>"
        f'<div class="chart">{curves(data.history, data.best_epoch)}</div>' + _flow(data)
    )


def _flow(data):
    """What the layers did in training, if it was measured and there are several."""
    chart = None if data.probes is None else layer_flow(data.probes)
    if chart is None:
        return ""
    return (
        '<p class="soft">Layer by layer, the first one left: how large the gradient is that '
        "reaches it, and by what share of its weights one step changes them.</p>"
        f'<div class="chart">{chart}</div>'
    )


def _errors(data):
    scores = _scores_table(data.metrics)
    if data.classes is None:
        shown = residuals(data.truth.ravel(), data.outputs.ravel(), data.target)
        charts = [shown] if data.chart is None else [data.chart, shown]
        return scores + "".join(f'<div class="chart">{chart}</div>' for chart in charts)
    return scores + _confusion(data)


def _scores_table(metrics):
    names = {"training": "train", "held out": "validation", "test set": "test"}
    sets = {heading: metrics[key] for heading, key in names.items() if key in metrics}
    rows = [
        (score.replace("_", " "), *(_number(found[score]) for found in sets.values()))
        for score in metrics["validation"]
    ]
    return table(("score", *sets), rows, numbers=range(1, len(sets) + 1))


def _confusion(data):
    names = [str(c) for c in data.classes]
    matrix = confusion_matrix(data.truth, data.outputs.argmax(axis=1), len(names))
    body = ""
    for name, row in zip(names, matrix, strict=True):
        total = max(1, row.sum())
        cells = "".join(
            f'<td style="background:color-mix(in srgb, var(--accent) {70 * n / total:.0f}%, '
            f'var(--tint))">{n}<small>{n / total:.0%}</small></td>'
            for n in row
        )
        body += f"<tr><th>{escape(name)}</th>{cells}</tr>"
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return (
        '<p class="soft">Rows are the true classes, columns what was predicted; shares are of the '
        "true class.</p>"
        f'<div class="scroll"><table class="matrix"><tr><th></th>{head}</tr>{body}</table></div>'
    )


def _worst(data):
    if data.classes is None:
        # rows of several values, of which the report shows the means
        truth = data.truth.reshape(len(data.truth), -1)
        outputs = data.outputs.reshape(truth.shape)
        wrong = np.abs(outputs - truth).mean(axis=1)
        steps = truth.shape[1]
        of = "" if steps == 1 else f", mean of {steps} steps"
        headings = ["row", f"true {data.target}{of}", f"predicted{of}", f"off by{of}"]
    else:
        chance = data.outputs[np.arange(len(data.truth)), data.truth]
        wrong = -chance
        headings = ["row", f"true {data.target}", "predicted", "chance given to the truth"]
    order = np.argsort(-wrong, kind="stable")[:WORST]
    others = [
        name
        for name in data.rows.columns
        if name != data.target and not data.rows[name].dtype.is_nested()
    ]
    rows = []
    for k in order:
        if data.classes is None:
            told = [_number(float(truth[k].mean())), _number(float(outputs[k].mean()))]
            told.append(_number(float(wrong[k])))
        else:
            told = [str(data.classes[data.truth[k]]), str(data.classes[data.outputs[k].argmax()])]
            told.append(f"{chance[k]:.1%}")
        cells = data.rows.row(int(k), named=True)
        values = ["" if cells[name] is None else str(cells[name]) for name in others]
        row = [f"{data.row_numbers[k]:,}", *told, *values]
        rows.append([*row, Markup(data.pictures[k]())] if data.pictures else row)
    headings = [*headings, *others, *([""] if data.pictures else [])]
    return table(headings, rows, numbers=(0, 3))


def _settings(data):
    rows = [(str(name), str(value)) for name, value in data.config.items() if value is not None]
    command = f"<pre>{escape(data.command)}</pre>" if data.command else ""
    return command + table(("setting", "value"), rows)


def _number(value):
    return "–" if value is None else f"{value:.4g}"
