"""explain_update: one weight's step as arithmetic, against hand-worked textbook numbers."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import optim
from cutaway.errors import GradientError, OptionError, ShapeError
from cutaway.explain import explain_update
from cutaway.explain.update_story import columns
from cutaway.optim import OPTIMIZERS
from cutaway.story.text import WIDTH


def students(seed=0):
    """The textbooks' network 3-2-1 with the gradients of one student."""
    ct.seed(seed)
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1), ct.Sigmoid())
    x, y = np.array([[0.5, 0.2, 0.9]], np.float32), np.array([[1.0]], np.float32)
    ct.losses.binary_cross_entropy(net(x), y).backward()
    return net


def one_weight(make, w, *grads):
    """A 1-1 network's optimizer just before the step of the last gradient."""
    net = ct.Sequential(ct.Linear(1, 1, bias=False))
    weight = net[0].weight
    weight.data = jnp.full((1, 1), w, jnp.float32)
    optimizer = make(net)
    for g in grads[:-1]:
        weight.grad = jnp.full((1, 1), g, jnp.float32)
        optimizer.step()
    weight.data = jnp.full((1, 1), w, jnp.float32)
    weight.grad = jnp.full((1, 1), grads[-1], jnp.float32)
    return optimizer


SGD = """\
SGD, step 1: the update of w_11^(1), element [0, 0] of 0.weight

  w = 2.5    current weight
  g = 0.004  gradient ∂L/∂w
  η = 1      learning rate

  w ← w - η g                           against the gradient
    = 2.5 - 1 · 0.004 = 2.496

The step is Δw = -0.004, 0.16% of the weight."""

# the second of two steps: v was 0.2
MOMENTUM = """\
Momentum, step 2: the update of w_11^(1), element [0, 0] of 0.weight

  w = 0.5  current weight
  g = 0.1  gradient ∂L/∂w
  η = 0.1  learning rate
  v = 0.2  state from previous steps

  v ← β v + g                           velocity: decayed, plus g
    = 0.9 · 0.2 + 0.1 = 0.28
  w ← w - η v                           against the velocity
    = 0.5 - 0.1 · 0.28 = 0.472

The step is Δw = -0.028, 5.6% of the weight.
Plain gradient descent would have changed it by -η g = -0.01."""

# the second of two steps, by hand: m was 0.1 · 0.4 = 0.04 and v was 0.001 · 0.16 = 0.00016;
# m = 0.036 + 0.01 = 0.046, v = 0.00015984 + 0.00001 = 0.00016984,
# m̂ = 0.046 / 0.19 = 0.24211, v̂ = 0.00016984 / 0.001999 = 0.084962,
# η_eff = 0.1 / 0.29148 = 0.34307, w = 1 - 0.34307 · 0.24211 = 0.91694
ADAM = """\
Adam, step 2: the update of w_11^(1), element [0, 0] of 0.weight

  w     = 1        current weight
  g     = 0.1      gradient ∂L/∂w
  η     = 0.1      learning rate
  m     = 0.04     state from previous steps
  v     = 0.00016  state from previous steps

  m     ← β₁ m + (1 - β₁) g             running mean of g
        = 0.9 · 0.04 + 0.1 · 0.1 = 0.046
  v     ← β₂ v + (1 - β₂) g²            running mean of g²
        = 0.999 · 0.00016 + 0.001 · 0.1² = 0.0001698
  m̂     = m / (1 - β₁^t)                bias correction of m
        = 0.046 / (1 - 0.9²) = 0.2421
  v̂     = v / (1 - β₂^t)                bias correction of v
        = 0.0001698 / (1 - 0.999²) = 0.08496
  η_eff = η / (√v̂ + ε)                  effective learning rate of this weight
        = 0.1 / (√0.08496 + 1e-08) = 0.3431
  w     ← w - η_eff m̂                   against the mean gradient
        = 1 - 0.3431 · 0.2421 = 0.91694

The step is Δw = -0.08306, 8.31% of the weight.
The effective learning rate of this weight, η_eff, is 3.43 times η.
Plain gradient descent would have changed it by -η g = -0.01.
Without bias correction, as some textbooks have it: w = w - η m / (√v + ε) = 1 -
0.1 · 0.046 / (√0.0001698 + 1e-08) = 0.64703 instead of 0.91694."""


