"""preview: the next update of one weight by an optimizer."""

import dataclasses
import math

import jax.numpy as jnp

from cutaway.optim.terms import named, spell


@dataclasses.dataclass(frozen=True)
class Move:
    """One step's update of one element of one parameter. Made by `Optimizer.spell_out`.

    Attributes:
        optimizer: name of the class.
        step: number of the step, 1 for the first.
        path, index, shape, dtype: the parameter, the element, and the parameter's shape and dtype.
        lr: η of this parameter in this step.
        before, after: the weight.
        gradient: ∂L/∂w as `backward` left it.
        clipped: the gradient after clipping; None without clipping.
        slots, new_slots: {symbol: value} of the optimizer's state for this element.
        terms: list of FormulaSteps that end at `after`; empty if they end elsewhere, None if the
            optimizer has none.
        digits: significant digits needed to show the change of the weight.
        variants: list of FormulaSteps with the new weight by other definitions of the algorithm.
        remark: on what others call the algorithm.
    """

    optimizer: str
    step: int
    path: str
    index: tuple
    shape: tuple
    dtype: str
    lr: float
    before: float
    after: float
    gradient: float
    clipped: float | None
    slots: dict
    new_slots: dict
    terms: list | None
    digits: int
    variants: list
    remark: str


def preview(optimizer, number, index, grads) -> Move:
    """The Move of one element by an optimizer whose lr and t are already those of the step.

    `after` comes from the optimizer's `update` of the whole parameter, not from its terms.
    """
    p = optimizer.parameters[number]
    raw = _wide(grads[number])
    clipped = raw
    if optimizer.clip is not None:
        grads = {i: _wide(g) for i, g in enumerate(grads) if g is not None}
        clipped = dict(zip(grads, optimizer.clip(list(grads.values())), strict=True))[number]
    kept = [_wide(optimizer.state[name][number].data) for name in optimizer.slots]
    after, *updated = (
        float(jnp.broadcast_to(value, p.shape)[index])
        for value in optimizer.update(_wide(p.data), clipped, *kept)
    )
    before = float(p.data[index])
    symbols = optimizer.slots if optimizer.symbols is None else optimizer.symbols
    slots = {s: float(value[index]) for s, value in zip(symbols, kept, strict=True)}
    values = {"w": before, "g": float(raw[index]), **slots}
    digits = _digits(before, after)

    def quantities():
        return (named(s, x, digits=digits if s == "w" else 4) for s, x in values.items())

    def all_terms():
        w, g, *old = quantities()
        yield from optimizer.rate_terms()
        if hasattr(optimizer.clip, "terms"):
            g = yield from optimizer.clip.terms(g, list(grads.values()))
        elif optimizer.clip is not None:
            g = yield "g", named("clip(g)", float(clipped[index])), "clipped gradient"
        yield from optimizer.terms(w, g, *old)

    terms = None
    if optimizer.terms is not None:
        terms = spell(all_terms(), values, digits=digits)
        if not _same(terms[-1].value, after, scale=max(abs(before), abs(after))):
            terms = []  # a subclass that overrides `update` only: better none than wrong ones
    variants = []
    if optimizer.variants is not None and terms and optimizer.clip is None:
        variants = spell(optimizer.variants(*quantities()), values, digits=digits)
    return Move(
        optimizer=type(optimizer).__name__,
        step=int(optimizer.t),
        path=optimizer.paths[number],
        index=index,
        shape=p.shape,
        dtype=str(p.dtype),
        lr=float(optimizer.lr),
        before=before,
        after=after,
        gradient=float(raw[index]),
        clipped=None if optimizer.clip is None else float(clipped[index]),
        slots=slots,
        new_slots=dict(zip(symbols, updated, strict=True)),
        terms=terms,
        digits=digits,
        variants=variants,
        remark=optimizer.remark,
    )


def _wide(x):
    return x.astype(jnp.float64)


def _same(a, b, *, scale) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-9 * scale


def _digits(before, after) -> int:
    """Significant digits of a weight that show its change."""
    change = abs(after - before)
    if not (math.isfinite(change) and change and before):
        return 4
    return min(max(4, 3 + math.ceil(math.log10(max(abs(before) / change, 1)))), 12)
