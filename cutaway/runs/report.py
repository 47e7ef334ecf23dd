"""report.html: data, network, training, scores and errors of a run on one page."""

import dataclasses
import math
import re
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from cutaway.diagram import draw
from cutaway.metrics import confusion_matrix
from cutaway.nn import Module
from cutaway.runs.charts import curves, layer_flow, residuals
from cutaway.runs.preprocessing import Headline, score_in_words
from cutaway.runs.validation_kind import ValidationKind, scores_of_sets
from cutaway.runs.worst_rows import WorstRows, without_dust
from cutaway.story.html import Markup, folded, page, section, table
from cutaway.train import History

if TYPE_CHECKING:
    import polars as pl

TALLEST = 560  # pixels of a drawing of the network that is shown at once
WORST = 10
NUMBER = re.compile(r"[\d.,%–-]*")  # a cell of a column of numbers
COLUMNS = 8  # of the data in a table of rows; the others are folded into one cell
FEW_ROWS = 100  # with fewer validation rows, the accuracy gets a confidence interval
STYLE = """
.words { max-width: 50rem; line-height: 1.9; overflow-wrap: anywhere; }
.up { border-bottom: 2px solid var(--positive); }
.down { border-bottom: 2px dotted var(--negative); }
.remark b { display: block; } .remark { margin: .6rem 0; }
"""


@dataclasses.dataclass(frozen=True)
class Remark:
    """A finding of the checks before or after the training.

    Attributes:
        title: what was found and where, or that nothing was.
        sentences: evidence, explanation and fix.
    """

    title: str
    sentences: tuple[str, ...] = ()


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
        kept_among: among which epochs the best was chosen; see Experiment.kept_among.
        has_cycles: whether the learning rate falls several times.
        inputs_in_words: what the network does with the encoded columns, or "".
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
        predicted: (rows,) class numbers; None: of values.
        headline: the main score of the validation rows.
        chart: an SVG of the validation rows and their predictions, or None.
        extra_sections: [(heading, HTML)] of sections after the errors.
        warning: that nothing was learned, or "".
        remarks: what the checks before and after the training found.
        doctor: the command that checks more.
        explain: the command that explains the row worth looking at, or "".
        first_columns: of the data, those that matter most.
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
    predicted: np.ndarray | None = None
    headline: Headline | None = None
    chart: str | None = None
    probes: "pl.DataFrame | None" = None
    extra_sections: list = dataclasses.field(default_factory=list)
    warning: str = ""
    remarks: list[Remark] = dataclasses.field(default_factory=list)
    doctor: str = ""
    explain: str = ""
    kept_among: str = ""
    has_cycles: bool = False
    inputs_in_words: str = ""
    first_columns: list[str] = dataclasses.field(default_factory=list)

    @property
    def validation_kind(self) -> ValidationKind:
        """What the scores are that are stored as those of validation."""
        return ValidationKind.of(self.metrics)


def render(data: ReportData) -> str:
    """The page as HTML."""
    worst = WorstRows.of(data.truth, data.outputs, data.predicted)
    sections = [
        _head(data),
        section("Checks", _checks(data)),
        section("Scores", _errors(data)),
        *(section(title, body) for title, body in data.extra_sections),
        *_worst(data, worst),
        section("Training", _learning(data)),
        section("Network", _network(data)),
        section("Data", _data(data)),
        section("Settings", _settings(data)),
    ]
    return page(data.title, sections, style=STYLE)


def heading(data: ReportData) -> str:
    """The title, and first of all that nothing was learned, if so."""
    warning = f'<p class="warning"><b>{escape(data.warning)}</b></p>' if data.warning else ""
    return f"<h1>{escape(data.title)}</h1>{warning}"


