"""What explain prints, and what it says to bad input."""

import itertools
from pathlib import Path

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import GradientError, OptionError, ShapeError
from cutaway.nn import init

GOLDEN = Path(__file__).parent / "golden"
CROSS_ENTROPY = ct.losses.binary_cross_entropy


def student_network(*sizes):
    """Sigmoids everywhere, weights that one can follow by hand."""
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [ct.Linear(a, b), ct.Sigmoid()]
    net = ct.Sequential(*layers)
    for p in net.parameters():
        count = p.size
        p.data = (((np.arange(count) * 7) % 10 - 4) / 10).reshape(p.shape).astype(np.float32)
    return net


STORIES = {
    # the textbooks' 3-2-1: a weight of the last layer, and one of the first
    "3-2-1_last": lambda: student(3, 2, 1).gradient("2.weight", (1, 0)),
    "3-2-1_first": lambda: student(3, 2, 1).gradient("0.weight", (2, 1)),
    # one layer more: two ways from a weight of the first layer, one from the second
    "4-3-2-1_two_terms": lambda: student(4, 3, 2, 1).gradient("0.weight", (0, 0)),
    "4-3-2-1_one_term": lambda: student(4, 3, 2, 1).gradient("2.weight", (0, 0)),
    "4-3-2-1_forward": lambda: student(4, 3, 2, 1).forward("3", 1),
}


def student(*sizes):
    x = np.array([0.5, 0.1, 0.8, 0.3])[: sizes[0]]
    return ct.explain(student_network(*sizes), x, 1.0, loss=CROSS_ENTROPY)


@pytest.mark.parametrize("name", STORIES)
def test_the_textbook_networks_read_as_one_writes_them_by_hand(name):
    text = str(STORIES[name]())
    assert text == (GOLDEN / f"{name}.txt").read_text().rstrip("\n")
    assert max(map(len, text.splitlines())) <= 80


def test_the_golden_numbers_are_those_of_the_chain_rule_by_hand():
    net, x = student_network(3, 2, 1), np.array([0.5, 0.1, 0.8])
    w1, b1, w2, b2 = (p.numpy().astype(float) for p in net.parameters())

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    hidden = sigmoid(x @ w1 + b1)
    out = sigmoid(hidden @ w2 + b2)[0]
    story = ct.explain(net, x, 1.0, loss=CROSS_ENTROPY).gradient("0.weight", (2, 1))
    (path,) = story.paths
    by_hand = [-1 / out, out * (1 - out), w2[1, 0], hidden[1] * (1 - hidden[1]), x[2]]
    np.testing.assert_allclose([f.value for f in path.factors], by_hand, rtol=1e-7)
    assert path.nodes == ["L", "ŷ", "z_1^(2)", "O_2^(1)", "z_2^(1)", "w_32^(1)"]


def deep(activation, weights):
    layers = []
    for _ in range(9):
        layers += [ct.Linear(32, 32, init=weights), activation()]
    return ct.Sequential(*layers, ct.Linear(32, 1), ct.Sigmoid())


def test_ten_sigmoids_let_the_gradient_vanish_and_relu_with_he_does_not():
    x = np.random.default_rng(0).normal(size=32)
    sigmoid = ct.explain(deep(ct.Sigmoid, init.glorot_uniform), x, 1.0, loss=CROSS_ENTROPY)
    relu = ct.explain(deep(ct.ReLU, init.he_normal), x, 1.0, loss=CROSS_ENTROPY)
    flow, better = sigmoid.flow(), relu.flow()
    assert len(flow.layers) == len(better.layers) == 10
    slopes = np.prod([layer.slope for layer in flow.layers])
    assert 0.25**10 / 10 < slopes <= 0.25**10
    assert flow.product < 1e-4 < 1e-2 < better.product
    assert any("vanishes" in note for note in flow.notes())
    assert not any("vanish" in note for note in better.notes())
    story = sigmoid.gradient("0.weight", (0, 0), top=1)
    assert "10 slopes of activation functions multiply to" in story.text()
    text = flow.beside(better, ("sigmoid", "ReLU + He"))
    assert max(map(len, text.splitlines())) <= 80 and text.startswith("sigmoid ")


def test_the_flow_is_the_engines_gradient_at_every_layer():
    ct.seed(1)
    net = deep(ct.Tanh, init.glorot_uniform)
    x = np.random.default_rng(0).normal(size=(4, 32))
    why = ct.explain(net, x, np.ones((4, 1)), loss=CROSS_ENTROPY)
    biases = why.trace.engine_gradients
    for flow in why.flow().layers:  # ∂L/∂b is ∂L/∂z, added up over the rows
        of_bias = biases[f"{2 * (flow.layer - 1)}.bias"]
        gradients = why.trace.graph.gradients()
        node = next(
            n
            for n in why.trace.graph.nodes
            if why.names.of(n) and why.names.of(n).symbol == "z" and
            why.names.of(n).layer == flow.layer
        )  # fmt: skip
        np.testing.assert_allclose(gradients[node.number].sum(0), of_bias, rtol=1e-10)


