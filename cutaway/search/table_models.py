"""Models that are compared on a table: Cutaway's network and scikit-learn's models.

scikit-learn's have their defaults. Linear models and the perceptron get the rows as Cutaway encodes
them, fitted on the training rows; trees get numbers as they are and categories as codes.
"""

import ast
import dataclasses
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data import TablePreprocessing
from cutaway.errors import install_extra
from cutaway.runs import TableOptions, prepare_table
from cutaway.runs.baselines import encoded, linear_model
from cutaway.search.plain_columns import PlainColumns
from cutaway.search.table_problem import TableProblem

MOST_LEVELS = 254  # of a category that HistGradientBoosting takes as one
# packages whose code decides what training on a table gives
SOURCES = ("data", "engine", "losses", "models", "nn", "ops", "optim", "runs", "runtime", "train")


@dataclasses.dataclass(frozen=True)
class FitOutcome:
    """What a model predicted for new rows, and what its training cost.

    Attributes:
        outputs: probabilities (rows, classes), or values in the target's unit (rows,).
        wall_seconds, cpu_seconds: of the training alone.
        peak_bytes: most memory of the process so far; None: not measured.
    """

    outputs: np.ndarray
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int | None = None


class TableModel:
    """A model that can be fitted to a table. A subclass has `key`, `fit` and `predict`.

    Attributes:
        name: short, of a column and of files.
        title: in sentences.
        package: that must be installed.
        extra: of Cutaway, that installs it.
        is_tree: whether it is made of trees.
    """

    name: str
    title: str
    package = "sklearn"
    extra = "search"
    is_tree = False

    def missing(self) -> str | None:
        """How to install what it needs; None: it is there."""
        if importlib.util.find_spec(self.package) is not None:
            return None
        return install_extra(self.extra)

    def key(self) -> dict[str, Any]:
        """JSON values that tell this version of the model from others."""
        raise NotImplementedError

    def load(self) -> None:
        """Import what training needs, so that this is not counted as training."""
        importlib.import_module(self.package)

    def fit(self, problem: TableProblem, training, seed: int) -> Any:
        """The model, fitted to a frame."""
        raise NotImplementedError

    def predict(self, problem: TableProblem, fitted: Any, new) -> np.ndarray:
        """Probabilities (rows, classes of the problem), or values (rows,)."""
        raise NotImplementedError

    def close(self, fitted: Any) -> None:
        """Remove what the training left on disk."""

    def measure(self, problem: TableProblem, training, new, seed: int) -> FitOutcome:
        """Fit to one frame, predict another."""
        self.load()
        wall, cpu = time.perf_counter(), time.process_time()
        fitted = self.fit(problem, training, seed)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        try:
            outputs = np.asarray(self.predict(problem, fitted, new), np.float64)
        finally:
            self.close(fitted)
        return FitOutcome(outputs, wall, cpu)


class CutawayModel(TableModel):
    """The network that `cutaway train` trains.

    Args:
        options: TableOptions; the seed and the columns are those of the problem.
        name: if several are compared.
        tag: a name for this version of the code, in place of the checksum of its sources.
    """

    title = "Cutaway"
    package = "cutaway"

    def __init__(self, options: TableOptions | None = None, name: str = "cutaway", tag: str = ""):
        self.options = TableOptions() if options is None else options
        self.name = name
        self.title = "Cutaway" if name == "cutaway" else f"Cutaway ({name})"
        self.tag = tag

    def key(self):
        return {"code": self.tag or _checksum_of_sources(), "options": _as_json(self.options)}

    def load(self) -> None:
        import cutaway.models
        import cutaway.train  # noqa: F401

    def fit(self, problem, training, seed):
        options = dataclasses.replace(
            self.options,
            seed=seed,
            task=problem.task,
            ignore=problem.ignore,
            kinds=problem.kinds,
        )
        folder = tempfile.TemporaryDirectory(prefix="cutaway-compare-")
        try:
            experiment = prepare_table(training, problem.target, options)
            run = experiment.train(Path(folder.name, "run"), progress=False)
            if run.metrics.get("stopped") == "interrupted":
                raise KeyboardInterrupt
        except BaseException:
            folder.cleanup()
            raise
        return run, folder

    def close(self, fitted):
        fitted[1].cleanup()

    def predict(self, problem, fitted, new):
        run, _ = fitted
        outputs = run.outputs(run.preprocessing.transform(new, with_target=False).x)
        if problem.is_regression:
            return outputs
        return in_classes(outputs, run.preprocessing.classes, problem.classes)


