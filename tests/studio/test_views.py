import dataclasses
import functools
import itertools
import json

import numpy as np
import pytest

import cutaway as ct
from cutaway.nn.trees import call
from cutaway.runs.word_pushes import word_pushes
from cutaway.studio.origins.from_data import subject_of_data
from cutaway.studio.views import VIEWS
from tests.runs.test_series import monthly
from tests.studio.scenes import (
    SUBJECTS,
    ValueSubject,
    convolutional,
    dense,
    looking,
    recurrent,
    regression,
    rendered,
    scene_of,
    segmentation,
    series,
    transformer,
)

BYTE = 0.5 / 255 + 1e-6  # half a step of uint8
FRAME = 200 * 1024


@functools.cache
def scene(name):
    return scene_of(SUBJECTS[name]())


@functools.cache
def shown(name, view):
    arrays, headers = rendered(scene(name), view)
    return arrays[view], headers[view]


FITTING = [(n, v) for n in SUBJECTS for v in VIEWS if VIEWS[v].fits(scene(n))]


def run(scene, x):
    net = scene.net.eval()
    return call(net, x).numpy()


def test_each_scene_has_the_views_that_fit_it():
    fitting = {n: {v for m, v in FITTING if m == n} for n in SUBJECTS}
    of_tables = {"weights", "values", "boundary", "neurons", "points", "output", "gradients"}
    assert fitting["dense"] == fitting["regression"] == of_tables
    assert fitting["convolutional"] == {"maps", "values", "output", "gradients"}
    assert fitting["recurrent"] == {"hidden", "gates", "words", "values", "output", "gradients"}
    assert fitting["transformer"] == {"attention", "words", "values", "output", "gradients"}
    assert fitting["segmentation"] == {"maps", "output", "gradients"}
    assert fitting["series"] == {"series", "maps", "values", "output", "gradients"}
    assert set().union(*fitting.values()) == set(VIEWS)


@pytest.mark.parametrize(("name", "view"), FITTING)
def test_every_view_that_fits_sends_finite_arrays_of_the_promised_types(name, view):
    arrays, header = shown(name, view)
    assert arrays
    assert {str(a.dtype) for a in arrays.values()} <= {"uint8", "int32", "float32"}
    assert all(np.isfinite(a).all() for a in arrays.values())
    assert sum(a.nbytes for a in arrays.values()) < FRAME
    json.dumps(header, allow_nan=False)


def test_views_of_one_frame_share_a_program_and_say_the_same():
    views = [view for name, view in FITTING if name == "dense"]
    together, headers = rendered(scene("dense"), *views)
    for view in views:
        arrays, header = shown("dense", view)
        assert together[view].keys() == arrays.keys()
        assert headers[view] == header
        for name, array in arrays.items():
            # one byte apart: XLA may fuse the same sums in another order
            np.testing.assert_allclose(together[view][name], array, atol=1, rtol=1e-5)


def test_weights_are_the_parameters():
    arrays, header = shown("dense", "weights")
    for path, parameter in scene("dense").net.named_parameters().items():
        np.testing.assert_array_equal(arrays[path], parameter.numpy())
    assert header["largest"]["0.weight"] == np.abs(arrays["0.weight"]).max()


def test_a_parameter_too_large_for_a_frame_is_left_out_and_named():
    subject = dense()
    net = ct.Sequential(ct.Linear(2, 256), ct.Tanh(), ct.Linear(256, 256), ct.Linear(256, 1))
    subject.program = type(subject.program)(net, loss=subject.program.loss)
    arrays, headers = rendered(scene_of(subject), "weights")
    assert headers["weights"]["left_out"] == ["2.weight"]
    assert sum(a.nbytes for a in arrays["weights"].values()) < FRAME


