import functools
import json
from html.parser import HTMLParser

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import CutawayError, OptionError
from cutaway.nn.trees import map_leaves
from cutaway.studio.clicks import CLICKS
from cutaway.studio.clicks.contract import ClickedPlace
from cutaway.studio.clicks.on_head import HeadStory
from cutaway.train import ArrayRows, StepwiseTraining
from tests.studio.scenes import SUBJECTS, dense, recurrent, regression

ROW = 1


@functools.cache
def subject_of(name):
    return SUBJECTS[name]()


def clicked_on(subject, path="", index=(), *, batch=None) -> ClickedPlace:
    program = subject.program.copied()
    x, y = (map_leaves(lambda leaf: leaf[ROW : ROW + 1], t) for t in (subject.x, subject.y))
    names = None if subject.inputs is None else [c.name for c in subject.inputs]
    why = program.explain(x, y, names=names)
    return ClickedPlace(subject, why, program.optimizer, path, tuple(index), ROW, batch, program)


def tell(what, subject, path="", index=(), **options):
    return CLICKS[what].tell(clicked_on(subject, path, index, **options))


CASES = [
    ("weight", "dense", "0.weight", (1, 3)),
    ("weight", "convolutional", "0.weight", (1, 1, 0, 2)),
    ("weight", "recurrent", "1.layers.0.weight", (2, 7)),
    ("update", "dense", "2.weight", (3, 4)),
    ("neuron", "dense", "3", (5,)),
    ("neuron", "convolutional", "2", (1, 2, 3)),
    ("neuron", "recurrent", "1", (2, 3)),
    ("pixel", "convolutional", "0", (4, 5, 2)),
    ("pixel", "convolutional", "1", (4, 5, 2)),
    ("pixel", "segmentation", "rise.up1", (4, 5, 2)),
    ("step", "recurrent", "1", (3, 2)),
    ("step", "recurrent", "1", (3,)),
    ("through_time", "recurrent", "1.layers.0.hidden_weight", (1, 2)),
    ("head", "transformer", "encoder.layers.0.attention", (1, 2)),
    ("loss", "dense", "", ()),
    ("loss", "regression", "", ()),
    ("loss", "segmentation", "", ()),
    ("layer", "dense", "2", ()),
    ("flow", "dense", "", ()),
    ("input", "dense", "", (1,)),
    ("input", "recurrent", "", (2,)),
    ("input", "convolutional", "", ()),
]


class Balanced(HTMLParser):
    """Raises for tags that are not closed in order, and keeps what is in the tags."""

    VOID = ("br", "img", "hr", "input", "path", "use")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize(("what", "name", "path", "index"), CASES)
def test_every_click_tells_a_story_in_html_in_text_and_in_numbers(what, name, path, index):
    told = tell(what, subject_of(name), path, index)
    parser = Balanced()
    parser.feed(told.html)
    assert not parser.open
    assert not parser.seen & {"script", "link", "iframe", "object"}
    assert told.title
    assert max(map(len, told.text.split("\n"))) <= 100
    json.dumps([told.numbers, told.lit], allow_nan=False)
    parameters = subject_of(name).program.net.named_parameters()
    for lit in told.lit:
        assert 0 <= lit["share"] <= 1 + 1e-9
        parameters[lit["path"]].numpy()[tuple(lit["index"])]  # it is there


def test_all_clicks_are_tried():
    assert {what for what, *_ in CASES} == set(CLICKS)


def test_names_in_a_story_are_escaped():
    subject = recurrent()
    subject.tokens = lambda row: ["<script>alert(1)</script>"] * 9
    told = tell("step", subject, "1", (3, 2))
    assert "<script" in told.title  # plain text, which the page sets as text
    assert "<script" not in told.html


def test_a_weights_story_has_the_engines_gradient_and_lights_the_strongest_path():
    subject = subject_of("dense")
    told = tell("weight", subject, "0.weight", (1, 3))
    clicked = clicked_on(subject)
    gradient = np.asarray(clicked.why.trace.engine_gradients["0.weight"])[1, 3]
    assert told.numbers["value"] == pytest.approx(gradient, rel=1e-12)
    # 2-8-8-1: from w_23^(1) on, through one of the 8 neurons of the second layer
    strongest = [(lit["path"], *lit["index"]) for lit in told.lit if lit["strongest"]]
    w = {path: p.numpy() for path, p in subject.program.net.named_parameters().items()}
    x = subject.x[ROW]
    first = np.tanh(x @ w["0.weight"] + w["0.bias"])
    second = np.tanh(first @ w["2.weight"] + w["2.bias"])
    product = np.abs(w["2.weight"][3] * (1 - second**2) * w["4.weight"][:, 0])
    j = int(product.argmax())
    assert set(strongest) == {("0.weight", 1, 3), ("2.weight", 3, j), ("4.weight", j, 0)}
    shares = {(lit["path"], *lit["index"]): lit["share"] for lit in told.lit}
    assert shares["0.weight", 1, 3] == pytest.approx(1)
    best = np.sort(product)[::-1][:5]
    assert shares["2.weight", 3, j] == pytest.approx(best[0] / best.sum(), rel=1e-4)