def language_page(data: ReportData, sample: str) -> str:
    """The page of a language model, as HTML; it does not use data.truth, outputs and rows.

    Args:
        sample: generated text.
    """
    scores = data.metrics["validation"]
    nats, unigram = scores["nats_per_character"], scores["baseline_nats_per_character"]
    head = (
        heading(data)
        + f'<p class="headline">Validation loss: <b>{nats:.3f}</b> nats per character; '
        f"unigram baseline: {unigram:.3f}.</p>"
        + what_next(data)
        + '<p class="soft">The scores are those on the validation text, the last part of the text. '
        "The network was not trained on it, but the weights were selected on it.</p>"
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
        section("Checks", _checks(data)),
        *(section(title, body) for title, body in first),
        section("Scores", _scores_table(data.metrics) + of_scores),
        *(section(title, body) for title, body in last),
        section("Training", _learning(data)),
        section("Network", _network(data)),
        section("Data", _data(data) + of_data),
        section("Settings", _settings(data)),
    ]
    return page(data.title, sections, style=STYLE + style)


def _checks(data):
    """What the checks found, and how to check more."""
    found = "".join(
        f'<div class="remark"><b>{escape(remark.title)}</b>'
        + "".join(f"<div>{escape(sentence)}</div>" for sentence in remark.sentences)
        + "</div>"
        for remark in data.remarks
    )
    more = (
        f'<p class="soft">A diagnosis takes longer and measures more:</p>'
        f"<pre>{escape(data.doctor)}</pre>"
    )
    return (found or "<p>The training was not checked.</p>") + (more if data.doctor else "")


def what_next(data: ReportData) -> str:
    """HTML: what to do next, with the command: the first fix, else to use the run."""
    fixes = [s for remark in data.remarks for s in remark.sentences if s.startswith("Fix: ")]
    if fixes:
        told = f"<b>Next:</b> {escape(fixes[0].removeprefix('Fix: '))}"
        command = data.command
    elif data.warning and data.doctor:
        told, command = "<b>Next:</b> find out why it did not learn:", data.doctor
    elif data.explain:
        told = "<b>Next:</b> use it on new data, or look below at what it gets wrong:"
        command = data.use
    else:
        told, command = "<b>Next:</b> use it on new data:", data.use
    return f'<div class="next"><p>{told}</p><pre>{escape(command)}</pre></div>'


def _head(data):
    worth = data.validation_kind.sentence(f"{len(data.truth):,}", data.examples)
    return (
        heading(data) + f'<p class="headline">{_verdict(data)}</p>{what_next(data)}'
        f'<p class="soft">{worth}</p>'
    )


def _verdict(data):
    scores, rows = data.metrics["validation"], len(data.truth)
    said = data.headline
    text = f"{escape(said.before)}<b>{escape(said.score)}</b>{escape(said.after)}."
    if data.classes is not None and rows < FEW_ROWS:
        low, high = wilson_interval(round(scores["accuracy"] * rows), rows)
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
    numbers = [
        k
        for k in range(1, len(data.headings))
        if data.columns and all(NUMBER.fullmatch(str(row[k])) for row in data.columns)
    ]
    return table(data.headings, data.columns, numbers) + (f"<ul>{notes}</ul>" if notes else "")


def _network(data):
    outputs = data.classes if data.classes is not None and len(data.classes) > 2 else None
    summary = data.net.summary(data.input_shape)
    words = {
        "input_shape": tuple(data.input_shape),
        "input_names": data.feature_names,
        "output_names": [str(c) for c in outputs] if outputs else [data.target],
    }
    told = f'<p class="soft">{escape(data.inputs_in_words)}</p>' if data.inputs_in_words else ""
    picture = draw(data.net, **words)
    count = f"{summary.total:,} trainable parameters in {len(summary.rows):,} layers"
    layers = folded(f"Layer by layer: {count}", summary.html())
    kind = "scroll tall" if picture.height > TALLEST else "scroll"
    whole = f'<div class="{kind}">{picture.svg}</div>'
    if picture.height <= TALLEST:
        return told + whole + layers
    short = draw(data.net, **words, depth=1)
    first = f'<div class="scroll">{short.svg}</div>'
    if short.height > TALLEST:
        first = folded("The parts of the network, drawn", first)
    same = short.svg == picture.svg
    return told + first + ("" if same else folded("The whole network, drawn", whole)) + layers