class EncodedModel(TableModel):
    """A model of scikit-learn that gets the rows as Cutaway encodes them."""

    def estimator(self, task: str, seed: int) -> Any:
        raise NotImplementedError

    def key(self):
        return _key_of_sklearn(self)

    def fit(self, problem, training, seed):
        rows = encoding(problem, training)
        arrays = rows.transform(training)
        words = sum(text.length for text in rows.texts)
        model = encoded(self.estimator(problem.task, seed), len(rows.embeddings), words)
        return rows, _quietly(model, arrays.x, arrays.y)

    def predict(self, problem, fitted, new):
        rows, model = fitted
        x = rows.transform(new, with_target=False).x
        if problem.is_regression:
            return rows.untransform_target(model.predict(x))
        classes = [rows.classes[k] for k in model.classes_]
        return in_classes(model.predict_proba(x), classes, problem.classes)


class LinearModel(EncodedModel):
    """LogisticRegression or Ridge."""

    name, title = "linear", "the linear model"

    def estimator(self, task, seed):
        return linear_model(task)


class PerceptronModel(EncodedModel):
    """MLPClassifier or MLPRegressor."""

    name, title = "sklearn MLP", "scikit-learn's MLP"

    def estimator(self, task, seed):
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        return (MLPRegressor if task == "regression" else MLPClassifier)(random_state=seed)


class PlainModel(TableModel):
    """A model of scikit-learn that gets numbers as they are and categories as codes."""

    is_tree = True

    def estimator(self, task: str, seed: int, categories: list[int]) -> Any:
        raise NotImplementedError

    def key(self):
        return _key_of_sklearn(self)

    def fit(self, problem, training, seed):
        columns = PlainColumns.fit(encoding(problem, training), training)
        x, is_category = columns.transform(training)
        levels = np.max(np.nan_to_num(x, nan=0.0), axis=0)
        categories = np.flatnonzero(is_category & (levels < MOST_LEVELS)).tolist()
        y = columns.rows.transform(training).targets
        if problem.is_regression:
            y = columns.rows.untransform_target(y)
        return columns, _quietly(self.estimator(problem.task, seed, categories), x, y)

    def predict(self, problem, fitted, new):
        columns, model = fitted
        x, _ = columns.transform(new)
        if problem.is_regression:
            return model.predict(x)
        classes = [columns.rows.classes[k] for k in model.classes_]
        return in_classes(model.predict_proba(x), classes, problem.classes)


class ForestModel(PlainModel):
    """RandomForest, of scikit-learn's 100 trees."""

    name, title = "forest", "the random forest"

    def estimator(self, task, seed, categories):
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestRegressor if task == "regression" else RandomForestClassifier
        return kind(random_state=seed, n_jobs=-1)


class BoostedModel(PlainModel):
    """HistGradientBoosting; categories of up to 254 levels are given as such."""

    name, title = "boosted", "the boosted trees"

    def estimator(self, task, seed, categories):
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        regression = task == "regression"
        kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        # scikit-learn documents that categorical_features may be indices
        return kind(random_state=seed).set_params(categorical_features=categories or None)


def rival_models() -> list[TableModel]:
    """scikit-learn's models that a table is compared with."""
    return [BoostedModel(), ForestModel(), PerceptronModel(), LinearModel()]


def encoding(problem: TableProblem, training) -> TablePreprocessing:
    """Cutaway's preprocessing of a problem, fitted on a frame."""
    return TablePreprocessing.fit(
        training, problem.target, task=problem.task, kinds=problem.kinds, ignore=problem.ignore
    )


def in_classes(probabilities, classes, wanted) -> np.ndarray:
    """Probabilities of `classes` as columns for `wanted`; a class never seen has 0."""
    found = np.zeros((len(probabilities), len(wanted)))
    place = {value: k for k, value in enumerate(wanted)}
    for k, value in enumerate(classes):
        found[:, place[value]] = probabilities[:, k]
    return found


def _quietly(model, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a solver that has not converged
        return model.fit(x, y)


def _key_of_sklearn(model) -> dict[str, Any]:
    return {"class": type(model).__name__, "sklearn": importlib.metadata.version("scikit-learn")}


def _as_json(options: TableOptions) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(options), default=str))


@functools.cache
def _checksum_of_sources() -> str:
    """Of the code, whatever its comments and docstrings say."""
    import cutaway

    root = Path(cutaway.__file__).parent
    found = hashlib.sha256()
    for package in SOURCES:
        for path in sorted((root / package).rglob("*.py")):
            tree = ast.parse(path.read_bytes())
            for node in ast.walk(tree):
                body = getattr(node, "body", None)
                first = body[0] if isinstance(body, list) and body else None
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    first.value.value = ""
            found.update(f"{path.relative_to(root)} {ast.dump(tree)}".encode())
    return found.hexdigest()[:16]
