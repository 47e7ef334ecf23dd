import json
import re

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from matplotlib.figure import Figure

import cutaway as ct
from cutaway.errors import GradientError, OptionError, ShapeError
from cutaway.explain import (
    attention_maps,
    attribute,
    feature_maps,
    filters,
    grad_cam,
    hidden_states,
)
from cutaway.story import panels

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(8, 6, 3))


def cnn():
    return ct.Sequential(
        ct.Conv2d(3, 4, 3, padding=1),
        ct.ReLU(),
        ct.Conv2d(4, 5, 3, stride=2, padding=1),
        ct.ReLU(),
        ct.GlobalAvgPool(),
        ct.Linear(5, 3),
    )


def recurrent():
    return ct.Sequential(ct.Embedding(20, 3), ct.LSTM(3, 4), ct.LastStep(), ct.Linear(4, 1))


# Grad-CAM


def test_grad_cam_is_captums():
    net = cnn()
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 5, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 3),
    ).double()
    for ours, layer in ((0, 0), (2, 2), (5, 6)):
        weight = torch.tensor(net[ours].weight.numpy())
        weight = weight.T if weight.ndim == 2 else weight.permute(3, 2, 0, 1)
        theirs[layer].weight.data = weight.double()
        theirs[layer].bias.data = torch.tensor(net[ours].bias.numpy()).double()
    x = torch.tensor(IMAGE).permute(2, 0, 1)[None].requires_grad_()
    for path in ("0", "1", "2"):
        expected = LayerGradCam(theirs, theirs[int(path)]).attribute(x, target=1)
        found = grad_cam(net, IMAGE, target=1, layer=path)
        np.testing.assert_allclose(found.raw, expected[0, 0].detach().numpy(), rtol=1e-4, atol=1e-8)
        np.testing.assert_allclose(found.map, np.maximum(found.raw, 0))
        assert found.values.shape == IMAGE.shape[:2]


def test_before_a_mean_and_a_linear_layer_the_weights_are_those_of_the_layer():
    # CAM, Zhou et al. 2016, which Grad-CAM generalizes: w_k = weight of the channel / positions
    net = cnn()
    found = grad_cam(net, IMAGE, target=2, layer="3")
    np.testing.assert_allclose(found.weights, net[5].weight.numpy()[:, 2] / found.map.size)
    maps = net[:4](IMAGE[None]).numpy()[0]
    np.testing.assert_allclose(found.raw, maps @ found.weights, atol=1e-6)


def test_the_default_layer_is_the_last_convolution_and_the_default_target_the_prediction():
    net = cnn()
    found = grad_cam(net, IMAGE[None], output_names=["cat", "dog", "bird"])
    assert found.layer == "2"
    prediction = int(net(IMAGE[None]).numpy().argmax())
    assert found.target == prediction and found.name == ["cat", "dog", "bird"][prediction]


def test_a_series_has_a_map_over_time():
    net = ct.Sequential(ct.Conv1d(1, 3, 3), ct.ReLU(), ct.GlobalAvgPool(), ct.Linear(3, 2))
    found = grad_cam(net, RNG.normal(size=(12, 1)))
    assert found.map.shape == (10,) and found.values.shape == (12,)
    assert "Grad-CAM" in found.plot().get_title()


@pytest.mark.parametrize(
    "options, words",
    [
        ({"layer": "4"}, r"shape \(1, 5\)"),
        ({"layer": "conv9"}, "there is no layer 'conv9'"),
        ({"layer": ct.ReLU()}, "not in this network"),
        ({"target": 3}, "target is 3"),
        ({"output_names": ["a"]}, "1 output_names"),
    ],
)
def test_bad_options_of_grad_cam_are_named(options, words):
    with pytest.raises((OptionError, ShapeError), match=words):
        grad_cam(cnn(), IMAGE, **options)


def test_grad_cam_needs_a_convolution_one_image_and_a_gradient():
    with pytest.raises(OptionError, match="this network has no convolution"):
        grad_cam(ct.models.mlp((4, 3)), np.ones(4))
    with pytest.raises(ShapeError, match="a batch of 2"):
        grad_cam(cnn(), np.stack([IMAGE, IMAGE]))
    with pytest.raises(ShapeError, match="in_channels=3"):
        grad_cam(cnn(), np.ones((8, 6, 2)))
    inner = ct.recompute(ct.Conv2d(3, 4, 3))
    net = ct.Sequential(inner, ct.GlobalAvgPool(), ct.Linear(4, 2))
    with pytest.raises(GradientError, match=r"no gradient reaches layer '0\.inner'"):
        grad_cam(net, IMAGE)


