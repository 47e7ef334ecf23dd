"""The results as blocks of text within 80 columns, and the same as Markdown."""

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from cutaway.metrics import calibrated_error_range, expected_calibration_error
from cutaway.search.ranks import mean_ranks
from cutaway.search.table_protocol import FitRecord
from cutaway.search.table_scores import (
    HIGHER_IS_BETTER,
    main_score,
)

TITLES = {
    "log_loss": "Log loss",
    "auc": "AUC (one-vs-rest mean)",
    "accuracy": "Accuracy",
    "ece": "Calibration: ECE of each split, 15 bins, mean",
    "rmse": "RMSE",
    "mae": "MAE",
}
WORSE = 1.05  # than the better of RealMLP and HistGradientBoosting, to be named
REFERENCES = ("RealMLP", "boosted")
COSTS = ("wall_seconds", "cpu_seconds")


@dataclasses.dataclass(frozen=True)
class Block:
    """A table with a heading and sentences below."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    notes: list[str] = dataclasses.field(default_factory=list)

    def text(self) -> str:
        """At most 80 columns wide, for seven models."""
        cells = [self.headings, *self.rows]
        widths = [max(len(row[k]) for row in cells) for k in range(len(self.headings))]
        lines = [self.title, ""] if self.rows else [self.title]
        for row in cells if self.rows else []:
            first, *others = zip(row, widths, strict=True)
            right = [text.rjust(max(width, 7)) for text, width in others]
            lines.append(" ".join([first[0].ljust(first[1]), *right]).rstrip())
        return "\n".join([*lines, *([""] if self.notes else []), *self.notes])

    def markdown(self) -> str:
        lines = [f"### {self.title}", ""]
        if self.rows:
            lines += [_row(self.headings), _row(["---"] * len(self.headings))]
            lines += [*map(_row, self.rows), ""]
        return "\n".join(lines + [f"- {note}" for note in self.notes]).rstrip() + "\n"


def _row(cells) -> str:
    return f"| {' | '.join(cells)} |"


def blocks(records: Iterable[FitRecord], models: list[str], first: str) -> list[Block]:
    """All blocks.

    Args:
        records: the finished fits.
        models: names, in the order of the columns.
        first: the model whose results are judged.
    """
    fits: dict[str, dict[str, list[FitRecord]]] = {}
    for record in records:
        fits.setdefault(record.data, {}).setdefault(record.model, []).append(record)
    found = [_ranks_block(fits, models)]
    found += [_score_block(fits, models, score) for score in TITLES]
    found.append(_pooled_block(fits, models))
    for name, title in (
        ("wall_seconds", "Training, seconds"),
        ("cpu_seconds", "Training, CPU seconds"),
    ):
        found.append(_cost_block(fits, models, name, title, scale=1.0))
    found.append(_cost_block(fits, models, "peak_bytes", "Peak memory, MB", scale=1e-6))
    found = [block for block in found if block.rows]
    return [*found, *_judged(fits, models, first)]


def means(fits, models, score: str) -> dict[str, dict[str, float]]:
    """{data set: {model: mean score over the splits}}, of the sets that have such a score."""
    found = {}
    for data, by_model in fits.items():
        row = {}
        for model in models:
            values = [record.scores.get(score) for record in by_model.get(model, [])]
            values = [value for value in values if value is not None]
            if values:
                row[model] = float(np.mean(values))
        if row:
            found[data] = row
    return found


def _ranks_block(fits, models) -> Block:
    """The mean ranks by every score, and by log loss or RMSE over all sets together."""
    tables = {score: means(fits, models, score) for score in TITLES}
    both = {**tables["log_loss"], **tables["rmse"]}
    rows = []
    for score, table in (("log loss or RMSE", both), *tables.items()):
        complete = [row for row in table.values() if len(row) == len(models)]
        if not complete or len(models) < 2:
            continue
        higher = HIGHER_IS_BETTER.get(score, False)
        columns = {model: [row[model] for row in complete] for model in models}
        ranks = mean_ranks(columns, higher_is_better=higher)
        cells = [
            f"{ranks.means[model]:.2f}{'*' if model in ranks.tied else ' '}" for model in models
        ]
        name = score.replace("_", " ")
        rows.append([f"{name} ({ranks.sets})", *cells, f"{ranks.critical_difference:.2f}"])
    note = "(data sets); * within the critical difference CD of the best (Nemenyi, 5%)"
    return Block("Mean ranks", ["score", *models, "CD"], rows, [note])


def _score_block(fits, models, score) -> Block:
    table = means(fits, models, score)
    rows = [[data, *(_number(row.get(model)) for model in models)] for data, row in table.items()]
    notes = []
    complete = {data: row for data, row in table.items() if len(row) == len(models)}
    if complete and len(models) > 1:
        columns = {model: [row[model] for row in complete.values()] for model in models}
        ranks = mean_ranks(columns, higher_is_better=HIGHER_IS_BETTER[score])
        rows.append(["mean rank", *(f"{ranks.means[model]:.2f}" for model in models)])
        notes.append(
            f"ranks of {ranks.sets} sets; critical difference {ranks.critical_difference:.2f} "
            "(Nemenyi, 5%)"
        )
    return Block(TITLES[score], ["data set", *models], rows, notes)


def _pooled_block(fits, models) -> Block:
    """ECE over the test rows of all splits; * where it is above the calibrated range."""
    rows = []
    for data, by_model in fits.items():
        cells = []
        for model in models:
            records = by_model.get(model, [])
            if not records or records[0].task == "regression":
                cells.append("")
                continue
            outputs = np.concatenate([record.outputs for record in records])
            truth = np.concatenate([record.truth for record in records])
            error = expected_calibration_error(outputs, truth)
            _, high = calibrated_error_range(outputs)
            cells.append(f"{error:.4f}{'*' if error > high else ' '}")
        if any(cells):
            rows.append([data, *cells])
    note = "* above the 95% range of a perfectly calibrated predictor of that many rows"
    return Block(
        "Calibration: ECE of the test rows of all splits", ["data set", *models], rows, [note]
    )


def _cost_block(fits, models, name, title, *, scale) -> Block:
    rows = []
    for data, by_model in fits.items():
        cells = []
        for model in models:
            values = [getattr(record, name) for record in by_model.get(model, [])]
            values = [value * scale for value in values if value is not None]
            cells.append(f"{np.mean(values):,.1f}" if values else "")
        rows.append([data, *cells])
    return Block(f"{title} (mean of the splits)", ["data set", *models], rows)


def _judged(fits, models, first) -> list[Block]:
    """Where the first model is worse than the references, and its time beside RealMLP's."""
    notes, worse, ratios = [], [], []
    references = [name for name in REFERENCES if name in models]
    judged = 0
    for data, by_model in fits.items():
        if first not in by_model or not references:
            continue
        task = next(iter(by_model.values()))[0].task
        row = means({data: by_model}, models, main_score(task)).get(data, {})
        known = [name for name in references if name in row]
        if first in row and known:
            judged += 1
            best = min(known, key=row.__getitem__)
            if row[first] > WORSE * row[best]:
                worse.append(
                    f"{data}: {main_score(task).replace('_', ' ')} {_number(row[first]).strip()}, "
                    f"{best} {_number(row[best]).strip()} ({row[first] / row[best] - 1:+.0%})"
                )
        if "RealMLP" in by_model:
            ratios.append(
                [_cost(by_model, name, first) / _cost(by_model, name, "RealMLP") for name in COSTS]
            )
    if references:
        notes.append(
            f"worse than the better of {' and '.join(references)} by over 5%: {len(worse)} of "
            f"{judged} sets"
        )
        notes += [f"  {line}" for line in worse]
    for place, name in enumerate(COSTS if ratios else ()):
        each = [ratio[place] for ratio in ratios]
        middle = math.exp(float(np.mean(np.log(each))))
        notes.append(
            f"{name.replace('_', ' ')}, {first} / RealMLP: {middle:.2f} ({min(each):.2f} to "
            f"{max(each):.2f}), geometric mean of {len(each)} sets"
        )
    return [Block(f"{first} beside the references", [], [], notes)] if notes else []


def _cost(by_model, name: str, model: str) -> float:
    return float(np.mean([getattr(record, name) for record in by_model[model]]))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"
