"""report.html where a prediction is a picture or a volume: pictures beside truth and prediction."""

import dataclasses
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.runs.drawn_masks import element
from cutaway.runs.kinds import KINDS
from cutaway.runs.report import ReportData, page_around
from cutaway.story.html import Markup, table

if TYPE_CHECKING:
    from cutaway.runs.dense import DenseExperiment
    from cutaway.runs.finished_run import Run

GRID = 12  # training examples shown with their targets
WORST = 8  # validation examples shown with their predictions
STYLE = """
.grid { display: flex; flex-wrap: wrap; gap: .6rem; }
.grid figure { margin: 0; } .grid img { width: 120px; display: block; border-radius: 4px; }
.picture { width: 190px; border-radius: 4px; display: block; }
figcaption { font-size: .75rem; color: var(--soft); max-width: 120px; overflow-wrap: anywhere; }
.swatch { display: inline-block; width: .8rem; height: .8rem; border-radius: 3px;
          margin-right: .35rem; border: 1px solid var(--line); vertical-align: -1px; }
"""


@dataclasses.dataclass(frozen=True)
class Shown:
    """An example of the page: its pictures with captions, and its scores in words."""

    name: str
    pictures: list[tuple[str, str]]  # (caption, <img>)
    scores: list[tuple[str, str]]


def dense_page(experiment: "DenseExperiment", run: "Run", command: str) -> str:
    """The page of a run whose predictions are pictures or volumes."""
    rows = experiment.preprocessing
    options = {k: v for k, v in run.config["options"].items() if v not in (None, (), [], {})}
    data = ReportData(
        title=f"{Path(experiment.source).name} → {experiment.target}",
        command=command,
        use=KINDS[experiment.kind].use(run.path)[0],
        config={
            **options,
            "lr": run.config["lr"],
            "batch_size": experiment.batch_size,
            "epochs": experiment.epochs,
            "loss": experiment.spec["loss"],
            "crops": " x ".join(map(str, rows.size)),
            "device": run.metrics.get("device"),
        },
        headings=rows.headings,
        columns=rows.summary_rows(),
        notes=([experiment.why] if experiment.why else []) + experiment.notes,
        net=run.net,
        input_shape=experiment.input_shape,
        feature_names=None,
        history=run.history,
        probes=run.probes,
        best_epoch=run.metrics["best_epoch"],
        metrics=run.metrics,
        examples=rows.examples,
        target=experiment.target,
    )
    worst = experiment.worst(run, WORST)
    count = experiment.validation_rows
    heading = f"Validation {rows.examples}, the worst first"
    if len(worst) < count:
        heading = f"The {len(worst)} worst of {count:,} validation {rows.examples}"
    return page_around(
        data,
        _head(experiment, data),
        of_data=_grid(experiment.grid(GRID)),
        of_scores=experiment.scores_section(),
        last=[(heading, _worst(worst))],
        style=STYLE,
    )


def _head(experiment, data) -> str:
    rows, count = experiment.preprocessing, experiment.validation_rows
    found = rows.headline(data.metrics["validation"], escape(experiment.target), count)
    return (
        f"<h1>{escape(data.title)}</h1>"
        f'<p class="soft">Scores are those of the {count:,} validation {rows.examples}, whole. The '
        "network was not trained on them, but the weights were selected on them, so scores on new "
        f"{rows.examples} may be slightly worse.</p>"
        f'<p class="headline">{found.before}<b>{found.score}</b>{escape(found.after)}</p>'
        f"<pre>{escape(data.use)}</pre>"
    )


def _grid(shown: list[Shown]) -> str:
    figures = "".join(
        f"<figure>{image}<figcaption>{escape(one.name)}{escape(caption and ': ' + caption)}"
        "</figcaption></figure>"
        for one in shown
        for caption, image in one.pictures
    )
    return (
        '<p class="soft">Training examples as the network gets them: do inputs and targets belong '
        f'together?</p><div class="grid">{figures}</div>'
    )


def _worst(shown: list[Shown]) -> str:
    if not shown:
        return ""
    captions = [caption for caption, _ in shown[0].pictures]
    scores = [name for name, _ in shown[0].scores]
    rows = [
        [one.name, *(value for _, value in one.scores), *(Markup(img) for _, img in one.pictures)]
        for one in shown
    ]
    return table(["", *scores, *captions], rows, numbers=range(1, len(scores) + 1))


def legend(names, colors) -> str:
    """The colors of classes."""
    parts = "".join(
        f'<span style="margin-right:1rem;white-space:nowrap"><span class="swatch" '
        f'style="background:rgb{tuple(color)}"></span>{escape(str(name))}</span>'
        for name, color in zip(names, colors, strict=False)
    )
    return f'<p class="soft">{parts}</p>'


def thumbnail(picture, *, is_mask: bool = False, alt: str = "") -> str:
    """An <img> of a picture (height, width, 3)."""
    return element(picture, is_mask=is_mask, alt=escape(alt))