@pytest.mark.parametrize(
    ("make", "w", "grads", "expected"),
    [
        (lambda net: ct.SGD(net, lr=1.0), 2.5, [0.004], SGD),
        (lambda net: ct.Momentum(net, lr=0.1), 0.5, [0.2, 0.1], MOMENTUM),
        (lambda net: ct.Adam(net, lr=0.1), 1.0, [0.4, 0.1], ADAM),
    ],
)
def test_the_textbooks_steps_are_written_as_by_hand(make, w, grads, expected):
    story = explain_update(one_weight(make, w, *grads), "0.weight", (0, 0))
    assert str(story) == expected


def test_the_numbers_of_the_story():
    optimizer = one_weight(lambda net: ct.Adam(net, lr=0.1), 1.0, 0.4, 0.1)
    story = explain_update(optimizer, "0.weight", (0, 0))
    assert story.effective_rate == pytest.approx(0.1 / np.sqrt(0.00016984 / 0.001999), rel=1e-6)
    assert story.change == pytest.approx(-story.effective_rate * 0.046 / 0.19, rel=1e-6)
    assert story.relative == pytest.approx(-story.change)
    assert story.clip_factor is None
    told = story.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert [term["symbol"] for term in told["terms"]] == ["m", "v", "m̂", "v̂", "η_eff", "w"]
    assert told["terms"][-1]["value"] == pytest.approx(told["after"], rel=1e-12)


def test_latex_has_every_line_with_its_numbers():
    story = explain_update(
        one_weight(lambda net: ct.SGD(net, lr=1.0), 2.5, 0.004), "0.weight", (0, 0)
    )
    assert story.latex() == (
        r"\begin{aligned} w &= w_{11}^{(1)} \\ "
        r"w &\leftarrow w - \eta g = 2.5 - 1 \cdot 0.004 = 2.496 \end{aligned}"
    )
    adam = explain_update(
        one_weight(lambda net: ct.Adam(net, lr=0.1), 1.0, 0.4, 0.1), "0.weight", (0, 0)
    )
    assert r"\hat{v} &= \frac{v}{1 - \beta_2^{t}} = \frac{0.0001698}{1 - 0.999^{2}}" in adam.latex()
    assert adam._repr_latex_().startswith("$\\displaystyle \\begin{aligned}")


def test_matplotlib_can_typeset_every_line_of_every_optimizer():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for make in OPTIMIZERS.values():
        net = students()
        optimizer = make(net, lr=0.1, clip=optim.ClipNorm(0.1), schedule=optim.Cosine(9))
        for term in explain_update(optimizer, "0.weight", (0, 0)).move.terms:
            for formula in (term.latex_symbol, term.latex, term.latex_numbers):
                parser.parse(f"${formula}$")


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("scale", [1.0, 1.23456e-7, -3.3e5])
def test_every_story_fits_a_terminal(name, scale):
    net = students()
    optimizer = OPTIMIZERS[name](net, lr=0.0123, clip=optim.ClipNorm(1e7))
    for _ in range(3):
        for p in net.parameters():
            p.grad = jnp.full(p.shape, 0.98765 * scale)
        story = explain_update(optimizer, "2.weight", (1, 0))
        optimizer.step()
    assert story.name == "w_21^(2)"
    assert max(map(columns, story.text().splitlines())) <= WIDTH
    assert "cutaway-told" in story._repr_html_()


