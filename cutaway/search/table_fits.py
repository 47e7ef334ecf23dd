"""Fits of Cutaway's network and of scikit-learn's models on splits of one's own table."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.errors import OptionError
from cutaway.search.row_groups import groups_of
from cutaway.search.table_comparison import NAMES, TableComparison
from cutaway.search.table_models import CutawayModel, TableModel, encoding, rival_models
from cutaway.search.table_problem import RowSplit, TableProblem
from cutaway.search.table_protocol import FitRecord, fit_here
from cutaway.search.table_scores import main_score

BUDGET = 100.0  # seconds, after which no further split begins


def compare_table(
    base,
    again: Callable[[int], Any],
    *,
    splits: int,
    seed: int,
    seconds: float = BUDGET,
    on_fit: Callable[[str, int, int, float], None] | None = None,
) -> TableComparison:
    """Fit Cutaway's network and scikit-learn's models on repeated splits of a table.

    Args:
        base: the runs.Experiment of the table, with a test set.
        again: function of a seed that prepares the table anew, for splits that its options ask for.
        splits: most of them.
        seed: of the first split.
        seconds: no further split begins if it would most likely end later.
        on_fit: function of (model, training rows, split, main score), called after each fit.

    Raises:
        OptionError: there is no test set.
    """
    if base.test is None:
        raise OptionError(
            "there is no test set",
            expected="data with a test set",
            fix="set test to a fraction such as 0.25",
        )
    options, began = base.options, time.perf_counter()
    problem, drawn, redrawn = _drawn_splits(base, again, splits, seed)
    own = dataclasses.replace(
        options,
        test=0.0,
        missing=(),
        encoding=None,
        header=None,
        split=options.split if _is_of_rows(options.split) else None,
    )
    models: list[TableModel] = [CutawayModel(own), *rival_models()]
    records: dict[str, list[FitRecord]] = {model.name: [] for model in models}
    done = 0
    for split in drawn:
        first = time.perf_counter()
        for model in models:
            record = fit_here(problem, model, split)
            records[model.name].append(record)
            score = record.scores[main_score(problem.task)]
            if on_fit is not None and score is not None:
                on_fit(NAMES.get(model.name, model.name), len(split.training), split.number, score)
        done += 1
        now = time.perf_counter()
        if now - began + (now - first) > seconds:
            break
    fitted = encoding(problem, problem.frame)
    kinds = {column.name: column.kind for column in fitted.columns}
    summary = {
        "title": f"{Path(base.source).name} → {base.target}",
        "task": problem.task,
        "score": main_score(problem.task),
        "rows": problem.frame.height,
        "training_rows": len(drawn[0].training),
        "test_rows": len(drawn[0].test),
        "splits": done,
        "wanted": len(drawn),
        "budget_seconds": seconds,
        "redrawn": redrawn,
    }
    return TableComparison(
        records,
        {model.name: model for model in models},
        groups_of(problem.frame, kinds),
        summary,
    )


def _is_of_rows(split: str | None) -> bool:
    """Whether a split is by a column, so that it can be made of part of the rows too."""
    return split is not None and split.startswith(("time:", "group:"))


def _drawn_splits(base, again, count, seed) -> tuple[TableProblem, list[RowSplit], bool]:
    """(the problem, its splits, whether their test rows differ)."""
    options = base.options
    split = options.split
    ignore = options.ignore
    if split is not None and split.startswith("group:"):  # the groups are no feature
        ignore = (*ignore, split.removeprefix("group:"))
    kinds = {
        name: kind for name, kind in options.kinds.items() if name not in (*ignore, base.target)
    }
    task = base.preprocessing.task
    problem = TableProblem.of(
        Path(base.source).name, base.frame, base.target, task=task, ignore=ignore, kinds=kinds
    )
    if split is None or split == "random":
        return problem, problem.splits(count, test=options.test, seed=seed), True
    found: list[RowSplit] = []
    for number in range(count):
        base = base if number == 0 else again(seed + number)
        pool = np.union1d(base.training, base.validation)
        test = np.setdiff1d(np.arange(problem.frame.height), pool)
        if found and np.array_equal(test, found[0].test):
            return problem, found, False
        found.append(RowSplit(number, pool, test))
    return problem, found, True
