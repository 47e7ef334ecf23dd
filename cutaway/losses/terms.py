"""Losses of several named terms, whose sum is minimized."""

from cutaway.engine import Tensor


def named_terms(loss) -> dict[str, Tensor]:
    """What a loss or an objective returned as {name: scalar}; "" for one without a name."""
    return loss if isinstance(loss, dict) else {"": loss}


def columns_of(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """{"loss": the sum of the terms, "loss_NAME": each that has a name}."""
    first, *rest = terms.values()
    named = {f"loss_{name}": value for name, value in terms.items() if name}
    return {"loss": sum(rest, first), **named}
