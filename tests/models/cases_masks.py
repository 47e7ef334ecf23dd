"""Networks whose outputs are images: masks, volumes of labels, translated images."""

import numpy as np

import cutaway as ct
from cutaway.models import (
    BackboneUNet,
    BasicBlock,
    PatchDiscriminator,
    Pix2PixGenerator,
    ResNet,
    UNet,
    VNet,
    normalized_vnet,
    padded_unet,
    patch_discriminator,
    pix2pix_generator,
    plain_vnet,
    valid_unet,
)
from tests.models.case import Case

labels = ct.losses.sparse_categorical_cross_entropy_with_logits


def masks(side, out=None, axes=2, channels=1):
    """Blobs with a label at each position, which the image shows."""
    out = side if out is None else out

    def draw(rng):
        y = (rng.normal(size=(2, *(side,) * axes)) > 0.5).astype(np.int64)
        noise = rng.normal(size=(*y.shape, channels))
        x = (y[..., None] + 0.2 * noise).astype(np.float32)
        edge = (side - out) // 2
        middle = (slice(None), *(slice(edge, edge + out),) * axes)
        return x, y[middle]

    return draw


def pairs(rng):
    x = rng.normal(size=(2, 16, 16, 2)).astype(np.float32)
    return x, np.tanh(np.stack([x[..., 0], -x[..., 1], 1 - x[..., 0]], axis=-1))


def judged(rng):
    """Pairs of images, of which every second is real: 1 for each of its 14 x 14 patches."""
    x = rng.normal(size=(4, 32, 32, 1)).astype(np.float32)
    real = (np.arange(4) % 2)[:, None, None, None]
    example = rng.normal(size=(4, 32, 32, 1)) + np.where(real, 1, -1)
    return (x, example.astype(np.float32)), np.broadcast_to(real, (4, 14, 14, 1)).astype("f4")


def square(axes=2, **sides_and_channels):
    return {name: (1, *(side,) * axes, c) for name, (side, c) in sides_and_channels.items()}


CASES = [
    Case("valid_unet", lambda: UNet(2, base=8, levels=3), masks(44, 4), labels,
         square(down1=(40, 8), down2=(16, 16), bottom=(4, 32), up2=(4, 16), up1=(4, 8)),
         valid_unet, 31_030_658, lr=0.01),
    Case("padded_unet", lambda: padded_unet(2, base=8, levels=3), masks(16), labels,
         square(down1=(16, 8), down2=(8, 16), bottom=(4, 32), up2=(8, 16), up1=(16, 8)),
         padded_unet, 31_036_546, lr=0.01),
    Case("3-D U-Net", lambda: padded_unet(2, axes=3, base=4, levels=2),
         masks(8, axes=3), labels, square(3, down1=(8, 4), bottom=(4, 8), up1=(8, 4)),
         lr=0.02, steps=100),
    Case("backbone_unet", lambda: BackboneUNet(ResNet(BasicBlock, (1, 1), widths=(4, 8)), 2,
         widths=(8, 8, 8)), masks(16, channels=3), labels,
         square(stem=(8, 4), stage1=(4, 4), stage2=(2, 8), up3=(4, 8), up2=(8, 8), up1=(16, 8)),
         lr=0.02, steps=100),
    Case("plain_vnet", lambda: VNet(2, base=4, left=(1, 1, 2), right=(1, 2), kernel_size=3),
         masks(8, axes=3), labels,
         square(3, left1=(8, 4), left2=(4, 8), bottom=(2, 16), right2=(4, 16), right1=(8, 8)),
         plain_vnet, 61_982_682, lr=0.003, steps=100),
    Case("normalized_vnet", lambda: normalized_vnet(2, base=4, left=(1, 2), right=(1,),
         kernel_size=3), masks(8, axes=3), labels,
         square(3, left1=(8, 4), bottom=(4, 8), right1=(8, 8)),
         normalized_vnet, 45_600_316, lr=0.02),
    Case("pix2pix_generator", lambda: Pix2PixGenerator(2, 3, base=8, levels=3, dropout=0.0), pairs,
         ct.losses.mean_absolute_error,
         square(down1=(8, 8), down2=(4, 16), down3=(2, 32), up3=(4, 16), up2=(8, 8), up1=(16, 3)),
         pix2pix_generator, 54_413_955, lr=0.01, steps=200),
    Case("patch_discriminator", lambda: PatchDiscriminator(2, base=4, patch=16), judged,
         ct.losses.binary_cross_entropy_with_logits, full=patch_discriminator,
         parameters=2_768_705, lr=0.01),
]  # fmt: skip
