"""Penalties on weights, added to a loss."""

import math

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import OptionError, expect_range


def l1_penalty(parameters, strength: float) -> Tensor:
    """strength · Σ |w|; gradient strength · sign(w), 0 at 0: drives weights to exactly 0.

    Args:
        parameters: iterable of Parameters or Tensors, for example net.parameters().
        strength: λ >= 0.

    Raises:
        OptionError: a strength that is negative or not finite; no parameters.

    References:
        Tibshirani 1996, "Regression shrinkage and selection via the lasso".

    Example:
        >>> from cutaway.engine import Tensor
        >>> from cutaway.losses import l1_penalty
        >>> l1_penalty([Tensor([3.0, -4.0])], 0.5).item()
        3.5
    """
    return _penalty(parameters, strength, ops.absolute)


def l2_penalty(parameters, strength: float) -> Tensor:
    """strength · Σ w²; gradient 2 · strength · w: shrinks weights towards 0.

    PyTorch's weight_decay λ in SGD is strength λ/2. In Adam the two differ; see optim.AdamW.

    Args, Raises: see l1_penalty.

    References:
        Hoerl & Kennard 1970, "Ridge regression"; Krogh & Hertz 1991.

    Example:
        >>> from cutaway.engine import Tensor
        >>> from cutaway.losses import l2_penalty
        >>> l2_penalty([Tensor([3.0, -4.0])], 0.5).item()
        12.5
    """
    return _penalty(parameters, strength, ops.square)


def _penalty(parameters, strength, of):
    expect_range(strength, what="strength", least=0, below=math.inf)
    sums = [ops.sum(of(p)) for p in parameters]
    if not sums:
        raise OptionError(
            "a penalty without parameters",
            expected="at least one Parameter",
            fix="pass net.parameters(); a generator is exhausted after one call",
        )
    total = sums[0]
    for value in sums[1:]:
        total = total + value
    return strength * total
