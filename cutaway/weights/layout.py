"""Conversion of weights from PyTorch's layout to ours, by the layer that owns them.

layer               PyTorch                          here
Linear              (out, in)                        (in, out)
convolution         (out, in / groups, *window)      (*window, in / groups, out)
transposed          (in, out / groups, *window)      (*window, in / groups, out)
recurrent           (gates · hidden, in)             (in, gates · hidden)
all others          the same
"""

import numpy as np

from cutaway.nn.convolution import _Convolution, _TransposedConvolution
from cutaway.nn.layers import Linear
from cutaway.nn.recurrent import Direction


def to_ours(array: np.ndarray, owner, name: str) -> np.ndarray:
    """The array in the layout of `owner`'s attribute `name`; unchanged if its rank differs."""
    if isinstance(owner, Linear) and name == "weight":
        return array.reshape(array.shape[:2]).T if _is_pointwise(array) else array.T
    if isinstance(owner, Direction) and name in ("weight", "hidden_weight"):
        return array.T
    if name != "weight" or array.ndim != owner_axes(owner):
        return array
    if isinstance(owner, _TransposedConvolution):
        return _transposed(array, owner.groups)
    return np.moveaxis(array, (1, 0), (-2, -1))


def owner_axes(owner) -> int | None:
    """Number of axes of a convolution layer's kernel; None for other layers."""
    if isinstance(owner, _Convolution | _TransposedConvolution):
        return owner.axes + 2
    return None


def _is_pointwise(array) -> bool:
    # a dense layer stored as a 1x1 convolution: (out, in, 1, 1)
    return array.ndim > 2 and set(array.shape[2:]) == {1}


def _transposed(array, groups):
    channels, per_group, *window = array.shape
    if channels % groups:
        return array  # not a kernel of this layer; the shape check reports it
    split = array.reshape(groups, channels // groups, per_group, *window)
    moved = np.moveaxis(split, (1, 0, 2), (-3, -2, -1))  # (*window, in / groups, groups, out / ...)
    return moved.reshape(*window, channels // groups, groups * per_group)
