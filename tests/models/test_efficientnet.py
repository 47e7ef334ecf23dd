"""EfficientNet-B0 and Lite0, and MobileNetV2, against torchvision's and timm's."""

from pathlib import Path

import numpy as np
import pytest

import cutaway as ct
from cutaway.data import read_image
from cutaway.errors import ShapeError
from cutaway.models import (
    EfficientNet,
    MobileNetV2,
    efficientnet,
    efficientnet_b0,
    efficientnet_lite0,
    mobilenet,
    mobilenet_v2,
)
from cutaway.weights import WeightNames, fetch
from tests.models.twins import disturb, expect_twins
from tests.oracles import oracle

pytestmark = pytest.mark.slow  # one network of a kind is in every run: ResNet, BERT, WaveNet


COUNTS = [(r".*\.num_batches_tracked", "counts batches")]
RNG = np.random.default_rng(0)


def image(side):
    return RNG.normal(size=(2, side, side, 3)).astype(np.float32)


def test_b0_has_torchvisions_outputs_and_gradients_with_the_same_weights():
    tv = oracle("torchvision.models.efficientnet")
    # B0's first, third and fourth stage, with fewer channels
    table = ((1, 3, 1, 8, 1), (6, 5, 2, 16, 2), (6, 3, 2, 24, 1))
    rows, before = [], 32
    for widen, kernel_size, stride, channels, count in table:
        rows.append(tv.MBConvConfig(widen, kernel_size, stride, before, channels, count))
        before = channels
    theirs = disturb(tv.EfficientNet(rows, dropout=0.2, num_classes=7, last_channel=48))
    net = EfficientNet(7, table=table, top_channels=48)
    names = WeightNames(efficientnet.torchvision_rules(table), unused=COUNTS)
    expect_twins(net, theirs, names, image(33))


def test_the_whole_b0_of_torchvision_and_of_timm_loads():
    tv, timm = oracle("torchvision.models"), oracle("timm")
    for theirs, names in (
        (tv.efficientnet_b0(weights=None, num_classes=3), efficientnet.TORCHVISION),
        (timm.create_model("efficientnet_b0", num_classes=3), efficientnet.TIMM),
    ):
        weights = {k: v.numpy() for k, v in theirs.state_dict().items()}
        assert names.translate(weights, efficientnet_b0(3))


def test_lite0_has_timms_outputs_and_gradients_with_the_same_weights():
    timm = oracle("timm")
    theirs = disturb(timm.create_model("tf_efficientnet_lite0", num_classes=7))
    expect_twins(efficientnet_lite0(7), theirs, efficientnet.TIMM, image(37))


def test_published_lite0_weights_see_in_a_photograph_what_timms_network_sees():
    torch, timm, skimage = oracle("torch"), oracle("timm"), oracle("skimage")
    try:
        file = fetch("efficientnet-lite0")
    except ct.errors.RunError as error:
        pytest.skip(str(error))
    published = torch.load(file, weights_only=True)
    net = efficientnet_lite0(pretrained="imagenet").eval()
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    ordered = [name for name in theirs.state_dict()]
    # both list the same tensors in the same order
    theirs.load_state_dict(dict(zip(ordered, published.values(), strict=True)))
    cat = read_image(Path(skimage.__file__).parent / "data" / "chelsea.png", (224, 224))
    x = (cat[None].astype(np.float32) - 127) / 128
    with torch.no_grad():
        expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    out = ct.jit(lambda x: net(x), net)(ct.Tensor(x)).numpy()
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_mobilenet_has_torchvisions_outputs_and_gradients_with_the_same_weights():
    tv = oracle("torchvision.models")
    table = ((1, 8, 1, 1), (6, 16, 2, 2), (6, 24, 2, 2))
    settings = [list(row) for row in table]
    theirs = disturb(tv.MobileNetV2(num_classes=7, inverted_residual_setting=settings))
    net = MobileNetV2(7, table=table)
    expect_twins(net, theirs, mobilenet.torchvision_names(table), image(33))


def test_the_whole_mobilenet_of_torchvision_loads():
    tv = oracle("torchvision.models")
    theirs = tv.mobilenet_v2(weights=None)
    weights = {k: v.numpy() for k, v in theirs.state_dict().items()}
    net = mobilenet_v2(5, pretrained=weights)
    first = theirs.features[0][0].weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(net.stem[0].weight.data, first)
    assert net.head.bias.shape == (5,)


def test_images_too_small_for_the_stages_are_refused_with_the_smallest_size():
    net = MobileNetV2(3, table=((1, 4, 1, 1), (6, 4, 1, 2))).eval()
    with pytest.raises(ShapeError, match=r"2 x 2[^\n]*\n.*at least 3 x 3"):
        net(np.ones((1, 2, 2, 3), np.float32))
    assert net(np.ones((1, 3, 3, 3), np.float32)).shape == (1, 3)


def test_published_weights_are_known_by_name_and_an_unknown_name_lists_them():
    with pytest.raises(ct.errors.RunError, match="imagenet, efficientnet-lite0"):
        efficientnet_lite0(pretrained="efficientnet-light0")
