"""The result of a search: its trials, its best run, and the test scores."""

import functools
import json
import os
import shutil
from pathlib import Path

import numpy as np

from cutaway.errors import RunError
from cutaway.files import Manifest
from cutaway.files.writing import explaining_write
from cutaway.runs import KINDS, Run, write_report
from cutaway.runs.preprocessing import score_in_words
from cutaway.search.paired import paired_interval

# the main score is the first of these that a kind has; without any, its MONITOR; without that too,
# as of pairs, whose MONITOR is the loss, its first score
SCORES = ("accuracy", "mean_absolute_error", "nats_per_character")


class Tuned:
    """The result of a search.

    Attributes:
        path: the folder.
        summary: all numbers, JSON values: "measure", "wanted", "trials", "importances", "scores",
            "difference", "seconds", ...

    Example:
        >>> import cutaway as ct
        >>> found = ct.tune("students.csv", "passed")                  # doctest: +SKIP
        >>> found.best.predict("new.csv"); found.plot().savefig("tune.png")   # doctest: +SKIP
    """

    def __init__(self, path, summary: dict):
        self.path = Path(path)
        self.summary = summary

    @functools.cached_property
    def best(self) -> Run:
        """The run of the best trial."""
        return Run.open(self.path / "best")

    @functools.cached_property
    def default(self) -> Run | None:
        """The run of the default options; None if its training failed."""
        path = self.path / "default"
        return Run.open(path) if path.exists() else None

    @property
    def trials(self):
        """A polars frame with one row per trial, in the order of their numbers."""
        import polars as pl

        rows = [{k: _cell(v) for k, v in trial.items()} for trial in self.summary["trials"]]
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def importances(self) -> dict:
        """{option: fraction of the variance between trials it explains}; empty with too few."""
        return self.summary["importances"]

    @property
    def report(self) -> Path:
        """Path of the HTML report."""
        return self.path / "tune.html"

    def plot(self):
        """The optimization history and the importances, as a matplotlib figure."""
        from cutaway.search.charts import tune_figure

        return tune_figure(self.summary)

    def ranked(self) -> list:
        """The completed trials, the best first."""
        sign = -1 if self.summary["higher_is_better"] else 1
        found = [t for t in self.summary["trials"] if t["state"] == "complete"]
        return sorted(found, key=lambda t: (sign * t["value"], t["trial"]))

    def verdict(self) -> str:
        """The gain over the default options, in words, on the validation rows and the test rows."""
        return verdict(self.summary)

    def _repr_html_(self):
        from cutaway.search.search_html import tuned_html

        return tuned_html(self)

    def __repr__(self):
        return f"Tuned({str(self.path)!r}, {len(self.summary['trials'])} trials)"


def finish(out, base, study, *, wanted: int, seconds: float, train_again=None) -> Tuned:
    """Copy the best run and the default run, score both on the test set, and write the report.

    Args:
        train_again: function (base, trial, path) for a trial whose run is on another machine;
            None: all are here.

    Raises:
        RunError: no trial completed.
    """
    found, best = study.trials(), study.best()
    found = sorted(found, key=lambda t: t.user_attrs["place"])
    if best is None:
        if not found:
            shutil.rmtree(out, ignore_errors=True)  # interrupted before the first trial
            raise KeyboardInterrupt
        why = next((t.user_attrs["failed"] for t in found if "failed" in t.user_attrs), "")
        raise RunError(
            f"none of {len(found)} trials completed: {why}",
            expected="at least one successful training",
            fix="check the data with cutaway train DATA first",
        )
    default = next((t for t in found if _is_default(t, study)), None)
    if default is None or default.state.name != "COMPLETE":
        default = None
    scores = {}
    for name, trial in (("default", default), ("best", best)):
        if trial is None:
            shutil.rmtree(out / name, ignore_errors=True)
            continue
        source = out / "trials" / f"{_number(trial):03d}"
        if train_again is not None and not source.exists():
            train_again(base, trial, source)
        _put(source, out / name)
        scores[name] = _scores(base, out / name)
    summary = {
        "title": f"{Path(base.source).name} → {base.target}",
        "kind": base.kind,
        "data": base.source,
        "examples": base.preprocessing.examples,
        "measure": base.options.MONITOR,
        "higher_is_better": study.higher_is_better,
        "rows": {
            "training": base.training_rows,
            "validation": base.validation_rows,
            "test": base.test_rows,
        },
        "wanted": wanted,
        "epochs": base.epochs,
        "best": _number(best),
        "default": None if default is None else _number(default),
        "trials": [_row(t, base, study) for t in found],
        "importances": study.importances(),
        "score": scores["best"]["score"],
        "scores": {name: _only(found) for name, found in scores.items()},
        "difference": _difference(base, out) if len(scores) == 2 else None,
        "seconds": round(seconds, 1),
    }
    result = Tuned(out, summary)
    from cutaway.search.page import tune_page

    Manifest(out).write(
        {
            "tune.json": (json.dumps(summary, indent=1) + "\n").encode(),
            result.report.name: tune_page(result).encode("utf-8", "backslashreplace"),
        }
    )
    return result


