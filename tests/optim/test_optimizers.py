"""Optimizers, clipping and schedules against PyTorch, step by step."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from cutaway import losses, ops, optim
from cutaway.doctor.changes.length import stretch_schedule
from cutaway.engine import Tensor, float64
from cutaway.errors import GradientError, OptionError
from cutaway.nn import Buffer, Linear, Parameter, Sequential, jit, named_variables
from cutaway.optim import OPTIMIZERS
from cutaway.optim.optimizer_html import state_rows
from cutaway.train import Trainer

SHAPES = [(4, 3), (3,), ()]


def gradients(steps, seed=0):
    """Gradients of several parameters over some steps, of very different sizes."""
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-3, 1, steps)
    return [[(c * rng.normal(size=s)).astype(np.float32) for s in SHAPES] for c in scales]


def starts():
    rng = np.random.default_rng(1)
    return [rng.normal(size=s).astype(np.float32) for s in SHAPES]


def run(make, steps=100, between=None):
    parameters = [Parameter(p) for p in starts()]
    optimizer = make(parameters)
    for k, grads in enumerate(gradients(steps)):
        for p, g in zip(parameters, grads, strict=True):
            p.grad = jnp.asarray(g)
        optimizer.step()
        if between:
            between(k, optimizer)
    return [p.numpy() for p in parameters]


def run_torch(make, steps=100, clip=None, scheduler=None):
    parameters = [torch.tensor(p, requires_grad=True) for p in starts()]
    optimizer = make(parameters)
    schedule = scheduler(optimizer) if scheduler else None
    for grads in gradients(steps):
        for p, g in zip(parameters, grads, strict=True):
            p.grad = torch.tensor(g)
        if clip:
            clip(parameters)
        optimizer.step()
        if schedule:
            schedule.step()
    return [p.detach().numpy() for p in parameters]


T = torch.optim
PAIRS = {
    "SGD": (lambda p: optim.SGD(p, lr=0.1), lambda p: T.SGD(p, lr=0.1)),
    "Momentum": (
        lambda p: optim.Momentum(p, lr=0.01, beta=0.8),
        lambda p: T.SGD(p, lr=0.01, momentum=0.8),
    ),
    "AveragedMomentum": (
        lambda p: optim.AveragedMomentum(p, lr=0.05, beta=0.8),
        lambda p: T.SGD(p, lr=0.05, momentum=0.8, dampening=0.8),
    ),
    "Nesterov": (
        lambda p: optim.Nesterov(p, lr=0.01, beta=0.8),
        lambda p: T.SGD(p, lr=0.01, momentum=0.8, nesterov=True),
    ),
    "Adagrad": (lambda p: optim.Adagrad(p), lambda p: T.Adagrad(p)),
    "Adadelta": (lambda p: optim.Adadelta(p), lambda p: T.Adadelta(p)),
    "RMSprop": (lambda p: optim.RMSprop(p), lambda p: T.RMSprop(p)),
    "Adam": (
        lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.99)),
        lambda p: T.Adam(p, lr=0.01, betas=(0.8, 0.99)),
    ),
    "AdamW": (
        lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.3),
        lambda p: T.AdamW(p, lr=0.01, weight_decay=0.3),
    ),
    "Nadam": (lambda p: optim.Nadam(p), lambda p: T.NAdam(p)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_optimizers_equal_pytorch_over_100_steps(name):
    ours, theirs = PAIRS[name]
    if name == "AveragedMomentum":
        # PyTorch does not damp the very first gradient: give both the same second start
        def theirs_damped(p):
            optimizer = T.SGD(p, lr=0.05, momentum=0.8, dampening=0.8)
            for q in p:
                optimizer.state[q]["momentum_buffer"] = torch.zeros_like(q)
            return optimizer

        theirs = theirs_damped
    for a, b in zip(run(ours), run_torch(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)


MATRICES = {"decays": lambda path, p: p.ndim > 1, "weight_decay": 0.2}
DECAYING = {
    "SGD": (optim.SGD, T.SGD, {}, {}),
    "Momentum": (optim.Momentum, T.SGD, {"beta": 0.8}, {"momentum": 0.8}),
    "Nesterov": (optim.Nesterov, T.SGD, {"beta": 0.8}, {"momentum": 0.8, "nesterov": True}),
    "AdamW": (optim.AdamW, T.AdamW, {}, {}),
}


@pytest.mark.parametrize("name", DECAYING)
def test_decay_of_some_parameters_and_rates_of_groups_equal_pytorch(name):
    ours, theirs, options, their_options = DECAYING[name]

    def grouped(p):
        return theirs(
            [
                {"params": p[:1], "weight_decay": 0.2, "lr": 0.02 * 0.1},
                {"params": p[1:], "weight_decay": 0.0},
            ],
            lr=0.02,
            **their_options,
        )

    found = run(lambda p: ours(p, lr=0.02, groups={"0": 0.1}, **MATRICES, **options))
    for a, b in zip(found, run_torch(grouped), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)


def test_averaged_momentum_decays_as_momentum_does():
    averaged = run(lambda p: optim.AveragedMomentum(p, lr=0.1, beta=0.9, weight_decay=0.1))
    classical = run(lambda p: optim.Momentum(p, lr=0.01, beta=0.9, weight_decay=0.1))
    for a, b in zip(averaged, classical, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_groups_are_paths_and_the_longest_that_fits_counts():
    net = Sequential(*(Linear(2, 2) for _ in range(12)))
    before = net.state_dict()
    optimizer = optim.SGD(net, lr=1.0, groups={"1": 0.5, "1.bias": 0.25})
    for p in net.parameters():
        p.grad = jnp.ones(p.shape)
    optimizer.step()
    assert float(optimizer.lr) == 1.0
    moved = {path: (before[path] - v).ravel()[0] for path, v in net.state_dict().items()}
    expected = {path: {"1.weight": 0.5, "1.bias": 0.25}.get(path, 1.0) for path in moved}
    assert moved == pytest.approx(expected)  # "10" and "11" do not begin with "1"
    with pytest.raises(OptionError, match="group 'haed' has no parameters"):
        optim.SGD(net, lr=1, groups={"haed": 0.1})
    with pytest.raises(OptionError, match="factor of group '1' is 0"):
        optim.SGD(net, lr=1, groups={"1": 0})


def _of_shape(path, p):
    return p.shape[0] ** -0.5 if p.ndim == 2 else 0.1


def test_groups_may_be_a_function_of_path_and_parameter():
    net = Sequential(Linear(4, 2), Linear(2, 3))
    before = net.state_dict()
    optimizer = optim.SGD(net, lr=1.0, groups=_of_shape)
    for p in net.parameters():
        p.grad = jnp.ones(p.shape)
    optimizer.step()
    moved = {path: (before[path] - v).ravel()[0] for path, v in net.state_dict().items()}
    expected = {"0.weight": 0.5, "0.bias": 0.1, "1.weight": 0.5**0.5, "1.bias": 0.1}
    assert moved == pytest.approx(expected)
    wider = Sequential(*net, Linear(3, 1))
    assert optimizer.over(wider)._each.factors == pytest.approx(
        {0: 0.5, 1: 0.1, 2: 0.5**0.5, 3: 0.1, 4: 3**-0.5, 5: 0.1}
    )
    with pytest.raises(OptionError, match=r"factor of '0\.weight' by `groups` is None"):
        optim.SGD(net, lr=1, groups=lambda path, p: None)
    with pytest.raises(OptionError, match=r"groups is 0\.5\n  expected: \{path prefix: factor\}"):
        optim.SGD(net, lr=1, groups=0.5)
    with pytest.raises(OptionError, match=r"weight decay of '0\.weight' by `decays` is -1"):
        optim.SGD(net, lr=1, decays=lambda path, p: -1)


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
def test_a_rate_by_inputs_trains_a_layer_as_the_ntk_form_trains(weight_decay):
    # RealMLP's layers compute x (W / √inputs) with W of spread 1 and one rate for all widths
    def path_of(ntk):
        scales = [len(w) ** -0.5 for w in weights]
        factors = scales if ntk else [1.0, 1.0]
        options = {} if ntk else {"groups": _of_shape, "decays": lambda path, p: p.shape[0] ** 0.5}
        trained = [
            Parameter(w if ntk else w * scale) for w, scale in zip(weights, scales, strict=True)
        ]
        optimizer = optim.AdamW(
            trained, lr=0.05, betas=(0.9, 0.95), eps=1e-30, weight_decay=weight_decay, **options
        )
        found = []
        for _ in range(50):
            hidden = ops.tanh(Tensor(x) @ (trained[0] * factors[0]))
            ((hidden @ (trained[1] * factors[1]) - y) ** 2).mean().backward()
            optimizer.step()
            found.append([np.array(p.data) * f for p, f in zip(trained, factors, strict=True)])
        return found

    with float64():
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(20, 5)), rng.normal(size=(20, 2))
        weights = [rng.normal(size=shape) for shape in ((5, 7), (7, 2))]
        for one, other in zip(path_of(ntk=True), path_of(ntk=False), strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_every_optimizer_of_the_command_line_is_compared():
    # a new one is compared here, or in a file of its own beside this one
    files = [p for p in Path(__file__).parent.glob("test_*.py") if p.name != Path(__file__).name]
    texts = [p.read_text() for p in files]
    own = {c.__name__ for c in OPTIMIZERS.values() if any(c.__name__ in text for text in texts)}
    assert {c.__name__ for c in OPTIMIZERS.values()} - own <= set(PAIRS)
    assert set(PAIRS) <= {c.__name__ for c in OPTIMIZERS.values()} and len(PAIRS) >= 10


def test_averaged_momentum_is_momentum_with_a_smaller_rate():
    averaged = run(lambda p: optim.AveragedMomentum(p, lr=0.1, beta=0.9))
    classical = run(lambda p: optim.Momentum(p, lr=0.01, beta=0.9))
    for a, b in zip(averaged, classical, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_textbooks_step():
    # w = 2.5, η = 1, ∂L/∂w = 0.2 · 0.02 = 0.004: w = 2.496
    w = Parameter(2.5)
    w.grad = jnp.asarray(0.2 * 0.02)
    optim.SGD([w], lr=1.0).step()
    assert w.item() == pytest.approx(2.496, abs=1e-7)


@pytest.mark.parametrize("name", PAIRS)
def test_eager_and_scanned_steps_are_equal(name):
    make, _ = PAIRS[name]
    eager = run(make, steps=20)
    parameters = [Parameter(p) for p in starts()]
    optimizer = make(parameters)

    def step(grads):
        for p, g in zip(parameters, grads, strict=True):
            p.grad = g.data
        optimizer.step()

    stacked = [np.stack(rows) for rows in zip(*gradients(20), strict=True)]
    jit(step, optimizer).scan(stacked)
    for p, expected in zip(parameters, eager, strict=True):
        np.testing.assert_allclose(p.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("clip", "theirs"),
    [
        (optim.ClipNorm(0.5), lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5)),
        (optim.ClipValue(0.1), lambda p: torch.nn.utils.clip_grad_value_(p, 0.1)),
    ],
)
def test_clipping_equals_pytorch(clip, theirs):
    ours = run(lambda p: optim.SGD(p, lr=0.1, clip=clip))
    expected = run_torch(lambda p: T.SGD(p, lr=0.1), clip=theirs)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


S = T.lr_scheduler
SCHEDULES = {
    "constant": (optim.Constant(), lambda o: S.ConstantLR(o, factor=1.0)),
    "step": (optim.StepDecay(7, 0.5), lambda o: S.StepLR(o, 7, gamma=0.5)),
    "exponential": (optim.Exponential(0.9), lambda o: S.ExponentialLR(o, 0.9)),
    "cosine": (optim.Cosine(40), lambda o: S.CosineAnnealingLR(o, 40)),
    "cosine to a tenth": (
        optim.Cosine(40, final=0.1),
        lambda o: S.CosineAnnealingLR(o, 40, eta_min=0.01),
    ),
    "warm-up": (
        optim.Warmup(8, start=0.2),
        lambda o: S.LinearLR(o, start_factor=0.2, total_iters=8),
    ),
    "one cycle": (
        optim.OneCycle(40, rising=0.25, divide=10, final_divide=100),
        lambda o: S.OneCycleLR(
            o, 0.1, total_steps=40, pct_start=0.25, div_factor=10, final_div_factor=100,
            cycle_momentum=False,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_equal_pytorch_step_by_step(name):
    schedule, theirs = SCHEDULES[name]
    w = torch.zeros(1, requires_grad=True)
    optimizer = T.SGD([w], lr=0.1)
    scheduler = theirs(optimizer)
    expected = []
    for _ in range(40):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    ours = 0.1 * np.array([float(schedule(jnp.float32(t))) for t in range(1, 41)])
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-8)


# by pytabkit 1.8.0: get_schedule("coslog4").call_time_(done) and of "flat_cos"
PYTABKIT = {
    "CosineCycles": [
        0.0,
        0.323689,
        0.718355,
        0.653194,
        0.0,
        0.493489,
        0.983844,
        0.809285,
        0.323689,
        0.020564,
        0.073619,
        0.373992,
        0.718355,
        0.947293,
        0.994531,
        0.875658,
        0.653194,
        0.402117,
        0.186201,
        0.046605,
    ],
    "FlatCosine": [
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        0.975528,
        0.904508,
        0.793893,
        0.654508,
        0.5,
        0.345492,
        0.206107,
        0.095492,
        0.024472,
    ],
}


@pytest.mark.parametrize("name", PYTABKIT)
def test_schedules_of_realmlp_equal_pytabkit_and_can_be_stretched(name):
    schedule = getattr(optim, name)(20)
    steps = jnp.arange(1.0, 21.0)
    np.testing.assert_allclose(schedule(steps), PYTABKIT[name], rtol=0, atol=2e-6)
    schedule.stretch(3)
    np.testing.assert_allclose(schedule(3 * steps - 2), PYTABKIT[name], rtol=0, atol=2e-6)
    assert schedule(jnp.float32(100.0)) == 0


def test_cycles_double_in_length():
    schedule = optim.CosineCycles(7, cycles=3)  # ends after 1, 3 and 7 of 7 steps
    values = np.asarray(schedule(jnp.arange(1.0, 9.0)))
    np.testing.assert_allclose(values[[0, 1, 3, 7]], 0, atol=1e-6)
    assert (values[[2, 4, 5, 6]] > 0.1).all()


def test_after_a_warm_up_another_schedule_begins():
    schedule = optim.Warmup(5, optim.Cosine(10))
    values = [float(schedule(jnp.float32(t))) for t in range(1, 17)]
    cosine = [float(optim.Cosine(10)(jnp.float32(t))) for t in range(1, 12)]
    np.testing.assert_allclose(values[5:], cosine, rtol=1e-6)
    assert values[0] == pytest.approx(0.1) and np.all(np.diff(values[:6]) > 0)


def test_a_schedule_moves_the_steps_of_an_optimizer():
    ours = run(lambda p: optim.SGD(p, lr=0.1, schedule=optim.Exponential(0.9)))
    expected = run_torch(lambda p: T.SGD(p, lr=0.1), scheduler=lambda o: S.ExponentialLR(o, 0.9))
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("higher_is_better", [False, True])
def test_reduce_on_plateau_equals_pytorch(higher_is_better):
    rng = np.random.default_rng(0)
    values = np.round(np.exp(-np.arange(60) / 15) + 0.05 * rng.normal(size=60), 3)
    w = torch.zeros(1, requires_grad=True)
    theirs = T.SGD([w], lr=0.1)
    scheduler = S.ReduceLROnPlateau(
        theirs, "max" if higher_is_better else "min", factor=0.5, patience=3, min_lr=1e-3
    )
    ours = optim.SGD([Parameter(0.0)], lr=0.1)
    reduce = optim.ReduceOnPlateau(0.5, 3, min_lr=1e-3, higher_is_better=higher_is_better)
    for k, value in enumerate(values):
        scheduler.step(value)
        reduce.observe(value, ours)
        if k == 30:  # a resumed training goes on with the same numbers
            state = reduce.state()
            reduce = optim.ReduceOnPlateau(0.5, 3, min_lr=1e-3, higher_is_better=higher_is_better)
            reduce.load_state(state)
        assert float(ours.lr) == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-5)


@pytest.mark.parametrize("name", ["sgd", "momentum", "averaged_momentum", "nesterov", "adamw"])
def test_weight_decay_follows_its_schedule_also_in_a_compiled_step(name):
    # without gradients only the decay moves a weight: SGD and AdamW multiply it by 1 - η λ s(t)
    schedule = optim.FlatCosine(8)
    options = {"lr": 0.5, "weight_decay": 0.25, "decays": lambda path, p: path == "0"}

    def train(compiled, **more):
        weights = [Parameter(np.ones(2, np.float32)), Parameter(np.ones(2, np.float32))]
        optimizer = OPTIMIZERS[name](weights, **options, **more)

        def step():
            for w in weights:
                w.grad = jnp.zeros(2)
            optimizer.step()

        run = jit(step, optimizer) if compiled else step
        found = []
        for _ in range(10):
            run()
            found.append(weights[0].data[0].item())
        assert weights[1].data[0].item() == 1
        return found

    scheduled = train(True, decay_schedule=schedule)
    np.testing.assert_allclose(scheduled, train(False, decay_schedule=schedule), rtol=1e-6)
    plain = train(True)  # another program: it may round otherwise
    np.testing.assert_allclose(scheduled[:5], plain[:5], rtol=1e-5)
    assert abs(scheduled[5] - plain[5]) > 1e-3
    if name in ("sgd", "adamw"):
        factors = 1 - 0.125 * np.asarray(schedule(jnp.arange(1.0, 11.0)))
        np.testing.assert_allclose(scheduled, np.cumprod(factors), rtol=1e-6)


def test_a_schedule_of_the_weight_decay_is_shown_and_stretched():
    net = Linear(2, 1)
    schedule = optim.FlatCosine(4, flat=0.0)
    optimizer = optim.AdamW(net, 0.1, decay_schedule=schedule, schedule=schedule)
    assert "decay_schedule=FlatCosine(total_steps=4, flat=0)" in repr(optimizer)
    assert ("schedule of the weight decay", repr(schedule)) in state_rows(optimizer)
    for _ in range(2):
        for p in net.parameters():
            p.grad = jnp.ones(p.shape)
        move = optimizer.spell_out(0, (0, 0))
        optimizer.step()
    written = {term.symbol: term for term in move.terms}
    assert written["λ"].formula == "λ₀ s_λ" and "s_λ from FlatCosine" in written["λ"].meaning
    assert written["λ"].value == pytest.approx(0.01 * (1 + 0.5**0.5) / 2)  # a quarter of the way
    trainer = Trainer(net, loss=losses.mean_squared_error, optimizer=optimizer)
    stretch_schedule(trainer.program, 3)
    assert schedule.total_steps == 12  # once, though it is both schedules


def test_a_step_uses_its_gradients_up():
    net = Linear(2, 1)
    optimizer = optim.SGD(net, lr=0.1)
    net(np.ones((1, 2), np.float32)).sum().backward()
    optimizer.step()
    assert net.weight.grad is None
    with pytest.raises(GradientError, match=r"loss.backward\(\) before optimizer.step\(\)"):
        optimizer.step()


def test_parameters_without_a_gradient_stay():
    a, b = Parameter([1.0]), Parameter([1.0])
    optimizer = optim.Adam([a, b], lr=0.1)
    a.grad = jnp.ones(1)
    optimizer.step()
    assert a.item() < 1 and b.item() == 1
    assert optimizer.state["m"][1].item() == 0


def test_a_shared_parameter_moves_once():
    w = Parameter([1.0])
    optimizer = optim.SGD([w, w], lr=0.5)
    w.grad = jnp.ones(1)
    optimizer.step()
    assert w.item() == 0.5


def test_optimizer_state_is_found_by_walking():
    optimizer = optim.Adam(Linear(2, 1), lr=0.1)
    assert [p for p in named_variables(optimizer) if not p.startswith("parameters")] == [
        "base_lr",
        "step_count",
        "state.m.0",
        "state.m.1",
        "state.v.0",
        "state.v.1",
        "hyperparameters",
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda p: optim.SGD(p, lr=0), "learning rate lr is 0"),
        (lambda p: optim.SGD(p, lr=-0.1), "learning rate lr is -0.1"),
        (lambda p: optim.SGD(p, lr=float("nan")), "learning rate lr is nan"),
        (lambda p: optim.Adam(p, betas=(0.9, 1.0)), r"betas\[1\] is 1.0"),
        (lambda p: optim.Adam(p, eps=0), "eps is 0"),
        (lambda p: optim.Momentum(p, lr=1, beta=-1), "beta is -1"),
        (lambda p: optim.AdamW(p, weight_decay=-1), "weight_decay is -1"),
        (lambda p: optim.SGD([], lr=1), "no parameters to train"),
        (lambda p: optim.SGD([Buffer(1.0)], lr=1), "an optimizer got a Buffer"),
        (lambda p: optim.Cosine(0), "total_steps is 0"),
        (lambda p: optim.CosineCycles(10, 0), "cycles is 0"),
        (lambda p: optim.FlatCosine(10, flat=1), "flat is 1"),
        (lambda p: optim.ClipNorm(0), "max_norm is 0"),
        (lambda p: setattr(optim.SGD(p, lr=1), "lr", -1), "learning rate lr is -1"),
    ],
)
def test_options_out_of_range_are_named(wrong, words):
    with pytest.raises(OptionError, match=words):
        wrong([Parameter([1.0])])
