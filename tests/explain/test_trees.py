"""Explanations of networks with several inputs, several outputs and losses of several terms."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, Occlusion

import cutaway as ct
from cutaway import losses
from cutaway.errors import OptionError, ShapeError
from cutaway.explain import (
    attention_maps,
    attribute,
    feature_maps,
    grad_cam,
    hidden_states,
)

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 2)).astype(np.float32)
B = RNG.normal(size=(3, 4)).astype(np.float32)
LABELS, VALUES = np.array([0, 1, 1]), RNG.normal(size=(3, 1)).astype(np.float32)
CROSS_ENTROPY = losses.sparse_categorical_cross_entropy_with_logits


class Both(ct.Module):
    """Two inputs, two outputs: a class and a value, as a dict or as a tuple."""

    def __init__(self, outputs="dict"):
        ct.seed(0)
        self.left, self.right = ct.Linear(2, 3), ct.Linear(4, 3)
        self.classes, self.number = ct.Linear(3, 2), ct.Linear(3, 1)
        self.outputs = outputs

    def forward(self, a, b):
        hidden = (self.left(a) + self.right(b)).tanh()
        pair = self.classes(hidden), self.number(hidden)
        return pair if self.outputs == "tuple" else dict(zip(("class", "value"), pair, strict=True))


def terms(prediction, target):
    return {
        "class": CROSS_ENTROPY(prediction["class"], target["class"]),
        "value": losses.mean_squared_error(prediction["value"], target["value"]),
    }


def terms_of_tuples(prediction, target):
    return CROSS_ENTROPY(prediction[0], target[0]) + losses.mean_squared_error(
        prediction[1], target[1]
    )


def objective(net, x, y):
    return terms(net(**x), y)


DICT, TARGETS = {"b": B, "a": A}, {"class": LABELS, "value": VALUES}
FORMS = {
    "keywords, dicts and terms": ("dict", DICT, TARGETS, {"loss": terms}),
    "positional inputs": ("dict", (A, B), TARGETS, {"loss": terms}),
    "tuples": ("tuple", (A, B), (LABELS, VALUES), {"loss": terms_of_tuples}),
    "an objective": ("dict", DICT, TARGETS, {"objective": objective}),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_paths_of_every_weight_add_up_to_the_gradient_of_the_whole_loss(form):
    outputs, x, y, how = FORMS[form]
    why = ct.explain(Both(outputs), x, y, **how)
    net = Both()
    found = terms(net(A, B), TARGETS)
    loss = found["class"] + found["value"]
    loss.backward()
    assert why.loss == pytest.approx(loss.item(), rel=1e-6)
    for path, parameter in net.named_parameters().items():
        index = (0,) * parameter.ndim
        story = why.gradient(path, index, top=3)
        assert story.value == pytest.approx(float(parameter.grad[index]), rel=1e-4, abs=1e-7)
        added = sum(p.product for p in story.paths) + story.remainder
        assert added == pytest.approx(story.value, rel=1e-9)


class Textbook(ct.Module):
    """h = w a + v b, class = p h, value = q h: one weight for each."""

    def __init__(self):
        self.w, self.v, self.p, self.q = (
            ct.Parameter(np.full((1, 1), n, np.float32)) for n in (2.0, -1.0, 0.5, 3.0)
        )

    def forward(self, a, b):
        h = a @ self.w + b @ self.v
        return {"class": h @ self.p, "value": h @ self.q}


def test_a_path_names_the_input_the_output_and_the_term_it_goes_through():
    def squares(prediction, target):
        return {k: losses.mean_squared_error(prediction[k], target[k]) for k in target}

    x, y = {"a": [5.0], "b": [4.0]}, {"class": [1.0], "value": [10.0]}
    why = ct.explain(Textbook(), x, y, loss=squares)
    # h = 2·5 - 4 = 6, class = 3, value = 18; L = (3 - 1)² + (18 - 10)²
    assert why.terms == {"class": 4.0, "value": 64.0} and why.loss == 68.0
    assert why.output["value"].tolist() == [[18.0]]
    story = why.gradient("w", (0, 0))
    assert story.value == 2 * 2 * 0.5 * 5 + 2 * 8 * 3 * 5 and story.count == 2
    through_value, through_class = story.paths
    assert through_value.nodes == ["L", 'L["value"]', 'ŷ["value"]', "z_1^(1)", "w_11^(1)"]
    assert [f.value for f in through_value.factors] == [1, 16, 3, 5]
    assert [f.what for f in through_value.factors] == [
        *("a term of the loss", "slope of the loss term value", "weight w_11^(4)", 'x["a"]_1')
    ]
    assert through_class.nodes[1:3] == ['L["class"]', 'ŷ["class"]']
    assert r"L^{\mathrm{value}}" in story.latex()


def test_inputs_are_positions_in_a_tuple_and_columns_have_their_names():
    net = Both("tuple")
    one = ct.explain(net, (A[0], B[0]), names=(["age", "fare"], None))
    (stage,) = one.forward("left", 1).stages
    assert [t.source for t in stage.terms] == ["x[0]_1 (age)", "x[0]_2 (fare)"]
    sources = [t.source for t in one.forward("right", 1).stages[0].terms]
    assert sources == [f"x[1]_{k}" for k in (1, 2, 3, 4)]
    several = ct.explain(net, (A, B)).forward("left", (2, 1))
    assert several.name == "z_2^(1)[row 3]"
    with pytest.raises(OptionError, match="names has 'c'"):
        ct.explain(Both(), DICT, names={"c": ["age"]})


def test_of_several_outputs_the_forward_pass_asks_which_one():
    why = ct.explain(Both(), {"a": A[0], "b": B[0]})
    story = why.forward("", 1, output="class")
    assert story.name == 'ŷ["class"]_2'
    assert story.value == pytest.approx(float(Both()(A[:1], B[:1])["class"].numpy()[0, 1]), 1e-5)
    assert story.latex().startswith(r"\hat y^{\mathrm{class}}_{2} = ")
    with pytest.raises(OptionError, match='2 outputs: "class", "value"'):
        why.forward("", 0)
    assert why.forward("", 1).name == 'ŷ["class"]_2'  # the only one with a second element
    with pytest.raises(OptionError, match='one of "class", "value"'):
        why.forward("", 0, output="grade")


def test_the_flow_compares_each_branch_with_the_layers_behind_it():
    why = ct.explain(Both(), DICT, TARGETS, loss=terms)
    left, right, classes, number = why.flow().layers
    gradients = why.trace.engine_gradients
    assert [flow.path for flow in (left, right)] == ["left", "right"]
    assert left.following == right.following == (2, 3)
    assert classes.factor is None and number.factor is None
    assert left.factor == pytest.approx(left.gradient / classes.gradient)
    largest = max(left.gradient / number.gradient, left.gradient / classes.gradient,
                  key=lambda ratio: abs(np.log(ratio)))  # fmt: skip
    assert why.flow().product == pytest.approx(largest)
    assert "classes" in str(why.flow()) and gradients["left.bias"].shape == (3,)


def test_an_update_is_the_step_that_the_optimizer_makes():
    net = Both()
    optimizer = ct.Adam(net, lr=0.1)
    story = ct.explain(net, DICT, TARGETS, loss=terms).update(optimizer, "right.weight", (3, 0))
    found = terms(net(A, B), TARGETS)
    (found["class"] + found["value"]).backward()
    optimizer.step()
    assert story.move.after == pytest.approx(float(net.right.weight.numpy()[3, 0]), rel=1e-5)


class ToItsTarget(ct.Module):
    """What it predicts depends on the target; it runs twice."""

    def __init__(self):
        self.layer = ct.Linear(2, 1)
        self.layer.weight.data = np.array([[2.0], [3.0]], np.float32)

    def forward(self, x):
        return self.layer(x)


def test_an_objective_names_targets_and_each_call_of_the_network():
    def both_ways(net, x, y):
        return {"made": net(x).sum(), "real": (net(y) * net(y)).sum()}

    why = ct.explain(ToItsTarget(), [1.0, 5.0], [2.0, 1.0], objective=both_ways)
    assert why.terms == {"made": 17.0, "real": 49.0}
    story = why.gradient("layer.weight", (0, 0), top=9)
    assert story.value == 1 + 2 * 7 * 2
    factors = {p.nodes[2]: p.factors[-1].what for p in story.paths}
    assert factors == {"ŷ": "x_1", "ŷ[no. 2]": "y_1", "ŷ[no. 3]": "y_1"}
    with pytest.raises(OptionError, match="a loss and an objective"):
        ct.explain(ToItsTarget(), A, A, loss=terms, objective=both_ways)


def test_integers_of_each_input_are_numbers_or_tokens_by_what_the_network_does():
    class Mixed(ct.Module):
        def __init__(self):
            self.table, self.words = ct.Linear(2, 3), ct.Embedding(9, 3)

        def forward(self, table, text):
            return self.table(table) + self.words(text).mean(axis=1)

    why = ct.explain(Mixed(), {"table": [3, 4], "text": [1, 2, 8]})
    kinds = {name: leaf.dtype.kind for name, leaf in why.trace.x.items()}
    assert kinds == {"table": "f", "text": "i"} and why.output.shape == (1, 3)


def test_a_term_that_is_not_one_number_is_named():
    def rows(prediction, target):
        return {"class": prediction["class"], "value": prediction["value"].sum()}

    with pytest.raises(ShapeError, match="the term 'class' of the loss"):
        ct.explain(Both(), DICT, TARGETS, loss=rows)


def test_inputs_that_do_not_fit_are_refused_in_words():
    for refuse in (ct.explain, attribute):
        with pytest.raises(ShapeError, match=r'x\["a"\] has 3, x\["b"\] has 2'):
            refuse(Both(), {"a": A, "b": B[:2]})
        with pytest.raises(OptionError, match="missing a required argument: 'b'"):
            refuse(Both(), {"a": A})
        with pytest.raises(OptionError, match="a list of 2 arrays"):
            refuse(Both(), [A, B])


def test_the_whole_forward_pass_is_in_float64():
    class Exponential(ct.Module):
        def __init__(self):
            self.layer = ct.Linear(2, 1)

        def forward(self, a, b):
            return self.layer(a.exp() - b)

    net = Exponential()
    found = ct.explain(net, (A[0], A[1])).output
    a, b = A[0].astype(np.float64), A[1].astype(np.float64)
    by_hand = (np.exp(a) - b) @ net.layer.weight.numpy().astype(np.float64)
    np.testing.assert_allclose(found[0], by_hand, rtol=1e-12)


# attributions


def torch_both(output):
    net, pairs = Both(), {}
    for name, (size, features) in {
        **{"left": (2, 3), "right": (4, 3)},
        **{"classes": (3, 2), "number": (3, 1)},
    }.items():
        layer = torch.nn.Linear(size, features).double()
        own = getattr(net, name)
        layer.weight.data = torch.tensor(own.weight.numpy().T).double()
        layer.bias.data = torch.tensor(own.bias.numpy()).double()
        pairs[name] = layer

    def forward(a, b):
        hidden = torch.tanh(pairs["left"](a) + pairs["right"](b))
        return pairs["classes" if output == "class" else "number"](hidden)

    return forward


TENSORS = tuple(torch.tensor(array).double() for array in (A, B))


@pytest.mark.parametrize(("output", "target"), [("class", 1), ("value", 0)])
def test_integrated_gradients_of_two_inputs_are_those_of_captum(output, target):
    found = attribute(Both(), DICT, output=output, target=target, steps=50)
    expected = IntegratedGradients(torch_both(output)).attribute(
        TENSORS, target=target, n_steps=50, method="gausslegendre"
    )
    for name, theirs in zip("ab", expected, strict=True):
        np.testing.assert_allclose(found[name].values, theirs.numpy(), rtol=1e-6, atol=1e-9)
    assert found.is_complete() and found["a"].gap is None
    total = sum(part.values.reshape(3, -1).sum(axis=1) for part in found)
    difference = found.whole.output - found.whole.baseline_output
    np.testing.assert_allclose(total, difference, rtol=1e-2)


def test_occlusion_hides_a_part_of_one_input_at_a_time():
    found = attribute(Both("tuple"), (A, B), output=1, method="occlusion")
    expected = Occlusion(torch_both("value")).attribute(
        TENSORS, sliding_window_shapes=((1,), (1,)), target=0
    )
    for part, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(part.values, theirs.numpy(), rtol=1e-6, atol=1e-9)
    wide = attribute(Both(), DICT, output="value", method="occlusion", window={"a": 2})
    np.testing.assert_allclose(wide["a"].values[:, 0], wide["a"].values[:, 1])
    np.testing.assert_allclose(wide["b"].values, expected[1].numpy(), rtol=1e-6, atol=1e-9)


class TableAndText(ct.Module):
    """A linear function of a table and of the mean vector of a text's unmasked tokens."""

    def __init__(self):
        ct.seed(0)
        self.words, self.table, self.out = ct.Embedding(9, 2), ct.Linear(3, 2), ct.Linear(2, 1)

    def forward(self, table, text, valid):
        mask = ct.ops.where(valid, 1.0, 0.0)
        return self.out(self.table(table) + (self.words(text) * mask[..., None]).sum(axis=1))