def test_schedule_group_decay_and_clipping_stand_in_the_story():
    net = students()
    optimizer = ct.SGD(
        net, lr=0.5, weight_decay=0.1, schedule=optim.StepDecay(1, 0.5), groups={"0": 0.1},
        clip=optim.ClipNorm(1e-3),
    )  # fmt: skip
    for p in net.parameters():
        p.grad = jnp.full(p.shape, 2.0)  # 11 parameters: the norm is √44
    optimizer.step()
    for p in net.parameters():
        p.grad = jnp.full(p.shape, 2.0)
    story = explain_update(optimizer, "0.bias", 1)
    text = story.text()
    assert story.name == "b_2^(1)"
    assert "learning rate: s from StepDecay, f of its group:\n  η   = η₀ s f\n" in text
    assert "= 0.5 · 0.5 · 0.1 = 0.025" in text
    assert "‖g‖ = √(Σ g²)" in text and "= 6.633" in text
    assert "g   ← g + λ w" in text
    assert story.clip_factor == pytest.approx(1e-3 / np.sqrt(44), rel=1e-5)
    assert "Clipping scaled the gradient by 0.0001508." in text
    loose = ct.SGD(net, lr=0.5, clip=optim.ClipNorm(100))
    assert "Clipping did not change the gradient." in explain_update(loose, "0.bias", 1).text()


def test_clipping_by_a_custom_function():
    net = students()
    optimizer = ct.SGD(net, lr=0.1, clip=lambda grads: [g / 4 for g in grads])
    story = explain_update(optimizer, "0.bias", 0)
    assert story.clip_factor == 0.25
    assert "g ← clip(g)" in story.text()


class Lion(optim.Optimizer):
    """Chen et al. 2023, arXiv:2302.06675, without weight decay and without terms."""

    slots = ("m",)

    def update(self, p, g, m):
        return p - self.lr * jnp.sign(0.9 * m + 0.1 * g), 0.99 * m + 0.01 * g


def test_an_optimizer_without_terms_gets_an_honest_story():
    optimizer = one_weight(lambda net: Lion(net, lr=0.25), 1.0, 2.0, 1.0)
    assert str(explain_update(optimizer, "0.weight", (0, 0))) == (
        """\
Lion, step 2: the update of w_11^(1), element [0, 0] of 0.weight

  w = 1     current weight
  g = 1     gradient ∂L/∂w
  η = 0.25  learning rate
  m = 0.02  state from previous steps

  m : 0.02 → 0.0298
  w : 1 → 0.75

Lion has no `terms` that show its arithmetic: these are the results of its
`update`.
The step is Δw = -0.25, 25% of the weight.
Plain gradient descent would have changed it by -η g = -0.25."""
    )


def test_terms_that_do_not_fit_the_update_are_left_out():
    class Signed(ct.SGD):
        def update(self, p, g):
            return (p - self.lr * jnp.sign(g),)

    story = explain_update(
        one_weight(lambda net: Signed(net, lr=0.5), 1.0, 3.0), "0.weight", (0, 0)
    )
    assert "do not reproduce its `update`" in story.text()
    assert story.move.after == 0.5 and story.to_dict()["terms"] == []


def test_special_steps_are_described():
    def told(w, g, **options):
        optimizer = one_weight(lambda net: ct.SGD(net, lr=1.0, **options), w, g)
        return explain_update(optimizer, "0.weight", (0, 0)).text()

    assert "The weight does not change." in told(1.0, 0.0)
    assert "The step is Δw = -0.5, from 0." in told(0.0, 0.5)
    assert "too small to change the float32" in told(1.0, 1e-9)
    assert "The weight becomes nan, because the gradient is not finite." in told(1.0, np.nan)
    clipped = told(1.0, np.inf, clip=optim.ClipValue(0.5))
    assert "= 1 - 1 · 0.5 = 0.5" in clipped


def test_nothing_is_changed_and_the_step_goes_where_the_story_said():
    net = students()
    optimizer = ct.Adam(net, lr=0.1, clip=optim.ClipNorm(0.05))
    held = [(p.data, p.grad) for p in net.parameters()]
    story = explain_update(optimizer, "2.bias", 0)
    for p, (data, grad) in zip(net.parameters(), held, strict=True):
        assert p.data is data and p.grad is grad
    optimizer.step()
    assert net[2].bias.data[0].item() == pytest.approx(story.move.after, rel=1e-4)


