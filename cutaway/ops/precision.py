"""The precision of matrix products and convolutions.

    "float32"        24 significant bits, on every device
    "tensorfloat32"  on a GPU the factors are rounded to 11 bits; elsewhere as "float32"
    "bfloat16"       the factors are rounded to 8 bits

Products are always accumulated in float32. Parameters, sums, normalizations, losses and optimizers
keep their 24 bits; only the operations that take nearly all the time become cheaper.
"""

import contextlib
import threading

import jax.numpy as jnp
from jax import lax

from cutaway.errors import expect_choice
from cutaway.runtime import on_cpu, on_gpu

PRECISIONS = ("float32", "tensorfloat32", "bfloat16")

# what XLA calls them; it reads them on GPUs only
XLA_PRECISIONS = {"float32": lax.Precision.HIGHEST, "tensorfloat32": lax.Precision.HIGH}


class _State(threading.local):
    def __init__(self):
        self.name = "float32"


_state = _State()


@contextlib.contextmanager
def matmul_precision(name: str):
    """Context in which products of float32 arrays are computed in `name`.

    The backward pass belongs inside too: its products use the context at the time they are
    computed. float64 arrays and depthwise layers are unaffected; on a CPU also recurrent and
    one-channel layers, whose products are too small to benefit. On a GPU, sums of bfloat16
    products, accumulated in float32, are rounded to bfloat16 when stored, as in PyTorch's
    autocast, which halves memory traffic. Compiled steps are recompiled for another precision.

    Args:
        name: "float32", "tensorfloat32" or "bfloat16".

    References:
        Kalamkar et al. 2019, "A study of bfloat16 for deep learning training", arXiv:1905.12322.

    Example:
        >>> import cutaway as ct
        >>> from cutaway import Tensor
        >>> third = Tensor([[1 / 3]])
        >>> with ct.matmul_precision("bfloat16"):
        ...     out = third @ Tensor([[1.0]])
        >>> out.item(), out.dtype
        (0.333984375, dtype('float32'))
    """
    expect_choice(name, PRECISIONS, what="precision")
    before = _state.name
    _state.name = name
    try:
        yield
    finally:
        _state.name = before


def current_precision() -> str:
    """The current precision of products in this thread."""
    return _state.name


def narrow(*arrays) -> tuple:
    """The arrays rounded to bfloat16, if that is the current precision and all are float32.

    The product of narrowed arrays must accumulate in float32; `product` does both.
    """
    if _state.name != "bfloat16" or any(jnp.result_type(x) != jnp.float32 for x in arrays):
        return arrays
    return tuple(jnp.asarray(x).astype(jnp.bfloat16) for x in arrays)


def product(multiply, a, b, *, turn=None, **options):
    """multiply(a, b, **options) in the current precision, accumulated in float32.

    Args:
        multiply: bilinear, with `preferred_element_type` and `precision`: jnp.matmul,
            jax.lax.dot_general, jax.lax.conv_general_dilated and the like.
        turn: applied to b after rounding: XLA recognizes a convolution with a flipped kernel as
            the gradient of one only if nothing is between the flip and the convolution.
    """
    narrow_a, narrow_b = narrow(a, b)
    if turn is not None:
        b, narrow_b = turn(b), turn(narrow_b)
    if narrow_a is not a:
        if on_gpu():  # always accumulated in float32 there, stored in bfloat16
            return multiply(narrow_a, narrow_b, **options).astype(jnp.float32)
        return multiply(narrow_a, narrow_b, preferred_element_type=jnp.float32, **options)
    if on_cpu():
        return multiply(a, b, **options)
    return multiply(a, b, precision=XLA_PRECISIONS.get(_state.name), **options)


def step_product(a, b):
    """a @ b in a recurrent layer: in the current precision, but on a CPU always in float32."""
    return jnp.matmul(a, b) if on_cpu() else product(jnp.matmul, a, b)
