"""data_leak: the inputs already tell the target, or validation rows are training rows too.

Readers of data look for leaks where columns have names and units, see data/leaks.py; of arrays that
a Trainer gets, only copies of the target are looked for, because sums and thresholds of the inputs
are what invented data consist of.
"""

import dataclasses

import numpy as np

from cutaway.data.found_leak import Leak
from cutaway.data.leak_classes import renamed_classes
from cutaway.data.leak_formulas import LEAST_DISTINCT, LEAST_ROWS
from cutaway.data.leak_values import copied_values
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import class_numbers
from cutaway.nn.trees import is_array

CONFIDENCE = 0.9  # "duplicates" and "contradiction" say less than that the target is an input
LESS = {"duplicates": 0.75, "contradiction": 0.5}


def look(evidence) -> Finding | None:
    """The leaks that the reader of the data found, or a copy of the target among the inputs."""
    leaks = evidence.plan.leaks
    leaks = _copies(evidence) if leaks is None else leaks
    if not leaks:
        return None
    names = [name for leak in leaks for name in leak.columns]
    return Finding(
        "data_leak",
        ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        if names
        else "equal rows",
        [Measure(leak.measured, leak.number) for leak in leaks],
        " ".join(f"{leak.found[0].upper()}{leak.found[1:]}." for leak in leaks)
        + " Scores on these data say little about new rows.",
        [Prescription(leak.fix) for leak in leaks],
        max(LESS.get(leak.kind, CONFIDENCE) for leak in leaks),
    )


def _copies(evidence) -> list[Leak]:
    x = evidence.sample[0]
    if not is_array(x) or x.ndim != 2 or x.shape[1] < 2 or len(evidence.heads) != 1:
        return []
    if x.dtype.kind != "f" or not np.isfinite(x).all():
        return []
    head = evidence.heads[0]
    y = np.asarray(head.sample_y)
    classes = class_numbers(y, head.wants)
    if len(y if classes is None else classes) != len(x) or (classes is None and y.size != len(y)):
        return []
    columns = x.astype(np.float64).T
    if classes is not None:
        found = [renamed_classes(_name(k), v, classes, "y") for k, v in enumerate(columns)]
    else:
        y = y.ravel().astype(np.float64)
        if len(y) < LEAST_ROWS or len(np.unique(y)) < LEAST_DISTINCT:
            return []
        found = [copied_values(_name(k), v, y, "y") for k, v in enumerate(columns)]
    fix = "leave this column of x out unless it is known before the prediction"
    return [dataclasses.replace(leak, fix=fix) for leak in found if leak is not None]


def _name(column: int) -> str:
    return f"x[:, {column}]"
