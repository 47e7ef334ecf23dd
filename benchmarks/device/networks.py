"""The networks that are timed on a GPU, each in Cutaway and in PyTorch.

A case has two sizes: the one that is measured, and a tiny one by which the script is tried out.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from benchmarks import networks
from tests.oracles import oracle  # imports torchvision also beside a CPU torch


@dataclasses.dataclass
class Case:
    """A network to time.

    Attributes:
        name: what the tables call it.
        precision: of products, on both sides.
        ours, theirs: functions that build the network.
        data: function (rng) -> (x, y) of a batch, in Cutaway's layout, features last.
        loss: "classes" (cross-entropy of class scores) or "squares" (mean squared error).
        is_images: whether PyTorch gets x as (batch, channels, height, width), channels last in
            memory; for signals (batch, channels, time).
        flops: of a step; None: counted by PyTorch.
        epoch: rows of a whole epoch that is run as one call, or None for a step a call.
        batch_size: rows of a batch.
        compiles: whether torch.compile is tried, in the time that is left.
        seconds: that it needs in all, about, compiling included.
    """

    name: str
    precision: str
    ours: Callable
    theirs: Callable
    data: Callable
    batch_size: int
    loss: str = "classes"
    is_images: bool = False
    flops: float | None = None
    epoch: int | None = None
    compiles: bool = False
    seconds: float = 20.0


def cases(tiny: bool = False) -> list[Case]:
    """All cases, in the order in which they are run."""
    return [
        _resnet50(tiny), _bert(tiny), _attention_block(tiny), _lstm(tiny), _wavenet(tiny),
        _unet(tiny), _wide(tiny), _digits(tiny), _smallest(tiny),
    ]  # fmt: skip


def _resnet50(tiny):
    batch, size, layers = (2, 32, 18) if tiny else (256, 224, 50)

    def ours():
        from cutaway import models

        return getattr(models, f"resnet{layers}")(1000)

    def theirs():
        return getattr(oracle("torchvision.models"), f"resnet{layers}")(weights=None)

    return Case(
        f"ResNet-{layers}, {batch} x {size} px", "bfloat16", ours, theirs,
        lambda rng: networks.images(size, 3, 1000)(rng, batch), batch,
        is_images=True, compiles=True, seconds=50,
    )  # fmt: skip


BERT_SIZES = {  # features, layers, heads, hidden
    True: (32, 1, 2, 64),
    False: (768, 12, 12, 3072),
}


def _bert(tiny):
    batch, length = (2, 8) if tiny else (64, 128)
    features, layers, heads, hidden = BERT_SIZES[tiny]

    def ours():
        from cutaway.models.bert import BertClassifier, BertSize

        size = BertSize(
            features=features, num_layers=layers, num_heads=heads, hidden_features=hidden
        )
        return BertClassifier(2, size)

    def theirs():
        transformers = oracle("transformers")
        size = transformers.BertConfig(
            hidden_size=features,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=hidden,
            num_labels=2,
            attn_implementation="sdpa",
        )
        return transformers.BertForSequenceClassification(size)

    def data(rng):
        x = rng.integers(1, 30_000, (batch, length)).astype(np.int32)
        return x, rng.integers(0, 2, batch).astype(np.int32)

    return Case(
        f"BERT-base step, {batch} x {length}", "bfloat16", ours, theirs, data, batch,
        compiles=True, seconds=40,
    )  # fmt: skip


def _attention_block(tiny):
    batch, length, features, heads = (1, 16, 32, 2) if tiny else (4, 4096, 1024, 16)

    def ours():
        import cutaway as ct

        return ct.TransformerEncoderLayer(
            features, num_heads=heads, hidden_features=4 * features, dropout=0.0, causal=True
        )

    def theirs():
        return causal_block_torch(features, heads)

    def data(rng):
        shape = (batch, length, features)
        x, y = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
        return x, y

    # products: 12 features² a token; attention: two of queries x keys, half of them causal
    tokens = batch * length
    flops = 3 * 2 * tokens * (12 * features**2 + length * features)
    return Case(
        f"GPT-like block, {batch} x {length} tokens", "bfloat16", ours, theirs, data, batch,
        loss="squares", flops=flops, compiles=True,
    )  # fmt: skip


def causal_block_torch(features, heads):
    """A pre-norm transformer layer with causal attention, by scaled_dot_product_attention."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norms = nn.ModuleList(nn.LayerNorm(features) for _ in range(2))
            self.query_key_value = nn.Linear(features, 3 * features)
            self.out = nn.Linear(features, features)
            self.up = nn.Linear(features, 4 * features)
            self.down = nn.Linear(4 * features, features)

        def forward(self, x):
            batch, length, _ = x.shape
            qkv = self.query_key_value(self.norms[0](x)).chunk(3, dim=-1)
            q, k, v = (a.view(batch, length, heads, -1).transpose(1, 2) for a in qkv)
            out = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(out.transpose(1, 2).reshape(batch, length, features))
            return x + self.down(torch.nn.functional.gelu(self.up(self.norms[1](x))))

    return Block()