def test_a_convolution_shows_the_window_it_came_from():
    ct.seed(0)
    net = ct.Sequential(ct.Conv2d(2, 3, 2), ct.ReLU())
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    story = ct.explain(net, x).forward("0", (2, 1, 1))
    (stage,) = story.stages
    kernel = getattr(net, "0").weight.numpy()[..., 1]
    assert sum(t.product for t in stage.terms) + stage.bias[1] == pytest.approx(story.value)
    assert sorted(t.product for t in stage.terms) == pytest.approx(
        sorted((x[2:4, 1:3] * kernel).ravel())
    )
    assert stage.terms[0].source == "x_321"


def test_an_lstm_step_shows_its_gates_and_attention_shows_its_weights():
    ct.seed(0)
    lstm = ct.LSTM(2, 3)
    story = ct.explain(lstm, np.ones((4, 2))).forward("", (2, 1))
    values = {stage.name.split("_")[0]: stage.value for stage in story.stages}
    assert set(values) == {"z", "i", "f", "g", "o", "c", "h"}
    assert values["h"] == pytest.approx(values["o"] * np.tanh(values["c"]))
    attention = ct.MultiHeadAttention(4, 2)
    x = np.random.default_rng(0).normal(size=(1, 5, 4))
    story = ct.explain(attention, x).forward("", (3, 0))
    rows = [stage for stage in story.stages if stage.name.startswith("p, head")]
    assert len(rows) == 2
    for row in rows:
        assert sum(value for _, value in row.inputs) == pytest.approx(1)


def test_stories_come_as_text_html_latex_dict_and_plot():
    why = student(4, 3, 2, 1)
    for story in (why.gradient("0.weight", (0, 0)), why.forward("3", 1), why.flow()):
        assert max(map(len, str(story).splitlines())) <= 80
        assert "cutaway-told" in story._repr_html_()
        assert isinstance(story.to_dict(), dict)
        assert story.plot().get_xlabel()
    assert r"\frac{\partial L}{\partial w_{11}^{(1)}}" in why.gradient("0.weight", (0, 0)).latex()
    assert why.flow()._repr_latex_() is None


class Detached(ct.Module):
    def __init__(self):
        self.used, self.cut, self.idle = ct.Linear(2, 2), ct.Linear(2, 2), ct.Linear(2, 2)

    def forward(self, x):
        return self.used(x) + self.cut(x).detach()


def squares(net, x=(1.0, 2.0), y=(0.0, 0.0)):
    return ct.explain(net, np.array(x), np.array(y), loss=ct.losses.mean_squared_error)


def test_a_weight_without_a_path_to_the_loss_is_explained():
    net = Detached()
    for path in ("cut.weight", "idle.weight"):
        with pytest.raises(GradientError, match=f"no path leads from {path}"):
            squares(net).gradient(path, (0, 0))
    net.used.freeze()
    with pytest.raises(GradientError, match=r"used\.weight gets no gradient: it is frozen"):
        squares(net).gradient("used.weight", (0, 0))


def test_a_nan_is_traced_to_the_operation_that_made_it():
    class Logs(ct.Module):
        def __init__(self):
            self.layer = ct.Linear(2, 2, bias=False)

        def forward(self, x):
            return ct.ops.exp(ct.ops.log(self.layer(x)) * 0.5)

    net = Logs()
    net.layer.weight.data = np.array([[1.0, -1.0], [1.0, -1.0]], np.float32)
    with pytest.raises(GradientError, match="it begins in the operation 'log'"):
        squares(net).gradient("layer.weight", (0, 0))


def test_bad_input_is_named():
    net = ct.Sequential(ct.Linear(2, 2), ct.Tanh())
    why = squares(net)
    with pytest.raises(OptionError, match=r"the network has no '0\.wieght'"):
        why.gradient("0.wieght", (0, 0))
    with pytest.raises(OptionError, match=r'did you mean "0\.weight"'):
        why.gradient("0.wieght", (0, 0))
    with pytest.raises(ShapeError, match=r"0.weight has no element \(2, 0\)"):
        why.gradient("0.weight", (2, 0))
    with pytest.raises(ShapeError, match=r"0.weight has no element \(0,\)"):
        why.gradient("0.weight", 0)
    with pytest.raises(ShapeError, match="the output of 0 has no element"):
        why.forward("0", 5)
    with pytest.raises(ShapeError, match=r"no element \(5,\)\n  expected: 1 integer: 0 to 1"):
        why.forward("0", 5)
    with pytest.raises(OptionError, match="top"):
        why.gradient("0.weight", (0, 0), top=0)
    with pytest.raises(OptionError, match="the network has no '7'"):
        why.forward("7")
    with pytest.raises(ShapeError, match="in_features"):
        ct.explain(net, np.ones(3))
    with pytest.raises(OptionError, match="cannot explain a Compiled"):
        ct.explain(ct.jit(lambda x: net(x), net), np.ones(2))
    with pytest.raises(OptionError, match="there is no loss"):
        ct.explain(net, np.ones(2)).gradient("0.weight", (0, 0))
    with pytest.raises(OptionError, match="y without a loss"):
        ct.explain(net, np.ones(2), np.ones(2))


