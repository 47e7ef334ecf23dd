"""Transfer learning: a pretrained backbone with a new head.

    x → inputs → body: stage, stage, ..., pool → features → head → y
                 frozen up to a stage, or entirely

Yosinski et al. 2014, "How transferable are features in deep neural networks?", arXiv:1411.1792;
layer-wise learning rates and gradual unfreezing: Howard & Ruder 2018, "Universal language model
fine-tuning", arXiv:1801.06146, sec. 3.2 and 3.3.
"""

import copy
from typing import Any, overload

import numpy as np

from cutaway.engine import as_array, no_grad
from cutaway.errors import OptionError, ShapeError, expect_range, expect_type
from cutaway.models.backbone import Backbone
from cutaway.nn import BatchNorm, Identity, Module, in_mode, jit

BATCH_SIZE = 32
# padded lengths of texts: each compiles a program, so there are few
LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


class Transfer(Module):
    """A pretrained backbone and a new head. Made by `transfer`.

    Attributes:
        inputs: Module before the body, for example the scaling that it was trained with.
        body: Backbone without its own head.
        head: Module, features -> outputs.
        frozen: names of the frozen stages.
        batch_statistics: whether batch norms of unfrozen stages update their running statistics.
    """

    def __init__(self, body: Backbone, head: Module, *, inputs=None, batch_statistics=False):
        self.inputs = inputs
        self.body = copy.copy(body)  # its stages are the same objects
        self.body.head = Identity()
        self.head = head
        self.batch_statistics = batch_statistics
        self.frozen: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages of the body."""
        return self.body.stages

    @property
    def num_features(self) -> int:
        """Number of features that the head reads."""
        return self.body.num_features

    def maps(self, x, *others) -> dict:
        """{stage: its output}."""
        return self.body.maps(self._scaled(x), *others)

    def features(self, x, *others):
        """The input of the head."""
        return self.body.features(self._scaled(x), *others)

    def forward(self, x, *others):
        return self.head(self.features(x, *others))

    def _scaled(self, x):
        return x if self.inputs is None else self.inputs(x)

    def unfreeze_from(self, stage: str) -> "Transfer":
        """Train `stage` and all later ones, freeze all earlier ones; returns self.

        Frozen stages keep their weights and stay in evaluation mode, also after `train()`: running
        statistics do not change and nothing is dropped out. No gradient is computed for them.

        In trained stages, batch norms learn γ and β but also stay in evaluation mode unless
        `batch_statistics`: the mean and variance of a small batch are worse than those of the
        millions of examples the network was pretrained on.

        Args:
            stage: one of `stages`, or "head": freezes the whole body, including its pool.

        Raises:
            OptionError: no such stage.
        """
        before = self.body.stages_before(stage)
        for module in self.body.modules().values():
            self._set_frozen(module, False)
        self.body.unfreeze()
        if stage == "head":
            self.body.freeze()
            parts = [self.body]
        else:
            groups = self.body.groups()
            for name in before:
                for parameter in groups[name]:
                    parameter.requires_grad = False
            parts = [getattr(self.body, name) for name in before]
        for part in parts:
            for module in part.modules().values():
                self._set_frozen(module, True)
        if not self.batch_statistics:
            for module in self.body.modules().values():
                if isinstance(module, BatchNorm):
                    self._set_frozen(module, True)
        self.frozen = before
        self.head.unfreeze()
        return self

    def _set_frozen(self, module, frozen: bool):
        module.stays_in_eval = frozen
        module.training = self.training and not frozen

    def rates(self, decay: float = 0.5) -> dict:
        """Layer-wise factors on the learning rate, for `groups` of an optimizer over this network.

        The head has factor 1, the last stage `decay`, the one before it `decay`², and so on.

        Example:
            >>> import cutaway as ct
            >>> from cutaway.models import BasicBlock, ResNet
            >>> net = ct.transfer(ResNet(BasicBlock, (1, 1), widths=(4, 8)), ct.Linear(8, 2))
            >>> optimizer = ct.AdamW(net, 1e-3, groups=net.rates(0.5))
            >>> net.rates()["body.stem.0.weight"]
            0.125
        """
        expect_range(decay, what="layer-wise decay of the learning rate", above=0, most=1)
        paths = {id(p): path for path, p in self.named_parameters().items()}
        groups = {name: ps for name, ps in self.body.groups().items() if name != "head"}
        return {
            paths[id(parameter)]: decay ** (len(groups) - depth)
            for depth, parameters in enumerate(groups.values())
            for parameter in parameters
        }


def transfer(
    backbone: Backbone,
    head: Module,
    freeze: bool | str = True,
    *,
    inputs: Module | None = None,
    batch_statistics: bool = False,
) -> Transfer:
    """A network with the body of `backbone` and a new head.

    The stages are shared with `backbone`, not copied: training or freezing them here changes them
    there too; pass `copy.deepcopy(backbone)` to keep it unchanged.

    Args:
        backbone: a Backbone with its weights; its own head is not used.
        head: Module, (batch, backbone.num_features) -> outputs, for example Linear(1280, 2).
        freeze: True: the whole body; False: nothing; or the name of a stage: all stages before it.
        inputs: Module applied to the inputs first, for example Standardize.
        batch_statistics: whether batch norms in trained stages update their running statistics;
            by default they keep the pretrained ones. See `Transfer.unfreeze_from`.

    Raises:
        OptionError: not a Backbone, or no such stage.
        ShapeError: a head that does not match the number of features.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.models import BasicBlock, ResNet
        >>> body = ResNet(BasicBlock, (1, 1), widths=(4, 8))
        >>> net = ct.transfer(body, ct.Linear(8, 2))
        >>> [path for path, p in net.named_parameters().items() if p.requires_grad]
        ['head.weight', 'head.bias']
        >>> net.unfreeze_from("stage2").frozen
        ('stem', 'stage1')
    """
    if not isinstance(backbone, Backbone):
        raise OptionError(
            f"transfer: the backbone is a {type(backbone).__name__}",
            expected="a Backbone: a network with named stages",
            fix="use one of cutaway.models, or derive yours from models.Backbone",
        )
    wanted = getattr(getattr(head, "weight", None), "shape", None)
    if wanted is not None and wanted[0] != backbone.num_features:
        raise ShapeError(
            f"transfer: the head takes {wanted[0]} features",
            expected=f"{backbone.num_features}, the number of features of "
            f"{type(backbone).__name__}",
            fix=f"build the head with {backbone.num_features} input features",
        )
    net = Transfer(backbone, head, inputs=inputs, batch_statistics=batch_statistics)
    if isinstance(freeze, str):
        return net.unfreeze_from(freeze)
    return net.unfreeze_from("head" if freeze else net.stages[0])


@overload
def features_of(
    net: Module, x: np.ndarray, *, batch_size: int | None = None, progress=None
) -> np.ndarray: ...


@overload
def features_of(net: Module, x, *, batch_size: int | None = None, progress=None) -> Any: ...


def features_of(net, x, *, batch_size: int | None = None, progress=None):
    """Features (the input of the head) of `net` for every row, in evaluation mode: (rows, ...).

    With a frozen body and no augmentation they are the same in every epoch: compute them once and
    train only the head on them.

    Args:
        net: a Backbone or a Transfer.
        x: (rows, ...) inputs; or a stream with `.rows` and `.blocks(seed)`. For a stream the
            result is (features, targets), in the order of its blocks. Integer rows are token ids,
            padded with 0 at the end, and are batched by length.
        batch_size: rows at a time.
        progress: function (done, rows) called after each batch, or None.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.models import BasicBlock, ResNet
        >>> body = ResNet(BasicBlock, (1, 1), widths=(4, 8))
        >>> ct.features_of(body, np.ones((3, 16, 16, 3), np.float32)).shape
        (3, 8)
    """
    expect_type(
        net, Backbone | Transfer, what="features_of: net", expected="a Backbone or a Transfer"
    )
    batch_size = BATCH_SIZE if batch_size is None else batch_size
    expect_range(batch_size, what="batch_size", least=1)
    program = jit(lambda x: net.features(x), net, donate=False)
    with in_mode(net, False), no_grad():
        if not hasattr(x, "blocks"):
            return _in_batches(net, program, np.asarray(x), batch_size, progress)
        parts = []
        for block, y in x.blocks(0):
            block = np.asarray(block)
            parts.append((_in_batches(net, program, block, batch_size, progress), y))
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _in_batches(net, program, x, batch_size, progress):
    found, done = np.zeros((len(x), net.num_features), np.float32), 0
    for rows, part in _batches(x, batch_size):
        out = program(as_array(part)).numpy()[: len(rows)]
        if not done:
            found = np.zeros((len(x), *out.shape[1:]), out.dtype)
        found[rows] = out
        done += len(rows)
        if progress is not None:
            progress(done, len(x))
    return found


def _batches(x, batch_size):
    """(row indices, their inputs, padded to one of few shapes)."""
    if x.ndim == 2 and x.dtype.kind in "iu" and x.dtype != np.uint8:
        from cutaway.data.wordpiece import batches_by_length

        lengths = x.shape[1] - (x[:, ::-1] != 0).argmax(axis=1)
        lengths[~(x != 0).any(axis=1)] = 1
        for rows, length in batches_by_length(lengths, batch_size, sizes=LENGTHS):
            width = min(length, x.shape[1])
            yield rows, _filled(x[rows, :width], min(batch_size, len(x)))
        return
    for start in range(0, len(x), batch_size):
        part = x[start : start + batch_size]
        rows = np.arange(start, start + len(part))
        yield rows, _filled(part, min(batch_size, len(x)))


def _filled(part, rows):
    """`part` with its last row repeated up to `rows`: one shape, one program."""
    short = rows - len(part)
    return np.concatenate([part, np.repeat(part[-1:], short, axis=0)]) if short else part
