import math

import numpy as np
import pytest
import torch

from cutaway.errors import OptionError, ShapeError
from cutaway.nn import INITIALIZERS, init, seed

# by hand: a kernel (*window, in, out) joins window·in inputs to an output
FANS = [
    ((4, 3), (4, 3)),
    ((5, 4, 3), (20, 15)),
    ((3, 3, 16, 32), (144, 288)),
    ((2, 3, 4, 5, 6), (120, 144)),
    ((7,), (7, 7)),
]


@pytest.mark.parametrize(("shape", "expected"), FANS)
def test_fans_are_right_for_every_kernel_shape(shape, expected):
    assert init.fans(shape) == expected
    if len(shape) > 2:  # PyTorch: (out, in, *window)
        kernel = torch.empty(shape[-1], shape[-2], *shape[:-2])
        assert init.fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(kernel)


SHAPE = (3, 3, 40, 60)
IN, OUT = 360, 540


@pytest.mark.parametrize(
    ("initializer", "limit"),
    [
        (init.uniform_fan_in, 1 / math.sqrt(IN)),
        (init.glorot_uniform, math.sqrt(6 / (IN + OUT))),
        (init.he_uniform, math.sqrt(6 / IN)),
        (init.lecun_uniform, math.sqrt(3 / IN)),
        (init.uniform, 0.05),
    ],
)
def test_uniform_initializers_fill_their_interval(initializer, limit):
    w = initializer(SHAPE)
    assert w.dtype == np.float32 and w.shape == SHAPE
    assert limit * 0.999 < np.abs(w).max() <= limit * 1.000001
    assert w.std() == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert abs(w.mean()) < 0.02 * limit


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (init.glorot_normal, math.sqrt(2 / (IN + OUT))),
        (init.he_normal, math.sqrt(2 / IN)),
        (init.lecun_normal, math.sqrt(1 / IN)),
        (init.normal, 0.01),
    ],
)
def test_normal_initializers_have_their_spread(initializer, std):
    w = initializer(SHAPE)
    assert w.std() == pytest.approx(std, rel=0.02)
    assert np.mean(np.abs(w) < std) == pytest.approx(0.6827, abs=0.01)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 2, 5)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    w = init.orthogonal(shape, gain=2.0).reshape(-1, shape[-1])
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_zeros_and_constant():
    assert not init.zeros((2, 3)).any()
    assert (init.constant((2, 3), 0.5) == 0.5).all()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_the_same_seed_gives_the_same_weights(name):
    seed(3)
    first = INITIALIZERS[name]((4, 5))
    second = INITIALIZERS[name]((4, 5))
    seed(3)
    np.testing.assert_array_equal(first, INITIALIZERS[name]((4, 5)))
    if name not in ("zeros", "constant"):
        assert not np.array_equal(first, second)


def test_wrong_shapes_and_options_are_named():
    with pytest.raises(ShapeError, match="at least two axes"):
        init.orthogonal((3,))
    with pytest.raises(OptionError, match="std is -1"):
        init.normal((2, 2), std=-1)
