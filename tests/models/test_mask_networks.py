"""U-Net, V-Net and pix2pix beside the same networks in PyTorch, and what they refuse."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import cutaway as ct
from cutaway.errors import OptionError, ShapeError
from cutaway.models import (
    BackboneUNet,
    BasicBlock,
    PatchDiscriminator,
    Pix2PixGenerator,
    ResNet,
    UNet,
    VNet,
    efficientnet_lite0,
    mlp,
    normalized_vnet,
    padded_unet,
    resnet18,
    weighted_absolute_error,
)
from cutaway.models.backbone import map_scales
from cutaway.nn import init
from cutaway.train import AdversarialProgram
from tests.models.twins import QUICKLY, near

RNG = np.random.default_rng(0)


def give_weights(net, theirs, *, seed=0):
    """Put our weights in place of PyTorch's, whose parts are in the same order.

    Norms and slopes get values away from 1 and 0, where a mistake could hide.
    """
    rng = np.random.default_rng(seed)
    ours = list(net.named_parameters().values())
    parts = list(theirs.parameters())
    assert len(ours) == len(parts)
    kinds = {
        id(p): m for m in theirs.modules() for p in m.parameters(recurse=False)
    }  # which layer a parameter is of
    for mine, part in zip(ours, parts, strict=True):
        value = mine.numpy()
        if value.ndim == 1:
            value = (value + 0.3 * rng.normal(size=value.shape)).astype(np.float32)
            mine.data = ct.Tensor(value).data
        with torch.no_grad():
            part.copy_(torch.tensor(_turned(value, kinds[id(part)])))
    return list(zip(net.named_parameters(), parts, strict=True)), kinds


def _turned(value, layer):
    """A weight of ours as PyTorch has it: (out, in, *window); transposed ones (in, out, ...)."""
    if value.ndim < 3:
        return value
    is_transposed = isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d)
    last = value.ndim - 1
    order = (last - 1, last) if is_transposed else (last, last - 1)
    return np.ascontiguousarray(value.transpose(*order, *range(last - 1)))


def expect_equal(net, theirs, *inputs, rtol=1e-4):
    """Outputs, ∂L/∂x of each input and ∂L/∂w of all weights, for L = Σ y · r."""
    pairs, kinds = give_weights(net, theirs)
    there = [torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True) for x in inputs]
    expected = theirs(*there)
    r = RNG.normal(size=tuple(expected.movedim(1, -1).shape)).astype(np.float32)
    (expected.movedim(1, -1) * torch.tensor(r)).sum().backward()

    def step(*arrays):
        xs = [ct.Tensor(a.data, requires_grad=True) for a in arrays]
        out = net(*xs)
        (out * r).sum().backward()
        found = {path: p.grad for path, p in net.named_parameters().items()}
        for p in net.parameters():
            p.grad = None
        return out, [x.grad for x in xs], found

    compiled = ct.jit(step, net, compiler_options=QUICKLY)
    out, to_x, to_weights = compiled(*map(ct.Tensor, inputs))
    near(out.numpy(), expected.detach().movedim(1, -1).numpy(), rtol, "outputs")
    for mine, other in zip(to_x, there, strict=True):
        near(mine.numpy(), other.grad.movedim(1, -1).numpy(), rtol, "gradient of x")
    for path, part in pairs:
        gradient = to_weights[path].numpy()
        near(_turned(gradient, kinds[id(part)]), part.grad.numpy(), rtol, path)


# the same networks in PyTorch, layer by layer


def conv_layers(axes):
    return (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.MaxPool2d) if axes == 2 else (
        nn.Conv3d, nn.ConvTranspose3d, nn.BatchNorm3d, nn.MaxPool3d
    )  # fmt: skip


class TorchUNet(nn.Module):
    def __init__(self, classes, channels, base, levels, *, axes=2, padded=False, norm=False):
        super().__init__()
        conv, rise, batch_norm, pool = conv_layers(axes)
        widths = [base * 2**n for n in range(levels)]

        def double(n_in, n_out):
            layers = []
            for n in (n_in, n_out):
                layers.append(conv(n, n_out, 3, padding=int(padded), bias=not norm))
                layers += [batch_norm(n_out)] if norm else []
                layers.append(nn.ReLU())
            return nn.Sequential(*layers)

        pairs = zip((channels, *widths), widths, strict=False)
        self.down = nn.ModuleList(double(a, b) for a, b in pairs)
        self.rise = nn.ModuleList(rise(2 * n, n, 2, 2) for n in reversed(widths[:-1]))
        self.up = nn.ModuleList(double(2 * n, n) for n in reversed(widths[:-1]))
        self.head = conv(base, classes, 1)
        self.pool = pool(2)

    def forward(self, x):
        skips = []
        for place, stage in enumerate(self.down):
            x = stage(self.pool(x) if place else x)
            skips.append(x)
        skips.pop()
        for rise, up in zip(self.rise, self.up, strict=True):
            x, skip = rise(x), skips.pop()
            middle = [slice((n - m) // 2, (n - m) // 2 + m)
                      for n, m in zip(skip.shape[2:], x.shape[2:], strict=True)]  # fmt: skip
            x = up(torch.cat([skip[(slice(None), slice(None), *middle)], x], 1))
        return self.head(x)


class TorchVNet(nn.Module):
    def __init__(self, classes, base, left, right, kernel_size, *, norm=False):
        super().__init__()

        def layer(kind, n, m, k, **options):
            made = kind(n, m, k, bias=not norm, **options)
            return [made, nn.BatchNorm3d(m)] if norm else [made]

        def stage(n_in, n, count):
            body = []
            for place in range(count):
                body += layer(
                    nn.Conv3d, n if place else n_in, n, kernel_size, padding=kernel_size // 2
                )
                body += [nn.PReLU(n, init=0.25)]
            return nn.Sequential(*body)

        widths = [base * 2**n for n in range(len(left))]
        self.left = nn.ModuleList(
            stage(n if place else 1, n, count)
            for place, (n, count) in enumerate(zip(widths, left, strict=True))
        )
        self.reduce = nn.ModuleList(
            nn.Sequential(*layer(nn.Conv3d, n, 2 * n, 2, stride=2), nn.PReLU(2 * n))
            for n in widths[:-1]
        )
        self.rise, self.right = nn.ModuleList(), nn.ModuleList()
        below = widths[-1]
        for n, count in zip(widths[-2::-1], right[::-1], strict=True):
            rising = layer(nn.ConvTranspose3d, below, n, 2, stride=2)
            self.rise.append(nn.Sequential(*rising, nn.PReLU(n)))
            self.right.append(stage(2 * n, 2 * n, count))
            below = 2 * n
        self.head = nn.Sequential(
            *layer(nn.Conv3d, below, classes, kernel_size, padding=kernel_size // 2),
            nn.PReLU(classes),
            nn.Conv3d(classes, classes, 1),
        )

    def forward(self, x):
        skips = []
        for place, stage in enumerate(self.left):
            x = self.reduce[place - 1](x) if place else x
            x = stage[-1](stage[:-1](x) + x)
            skips.append(x)
        skips.pop()
        for rise, stage in zip(self.rise, self.right, strict=True):
            x = torch.cat([rise(x), skips.pop()], 1)
            x = stage[-1](stage[:-1](x) + x)
        return self.head(x)


class TorchGenerator(nn.Module):
    def __init__(self, n_in, n_out, base, levels):
        super().__init__()
        widths = [base * min(2**n, 8) for n in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, n in enumerate(widths):
            layers = [nn.LeakyReLU(0.2, inplace=True)] if level else []
            layers.append(nn.Conv2d(widths[level - 1] if level else n_in, n, 4, 2, 1, bias=False))
            if level not in (0, levels - 1):
                layers.append(nn.InstanceNorm2d(n, affine=True))
            self.down.append(nn.Sequential(*layers))
        for level in reversed(range(levels)):
            n = widths[level] * (1 if level == levels - 1 else 2)
            out = widths[level - 1] if level else n_out
            layers = [nn.ReLU(), nn.ConvTranspose2d(n, out, 4, 2, 1, bias=level == 0)]
            layers += [nn.InstanceNorm2d(out, affine=True)] if level else [nn.Tanh()]
            self.up.append(nn.Sequential(*layers))

    def forward(self, x):
        skips = []
        for stage in self.down:
            x = stage(x)
            skips.append(x)  # the next stage's LeakyReLU changes it in place, as its authors' does
        x = self.up[0](skips.pop())
        for stage in self.up[1:]:
            x = stage(torch.cat([x, skips.pop()], 1))
        return x


class TorchDiscriminator(nn.Module):
    def __init__(self, channels, base, halvings):
        super().__init__()
        widths = [base * min(2**n, 8) for n in range(halvings + 1)]
        layers = [nn.Conv2d(channels, base, 4, 2, 1), nn.LeakyReLU(0.2)]
        for n, (a, b) in enumerate(itertools.pairwise(widths), start=1):
            layers += [nn.Conv2d(a, b, 4, 2 if n < halvings else 1, 1, bias=False)]
            layers += [nn.InstanceNorm2d(b, affine=True), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, x, example):
        return self.net(torch.cat([x, example], 1))


def image(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def test_the_u_net_of_the_paper_is_pytorchs_layer_by_layer():
    expect_equal(UNet(2, base=4, levels=3), TorchUNet(2, 1, 4, 3), image(2, 60, 44, 1))


def test_the_padded_u_net_with_batch_norm_is_pytorchs_in_two_and_in_three_axes():
    theirs = TorchUNet(3, 2, 4, 3, padded=True, norm=True)
    expect_equal(padded_unet(3, in_channels=2, base=4, levels=3), theirs, image(2, 16, 24, 2))
    theirs = TorchUNet(2, 1, 3, 2, axes=3, padded=True, norm=True)
    expect_equal(padded_unet(2, axes=3, base=3, levels=2), theirs, image(2, 6, 8, 10, 1))


def test_the_v_nets_are_pytorchs():
    theirs = TorchVNet(2, 4, (1, 2, 3), (1, 2), 5)
    net = VNet(2, base=4, left=(1, 2, 3), right=(1, 2))
    expect_equal(net, theirs, image(1, 8, 12, 8, 1))
    theirs = TorchVNet(3, 4, (1, 2), (2,), 3, norm=True)
    net = normalized_vnet(3, base=4, left=(1, 2), right=(2,), kernel_size=3)
    expect_equal(net, theirs, image(2, 6, 8, 4, 1))


def test_the_generator_and_the_discriminator_of_pix2pix_are_pytorchs():
    net = Pix2PixGenerator(2, 3, base=4, levels=4, dropout=0.0)
    expect_equal(net, TorchGenerator(2, 3, 4, 4), image(2, 32, 16, 2))
    net = PatchDiscriminator(5, base=4, patch=34)
    expect_equal(net, TorchDiscriminator(5, 4, 2), image(2, 32, 32, 2), image(2, 32, 32, 3))


def test_an_adversarial_step_is_the_one_written_in_pytorch():
    ct.seed(0)
    generator = Pix2PixGenerator(1, 1, base=4, levels=3, dropout=0.0)
    discriminator = PatchDiscriminator(2, base=4, patch=16)
    theirs, judge = TorchGenerator(1, 1, 4, 3), TorchDiscriminator(2, 4, 1)
    of_generator, kinds = give_weights(generator, theirs)
    of_discriminator, more = give_weights(discriminator, judge)
    program = AdversarialProgram(
        generator, discriminator, conditional=True, reconstruction=weighted_absolute_error
    )
    x, y = image(3, 16, 16, 1), np.tanh(image(3, 16, 16, 1))
    step = ct.jit(program.step, *program.owners().values())
    to_x, to_y = (torch.tensor(np.moveaxis(a, -1, 1).copy()) for a in (x, y))
    g_optimizer, d_optimizer = (
        torch.optim.Adam(n.parameters(), 2e-4, betas=(0.5, 0.999)) for n in (theirs, judge)
    )
    against = nn.functional.binary_cross_entropy_with_logits
    for _ in range(3):
        found = step(x, y)
        made = theirs(to_x)
        d_optimizer.zero_grad()
        real, fake = judge(to_x, to_y), judge(to_x, made.detach())
        own = (against(real, torch.ones_like(real)) + against(fake, fake * 0)) / 2
        own.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        fake = judge(to_x, made)
        misled = against(fake, torch.ones_like(fake))
        apart = 100 * (made - to_y).abs().mean()
        (misled + apart).backward()
        g_optimizer.step()
        for name, value in (
            ("discriminator", own), ("generator", misled), ("reconstruction", apart)
        ):  # fmt: skip
            assert found[f"loss_{name}"].item() == pytest.approx(value.item(), rel=1e-4)
    for pairs, net, layers in (
        (of_generator, generator, kinds), (of_discriminator, discriminator, more)
    ):  # fmt: skip
        for path, part in pairs:
            mine = _turned(net.named_parameters()[path].numpy(), layers[id(part)])
            near(mine, part.detach().numpy(), 1e-4, path)


def test_a_translation_depends_neither_on_its_batch_nor_on_the_mode():
    ct.seed(0)
    net = Pix2PixGenerator(1, 1, base=4, levels=3, dropout=0.0)
    x = image(3, 16, 16, 1)
    alone, together = net.eval()(x[:1]).numpy(), net(x).numpy()
    np.testing.assert_allclose(alone, together[:1], atol=1e-6)
    np.testing.assert_allclose(net.train()(x).numpy(), together, atol=1e-6)
    noisy = Pix2PixGenerator(1, 1, base=4, levels=4).eval()
    np.testing.assert_array_equal(noisy(x).numpy(), noisy(x).numpy())


@pytest.mark.slow
@pytest.mark.parametrize("patch", [1, 16, 34, 70, 142, 286])
def test_a_logit_of_the_discriminator_sees_a_patch_of_this_side(patch):
    side = max(32, patch + 66)
    net = PatchDiscriminator(2, base=1, patch=patch)
    for module in net.modules().values():
        if isinstance(module, ct.InstanceNorm):  # sees the whole map
            module.forward = lambda x: x
    for p in net.parameters():
        p.data = p.data * 0 + 0.1
    x = ct.Tensor(np.ones((1, side, side, 1), np.float32), requires_grad=True)
    out = net(x, x)
    middle = out.shape[1] // 2
    out[0, middle, middle, 0].backward()
    rows = np.flatnonzero(np.asarray(x.grad)[0].any(axis=(1, 2)))
    assert len(rows) == patch == rows[-1] - rows[0] + 1


def test_weights_start_as_their_papers_say():
    ct.seed(0)
    unet = UNet(2, in_channels=3, base=16, levels=3)
    for path, fan in {
        "down1.2": 9 * 16,
        "bottom.0": 9 * 32,
        "rise.up2": 64,
        "up1.0": 9 * 32,
    }.items():
        weight = unet.state_dict()[f"{path}.weight"]
        assert weight.std() == pytest.approx(np.sqrt(2 / fan), rel=0.07), path
    vnet = VNet(2, base=8, left=(1, 2), right=(1,))
    assert vnet.state_dict()["bottom.0.weight"].std() == pytest.approx(
        np.sqrt(2 / (125 * 16)), rel=0.05
    )
    generator = Pix2PixGenerator(base=16, levels=4).state_dict()
    assert generator["up4.0.weight"].std() == pytest.approx(0.02, rel=0.05)
    assert generator["up4.1.weight"].std() == pytest.approx(0.02, rel=0.3)
    assert generator["up4.1.weight"].mean() == pytest.approx(1, abs=0.01)


def test_the_tile_of_the_paper_gives_its_output_and_counts_are_those_of_others(monkeypatch):
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))
    net = UNet(2, base=1)
    assert net.input_size(388) == 572 and net.input_size(389) == 588
    assert VNet(2, base=1).input_size(100) == 112

    def count(net):
        return sum(p.size for p in net.parameters())

    assert count(UNet(1, base=64)) == 31_030_593 and count(UNet(2, base=32)) == 7_759_554
    assert count(padded_unet(1, in_channels=3)) == 31_037_633  # milesial's, less its biases
    assert count(Pix2PixGenerator(levels=7)) == 41_828_995


def test_a_u_net_on_a_pretrained_backbone_is_one_of_its_maps(monkeypatch):
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))
    backbone = efficientnet_lite0()
    assert map_scales(backbone)["stage5"] == (16, 112)
    net = BackboneUNet(backbone, 1)
    assert net.used == ("stage1", "stage2", "stage3", "stage5", "stage7")
    assert "top" not in net.stages and not hasattr(net.body, "head") and hasattr(backbone, "head")
    assert sum(p.size for p in net.parameters()) == 5_198_161
    # segmentation-models-pytorch's, less the 412,160 of its unused top
    net = BackboneUNet(backbone, 1, stages=("stem", *net.used[1:]))
    assert sum(p.size for p in net.parameters()) == 5_614_929 - 412_160
    assert sum(p.size for p in BackboneUNet(resnet18(), 1).parameters()) == 14_328_209


def test_a_frozen_backbone_keeps_its_weights_and_its_running_statistics():
    ct.seed(0)
    net = BackboneUNet(ResNet(BasicBlock, (1, 1), widths=(4, 8)), 2, widths=(4, 4, 4))
    net.freeze_backbone().train()
    before = net.state_dict()
    x, y = image(2, 16, 16, 3), np.zeros((2, 16, 16), int)
    optimizer = ct.Adam(net)

    def step(x, y):
        loss = ct.losses.sparse_categorical_cross_entropy_with_logits(net(x), y)
        loss.backward()
        optimizer.step()

    ct.jit(step, net, optimizer, compiler_options=QUICKLY)(x, y)
    for path, value in net.state_dict().items():
        assert np.array_equal(value, before[path]) == path.startswith("body."), path


def test_sizes_that_do_not_fit_are_refused_with_those_that_do():
    with pytest.raises(ShapeError, match="570 to 556 or 572"):
        UNet(2, base=1)(image(1, 570, 572, 1))
    with pytest.raises(ShapeError, match="20 to 16 or 24"):
        padded_unet(2, base=1, levels=4)(image(1, 16, 20, 1))
    with pytest.raises(ShapeError, match="pad them to 16 x 16 x 8"):
        VNet(2, base=1, left=(1, 1, 1, 1), right=(1, 1, 1))(image(1, 12, 16, 8, 1))
    with pytest.raises(ShapeError, match="resize or pad them to 16 x 32"):
        Pix2PixGenerator(base=1, levels=4)(image(1, 16, 20, 3))
    with pytest.raises(ShapeError, match="pairs of images of equal height"):
        PatchDiscriminator(2, base=1, patch=16)(image(1, 16, 16, 1), image(1, 16, 32, 1))
    with pytest.raises(OptionError, match="base is 16 for 3 input channels"):
        VNet(2, in_channels=3)
    with pytest.raises(OptionError, match="the backbone is a Sequential"):
        BackboneUNet(mlp((2, 1)), 2)
    resnet = ResNet(BasicBlock, (1, 1), widths=(4, 8))
    with pytest.raises(OptionError, match="stem 1/2, stage1 1/4, stage2 1/8"):
        BackboneUNet(resnet, 2, stages=("stem", "stage2"), widths=(8, 8))
    with pytest.raises(OptionError, match="widths"):
        BackboneUNet(resnet, 2)
