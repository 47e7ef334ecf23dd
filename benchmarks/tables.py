"""`cutaway train` with its defaults against scikit-learn's MLP with its defaults, on real tables.

    python -m benchmarks.tables [--seeds 5] [--data ../shared/data] [--only iris,titanic]

For each table and seed a fifth of the rows is set aside for both. What is left is encoded by the
same preprocessing. Scores are accuracy for classes and R² for numbers, on the rows set aside.
The difference is paired by seed and stands with its standard error.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

TABLES = [  # name, file, target, columns left out
    ("titanic", "titanic/titanic.csv", "Survived", ()),
    ("pima_diabetes", "pima_diabetes/pima-indians-diabetes.csv", "outcome", ()),
    ("wine_quality red", "wine_quality/winequality-red.csv", "quality", ()),
    ("bmi_500", "bmi_500/500_Person_Gender_Height_Weight_Index.csv", "Index", ()),
    ("placement", "placement/placement.csv", "placement", ()),
    ("iris", "iris/iris.csv", "species", ()),
    ("student_performance", "student_performance/student-mat.csv", "G3", ("G1", "G2")),
]


def compare(path, target, ignore, seed):
    """(cutaway's score, scikit-learn's, cutaway's seconds, scikit-learn's) on rows set aside."""
    import cutaway as ct
    from cutaway.runs import TableOptions

    frame = ct.data.read_table(path)
    looked = ct.data.TablePreprocessing.fit(frame, target, ignore=ignore)
    arrays = looked.transform(frame)
    frame = frame[arrays.rows]
    rest, aside = ct.data.stratified_split(
        arrays.y, 0.2, seed=1000 + seed, stratify=looked.task != "regression"
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        options = TableOptions(seed=seed, ignore=ignore)
        prepared = ct.runs.prepare_table(frame[rest], target, options)
        run = prepared.train(Path(folder) / "run", progress=False)
        ours_seconds = time.perf_counter() - began
        scores, _ = run.evaluate(frame[aside])

    from sklearn.neural_network import MLPClassifier, MLPRegressor

    same = ct.data.TablePreprocessing.fit(frame[rest], target, ignore=ignore, task=looked.task)
    train, test = same.transform(frame[rest]), same.transform(frame[aside])
    kind = MLPRegressor if looked.task == "regression" else MLPClassifier
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = kind(random_state=seed).fit(train.x, train.y)
    theirs_seconds = time.perf_counter() - began
    name = "r2" if looked.task == "regression" else "accuracy"
    return scores[name], peer.score(test.x, test.y), ours_seconds, theirs_seconds, name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--data", default=str(Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    only = {name for name in options.only.split(",") if name}
    print(
        f"{'table':<22}{'score':<10}{'cutaway':>16}{'sklearn MLP':>16}{'difference':>18}"
        f"{'seconds':>9}{'sklearn':>9}"
    )
    for name, file, target, ignore in TABLES:
        if only and name not in only:
            continue
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        rows = [compare(Path(options.data) / file, target, ignore, seed) for seed in seeds]
        ours, theirs, ours_s, theirs_s, kinds = zip(*rows, strict=True)
        print(
            f"{name:<22}{kinds[0]:<10}{_spread(ours):>16}{_spread(theirs):>16}"
            f"{_difference(ours, theirs):>18}"
            f"{statistics.median(ours_s):>9.1f}{statistics.median(theirs_s):>9.1f}",
            flush=True,
        )


def _spread(scores):
    return f"{np.mean(scores):.4f} ± {np.std(scores):.3f}"


def _difference(ours, theirs):
    each = np.subtract(ours, theirs)
    error = np.std(each, ddof=1) / np.sqrt(len(each)) if len(each) > 1 else float("nan")
    return f"{each.mean():+.4f} ± {error:.3f}"


if __name__ == "__main__":
    main()
