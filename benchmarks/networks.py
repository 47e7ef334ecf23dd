"""The networks of speed.py, each twice: in Cutaway and, layer by layer the same, in PyTorch.

networks_flax.py and networks_keras.py hold the same networks in Flax and Keras.

A case is (name, batch, asked, ours, theirs, data): `ours()` and `theirs()` build the networks,
`data(rng)` gives one batch in Cutaway's layout, features last. They end in class scores, and the
loss is the cross-entropy of them, over all positions where there are several; but the two networks
of pix2pix make an adversarial step (networks_adversarial.py).
"""

import dataclasses
from collections.abc import Callable
from types import ModuleType

import numpy as np

from benchmarks import networks_adversarial, networks_volumes


@dataclasses.dataclass
class Case:
    """A network to time.

    Attributes:
        name: what the table calls it.
        batch: rows a step.
        asked: times PyTorch eager that a training step was asked to reach.
        ours, theirs: functions that build the network.
        data: function (rng, batch) -> x, labels.
        channels_first: whether PyTorch wants x's last axis second.
    """

    name: str
    batch: int
    asked: float
    ours: Callable
    theirs: Callable
    data: Callable
    channels_first: bool = True
    steps: ModuleType | None = None  # with its own `step_of_ours` and `step_of_theirs`


def images(size, channels, classes=10):
    def draw(rng, batch):
        x = rng.normal(size=(batch, size, size, channels)).astype(np.float32)
        return x, rng.integers(0, classes, batch).astype(np.int32)

    return draw


# parameters more than Cutaway's: PyTorch adds two biases to each gate, of which one would do
APART = {"LSTM 2 x 128": 2 * 4 * 128, "character GRU 256": 2 * 256}


# LeNet-like: two convolutions, two pools, three dense layers


def lenet():
    import cutaway as ct

    return ct.Sequential(
        ct.Conv2d(1, 6, 5, padding=2), ct.ReLU(), ct.MaxPool(2),
        ct.Conv2d(6, 16, 5), ct.ReLU(), ct.MaxPool(2),
        ct.Flatten(),
        ct.Linear(400, 120), ct.ReLU(), ct.Linear(120, 84), ct.ReLU(), ct.Linear(84, 10),
    )  # fmt: skip


def lenet_torch():
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


# ResNet-18 with the stem for 32 x 32 images. He et al. 2016, arXiv:1512.03385

RESNET = ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1),
          (256, 512, 2), (512, 512, 1))  # fmt: skip


def resnet18():
    import cutaway as ct

    def block(n_in, n_out, stride):
        body = ct.Sequential(
            ct.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
            ct.BatchNorm(n_out),
            ct.ReLU(),
            ct.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            ct.BatchNorm(n_out),
        )
        if stride == 1 and n_in == n_out:
            return ct.Sequential(ct.Residual(body), ct.ReLU())
        way = ct.Sequential(
            ct.Conv2d(n_in, n_out, 1, stride=stride, bias=False), ct.BatchNorm(n_out)
        )
        return ct.Sequential(ct.Add(body, way), ct.ReLU())

    return ct.Sequential(
        ct.Conv2d(3, 64, 3, padding=1, bias=False), ct.BatchNorm(64), ct.ReLU(),
        *(block(*sizes) for sizes in RESNET), ct.GlobalAvgPool(), ct.Linear(512, 10),
    )  # fmt: skip


def resnet18_torch():
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, n_in, n_out, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
                nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
                nn.BatchNorm2d(n_out),
            )
            same = stride == 1 and n_in == n_out
            self.way = nn.Identity() if same else nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )  # fmt: skip

        def forward(self, x):
            return torch.relu(self.body(x) + self.way(x))

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        *(Block(*sizes) for sizes in RESNET),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


# Depthwise-separable: Howard et al. 2017, arXiv:1704.04861, table 1, for 32 x 32 images

SEPARABLE = ((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2),
             (512, 512, 1), (512, 512, 1), (512, 512, 1))  # fmt: skip


def mobilenet():
    import cutaway as ct

    layers = [ct.Conv2d(3, 32, 3, padding=1, bias=False), ct.BatchNorm(32), ct.ReLU()]
    for n_in, n_out, stride in SEPARABLE:
        layers += [
            ct.Conv2d(n_in, n_in, 3, stride=stride, padding=1, groups=n_in, bias=False),
            ct.BatchNorm(n_in),
            ct.ReLU(),
            ct.Conv2d(n_in, n_out, 1, bias=False),
            ct.BatchNorm(n_out),
            ct.ReLU(),
        ]
    return ct.Sequential(*layers, ct.GlobalAvgPool(), ct.Linear(512, 10))