def test_a_neurons_story_lights_the_weights_of_its_sum():
    subject = subject_of("dense")
    for path in ("2", "3"):  # the sum, and its activation
        told = tell("neuron", subject, path, (5,))
        w = {
            p: parameter.numpy() for p, parameter in subject.program.net.named_parameters().items()
        }
        first = np.tanh(subject.x[ROW] @ w["0.weight"] + w["0.bias"])
        products = np.abs(first * w["2.weight"][:, 5])
        shares = {(lit["path"], *lit["index"]): lit["share"] for lit in told.lit}
        expected = {("2.weight", i, 5): products[i] / products.sum() for i in range(8)}
        assert shares == pytest.approx(expected, rel=1e-4)


def test_a_pixels_story_adds_up_to_the_feature_map():
    subject = subject_of("convolutional")
    told = tell("pixel", subject, "0", (4, 5, 2))
    maps = ct.explain.feature_maps(subject.program.net, subject.x[ROW], "0").values
    assert told.numbers["value"] == pytest.approx(maps[4, 5, 2], rel=1e-6)
    kernel = [lit for lit in told.lit if lit["path"] == "0.weight"]
    assert len(kernel) == 9
    assert all(lit["index"][-1] == 2 for lit in kernel)


def test_an_updates_story_is_what_the_next_step_does():
    subject = dense(dropout=True)
    subject.program.optimizer = ct.Momentum(subject.program.net, lr=0.1)
    rows = ArrayRows(subject.x, subject.y, subject.training.astype(np.int32))
    training = StepwiseTraining(subject.program, rows, batch_size=8)
    training.run(5)
    told = tell("update", subject, "3.weight", (3, 4), batch=training.batch())
    training.run(1)
    after = subject.program.net.named_parameters()["3.weight"].numpy()[3, 4]
    assert told.numbers["after"] == pytest.approx(after, rel=1e-5)
    assert told.numbers["step"] == 6
    assert told.title == "The next step of w_45^(2)"


def test_an_update_of_a_network_without_an_optimizer_is_refused():
    clicked = clicked_on(subject_of("dense"), "0.weight", (0, 0))
    clicked.optimizer = None
    with pytest.raises(OptionError, match="is not trained"):
        CLICKS["update"].tell(clicked)


def test_a_heads_story_is_the_softmax_of_its_scores():
    subject = subject_of("transformer")
    path = "encoder.layers.1.attention"
    clicked = clicked_on(subject, path, (1, 2))
    story = HeadStory(clicked.why, path, (1, 2), subject.tokens(ROW))
    weights = ct.explain.attention_maps(subject.program.net, subject.x[ROW]).values[path]
    np.testing.assert_allclose(story.weights, weights[1, 2], rtol=1e-9)
    parts = np.where(story.seen, np.exp(story.scores), 0)
    np.testing.assert_allclose(parts / parts.sum(), weights[1, 2], rtol=1e-9)
    padded = subject.x[ROW] == 0
    np.testing.assert_array_equal(story.seen, ~padded)
    assert story.names[: (~padded).sum()] == subject.tokens(ROW)


def test_a_step_shows_its_state_and_its_gates():
    subject = subject_of("recurrent")
    told = tell("step", subject, "1", (3, 2))
    h = ct.explain.hidden_states(subject.program.net, subject.x[ROW]).values
    assert told.numbers["value"] == pytest.approx(h[3, 2], rel=1e-5)
    gates = told.numbers["Gates"]["values"]
    assert gates["h"][3][2] == pytest.approx(h[3, 2], rel=1e-5)
    assert gates["f"][0][2] is None  # there is nothing to forget at the first step
    assert subject.tokens(ROW)[3] in told.title


def test_the_contributions_of_inputs_add_up_to_the_prediction():
    subject = regression()
    told = tell("input", subject, "", (1,))
    x, net = subject.x[ROW : ROW + 1], subject.program.net
    change = (net(x).numpy() - net(np.zeros_like(x)).numpy()).item()
    found = ct.attribute(net, x[0]).values
    assert np.sum(found) == pytest.approx(change, rel=1e-2)
    assert told.title == f"The prediction owes {found[1]:.4g} to c1"


@pytest.mark.parametrize(
    ("what", "name", "path", "index"),
    [
        ("weight", "dense", "9.weight", (0, 0)),
        ("weight", "dense", "0.weight", (7, 0)),
        ("weight", "dense", "0.weight", ()),
        ("update", "dense", "9.weight", (0, 0)),
        ("update", "dense", "0.weight", (9, 9)),
        ("neuron", "dense", "0", (99,)),
        ("neuron", "dense", "nowhere", (0,)),
        ("pixel", "convolutional", "0", (99, 0, 0)),
        ("pixel", "convolutional", "7", (0, 0, 0)),
        ("step", "dense", "0", (0, 0)),
        ("step", "recurrent", "1", (99, 0)),
        ("through_time", "dense", "0.weight", (0, 0)),
        ("head", "dense", "0", (0, 0)),
        ("head", "transformer", "encoder.layers.0.attention", (7, 0)),
        ("layer", "convolutional", "2", ()),
        ("input", "dense", "", (99,)),
        ("input", "segmentation", "", ()),
    ],
)
def test_a_click_on_what_is_not_there_is_an_error_that_says_what_to_do(what, name, path, index):
    for batch in (None, (subject_of(name).x[:2], subject_of(name).y[:2])):
        with pytest.raises(CutawayError) as error:
            tell(what, subject_of(name), path, index, batch=batch)
        assert "expected" in str(error.value)
