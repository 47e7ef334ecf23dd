"""data_leak: what the reader of the data found, and copies of the target in plain arrays."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.data.found_leak import Leak
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.symptoms import data_leak
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.train import Probes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4)).astype(np.float32)
LABELS = RNG.integers(0, 3, 240).astype(np.int32)
FOUND = Leak("copy", ("b",), 0.99, "fraction of rows", "`b` equals `y`", "leave it out")


def look(x, y, *, leaks=None, outputs=1):
    loss = losses.mean_squared_error
    if y.dtype.kind == "i":
        loss, outputs = losses.sparse_categorical_cross_entropy_with_logits, 3
    net = ct.Sequential(ct.Linear(x.shape[1], outputs))
    plan = TrainingPlan.of(ct.Trainer(net, loss=loss), x, y, leaks=leaks)
    return data_leak.look(Evidence(plan, plan.fresh(), Probes(*plan.examples(slice(1)))))


def test_what_the_reader_found_is_the_finding():
    other = Leak("duplicates", (), 0.2, "fraction of the rows", "20 of 100 rows", "remove them")
    found = look(X, LABELS, leaks=(FOUND, other))
    assert (found.code, found.where) == ("data_leak", "b")
    assert [m.value for m in found.evidence] == [0.99, 0.2]
    assert [p.text for p in found.prescriptions] == ["leave it out", "remove them"]
    assert found.explanation.startswith("`b` equals `y`. 20 of 100 rows.")
    rows_alone = look(X, LABELS, leaks=(other,))
    assert rows_alone.where == "equal rows" and rows_alone.confidence < found.confidence


def test_a_column_of_classes_is_found_in_arrays():
    x = np.column_stack([X, (LABELS - 1) / 0.8]).astype(np.float32)
    found = look(x, LABELS)
    assert found.where == "x[:, 4]" and "240 of 240 rows" in found.explanation
    assert look(X, LABELS) is None
    assert look(x, RNG.permutation(LABELS)) is None


@pytest.mark.parametrize("scale", [1.0, -3.5])
def test_a_column_of_targets_is_found_in_arrays(scale):
    y = RNG.normal(size=(240, 1)).astype(np.float32)
    assert look(np.column_stack([X, scale * y + 2]), y).where == "x[:, 4]"


def test_invented_arrays_are_left_alone():
    line = X[:, :1]
    assert look(line, 3 * line + 2) is None  # one input: a line is what is to be learned
    assert look(X, X[:, :1] + X[:, 1:2]) is None
    assert look(X, X[:, :1] ** 2) is None
    assert look(X, (X[:, 0] > 0).astype(np.int32)) is None
    assert look(X, X, outputs=4) is None  # an autoencoder


def test_a_reader_that_found_nothing_is_believed():
    x = np.column_stack([X, LABELS]).astype(np.float32)
    assert look(x, LABELS, leaks=()) is None