_OF_CURVES = (
    "Epoch by epoch. Where the validation loss rises while the training loss falls, the network "
    "overfits: it memorizes the training rows; where both still fall at the end, more epochs would "
    "help."
)
_OF_CYCLES = (
    "Epoch by epoch. The learning rate falls several times, each time over twice as many epochs as "
    "before, and is raised again in between; weights are kept only where it is low. Each cycle is "
    "thus a longer training, and training stops after one that brings no lower loss: so the loss "
    "in blue may rise after the epoch that was kept."
)
_OF_FLOW = (
    "Layer by layer from the input (left) to the output, at up to three steps of the training: "
    "the size of the gradient, and that of one update relative to the weights. Where a curve falls "
    "by powers of ten toward the left, the first layers hardly learn; usual updates are between "
    "0.0001 and 0.01 of the weights."
)
_OF_CHART = (
    "Gray: what came. Blue: what was predicted before. Where the blue line repeats the gray one a "
    "step later, the forecast is little more than the last value."
)
_OF_RESIDUALS = (
    "Predicted vs. true: a point on the dashed line is predicted exactly, one above it too high. "
    "Residuals: how many predictions are too low, left of 0, and too high, right of it."
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
    kind = data.validation_kind
    best = (
        f" The weights of epoch {data.best_epoch}, the best on the {kind.adjective} {data.examples}"
        f"{escape(data.kept_among)}, were kept."
        if data.best_epoch
        else ""
    )
    return (
        f"<p>{counted} in {metrics['seconds']:.1f} s{where}.{why}{best}</p>"
        f'<p class="soft">{_OF_CYCLES if data.has_cycles else _OF_CURVES}</p>'
        f'<div class="chart">{curves(data.history, data.best_epoch, kind.curve)}</div>'
        + _flow(data)
    )


def _flow(data):
    """Layer statistics, if they were recorded and the network has several layers."""
    chart = None if data.probes is None else layer_flow(data.probes)
    if chart is None:
        return ""
    return f'<p class="soft">{_OF_FLOW}</p><div class="chart">{chart}</div>'


def _errors(data):
    scores = _scores_table(data.metrics)
    if data.classes is None:
        shown = residuals(data.truth.ravel(), data.outputs.ravel(), data.target)
        chart = "" if data.chart is None else f'<div class="chart">{data.chart}</div>'
        if chart:
            chart = f'<p class="soft">{_OF_CHART}</p>{chart}'
        return f'{scores}{chart}<p class="soft">{_OF_RESIDUALS}</p><div class="chart">{shown}</div>'
    return scores + _confusion(data)


def _scores_table(metrics):
    sets = scores_of_sets(metrics)
    rows = [
        (score_in_words(score), *(_number(found[score]) for found in sets.values()))
        for score in metrics["validation"]
    ]
    return table(("score", *sets), rows, numbers=range(1, len(sets) + 1))


def _confusion(data):
    names = [str(c) for c in data.classes]
    matrix = confusion_matrix(data.truth, data.predicted, len(names))
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
        "percentages are per true class. The diagonal is right, all other cells are mistakes.</p>"
        f'<div class="scroll"><table class="matrix"><tr><th></th>{head}</tr>{body}</table></div>'
    )


def _worst(data, worst: WorstRows) -> list[str]:
    """[a section]: of classes the wrong rows, of values those with the largest errors."""
    count = len(data.truth)
    if not count:
        return []
    if data.classes is None:
        shown = worst.order[:WORST]
        title = f"The {number_of(len(shown), data)} with the largest errors"
        return [section(title, _values(data, shown, worst.errors))]
    if not worst.wrong:
        shown = worst.order[:WORST]
        lead = (
            '<p class="soft">The predicted class is always the true one. These are the least sure '
            "predictions.</p>"
        )
        title = f"Of {number_of(count, data)} none is predicted wrong"
        return [section(title, lead + _classes(data, shown))]
    shown = worst.order[: min(WORST, worst.wrong)]
    title = f"Wrong predictions: {worst.wrong:,} of {number_of(count, data)}"
    which = "All of them" if len(shown) == worst.wrong else f"{len(shown)} of them"
    lead = f'<p class="soft">{which}, the one of which the network is surest first.</p>'
    return [section(title, lead + _classes(data, shown))]