def test_integers_used_as_numbers_have_names_and_tokens_stay_tokens():
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
    why = ct.explain(net, [2, 4, 9], [1.0], loss=ct.losses.mean_squared_error)
    assert [term.source for term in why.forward("0", 1).stages[0].terms] == ["x_1", "x_2", "x_3"]
    assert why.gradient("0.weight", (1, 0)).paths[0].factors[-1].what == "x_2"
    tokens = ct.explain(ct.Sequential(ct.Embedding(7, 3), net), [2, 4, 6]).trace.x
    assert tokens.dtype.kind == "i"


class Named(ct.Module):
    """A layer that runs twice, a matrix of its own, and a table."""

    def __init__(self):
        self.table, self.layer = ct.Embedding(5, 3), ct.Linear(3, 3)
        self.norm, self.slopes = ct.LayerNorm(3), ct.PReLU(3)
        self.W1 = ct.Parameter(np.ones((3, 3), np.float32))
        self.W2 = ct.Parameter(np.ones((3, 2), np.float32))

    def forward(self, x):
        once = ct.ops.tanh(self.layer(self.table(x)))
        twice = ct.ops.tanh(self.layer(once))
        return self.slopes(self.norm(twice) @ self.W1) @ self.W2


def test_no_two_elements_of_a_path_have_the_same_name():
    ct.seed(0)
    why = ct.explain(Named(), np.array([[3]]), np.zeros((1, 1, 2)), loss=ct.losses.huber)
    story = why.gradient("table.weight", (3, 0), top=1)
    assert [node.partition("_")[0] for node in story.paths[0].nodes[-5:]] == list("OzOze")
    assert story.name == "e_41" and len(set(story.paths[0].nodes)) == len(story.paths[0].nodes)
    assert any("^(1)[no. 2]" in node for node in story.paths[0].nodes)
    names = {path: why.gradient(path, (0,) * p.ndim, top=1).name
             for path, p in why.trace.parameters.items()}  # fmt: skip
    assert names["layer.weight"] == "w_11^(1)" and names["norm.weight"] == "γ_1^(1)"
    assert (names["W1"], names["W2"]) == ("w_11^(2)", "w_11^(3)")
    assert names["slopes.slope"] == "slope_1^(2)"
    gamma = why.gradient("norm.weight", (0,), top=1).paths[0].factors[-1]
    assert gamma.what == "layer_norm_11^(1)"  # γ is multiplied, not added


def test_a_factor_is_not_called_by_the_name_of_a_number_that_it_is_not():
    class Scaled(ct.Module):
        def __init__(self):
            self.layer = ct.Linear(2, 1)

        def forward(self, x):
            return self.layer(x * 3.0)

    story = squares(Scaled(), y=(0.0,)).forward("layer", 0)
    term = story.stages[0].terms[1]
    assert (term.source, term.source_value) == ("x_2 after multiply", 6.0)


def test_a_state_behind_lengths_keeps_its_name():
    class Padded(ct.Module):
        def __init__(self):
            self.lstm = ct.LSTM(2, 2)

        def forward(self, x):
            return self.lstm(x, lengths=np.array([3]))[0][:, 2]

    ct.seed(0)
    why = ct.explain(Padded(), np.ones((1, 4, 2)), np.zeros((1, 2)), loss=ct.losses.huber)
    factors = why.gradient("lstm.layers.0.hidden_weight", (0, 1), top=1).paths[0].factors
    assert factors[-1].what.startswith("h_1^(1)[t=")
    assert not any("_join" in factor.what for factor in factors)


def test_a_step_and_a_unit_of_texts_are_no_row_and_unit_of_the_last_state():
    ct.seed(0)
    net = ct.models.LSTMClassifier(20, 1, features=3, hidden_features=2)
    ids = np.array([[5, 9, 3, 12, 0, 0]])
    outputs, _ = net.recurrent(net.embedding(ids), lengths=np.array([4]))
    why = ct.explain(net, ids)
    for step, unit in np.ndindex(4, 4):
        story = why.forward("recurrent", (step, unit))
        assert story.value == pytest.approx(outputs.numpy()[0, step, unit], rel=1e-5)