def test_tokens_are_attributed_at_their_vectors_and_masks_get_nothing():
    net, table = TableAndText(), np.array([[1.0, -2.0, 3.0]], np.float32)
    text, valid = np.array([[4, 7, 1]]), np.array([[True, True, False]])
    found = attribute(net, (table, text, valid))
    assert list(found.parts) == [(0,), (1,)] and found[1].kind == "tokens"
    by_hand = (net.words.weight.numpy()[text[0]] @ net.out.weight.numpy())[:, 0] * valid[0]
    np.testing.assert_allclose(found[1].values[0], by_hand, rtol=1e-5, atol=1e-7)
    weight = (net.table.weight.numpy() @ net.out.weight.numpy())[:, 0]
    np.testing.assert_allclose(found[0].values[0], table[0] * weight, rtol=1e-5)
    names = (["age", "fare", "year"], ["a", "good", "one"])
    text = found.row(0).text()
    assert "x[0], sum" in text and text.count("F(x) - F(baseline)") == 1
    one = attribute(net, (table, np.array([[4, 7, 1]]), valid), names=names).row(0)
    assert "fare" in one.text() and "good" in one.html() and "good" in str(one.to_dict())
    assert len(one.plot()) == 2


def test_a_baseline_may_be_given_for_one_input_alone():
    x = {"a": A[:1], "b": B[:1]}
    found = attribute(Both(), x, output="value", baseline={"a": A[0]})
    assert not found["a"].values.any() and found["b"].values.any()
    with pytest.raises(ShapeError, match="baseline"):
        attribute(Both(), x, output="value", baseline={"a": np.ones(5)})


