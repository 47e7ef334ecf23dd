"""How many bits products are computed with: matrix products and convolutions, nothing else.

In "bfloat16" both factors are rounded to 8 significant bits, their products are added up in
float32 and leave as float32. So parameters, sums, normalisations, losses and optimizers keep
their 24 bits, and only the operations that take nearly all the time become cheaper.
"""

import contextlib
import threading

import jax.numpy as jnp

from cutaway.errors import expect_choice

PRECISIONS = ("float32", "bfloat16")


class _State(threading.local):
    def __init__(self):
        self.name = "float32"


_state = _State()


@contextlib.contextmanager
def precision(name: str):
    """Context in which products of float32 arrays are computed in `name`.

    The backward pass belongs inside too: its products are computed as the context says at that
    time. float64 arrays are left alone, and so are recurrent, depthwise and one-channel layers,
    whose products are too small to gain. A compiled step compiles anew for another precision.

    Args:
        name: "float32" or "bfloat16".

    References:
        Kalamkar et al. 2019, "A study of bfloat16 for deep learning training", arXiv:1905.12322.

    Example:
        >>> from cutaway import Tensor
        >>> third = Tensor([[1 / 3]])
        >>> with precision("bfloat16"):
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
    if _state.name == "float32" or any(jnp.result_type(x) != jnp.float32 for x in arrays):
        return arrays
    return tuple(jnp.asarray(x).astype(_state.name) for x in arrays)


def product(multiply, a, b, **options):
    """multiply(a, b, **options) in the present precision, added up in float32.

    Args:
        multiply: bilinear, with `preferred_element_type`: jnp.matmul, jax.lax.dot_general,
            jax.lax.conv_general_dilated and the like.
    """
    narrow_a, narrow_b = narrow(a, b)
    if narrow_a is a:
        return multiply(a, b, **options)
    return multiply(narrow_a, narrow_b, preferred_element_type=jnp.float32, **options)
