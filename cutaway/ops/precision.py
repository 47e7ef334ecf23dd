"""How many bits products are computed with: matrix products and convolutions, nothing else.

    "float32"        24 significant bits, on every device
    "tensorfloat32"  on a GPU the factors are rounded to 11 bits; elsewhere as "float32"
    "bfloat16"       the factors are rounded to 8 bits

Products are always added up in float32. So parameters, sums, normalizations, losses and optimizers
keep their 24 bits, and only the operations that take nearly all the time become cheaper.
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

    The backward pass belongs inside too: its products are computed as the context says at that
    time. float64 arrays and depthwise layers are left alone; on a CPU also recurrent and
    one-channel layers, whose products are too small to gain. On a GPU sums of bfloat16 products,
    added up in float32, are rounded to bfloat16 once more where they leave, as PyTorch's autocast
    does: half as many bytes to write and to read. A compiled step compiles anew for another
    precision.

    Args:
        name: "float32", "tensorfloat32" or "bfloat16".

    References:
        Kalamkar et al. 2019, "A study of bfloat16 for deep learning training", arXiv:1905.12322.

    Example:
        >>> from cutaway import Tensor
        >>> third = Tensor([[1 / 3]])
        >>> with matmul_precision("bfloat16"):
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
    """The precision of products at this moment in this thread."""
    return _state.name


def narrow(*arrays) -> tuple:
    """The arrays as a product reads them now: rounded to bfloat16 if all are float32, and asked.

    The product of narrowed arrays must be told to add up in float32; `product` does both.
    """
    if _state.name != "bfloat16" or any(jnp.result_type(x) != jnp.float32 for x in arrays):
        return arrays
    return tuple(jnp.asarray(x).astype(jnp.bfloat16) for x in arrays)


def product(multiply, a, b, *, turn=None, **options):
    """multiply(a, b, **options) in the present precision, added up in float32.

    Args:
        multiply: bilinear, with `preferred_element_type` and `precision`: jnp.matmul,
            jax.lax.dot_general, jax.lax.conv_general_dilated and the like.
        turn: done to b first, or rather once it is rounded: a convolution whose kernel is turned
            around is known to XLA as the gradient of one only if nothing stands between the two.
    """
    narrow_a, narrow_b = narrow(a, b)
    if turn is not None:
        b, narrow_b = turn(b), turn(narrow_b)
    if narrow_a is not a:
        if on_gpu():  # sums are made in float32 there whatever is said; this is how they leave
            return multiply(narrow_a, narrow_b, **options).astype(jnp.float32)
        return multiply(narrow_a, narrow_b, preferred_element_type=jnp.float32, **options)
    if on_cpu():
        return multiply(a, b, **options)
    return multiply(a, b, precision=XLA_PRECISIONS.get(_state.name), **options)


def step_product(a, b):
    """a @ b in a recurrent layer: in the present precision, but on a CPU always in float32."""
    return jnp.matmul(a, b) if on_cpu() else product(jnp.matmul, a, b)
