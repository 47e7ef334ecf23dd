"""The inputs of the first layer with weights, and whether rows of a batch are independent."""

import contextlib
import dataclasses

import numpy as np

from cutaway.doctor.outputs import forward
from cutaway.nn import Dropout, Embedding, SpatialDropout, StochasticDepth
from cutaway.nn.normalization import BatchNorm

DROPPERS = (Dropout, SpatialDropout, StochasticDepth)  # noise in training mode only


@dataclasses.dataclass(frozen=True)
class FirstLayerInputs:
    """The inputs of the first layer with weights.

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


class _Seen(Exception):
    """Ends a forward pass early."""


def first_layer_inputs(trainer, x) -> FirstLayerInputs | None:
    """The inputs of the first layer with weights; None if those are token ids or the like."""
    found = []
    paths = {id(module): path for path, module in trainer.net.modules().items()}

    def note(module, inputs, out):
        if found or not inputs or id(module) not in paths or len(module.modules()) > 1:
            return
        if any(p.ndim > 1 for p in module.parameters()):
            kept = not isinstance(module, Embedding) and inputs[0].data.dtype.kind == "f"
            values = np.asarray(inputs[0].data, np.float32) if kept else None
            found.append((paths[id(module)], values))
            raise _Seen

    drop = [m for m in trainer.net.modules().values() if isinstance(m, DROPPERS)]
    with contextlib.suppress(_Seen):  # batch norms before that layer use the batch statistics
        forward(trainer, x, training=True, watcher=note, frozen=drop)
    if not found or found[0][1] is None:
        return None
    path, values = found[0]
    return FirstLayerInputs(path, values.reshape(-1, values.shape[-1]))


@dataclasses.dataclass(frozen=True)
class Leak:
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


def find_leak(trainer, x, *, least: float) -> Leak | None:
    """Replace all rows but the first, and see whether the first row's output changes.

    In evaluation mode, then in training mode, where batch norms stay in evaluation mode: mixing
    rows is their purpose. Noise is the same both times. Training mode is checked only for a network
    with custom layers: built-in ones keep rows independent in both modes or in neither.

    Args:
        x: raw inputs, at least 3 rows.
        least: a relative change above rounding.
    """
    x = np.asarray(x)
    if len(x) < 3:
        return None
    others = (len(x) - 1) // 2
    a, b = x[: 1 + others], np.concatenate([x[:1], x[1 + others : 1 + 2 * others]])
    norms = [m for m in trainer.net.modules().values() if isinstance(m, BatchNorm)]
    own = [type(m).__module__.startswith("cutaway.") for m in trainer.net.modules().values()]
    for training in (False,) if all(own) else (False, True):
        if not training:  # compiled: layer by layer only if there is something to find
            last, again = (trainer.predict(rows, batch_size=len(a)) for rows in (a, b))
            if last.shape == again.shape and _moved(last, again) <= least:
                continue
        seen = [_outputs(trainer, rows, training, norms) for rows in (a, b)]
        (last, first_layers), (again, other_layers) = seen
        if len(last) != len(a) or last.shape != again.shape:
            continue  # rows of x do not correspond to rows of the output
        change = _moved(last, again)
        if change > least:
            for (path, kind, one), (_, _, two) in zip(first_layers, other_layers, strict=False):
                if one.shape == two.shape and len(one) == len(a) and _moved(one, two) > least:
                    return Leak(training, path, kind, change)
            return Leak(training, "", "", change)
    return None


def _outputs(trainer, x, training, norms):
    """(outputs, [(path, class, output of that layer)])."""
    layers = []
    paths = {id(module): path for path, module in trainer.net.modules().items()}

    def note(module, inputs, out):
        leaf = len(module.modules()) == 1
        if leaf and id(module) in paths and getattr(out, "ndim", 0):
            layers.append((paths[id(module)], type(module).__name__, np.asarray(out.data)))

    out = forward(trainer, x, training=training, watcher=note, frozen=norms)
    return out, layers


def _moved(one, two) -> float:
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    return float(np.abs(one[0] - two[0]).max() / max(one.std(), np.abs(one).mean(), 1e-12))
