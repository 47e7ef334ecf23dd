"""Fits of models on splits of tables, each in a process of its own, and kept on disk."""

import dataclasses
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.errors import RunError
from cutaway.files import write_atomically
from cutaway.files.manifest import checksum
from cutaway.search.table_models import FitOutcome, TableModel
from cutaway.search.table_problem import RowSplit, TableProblem
from cutaway.search.table_scores import scores_of

FORMAT = 1
_PROCESS = "from cutaway.search.fit_process import main; main()"


@dataclasses.dataclass(frozen=True)
class FitRecord:
    """One model, fitted to the training rows of one split of one table.

    Attributes:
        data, model, split: names, and the number of the split.
        task: of the target.
        training_rows: their number.
        rows: (test rows,) their indices in the table.
        truth: (test rows,) class numbers or values.
        outputs: (test rows, classes) probabilities or (test rows,) values.
        scores: {name: value}; see scores_of.
        wall_seconds, cpu_seconds: of the training.
        peak_bytes: most memory that the process took, with its libraries; None: not measured.
    """

    data: str
    model: str
    split: int
    task: str
    training_rows: int
    rows: np.ndarray
    truth: np.ndarray
    outputs: np.ndarray
    scores: dict[str, float | None]
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int | None

    @classmethod
    def of(cls, problem: TableProblem, model: TableModel, split: RowSplit, measured: FitOutcome):
        """The record of what was measured."""
        truth = problem.truth[split.test]
        return cls(
            problem.name,
            model.name,
            split.number,
            problem.task,
            len(split.training),
            split.test,
            truth,
            measured.outputs,
            scores_of(problem.task, truth, measured.outputs),
            measured.wall_seconds,
            measured.cpu_seconds,
            measured.peak_bytes,
        )


def fit_here(problem: TableProblem, model: TableModel, split: RowSplit) -> FitRecord:
    """Fit in this process: quicker, but the peak of memory is not that of the fit alone."""
    frame = problem.frame
    measured = model.measure(problem, frame[split.training], frame[split.test], split.number)
    return FitRecord.of(problem, model, split, measured)


def fit_alone(problem: TableProblem, model: TableModel, split: RowSplit) -> FitRecord:
    """Fit in a process of its own.

    Raises:
        RunError: the process failed.
        KeyboardInterrupt: it was interrupted.
    """
    with tempfile.TemporaryDirectory(prefix="cutaway-fit-") as folder:
        task, result = Path(folder, "task"), Path(folder, "result")
        task.write_bytes(pickle.dumps((problem, model, split)))
        # this process's own file, in a folder that only its user can read
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROCESS, str(task), str(result)],
            stdin=subprocess.PIPE,  # stays open: the process ends with this one
            stdout=subprocess.DEVNULL,
            stderr=(errors := open(Path(folder, "errors"), "w+b")),  # noqa: SIM115
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdin is not None:
                process.stdin.close()
            errors.close()
        if process.returncode == 130:
            raise KeyboardInterrupt
        if process.returncode != 0:
            told = Path(folder, "errors").read_text(errors="replace").strip().splitlines()
            raise RunError(
                f"{model.name} on split {split.number} of {problem.name} failed: "
                + (told[-1][:300] if told else f"its process ended with {process.returncode}"),
                expected="a fit that ends",
                fix="a process that was killed most likely took more memory than there is",
            )
        measured = pickle.loads(result.read_bytes())
    return FitRecord.of(problem, model, split, measured)


class FitStore:
    """Finished fits in a folder, DATA/MODEL-SPLIT-KEY.json and .npz, each whole or not there.

    The key is a checksum of the table, the split and the version of the model: what was changed is
    fitted anew.

    Args:
        folder: created when the first fit is written.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def path(self, problem: TableProblem, model: TableModel, split: RowSplit) -> Path:
        """Of the JSON file of a fit."""
        rows = checksum(split.test.astype("<i8").tobytes())
        told = json.dumps(
            [FORMAT, problem.checksum, rows, split.number, model.key()], sort_keys=True
        )
        key = hashlib.sha256(told.encode()).hexdigest()[:12]
        name = re.sub(r"\W+", "-", model.name)
        return self.folder / re.sub(r"\W+", "-", problem.name) / f"{name}-{split.number}-{key}.json"

    def read(self, problem: TableProblem, model: TableModel, split: RowSplit) -> FitRecord | None:
        """A finished fit; None: there is none, or its predictions are damaged."""
        path = self.path(problem, model, split)
        if not path.exists():
            return None
        try:
            told = json.loads(path.read_text())
            content = path.with_suffix(".npz").read_bytes()
        except (OSError, ValueError):
            return None
        if checksum(content) != told.pop("predictions"):
            return None
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            outputs = arrays["outputs"].astype(np.float64)
        del told["key"], told["test_rows"]
        return FitRecord(rows=split.test, truth=problem.truth[split.test], outputs=outputs, **told)

    def write(self, problem: TableProblem, model: TableModel, split: RowSplit, record: FitRecord):
        """Keep a finished fit. The predictions first: what has a JSON file is whole."""
        path, content = self.path(problem, model, split), io.BytesIO()
        np.savez_compressed(content, outputs=record.outputs.astype(np.float32))
        write_atomically(path.with_suffix(".npz"), content.getvalue())
        told: dict[str, Any] = {
            field.name: getattr(record, field.name)
            for field in dataclasses.fields(record)
            if field.name not in ("rows", "truth", "outputs")
        }
        told |= {"test_rows": len(record.rows), "key": model.key()}
        told["predictions"] = checksum(content.getvalue())
        write_atomically(path, (json.dumps(told, indent=1) + "\n").encode())

    def fitted(self, problem: TableProblem, model: TableModel, split: RowSplit) -> FitRecord:
        """A finished fit from the folder, or a new one, which is kept.

        Raises:
            RunError: its process failed.
        """
        found = self.read(problem, model, split)
        if found is None:
            found = fit_alone(problem, model, split)
            self.write(problem, model, split, found)
        return found
