"""An optimizer in a notebook: its arithmetic in symbols, its learning rate and its state."""

import re

import numpy as np
import pytest

import cutaway as ct
from cutaway.nn import Parameter
from cutaway.optim import OPTIMIZERS, ClipNorm, StepDecay
from cutaway.optim.optimizer_html import formula_steps, optimizer_html, state_rows


def steps(optimizer, count, gradient=1.0):
    for _ in range(count):
        for p in optimizer.parameters:
            p.grad = np.full(p.shape, gradient, np.float32)
        optimizer.step()


def test_adam_is_written_as_in_its_paper():
    found = formula_steps(ct.Adam([Parameter(np.ones(2))]))
    assert [f"{s.symbol} {'←' if s.replaces else '='} {s.formula}" for s in found] == [
        "m ← β₁ m + (1 - β₁) g",
        "v ← β₂ v + (1 - β₂) g²",
        "m̂ = m / (1 - β₁^t)",
        "v̂ = v / (1 - β₂^t)",
        "η_eff = η / (√v̂ + ε)",
        "w ← w - η_eff m̂",
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_shows_its_formulas_typeset(name):
    optimizer = OPTIMIZERS[name]([Parameter(np.ones(3))], 0.1)
    html = optimizer._repr_html_()
    assert html.count("<math") == len(formula_steps(optimizer)) >= 1
    assert "<code>" not in html  # a formula that could not be typeset
    assert type(optimizer).__name__ in html and "over 3 parameters" in html


def test_the_learning_rate_is_that_of_the_next_step_and_nothing_moves():
    schedule = StepDecay(2, 0.1)
    optimizer = ct.SGD([Parameter(np.ones(2))], 0.5, schedule=schedule, clip=ClipNorm(1.0))
    assert ("learning rate η", "0.5") in state_rows(optimizer)
    steps(optimizer, 2)  # the third step is the first at a tenth
    rows = dict(state_rows(optimizer))
    assert rows["learning rate η"] == "0.05 in the next step, from η₀ = 0.5"
    assert rows["steps done t"] == "2" and rows["clipping"] == "ClipNorm(max_norm=1)"
    before = optimizer.parameters[0].numpy()
    optimizer_html(optimizer)
    assert int(optimizer.step_count.data) == 2
    assert np.array_equal(optimizer.parameters[0].numpy(), before)


def test_the_state_is_told_by_its_size():
    optimizer = ct.Momentum([Parameter(np.zeros(4))], 0.1, beta=0.9)
    assert dict(state_rows(optimizer))["state v"] == "4 values, all 0"
    steps(optimizer, 2)  # v = 1, then 0.9 + 1
    text = dict(state_rows(optimizer))["state v"]
    assert re.fullmatch(r"4 values, root mean square (1\.9|0\.19)", text)


def test_an_optimizer_of_ones_own_without_terms_shows_its_state():
    class Plain(ct.SGD):
        terms = None

    html = Plain([Parameter(np.ones(2))], 0.1)._repr_html_()
    assert "<math" not in html and "learning rate" in html
