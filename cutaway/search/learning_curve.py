"""compare: a network beside other models, on splits of a table or by number of training rows."""

import dataclasses
import functools
import math
import tempfile
import warnings
from pathlib import Path

import numpy as np

from cutaway.data import stratified_split
from cutaway.data.read import unpiped
from cutaway.errors import DataError, OptionError, RunError, expect_range
from cutaway.metrics import regression_scores
from cutaway.runs import prepare
from cutaway.runs.baselines import import_sklearn
from cutaway.runs.kinds import KINDS
from cutaway.runs.kinds.contract import NETWORK, Rivals
from cutaway.search.paired import resampled_interval
from cutaway.search.saved_comparison import save_comparison
from cutaway.search.table_comparison import TableComparison
from cutaway.search.table_fits import BUDGET, compare_table

TEST = 0.25
MIN_ROWS = 20  # smallest training set
ROWS_PER_CLASS = 5  # at least, in the smallest training set
CURVE = 5  # sizes of a learning curve


class Comparison:
    """Learning curves of several models on the same rows.

    Attributes:
        sizes: numbers of training rows, ascending.
        scores: {model: (sizes, seeds) scores}; "network" first.
        summary: JSON values: "title", "score" ("accuracy" or "R²"), "test_rows", "seeds", ...

    Example:
        >>> import cutaway as ct
        >>> found = ct.compare("students.csv", "passed")               # doctest: +SKIP
        >>> print(found); found.plot().savefig("compare.png")          # doctest: +SKIP
    """

    def __init__(self, sizes, scores: dict, summary: dict):
        self.sizes = list(sizes)
        self.scores = {name: np.asarray(values, float) for name, values in scores.items()}
        self.summary = summary
        self.path = None

    def interval(self, values) -> tuple:
        """(means, half widths) over the last axis, the seeds; see paired.resampled_interval.

        If the test set came with the data, the splits are taken as independent.
        """
        overlap = self.summary["test_rows"] / self.summary["pool_rows"]
        redrawn = self.summary["redrawn"]
        return resampled_interval(values, test_over_training=overlap if redrawn else 0.0)

    @property
    def rows(self):
        """A polars frame: model, rows, seed, score."""
        import polars as pl

        return pl.DataFrame(
            [
                {"model": name, "rows": n, "seed": s, "score": float(values[k, s])}
                for name, values in self.scores.items()
                for k, n in enumerate(self.sizes)
                for s in range(values.shape[1])
            ]
        )

    def verdict(self) -> str:
        """How the network compares with each baseline, in words, by the intervals."""
        mine, most = self.scores[NETWORK], f"{self.sizes[-1]:,} {self.summary['examples']}"
        others = [name for name in self.scores if name != NETWORK]
        network = f"With {most} the network ({self._pair(mine[-1])})"
        named = str if "method" in self.summary else _named
        beside = {name: f"{named(name)} ({self._pair(self.scores[name][-1])})" for name in others}
        if self.summary["seeds"] < 2:
            text = ", ".join(beside.values())
            return f"{network} compares with {text}; one seed gives no intervals."
        ahead, behind, level = [], [], []
        for name in others:
            means, halves = self.interval(mine - self.scores[name])
            if means[-1] - halves[-1] > 0:
                ahead.append(beside[name] + self._since(means - halves > 0))
            elif means[-1] + halves[-1] < 0:
                behind.append(beside[name])
            else:
                level.append(beside[name])
        parts = []
        if ahead:
            parts.append(f"is better than {_and(ahead)}")
        if behind:
            parts.append(f"is worse than {_and(behind)}")
        if level:
            parts.append(f"is not significantly different from {_and(level)}")
        return f"{network} {'; it '.join(parts)}."

    def _since(self, ahead) -> str:
        """The smallest size from which on it is always ahead."""
        first = len(ahead) - int(np.argmin(np.append(ahead[::-1], False)))
        if first == len(ahead) - 1:
            return ""
        return " at every size" if first == 0 else f" from {self.sizes[first]:,} on"

    def _pair(self, values):
        mean, half = self.interval(values)
        if math.isnan(half):
            return f"{mean:.3f}"
        return f"{mean:.{self._digits}f} ± {half:.{self._digits}f}"

    @functools.cached_property
    def _digits(self) -> int:
        """Decimals, by the width of the intervals."""
        halves = [self.interval(values)[1] for values in self.scores.values()]
        return 3 if np.median(halves) < 0.01 else 2

    def table(self) -> tuple:
        """(headings, rows): one row per size, one column per model."""
        rows = []
        for k, n in enumerate(self.sizes):
            rows.append([f"{n:,}", *(self._pair(values[k]) for values in self.scores.values())])
        return ["rows", *self.scores], rows

    def plot(self):
        """The learning curves, as a matplotlib figure."""
        from cutaway.search.charts import compare_figure

        return compare_figure(self)

    def page(self) -> str:
        """The page as HTML."""
        from cutaway.search.page import compare_page

        return compare_page(self)

    def to_dict(self) -> dict:
        """JSON values."""
        scores = {name: values.tolist() for name, values in self.scores.items()}
        return {**self.summary, "sizes": self.sizes, "scores": scores, "verdict": self.verdict()}

    def save(self, out) -> None:
        """Write compare.html, compare.png and compare.json into the folder `out`."""
        self.path = save_comparison(self, out)

    def _repr_html_(self):
        from cutaway.search.search_html import comparison_html

        return comparison_html(self)

    def __str__(self):
        headings, rows = self.table()
        cells = [headings, *rows]
        widths = [max(len(row[k]) for row in cells) for k in range(len(headings))]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([*lines, "", self.verdict()])


