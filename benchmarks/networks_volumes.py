"""V-Net for speed.py, in Cutaway and, layer by layer the same, in PyTorch.

Four levels from 8 channels, 3x3x3 convolutions with batch norm, for volumes of 48 x 64 x 48 and
three classes: the size of hippocampus scans. Milletari et al. 2016, arXiv:1606.04797.
"""

import numpy as np

BASE, LEFT, RIGHT, CLASSES = 8, (1, 1, 2, 2), (1, 1, 2), 3
SIZES = (48, 64, 48)


def vnet():
    from cutaway.models import normalized_vnet

    return normalized_vnet(CLASSES, base=BASE, left=LEFT, right=RIGHT, kernel_size=3)


def vnet_torch():
    import torch
    from torch import nn

    def layers(kind, n, m, k, **options):
        return [kind(n, m, k, bias=False, **options), nn.BatchNorm3d(m)]

    def stage(n_in, n, count):
        body = []
        for place in range(count):
            body += layers(nn.Conv3d, n if place else n_in, n, 3, padding=1)
            body.append(nn.PReLU(n))
        return nn.Sequential(*body)

    class VNet(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [BASE * 2**level for level in range(len(LEFT))]
            self.left = nn.ModuleList(
                stage(n if place else 1, n, count)
                for place, (n, count) in enumerate(zip(widths, LEFT, strict=True))
            )
            self.reduce = nn.ModuleList(
                nn.Sequential(*layers(nn.Conv3d, n, 2 * n, 2, stride=2), nn.PReLU(2 * n))
                for n in widths[:-1]
            )
            self.rise, self.right = nn.ModuleList(), nn.ModuleList()
            below = widths[-1]
            for n, count in zip(widths[-2::-1], RIGHT[::-1], strict=True):
                rising = layers(nn.ConvTranspose3d, below, n, 2, stride=2)
                self.rise.append(nn.Sequential(*rising, nn.PReLU(n)))
                self.right.append(stage(2 * n, 2 * n, count))
                below = 2 * n
            self.head = nn.Sequential(
                *layers(nn.Conv3d, below, CLASSES, 3, padding=1),
                nn.PReLU(CLASSES),
                nn.Conv3d(CLASSES, CLASSES, 1),
            )

        def forward(self, x):
            skips = []
            for place, body in enumerate(self.left):
                x = self.reduce[place - 1](x) if place else x
                x = body[-1](body[:-1](x) + x)
                skips.append(x)
            skips.pop()
            for rise, body in zip(self.rise, self.right, strict=True):
                x = torch.cat([rise(x), skips.pop()], 1)
                x = body[-1](body[:-1](x) + x)
            return self.head(x)

    return VNet()


def volumes(rng, batch):
    x = rng.normal(size=(batch, *SIZES, 1)).astype(np.float32)
    return x, rng.integers(0, CLASSES, (batch, *SIZES)).astype(np.int32)