def test_values_are_what_the_layers_returned_for_the_row():
    s = looking(scene("dense"), row=3)
    arrays = rendered(s, "values")[0]["values"]
    x = s.subject.x[3]
    w = {path: p.numpy() for path, p in s.net.named_parameters().items()}
    z = x @ w["0.weight"] + w["0.bias"]
    np.testing.assert_array_equal(arrays["input"], x)
    np.testing.assert_allclose(arrays["0"], z, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(arrays["z/1"], arrays["0"])
    np.testing.assert_allclose(arrays["1"], np.tanh(z), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(arrays["4"], run(s, x[None])[0], rtol=1e-5, atol=1e-6)


def points_of_plane(scene, points=100):
    """The encoded inputs of the plane, worked out one by one: rows of it from the top."""
    columns, look = scene.subject.inputs, scene.look
    base = [(c.mean - c.shift) / c.scale for c in columns]
    sides = []
    for place in look.columns:
        low, high = scene.limits(place)
        column = columns[place]
        sides.append([(v - column.shift) / column.scale for v in np.linspace(low, high, points)])
    found = []
    for up, along in itertools.product(reversed(sides[1]), sides[0]):
        x = list(base)
        x[look.columns[0]], x[look.columns[1]] = along, up
        found.append(x)
    return np.array(found, np.float32)


def test_the_boundary_of_two_classes_is_the_probability_of_the_second():
    arrays, header = shown("dense", "boundary")
    logits = run(scene("dense"), points_of_plane(scene("dense")))[:, 0]
    expected = (1 / (1 + np.exp(-logits))).reshape(100, 100)
    np.testing.assert_allclose(arrays["grid"] / 255, expected, atol=BYTE)
    assert (header["kind"], header["labels"], header["scale"]) == ("class", ["yes"], [0, 1])
    assert (header["low"], header["high"]) == ([-6.2, -6.2], [8.2, 8.2])


def test_the_boundary_of_three_classes_is_a_plane_for_each():
    s = scene("three classes")
    grid = shown("three classes", "boundary")[0]["grid"]
    logits = run(s, points_of_plane(s)).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(grid / 255, expected.T.reshape(3, 100, 100), atol=BYTE)
    one, headers = rendered(looking(s, output=2), "boundary")
    np.testing.assert_array_equal(one["boundary"]["grid"], grid[2])
    assert headers["boundary"]["labels"] == ["kind 2"]


def test_of_many_classes_the_winner_is_shown():
    s = scene_of(dense(outputs=20))
    arrays, headers = rendered(s, "boundary")
    logits = run(s, points_of_plane(s))
    np.testing.assert_array_equal(arrays["boundary"]["class"].ravel(), logits.argmax(axis=1))
    assert arrays["boundary"]["grid"].shape == (100, 100)
    assert len(headers["boundary"]["labels"]) == 20


@pytest.mark.parametrize("columns", [(0, 1), (2, 0)])
def test_the_boundary_of_a_regression_is_its_value_in_the_targets_unit(columns):
    s = looking(scene("regression"), columns=columns)
    arrays, headers = rendered(s, "boundary")
    low, high = headers["boundary"]["scale"]
    expected = run(s, points_of_plane(s))[:, 0] * 10 + 50
    values = low + arrays["boundary"]["grid"].ravel() / 255 * (high - low)
    np.testing.assert_allclose(values, expected, atol=(high - low) * BYTE + 1e-4)
    assert (headers["boundary"]["kind"], headers["boundary"]["labels"]) == ("value", ["price"])


def test_the_scale_of_a_value_that_is_no_straight_line_has_levels():
    class Logarithmic(ValueSubject):
        def predictions(self, raw):
            return np.exp(raw)

    subject = regression()
    subject.__class__ = Logarithmic
    header = rendered(scene_of(subject), "boundary")[1]["boundary"]
    levels = np.array(header["levels"])
    np.testing.assert_allclose(np.diff(np.log(levels)), np.log(levels[1] / levels[0]), rtol=1e-4)


def test_pictures_of_neurons_are_their_outputs_on_the_plane():
    s = scene("dense")
    arrays, header = shown("dense", "neurons")
    assert list(header)[:4] == ["1", "3", "4", "input"]
    w = {path: p.numpy() for path, p in s.net.named_parameters().items()}
    corners = points_of_plane(s, 34)[[0, 33, -34, -1]]
    found = arrays["1"].reshape(8, -1)[:, [0, 33, -34, -1]] / 255 * 2 - 1
    expected = np.tanh(corners @ w["0.weight"] + w["0.bias"]).T
    np.testing.assert_allclose(found, expected, atol=2 * BYTE)
    low, high = header["4"]
    found = low + arrays["4"].reshape(-1)[[0, 33, -34, -1]] / 255 * (high - low)
    np.testing.assert_allclose(found, run(s, corners)[:, 0], atol=(high - low) * BYTE)


def test_of_a_wide_layer_the_first_neurons_have_pictures_and_the_rest_is_counted():
    subject = dense()
    net = ct.Sequential(ct.Linear(2, 100), ct.ReLU(), ct.Linear(100, 100), ct.Linear(100, 1))
    subject.program = type(subject.program)(net, loss=subject.program.loss)
    arrays, headers = rendered(scene_of(subject), "neurons")
    counts = {path: len(array) for path, array in arrays["neurons"].items()}
    assert counts == {"input": 2, "1": 48, "2": 48, "3": 1}
    assert headers["neurons"]["left_out"] == {"1": 52, "2": 52}


def test_points_stand_where_their_rows_are_in_the_tables_units():
    s = looking(scene("regression"), columns=(2, 0))
    arrays = rendered(s, "points")[0]["points"]
    rows = arrays["row"]
    np.testing.assert_allclose(arrays["xy"], s.subject.x[rows][:, [2, 0]] * 2 + 1, rtol=1e-6)
    np.testing.assert_allclose(arrays["y"], s.subject.y[rows][:, 0] * 10 + 50, rtol=1e-6)
    np.testing.assert_array_equal(arrays["set"] == 1, np.isin(rows, s.subject.validation))


def test_of_many_rows_500_are_chosen_by_the_seed():
    subject = dense()
    subject.x, subject.y = np.tile(subject.x, (20, 1)), np.tile(subject.y, (20, 1))
    subject.training, subject.validation = np.arange(600), np.arange(600, 800)
    s = scene_of(subject)
    (first, headers), (again, _) = rendered(s, "points"), rendered(s, "points")
    assert len(set(first["points"]["row"].tolist())) == 500
    assert headers["points"]["left_out"] == 300
    np.testing.assert_array_equal(first["points"]["row"], again["points"]["row"])
    classes = (subject.y[first["points"]["row"], 0] > 0.5).astype(int)
    np.testing.assert_array_equal(first["points"]["y"], classes)


@pytest.mark.parametrize(
    ("name", "task"), [("dense", "classes"), ("three classes", "classes"), ("regression", "values")]
)
def test_the_output_is_the_prediction_of_the_row_with_its_truth(name, task):
    s = scene(name)
    arrays, header = shown(name, "output")
    raw = run(s, s.subject.x[:1]).astype(np.float64)[0]
    assert header["kind"] == task
    if name == "regression":
        np.testing.assert_allclose(header["values"], raw * 10 + 50, rtol=1e-5)
        assert header["target"] == pytest.approx(s.subject.y[0, 0] * 10 + 50)
        return
    scores = np.array([0, raw[0]]) if name == "dense" else raw
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(arrays["value"], expected, rtol=1e-5)
    labels = header["labels"]
    assert header["predicted"] == labels[int(expected.argmax())]
    assert header["target"] == labels[int(s.subject.y.ravel()[0])]


def test_a_predicted_mask_is_drawn_over_the_picture():
    s = scene("segmentation")
    arrays, header = shown("segmentation", "output")
    scores = run(s, s.subject.x[:1])[0]
    ids = scores[..., 1] >= scores[..., 0]  # from 1/2 on it is the second class, as in a run
    picture = np.repeat(s.subject.picture(0), 3, axis=-1)
    clear = ids == 0
    assert 0 < clear.sum() < clear.size
    np.testing.assert_array_equal(arrays["picture"][clear], picture[clear])
    assert (arrays["picture"][~clear] != picture[~clear]).any(axis=-1).all()
    np.testing.assert_allclose(header["values"], [clear.mean(), 1 - clear.mean()])


def test_a_predicted_mask_has_the_threshold_of_its_run():
    s = scene("segmentation")
    s = dataclasses.replace(s, subject=dataclasses.replace(s.subject, threshold=0.55))
    _, headers = rendered(s, "output")
    scores = run(s, s.subject.x[:1])[0].astype(np.float64)
    second = 1 / (1 + np.exp(scores[..., 0] - scores[..., 1]))
    assert 0 < (second >= 0.55).mean() < (second >= 0.5).mean()
    np.testing.assert_allclose(headers["output"]["values"][1], (second >= 0.55).mean())


@pytest.mark.parametrize("name", ["dense", "convolutional", "recurrent"])
def test_gradients_are_those_of_the_next_step(name):
    s = scene(name)
    arrays, header = shown(name, "gradients")
    expected = s.training.backward()
    weights = s.net.named_parameters()
    assert header["paths"] == list(weights)
    for k, path in enumerate(weights):
        gradient = expected[path]
        mean = np.abs(gradient).mean()
        np.testing.assert_allclose(arrays["mean"][k], mean, rtol=1e-4, atol=1e-8)
        np.testing.assert_allclose(arrays["zeros"][k], np.mean(gradient == 0), atol=1e-6)
        size = np.abs(weights[path].numpy()).mean()
        relative = mean / size if size else 0
        np.testing.assert_allclose(arrays["relative"][k], relative, rtol=1e-4, atol=1e-7)


def test_gradients_are_those_of_training_mode():
    s = scene_of(dense(dropout=True))
    arrays, headers = rendered(s, "gradients")
    slopes = s.training.backward()
    expected = [np.abs(slopes[path]).mean() for path in headers["gradients"]["paths"]]
    np.testing.assert_allclose(arrays["gradients"]["mean"], expected, rtol=1e-4)


def test_a_frozen_parameter_has_no_gradient_in_the_frame():
    s = scene_of(dense())
    s.net[0].freeze()
    arrays, headers = rendered(s, "gradients")
    assert headers["gradients"]["paths"] == ["2.weight", "2.bias", "4.weight", "4.bias"]
    assert len(arrays["gradients"]["mean"]) == 4


@pytest.mark.parametrize("layer", ["0", "1", "2", "4"])
def test_feature_maps_are_those_of_explain(layer):
    s = looking(scene("convolutional"), layer=layer)
    arrays, headers = rendered(s, "maps")
    maps, header = arrays["maps"]["maps"], headers["maps"]
    expected = np.moveaxis(ct.explain.feature_maps(s.net, s.subject.x[0], layer).values, -1, 0)
    low, high = np.array(header["ranges"]).T[..., None, None]
    np.testing.assert_allclose(
        low + maps / 255 * (high - low), expected, atol=BYTE * (high - low).max() + 1e-5
    )
    assert header["layer"] == layer
    np.testing.assert_array_equal(arrays["maps"]["input"], s.subject.picture(0)[..., 0])


def test_large_feature_maps_are_means_of_squares():
    subject = convolutional()
    subject.x = np.random.default_rng(0).random((16, 120, 120, 1)).astype(np.float32)
    net = ct.Sequential(ct.Conv2d(1, 80, 1), ct.Flatten(), ct.Linear(80 * 120 * 120, 3))
    subject.program = type(subject.program)(net, loss=subject.program.loss)
    s = scene_of(subject)
    arrays, headers = rendered(s, "maps")
    maps, header = arrays["maps"]["maps"], headers["maps"]
    assert (maps.shape, header["every"], header["left_out"]) == ((64, 40, 40), 3, 16)
    weight, bias = net[0].weight.numpy()[0, 0, 0, 0], net[0].bias.numpy()[0]
    squares = (s.subject.x[0, :3, :3, 0] * weight + bias).mean()
    low, high = header["ranges"][0]
    assert low + maps[0, 0, 0] / 255 * (high - low) == pytest.approx(squares, abs=1e-2)
    assert sum(a.nbytes for a in arrays["maps"].values()) < FRAME


def test_hidden_states_are_those_of_explain():
    s = scene("recurrent")
    arrays, header = shown("recurrent", "hidden")
    expected = ct.explain.hidden_states(s.net, s.subject.x[0]).values
    tokens = s.subject.tokens(0)
    assert header["steps"] == tokens
    np.testing.assert_allclose(arrays["states"], expected[: len(tokens)], atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        ct.LSTM(6, 5),
        ct.GRU(6, 5),
        ct.LSTM(6, 5, num_layers=2),
        ct.GRU(6, 5, num_layers=2),
    ],
    ids=["LSTM", "GRU", "stacked LSTM", "stacked GRU"],
)
def test_gates_are_those_of_explain(layer):
    s = scene_of(recurrent(layer))
    arrays = rendered(s, "gates")[0]["gates"]
    why = ct.explain(s.net, s.subject.x[0])
    expected = why.gates().values
    assert arrays.keys() == expected.keys()
    for symbol, values in expected.items():
        values = values[: len(arrays[symbol])]
        known = ~np.isnan(values)  # explain leaves out the forget gate of the first step
        np.testing.assert_allclose(arrays[symbol][known], values[known], atol=1e-5)


def test_of_two_directions_the_gates_lead_to_the_outputs_of_the_forward_one():
    layer = ct.LSTM(6, 5, num_layers=2, bidirectional=True)
    subject = recurrent(layer)
    net = ct.Sequential(subject.program.net[0], layer, ct.nn.LastStep(), ct.Linear(10, 1))
    subject.program = type(subject.program)(net, loss=subject.program.loss)
    s = scene_of(subject)
    arrays = rendered(s, "gates", "hidden")[0]
    gates, states = arrays["gates"], arrays["hidden"]["states"]
    np.testing.assert_allclose(gates["h"], states[:, :5], atol=1e-6)
    np.testing.assert_allclose(gates["o"] * np.tanh(gates["c"]), gates["h"], atol=1e-6)


@pytest.mark.parametrize("layer", [0, 1])
def test_attention_weights_are_those_of_explain(layer):
    path = f"encoder.layers.{layer}.attention"
    s = looking(scene("transformer"), layer=path)
    arrays, headers = rendered(s, "attention")
    expected = ct.explain.attention_maps(s.net, s.subject.x[0]).values[path]
    weights, count = arrays["attention"]["weights"], len(s.subject.tokens(0))
    np.testing.assert_allclose(weights / 255, expected[:, :count, :count], atol=BYTE)
    # each row adds up to 1, but for the rounding of its keys
    assert (np.abs(weights.sum(axis=-1, dtype=int) - 255) <= count / 2).all()
    assert headers["attention"]["tokens"] == s.subject.tokens(0)
    one = rendered(looking(s, layer=path, head=1), "attention")[0]["attention"]["weights"]
    np.testing.assert_array_equal(one, weights[1:])


@pytest.mark.parametrize("name", ["recurrent", "transformer"])
def test_pushes_of_words_are_those_of_reports(name):
    s = scene(name)
    arrays, header = shown(name, "words")

    def predict(ids):
        raw = run(s, ids).astype(np.float64)
        scores = np.concatenate([0 * raw, raw], axis=1) if name == "recurrent" else raw
        return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    expected = word_pushes(predict, s.subject.x[:1])[0].values
    chosen = 1 if name == "recurrent" else predict(s.subject.x[:1]).argmax()
    np.testing.assert_allclose(arrays["pushes"], expected[:, chosen], atol=1e-5)
    assert header["tokens"] == s.subject.tokens(0)


def test_a_view_shows_its_first_layer_if_it_cannot_show_the_one_looked_at():
    header = rendered(looking(scene("transformer"), layer="head"), "attention")[1]["attention"]
    assert header["layer"] == "encoder.layers.0.attention"


def test_looking_changes_nothing_in_the_training():
    s = scene_of(dense(dropout=True))
    before = s.program.snapshot()
    rendered(s, *(view for name, view in FITTING if name == "dense"))
    after = s.program.snapshot()
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_views_of_a_volume_or_of_texts_of_another_kind_do_not_fit_a_table():
    for make in (segmentation, transformer):
        assert not VIEWS["boundary"].fits(scene_of(make()))
    assert not VIEWS["words"].fits(scene("dense"))


def test_of_a_long_series_the_last_steps_are_shown():
    rng = np.random.default_rng(0)
    subject = recurrent()
    subject.x = rng.normal(size=(16, 100, 3)).astype(np.float32)
    subject.tokens = lambda row: [f"day {k}" for k in range(100)]
    net = ct.Sequential(ct.GRU(3, 4), ct.nn.LastStep(), ct.Linear(4, 1))
    subject.program = type(subject.program)(net, loss=subject.program.loss)
    s = scene_of(subject)
    arrays, headers = rendered(s, "hidden", "gates")
    expected = ct.explain.hidden_states(net, subject.x[0]).values[36:]
    np.testing.assert_allclose(arrays["hidden"]["states"], expected, atol=1e-6)
    np.testing.assert_allclose(arrays["gates"]["h"], expected, atol=1e-6)
    for header in headers.values():
        assert header["first"] == header["left_out"]["steps"] == 36
        assert header["steps"][0] == "day 36"
        assert len(header["steps"]) == 64


def test_a_predicted_picture_is_shown_in_the_range_of_its_targets():
    subject = convolutional()
    net = ct.Sequential(ct.Conv2d(1, 3, 3, padding=1), ct.Tanh())
    subject.y = np.random.default_rng(0).uniform(-1, 1, (16, 12, 12, 3)).astype(np.float32)
    subject.program = type(subject.program)(net, loss=ct.losses.mean_absolute_error)
    subject.task = "translation"
    s = scene_of(subject)
    picture = rendered(s, "output")[0]["output"]["picture"]
    expected = np.clip((run(s, subject.x[:1])[0] + 1) * 127.5, 0, 255)
    assert (picture.dtype, picture.shape) == (np.uint8, (12, 12, 3))
    np.testing.assert_allclose(picture, expected, atol=0.501)


class Finder(ct.Module):
    """A detector of one box, which is a parameter; a second one is no detection."""

    def __init__(self):
        self.box = ct.Parameter(np.array([2.0, 3, 9, 8], np.float32))

    def forward(self, x):
        box = self.box.reshape(1, 1, 4)
        return {
            "boxes": ct.ops.concatenate([box, box * 0], axis=1),
            "scores": ct.Tensor(np.array([[0.9, 0.8]], np.float32)),
            "classes": ct.Tensor(np.array([[1, -1]])),
            "valid": ct.Tensor(np.array([[True, False]])),
        }


def test_predicted_boxes_are_drawn_on_the_picture():
    subject = convolutional()
    objective = functools.partial(lambda net, x, y: (net.box**2).mean())
    subject.program = type(subject.program)(Finder(), objective=objective)
    subject.task = "detection"
    s = scene_of(subject)
    arrays, headers = rendered(s, "output")
    picture, about = arrays["output"]["picture"], headers["output"]
    assert (len(about["labels"]), about["values"]) == (1, pytest.approx([0.9]))
    before = np.repeat(subject.picture(0), 3, axis=-1)
    changed = (picture != before).any(axis=-1)
    expected = np.zeros((12, 12), bool)
    expected[3:8, 2:9] = True
    expected[4:7, 3:8] = False  # the line alone
    np.testing.assert_array_equal(changed, expected)


def test_a_series_is_what_the_network_gets_of_the_row():
    s = scene_of(series(), row=5)
    arrays, headers = rendered(s, "series")
    np.testing.assert_array_equal(arrays["series"]["x"], s.subject.x[5])
    header = headers["series"]
    assert (header["steps"][0], header["steps"][-1], header["target"]) == ("1", "30", None)
    assert header["channels"] == ["channel 1", "channel 2"]
    s.subject.x = np.tile(s.subject.x, (1, 100, 5))
    header = rendered(s, "series")[1]["series"]
    assert header["left_out"] == {"steps": 3000 - 2048, "channels": 2}
    assert header["steps"][-1] == "3000"


def test_the_window_of_a_forecast_is_in_the_unit_of_the_data(tmp_path):
    months = monthly()
    months.write_csv(tmp_path / "sold.csv")
    s = scene_of(subject_of_data(tmp_path / "sold.csv"), row=7)
    arrays, headers = rendered(s, "series")
    sold = months["sold"].to_numpy()[7 : 7 + 24, None]
    np.testing.assert_allclose(arrays["series"]["x"], sold, rtol=1e-5)
    header = headers["series"]
    assert (header["channels"], header["target"]) == (["sold"], 0)
    assert header["steps"][:2] == ["2000-08-01", "2000-09-01"]
