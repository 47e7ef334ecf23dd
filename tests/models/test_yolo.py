"""YOLOv3-tiny beside the program darknet, and files in its format."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cutaway as ct
from cutaway.errors import DataError, OptionError, RunError, ShapeError
from cutaway.models import Yolo, YoloScale, darknet_tiny, yolo3_tiny
from cutaway.models.darknet import PoolInPlace, darknet_layer
from cutaway.nn import Conv2d, Sequential
from cutaway.weights.darknet import load_darknet, read_darknet

SHARED = Path(__file__).parents[3] / "shared"
RNG = np.random.default_rng(0)
# printed by darknet for dog.jpg and person.jpg, resized to 416 x 416: score, class of COCO, box
PRINTED = {
    "dog416.png": [
        (0.7812, "dog", (66.4, 159.2, 207.6, 372.2)),
        (0.6494, "truck", (254.9, 57.2, 373.4, 126.9)),
        (0.6446, "car", (252.1, 58.5, 371.0, 124.0)),
        (0.2864, "bicycle", (123.7, 142.7, 302.4, 320.2)),
    ],
    "person416.png": [
        (0.9805, "person", (117.3, 95.2, 181.3, 373.3)),
        (0.8798, "dog", (50.7, 259.6, 133.0, 345.1)),
        (0.8147, "sheep", (254.2, 123.7, 399.1, 335.0)),
    ],
}


def written(path, numbers, *, version=(0, 2, 0), seen=64):
    form = "<3iq" if version[0] * 10 + version[1] >= 2 else "<3ii"
    path.write_bytes(struct.pack(form, *version, seen) + np.asarray(numbers, "<f4").tobytes())
    return path


def test_published_weights_give_the_boxes_that_darknet_prints():
    file, pictures = SHARED / "weights" / "yolov3-tiny.weights", SHARED / "oracles" / "detection"
    if not file.exists():
        pytest.skip("the published weights are not here")
    names = (SHARED / "weights" / "coco.names").read_text().splitlines()
    net = yolo3_tiny(pretrained=file).eval()
    predict = ct.jit(ct.no_grad()(lambda x: net.decode(net(x))), net, donate=False)
    for picture, printed in PRINTED.items():
        with Image.open(pictures / picture) as image:
            x = np.asarray(image.convert("RGB"), np.float32)[None] / 255
        found = {name: value.numpy()[0] for name, value in predict(x).items()}
        scores = found["objectness"][:, None] * found["classes"]
        for score, name, box in printed:
            # the box with the largest score of its class near that place
            near = np.abs(found["boxes"] - np.asarray(box)).max(axis=1) < 0.06
            best = scores[near, names.index(name)]
            assert best.size and best.max() == pytest.approx(score, abs=6e-5)


def test_a_batch_norm_of_darknet_divides_by_the_deviation_plus_a_millionth(tmp_path):
    net = Sequential(darknet_layer(2, 3, 1)).eval()
    bias, weight, mean = RNG.normal(size=(3, 3))
    variance = np.array([1.0, 1e-6, 1e-12])  # at the last, 1e-6 is as much as the deviation
    kernel = RNG.normal(size=(3, 2, 1, 1))
    numbers = np.concatenate([bias, weight, mean, variance, kernel.ravel()])
    seen = load_darknet(net, written(tmp_path / "one.weights", numbers)).seen
    x = RNG.normal(size=(1, 2, 2, 2)).astype(np.float32)
    z = x @ kernel[:, :, 0, 0].T
    expected = weight * (z - mean) / (np.sqrt(variance) + 1e-6) + bias
    expected = np.where(expected > 0, expected, 0.1 * expected)
    np.testing.assert_allclose(net(x).numpy(), expected, rtol=2e-5)
    assert seen == 64


def test_an_old_header_has_a_shorter_count_of_pictures(tmp_path):
    conv = Conv2d(1, 1, 1)
    path = written(tmp_path / "old.weights", [0.5, 2.0], version=(0, 1, 0), seen=7)
    assert load_darknet(Sequential(conv), path).seen == 7
    assert (conv.bias.tolist(), conv.weight.tolist()) == ([0.5], [[[[2.0]]]])


def test_a_kernel_is_turned_from_channels_first(tmp_path):
    conv = Conv2d(2, 3, 2)
    kernel = RNG.normal(size=(3, 2, 2, 2)).astype(np.float32)
    load_darknet(Sequential(conv), written(tmp_path / "k", [*np.zeros(3), *kernel.ravel()]))
    np.testing.assert_array_equal(conv.weight.numpy(), kernel.transpose(2, 3, 1, 0))


def test_files_that_are_none_of_darknet_or_of_another_network_change_nothing(tmp_path):
    net = Sequential(Conv2d(1, 2, 1))
    before = net.state_dict()
    page = tmp_path / "page.weights"
    page.write_text("<html>not found, but of some length</html>")
    with pytest.raises(RunError, match="is no weights file of darknet"):
        load_darknet(net, page)
    (tmp_path / "short").write_bytes(b"\0" * 7)
    with pytest.raises(RunError, match="is no weights file of darknet"):
        read_darknet(tmp_path / "short")
    with pytest.raises(RunError, match="holds 5 numbers") as e:
        load_darknet(net, written(tmp_path / "five", np.ones(5)))
    assert e.value.expected.startswith("4, as many as Sequential has in 1 convolutions")
    with pytest.raises(DataError, match="NaN or infinity"):
        load_darknet(net, written(tmp_path / "nan", [1, 2, np.nan, 4]))
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_pool_in_place_sees_nothing_below_and_right_of_the_image():
    x = -np.arange(1.0, 7).reshape(1, 2, 3, 1)  # all below 0, which zeros would exceed
    expected = [[-1, -2, -3], [-4, -5, -6]]
    assert PoolInPlace()(x)[0, :, :, 0].tolist() == expected
    assert PoolInPlace()(-x)[0, :, :, 0].tolist() == [[5, 6, 6], [5, 6, 6]]


def test_raw_outputs_become_boxes_by_the_papers_formulas():
    table = (YoloScale("stage2", None, (), 4, (1, 0)),)
    net = Yolo(darknet_tiny(1, widths=(2, 2, 4)), 1, table=table, priors=((10, 20), (30, 8)))
    raw = RNG.normal(size=(1, 2, 3, 2, 6)).astype(np.float32)
    found = net.decode((ct.Tensor(raw),))
    assert net.strides == (2,)
    row, column, prior = 1, 2, 0  # of its scale: the second of all
    tx, ty, tw, th, objectness, kind = raw[0, row, column, prior].astype(np.float64)

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    x, y = 2 * (sigmoid(tx) + column), 2 * (sigmoid(ty) + row)
    w, h = 30 * np.exp(tw), 8 * np.exp(th)
    place = (row * 3 + column) * 2 + prior
    box = found["boxes"].numpy()[0, place]
    np.testing.assert_allclose(box, [x - w / 2, y - h / 2, x + w / 2, y + h / 2], rtol=1e-5)
    assert float(found["objectness"][0, place]) == pytest.approx(sigmoid(objectness))
    assert float(found["classes"][0, place, 0]) == pytest.approx(sigmoid(kind))


def test_images_that_do_not_fit_and_stages_that_do_not_are_refused():
    with pytest.raises(ShapeError, match="images of 40 x 64") as e:
        yolo3_tiny(1)(np.zeros((1, 40, 64, 3)))
    assert e.value.fix == "letterbox them to 64 x 64"
    table = (YoloScale("stage3", None, (), 4, (0,)), YoloScale("stage1", 4, (), 4, (0,)))
    with pytest.raises(OptionError, match="each map twice"):
        Yolo(darknet_tiny(1, widths=(2, 2, 2, 2)), 1, table=table, priors=((1, 1),))
