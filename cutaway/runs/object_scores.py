"""Tables of what a detector finds, for the report."""

import numpy as np

from cutaway.story.html import table


def classes_table(rows, compared) -> str:
    """AP of each class, and precision and recall of the detections that are shown.

    Args:
        rows: ObjectRows.
        compared: DetectedPictures.
    """
    scores = rows.collected(compared)
    found = scores.result()
    body = []
    for k, name in enumerate(rows.names):
        recall, precision, score = scores.curve(k)
        objects = sum(int(((p.truth.classes == k) & ~p.truth.ignored).sum()) for p in compared)
        kept = int((score >= rows.threshold).sum())
        shown = (precision[kept - 1], recall[kept - 1]) if kept and objects else (np.nan, np.nan)
        numbers = (found["class_ap"][k], found["class_ap50"][k], *shown)
        body.append((name, f"{objects:,}", *map(_shown, numbers)))
    threshold = f"{rows.threshold:g}"
    return (
        "<p class='soft'>Classes of the validation pictures. Precision and recall are those of "
        f"detections with a score of at least {threshold}, the ones that are drawn.</p>"
    ) + table(
        ("class", "objects", "AP", "AP50", "precision", "recall"), body, numbers=(1, 2, 3, 4, 5)
    )


def confusion_table(counts, rows) -> str:
    """Objects by true and found class, with the background: what is missed and invented."""
    most = 30
    if len(rows.names) > most:
        return ""
    names = [*rows.names, "background"]
    body = [
        (name, *(f"{n:,}" if n else "–" for n in row))
        for name, row in zip(names, counts, strict=True)
    ]
    return (
        "<p class='soft'>Objects by true class (rows) and found class (columns), at an IoU of 0.5. "
        "Found as background: missed; background found as a class: invented or doubled.</p>"
    ) + table(("true", *names), body, numbers=range(1, len(names) + 1))


def _shown(value) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
