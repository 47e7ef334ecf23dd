"""Known networks with PyTorch's weights against PyTorch: inference, and steps of fine-tuning.

    python -m benchmarks.speed --known [--rounds 5] [--only NAME,NAME] [--channels-last]
                               [--threads N]

Both sides have the same weights: those that PyTorch drew, read by Cutaway's table of names. Before
anything is timed, their outputs are compared. Inference is what `Trainer.predict` does: the network
in eval mode, compiled; PyTorch runs eagerly in eval and inference mode. A step is forward,
cross-entropy of two classes, backward and Adam on all weights, in train mode.

torchvision, timm and transformers come with the test extra. With --channels-last PyTorch's image
networks and images have that memory format, which its convolutions prefer. With --threads 1, and
`taskset -c 0` before it, both have one core: the fair way where the machine is shared.
"""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.oracles import oracle  # names torchvision's operators, without which nothing imports

ASKED = 1.2
CLASSES = 2  # of a fine-tuned network


@dataclasses.dataclass
class Known:
    """A known network to time.

    Attributes:
        name: what the table calls it.
        batches: sizes to time.
        trains: whether a training step is timed; False: inference.
        ours, theirs: functions that build the network.
        names: Names, from theirs to ours.
        data: function (rng, batch) -> x in Cutaway's layout.
        outputs: function of what theirs returns -> tensor to compare and to train.
    """

    name: str
    batches: tuple
    trains: bool
    ours: Callable
    theirs: Callable
    names: Callable
    data: Callable
    outputs: Callable = lambda out: out

    @property
    def has_images(self):
        return self.data is photographs


def photographs(rng, batch):
    return rng.normal(size=(batch, 224, 224, 3)).astype(np.float32)


def tokens(length):
    def draw(rng, batch):
        return rng.integers(1, 30_000, (batch, length)).astype(np.int32)

    return draw


def _resnet50():
    from cutaway.models import resnet50

    return resnet50()


def _resnet50_torch():
    return oracle("torchvision.models").resnet50(weights=None)


def _resnet_names():
    from cutaway.models import resnet

    return resnet.TORCHVISION


def _bert():
    from cutaway.models import bert_base

    return bert_base()


def _bert_torch():
    transformers = oracle("transformers")
    return transformers.BertModel(transformers.BertConfig(attn_implementation="sdpa"))


def _lite0():
    from cutaway.models import efficientnet_lite0

    return efficientnet_lite0(CLASSES)


def _lite0_torch():
    # Cutaway's has dropout 0.2 before the head
    return oracle("timm").create_model("tf_efficientnet_lite0", num_classes=CLASSES, drop_rate=0.2)


def _lite0_names():
    from cutaway.models import efficientnet

    return efficientnet.TIMM


def _minilm():
    from cutaway.models.bert import MINILM_L6, BertClassifier

    return BertClassifier(CLASSES, MINILM_L6)


def _minilm_torch():
    transformers = oracle("transformers")
    size = transformers.BertConfig(
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        num_labels=CLASSES,
        attn_implementation="sdpa",
    )
    return transformers.BertForSequenceClassification(size)


def _bert_names(kind):
    def names():
        from cutaway.models import bert

        return getattr(bert, kind).names

    return names


CASES = (
    Known(
        "ResNet-50 inference, 224 x 224", (1, 16), False,
        _resnet50, _resnet50_torch, _resnet_names, photographs,
    ),
    Known(
        "BERT-base inference, 128 tokens", (1, 16), False,
        _bert, _bert_torch, _bert_names("Bert"), tokens(128), lambda out: out.pooler_output,
    ),
    Known(
        "EfficientNet-Lite0 fine-tuning, 224 x 224", (16,), True,
        _lite0, _lite0_torch, _lite0_names, photographs,
    ),
    Known(
        "MiniLM-L6 fine-tuning, 64 tokens", (16,), True,
        _minilm, _minilm_torch, _bert_names("BertClassifier"), tokens(64), lambda out: out.logits,
    ),
)  # fmt: skip


class Theirs:
    """PyTorch's network; `call` runs it once."""

    def __init__(self, case, x, y, *, channels_last):
        import torch

        self.torch, self.outputs = torch, case.outputs
        torch.manual_seed(0)
        self.net = case.theirs().eval()
        self.parameters = sum(p.numel() for p in self.net.parameters())
        _move_statistics(self.net)
        if case.has_images:
            self.x = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
            if channels_last:
                self.net = self.net.to(memory_format=torch.channels_last)
                self.x = self.x.contiguous(memory_format=torch.channels_last)
        else:
            self.x = torch.from_numpy(x).long()
        self.y = torch.from_numpy(y).long()
        self.call = self.step if case.trains else self.infer
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-5)

    def weights(self):
        return {name: tensor.numpy() for name, tensor in self.net.state_dict().items()}

    def infer(self):
        with self.torch.inference_mode():
            return self.outputs(self.net(self.x)).numpy()

    def step(self):
        self.optimizer.zero_grad()
        logits = self.outputs(self.net(self.x))
        self.torch.nn.functional.cross_entropy(logits, self.y).backward()
        self.optimizer.step()


class Ours:
    """Cutaway's network; `call` runs it once."""

    def __init__(self, case, x, y, weights):
        import jax

        import cutaway as ct
        from cutaway.weights import load_into

        ct.seed(0)
        self.net = net = case.ours()
        self.parameters = sum(p.size for p in net.parameters())
        load_into(net, weights, case.names())
        net.eval()
        self.x, self.y = jax.device_put(x), jax.device_put(y)
        optimizer = ct.Adam(net, lr=1e-5)
        loss_of = ct.losses.sparse_categorical_cross_entropy_with_logits

        def step(x, y):
            loss = loss_of(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        self._predict = ct.jit(ct.no_grad()(lambda x: net(x)), net, donate=False)
        self._step = ct.jit(step, net, optimizer)
        self.call = self.step if case.trains else self.infer

    def infer(self):
        return self._predict(self.x).numpy()

    def step(self):
        self._step(self.x, self.y).data.block_until_ready()


def _move_statistics(net):
    """Batch norm's running values away from 0 and 1, where a mistake would not show."""
    import torch

    with torch.no_grad():
        for name, tensor in net.named_buffers():
            if name.endswith("running_mean"):
                tensor.uniform_(-0.1, 0.1)
            elif name.endswith("running_var"):
                tensor.uniform_(0.9, 1.1)


def build(case, batch, *, channels_last=False):
    """Both sides of a case, and how far their outputs in eval mode are apart, of the largest."""
    rng = np.random.default_rng(0)
    x, y = case.data(rng, batch), rng.integers(0, CLASSES, batch).astype(np.int32)
    theirs = Theirs(case, x, y, channels_last=channels_last)
    ours = Ours(case, x, y, theirs.weights())
    expected = theirs.infer()
    apart = float(np.abs(ours.infer() - expected).max() / np.abs(expected).max())
    if case.trains:
        ours.net.train()
        theirs.net.train()
    return {"cutaway": ours, "torch": theirs}, apart