def compare(
    data,
    target: str | None = None,
    *,
    kind: str | None = None,
    sizes: int | None = None,
    seeds: int = 5,
    seconds: float = BUDGET,
    out=None,
    on_size=None,
    **given,
) -> Comparison | TableComparison:
    """Train the network and other models on the same rows, and compare their scores.

    Of a table all models are trained on the same random splits, with all their training rows, and
    compared by log loss or RMSE; what trees are better at is told by groups of rows. With `sizes`,
    and of all other data, the training sets grow: learning curves. The other models are
    scikit-learn's; for pictures with boxes, other detectors.

    For learning curves each seed splits the rows anew into a test set and the rest, from which the
    training sets are sampled, the same for all models. The network uses part of its training set
    for validation, to choose the epoch; the other models train on all of it.

    Args:
        data, target, kind: see runs.prepare; a table, labeled texts, images, recordings or time
            series, or pictures with boxes.
        sizes: number of training-set sizes, evenly spaced on a log scale, up to all rows; None: of
            a table no learning curve, otherwise 5.
        seeds: number of repetitions, each with a split of its own.
        seconds: of a table without `sizes`: no further split begins if it would end later.
        out: folder to write compare.html, compare.png and compare.json to; None writes nothing.
        on_size: function of (model, rows, seed, score), called after each training.
        given: options of the network's training; by default test=0.25.

    Raises:
        DataError, OptionError: invalid input, too few rows.
        RunError: the folder is not empty.
        CutawayError: scikit-learn is not installed.

    Example:
        >>> import cutaway as ct
        >>> print(ct.compare("students.csv", "passed"))                   # doctest: +SKIP
    """
    if sizes is not None:
        expect_range(sizes, what="sizes", least=1)
    expect_range(seconds, what="seconds", above=0)
    expect_range(seeds, what="seeds", least=1)
    import_sklearn()
    if out is not None:
        expect_free(out)
    first = given.pop("seed", 0)
    given = {"test": TEST, **given}
    data = unpiped(data)
    given["one_network"] = sizes is not None
    base = prepare(data, target, kind=kind, seed=first, **given)
    if not KINDS[base.kind].is_compared:
        raise OptionError(
            f"{base.source} is of kind {base.kind}",
            expected="independent examples with a target: "
            + ", ".join(name for name, kind in KINDS.items() if kind.is_compared),
            fix="for forecasts use cutaway train, which compares with the naive forecast",
        )
    if base.kind == "table" and sizes is None:
        again = functools.partial(_prepared, data, target, kind, given)
        found = compare_table(
            base, again, splits=seeds, seed=first, seconds=seconds, on_fit=on_size
        )
        if out is not None:
            found.save(out)
        return found
    rivals = _rivals_of(base)
    test = rivals.test
    counts = _sizes(base, rivals, CURVE if sizes is None else sizes)
    scores = {name: np.zeros((len(counts), seeds)) for name in rivals.models}
    tell = on_size or (lambda model, rows, seed, score: None)
    redrawn = True
    for s in range(seeds):
        if s:
            base = _prepared(data, target, kind, given, first + s)
            rivals = _rivals_of(base)
            redrawn = not np.array_equal(rivals.test, test)
        for k, n in enumerate(counts):
            rows = _draw(rivals, n, first + s)
            for name, train in rivals.models.items():
                score = scores[name][k, s] = train(rows, first + s)
                tell(name, n, s, score)
    summary = {
        "title": f"{Path(base.source).name} → {base.target}",
        "examples": base.preprocessing.examples,
        "score": rivals.score,
        "network": base.spec["model"],
        "parameters": base.net.summary().total,
        "seeds": seeds,
        "test_rows": len(rivals.test),
        "pool_rows": len(rivals.pool),
        "redrawn": redrawn,
        **({"method": rivals.method} if rivals.method else {}),
    }
    found = Comparison(counts, scores, summary)
    if out is not None:
        found.save(out)
    return found


