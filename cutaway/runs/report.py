"""report.html: data, network, training, scores and errors of a run on one page."""

import dataclasses
import math
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from cutaway.diagram import draw
from cutaway.metrics import confusion_matrix
from cutaway.nn import Module
from cutaway.runs.charts import curves, layer_flow, residuals
from cutaway.runs.preprocessing import score_in_words
from cutaway.story.html import Markup, page, section, table
from cutaway.train import History

if TYPE_CHECKING:
    import polars as pl

TALLEST = 1500  # pixels of a drawing of the network; of a taller one the parts are shown first
WORST = 10
NUMBERS = {"missing", "distinct", "training rows", "fraction", "count"}  # headings over numbers
FEW_ROWS = 100  # with fewer validation rows, the accuracy gets a confidence interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportData:
    """The contents of the page.

    Attributes:
        title: for example "students.csv → passed".
        command: the command line of the training.
        use: the command to use the run with.
        config: {setting: value}.
        headings, columns: of the table about the data; see Preprocessing.summary_rows.
        notes: messages about the data.
        net, history, best_epoch, metrics: of the run.
        probes: frame of layer statistics, or None; see train.Probes.
        examples: what an example is, in the plural.
        input_shape: of one example.
        feature_names: of the inputs, or None.
        classes: names of the classes; None for regression.
        target: name of the target.
        truth: (rows,) class numbers or values of the validation rows, for series (rows, horizon).
        outputs: (rows, classes) probabilities, or values of the shape of truth.
        rows: the validation rows as a polars frame, in the same order.
        row_numbers: (rows,) their numbers in the source, counted from 1.
        pictures: a function that returns an image element, for each validation row; or None.
        baseline: of the error, in words.
        chart: an SVG of the validation rows and their predictions, or None.
        extra_sections: [(heading, HTML)] of sections after the errors.
    """

    title: str
    command: str
    use: str
    config: dict
    headings: tuple
    columns: list
    notes: list
    net: Module
    input_shape: tuple
    history: History
    best_epoch: int | None
    metrics: dict
    examples: str
    target: str
    feature_names: list | None = None
    classes: list | None = None
    truth: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    outputs: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    rows: "pl.DataFrame | None" = None
    row_numbers: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    pictures: list | None = None
    baseline: str = "predicting the mean"
    chart: str | None = None
    probes: "pl.DataFrame | None" = None
    extra_sections: list = dataclasses.field(default_factory=list)


def render(data: ReportData) -> str:
    """The page as HTML."""
    sections = [
        _head(data),
        section("Data", _data(data)),
        section("Network", _network(data)),
        section("Training", _learning(data)),
        section("Scores", _errors(data)),
        *(section(heading, body) for heading, body in data.extra_sections),
        section(
            f"The {min(WORST, len(data.truth))} validation {data.examples} with the largest error",
            _worst(data),
        ),
        section("Settings", _settings(data)),
    ]
    return page(data.title, sections)


def language_page(data: ReportData, sample: str) -> str:
    """The page of a language model, as HTML; it does not use data.truth, outputs and rows.

    Args:
        sample: generated text.
    """
    scores = data.metrics["validation"]
    head = (
        f"<h1>{escape(data.title)}</h1>"
        '<p class="soft">The scores are those on the validation text, the last part of the text. '
        "The network was not trained on it, but the weights were selected on it.</p>"
        f'<p class="headline">Validation loss: <b>{scores["nats_per_character"]:.3f}</b> nats per '
        f"character; unigram baseline: {scores['baseline_nats_per_character']:.3f}.</p>"
        f"<pre>{escape(data.use)}</pre>"
    )
    return page_around(data, head, first=[("Generated sample", f"<pre>{escape(sample)}</pre>")])


def page_around(
    data: ReportData, head: str, *, first=(), of_data="", of_scores="", last=(), style=""
) -> str:
    """A page with what all reports have: data, network, training, scores and settings.

    It does not use data.truth, outputs and rows.

    Args:
        head: HTML above all sections.
        first, last: [(heading, HTML)] of sections before and after these.
        of_data, of_scores: HTML below the tables of these sections.
        style: CSS in addition to that of every page.
    """
    sections = [
        head,
        *(section(heading, body) for heading, body in first),
        section("Data", _data(data) + of_data),
        section("Network", _network(data)),
        section("Training", _learning(data)),
        section("Scores", _scores_table(data.metrics) + of_scores),
        *(section(heading, body) for heading, body in last),
        section("Settings", _settings(data)),
    ]
    return page(data.title, sections, style=style)


def _head(data):
    return (
        f"<h1>{escape(data.title)}</h1>"
        f'<p class="soft">Scores and errors are those on the {len(data.truth):,} validation '
        f"{data.examples}. The network was not trained on them, but the weights were selected on "
        f"them, so scores on new {data.examples} may be slightly worse.</p>"
        f'<p class="headline">{_verdict(data)}</p>'
        f"<pre>{escape(data.use)}</pre>"
    )


