"""3 x 3 convolutions with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3).

    Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A

computes 4 x 4 outputs Y from 6 x 6 inputs d and the 3 x 3 kernel g with 36 multiplications instead
of 144. With channels, each of the 36 is a matrix product over them. The maps d → Bᵀ d B and so on
are matrix products too, of the 36 values of a window with Bᵀ ⊗ Bᵀ: as plain sums they would run
faster, but XLA would take seconds to compile them for each shape.

Large terms nearly cancel, so the relative error is about 1e-5 of the largest value (1e-6 for the
direct method).

Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", arXiv:1509.09308, sec. 4.3.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from cutaway.ops.precision import current_precision
from cutaway.runtime import on_cpu

LEAST_CHANNELS = 128  # below, the transforms cost as much as the products save
LEAST_WINDOWS = 48  # below, the kernel's transform does

INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)  # Bᵀ
KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
OUTPUT = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


def serves(x_shape, w_shape, dtype, stride, padding, dilation) -> bool:
    """Whether this method is faster for a convolution without groups: on CPU, in float32."""
    if w_shape[:-2] != (3, 3) or stride != (1, 1) or dilation != (1, 1):
        return False
    if (
        dtype != jnp.float32
        or current_precision() != "float32"
        or min(w_shape[-2:]) < LEAST_CHANNELS
    ):
        return False
    high, wide = _windows(x_shape, padding)
    return x_shape[0] * high * wide >= LEAST_WINDOWS and on_cpu()


def correlate_by_winograd(x, w, padding):
    """y[n, o, c] = Σ_k Σ_i x[n, o + k, i] w[k, i, c], with x padded.

    Shapes:
        x: (batch, height, width, in)
        w: (3, 3, in, out)
        returns: (batch, out_height, out_width, out)
    """
    batch, *sizes, fan = x.shape
    out = w.shape[-1]
    high, wide = _windows(x.shape, padding)
    (top, _), (left, _) = padding
    pads = (
        (top, 4 * high + 2 - sizes[0] - top, 0),
        (left, 4 * wide + 2 - sizes[1] - left, 0),
    )
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))
    # two stacks of 6 parts: one of 36 would take XLA eight times as long to compile
    d = jnp.stack([x[:, i : i + 4 * high - 3 : 4] for i in range(6)])
    d = jnp.stack([d[:, :, :, j : j + 4 * wide - 3 : 4] for j in range(6)], axis=1)
    d = _map(INPUT, d).reshape(36, batch * high * wide, fan)
    g = _map(KERNEL, w).reshape(36, fan, out)
    y = _map(OUTPUT, d @ g).reshape(4, 4, batch, high, wide, out)
    y = y.transpose(2, 3, 0, 4, 1, 5).reshape(batch, 4 * high, 4 * wide, out)
    return y[:, : sizes[0] + sum(padding[0]) - 2, : sizes[1] + sum(padding[1]) - 2]


def _windows(x_shape, padding):
    """How many windows of 4 x 4 outputs there are, high and wide."""
    return tuple(
        -(-(n + lo + hi - 2) // 4) for n, (lo, hi) in zip(x_shape[1:-1], padding, strict=True)
    )


def _map(matrix, parts):
    """M parts Mᵀ for windows (elements of a window, ...), flattened: (M ⊗ M) parts."""
    both = jnp.asarray(np.kron(matrix, matrix), parts.dtype)
    return both @ parts.reshape(both.shape[1], -1)
