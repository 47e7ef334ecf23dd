"""The inputs of the first layer with weights, and whether rows of a batch are independent."""

import contextlib
import dataclasses

import numpy as np

from cutaway.doctor.outputs import forward
from cutaway.nn import Dropout, Embedding, SpatialDropout, StochasticDepth
from cutaway.nn.normalization import BatchNorm
from cutaway.nn.state import Parameter
from cutaway.nn.trees import count_rows, leaves, take_rows
from cutaway.train.blocks import leaves_by_name

DROPPERS = (Dropout, SpatialDropout, StochasticDepth)  # noise in training mode only


@dataclasses.dataclass(frozen=True)
class FirstLayerInputs:
    """The inputs of a layer with weights that gets inputs of the network, or what follows from
    them without weights.

    Attributes:
        path: of that layer.
        values: (rows, features): float inputs; the positions of a row are stacked as rows.
    """

    path: str
    values: np.ndarray

    @property
    def rms(self) -> np.ndarray:
        """Root mean square of each feature: 1 for standardized ones."""
        return np.sqrt((self.values.astype(np.float64) ** 2).mean(axis=0))

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of each feature."""
        return self.values.std(axis=0, dtype=np.float64)

    def origin_of(self, feature: int, x) -> str:
        """The column of the tree x that a feature repeats, perhaps scaled: "x['table'] column 3".

        "" if there is none, as where inputs were mixed or normalized by batch.
        """
        values = self.values[:, feature].astype(np.float64)
        for name, leaf in leaves_by_name("x", x).items():
            if leaf.dtype.kind not in "fiu" or len(leaf) != len(values):
                continue
            columns = leaf.reshape(len(leaf), -1).astype(np.float64)
            close = [k for k in range(columns.shape[1]) if _is_scaled(columns[:, k], values)]
            if close:
                return f"{name} column {close[0]}" if leaf.ndim > 1 else name
        return ""


def _is_scaled(column, values) -> bool:
    """Whether values = a + b column, up to rounding."""
    a, b = column - column.mean(), values - values.mean()
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return size > 0 and abs((a * b).sum()) > (1 - 1e-6) * size


class _Seen(Exception):
    """Ends a forward pass early."""


def first_layer_inputs(program, x) -> list[FirstLayerInputs]:
    """The inputs of the first layers with weights: one for a chain of layers, several where arrays
    of inputs go ways of their own; none of token ids and the like."""
    found = []
    paths = {id(module): path for path, module in program.net.modules().items()}
    several = len(leaves(x)) > 1

    def note(module, inputs, out):
        if not inputs or id(module) not in paths or len(module.modules()) > 1:
            return
        if any(p.ndim > 1 for p in module.parameters()):
            kept = not isinstance(module, Embedding) and inputs[0].data.dtype.kind == "f"
            values = np.asarray(inputs[0].data, np.float32) if kept else None
            if not several:
                found.append((paths[id(module)], values))
                raise _Seen
            if kept and _is_first(inputs[0], values, x):
                found.append((paths[id(module)], values))

    drop = [m for m in program.net.modules().values() if isinstance(m, DROPPERS)]
    with contextlib.suppress(_Seen):  # batch norms before that layer use the batch statistics
        forward(program, x, training=True, watcher=note, frozen=drop, recording=several)
    return [
        FirstLayerInputs(path, values.reshape(-1, values.shape[-1]))
        for path, values in found
        if values is not None
    ]


def _is_first(given, values, x) -> bool:
    """Whether a Tensor comes from inputs, without an operation on weights before it.

    Of joined arrays one must: the others may come from embeddings.
    """
    if not given.requires_grad:  # of integers, or of frozen layers
        return values.ndim > 1 and bool(FirstLayerInputs("", values).origin_of(0, x))
    waiting, seen = [given], set()
    while waiting:
        tensor = waiting.pop()
        record = tensor.record
        if record is None:
            if not isinstance(tensor, Parameter) and tensor.requires_grad:
                return True
        elif record.serial not in seen and not any(
            isinstance(t, Parameter) and t.ndim > 1 for t in record.inputs
        ):
            seen.add(record.serial)
            waiting += [t for t in record.inputs if t is not None]
    return False


@dataclasses.dataclass(frozen=True)
class BatchLeak:
    """Rows of a batch that influence each other.

    Attributes:
        training: whether it happens in training mode only.
        layer: path of the first layer where it happens, "" if that has none.
        kind: class of that layer.
        change: how far the output of a row changes when only other rows are replaced, in standard
            deviations of the outputs.
    """

    training: bool
    layer: str
    kind: str
    change: float


def find_leak(trainer, x, *, least: float) -> BatchLeak | None:
    """Replace all rows but the first, and see whether the first row's output changes.

    In evaluation mode, then in training mode, where batch norms stay in evaluation mode: mixing
    rows is their purpose. Noise is the same both times. Training mode is checked only for a network
    with custom layers: built-in ones keep rows independent in both modes or in neither.

    Args:
        x: raw inputs, at least 3 rows; a tree.
        least: a relative change above rounding.
    """
    rows = count_rows(x)
    if rows < 3:
        return None
    size = 1 + (rows - 1) // 2
    a, b = take_rows(x, slice(size)), take_rows(x, [0, *range(size, 2 * size - 1)])
    norms = [m for m in trainer.net.modules().values() if isinstance(m, BatchNorm)]
    own = [type(m).__module__.startswith("cutaway.") for m in trainer.net.modules().values()]
    for training in (False,) if all(own) else (False, True):
        if not training:  # compiled: layer by layer only if there is something to find
            outputs = (leaves(trainer.predict(rows, batch_size=size)) for rows in (a, b))
            pairs = list(zip(*outputs, strict=True))
            if all(p.shape == q.shape and _moved(p, q) <= least for p, q in pairs):
                continue
        seen = [_outputs(trainer, rows, training, norms) for rows in (a, b)]
        (last, first_layers), (again, other_layers) = seen
        pairs = list(zip(last, again, strict=True))
        if any(len(p) != size or p.shape != q.shape for p, q in pairs):
            continue  # rows of x do not correspond to rows of the output
        change = max(_moved(p, q) for p, q in pairs)
        if change > least:
            for (path, kind, one), (_, _, two) in zip(first_layers, other_layers, strict=False):
                if one.shape == two.shape and len(one) == size and _moved(one, two) > least:
                    return BatchLeak(training, path, kind, change)
            return BatchLeak(training, "", "", change)
    return None


def _outputs(trainer, x, training, norms):
    """([outputs], [(path, class, output of that layer)])."""
    layers = []
    paths = {id(module): path for path, module in trainer.net.modules().items()}

    def note(module, inputs, out):
        leaf = len(module.modules()) == 1
        if leaf and id(module) in paths and getattr(out, "ndim", 0):
            layers.append((paths[id(module)], type(module).__name__, np.asarray(out.data)))

    out = forward(trainer.program, x, training=training, watcher=note, frozen=norms)
    return leaves(out), layers


def _moved(one, two) -> float:
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    return float(np.abs(one[0] - two[0]).max() / max(one.std(), np.abs(one).mean(), 1e-12))
