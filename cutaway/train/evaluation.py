"""Predictions and scores of a network in evaluation mode, in one compiled program per dataset."""

import contextlib
import math

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, as_array, no_grad
from cutaway.losses import expects
from cutaway.nn import exclusive, in_mode
from cutaway.nn.lifting import jit
from cutaway.runtime import explaining_exhaustion

BATCH_ROWS = 1024
BATCH_NUMBERS = 2**20  # values per batch: fewer rows at a time if they are large, like images
TOKEN_NUMBERS = 64  # values per token, roughly its embedding


@contextlib.contextmanager
def evaluation_mode(net):
    """Context in which every module of net is in evaluation mode; the modes are restored."""
    with in_mode(net, False):
        yield


def to_probabilities(loss, prediction):
    """What metrics receive: probabilities, if the loss works on logits; otherwise the prediction.

    Scores (of hinge) go through a sigmoid too: the threshold 0 becomes 1/2; otherwise they are not
    calibrated probabilities.
    """
    kind = expects(loss)
    if kind is None or kind.output not in ("logit", "score"):
        return prediction
    if kind.target in ("binary", "sign"):
        return jax.nn.sigmoid(prediction)
    return jax.nn.softmax(prediction, axis=-1)


class Evaluator:
    """Scores and predictions for a trainer's net."""

    def __init__(self, trainer):
        self.trainer = trainer
        self.net = trainer._prepared
        self._scores = jit(self.score, self.net, donate=False)
        self._outputs = jit(self._forward, self.net, donate=False)

    def evaluate(self, rows) -> dict:
        """{"loss": ..., metric: ...} over the rows of a blocks.ArrayRows."""
        with in_mode(self.net, False):
            scores = self._scores(*self.arguments(rows))
        return self.named(scores.numpy())

    def arguments(self, rows) -> tuple:
        """What `score` takes, for the rows of a blocks.ArrayRows."""
        return _batches(rows.indices, batch_rows(rows.x)), rows.indices, rows.x, rows.y

    def named(self, scores) -> dict:
        """{"loss": ..., metric: ...} of what `score` returns."""
        names = ["loss", *(name_of(m) for m in self.trainer.metrics)]
        return dict(zip(names, (float(s) for s in scores), strict=True))

    def predict(self, x, batch_size: int | None) -> np.ndarray:
        """Outputs for x (rows, ...), on the host."""
        rows = len(x)
        size = min(batch_rows(x) if batch_size is None else batch_size, rows) or 1
        parts = []
        what = f"a prediction for {size} rows at once"
        # all rows by the same weights, also while another thread trains
        with exclusive(), in_mode(self.net, False), explaining_exhaustion(what, batch_size=size):
            for start in range(0, rows, size):
                part = np.asarray(x[start : start + size])
                short = size - len(part)
                if short:  # pad: one shape, one program
                    part = np.concatenate([part, np.repeat(part[-1:], short, axis=0)])
                out = self._outputs(as_array(part)).numpy()
                parts.append(out[: size - short])
        return np.concatenate(parts) if parts else np.zeros((0,), np.float32)

    @no_grad()
    def _forward(self, x):
        return self.net(x)

    @no_grad()
    def score(self, batches, indices, x, y):
        trainer = self.trainer
        rows = len(indices)
        outputs = jax.lax.map(lambda r: self.net(Tensor(x.data[r])).data, batches.data)
        prediction = outputs.reshape(-1, *outputs.shape[2:])[:rows]  # (rows, ...)
        target = y.data[indices.data]
        loss = trainer.loss(Tensor(prediction), Tensor(target)).data
        probabilities = to_probabilities(trainer.loss, prediction)
        scores = [as_array(metric(probabilities, target)) for metric in trainer.metrics]
        return jnp.stack([jnp.asarray(s, jnp.float32) for s in (loss, *scores)])


def name_of(metric) -> str:
    """The name of a metric in the history."""
    return getattr(metric, "__name__", None) or getattr(metric, "func", metric).__name__


def batch_rows(x) -> int:
    """Batch size for evaluating rows of x (rows, ...): a power of two, 16 to 1024."""
    numbers = max(1, math.prod(np.shape(x)[1:]))
    if np.ndim(x) == 2 and jnp.issubdtype(x.dtype, jnp.integer):
        numbers *= TOKEN_NUMBERS
    fitting = max(1, BATCH_NUMBERS // numbers)
    return max(16, min(BATCH_ROWS, 2 ** (fitting.bit_length() - 1)))


def _batches(indices, most: int) -> np.ndarray:
    """Row indices in equal batches, the last padded with the last row."""
    size = min(most, len(indices))
    short = -len(indices) % size
    full = np.concatenate([indices, np.repeat(indices[-1:], short)])
    return full.reshape(math.ceil(len(indices) / size), size)