def test_gradients_may_be_given_instead_of_those_of_backward():
    net = students()
    grads = {"0.weight": np.full((3, 2), 0.5)}
    story = explain_update(ct.SGD(net, lr=0.1), "0.weight", (-1, 1), gradients=grads)
    assert story.move.gradient == 0.5 and story.move.index == (2, 1)
    with pytest.raises(GradientError, match=r"0.bias has no gradient"):
        explain_update(ct.SGD(net, lr=0.1), "0.bias", 0, gradients=grads)
    with pytest.raises(OptionError, match=r"gradients has '0.wieght'"):
        explain_update(ct.SGD(net, lr=0.1), "0.bias", 0, gradients={"0.wieght": 1})
    with pytest.raises(ShapeError, match=r"the gradient of 0.bias has shape \(3,\)"):
        explain_update(ct.SGD(net, lr=0.1), "0.bias", 0, gradients={"0.bias": np.ones(3)})


def test_weights_of_other_layers_go_by_their_paths():
    net = ct.Sequential(ct.Conv2d(1, 2, 3), ct.Flatten(), ct.Linear(8, 1))
    net(np.ones((1, 4, 4, 1), np.float32)).sum().backward()
    optimizer = ct.SGD(net, lr=0.1)
    story = explain_update(optimizer, "0.weight", (0, 1, 0, 1))
    assert story.name == "0.weight[0, 1, 0, 1]"
    assert story.text().startswith("SGD, step 1: the update of 0.weight[0, 1, 0, 1]\n")
    by_parameter = explain_update(ct.SGD(net.parameters(), lr=0.1), net[2].bias, 0)
    assert by_parameter.name == "parameter 3[0]"


@pytest.mark.parametrize(
    ("path", "index", "words"),
    [
        ("0.wieght", (0, 0), r'holds no parameter \'0.wieght\'[\s\S]*did you mean "0.weight"'),
        ("0.weight", (3, 0), r"\(3, 0\) is outside 0.weight, of shape \(3, 2\)"),
        ("0.weight", (0, -3), r"\(0, -3\) is outside"),
        ("0.weight", (0,), r"\(0,\) does not name one element of 0.weight"),
        ("0.weight", 1, "does not name one element"),
        ("0.weight", (0.5, 1), "does not name one element"),
        ("0.weight", "ab", "does not name one element"),
        ("0.weight", (slice(2), 0), "does not name one element"),
        (ct.Parameter([1.0]), 0, "this Parameter is not among the parameters of the optimizer"),
    ],
)
def test_a_place_that_does_not_exist_is_named(path, index, words):
    with pytest.raises(OptionError, match=words):
        explain_update(ct.SGD(students(), lr=0.1), path, index)


def test_why_there_is_no_gradient():
    net = students()
    optimizer = ct.SGD(net, lr=0.1)
    net[0].weight.grad = None
    with pytest.raises(
        GradientError, match=r"though other parameters have one[\s\S]*without detaching"
    ):
        explain_update(optimizer, "0.weight", (0, 0))
    net[0].freeze()
    with pytest.raises(GradientError, match=r"0.weight has no gradient: it is frozen"):
        explain_update(optimizer, "0.weight", (0, 0))
    net[0].unfreeze()
    optimizer.step()
    with pytest.raises(GradientError, match=r"neither has any other parameter[\s\S]*call backward"):
        explain_update(optimizer, "0.weight", (0, 0))


def test_anything_but_an_optimizer_is_rejected():
    net = students()
    with pytest.raises(OptionError, match="was given a Sequential"):
        explain_update(net, "0.weight", (0, 0))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
    with pytest.raises(OptionError, match=r"was given a Trainer[\s\S]*pass its .optimizer"):
        explain_update(trainer, "0.weight", (0, 0))


def test_the_plot_shows_the_step_beside_plain_descent_and_the_path_of_the_weight():
    optimizer = one_weight(lambda net: ct.Momentum(net, lr=0.1), 0.5, 0.2, 0.1)
    story = explain_update(optimizer, "0.weight", (0, 0))
    axes = story.plot()
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-0.01, -0.028])
    path = story.plot(history=[0.6, 0.52, 0.5])
    assert list(path.lines[-1].get_xdata()) == [2, 3]
    assert list(path.lines[-1].get_ydata()) == pytest.approx([0.5, 0.472])
    with pytest.raises(OptionError, match=r"the history ends at 0.6"):
        story.plot(history=[0.5, 0.6])