def _lstm(tiny):
    batch, time, features = (2, 5, 8) if tiny else (128, 100, 512)

    def ours():
        import cutaway as ct

        class Net(ct.Module):
            def __init__(self):
                self.lstm = ct.LSTM(features, features, num_layers=2)
                self.head = ct.Linear(features, 10)

            def forward(self, x):
                return self.head(self.lstm(x)[0][:, -1])

        return Net()

    def theirs():
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(features, features, num_layers=2, batch_first=True)
                self.head = nn.Linear(features, 10)

            def forward(self, x):
                return self.head(self.lstm(x)[0][:, -1])

        return Net()

    def data(rng):
        x = rng.normal(size=(batch, time, features)).astype(np.float32)
        return x, rng.integers(0, 10, batch).astype(np.int32)

    flops = 3 * 2 * batch * time * 2 * 8 * features**2
    return Case(
        f"LSTM 2 x {features}, {batch} x {time} steps", "bfloat16", ours, theirs, data, batch,
        flops=flops,
    )  # fmt: skip


def _wavenet(tiny):
    batch, length = (1, 64) if tiny else (8, 16_384)

    def data(rng):
        x = rng.normal(size=(batch, length, 1)).astype(np.float32)
        return x, rng.integers(0, 256, (batch, length)).astype(np.int32)

    return Case(
        f"WaveNet, {batch} x {length} samples", "bfloat16", networks.wavenet,
        networks.wavenet_torch, data, batch, is_images=True,
    )  # fmt: skip


def _unet(tiny):
    batch, size = (1, 32) if tiny else (32, 256)

    def data(rng):
        x = rng.normal(size=(batch, size, size, 3)).astype(np.float32)
        return x, rng.integers(0, 2, (batch, size, size)).astype(np.int32)

    return Case(
        f"U-Net, {batch} x {size} px", "bfloat16", networks.unet, networks.unet_torch, data, batch,
        is_images=True, seconds=25,
    )  # fmt: skip


def _perceptron(sizes):
    def ours():
        import cutaway as ct

        return ct.models.mlp(sizes)

    def theirs():
        from torch import nn

        layers = []
        for n_in, n_out in itertools.pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return ours, theirs


def _dense_flops(sizes, batch):
    products = [a * b for a, b in itertools.pairwise(sizes)]
    return 2 * batch * (3 * sum(products) - products[0])


def _wide(tiny):
    width, batch = (16, 8) if tiny else (4096, 8192)
    sizes = (width,) * 3

    def data(rng):
        return tuple(rng.normal(size=(batch, width)).astype(np.float32) for _ in range(2))

    return Case(
        f"MLP {'-'.join(map(str, sizes))}, batch {batch}", "bfloat16", *_perceptron(sizes), data,
        batch, loss="squares", flops=_dense_flops(sizes, batch),
    )  # fmt: skip


def _digits(tiny):
    sizes, batch, rows = (784, 512, 256, 10), 128, 256 if tiny else 60_000
    return _epochs(sizes, batch, rows, "classes", 10)


def _smallest(tiny):
    sizes, batch, rows = (4, 3, 2, 1), 32, 128 if tiny else 6_400
    return _epochs(sizes, batch, rows, "squares", None)


def _epochs(sizes, batch, rows, loss, classes):
    def data(rng):
        x = rng.normal(size=(rows, sizes[0])).astype(np.float32)
        if classes is None:
            return x, rng.normal(size=(rows, 1)).astype(np.float32)
        return x, rng.integers(0, classes, rows).astype(np.int32)

    return Case(
        f"MLP {'-'.join(map(str, sizes))}, epochs of {rows:,} rows", "float32",
        *_perceptron(sizes), data, batch, loss=loss, flops=_dense_flops(sizes, batch), epoch=rows,
    )  # fmt: skip