def test_local_response_norm_reads_the_channels_around_it():
    net = ct.Sequential(ct.Conv2d(1, 6, 1), ct.LocalResponseNorm(3))
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 1))
    story = ct.explain(net, x).forward("1", (1, 2, 0, 3))
    assert {name for name, _ in story.stages[-1].inputs} == {
        f"z_31{channel}^(1)[row 2]" for channel in (3, 4, 5)
    }


def test_activations_behind_a_bare_norm_or_a_pool_are_outputs():
    net = ct.Sequential(
        ct.Conv2d(1, 2, 2), ct.InstanceNorm(2), ct.Tanh(), ct.Conv2d(2, 2, 2), ct.MaxPool(2),
        ct.Sigmoid(), ct.Flatten(), ct.Linear(2, 1),
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(4, 4, 1))
    why = ct.explain(net, x, [0.0], loss=ct.losses.mean_squared_error)
    nodes = why.gradient("0.weight", (0, 0, 0, 0), top=1).paths[0].nodes
    symbols = [node.partition("_")[0] for node in nodes if not node.startswith("max_pool")]
    assert symbols == ["L", "ŷ", "O", "z", "O", "n", "z", "w"]
    assert [flow.activation for flow in why.flow().layers] == ["tanh", "sigmoid", ""]


def test_zeros_and_single_paths_read_well():
    net = ct.Sequential(ct.Linear(2, 1), ct.Identity())
    getattr(net, "0").weight.data = np.array([[-1.0], [0.5]], np.float32)
    assert "= 0" in str(squares(net, (0.0, 1.0), (1.0,)).forward("0", 0))
    assert "-0\n" not in str(squares(net, (0.0, 1.0), (1.0,)).forward("0", 0))
    story = str(squares(mlp_of_two(), y=(0.5, 0.7)).gradient("0.weight", (0, 0), top=1))
    assert "1 other " in story and "1 others" not in story


def mlp_of_two():
    ct.seed(0)
    return ct.Sequential(ct.Linear(2, 1), ct.Tanh(), ct.Linear(1, 2))


def test_an_update_takes_negative_indices_and_an_optimizer_of_a_part_of_the_network():
    ct.seed(0)
    net = mlp_of_two()
    why = squares(net)
    whole, last = ct.SGD(net, lr=0.1), ct.SGD(getattr(net, "2"), lr=0.1)
    assert why.update(whole, "0.weight", (-1, -1)).name == "w_21^(1)"
    stories = [why.update(optimizer, "2.weight", (0, 1)) for optimizer in (whole, last)]
    assert stories[0].name == stories[1].name == "w_12^(2)"
    assert stories[0].to_dict()["after"] == stories[1].to_dict()["after"]
    with pytest.raises(OptionError, match=r"the optimizer holds no parameter '0\.weight'"):
        why.update(last, "0.weight", (0, 0))
    getattr(net, "0").freeze()
    with pytest.raises(GradientError, match="it is frozen"):
        squares(net).update(whole, "0.weight", (0, 0))


def test_the_plot_of_a_long_sum_shows_the_largest_terms_as_the_text_does():
    net = ct.Sequential(ct.Linear(30, 1))
    getattr(net, "0").weight.data = np.arange(30, dtype=np.float32)[:, None]
    axes = ct.explain(net, np.ones(30)).forward("0", 0).plot()
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert any("x_{30}" in x for x in labels) and not any(x.endswith("x_{1}$") for x in labels)


@pytest.mark.parametrize(
    ("norm", "formula"),
    [
        (ct.RMSNorm, "γ · rms_norm, from"),
        (ct.LayerNorm, "γ · layer_norm + β, from"),
        (ct.BatchNorm, "γ · (z - μ) / √(σ² + ε) + β, from"),
    ],
)
def test_the_formula_of_a_normalized_value_names_what_that_normalization_does(norm, formula):
    net = ct.Sequential(ct.Linear(3, 4), norm(4), ct.ReLU())
    assert formula in ct.explain(net, [1.0, 2.0, 3.0]).forward("1", 1).text()


def test_a_value_behind_a_local_response_norm_is_called_normalized():
    ct.seed(0)
    net = ct.Sequential(ct.Conv2d(1, 4, 1), ct.LocalResponseNorm(3), ct.ReLU(), ct.Flatten())
    why = ct.explain(net, np.ones((1, 1, 1)))
    assert why.forward("1", (0, 0, 2)).name == "n_113^(1)"
    assert "relu(n_113^(1)) = " in why.forward("2", (0, 0, 2)).text()