def _values(data, shown, errors) -> str:
    # for rows with several values, the means are shown
    truth = without_dust(data.truth).reshape(len(data.truth), -1)
    outputs = data.outputs.reshape(truth.shape)
    steps = truth.shape[1]
    of = "" if steps == 1 else f", mean of {steps} steps"
    headings = [f"true {data.target}{of}", f"predicted{of}", f"error{of}"]
    cells = [
        [_number(float(value)) for value in (truth[k].mean(), outputs[k].mean(), errors[k])]
        for k in shown
    ]
    return _rows(data, shown, headings, cells, numbers=(0, 1, 2, 3))


def _classes(data, shown) -> str:
    headings = [f"true {data.target}", "predicted", "its probability", "that of the true class"]
    cells = []
    for k in shown:
        guess, truth = int(data.predicted[k]), int(data.truth[k])
        p = data.outputs[k]
        names = [str(data.classes[truth]), str(data.classes[guess])]
        cells.append([*names, f"{p[guess]:.1%}", f"{p[truth]:.1%}"])
    return _rows(data, shown, headings, cells, numbers=(0, 3, 4))


def number_of(count: int, data: ReportData) -> str:
    """Validation examples in words: "1 validation row", "2 validation series"."""
    one = data.examples if data.examples.endswith("series") else data.examples[:-1]
    which = data.validation_kind.adjective
    return f"{count:,} {which} {one if count == 1 else data.examples}"


def _rows(data, shown, headings, cells, *, numbers) -> str:
    """A table of rows: their numbers, these cells, and what is in the data."""
    assert data.rows is not None  # of kinds with one prediction per row
    others = [
        name
        for name in data.rows.columns
        if name != data.target and not data.rows[name].dtype.is_nested()
    ]
    folded_columns = []
    if len(others) > COLUMNS + 2:
        first = [name for name in data.first_columns if name in others]
        others = [*first, *(name for name in others if name not in first)]
        others, folded_columns = others[:COLUMNS], others[COLUMNS:]
    body = []
    for k, own in zip(shown, cells, strict=True):
        values = data.rows.row(int(k), named=True)
        given = [_cell(values[name]) for name in others]
        row = [f"{data.row_numbers[k]:,}", *own, *given]
        if data.pictures:  # first, where a phone shows it
            row.insert(1, Markup(data.pictures[k]()))
        if folded_columns:
            rest = ", ".join(f"{name} = {_cell(values[name])}" for name in folded_columns)
            row.append(Markup(folded(f"{len(folded_columns)} more", escape(rest))))
        body.append(row)
    if data.pictures:
        numbers = [k + (k > 0) for k in numbers]
    headings = ["row", *([""] if data.pictures else []), *headings, *others]
    headings += ["other columns"] if folded_columns else []
    return table(headings, body, numbers=numbers) + how_to_explain(data)


def how_to_explain(data) -> str:
    """HTML: the command that explains the first of the worst examples."""
    if not data.explain:
        return ""
    whole = ""
    if data.validation_kind is ValidationKind.OUT_OF_FOLD:
        whole = "; what is explained is the mean of all networks, most of which trained on this row"
    return (
        '<p class="soft">Why the first one is predicted so, down to single weights (explain counts '
        f"from 0{whole}):</p><pre>{escape(data.explain)}</pre>"
    )


def _cell(value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _settings(data):
    rows = [(str(name), str(value)) for name, value in data.config.items() if value is not None]
    command = f"<pre>{escape(data.command)}</pre>" if data.command else ""
    return command + folded("All settings", table(("setting", "value"), rows))


def _number(value):
    return "–" if value is None else f"{value:.4g}"
