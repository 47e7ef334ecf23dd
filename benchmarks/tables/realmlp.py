"""RealMLP with its tuned defaults, of pytabkit, which may be in an environment of its own.

It gets numbers as they are, the median where one is missing (with a column that says so), and
categories as such; no texts. Label smoothing is off and the best epoch is chosen by log loss.

References:
    Holzmüller, Grinsztajn & Steinwart 2024, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data".
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from cutaway.errors import RunError
from cutaway.search.plain_columns import PlainColumns
from cutaway.search.table_models import FitOutcome, TableModel, encoding, in_classes

SCRIPT = Path(__file__).with_name("realmlp_fit.py")
CLASSIFIER = {"use_ls": False, "val_metric_name": "cross_entropy"}
BOTH = {"val_fraction": 0.2, "device": "cpu"}


class RealMLPModel(TableModel):
    """RealMLP_TD_Classifier or RealMLP_TD_Regressor.

    Args:
        python: the interpreter that has pytabkit.
    """

    name, title = "RealMLP", "RealMLP"
    package, extra = "pytabkit", "tables-benchmark"

    def __init__(self, python: str = sys.executable):
        self.python = python

    @functools.cached_property
    def version(self) -> str | None:
        """Of pytabkit; None: the interpreter does not have it."""
        code = "import importlib.metadata as m; print(m.version('pytabkit'))"
        try:
            done = subprocess.run([self.python, "-c", code], capture_output=True, text=True)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def missing(self):
        if self.version is not None:
            return None
        from cutaway.errors import install_extra

        return (
            f"{install_extra(self.extra)}, or in an environment of its own: pip install pytabkit, "
            "and --pytabkit PYTHON"
        )

    def key(self):
        return {"pytabkit": self.version, "classifier": CLASSIFIER, "both": BOTH}

    def measure(self, problem, training, new, seed):
        columns = PlainColumns.fit(encoding(problem, training), training, with_texts=False)
        x, is_category = columns.transform(training)
        x_new, _ = columns.transform(new)
        y = columns.rows.transform(training).targets
        if problem.is_regression:
            y = columns.rows.untransform_target(y)
        x, x_new, is_category = _without_missing(x, x_new, is_category)
        asked = {
            "is_regression": problem.is_regression,
            "options": BOTH if problem.is_regression else {**BOTH, **CLASSIFIER},
            "seed": seed,
        }
        with tempfile.TemporaryDirectory(prefix="realmlp-") as folder:
            given, found = Path(folder, "given.npz"), Path(folder, "found.npz")
            np.savez(given, x=x, y=y, x_new=x_new, is_category=is_category, asked=json.dumps(asked))
            # -P and without PYTHONPATH: only what the interpreter itself has
            done = subprocess.run(
                [self.python, "-P", str(SCRIPT), str(given), str(found)],
                capture_output=True,
                text=True,
                env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            )
            if done.returncode != 0:
                told = done.stderr.strip().splitlines()
                raise RunError(
                    f"RealMLP failed: {told[-1][:300] if told else done.returncode}",
                    expected="a fit that ends",
                )
            with np.load(found) as arrays:
                outputs, classes = arrays["outputs"], arrays["classes"]
                wall, cpu, peak = arrays["cost"].tolist()
        if not problem.is_regression:
            names = [columns.rows.classes[int(k)] for k in classes]
            outputs = in_classes(outputs, names, problem.classes)
        return FitOutcome(outputs.astype(np.float64), wall, cpu, int(peak))


def _without_missing(x, x_new, is_category):
    """Numbers with the median of the training rows in place of NaN, and columns that mark these."""
    x, x_new, marks, marks_new = x.copy(), x_new.copy(), [], []
    for k in np.flatnonzero(~is_category):
        absent, absent_new = np.isnan(x[:, k]), np.isnan(x_new[:, k])
        median = np.nanmedian(x[:, k])
        x[absent, k], x_new[absent_new, k] = median, median
        if absent.any():
            marks.append(absent.astype(float))
            marks_new.append(absent_new.astype(float))
    x, x_new = np.column_stack([x, *marks]), np.column_stack([x_new, *marks_new])
    return x, x_new, np.append(is_category, np.zeros(len(marks), bool))