def _prepared(data, target, kind, given: dict, seed: int):
    return prepare(data, target, kind=kind, seed=seed, **given)


def _named(name: str) -> str:
    return "the linear model" if name == "linear" else f"the {name}"


def _and(texts: list) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def expect_free(out) -> None:
    """Raise RunError unless `out` is new or an empty folder."""
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            f"{out} is not empty",
            expected="a new or empty folder",
            fix="choose another --out",
        )


def _rivals_of(base) -> Rivals:
    """What is compared on these data.

    Raises:
        OptionError: there is no test set, or the data are a stream.
    """
    rivals = KINDS[base.kind].rivals(base)
    has_test = base.test is not None if rivals is None else len(rivals.test) > 0
    if not has_test or (rivals is None and base.stream is not None):
        raise OptionError(
            "the data do not fit in memory" if has_test else "there is no test set",
            expected="data that fit in memory, with a test set",
            fix="set test to a fraction such as 0.25",
        )
    return _beside_scikit_learn(base) if rivals is None else rivals


def _sizes(base, rivals: Rivals, count) -> list:
    """Numbers of training rows, evenly spaced on a log scale, with a few rows per class."""
    most = len(rivals.pool)
    classes = 1 if base.preprocessing.task == "regression" else len(base.preprocessing.classes)
    least = max(MIN_ROWS, ROWS_PER_CLASS * classes)
    if most < 2 * least and count > 1:
        raise DataError(
            f"{most:,} training {base.preprocessing.examples} are too few for a learning curve",
            expected=f"at least {2 * least:,} besides the test set",
            fix="use more data, or sizes=1 for a single comparison with all of it (--sizes 1)",
        )
    if count == 1:
        return [most]
    return [int(n) for n in dict.fromkeys(np.geomspace(least, most, count).round().astype(int))]


def _draw(rivals: Rivals, count: int, seed: int):
    """Sorted training rows, sampled from all rows except the test set."""
    if count >= len(rivals.pool):
        return rivals.pool
    labels = np.zeros(len(rivals.pool)) if rivals.labels is None else rivals.labels
    _, chosen = stratified_split(
        labels, count / len(rivals.pool), seed=seed, stratify=rivals.labels is not None
    )
    return rivals.pool[chosen]


def _beside_scikit_learn(base) -> Rivals:
    """The network and the baselines of its kind."""
    task, (x_test, y_test) = base.preprocessing.task, base.test
    truth = base.preprocessing.truth(y_test)
    x = base.x.reshape(len(base.x), -1)

    def network(rows, seed) -> float:
        training, validation = stratified_split(
            base.y[rows], base.options.validation, seed=seed, stratify=task != "regression"
        )
        part = dataclasses.replace(
            base.with_options(base.options),
            training=rows[training],
            validation=rows[validation],
            test=None,
        )
        with tempfile.TemporaryDirectory() as folder:
            run = part.train(Path(folder, "run"), progress=False)
        if run.metrics["stopped"] == "interrupted":
            raise KeyboardInterrupt
        outputs = run.outputs(x_test)
        found = outputs if task == "regression" else outputs.argmax(axis=1)
        return _score(task, truth, found)

    def baseline(make):
        def score(rows, seed) -> float:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a solver that has not converged
                model = make(task, seed).fit(x[rows], base.y[rows])
                found = model.predict(x_test.reshape(len(x_test), -1))
            if task == "regression":
                found = base.preprocessing.untransform_target(found)
            return _score(task, truth, found)

        return score

    pool = np.sort(np.concatenate([base.training, base.validation]))
    baselines = KINDS[base.kind].baselines(base)
    return Rivals(
        pool=pool,
        test=x_test,
        score="R²" if task == "regression" else "accuracy",
        models={NETWORK: network, **{name: baseline(make) for name, make in baselines.items()}},
        labels=None if task == "regression" else base.y[pool],
    )


def _score(task, truth, found) -> float:
    if task == "regression":
        score = regression_scores(truth, found)["r2"]
        if score is None:
            raise DataError(
                "all test rows have the same target", expected="a test set with different values"
            )
        return float(score)
    return float((np.asarray(found) == truth).mean())