# what layers give


def test_feature_maps_are_the_outputs_of_the_layer_in_evaluation():
    net = ct.Sequential(ct.Conv2d(3, 4, 3), ct.BatchNorm(4), ct.Dropout(0.5), ct.GlobalAvgPool())
    found = feature_maps(net, IMAGE, "2")
    assert net.training
    net.eval()
    np.testing.assert_allclose(found.values, net[:3](IMAGE[None]).numpy()[0], atol=1e-6)
    assert feature_maps(net, IMAGE).layer == "0"


def test_channels_that_are_silent_are_named():
    net = ct.Sequential(ct.Conv2d(3, 4, 3), ct.ReLU())
    net[0].bias.data = np.array([0, -1e3, 0, -1e3], np.float32)
    text = feature_maps(net, IMAGE, "1").text()
    assert "0 everywhere for this input: 2 channels (1, 3)" in text


def test_filters_are_the_weights():
    net = cnn()
    np.testing.assert_array_equal(filters(net).values, net[0].weight.numpy())
    assert filters(net, "2", channel=3).values.shape == (3, 3, 4, 5)
    with pytest.raises(OptionError, match="channel is 4"):
        filters(net, "2", channel=4)
    with pytest.raises(OptionError, match="which has kernels"):
        filters(net, "1")


def test_hidden_states_are_the_outputs_of_the_recurrent_layer():
    net = recurrent()
    tokens = np.array([3, 1, 9, 4])
    found = hidden_states(net, tokens, names=["a", "b", "c"])
    outputs, _ = net[:2](tokens[None])
    np.testing.assert_allclose(found.values, outputs.numpy()[0, :3], atol=1e-6)
    lengths = np.linalg.norm(np.diff(outputs.numpy()[0], axis=0), axis=1)
    np.testing.assert_allclose(found.moves()[1:], lengths[:2], rtol=1e-5)
    with pytest.raises(OptionError, match="no recurrent layer"):
        hidden_states(cnn(), IMAGE)
    with pytest.raises(OptionError, match="time, features"):
        hidden_states(net, tokens, "3")
    with pytest.raises(ShapeError, match="5 names for 4 steps"):
        hidden_states(net, tokens, names=list("abcde"))


def test_attention_maps_are_the_weights_of_each_head():
    net = ct.models.TransformerClassifier(20, 1, features=8, num_heads=2)
    tokens = np.array([5, 3, 8, 0, 0])
    found = attention_maps(net, tokens)
    assert list(found.values) == ["encoder.layers.0.attention", "encoder.layers.1.attention"]
    for weights in found.values.values():
        assert weights.shape == (2, 5, 5)
        np.testing.assert_allclose(weights.sum(axis=-1), 1)
        assert (weights[..., 3:] == 0).all()  # nobody looks at padding
    named = attention_maps(net, tokens, "encoder.layers.1.attention", names=["a", "b", "c"])
    (weights,) = named.values.values()
    np.testing.assert_array_equal(weights, found.values["encoder.layers.1.attention"][:, :3, :3])
    with pytest.raises(OptionError, match="a MultiHeadAttention"):
        attention_maps(net, tokens, "head")


def test_a_layer_that_is_not_run_is_named():
    class Unused(ct.Module):
        def __init__(self):
            self.spare, self.used = ct.Conv2d(3, 2, 1), ct.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(OptionError, match="layer 'spare', Conv2d, did not run"):
        feature_maps(Unused(), IMAGE)


# how they look


def overlaps(axes) -> list:
    """Pairs of texts of the figure that lie on each other."""
    figure = axes.figure
    figure.draw_without_rendering()
    boxes = []
    for each in figure.axes:
        texts = [each.title, each.xaxis.label, each.yaxis.label]
        texts += [t for axis in (each.xaxis, each.yaxis) for t in axis.get_ticklabels()]
        if each.get_legend():
            texts += each.get_legend().get_texts()
        low, high = sorted(each.get_xlim()), sorted(each.get_ylim())
        for text in texts:
            if not text.get_text() or not text.get_visible() or not each.axison:
                continue
            x, y = text.get_position()
            if text in each.get_xticklabels() and not low[0] <= x <= low[1]:
                continue
            if text in each.get_yticklabels() and not high[0] <= y <= high[1]:
                continue
            boxes.append((text.get_text(), text.get_window_extent()))
    if figure._suptitle:
        boxes.append((figure._suptitle.get_text(), figure._suptitle.get_window_extent()))
    return [
        (a, b)
        for k, (a, box) in enumerate(boxes)
        for b, other in boxes[:k]
        if box.shrunk(0.96, 0.9).overlaps(other.shrunk(0.96, 0.9))
    ]


