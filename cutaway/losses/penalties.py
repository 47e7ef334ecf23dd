"""Penalties on weights, to be added to a loss."""

from cutaway import ops
from cutaway.errors import OptionError, expect_range


def l1_penalty(parameters, strength: float):
    """strength · Σ |w|; gradient strength · sign(w): pulls weights to exactly 0.

    Args:
        parameters: iterable of Parameters, for example net.parameters().
        strength: λ >= 0.

    References:
        Tibshirani 1996, "Regression shrinkage and selection via the lasso".
    """
    return _penalty(parameters, strength, ops.absolute)


def l2_penalty(parameters, strength: float):
    """strength · Σ w²; gradient 2 · strength · w: pulls weights towards 0.

    PyTorch's weight_decay λ on SGD is strength λ/2. On Adam the two differ; see optim.AdamW.

    Args: see l1_penalty.

    References:
        Hoerl & Kennard 1970, "Ridge regression"; Krogh & Hertz 1991.
    """
    return _penalty(parameters, strength, ops.square)


def _penalty(parameters, strength, of):
    expect_range(strength, what="strength", least=0)
    sums = [ops.sum(of(p)) for p in parameters]
    if not sums:
        raise OptionError("a penalty on no parameters", expected="at least one Parameter")
    total = sums[0]
    for value in sums[1:]:
        total = total + value
    return strength * total