def mobilenet_torch():
    from torch import nn

    layers = [nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    for n_in, n_out, stride in SEPARABLE:
        layers += [
            nn.Conv2d(n_in, n_in, 3, stride, 1, groups=n_in, bias=False),
            nn.BatchNorm2d(n_in),
            nn.ReLU(),
            nn.Conv2d(n_in, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


# U-Net: Ronneberger et al. 2015, arXiv:1505.04597, with "same" padding; 4 levels, 2 classes

LEVELS = (32, 64, 128, 256)


def unet():
    import cutaway as ct

    def double(n_in, n_out):
        return ct.Sequential(
            ct.Conv2d(n_in, n_out, 3, padding=1), ct.ReLU(),
            ct.Conv2d(n_out, n_out, 3, padding=1), ct.ReLU(),
        )  # fmt: skip

    class UNet(ct.Module):
        def __init__(self):
            sizes = (3, *LEVELS)
            self.down = [double(a, b) for a, b in zip(sizes, LEVELS, strict=False)]
            self.pool = ct.MaxPool(2)
            self.bottom = double(LEVELS[-1], 2 * LEVELS[-1])
            self.up = [ct.ConvTranspose2d(2 * n, n, 2, stride=2) for n in reversed(LEVELS)]
            self.merge = [double(2 * n, n) for n in reversed(LEVELS)]
            self.head = ct.Conv2d(LEVELS[0], 2, 1)

        def forward(self, x):
            skips = []
            for stage in self.down:
                skips.append(stage(x))
                x = self.pool(skips[-1])
            x = self.bottom(x)
            for up, merge, skip in zip(self.up, self.merge, reversed(skips), strict=True):
                x = merge(ct.ops.concatenate([skip, up(x)], axis=-1))
            return self.head(x)

    return UNet()


def unet_torch():
    import torch
    from torch import nn

    def double(n_in, n_out):
        return nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1), nn.ReLU(),
        )  # fmt: skip

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = (3, *LEVELS)
            self.down = nn.ModuleList(double(a, b) for a, b in zip(sizes, LEVELS, strict=False))
            self.pool = nn.MaxPool2d(2)
            self.bottom = double(LEVELS[-1], 2 * LEVELS[-1])
            self.up = nn.ModuleList(nn.ConvTranspose2d(2 * n, n, 2, 2) for n in reversed(LEVELS))
            self.merge = nn.ModuleList(double(2 * n, n) for n in reversed(LEVELS))
            self.head = nn.Conv2d(LEVELS[0], 2, 1)

        def forward(self, x):
            skips = []
            for stage in self.down:
                skips.append(stage(x))
                x = self.pool(skips[-1])
            x = self.bottom(x)
            for up, merge, skip in zip(self.up, self.merge, reversed(skips), strict=True):
                x = merge(torch.cat([skip, up(x)], 1))
            return self.head(x)

    return UNet()


def masks(rng, batch):
    x = rng.normal(size=(batch, 128, 128, 3)).astype(np.float32)
    return x, rng.integers(0, 2, (batch, 128, 128)).astype(np.int32)


# recurrent


def lstm():
    import cutaway as ct

    class Net(ct.Module):
        def __init__(self):
            self.lstm = ct.LSTM(128, 128, num_layers=2)
            self.head = ct.Linear(128, 10)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    return Net()


def lstm_torch():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(128, 128, num_layers=2, batch_first=True)
            self.head = nn.Linear(128, 10)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    return Net()


def sequences(rng, batch):
    x = rng.normal(size=(batch, 100, 128)).astype(np.float32)
    return x, rng.integers(0, 10, batch).astype(np.int32)


def gru():
    import cutaway as ct

    class Net(ct.Module):
        def __init__(self):
            self.embedding = ct.Embedding(65, 64)
            self.gru = ct.GRU(64, 256)
            self.head = ct.Linear(256, 65)

        def forward(self, x):
            return self.head(self.gru(self.embedding(x))[0])

    return Net()


def gru_torch():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(65, 64)
            self.gru = nn.GRU(64, 256, batch_first=True)
            self.head = nn.Linear(256, 65)

        def forward(self, x):
            return self.head(self.gru(self.embedding(x))[0]).movedim(-1, 1)

    return Net()


def characters(rng, batch):
    text = rng.integers(0, 65, (batch, 129)).astype(np.int32)
    return text[:, :-1], text[:, 1:]


# transformer encoder


def transformer():
    import cutaway as ct

    class Net(ct.Module):
        def __init__(self):
            self.encoder = ct.TransformerEncoder(
                256, num_heads=8, hidden_features=1024, num_layers=4, dropout=0.0
            )
            self.head = ct.Linear(256, 10)

        def forward(self, x):
            return self.head(self.encoder(x).mean(axis=1))

    return Net()


def transformer_torch():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(
                256, 8, 1024, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            norm = nn.LayerNorm(256)
            self.encoder = nn.TransformerEncoder(layer, 4, norm, enable_nested_tensor=False)
            self.head = nn.Linear(256, 10)

        def forward(self, x):
            return self.head(self.encoder(x).mean(dim=1))

    return Net()


def tokens(rng, batch):
    x = rng.normal(size=(batch, 128, 256)).astype(np.float32)
    return x, rng.integers(0, 10, batch).astype(np.int32)


# WaveNet: van den Oord et al. 2016, arXiv:1609.03499; gated residual blocks, dilations 1 to 512

DILATIONS = tuple(2**i for i in range(10)) * 2


def wavenet():
    import cutaway as ct

    class Block(ct.Module):
        def __init__(self, dilation):
            self.gated = ct.Conv1d(64, 128, 2, dilation=dilation, padding="causal")
            self.out = ct.Conv1d(64, 128, 1)

        def forward(self, x):
            z = self.gated(x)
            y = self.out(ct.ops.tanh(z[..., :64]) * ct.ops.sigmoid(z[..., 64:]))
            return x + y[..., :64], y[..., 64:]

    class WaveNet(ct.Module):
        def __init__(self):
            self.first = ct.Conv1d(1, 64, 1)
            self.blocks = [Block(d) for d in DILATIONS]
            self.head = ct.Sequential(
                ct.ReLU(), ct.Conv1d(64, 64, 1), ct.ReLU(), ct.Conv1d(64, 256, 1)
            )

        def forward(self, x):
            x = self.first(x)
            total = 0
            for block in self.blocks:
                x, skip = block(x)
                total = skip + total
            return self.head(total)

    return WaveNet()


def wavenet_torch():
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, dilation):
            super().__init__()
            self.pad = dilation
            self.gated = nn.Conv1d(64, 128, 2, dilation=dilation)
            self.out = nn.Conv1d(64, 128, 1)

        def forward(self, x):
            z = self.gated(nn.functional.pad(x, (self.pad, 0)))
            y = self.out(torch.tanh(z[:, :64]) * torch.sigmoid(z[:, 64:]))
            return x + y[:, :64], y[:, 64:]

    class WaveNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv1d(1, 64, 1)
            self.blocks = nn.ModuleList(Block(d) for d in DILATIONS)
            self.head = nn.Sequential(
                nn.ReLU(), nn.Conv1d(64, 64, 1), nn.ReLU(), nn.Conv1d(64, 256, 1)
            )

        def forward(self, x):
            x = self.first(x)
            total = 0
            for block in self.blocks:
                x, skip = block(x)
                total = total + skip
            return self.head(total)

    return WaveNet()


def samples(rng, batch):
    x = rng.normal(size=(batch, 4096, 1)).astype(np.float32)
    return x, rng.integers(0, 256, (batch, 4096)).astype(np.int32)


CASES = [
    Case("LeNet-like CNN", 128, 2.0, lenet, lenet_torch, images(28, 1)),
    Case("ResNet-18", 32, 1.2, resnet18, resnet18_torch, images(32, 3)),
    Case("depthwise-separable CNN", 32, 1.5, mobilenet, mobilenet_torch, images(32, 3)),
    Case("U-Net", 4, 1.2, unet, unet_torch, masks),
    Case("V-Net, 48 x 64 x 48", 2, 1.2, networks_volumes.vnet, networks_volumes.vnet_torch,
         networks_volumes.volumes),
    Case("pix2pix, 128 x 128", 4, 1.2, networks_adversarial.ours, networks_adversarial.theirs,
         networks_adversarial.pairs, steps=networks_adversarial),
    Case("LSTM 2 x 128", 64, 1.2, lstm, lstm_torch, sequences, channels_first=False),
    Case("character GRU 256", 32, 1.2, gru, gru_torch, characters, channels_first=False),
    Case("transformer encoder", 16, 1.2, transformer, transformer_torch, tokens,
         channels_first=False),
    Case("WaveNet", 2, 1.5, wavenet, wavenet_torch, samples),
]  # fmt: skip
