"""Strides as channels, volumes as slices: the same sums as XLA's own convolution."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from cutaway.ops import correlation, rearranging
from cutaway.ops.correlation import (
    BLOCKS,
    DIRECT,
    SLICES,
    SPREAD,
    choose,
    correlate,
    kernel_gradient,
)

RNG = np.random.default_rng(0)

# window, stride, spacing, dilation, padding, sizes of x, channels in and out, the method
GEOMETRIES = [
    ((4, 4), (2, 2), (1, 1), (1, 1), ((1, 1), (1, 1)), (8, 6), (3, 5), BLOCKS),
    ((4, 2), (2, 1), (1, 1), (1, 1), ((0, 2), (1, 0)), (7, 5), (2, 3), BLOCKS),  # a rest at the end
    ((3,), (3,), (1,), (1,), ((0, 0),), (11,), (4, 2), DIRECT),  # of series
    ((2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1), ((0, 0),) * 3, (4, 6, 2), (8, 4), BLOCKS),
    ((2, 2), (1, 1), (2, 2), (1, 1), ((1, 1), (1, 1)), (3, 4), (6, 4), SPREAD),  # up-convolution
    ((4, 4), (1, 1), (2, 2), (1, 1), ((2, 2), (2, 3)), (3, 4), (5, 4), SPREAD),
    ((4, 4, 4), (1, 1, 1), (2, 2, 2), (1, 1, 1), ((0, 4),) * 3, (3, 2, 3), (2, 3), SPREAD),
    ((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), ((1, 1),) * 3, (4, 5, 6), (4, 3), SLICES),
    ((5, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), ((0, 1), (1, 1), (0, 0)), (6, 4, 5), (2, 5),
     SLICES),
    ((3, 1, 2), (1, 1, 1), (1, 1, 1), (2, 1, 2), ((2, 3), (0, 0), (1, 1)), (5, 3, 4), (3, 3),
     SLICES),
]  # fmt: skip


CASES = [(g, False) for g in GEOMETRIES] + [(g, True) for g in GEOMETRIES if g[-1] == SLICES]


@pytest.mark.parametrize(("geometry", "loops"), CASES)
def test_they_equal_xlas_own_convolution_and_its_derivatives(geometry, loops, monkeypatch):
    window, stride, spacing, dilation, padding, sizes, (fan, out), method = geometry
    if len(window) == 1:
        method = choose((4, *sizes, fan), (*window, fan, out), stride, padding, spacing, 1,
                        dilation=dilation)  # fmt: skip
    if loops:
        monkeypatch.setattr(correlation, "MANY", 1)
    x = jnp.asarray(RNG.normal(size=(4, *sizes, fan)), jnp.float32)
    w = jnp.asarray(RNG.normal(size=(*window, fan, out)), jnp.float32)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 1}
    found = choose(x.shape, w.shape, stride, padding, spacing, 1, dilation=dilation)
    assert found == method

    def theirs(x, w):
        return lax.conv_general_dilated(
            x, w, stride, padding, lhs_dilation=spacing, rhs_dilation=dilation,
            dimension_numbers=correlation._channels_last(x.ndim),
        )  # fmt: skip

    for turned in (False, True):
        ours = jax.jit(partial(correlate, spacing=spacing, turned=turned, **options))(x, w)
        expected = jax.jit(theirs)(x, correlation._turned(w) if turned else w)
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    if set(spacing) == {1}:
        grad = jnp.asarray(RNG.normal(size=expected.shape), jnp.float32)
        ours = jax.jit(partial(kernel_gradient, kernel_size=window, **options))(x, grad)
        expected = jax.jit(lambda x, w, grad: jax.vjp(theirs, x, w)[1](grad)[1])(x, w, grad)
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_blocks_can_be_put_back():
    x = RNG.normal(size=(2, 6, 4, 3))
    blocks = rearranging.blocks_of(x, (3, 2))
    assert blocks.shape == (2, 2, 2, 18)
    np.testing.assert_array_equal(blocks[1, 1, 0].reshape(3, 2, 3), x[1, 3:, :2])
    np.testing.assert_array_equal(rearranging.unblocked(blocks, (3, 2)), x)
    w = RNG.normal(size=(4, 2, 3, 5))
    again = rearranging.kernel_unblocked(rearranging.kernel_blocks(w, (2, 2)), (2, 2))
    np.testing.assert_array_equal(again, w)


@pytest.mark.parametrize(
    ("window", "stride", "dilation"), [((3, 3), (2, 2), (1, 1)), ((4, 4), (2, 2), (2, 2))]
)
def test_windows_that_are_no_blocks_are_left_to_xla(window, stride, dilation):
    shapes = (1, 9, 9, 2), (*window, 2, 2)
    padding = ((0, 0), (0, 0))
    assert choose(*shapes, stride, padding, (1, 1), 1, dilation=dilation) == DIRECT
    assert choose(*shapes, (1, 1), padding, stride, 1, dilation=dilation) == DIRECT
