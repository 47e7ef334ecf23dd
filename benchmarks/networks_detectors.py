"""Detectors in PyTorch, layer by layer Cutaway's, with the same loss, for detectors.py.

Convolutions and norms stand in the order of Cutaway's modules, so that weights are copied by it.
"""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def copy_weights(net, theirs):
    """Cutaway's kernels and norms into PyTorch's network, in the order of the modules."""
    from cutaway.nn import BatchNorm, Conv2d

    ours = [m for m in net.modules().values() if isinstance(m, Conv2d | BatchNorm)]
    others = [m for m in theirs.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    assert len(ours) == len(others)
    with torch.no_grad():
        for own, other in zip(ours, others, strict=True):
            kernel = np.asarray(own.weight.data)
            kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel
            other.weight.copy_(torch.tensor(kernel))
            if own.bias is not None:
                other.bias.copy_(torch.tensor(np.asarray(own.bias.data)))
            if isinstance(own, BatchNorm):
                other.running_mean.copy_(torch.tensor(np.asarray(own.running_mean.data)))
                other.running_var.copy_(torch.tensor(np.asarray(own.running_var.data)))
    return theirs


# YOLOv3-tiny


def _layer(n_in, n, size):
    return nn.Sequential(
        nn.Conv2d(n_in, n, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(n, eps=1e-12, momentum=0.01),
        nn.LeakyReLU(0.1),
    )


class TinyYolo(nn.Module):
    """cutaway.models.yolo3_tiny. Gives (batch, rows, columns, 3, 5 + classes) for two maps."""

    def __init__(self, classes=80):
        super().__init__()
        widths = (16, 32, 64, 128, 256, 512)
        first = [_layer(3, 16, 3)]
        for n_in, n in itertools.pairwise(widths[:5]):
            first += [nn.MaxPool2d(2), _layer(n_in, n, 3)]
        self.first = nn.Sequential(*first)
        self.second = nn.Sequential(
            nn.MaxPool2d(2), _layer(256, 512, 3), nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1),
            _layer(512, 1024, 3),
        )  # fmt: skip
        self.neck1 = _layer(1024, 256, 1)
        self.head1 = nn.Sequential(_layer(256, 512, 3), nn.Conv2d(512, 3 * (5 + classes), 1))
        self.rise = _layer(256, 128, 1)
        self.head2 = nn.Sequential(_layer(384, 256, 3), nn.Conv2d(256, 3 * (5 + classes), 1))
        # the pool of stride 1 looks beyond the edge, where -∞ should be
        self.second[2] = nn.ConstantPad2d((0, 1, 0, 1), float("-inf"))

    def forward(self, x):
        large = self.first(x)
        small = self.neck1(self.second(large))
        risen = F.interpolate(self.rise(small), scale_factor=2)
        outs = self.head1(small), self.head2(torch.cat([risen, large], 1))
        return tuple(
            out.view(len(out), 3, -1, *out.shape[2:]).permute(0, 3, 4, 1, 2) for out in outs
        )


class YoloLoss:
    """losses.yolo3_loss for boxes (batch, M, 4) in pixels and classes (batch, M), all there."""

    def __init__(self, priors, heads, size, ignore=0.7):
        self.priors = torch.tensor(np.asarray(priors), dtype=torch.float32)
        self.heads, self.size, self.ignore = [list(head) for head in heads], size, ignore

    def __call__(self, maps, boxes, classes):
        from torchvision.ops import box_iou

        batch = len(classes)
        sides, middles = boxes[..., 2:] - boxes[..., :2], (boxes[..., 2:] + boxes[..., :2]) / 2
        both = torch.minimum(sides[:, :, None], self.priors).prod(-1)
        best = (both / (sides.prod(-1)[..., None] + self.priors.prod(-1) - both)).argmax(-1)
        total = 0.0
        for raw, head in zip(maps, self.heads, strict=True):
            rows, columns = raw.shape[1:3]
            stride = self.size / rows
            own = self.priors[head]
            cell = torch.stack(
                torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy"), -1
            )
            with torch.no_grad():
                center = (cell[:, :, None] + torch.sigmoid(raw[..., :2])) * stride
                half = own * torch.exp(raw[..., 2:4]) / 2
                decoded = torch.cat([center - half, center + half], -1).view(batch, -1, 4)
                free = torch.stack(
                    [
                        box_iou(a, b).amax(1) <= self.ignore
                        for a, b in zip(decoded, boxes, strict=True)
                    ]
                ).view(raw.shape[:4])
            image, truth, prior = (best[..., None] == torch.tensor(head)).nonzero().unbind(1)
            place = middles[image, truth] / stride
            column, row = place.long().unbind(1)
            chosen = raw[image, row, column, prior]
            wanted = sides[image, truth]
            weight = (2 - wanted.prod(-1) / self.size**2)[:, None]
            entropy = F.binary_cross_entropy_with_logits
            at = place - place.floor()
            total = total + (entropy(chosen[:, :2], at, reduction="none") * weight).sum()
            apart = chosen[:, 2:4] - torch.log(wanted / own[prior])
            total = total + (apart**2 * weight).sum() / 2
            kinds = F.one_hot(classes[image, truth], raw.shape[-1] - 5).float()
            total = total + entropy(chosen[:, 5:], kinds, reduction="sum")
            there = torch.zeros(raw.shape[:4])
            there[image, row, column, prior] = 1
            counts = free | (there > 0)
            each = entropy(raw[..., 4], there, reduction="none")
            total = total + (each * counts).sum()
        return total / batch


# SSD on MobileNetV2


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding: one more at the end where it is uneven."""

    def forward(self, x):
        size, stride = self.kernel_size[0], self.stride[0]
        if size == 1:
            return super().forward(x)
        total = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[2:]]
        if all(n % 2 == 0 for n in total):
            half = (total[0] // 2, total[1] // 2)
            return F.conv2d(x, self.weight, None, self.stride, half, groups=self.groups)
        high, wide = total
        x = F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return F.conv2d(x, self.weight, None, self.stride, groups=self.groups)


def _same(n_in, n, size, stride=1, groups=1, activation=True):
    layers = [SameConv(n_in, n, size, stride, groups=groups, bias=False)]
    layers.append(nn.BatchNorm2d(n, eps=1e-3))
    return nn.Sequential(*layers, *([nn.ReLU6()] if activation else []))


class Block(nn.Module):
    def __init__(self, n_in, n, widen, stride):
        super().__init__()
        inner = n_in * widen
        self.expand = _same(n_in, inner, 1) if widen > 1 else nn.Identity()
        self.depthwise = _same(inner, inner, 3, stride, groups=inner)
        self.project = _same(inner, n, 1, activation=False)
        self.adds = stride == 1 and n_in == n

    def forward(self, x):
        return self.narrow(self.expand(x), x)

    def narrow(self, wide, x):
        y = self.project(self.depthwise(wide))
        return x + y if self.adds else y


class MobileSSD(nn.Module):
    """cutaway.models.ssd_mobilenet. Gives (codes (batch, N, 4), logits (batch, N, outputs))."""

    def __init__(self, outputs=24):
        super().__init__()
        from cutaway.models.mobilenet import TABLE
        from cutaway.models.ssd import MOBILE_EXTRAS

        self.stem = _same(3, 32, 3, 2)
        blocks, n = [], 32
        for place, (widen, width, count, stride) in enumerate(TABLE, 1):
            if place == 6:
                self.cut = len(blocks)
            for k in range(count):
                blocks.append(Block(n, width, widen, 1 if k else stride))
                n = width
        self.blocks = nn.ModuleList(blocks)
        self.top = _same(n, 1280, 1)
        extras, n = [], 1280
        for narrow, width in MOBILE_EXTRAS:
            extras.append(nn.Sequential(_same(n, narrow, 1), _same(narrow, width, 3, 2)))
            n = width
        self.extras = nn.ModuleList(extras)
        heads, self.outputs = [], outputs
        for place, width in enumerate((576, 1280, 512, 256, 256, 128)):
            count = 6 if place else 3
            heads += [nn.Conv2d(width, count * 4, 1), nn.Conv2d(width, count * outputs, 1)]
        self.heads = nn.ModuleList(heads)

    def forward(self, x):
        x, maps = self.stem(x), []
        for place, block in enumerate(self.blocks):
            if place == self.cut:
                wide = block.expand(x)
                maps.append(wide)
                x = block.narrow(wide, x)
            else:
                x = block(x)
        maps.append(self.top(x))
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        found = [], []
        for k, own in enumerate(maps):
            for place, count in enumerate((4, self.outputs)):
                out = self.heads[2 * k + place](own).permute(0, 2, 3, 1)
                found[place].append(out.reshape(len(out), -1, count))
        return tuple(torch.cat(parts, 1) for parts in found)


class SSDLoss:
    """torchvision's loss of an SSD, with these priors (N, 4) x1 y1 x2 y2 in pixels."""

    def __init__(self, priors):
        from types import SimpleNamespace

        from torchvision.models.detection import _utils, ssd

        self.priors = torch.tensor(np.asarray(priors))
        self.matcher = _utils.SSDMatcher(0.5)
        coder = _utils.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
        self.parts = SimpleNamespace(box_coder=coder, neg_to_pos_ratio=3)
        self.compute = ssd.SSD.compute_loss

    def __call__(self, codes, logits, boxes, classes):
        from torchvision.ops import box_iou

        matched = [self.matcher(box_iou(own, self.priors)) for own in boxes]
        targets = [
            {"boxes": own, "labels": kinds + 1} for own, kinds in zip(boxes, classes, strict=True)
        ]
        heads = {"bbox_regression": codes, "cls_logits": logits}
        terms = self.compute(self.parts, targets, heads, [self.priors] * len(boxes), matched)
        return sum(terms.values())
