"""The data sets, in two halves: one on which choices are made, and one that they are judged by."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from benchmarks.tables import drawn

HALVES = ("choice", "test")
SPLITS = 5


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set.

    Attributes:
        name: unique.
        half: "choice" or "test".
        task: "binary", "multiclass" or "regression".
        read: function (folder of the real data) -> (polars frame, target).
        ignore: columns left out.
        most_splits: splits at most.
    """

    name: str
    half: str
    task: str
    read: Callable
    ignore: tuple[str, ...] = ()
    most_splits: int = SPLITS

    def problem(self, folder):
        """The TableProblem."""
        from cutaway.search.table_problem import TableProblem

        frame, target = self.read(folder)
        return TableProblem.of(self.name, frame, target, task=self.task, ignore=self.ignore)


@dataclasses.dataclass(frozen=True)
class TextFile:
    """A table in the folder of the real data."""

    path: str
    target: str

    def __call__(self, folder):
        import cutaway as ct

        return ct.data.read_table(Path(folder) / self.path), self.target


@dataclasses.dataclass(frozen=True)
class Bundled:
    """A table of scikit-learn."""

    loader: str

    def __call__(self, folder):
        import polars as pl
        import sklearn.datasets

        found = getattr(sklearn.datasets, self.loader)()
        names = [str(name) for name in found.feature_names]
        columns = {name: found.data[:, k] for k, name in enumerate(names)}
        return pl.DataFrame({**columns, "target": found.target}), "target"


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A table that a function of benchmarks.tables.drawn draws."""

    function: str

    def __call__(self, folder):
        return getattr(drawn, self.function)()


BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
# texts and identifiers, which not every model takes
TITANIC = ("PassengerId", "Name", "Ticket")
BMI = "bmi_500/500_Person_Gender_Height_Weight_Index.csv"
CHOICE = [
    DataSet("iris", "choice", MULTICLASS, TextFile("iris/iris.csv", "species")),
    DataSet("breast_cancer", "choice", BINARY, Bundled("load_breast_cancer")),
    DataSet("diabetes", "choice", REGRESSION, Bundled("load_diabetes")),
    DataSet("titanic", "choice", BINARY, TextFile("titanic/titanic.csv", "Survived"), TITANIC),
    DataSet(
        "wine_quality_red",
        "choice",
        MULTICLASS,
        TextFile("wine_quality/winequality-red.csv", "quality"),
    ),
    DataSet("placement", "choice", BINARY, TextFile("placement/placement.csv", "placement")),
    DataSet("xor", "choice", BINARY, Drawn("xor_choice")),
    DataSet("steps", "choice", REGRESSION, Drawn("steps_choice")),
    DataSet("friedman_1", "choice", REGRESSION, Drawn("smooth_choice")),
    DataSet("interactions", "choice", MULTICLASS, Drawn("interactions_choice")),
    DataSet("useless_columns", "choice", BINARY, Drawn("useless_choice")),
    DataSet("heavy_tails", "choice", REGRESSION, Drawn("heavy_tails_choice")),
    DataSet("rare_class", "choice", BINARY, Drawn("rare_choice")),
    DataSet("categories", "choice", BINARY, Drawn("categories_choice")),
    DataSet("rows_10k", "choice", REGRESSION, Drawn("ten_thousand_choice")),
    DataSet("rows_200k", "choice", BINARY, Drawn("many_rows_choice"), most_splits=1),
]
TEST = [
    DataSet("wine", "test", MULTICLASS, Bundled("load_wine")),
    DataSet("digits", "test", MULTICLASS, Bundled("load_digits")),
    DataSet(
        "pima_diabetes",
        "test",
        BINARY,
        TextFile("pima_diabetes/pima-indians-diabetes.csv", "outcome"),
    ),
    DataSet(
        "student_performance",
        "test",
        REGRESSION,
        TextFile("student_performance/student-mat.csv", "G3"),
        ("G1", "G2"),
    ),
    DataSet("bmi_500", "test", MULTICLASS, TextFile(BMI, "Index")),
    DataSet(
        "wine_quality_white",
        "test",
        REGRESSION,
        TextFile("wine_quality/winequality-white.csv", "quality"),
    ),
    DataSet("xor_b", "test", BINARY, Drawn("xor_test")),
    DataSet("steps_b", "test", REGRESSION, Drawn("steps_test")),
    DataSet("friedman_2", "test", REGRESSION, Drawn("smooth_test")),
    DataSet("interactions_b", "test", MULTICLASS, Drawn("interactions_test")),
    DataSet("useless_columns_b", "test", REGRESSION, Drawn("useless_test")),
    DataSet("heavy_tails_b", "test", REGRESSION, Drawn("heavy_tails_test")),
    DataSet("rare_class_b", "test", BINARY, Drawn("rare_test")),
    DataSet("categories_b", "test", BINARY, Drawn("categories_test")),
    DataSet("rows_10k_b", "test", MULTICLASS, Drawn("ten_thousand_test")),
    DataSet("rows_200k_b", "test", REGRESSION, Drawn("many_rows_test"), most_splits=1),
]
ALL = [*CHOICE, *TEST]