def _verdict(data):
    scores, rows = data.metrics["validation"], len(data.truth)
    target = f"<code>{escape(data.target)}</code>"
    if data.classes is None:
        return (
            f"Mean absolute error of {target}: <b>{scores['mean_absolute_error']:.4g}</b>; "
            f"baseline ({data.baseline}): {scores['baseline_mean_absolute_error']:.4g}."
        )
    correct = round(scores["accuracy"] * rows)
    text = (
        f"Validation accuracy for {target}: <b>{scores['accuracy']:.3f}</b> "
        f"({correct} of {rows}); majority-class baseline: {scores['baseline_accuracy']:.3f}."
    )
    if rows < FEW_ROWS:
        low, high = wilson_interval(correct, rows)
        text += f' <span class="soft">95% confidence interval: {low:.2f} to {high:.2f}.</span>'
    return text


def wilson_interval(correct: int, rows: int, z: float = 1.96) -> tuple[float, float]:
    """95% confidence interval of a proportion. Wilson 1927, "Probable inference", JASA 22."""
    p = correct / rows
    center = p + z * z / (2 * rows)
    half = z * math.sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


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
    words = {
        "input_shape": tuple(data.input_shape),
        "input_names": data.feature_names,
        "output_names": [str(c) for c in outputs] if outputs else [data.target],
    }
    picture = draw(data.net, **words)
    whole = f'<div class="scroll">{picture.svg}</div>{layers}'
    if picture.height <= TALLEST:
        return whole
    short = draw(data.net, **words, depth=1)
    return (
        f'<div class="scroll">{short.svg}</div>'
        f"<details><summary>Layer by layer</summary>{whole}</details>"
    )


def _learning(data):
    if not len(data.history):
        return "<p>No epoch was completed.</p>"
    metrics = data.metrics
    counted = "1 epoch" if metrics["epochs"] == 1 else f"{metrics['epochs']} epochs"
    where = ""
    if "device" in metrics:  # runs of older versions do not say
        where = f" on {escape(metrics['device'])}, {metrics['precision']}"
    why = f" Stopped: {escape(metrics['stopped'])}." if metrics.get("stopped") else ""
    best = (
        f" The weights of epoch {data.best_epoch}, the best on the validation {data.examples}, "
        "were kept."
        if data.best_epoch
        else ""
    )
    return (
        f"<p>{counted} in {metrics['seconds']:.1f} s{where}.{why}{best}</p>"
        f'<div class="chart">{curves(data.history, data.best_epoch)}</div>' + _flow(data)
    )


def _flow(data):
    """Layer statistics, if they were recorded and the network has several layers."""
    chart = None if data.probes is None else layer_flow(data.probes)
    if chart is None:
        return ""
    return (
        '<p class="soft">Layer by layer from the input (left): size of the gradient, and size of '
        "one update relative to the weights.</p>"
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
    names = {"training": "train", "validation": "validation", "test": "test"}
    sets = {heading: metrics[key] for heading, key in names.items() if key in metrics}
    rows = [
        (score_in_words(score), *(_number(found[score]) for found in sets.values()))
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
        '<p class="soft">Confusion matrix: rows are true classes, columns predicted classes; '
        "percentages are per true class.</p>"
        f'<div class="scroll"><table class="matrix"><tr><th></th>{head}</tr>{body}</table></div>'
    )


def _worst(data):
    truth = outputs = np.zeros((0, 0))
    if data.classes is None:
        # for rows with several values, the means are shown
        truth = data.truth.reshape(len(data.truth), -1)
        outputs = data.outputs.reshape(truth.shape)
        wrong = np.abs(outputs - truth).mean(axis=1)
        steps = truth.shape[1]
        of = "" if steps == 1 else f", mean of {steps} steps"
        headings = ["row", f"true {data.target}{of}", f"predicted{of}", f"error{of}"]
    else:
        wrong = -data.outputs[np.arange(len(data.truth)), data.truth]
        headings = ["row", f"true {data.target}", "predicted", "probability of the true class"]
    order = np.argsort(-wrong, kind="stable")[:WORST]
    assert data.rows is not None  # of kinds with one prediction per row
    others = [
        name
        for name in data.rows.columns
        if name != data.target and not data.rows[name].dtype.is_nested()
    ]
    rows = []
    for k in order:
        if data.classes is None:
            shown = [_number(float(truth[k].mean())), _number(float(outputs[k].mean()))]
            shown.append(_number(float(wrong[k])))
        else:
            shown = [str(data.classes[data.truth[k]]), str(data.classes[data.outputs[k].argmax()])]
            shown.append(f"{-wrong[k]:.1%}")
        cells = data.rows.row(int(k), named=True)
        values = ["" if cells[name] is None else str(cells[name]) for name in others]
        row = [f"{data.row_numbers[k]:,}", *shown, *values]
        rows.append([*row, Markup(data.pictures[k]())] if data.pictures else row)
    headings = [*headings, *others, *([""] if data.pictures else [])]
    return table(headings, rows, numbers=(0, 3))


def _settings(data):
    rows = [(str(name), str(value)) for name, value in data.config.items() if value is not None]
    command = f"<pre>{escape(data.command)}</pre>" if data.command else ""
    return command + table(("setting", "value"), rows)


def _number(value):
    return "–" if value is None else f"{value:.4g}"
