"""pix2pix: a U-Net that turns an image into another, and a discriminator that judges patches.

Isola, Zhu, Zhou & Efros 2017, "Image-to-image translation with conditional adversarial networks",
arXiv:1611.07004, appendix 6.1. Ck is convolution, normalization and activation with k channels; all
convolutions are 4x4.

    generator, for images of 256 x 256
    down1 to down8   C64 C128 C256 C512 C512 C512 C512 C512, stride 2, LeakyReLU 0.2 before each but
                     the first; no normalization in the first and the last
    up8 to up2       512 512 512 512 256 128 64 by transposed convolution, stride 2, ReLU before
                     each; dropout 0.5 in the first three; each is joined with the output of the
                     down-convolution of its size
    up1              the output's channels, tanh
    parameters       54,413,955 for 3 channels to 3; 41,828,995 with seven levels, for 128 x 128

    discriminator, of the pair (input, image)
    1 x 1            C64 C128, then 1 channel; convolutions of 1x1
    16 x 16          C64 (stride 2) C128, then 1 channel
    70 x 70          C64 C128 C256 (stride 2) C512, then 1 channel
    286 x 286        C64 C128 C256 C512 C512 (stride 2) C512, then 1 channel
    parameters       70 x 70: 2,768,705

    weights          N(0, 0.02); γ N(1, 0.02); biases 0, only of the generator's last and of the
                     discriminator's first and last convolution

The discriminator says for each patch how real it looks: its logits are a map, and the loss is the
mean over it. It minimizes (BCE(D(x, y), 1) + BCE(D(x, G(x)), 0)) / 2; the generator
BCE(D(x, G(x)), 1) + 100 mean|y - G(x)|: `train.AdversarialProgram(G, D, conditional=True,
reconstruction=weighted_absolute_error)`, whose optimizers are the paper's.

Differences: the paper normalizes by batch norm with a batch of 1, also to predict: by the
statistics of the one image. Here it is instance norm, which does the same in both modes, so that a
prediction depends neither on the other images of its batch nor on running statistics; γ and β, and
so the number of parameters, are the same. The dropout is the generator's only noise; a
prediction (evaluation mode) has none and is deterministic.
"""

import itertools

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import ShapeError, expect_axis, expect_choice, expect_integer
from cutaway.losses import mean_absolute_error
from cutaway.nn import (
    Conv2d,
    ConvTranspose2d,
    Dropout,
    InstanceNorm,
    LeakyReLU,
    Module,
    Sequential,
    init,
)
from cutaway.ops.windows import expect_window_axes

WIDTHS = (1, 2, 4, 8)  # times base; deeper levels have as many as the last
PATCHES = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}  # receptive field: convolutions of stride 2
DROPPED = 3  # levels of the expanding path with dropout


