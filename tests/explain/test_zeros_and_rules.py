"""Gradients of 0 and why, layers as matrices, neurons with a rule, other definitions of a step."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import GradientError, OptionError
from cutaway.explain.softmax_jacobian import slope_matrix
from cutaway.story.formula import mathml

SQUARES = ct.losses.mean_squared_error


def two_units(activation):
    """Two hidden units, z = 3 and z = -3 for x = (1, 2)."""
    net = ct.Sequential(ct.Linear(2, 2), activation, ct.Linear(2, 1))
    net[0].weight.data = np.array([[1, -1], [1, -1]], np.float32)
    net[2].weight.data = np.array([[1], [1]], np.float32)
    return ct.explain(net, [1.0, 2.0], [9.0], loss=SQUARES)


def flat(story):
    return " ".join(str(story).split())


def test_a_relu_that_is_off_shows_the_product_with_its_zero():
    story = two_units(ct.ReLU()).gradient("0.weight", (0, 1))
    text = str(story)
    assert "= (-12) · 1 · 0 · 1 = 0" in text and story.paths[0].product == 0
    assert "> ∂O_2^(1)/∂z_2^(1)     0  slope of relu" in text
    assert "relu' = 0 at z_2^(1) = -3: this ReLU is off" in flat(story)
    assert "<mark>0</mark>" in story.html() and "saturated" not in text
    assert r"\mathbf{0}" in story.latex()


def test_a_threshold_has_slope_0_everywhere_and_leaky_relu_is_not_saturated():
    why = two_units(ct.Threshold())
    assert "the slope of a threshold function is 0 everywhere" in flat(
        why.gradient("0.weight", (0, 0))
    )
    assert "the slope of a threshold function is 0 everywhere" in flat(why.flow())
    why = two_units(ct.LeakyReLU())
    text = flat(why.gradient("0.weight", (0, 1)))
    assert (
        "leaky_relu' = 0.01 at z_2^(1) = -3: small, but not 0, so the weight still learns" in text
    )
    assert "saturated" not in text
    assert why.flow().layers[0].saturated == 0
    assert why.flow().layers[0].active == 0.5


def test_the_flow_says_what_its_columns_are():
    text = flat(two_units(ct.Sigmoid()).flow())
    assert "active the neuron is activated: z > 0, which for a sigmoid is σ(z) > 0.5" in text
    assert "off its slope is 0, so no gradient passes through it" in text


def test_an_input_and_a_weight_of_0_are_named_as_the_cause():
    net = ct.Sequential(ct.Linear(2, 1), ct.Tanh(), ct.Linear(1, 1))
    net[0].weight.data = np.array([[0.5], [0.5]], np.float32)
    net[2].weight.data = np.array([[0.0]], np.float32)
    text = flat(ct.explain(net, [1.0, 0.0], [1.0], loss=SQUARES).gradient("0.weight", (0, 0)))
    assert "weight w_11^(2) is 0, so nothing passes back through it" in text
    net[2].weight.data = np.array([[1.0]], np.float32)
    text = flat(ct.explain(net, [1.0, 0.0], [1.0], loss=SQUARES).gradient("0.weight", (1, 0)))
    assert "x_2 = 0: with this input the weight changes nothing" in text


def test_paths_through_a_zero_are_listed_after_the_others():
    why = two_units(ct.ReLU())
    net = why.trace.net
    deep = ct.Sequential(ct.Linear(1, 2), net[0], net[1], net[2])
    deep[0].weight.data = np.array([[1.0, 1.0]], np.float32)
    story = ct.explain(deep, [1.0], [9.0], loss=SQUARES).gradient("0.weight", (0, 0))
    assert story.count == 2 and [p.product == 0 for p in story.paths] == [False, True]
    assert story.value == pytest.approx(sum(p.product for p in story.paths))


def test_shares_beyond_100_percent_are_explained():
    net = ct.Sequential(ct.Linear(1, 2), ct.Linear(2, 1))
    net[0].weight.data = np.array([[1.0, 1.0]], np.float32)
    net[1].weight.data = np.array([[2.0], [-1.0]], np.float32)
    deep = ct.Sequential(ct.Linear(1, 1), *[net[k] for k in range(2)])
    deep[0].weight.data = np.array([[1.0]], np.float32)
    text = flat(ct.explain(deep, [1.0], [9.0], loss=SQUARES).gradient("0.weight", (0, 0)))
    assert "200 %" in text and "-100 %" in text
    assert "Paths of opposite sign cancel, so one alone may be more than 100 %." in text


def test_the_slopes_of_softmax_are_a_matrix_that_sums_to_0():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(2, 3), ct.Softmax())
    loss = ct.losses.categorical_cross_entropy
    why = ct.explain(net, [1.0, 2.0], [0.0, 0.0, 1.0], loss=loss)
    story = why.gradient("0.weight", (0, 1))
    matrix = story.slope_matrix
    p = why.output[0] if why.output.ndim > 1 else why.output
    np.testing.assert_allclose(matrix.values, np.diag(p) - np.outer(p, p), atol=1e-12)
    np.testing.assert_allclose(matrix.values.sum(0), 0, atol=1e-12)
    assert matrix.used == {(2, 1)} and f"[{matrix.values[2, 1]:.4g}]" in str(story)
    assert slope_matrix([], why.names, why.jacobians) is None


def test_a_layer_is_a_matrix_product_with_its_numbers():
    net = ct.Sequential(ct.Linear(2, 2), ct.ReLU())
    net[0].weight.data = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    net[0].bias.data = np.array([0.25, -1.0], np.float32)
    story = ct.explain(net, [2.0, 4.0]).layer("0")
    text = str(story)
    assert "z^(1) = W^(1)ᵀ x + b^(1)" in text
    assert "[ 4.25 ] = [  1  0.5 ] · [ 2 ] + [ 0.25 ]" in text
    assert "[    7 ]   [ -2    3 ]   [ 4 ]   [   -1 ]" in text
    assert "2 inputs, 2 neurons: 2 · 2 + 2 = 6 parameters" in text
    assert 'class="matrix"' in mathml(story.latex())
    np.testing.assert_allclose(story.values.z, [[4.25, 7.0]])
    rows = ct.explain(net, [[2.0, 4.0], [1.0, 1.0]]).layer("0")
    assert "Z^(1) = X W^(1) + b^(1)" in str(rows) and "[row 1]" not in str(rows)
    np.testing.assert_allclose(rows.values.out, [[4.25, 7.0], [1.75, 0.0]])
    with pytest.raises(OptionError, match=r"'1' is ReLU, which does not compute"):
        ct.explain(net, [2.0, 4.0]).layer("1")


def test_a_perceptron_shows_its_rule_with_numbers():
    neuron = ct.Perceptron(2, lr=0.5)
    neuron.weight.data = np.array([[0.25], [0.5]], np.float32)
    why = ct.explain(neuron, [1.0, 2.0], 0)
    assert "threshold(1.25) = 1, because 1.25 >= 0" in str(why.forward(""))
    text = str(why.rule())
    assert "e = y - ŷ = 0 - 1 = -1" in text
    assert "Δw_2  = η e x_2  = 0.5 · (-1) · 2  = -1" in text and "w_2: 0.5 → -0.5" in text
    with pytest.raises(GradientError, match="not trained by a gradient"):
        ct.explain(neuron, [1.0, 2.0], [0.0], loss=SQUARES).gradient("weight", (0, 0))
    with pytest.raises(OptionError, match="no learning rule"):
        two_units(ct.ReLU()).rule()


@pytest.mark.parametrize(
    ("neuron", "y"), [(ct.Perceptron, [0, 0, 0, 1]), (ct.nn.HebbianNeuron, [-1, -1, -1, 1])]
)
def test_the_rule_of_several_rows_ends_at_what_fit_learns(neuron, y):
    x = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    story = ct.explain(neuron(2), x, y).rule()
    fitted = neuron(2)
    fitted.fit(x, y, **({"epochs": 1} if neuron is ct.Perceptron else {}))
    expected = [*fitted.weight.numpy()[:, 0], fitted.bias.numpy()[0]]
    np.testing.assert_allclose(story.steps[-1].after, expected)


def step(optimizer, **options):
    w = ct.Parameter(2.5)
    made = optimizer([w], **options)
    (0.2 * w * w).backward()  # g = 1
    return made, w


def test_updates_name_the_definitions_of_other_textbooks():
    made, w = step(ct.Adagrad, eps=0.44)
    text = flat(ct.explain_update(made, w))
    # √(1 + 0.44) = 1.2 inside of the root, √1 + 0.44 = 1.44 outside
    assert "With ε inside of the root, as in some textbooks (here it is outside): w = w -" in text
    assert f"{2.5 - 0.01 / 1.2:.5f} instead of {2.5 - 0.01 / 1.44:.5f}" in text
    made, w = step(ct.RMSprop)
    assert "Some textbooks call this Adadelta" in flat(ct.explain_update(made, w))
    made, w = step(ct.AveragedMomentum, lr=0.1, beta=0.95)
    text = flat(ct.explain_update(made, w))
    assert "v starts at 0" in text and "= 2.5 - 0.1 · 1 = 2.4 instead of 2.495" in text
    made, w = step(ct.Adam)
    text = flat(ct.explain_update(made, w))
    # 0.001 · 0.1 / √0.001
    assert "Without bias correction" in text and f"{2.5 - 1e-4 / 0.001**0.5:.6f}" in text


def test_the_number_of_steps_is_told_in_epochs():
    made, w = step(ct.SGD, lr=0.1)
    made.step_count.data = np.int32(200)
    text = flat(ct.explain_update(made, w, batches=100))
    assert "SGD, step 201 (epoch 3, batch 1 of 100)" in text
    assert "t = 200 steps (iterations) so far: 2 epochs of 100 batches." in text
    with pytest.raises(OptionError, match="batches"):
        ct.explain_update(made, w, batches=0)