def test_the_output_to_be_attributed_is_asked_for():
    with pytest.raises(OptionError, match='has 2 outputs: "class", "value"') as raised:
        attribute(Both(), DICT)
    assert 'output="class"' in str(raised.value)
    with pytest.raises(OptionError, match="output='grade'"):
        attribute(Both(), DICT, output="grade")
    with pytest.raises(OptionError, match=r'attribution\["a"\]'):
        attribute(Both(), DICT, output="class")["c"]
    found = ct.explain(Both(), {"a": A[0], "b": B[0]}).attribution(output="class", target=0)
    assert found.one and found["a"].title().startswith('ŷ["class"]_1 = ')


# views of one input


class Pictured(ct.Module):
    """An image and a table."""

    def __init__(self):
        ct.seed(0)
        self.conv, self.table = ct.Conv2d(1, 3, 3), ct.Linear(2, 3)
        self.pool, self.out = ct.GlobalAvgPool(), ct.Linear(3, 2)

    def forward(self, image, table):
        return {"class": self.out(self.pool(self.conv(image).relu()) + self.table(table))}


class WithTable(ct.Module):
    """The same with one table, a network of the image alone."""

    def __init__(self, table):
        self.inner, self.fixed = Pictured(), ct.Buffer(table)

    def forward(self, image):
        return self.inner(image, self.fixed)["class"]


