"""The arithmetic that optimizers spell out is the one that their `update` does."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import optim
from cutaway.engine import float64
from cutaway.nn import Parameter, jit
from cutaway.optim import OPTIMIZERS
from cutaway.optim.terms import constant, larger, named, smaller, spell, sqrt
from tests.shapes import few

DECAYING = ("sgd", "momentum", "averaged_momentum", "nesterov", "adamw")
CLIPS = {
    "none": None,
    "norm": optim.ClipNorm(0.3),
    "value": optim.ClipValue(0.2),
    "own": lambda grads: [g / 3 for g in grads],
}
SETTINGS = st.fixed_dictionaries(
    {
        "lr": st.floats(1e-4, 2),
        "clip": st.sampled_from(list(CLIPS)),
        "schedule": st.sampled_from([None, optim.Exponential(0.7)]),
        "groups": st.sampled_from([None, {"0": 0.25}, lambda path, p: 1 / (1 + p.ndim)]),
    }
)


def close(a, b):
    return a == pytest.approx(b, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", OPTIMIZERS)
@few(6)
@given(
    options=SETTINGS,
    decay=st.sampled_from([0, 0.3]),
    factor=st.sampled_from([0, 0.5]),
    fading=st.booleans(),
    seed=st.integers(0, 999),
)
def test_the_terms_end_where_a_step_ends(name, options, decay, factor, fading, seed):
    rng = np.random.default_rng(seed)
    options = {**options, "clip": CLIPS[options["clip"]]}
    if name in DECAYING:
        options |= {"weight_decay": decay, "decays": lambda path, p: path == "0" or factor}
        options |= {"decay_schedule": optim.FlatCosine(4, 0.25) if fading else None}
    with float64():
        parameters = [Parameter(rng.normal(size=(2, 3))), Parameter(rng.normal(size=2))]
        optimizer = OPTIMIZERS[name](parameters, **options)
        for _ in range(4):
            for p in parameters:
                p.grad = jnp.asarray(rng.normal(size=p.shape) * 10 ** rng.uniform(-4, 1))
            moves = [optimizer.spell_out(0, (1, 2)), optimizer.spell_out(1, (0,))]
            optimizer.step()
            for place, move in enumerate(moves):
                last = move.terms[-1]
                assert last.symbol == "w"
                # relative to the larger end: a weight may pass very near to 0
                size = max(abs(move.before), abs(last.value))
                stepped = parameters[place].data[move.index].item()
                assert abs(last.value - stepped) <= 1e-12 * size
                assert abs(move.after - stepped) <= 1e-12 * size
                spelled = {term.symbol: term.value for term in move.terms}
                assert set(move.slots) <= set(spelled)
                for slot, symbol in zip(optimizer.slots, move.slots, strict=True):
                    kept = optimizer.state[slot][place].data[move.index].item()
                    assert close(spelled[symbol], kept), symbol
                    assert close(move.new_slots[symbol], kept), symbol


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_in_float32_lands_there_too(name):
    w = Parameter(np.array([0.5, -1.25], np.float32))
    optimizer = OPTIMIZERS[name]([w], lr=0.01)
    for k in range(5):
        w.grad = jnp.asarray([0.3, -0.02 * (k - 2.5)])
        move = optimizer.spell_out(0, (1,))
        optimizer.step()
        assert w.data[1].item() == pytest.approx(move.after, rel=2e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_spelling_out_moves_nothing(name):
    w = Parameter(np.ones(3, np.float32))
    optimizer = OPTIMIZERS[name]([w], lr=0.1, clip=optim.ClipNorm(1))
    step = jit(lambda: None, optimizer)
    step()
    w.grad = jnp.ones(3)

    def held():
        slots = [slot.data for kept in optimizer.state.values() for slot in kept]
        return [w.data, w.grad, optimizer.base_lr.data, optimizer.step_count.data, *slots]

    before = held()
    optimizer.spell_out(0, (2,))
    assert all(a is b for a, b in zip(before, held(), strict=True))
    with pytest.raises(IndexError):
        optimizer.spell_out(0, (2, 2, 2))
    assert all(a is b for a, b in zip(before, held(), strict=True))
    assert optimizer.t == 0 and optimizer._each.moving is None


def test_a_subclass_that_changes_update_only_gets_no_wrong_terms():
    class Signed(optim.SGD):
        def update(self, p, g):
            return (p - self.lr * jnp.sign(g),)

    w = Parameter(np.ones(1, np.float32))
    w.grad = jnp.asarray([0.5])
    move = Signed([w], lr=0.25).spell_out(0, (0,))
    assert move.terms == [] and move.after == 0.75


def test_an_optimizer_in_float64_has_its_learning_rate_in_float64():
    with float64():
        w = Parameter(np.zeros(1))
        optimizer = optim.SGD([w], lr=0.1)
        w.grad = jnp.ones(1)
        optimizer.step()
        assert w.item() == -0.1
    assert optim.SGD([Parameter([1.0])], lr=0.1).base_lr.dtype == jnp.float32


def test_formulas_are_written_as_by_hand():
    w, g, beta, t = named("w", 2.5), named("g", -0.5), constant("β", 0.9), named("t", 2)
    cases = [
        (w - 1 * g, "w - 1 g", "2.5 - 1 · (-0.5)", "w - 1 g"),
        (beta * w + (1 - beta) * g**2, "β w + (1 - β) g²", "0.9 · 2.5 + 0.1 · (-0.5)²",
         r"\beta w + \left(1 - \beta\right) g^{2}"),
        (w / (1 - beta**t), "w / (1 - β^t)", "2.5 / (1 - 0.9²)", r"\frac{w}{1 - \beta^{t}}"),
        (w - (g - t), "w - (g - t)", "2.5 - (-0.5 - 2)", r"w - \left(g - t\right)"),
        (w / (g * t), "w / (g t)", "2.5 / ((-0.5) · 2)", r"\frac{w}{g t}"),
        (sqrt(w) + sqrt(w + t), "√w + √(w + t)", "√2.5 + √(2.5 + 2)", r"\sqrt{w} + \sqrt{w + t}"),
        (larger(-w, smaller(w, g)), "max(-w, min(w, g))", "max(-2.5, min(2.5, -0.5))",
         r"\max\left(-w, \min\left(w, g\right)\right)"),
        (0.96 ** (t * beta), "0.96^(t β)", "0.96^(2 · 0.9)", r"0.96^{t \beta}"),
        (g * 1e-8, "g · 1e-08", "(-0.5) · 1e-08", r"g \cdot 10^{-8}"),
    ]  # fmt: skip
    for formula, text, numbers, latex in cases:
        assert formula.text() == text
        assert formula.text(numbers=True) == numbers
        assert formula.latex() == latex


def test_what_is_overwritten_is_told_from_what_is_new():
    def steps():
        v = yield "v", named("v", 1.0) + 1, ""
        u = yield "u", 2 * v, ""
        yield "u", u + v, ""

    terms = spell(steps(), {"v"})
    assert [(t.symbol, t.value, t.replaces) for t in terms] == [
        ("v", 2, True),
        ("u", 4, False),
        ("u", 6, True),
    ]
    assert terms[-1].numbers == "4 + 2"
