import subprocess
import sys

import numpy as np
import pytest

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import ShapeError

A = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], np.float32)


@pytest.mark.parametrize(
    "compute",
    [
        lambda a: a + 1,
        lambda a: 2 - a,
        lambda a: a * a,
        lambda a: 3 / a,
        lambda a: a / 2,
        lambda a: a**2,
        lambda a: 2.0**a,
        lambda a: -a,
        lambda a: abs(a),
        lambda a: a @ a.T,
        lambda a: a[1],
        lambda a: a[:, ::2],
        lambda a: a[None, ..., -1],
        lambda a: a > 0,
        lambda a: a <= 1,
        lambda a: a == 3,
        lambda a: a != 3,
        lambda a: a.sum(),
        lambda a: a.sum(0),
        lambda a: a.mean(axis=1, keepdims=True),
        lambda a: a.max(1),
        lambda a: a.min(axis=(0, 1)),
        lambda a: a.var(0),
        lambda a: a.std(1),
        lambda a: a.argmax(1),
        lambda a: a.reshape(3, 2),
        lambda a: a.reshape((-1,)),
        lambda a: a.transpose(1, 0),
        lambda a: a.flatten(),
        lambda a: a.clip(-1, 2),
    ],
)
def test_methods_and_operators_equal_numpy(compute):
    np.testing.assert_allclose(compute(Tensor(A)).numpy(), compute(A), rtol=1e-6)


def test_iteration_length_and_conversion():
    x = Tensor(A)
    assert len(x) == 2 and [row.shape for row in x] == [(3,), (3,)]
    assert float(x[0, 0]) == 1.0 and int(Tensor(3)) == 3 and x[1, 1].item() == 5.0
    assert "dtype=float32" in repr(x)


def test_split_cuts_into_equal_parts_or_at_indices():
    x = Tensor(np.arange(6.0))
    assert [p.tolist() for p in ops.split(x, 3)] == [[0, 1], [2, 3], [4, 5]]
    assert [p.tolist() for p in ops.split(x, [1, 4])] == [[0], [1, 2, 3], [4, 5]]


def test_one_hot_and_indices_have_no_gradient():
    assert ops.one_hot(Tensor([2, 0]), num_classes=3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert ops.argmax(Tensor(A, requires_grad=True)).record is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x: x + np.ones(2), r"add: shapes \(2, 3\) and \(2,\)"),
        (lambda x: x @ np.ones((2, 2)), r"matmul: shapes \(2, 3\) and \(2, 2\)"),
        (lambda x: x.reshape(4, 2), r"6 elements of shape \(2, 3\)"),
        (lambda x: x.sum(axis=2), r"axis 2 of an array of shape \(2, 3\)"),
        (lambda x: x[:0].max(), "which is empty"),
        (lambda x: x.transpose(0, 0), "each of the axes"),
        (lambda x: ops.concatenate([x, np.ones((3, 2))], axis=0), "other axes are equal"),
        (lambda x: ops.split(x, 2, axis=1), "axis 1 of size 3 into 2"),
        (lambda x: len(x.sum()), "no length"),
        (lambda x: bool(x > 0), "6 elements"),
    ],
)
def test_shapes_that_do_not_fit_are_named(wrong, words):
    with pytest.raises(ShapeError, match=words):
        wrong(Tensor(A))


@pytest.mark.parametrize(
    "code",
    [
        "import cutaway as ct; print(ct.Tensor([1.0, 2.0]) * 2)",
        "import cutaway as ct; print(ct.Linear(2, 1).weight.sum().shape)",
        "import cutaway as ct; print(ct.float64, ct.nn.Parameter([1.0]) + 1)",
        "from cutaway.nn import Parameter; print(Parameter([1.0]).T)",
    ],
)
def test_tensors_have_their_operators_in_a_fresh_interpreter(code):
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_operations_a_tensor_says_what_to_import():
    code = "from cutaway.engine import Tensor; Tensor([1.0]) * 2"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "import cutaway.ops" in done.stderr
