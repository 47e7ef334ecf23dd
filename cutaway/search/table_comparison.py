"""Cutaway's network against scikit-learn's models on one's own table, by repeated splits."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np

from cutaway.errors import counted
from cutaway.search.paired import paired_interval, resampled_interval
from cutaway.search.row_groups import GroupDifference, largest_difference
from cutaway.search.saved_comparison import save_comparison
from cutaway.search.table_models import TableModel
from cutaway.search.table_protocol import FitRecord
from cutaway.search.table_scores import main_score, row_losses

ENOUGH = 3  # splits for an interval over splits; with fewer it is one over rows
NAMES = {"cutaway": "Cutaway", "boosted": "boosted trees", "forest": "random forest"}
SCORES = {"log_loss": "log loss", "rmse": "RMSE", "mae": "MAE", "auc": "AUC", "ece": "ECE"}


@dataclasses.dataclass(frozen=True)
class Advantage:
    """How much better Cutaway is than another model, by the main score.

    Attributes:
        mean: loss of the other model minus that of Cutaway; positive: Cutaway is better.
        low, high: 95% confidence interval.
        fraction: mean / loss of the worse of the two.
    """

    mean: float
    low: float
    high: float
    fraction: float

    @property
    def sign(self) -> int:
        """1: Cutaway is better, -1: it is worse, 0: the difference is within noise."""
        return int(self.low > 0) - int(self.high < 0)


class TableComparison:
    """Scores of several models on the same splits of a table.

    Attributes:
        records: {model: its FitRecord on each split}; "cutaway" first.
        models: {model: TableModel}.
        groups: groups of the rows; see row_groups.
        summary: JSON values: "title", "task", "score", "splits", "test_rows", ...

    Example:
        >>> import cutaway as ct
        >>> found = ct.compare("students.csv", "passed")               # doctest: +SKIP
        >>> print(found); found.plot().savefig("compare.png")          # doctest: +SKIP
    """

    def __init__(
        self,
        records: dict[str, list[FitRecord]],
        models: dict[str, TableModel],
        groups: list,
        summary: dict[str, Any],
    ):
        self.records = records
        self.models = models
        self.groups = groups
        self.summary = summary
        self.path = None

    @property
    def score(self) -> str:
        """Name of the score by which the models are compared."""
        return main_score(self.summary["task"])

    @property
    def score_in_words(self) -> str:
        return SCORES[self.score]

    @property
    def is_over_splits(self) -> bool:
        """Whether the intervals are over splits; with few of them they are over test rows."""
        return self.summary["splits"] >= ENOUGH

    def short(self, model: str) -> str:
        """The name of a model in tables and plots."""
        return NAMES.get(model, model)

    @property
    def others(self) -> list[str]:
        return [name for name in self.records if name != "cutaway"]

    def mean(self, model: str, score: str | None = None) -> float | None:
        """Mean score over the splits; None if it is not defined."""
        values = [record.scores[score or self.score] for record in self.records[model]]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    def _mean(self, model: str) -> float:
        found = self.mean(model)
        assert found is not None  # the main score is always defined
        return found

    @functools.cached_property
    def advantages(self) -> dict[str, Advantage]:
        """{model: Advantage of Cutaway over it}."""
        return {name: self._advantage(name) for name in self.others}

    def _advantage(self, model: str) -> Advantage:
        mine, theirs = (
            np.array([record.scores[self.score] for record in self.records[name]], float)
            for name in ("cutaway", model)
        )
        mean = float(np.mean(theirs - mine))
        if self.is_over_splits:
            overlap = self.summary["test_rows"] / self.summary["training_rows"]
            redrawn = self.summary["redrawn"]
            _, half = resampled_interval(
                theirs - mine, test_over_training=overlap if redrawn else 0.0
            )
            low, high = mean - float(half), mean + float(half)
        else:
            _, low, high = paired_interval(self.losses("cutaway"), self.losses(model))
            if self.summary["task"] == "regression":
                # RMSE_b - RMSE_a = (MSE_b - MSE_a) / (RMSE_a + RMSE_b)
                low, high = (end / (theirs.mean() + mine.mean()) for end in (low, high))
        worse = max(float(theirs.mean()), float(mine.mean()))
        return Advantage(mean, float(low), float(high), abs(mean) / worse if worse else 0.0)

    def losses(self, model: str) -> np.ndarray:
        """Mean loss of each row over the splits that test it, of the rows that any split tests."""
        total = np.zeros(self.summary["rows"])
        for record in self.records[model]:
            total[record.rows] += row_losses(record.task, record.truth, record.outputs)
        tested = self._tested
        return total[tested > 0] / tested[tested > 0]

    @functools.cached_property
    def _tested(self) -> np.ndarray:
        """(rows,) how many splits test each row."""
        found = np.zeros(self.summary["rows"])
        for record in self.records["cutaway"]:
            found[record.rows] += 1
        return found

    @functools.cached_property
    def best_tree(self) -> str:
        """The model made of trees with the lowest loss."""
        return min((n for n in self.others if self.models[n].is_tree), key=self._mean)

    @functools.cached_property
    def tree_group(self) -> GroupDifference | None:
        """The rows on which the best trees are better than Cutaway by most; None: no such rows."""
        tested = self._tested > 0
        groups = [dataclasses.replace(g, members=g.members[tested]) for g in self.groups]
        return largest_difference(groups, self.losses("cutaway") - self.losses(self.best_tree))

    def sentences(self) -> list[str]:
        """How Cutaway compares with each model, and with trees on which rows, in words."""
        return [self._of_all(), self._of_trees()]

    def verdict(self) -> str:
        """The sentences as one text."""
        return " ".join(self.sentences())

    def _of_all(self) -> str:
        by_sign: dict[int, list[str]] = {1: [], 0: [], -1: []}
        for name, advantage in self.advantages.items():
            theirs = self._number(self._mean(name))
            by_sign[advantage.sign].append(
                f"{self.models[name].title} ({theirs}, {self._gap(advantage)})"
            )
        parts = []
        for sign, words in (
            (1, "is better than"),
            (-1, "is worse than"),
            (0, "is not significantly different from"),
        ):
            if by_sign[sign]:
                parts.append(f"{words} {_and(by_sign[sign])}")
        mine = self._number(self._mean("cutaway"))
        return f"Cutaway ({self.score_in_words} {mine}) {'; it '.join(parts)}."

    def _of_trees(self) -> str:
        advantage, group = self.advantages[self.best_tree], self.tree_group
        of_trees = f"the {self.score_in_words} of {self.models[self.best_tree].title}"
        if advantage.sign < 0:
            text = (
                f"Trees are better on this table: {of_trees} is "
                f"{self._number(-advantage.mean)} ({advantage.fraction:.0%}) lower"
            )
        elif advantage.sign > 0:
            text = "Trees are worse on this table"
        else:
            text = "On this table trees are neither better nor worse beyond noise"
        if group is None:
            return f"{text}; no group of rows by a single column stands out."
        where = f"where {group.rule} ({counted(group.rows, 'test row')})"
        pair = f"{self._number(self._in_group(self.best_tree))} instead of Cutaway's "
        pair += self._number(self._in_group("cutaway"))
        if advantage.sign < 0:
            return f"{text}. The difference is largest {where}: {pair}."
        return f"{text}, but {where} {of_trees} is {pair}."

    def _in_group(self, model: str) -> float:
        """The main score of a model on the rows of the group."""
        assert self.tree_group is not None
        rule, tested = self.tree_group.rule, self._tested > 0
        members = next(g.members for g in self.groups if g.rule == rule)[tested]
        loss = float(self.losses(model)[members].mean())
        return math.sqrt(loss) if self.summary["task"] == "regression" else loss

    def difference(self, advantage: Advantage) -> str:
        """The advantage with its interval: "+0.031 ± 0.012" or "+0.031 (+0.002 to +0.050)"."""
        digits = self._digits
        mean = f"{advantage.mean:+.{digits}f}"
        if self.is_over_splits:
            return f"{mean} ± {(advantage.high - advantage.low) / 2:.{digits}f}"
        return f"{mean} ({advantage.low:+.{digits}f} to {advantage.high:+.{digits}f})"

    def _gap(self, advantage: Advantage) -> str:
        """The difference inside a sentence: without its sign where that is said."""
        digits = self._digits
        if advantage.sign:
            low, high = sorted(map(abs, (advantage.low, advantage.high)))
            gap = f"by {abs(advantage.mean):.{digits}f}"
            ends = f"{low:.{digits}f} to {high:.{digits}f}"
        else:
            gap = f"difference {advantage.mean:+.{digits}f}"
            ends = f"{advantage.low:+.{digits}f} to {advantage.high:+.{digits}f}"
        if self.is_over_splits:
            gap += f" ± {(advantage.high - advantage.low) / 2:.{digits}f}"
        gap += f", {advantage.fraction:.0%}" if advantage.sign else ""
        return gap if self.is_over_splits else f"{gap}, 95% interval {ends}"

    @functools.cached_property
    def _digits(self) -> int:
        """Decimals of the main score: three significant digits of the smallest mean."""
        smallest = min(abs(self._mean(name)) for name in self.records)
        return int(np.clip(2 - math.floor(math.log10(max(smallest, 1e-12))), 0, 6))

    def _number(self, value: float) -> str:
        return f"{value:.{self._digits}f}"

    def table(self) -> tuple[list[str], list[list[str]]]:
        """(headings, rows): one row per model."""
        regression = self.summary["task"] == "regression"
        more = ["mae"] if regression else ["accuracy", "auc", "ece"]
        words = [SCORES.get(score, score) for score in (self.score, *more)]
        rows = []
        for name in self.records:
            advantage = self.advantages.get(name)
            cells = [self._number(self._mean(name))]
            for score in more:
                value = self.mean(name, score)
                digits = self._digits if regression else 3
                cells.append("–" if value is None else f"{value:.{digits}f}")
            seconds = np.mean([record.wall_seconds for record in self.records[name]])
            rows.append(
                [
                    self.short(name),
                    cells[0],
                    "" if advantage is None else self.difference(advantage),
                    *cells[1:],
                    f"{seconds:.1f}",
                ]
            )
        return ["model", words[0], "minus Cutaway's", *words[1:], "seconds"], rows

    def plot(self):
        """The differences with their intervals, as a matplotlib figure."""
        from cutaway.search.table_charts import advantage_figure

        return advantage_figure(self)

    def page(self) -> str:
        """The page as HTML."""
        from cutaway.search.table_page import table_comparison_page

        return table_comparison_page(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        group = self.tree_group
        return {
            **self.summary,
            "models": {
                name: {
                    "scores": [record.scores for record in records],
                    "seconds": [round(record.wall_seconds, 3) for record in records],
                    "advantage": _advantage_json(self.advantages.get(name)),
                }
                for name, records in self.records.items()
            },
            "best_tree": self.best_tree,
            "tree_group": None if group is None else dataclasses.asdict(group),
            "verdict": self.verdict(),
        }

    def save(self, out) -> None:
        """Write compare.html, compare.png and compare.json into the folder `out`."""
        self.path = save_comparison(self, out)

    def _repr_html_(self):
        from cutaway.search.table_page import table_comparison_html

        return table_comparison_html(self)

    def __str__(self):
        headings, rows = self.table()
        cells = [headings, *rows]
        widths = [max(len(row[k]) for row in cells) for k in range(len(headings))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([*(line.rstrip() for line in lines), "", *self.sentences()])


def _and(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _advantage_json(advantage: Advantage | None) -> dict[str, Any] | None:
    return None if advantage is None else {**dataclasses.asdict(advantage), "sign": advantage.sign}
