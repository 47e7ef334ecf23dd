"""report.html where a prediction is a picture or a volume: pictures beside truth and prediction."""

import dataclasses
from html import escape

from cutaway.runs.drawn_masks import element
from cutaway.runs.preprocessing import Headline
from cutaway.runs.report import ReportData, heading, how_to_explain, page_around, what_next

STYLE = """
.grid { display: flex; flex-wrap: wrap; gap: .6rem; }
.grid figure { margin: 0; } .grid img { width: 120px; display: block; border-radius: 4px; }
.picture { border-radius: 4px; display: block; }
.case { margin: 1.4rem 0 .4rem; max-width: none; overflow-wrap: anywhere; }
.case span { margin-left: .6rem; }
.row { display: flex; gap: .6rem; }
.row figure { margin: 0; flex: 1 1 0; min-width: 0; max-width: 300px; }
.row .picture { width: 100%; }
figcaption { font-size: .75rem; color: var(--soft); max-width: 120px; overflow-wrap: anywhere; }
.swatch { display: inline-block; width: .8rem; height: .8rem; border-radius: 3px;
          margin-right: .35rem; border: 1px solid var(--soft); vertical-align: -1px; }
"""


@dataclasses.dataclass(frozen=True)
class Shown:
    """An example of the page: its pictures with captions, and its scores in words."""

    name: str
    pictures: list[tuple[str, str]]  # (caption, <img>)
    scores: list[tuple[str, str]]


def dense_page(
    data: ReportData,
    headline: Headline,
    *,
    count: int,
    grid: list[Shown],
    of_scores: str,
    worst: list[Shown],
) -> str:
    """The page of a run whose predictions are pictures or volumes.

    Args:
        data: what all reports have.
        headline: the main score.
        count: number of validation examples.
        grid: training examples.
        of_scores: HTML below the table of the scores.
        worst: validation examples, the worst first.
    """
    title = f"Validation {data.examples}, the worst first"
    if len(worst) < count:
        title = f"The {len(worst)} worst of {count:,} validation {data.examples}"
    counted = f"{count:,} validation {data.examples if count != 1 else data.examples[:-1]}"
    head = (
        heading(data) + f'<p class="headline">{escape(headline.before)}<b>{headline.score}</b>'
        f"{escape(headline.after)}</p>{what_next(data)}"
        f'<p class="soft">Scores are those of the {counted}, whole. {_selection(data)}</p>'
    )
    return page_around(
        data,
        head,
        of_data=_grid(grid),
        of_scores=of_scores,
        last=[(title, _worst(worst) + how_to_explain(data))],
        style=STYLE,
    )


def _selection(data) -> str:
    if data.best_epoch is None:
        return "The network was not trained on them."
    return (
        "The network was not trained on them, but the weights were selected on them, so scores on "
        f"new {data.examples} may be slightly worse."
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
    return "".join(_case(one) for one in shown)


def _case(one: Shown) -> str:
    """An example: its name and scores above its pictures, which share the width of the page."""
    scores = " · ".join(f"{name} {value}" for name, value in one.scores)
    figures = "".join(
        f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, image in one.pictures
    )
    return (
        f'<p class="case">{escape(one.name)} <span class="soft">{escape(scores)}</span></p>'
        f'<div class="row">{figures}</div>'
    )


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
