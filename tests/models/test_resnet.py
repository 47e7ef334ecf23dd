"""ResNet against torchvision's, transformers' and published CIFAR weights."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.data.images import find_images, load_images
from cutaway.errors import OptionError, ShapeError
from cutaway.models import BasicBlock, Bottleneck, ResNet, cifar_resnet, resnet18
from cutaway.models.resnet import TORCHVISION, TRANSFORMERS
from tests.models.twins import disturb, expect_twins
from tests.oracles import oracle

RNG = np.random.default_rng(0)


def image(side=40):
    return RNG.normal(size=(2, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("block", "layers"), [("BasicBlock", (1, 2, 1, 1)), ("Bottleneck", (1, 1, 2, 1))]
)
def test_outputs_and_gradients_are_torchvisions_with_the_same_weights(block, layers):
    tv = oracle("torchvision.models.resnet")
    theirs = disturb(tv.ResNet(getattr(tv, block), list(layers), num_classes=7))
    ours = {"BasicBlock": BasicBlock, "Bottleneck": Bottleneck}[block]
    expect_twins(ResNet(ours, layers, num_classes=7), theirs, TORCHVISION, image())


def test_outputs_and_gradients_are_transformers_with_the_same_weights():
    hf = oracle("transformers")
    config = hf.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 2, 1], num_labels=5,
        layer_type="basic",
    )  # fmt: skip
    theirs = disturb(hf.ResNetForImageClassification(config))
    net = ResNet(BasicBlock, (1, 1, 2, 1), num_classes=5, widths=(16, 32, 64, 128))
    # transformers gives the first stage of basic blocks no projection either: same channels
    expect_twins(net, theirs, TRANSFORMERS, image(), logits=lambda out: out.logits)


def test_resnet18_of_torchvision_loads_whole_and_gives_its_outputs():
    torch, tv = oracle("torch"), oracle("torchvision.models")
    theirs = disturb(tv.resnet18(weights=None))
    weights = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    net = resnet18(pretrained=weights).eval()
    x = image(33)
    with torch.no_grad():
        expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    out = ct.jit(lambda x: net(x), net)(ct.Tensor(x)).numpy()
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    other = resnet18(3, pretrained=weights)
    assert other.head.weight.shape == (512, 3)
    np.testing.assert_array_equal(other.stem[0].weight.data, net.stem[0].weight.data)


def test_weights_of_another_number_of_classes_are_refused_unless_a_number_is_asked_for():
    net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=7)
    oracle("torchvision")
    import torchvision.models.resnet as tv

    theirs = tv.ResNet(tv.BasicBlock, [1, 1, 1, 1], num_classes=5).state_dict()
    from cutaway.weights import load_into

    with pytest.raises(ShapeError, match="head"):
        load_into(net, {k: v.numpy() for k, v in theirs.items()}, TORCHVISION)


def test_published_cifar_weights_recognize_the_photographs(shared_data):
    file = shared_data.parent / "weights" / "resnet20-12fca82f.th"
    if not file.is_file():
        pytest.skip(f"the published weights are not at {file}")
    net = cifar_resnet(20, pretrained=file).eval()
    folder = find_images(shared_data / "cifar10_jpeg")["test"].subset(np.arange(0, 1000, 5))
    images = load_images(folder, 32)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = ((images.x / 255 - mean) / std).astype(np.float32)
    out = ct.jit(lambda x: net(x), net)(ct.Tensor(x)).numpy()
    # 91.8% on the originals; of these copies in lossy JPEG 80.4% of all 1000, and 77% of these
    # 200; a layer that is not where it was trained leaves a tenth
    assert (out.argmax(axis=1) == images.y).mean() > 0.7


@pytest.mark.parametrize(("depth", "parameters"), [(20, 269_722), (32, 464_154), (56, 853_018)])
def test_cifar_networks_have_the_papers_numbers_of_parameters(depth, parameters):
    # table 6 of the paper: 0.27, 0.46 and 0.85 million
    assert sum(p.size for p in cifar_resnet(depth).parameters()) == parameters


def test_a_depth_that_is_not_6n_plus_2_is_refused():
    with pytest.raises(OptionError, match="6n \\+ 2"):
        cifar_resnet(21)


def test_images_too_small_for_the_stages_are_refused_with_the_smallest_size():
    net = ResNet(BasicBlock, (1, 1, 1, 1), widths=(4, 4, 4, 4)).eval()
    with pytest.raises(ShapeError, match=r"16 x 40[^\n]*\n.*at least 17 x 17"):
        net(np.ones((1, 16, 40, 3), np.float32))
    assert net(np.ones((1, 17, 17, 3), np.float32)).shape == (1, 1000)
    assert net.maps(ct.Tensor(np.ones((1, 17, 17, 3))))["stage3"].shape == (1, 2, 2, 4)


def test_a_block_with_zero_init_begins_as_its_shortcut():
    block = ResNet(BasicBlock, (2,), widths=(4,), zero_init=True).stage1[1].eval()
    x = np.abs(RNG.normal(size=(1, 5, 5, 4))).astype(np.float32)
    np.testing.assert_array_equal(block(x).numpy(), x)
