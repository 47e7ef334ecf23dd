"""Predictions and scores of a network in evaluation mode, in one compiled program per dataset."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, as_array, no_grad
from cutaway.losses import expects
from cutaway.losses.terms import columns_of, named_terms
from cutaway.nn import exclusive
from cutaway.nn.lifting import jit
from cutaway.nn.trees import call, count_rows, is_array, leaves, map_leaves
from cutaway.runtime import distributed, explaining_exhaustion
from cutaway.train.program import Program, name_of
from cutaway.train.row_weights import loss_of_rows, plain_targets, weights_of

BATCH_ROWS = 1024
BATCH_NUMBERS = 2**20  # values per batch: fewer rows at a time if they are large, like images
TOKEN_NUMBERS = 64  # values per token, roughly its embedding


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
    """Scores and predictions of a program's network, in evaluation mode."""

    def __init__(self, program: Program):
        self.program = program
        self.net = program.prepared
        owners = program.owners(stepping=False).values()  # an objective may use more than the net
        self._scores = jit(self.score, self.net, *owners, donate=False)
        self._outputs = jit(self._forward, self.net, donate=False)

    def evaluate(self, rows) -> dict:
        """{"loss": ..., metric: ...} over the rows of a blocks.ArrayRows."""
        with self.program.in_mode(False):
            scores = self._scores(*self.arguments(rows))
        return self.named({name: value.item() for name, value in scores.items()})

    def prepare(self, rows) -> None:
        """Compile what `evaluate` runs for the rows of a blocks.ArrayRows, without running it."""
        with self.program.in_mode(False):
            self._scores.prepare(*self.arguments(rows))

    def arguments(self, rows) -> tuple:
        """What `score` takes, for the rows of a blocks.ArrayRows."""
        return _batches(rows.indices, batch_rows(rows.x)), rows.indices, rows.x, rows.y

    def named(self, scores: dict) -> dict:
        """What `score` returns, in the order of the history."""
        names = ["loss", *(n for n in scores if n.startswith("loss_"))]
        names += [name_of(metric) for metric in self.program.metrics]
        return {name: float(scores[name]) for name in names}

    def predict(self, x, batch_size: int | None):
        """Outputs for x (rows, ...), on the host; a tree if the network returns one."""
        rows = count_rows(x)
        if not rows:
            return np.zeros((0,), np.float32)
        size = min(batch_rows(x) if batch_size is None else batch_size, rows)

        def batch(start):  # padded: one shape, one program
            return map_leaves(lambda leaf: as_array(_filled(leaf[start : start + size], size)), x)

        what = f"a prediction for {size} rows at once"
        with self.program.in_mode(False), explaining_exhaustion(what, batch_size=size):
            self._outputs.prepare(batch(0))
            with exclusive():  # all rows by the same weights, also while another thread trains
                parts = [
                    map_leaves(lambda leaf: leaf.numpy(), self._outputs(batch(start)))
                    for start in range(0, rows, size)
                ]
        return map_leaves(lambda *leaves: np.concatenate(leaves)[:rows], *parts)

    def output(self, x):
        """What is predicted for a batch of inputs, in a traced step."""
        return call(self.net, x)

    @no_grad()
    def _forward(self, x):
        return self.output(x)

    @no_grad()
    def score(self, batches, indices, x, y) -> dict[str, Tensor]:
        """{"loss", "loss_NAME" of named terms, and the name of each metric: a number}.

        Args:
            batches: (batches, rows) indices, as `arguments` pads them.
            indices: of the rows that count.
            x, y: of all rows.
        """
        program = self.program
        rows = len(indices)
        target = map_leaves(lambda leaf: Tensor(leaf.data[indices.data]), y)
        if program.objective is not None:
            return scores_of(self._objective(batches, rows, x, y))

        def outputs(r):
            r = distributed.over_rows(r)
            out = self.output(map_leaves(lambda leaf: Tensor(leaf.data[r]), x))
            return map_leaves(lambda leaf: leaf.data, out)

        found = jax.lax.map(outputs, batches.data)
        prediction = map_leaves(lambda o: Tensor(o.reshape(-1, *o.shape[2:])[:rows]), found)
        loss = loss_of_rows(program.loss, prediction, target)
        scores = scores_of(named_terms(loss))
        return scores | self.metrics_of(prediction, plain_targets(target), weights_of(target))

    def metrics_of(self, prediction, target, weights=None) -> dict[str, Tensor]:
        """{name: value} of the metrics, in a traced step."""
        program = self.program
        if not program.metrics:
            return {}
        prediction, target = (map_leaves(lambda t: t.data, t) for t in (prediction, target))
        probabilities = prediction
        if is_array(prediction):
            probabilities = to_probabilities(program.loss, prediction)
        found = {}
        for metric in program.metrics:
            options = {} if weights is None else _weighted(metric, weights)
            value = metric(probabilities, target, **options)
            found[name_of(metric)] = Tensor(jnp.asarray(as_array(value), jnp.float32))
        return found

    def _objective(self, batches, rows: int, x, y) -> dict[str, Tensor]:
        """The objective's terms: means over the batches, weighted by their rows."""
        size = batches.shape[1]
        terms = []
        for start in range(0, rows, size):  # the last one is shorter, so each has its own shape
            r = batches.data[start // size][: min(size, rows - start)]
            part, target = (map_leaves(lambda leaf, r=r: Tensor(leaf.data[r]), t) for t in (x, y))
            inputs = self.program.inputs(part)
            found = named_terms(self.program.objective(self.program.net, inputs, target))
            terms.append({name: value * (len(r) / rows) for name, value in found.items()})
        return {name: sum(t[name] for t in terms[1:]) + terms[0][name] for name in terms[0]}


def _weighted(metric, weights) -> dict:
    """The weights of the rows as an option of a metric, if it has it."""
    has = "weights" in inspect.signature(metric).parameters
    return {"weights": weights.data} if has else {}


def scores_of(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The columns of named terms of a loss, as float32."""
    found = columns_of(terms)
    return {name: Tensor(value.data.astype(jnp.float32)) for name, value in found.items()}


def _filled(array, rows: int):
    """The array with its last row repeated up to this many."""
    array = np.asarray(array)
    if len(array) == rows:
        return array
    return np.concatenate([array, np.repeat(array[-1:], rows - len(array), axis=0)])


def batch_rows(x) -> int:
    """Batch size for evaluating rows of x (rows, ...): a power of two, 16 to 1024."""
    numbers = 0
    for leaf in leaves(x):
        is_tokens = np.ndim(leaf) == 2 and jnp.issubdtype(leaf.dtype, jnp.integer)
        numbers += math.prod(np.shape(leaf)[1:]) * (TOKEN_NUMBERS if is_tokens else 1)
    numbers = max(1, numbers)
    fitting = max(1, BATCH_NUMBERS // numbers)
    return max(16, min(BATCH_ROWS, 2 ** (fitting.bit_length() - 1)))


def _batches(indices, most: int) -> np.ndarray:
    """Row indices in equal batches, the last padded with the last row."""
    size = min(most, len(indices))
    short = -len(indices) % size
    full = np.concatenate([indices, np.repeat(indices[-1:], short)])
    return full.reshape(math.ceil(len(indices) / size), size)
