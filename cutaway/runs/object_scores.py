"""Tables and curves of what a detector finds, for the report."""

import numpy as np

from cutaway.data.mask_coding import DISTINCT
from cutaway.metrics import DetectionScores
from cutaway.runs.dense_report import legend
from cutaway.runs.drawn_boxes import class_color
from cutaway.runs.evaluation import ScoreTable
from cutaway.story.plot import Plot, side_by_side

CURVES = 12  # classes with curves at most: more are not told apart
MOST_CONFUSED = 30  # classes of a table of confusions
OVERLAPS = (0.5, 0.75)  # IoU of the curves


def classes_table(rows, compared, scores: DetectionScores, of: str) -> ScoreTable:
    """AP of each class, and precision and recall of the detections that are shown.

    Args:
        rows: ObjectRows.
        compared: DetectedPictures.
        scores: of these pictures.
        of: which pictures, in words: "the validation pictures".
    """
    found = scores.result()
    masks = scores.mask_result() if scores.has_masks else None
    body = []
    for k, name in enumerate(rows.names):
        recall, precision, score = scores.curve(k)
        objects = _count(compared, k)
        kept = int((score >= rows.threshold).sum())
        shown = (precision[kept - 1], recall[kept - 1]) if kept and objects else (np.nan, np.nan)
        of_masks = () if masks is None else (masks["class_ap"][k], masks["class_ap50"][k])
        numbers = (found["class_ap"][k], found["class_ap50"][k], *of_masks, *shown)
        body.append((name, f"{objects:,}", *map(_shown, numbers)))
    headings = ("mask AP", "mask AP50") if scores.has_masks else ()
    headings = ("class", "objects", "AP", "AP50", *headings, "precision", "recall")
    caption = (
        f"Classes of {of}. Precision and recall are those of detections with a score of at least "
        f"{rows.threshold:g}, the ones that are drawn."
    )
    return ScoreTable("Classes", caption, headings, body)


def precision_curves(rows, compared, scores: DetectionScores) -> str:
    """Precision over recall of each class at an IoU of 0.5 and 0.75, of boxes and of masks.

    Args:
        rows, compared, scores: see classes_table.
    """
    counts = [_count(compared, k) for k in range(len(rows.names))]
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda k: -counts[k])[:CURVES]
    if not order:
        return ""
    # the colors of the pictures, where no two classes have the same one
    numbers = order if len(rows.names) < len(DISTINCT) else range(len(order))
    colors = {k: class_color(number) for k, number in zip(order, numbers, strict=True)}
    charts = [legend([rows.names[k] for k in order], colors.values())]
    for masks in (False, True) if scores.has_masks else (False,):
        plots = []
        for overlap in OVERLAPS:
            kind = "masks" if masks else "boxes"
            plot = Plot(
                f"{kind}, IoU {overlap:g}", x_label="recall", y_label="precision", unit=True
            )
            curves = scores.interpolated_precision(iou=overlap, masks=masks)
            for k, color in colors.items():
                plot.line(
                    np.linspace(0, 1, 101), curves[k], color="#{:02x}{:02x}{:02x}".format(*color)
                )
            plots.append(plot)
        charts.append(f'<div class="chart">{side_by_side(plots)}</div>')
    most = ""
    if len(order) < np.count_nonzero(counts):
        most = f" Shown are the {len(order)} classes with the most objects."
    return (
        "<p class='soft'>Precision and recall as the threshold of the score falls: the best "
        "precision with at least this recall. The area below a curve is the average precision of "
        f"the class at this IoU.{most}</p>"
    ) + "".join(charts)


def confusion_table(counts, rows) -> ScoreTable | None:
    """Objects by true and found class, with the background: what is missed and invented.

    None of more than 30 classes.
    """
    if len(rows.names) > MOST_CONFUSED:
        return None
    names = [*rows.names, "background"]
    body = [
        (name, *(f"{n:,}" if n else "–" for n in row))
        for name, row in zip(names, counts, strict=True)
    ]
    caption = (
        "Objects by true class (rows) and found class (columns), at an IoU of 0.5. Found as "
        "background: missed; background found as a class: invented or doubled."
    )
    return ScoreTable("Confusions", caption, ("true", *names), body)


def _count(compared, number: int) -> int:
    """Objects of a class that count."""
    return sum(int(((p.truth.classes == number) & ~p.truth.ignored).sum()) for p in compared)


def _shown(value) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