class Pix2PixGenerator(Module):
    """The generator of pix2pix: a U-Net of strided convolutions.

    Args:
        in_channels, out_channels: of the images.
        base: channels of the first level.
        levels: number of halvings; 8 reduce 256 x 256 to a single position.
        dropout: fraction dropped in the three innermost levels of the expanding path.
        norm: class of the normalization.

    Attributes:
        stages: names of the parts in order.
        multiple: of what height and width must be a multiple.

    Shapes:
        x: (batch, height, width, in_channels), usually from -1 to 1
        y: (batch, height, width, out_channels), from -1 to 1
        maps: {stage: (batch, height, width, channels)}

    References:
        See the top of cutaway/models/pix2pix.py.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import Pix2PixGenerator
        >>> Pix2PixGenerator(base=4, levels=3)(np.zeros((1, 16, 24, 3))).shape
        (1, 16, 24, 3)
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        base: int = 64,
        levels: int = 8,
        dropout: float = 0.5,
        norm: type[Module] = InstanceNorm,
    ):
        name = type(self).__name__
        for what, value, least in (
            ("in_channels", in_channels, 1), ("out_channels", out_channels, 1),
            ("base", base, 1), ("levels", levels, 2),
        ):  # fmt: skip
            expect_integer(value, what=f"{name}: {what}", least=least)
        self.in_channels, self.levels = in_channels, levels
        self.multiple = 2**levels
        widths = [base * WIDTHS[min(level, len(WIDTHS) - 1)] for level in range(levels)]
        down = [f"down{level + 1}" for level in range(levels)]
        up = [f"up{level + 1}" for level in reversed(range(levels))]
        self.stages = (*down, *up)
        for level, part in enumerate(down):
            n_in = widths[level - 1] if level else in_channels
            is_plain = level in (0, levels - 1)
            layers = _halving(n_in, widths[level], None if is_plain else norm)
            setattr(self, part, Sequential(*([LeakyReLU(0.2)] if level else []), *layers))
        for place, part in enumerate(up):
            level = levels - 1 - place
            n_in = widths[level] * (2 if place else 1)
            if not level:
                self.up1 = ConvTranspose2d(n_in, out_channels, 4, stride=2, padding=1, init=_normal)
                continue
            layers = [
                ConvTranspose2d(
                    n_in, widths[level - 1], 4, stride=2, padding=1, bias=False, init=_normal
                ),
                _started(norm(widths[level - 1], affine=True)),
            ]
            layers += [Dropout(dropout)] if dropout and place < DROPPED else []
            setattr(self, part, Sequential(*layers))

    def maps(self, x) -> dict:
        """{stage: its output}, in order; that of up1 before the tanh."""
        self._expect_sizes(x)
        found = {}
        for name in self.stages:
            if name.startswith("up"):
                level = int(name[2:])
                if level < self.levels:
                    x = ops.concatenate([x, found[f"down{level}"]], axis=-1)
                # the down-convolution after a skip activates it in place in the authors' code; with
                # this ReLU after it the result is the same
                x = ops.relu(x)
            found[name] = x = getattr(self, name)(x)
        return found

    def forward(self, x):
        return ops.tanh(self.maps(x)["up1"])

    def input_size(self, output: int) -> int:
        """The smallest size of an input for which the output has at least this size."""
        expect_integer(output, what="input_size: output", least=1)
        return -(-output // self.multiple) * self.multiple

    def _expect_sizes(self, x) -> None:
        expect_window_axes(x, 2, where=self.label())
        expect_axis(x, -1, self.in_channels, where=self.label(), name="in_channels")
        height, width = x.shape[1:3]
        if height % self.multiple or width % self.multiple or not height * width:
            high, wide = (self.input_size(max(n, 1)) for n in (height, width))
            raise ShapeError(
                f"{self.label()}: images of {height} x {width}",
                expected=f"multiples of {self.multiple}, which can be halved {self.levels} times",
                fix=f"resize or pad them to {high} x {wide}, or use fewer levels",
            )


class PatchDiscriminator(Module):
    """A discriminator whose logits each judge one patch of a pair of images.

    Args:
        in_channels: of both images together.
        base: channels of the first convolution.
        patch: side of a patch in pixels: 1, 16, 34, 70, 142 or 286.
        norm: class of the normalization.

    Shapes:
        x: (batch, height, width, channels), what was translated
        example: (batch, height, width, channels), a real translation or a made one
        y: (batch, rows, columns, 1) logits: above 0 where the patch looks real

    References:
        See the top of cutaway/models/pix2pix.py.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import PatchDiscriminator
        >>> image = np.zeros((1, 64, 64, 3))
        >>> PatchDiscriminator(base=4, patch=16)(image, image).shape
        (1, 30, 30, 1)
    """

    def __init__(
        self,
        in_channels: int = 6,
        *,
        base: int = 64,
        patch: int = 70,
        norm: type[Module] = InstanceNorm,
    ):
        expect_choice(patch, (1, *PATCHES), what="PatchDiscriminator: patch")
        expect_integer(in_channels, what="PatchDiscriminator: in_channels", least=1)
        self.in_channels, self.patch = in_channels, patch
        if patch == 1:
            layers = [
                _judging(in_channels, base, 1, None),
                _judging(base, 2 * base, 1, norm),
                Conv2d(2 * base, 1, 1, init=_normal),
            ]
        else:
            halvings = PATCHES[patch]
            widths = [base * WIDTHS[min(n, len(WIDTHS) - 1)] for n in range(halvings + 1)]
            layers: list[Module] = [_judging(in_channels, base, 4, None, stride=2)]
            for n, (n_in, n_out) in enumerate(itertools.pairwise(widths), start=1):
                layers.append(_judging(n_in, n_out, 4, norm, stride=2 if n < halvings else 1))
            layers.append(Conv2d(widths[-1], 1, 4, padding=1, init=_normal))
        self.layers = Sequential(*layers)

    def forward(self, x, example):
        for one in (x, example):
            expect_window_axes(one, 2, where=self.label())
        if x.shape[:3] != example.shape[:3]:
            raise ShapeError(
                f"{self.label()}: images of shape {x.shape} and {example.shape}",
                expected="pairs of images of equal height and width",
                fix="resize both to the same size",
            )
        both = ops.concatenate([x, example], axis=-1)
        expect_axis(both, -1, self.in_channels, where=self.label(), name="in_channels")
        return self.layers(both)


def _halving(n_in, n_out, norm) -> list:
    convolution = Conv2d(n_in, n_out, 4, stride=2, padding=1, bias=False, init=_normal)
    return [convolution, *([] if norm is None else [_started(norm(n_out, affine=True))])]


def _judging(n_in, n_out, kernel_size, norm, stride=1) -> Sequential:
    """Convolution, normalization and LeakyReLU of the discriminator."""
    padding = 1 if kernel_size > 1 else 0
    convolution = Conv2d(
        n_in, n_out, kernel_size, stride=stride, padding=padding, bias=norm is None, init=_normal
    )
    norms = [] if norm is None else [_started(norm(n_out, affine=True))]
    return Sequential(convolution, *norms, LeakyReLU(0.2))


def _normal(shape):
    return init.normal(shape, 0.02)


def _started(norm):
    """The normalization with γ drawn from N(1, 0.02)."""
    norm.weight.data = Tensor(1 + init.normal(norm.weight.shape, 0.02)).data
    return norm


def weighted_absolute_error(example, y):
    """100 mean|y - G(x)|: the generator's reconstruction term, with the paper's weight."""
    return 100 * mean_absolute_error(example, y)


def pix2pix_generator(in_channels: int = 3, out_channels: int = 3, **options) -> Pix2PixGenerator:
    """pix2pix's generator. 54,413,955 parameters; 41,828,995 with levels=7.

    Args:
        in_channels, out_channels: of the images.
        options: of Pix2PixGenerator: base, levels, dropout, norm.
    """
    return Pix2PixGenerator(in_channels, out_channels, **options)


def patch_discriminator(in_channels: int = 6, **options) -> PatchDiscriminator:
    """pix2pix's discriminator of patches of 70 x 70. 2,768,705 parameters.

    Args:
        in_channels: of both images together.
        options: of PatchDiscriminator: base, patch, norm.
    """
    return PatchDiscriminator(in_channels, **options)
