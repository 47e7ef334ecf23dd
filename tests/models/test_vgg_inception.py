"""VGG, GoogLeNet and LeNet-5: against torchvision's, and the numbers in the papers."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import ShapeError
from cutaway.models import (
    VGG,
    GoogLeNet,
    auxiliary_loss,
    googlenet,
    inception,
    lenet5,
    lenet5_modern,
    vgg,
)
from cutaway.nn import BatchNorm
from cutaway.weights import WeightNames
from tests.models.twins import disturb, expect_twins
from tests.oracles import oracle

pytestmark = pytest.mark.slow  # one network of a kind is in every run: ResNet, BERT, WaveNet


RNG = np.random.default_rng(0)
LOSS = ct.losses.sparse_categorical_cross_entropy_with_logits


def image(side):
    return RNG.normal(size=(2, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("norm", [None, BatchNorm])
def test_vgg_has_torchvisions_outputs_and_gradients_with_the_same_weights(norm):
    torch, tv = oracle("torch"), oracle("torchvision.models.vgg")
    table = ((8, 8), (12, 12, 16))
    layers = [n for widths in table for n in (*widths, "M")]
    theirs = tv.VGG(tv.make_layers(layers, batch_norm=norm is not None), num_classes=7)
    # torchvision's dense layers have the paper's sizes whatever the convolutions have
    theirs.classifier[0] = torch.nn.Linear(16 * 49, 32)
    theirs.classifier[3] = torch.nn.Linear(32, 32)
    theirs.classifier[6] = torch.nn.Linear(32, 7)
    net = VGG(7, table=table, norm=norm, features=32)
    unused = [(r".*\.num_batches_tracked", "counts batches")]
    names = WeightNames(vgg.torchvision_rules(table, norm=norm is not None), unused=unused)
    expect_twins(net, disturb(theirs), names, image(30))


def test_googlenet_has_torchvisions_outputs_and_gradients_with_the_same_weights():
    torch, tv = oracle("torch"), oracle("torchvision.models")
    torch.manual_seed(1)  # weights without two nearly equal largest values in a pool
    theirs = tv.googlenet(weights=None, num_classes=7, aux_logits=False, init_weights=True)
    expect_twins(googlenet(7), disturb(theirs), inception.TORCHVISION, image(33))


def test_googlenets_auxiliary_heads_are_torchvisions():
    torch, tv = oracle("torch"), oracle("torchvision.models.googlenet")
    theirs = disturb(tv.InceptionAux(24, 5)).eval()
    net = inception.AuxiliaryHead(24, 5).eval()
    rules = [
        (rule[0].replace(r"aux1\.", ""), rule[1].replace("auxiliary.inception4a.", ""), *rule[2:])
        for rule in inception._rules(auxiliary=True)
        if rule[0].startswith("aux1")
    ]
    names = WeightNames(rules, unused=[(r".*\.num_batches_tracked", "counts batches")])
    expect_twins(net, theirs, names, RNG.normal(size=(2, 9, 6, 24)).astype(np.float32))
    assert torch is not None


def test_all_of_torchvisions_googlenet_loads_with_and_without_auxiliary_heads():
    tv = oracle("torchvision.models")
    theirs = tv.googlenet(weights=None, init_weights=False, aux_logits=True)
    weights = {k: v.numpy() for k, v in theirs.state_dict().items()}
    assert sum(p.size for p in googlenet(pretrained=weights).parameters()) == 6_624_904
    both = googlenet(auxiliary=True, pretrained=weights)
    assert sum(p.size for p in both.parameters()) == 13_004_888
    other = googlenet(3, auxiliary=True, pretrained=weights)
    np.testing.assert_array_equal(other.stem[0][0].weight.data, both.stem[0][0].weight.data)
    assert other.auxiliary["inception4a"].out.bias.shape == (3,)
    sizes = {name: sum(p.size for p in ps) for name, ps in both.groups().items()}
    assert sizes["head"] == 13_004_888 - 6_624_904 + 1024 * 1000 + 1000
    assert sum(sizes.values()) == 13_004_888


def test_the_loss_weighs_each_auxiliary_head_by_0_3():
    y = np.array([0, 1])
    first, second, third = (ct.Tensor(RNG.normal(size=(2, 3))) for _ in range(3))
    expected = float(LOSS(first, y)) + 0.3 * (float(LOSS(second, y)) + float(LOSS(third, y)))
    weighed = auxiliary_loss(LOSS)
    assert float(weighed((first, second, third), y)) == pytest.approx(expected, rel=1e-6)
    assert float(weighed(first, y)) == pytest.approx(float(LOSS(first, y)))


def test_lenet_has_the_papers_60_000_weights_below_its_last_layer():
    net = lenet5()
    sizes = {name: sum(p.size for p in ps) for name, ps in net.groups().items()}
    assert sizes == {"c1": 156 + 12, "c3": 1516 + 32, "c5": 48_120, "f6": 10_164, "head": 850}
    assert sum(p.size for p in lenet5_modern().parameters()) == 61_706


@pytest.mark.parametrize(
    ("net", "side", "smallest", "channels"),
    [
        (lambda: VGG(2, table=((4,), (4,), (4,)), features=4), 7, 8, 3),
        (lenet5, 28, 32, 1),
    ],
)
def test_images_too_small_are_refused_with_the_smallest_size(net, side, smallest, channels):
    with pytest.raises(ShapeError, match=rf"{side} x {side}[^\n]*\n.*at least {smallest} x"):
        net()(np.ones((1, side, side, channels), np.float32))


def test_googlenet_names_its_smallest_image():
    table = {name: (2, 2, 2, 2, 2, 2) for name in inception.TABLE}
    net = GoogLeNet(2, table=table, stem_channels=(4, 4, 4)).eval()
    with pytest.raises(ShapeError, match="at least 17 x 17"):
        net(np.ones((1, 16, 16, 3), np.float32))
    shapes = {k: v.shape[1:3] for k, v in net.maps(ct.Tensor(np.ones((1, 17, 17, 3)))).items()}
    assert shapes["stem"] == (2, 2) and shapes["inception5b"] == (1, 1)