def test_grad_cam_and_feature_maps_show_the_image_among_several_inputs():
    image = RNG.normal(size=(8, 8, 1)).astype(np.float32)
    both, alone = {"image": image, "table": A[0]}, WithTable(A[:1])
    found, expected = grad_cam(Pictured(), both, target=1), grad_cam(alone, image, target=1)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
    assert found.name == 'ŷ["class"]_2' and found.x.shape == (8, 8, 1)
    maps = feature_maps(Pictured(), both, input="image")
    np.testing.assert_allclose(maps.values, feature_maps(alone, image).values, rtol=1e-6)
    with pytest.raises(OptionError, match='"image", "table"'):
        feature_maps(Pictured(), both, input="picture")


class Recalled(ct.Module):
    def __init__(self):
        ct.seed(0)
        self.memory, self.attention = ct.GRU(3, 4), ct.MultiHeadAttention(4, 2)
        self.table = ct.Linear(2, 4)

    def forward(self, series, table):
        states, _ = self.memory(series)
        return self.attention(states).mean(axis=1) + self.table(table)


def test_states_and_attention_of_networks_with_several_inputs_are_shown():
    net, series = Recalled(), RNG.normal(size=(5, 3)).astype(np.float32)
    x = {"series": series, "table": A[0]}
    states = net.memory(series[None])[0]
    np.testing.assert_allclose(hidden_states(net, x).values, states.numpy()[0], rtol=1e-5)
    weights = net.attention.weights(states).numpy()[0]
    found = attention_maps(net, x).values["attention"]
    np.testing.assert_allclose(found, weights, rtol=1e-4)
