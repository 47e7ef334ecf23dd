"""compare on a table: what the sentences say is what the numbers say."""

import json
import re

import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway.search.row_groups import groups_of
from cutaway.search.table_comparison import TableComparison
from cutaway.search.table_models import CutawayModel, FitOutcome, rival_models
from cutaway.search.table_page import how_compared, table_comparison_page
from cutaway.search.table_problem import TableProblem
from cutaway.search.table_protocol import FitRecord

ROWS = 400
MODELS = [CutawayModel(), *rival_models()]
RNG = np.random.default_rng(0)
AGE = RNG.permutation(np.arange(float(ROWS)))


def compared(losses: dict, *, splits=5, task="binary") -> TableComparison:
    """A comparison in which every model has the given loss on each row.

    Args:
        losses: {model: function (age of the rows, rng) -> losses}; the others have 0.7.
    """
    y = np.arange(ROWS) % 2 if task == "binary" else RNG.normal(size=ROWS)
    frame = pl.DataFrame({"age": AGE, "y": y})
    problem = TableProblem.of("t", frame, "y", task=task)
    records = {model.name: [] for model in MODELS}
    for split in problem.splits(splits, test=0.25):
        for model in MODELS:
            rng = np.random.default_rng([split.number, len(model.name)])
            given = losses.get(model.name)
            loss = np.full(100, 0.7) if given is None else given(AGE[split.test], rng)
            truth = problem.truth[split.test]
            if task == "binary":
                outputs = np.repeat(1 - np.exp(-loss)[:, None], 2, axis=1)
                outputs[np.arange(100), truth] = np.exp(-loss)
            else:
                outputs = truth + np.sqrt(loss)
            records[model.name].append(
                FitRecord.of(problem, model, split, FitOutcome(outputs, 1.0, 1.0))
            )
    summary = {
        "title": "t → y", "task": task, "rows": ROWS, "training_rows": 300, "test_rows": 100,
        "splits": splits, "wanted": 5, "budget_seconds": 100.0, "redrawn": True,
    }  # fmt: skip
    groups = groups_of(frame, {"age": "number"})
    return TableComparison(records, {model.name: model for model in MODELS}, groups, summary)


def around(middle, *, old=0.0, spread=0.02):
    """A function of losses: `middle`, more by `old` for ages above 299."""

    def losses(age, rng):
        return middle + old * (age > 299) + rng.normal(0, spread, len(age)) + rng.normal(0, 0.005)

    return losses


def test_the_verdict_names_who_is_better_worse_and_neither():
    found = compared(
        {"cutaway": around(0.5), "boosted": around(0.4), "forest": around(0.5), "linear": around(1)}
    )
    first = found.sentences()[0]
    assert [found.advantages[n].sign for n in ("boosted", "forest", "linear")] == [-1, 0, 1]
    better, rest = first.split("; it is worse than ")
    worse, neither = rest.split("; it is not significantly different from ")
    assert "the linear model (1.0" in better and "scikit-learn's MLP (0.700, by 0.20" in better
    assert worse.startswith("the boosted trees (0.399, by 0.100 ± ")
    assert neither.startswith("the random forest (0.50")
    advantage = found.advantages["linear"]
    assert advantage.low < 0.5 < advantage.high and abs(advantage.fraction - 0.5) < 0.02


def test_trees_that_are_better_are_named_with_the_rows_where_they_are_most():
    found = compared({"cutaway": around(0.45, old=0.4), "boosted": around(0.4)})
    group = found.tree_group
    assert found.best_tree == "boosted" and group is not None and group.rule == "age > 299"
    last = found.sentences()[1]
    assert last.startswith("Trees are better on this table: the log loss of the boosted trees is ")
    assert "The difference is largest where age > 299 (" in last
    theirs, mine = map(float, re.findall(r"(0\.\d+) instead of Cutaway's (0\.\d+)", last)[0])
    assert theirs == pytest.approx(0.4, abs=0.01) and mine == pytest.approx(0.85, abs=0.01)


def test_trees_may_be_worse_over_all_and_better_on_some_rows():
    found = compared({"cutaway": around(0.2, old=0.6), "boosted": around(0.7)})
    last = found.sentences()[1]
    assert last.startswith("Trees are worse on this table, but where age > 299 (")
    plain = compared({"cutaway": around(0.5), "boosted": around(0.5), "forest": around(0.6)})
    assert plain.sentences()[1] == (
        "On this table trees are neither better nor worse beyond noise; no group of rows by a "
        "single column stands out."
    )


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_one_split_has_intervals_over_its_rows(task):
    found = compared({"cutaway": around(0.5), "linear": around(1)}, splits=1, task=task)
    advantage = found.advantages["linear"]
    exact = found.mean("linear") - found.mean("cutaway")
    assert advantage.low < advantage.mean < advantage.high
    assert advantage.mean == pytest.approx(exact)
    assert (advantage.low + advantage.high) / 2 == pytest.approx(exact, rel=0.02)
    assert " to " in found.difference(advantage) and "bootstrap" in how_compared(found)
    assert "5 splits were asked for" in how_compared(found)


def test_the_page_the_table_and_json_hold_every_model():
    found = compared({"cutaway": around(0.5), "linear": around(1)})
    page = table_comparison_page(found)
    for words in ("boosted trees", "sklearn MLP", "Nadeau", "Bonferroni", "<svg"):
        assert words in page
    assert "<script" not in page
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(told["models"]) == [model.name for model in MODELS]
    assert told["models"]["cutaway"]["advantage"] is None
    assert told["models"]["linear"]["advantage"]["sign"] == 1
    assert max(map(len, str(found).split("\n\n")[0].splitlines())) <= 80


@pytest.mark.slow
def test_a_table_is_compared_on_splits_and_written(points, tmp_path):
    seen = []
    found = ct.compare(
        points, "where", seeds=3, epochs=2, layers=(4,), out=tmp_path / "c",
        on_size=lambda model, rows, split, score: seen.append((model, rows, split)),
    )  # fmt: skip
    assert seen[:2] == [("Cutaway", 90, 0), ("boosted trees", 90, 0)] and len(seen) == 15
    assert found.summary["splits"] == 3 and found.summary["test_rows"] == 30
    assert found.mean("forest") < found.mean("linear")  # a line does not part the classes
    names = sorted(p.name for p in (tmp_path / "c").iterdir())
    assert names == ["compare.html", "compare.json", "compare.png"]
    assert (tmp_path / "c" / "compare.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_splits_of_the_options_are_kept(points):
    given = {"kind": "table", "epochs": 2, "layers": (4,), "seeds": 2}
    frame = points.with_columns(pl.Series("who", np.arange(120) // 6), pl.Series("t", range(120)))
    found = ct.compare(frame, "where", split="group:who", **given)
    who = frame["who"].to_numpy()
    for record in found.records["linear"]:
        rest = np.setdiff1d(np.arange(120), record.rows)
        assert not set(who[record.rows]) & set(who[rest])
    assert "who" not in {group.column for group in found.groups}
    found = ct.compare(frame, "where", split="time:t", **given)
    assert found.summary["splits"] == 1 and not found.summary["redrawn"]
    assert found.records["linear"][0].rows.min() == 90


@pytest.mark.slow
def test_a_budget_that_is_spent_ends_the_splits(points):
    found = ct.compare(points, "where", kind="table", epochs=2, layers=(4,), seeds=3, seconds=1e-3)
    assert found.summary["splits"] == 1 and found.summary["wanted"] == 3