def verdict(summary: dict) -> str:
    """The gain over the default options, in words."""
    scores = summary["scores"]
    name = summary["score"]
    words, show = score_in_words(name), shown(name)
    best = scores["best"]
    if "default" not in scores:
        return (
            f"The default options failed; best trial: validation {words} "
            f"{show(best['validation'])}."
        )
    default, rows = scores["default"], summary["rows"]
    examples = summary["examples"]
    if summary["best"] == summary["default"]:
        text = (
            f"No trial was better than the default options: {words} {show(best['validation'])} "
            f"on {rows['validation']:,} validation {examples}"
        )
        if "test" in best:
            text += f", {show(best['test'])} on {rows['test']:,} test {examples}"
        return text + "."
    text = (
        f"Validation {words} ({rows['validation']:,} {examples}): {show(default['validation'])} "
        f"with the default options, {show(best['validation'])} with the best, which was selected "
        f"by its validation {summary['measure'].removeprefix('val_')} and is therefore "
        "optimistically biased."
    )
    if "test" not in best:
        return text
    text += (
        f" Test {words} ({rows['test']:,} {examples} that no trial saw): "
        f"{show(default['test'])} and {show(best['test'])}"
    )
    between = summary["difference"]
    if between is None:
        return text + "."
    _, low, high = between
    if low > 0 or high < 0:
        word = "better" if (low > 0) == (name == "accuracy") else "worse"
        return text + (
            f", significantly {word} (95% confidence interval of the difference: "
            f"{_span(low, high, name)})."
        )
    return text + (
        f", no significant difference (95% confidence interval: {_span(low, high, name)})."
    )


def shown(name: str):
    """The formatter of a score."""
    return (lambda v: f"{v:.1%}") if name == "accuracy" else (lambda v: f"{v:.4g}")


def _span(low, high, name):
    if name == "accuracy":
        return f"{low:+.1%} to {high:+.1%}"
    return f"{low:+.3g} to {high:+.3g}"


def _number(trial) -> int:
    return trial.user_attrs["place"] + 1


def _is_default(trial, study):
    return all(trial.params.get(name) == one.first() for name, one in study.space.items())


def _row(trial, base, study) -> dict:
    options = base.options.drawn(trial.params)
    row = {"trial": _number(trial), "state": study.state_of(trial), "value": trial.value}
    for name in ("epochs", "seconds", "parameters"):
        row[name] = trial.user_attrs.get(name)
    row["lr"] = options.rate()
    for name in trial.params:
        if name in ("rate_factor", "depth"):
            continue
        name = "layers" if name == "width" and hasattr(options, "layers") else name
        row[name] = _plain(getattr(options, name))
    scores = trial.user_attrs.get("validation") or {}
    row["score"] = scores[_name(scores, options)] if scores else None
    row["failed"] = trial.user_attrs.get("failed")
    return row


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def _cell(value):
    return "-".join(map(str, value)) if isinstance(value, list) else value


def _name(scores, options) -> str:
    """Which of the scores is told of: the usual one of the kind."""
    names = (*SCORES, options.MONITOR.removeprefix("val_"), *scores)
    return next(name for name in names if name in scores)


def _put(source, place):
    """Copy the run `source` to `place`, atomically.

    Raises:
        RunError: a file of it is damaged; or the disk is full.
    """
    manifest = Manifest(source)
    contents = {name: manifest.read(name) for name in manifest.names}
    beside = place.with_name(place.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with explaining_write(beside, None):
            beside.mkdir()
            Manifest(beside).write(contents)
            shutil.rmtree(place, ignore_errors=True)
            os.replace(beside, place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _scores(base, path) -> dict:
    """The validation and test scores; also writes them and a report to the run."""
    run = Run.open(path)
    if base.test is not None:
        run.metrics["test"] = run.preprocessing.score_run(run, *base.test)
        run.folder.write_json(run.folder.metrics, run.metrics)
    if path.name == "best":
        options = type(base.options)(**_options(run))
        write_report(base.with_options(options), run, command=f"cutaway tune {base.source}")
    name = _name(run.metrics["validation"], base.options)
    found = {"score": name, "validation": run.metrics["validation"][name]}
    if "test" in run.metrics:  # of pictures the training itself scores them, after the last epoch
        found["test"] = run.metrics["test"][name]
    return found


def _only(found):
    return {name: value for name, value in found.items() if name != "score"}


def _options(run) -> dict:
    given = run.config["options"]
    return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}


def _difference(base, out):
    """(mean, low, high) of the difference best - default on the test rows, or None.

    There is no interval for time series and texts, whose rows are not independent.
    """
    if base.test is None or KINDS[base.kind].windows:
        return None
    per_row = []
    for name in ("default", "best"):
        run = Run.open(out / name)
        outputs, truth = run.outputs(base.test[0]), run.preprocessing.truth(base.test[1])
        if run.preprocessing.task == "regression":
            per_row.append(np.abs(outputs - truth))
        else:
            per_row.append(outputs.argmax(axis=1) == truth)
    return list(paired_interval(*per_row))