def stories():
    table = ct.models.mlp((25, 4, 3))
    names = [f"a column with quite a long name, number {k}, in $" for k in range(25)]
    words = [
        "there",
        "is",
        "not",
        "much",
        "to",
        "say",
        "about",
        "it",
        "but",
        "it",
        "is",
        "rather",
        "long",
        "and",
        "unforgettable",
    ]
    tokens = RNG.integers(1, 20, len(words))
    transformer = ct.TransformerEncoder(4, 2, 4, num_layers=2)
    series = ct.Sequential(ct.Flatten(), ct.Linear(60, 2))
    return {
        "table": attribute(table, RNG.normal(size=25), names=names, method="gradient_x_input"),
        "rows": attribute(table, RNG.normal(size=(2, 25)), method="saliency"),
        "tokens": attribute(recurrent(), tokens, names=words, method="gradient_x_input"),
        "image": attribute(cnn(), IMAGE, method="gradient_x_input"),
        "steep image": attribute(cnn(), IMAGE, method="saliency"),
        "series": attribute(series, RNG.normal(size=(20, 3)), method="gradient_x_input"),
        "grad-cam": grad_cam(cnn(), IMAGE),
        "feature maps": feature_maps(cnn(), IMAGE),
        "filters": filters(cnn()),
        "deep filters": filters(cnn(), "2"),
        "states": hidden_states(recurrent(), tokens, names=words),
        "attention": attention_maps(transformer, RNG.normal(size=(len(words), 4)), names=words),
        "attention without names": attention_maps(transformer, RNG.normal(size=(3, 4))),
    }


@pytest.fixture(scope="module")
def made():
    ct.seed(0)
    return stories()


@pytest.mark.parametrize("number", range(13))
def test_no_label_lies_on_another(made, number):
    story = list(made.values())[number]
    assert overlaps(np.ravel(story.plot())[0]) == []


def test_every_text_fits_a_terminal_every_dict_is_json_and_every_html_is_self_contained(made):
    for story in made.values():
        assert max(map(len, story.text().splitlines())) <= 80, story.text()
        json.dumps(story.to_dict())
        html = story.html()
        sources = re.findall(r'(?:src|href)="([^"]{1,30})', html)
        # pictures, and marks of the same drawing
        assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
        assert "<script" not in html


def test_plots_draw_into_the_given_axes(made):
    for name in ("table", "image", "series", "grad-cam", "states"):
        axes = Figure().add_subplot()
        assert made[name].plot(axes) is axes
        assert axes.has_data()


def test_a_grid_of_pictures_does_not_fit_into_one_axes(made):
    for story in (made["feature maps"], made["filters"]):
        with pytest.raises(OptionError, match="a grid of pictures cannot be drawn into one axes"):
            story.plot(Figure().add_subplot())


def test_tokens_in_html_are_escaped_and_their_sign_is_not_shown_by_color_alone():
    net = ct.Sequential(ct.Embedding(3, 1), ct.Flatten(), ct.Linear(2, 1))
    net[0].weight.data = np.array([[0], [1], [-2.0]], np.float32)
    net[2].weight.data = np.array([[1], [1.0]], np.float32)
    html = attribute(net, [1, 2], names=["<b>", "&"]).html()
    assert "<b>" not in html and "&lt;b&gt;" in html and "&amp;" in html
    spans = re.findall(r'<span title="([^"]*)" style="([^"]*)">', html)
    assert [title for title, _ in spans] == ["+1", "-2"]
    assert ["underline" in style for _, style in spans] == [False, True]


@pytest.mark.parametrize("made", [panels.signed_map, panels.amount_map])
def test_colors_grow_darker_from_end_to_end_so_that_they_read_in_gray(made):
    colors = made()(np.linspace(0, 1, 64))[:, :3]
    brightness = colors @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) < 0).all()


def test_several_inputs_cannot_be_plotted_at_once():
    found = attribute(cnn(), np.stack([IMAGE, IMAGE]), method="gradient_x_input")
    with pytest.raises(OptionError, match=r"attribution\[0\]"):
        found.plot()
