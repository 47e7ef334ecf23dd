"""An optimizer in a notebook: its arithmetic as formulas, and its state."""

import numpy as np

from cutaway.engine import float64, no_grad
from cutaway.optim.terms import FormulaStep, named, spell
from cutaway.story.formula import mathml
from cutaway.story.html import Markup, table
from cutaway.story.notebook import facts, shown, title
from cutaway.story.text import number


def optimizer_html(optimizer) -> str:
    """What a notebook shows of an optimizer."""
    kind = type(optimizer).__name__
    count = f"over {sum(p.size for p in optimizer.parameters):,} parameters"
    return shown(title(kind, count), optimizer_parts(optimizer))


def optimizer_parts(optimizer) -> str:
    """The arithmetic of the next step for one weight, and the state that it begins from."""
    return _arithmetic(optimizer) + facts(state_rows(optimizer))


def state_rows(optimizer) -> list[tuple[str, object]]:
    """[(name, value)]: learning rate, steps done, options and the size of the slots."""
    from cutaway.optim.hyperparameters import settings_of

    steps = int(optimizer.step_count.data)
    rate, base = _rate(optimizer), float(optimizer.base_lr.data)
    now = number(rate)
    if rate != base:
        now += f" in the next step, from η₀ = {number(base)}"
    rows: list[tuple[str, object]] = [("learning rate η", now), ("steps done t", f"{steps:,}")]
    if optimizer.schedule is not None:
        rows.append(("schedule", repr(optimizer.schedule)))
    if optimizer.clip is not None:
        rows.append(("clipping", repr(optimizer.clip)))
    for name, value in settings_of(optimizer).items():
        if name == "decay_schedule":
            rows.append(("schedule of the weight decay", repr(value)))
        elif name not in ("schedule", "clip"):
            rows.append((name, _written(value)))
    for name, arrays in optimizer.state.items():
        values = np.concatenate([np.zeros(1), *(np.ravel(a.data) for a in arrays)])
        mean = float(np.sqrt(np.mean(np.square(values[1:])))) if len(values) > 1 else 0.0
        text = f"{len(values) - 1:,} values, root mean square {number(mean)}"
        rows.append((f"state {name}", text if steps else f"{len(values) - 1:,} values, all 0"))
    return rows


def formula_steps(optimizer) -> list[FormulaStep]:
    """The next step of one weight in symbols; [] if the optimizer has no `terms`."""
    if optimizer.terms is None or not optimizer.parameters:
        return []
    symbols = optimizer.slots if optimizer.symbols is None else optimizer.symbols
    known = ("w", "g", *symbols)

    def steps():
        w, g, *slots = (named(symbol, 1.0) for symbol in known)
        yield from optimizer.rate_terms()
        yield from optimizer.terms(w, g, *slots)

    return _in_next_step(optimizer, lambda: spell(steps(), known))


def _rate(optimizer) -> float:
    return _in_next_step(optimizer, lambda: float(optimizer.lr))


def _in_next_step(optimizer, ask):
    """What `ask` finds while the optimizer counts the step that comes next."""
    counted = optimizer.step_count.data
    with float64(), no_grad():
        try:
            optimizer.step_count.data = counted + 1
            return ask()
        finally:
            optimizer.step_count.data = counted


def _arithmetic(optimizer) -> str:
    rows = []
    for step in formula_steps(optimizer):
        arrow = r"\leftarrow" if step.replaces else "="
        formula = mathml(f"{step.latex_symbol} {arrow} {step.latex}")
        rows.append((Markup(formula), step.meaning))
    if not rows:
        return ""
    return table(("w: a weight, g: its gradient ∂L/∂w", ""), rows)


def _written(value) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_written, value))
    return number(value) if isinstance(value, float) else str(value)
