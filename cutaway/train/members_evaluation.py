"""Scores and predictions of members that train together."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, no_grad
from cutaway.losses.terms import named_terms
from cutaway.nn.trees import call, map_leaves
from cutaway.train.evaluation import Evaluator, batch_rows, scores_of
from cutaway.train.row_weights import WeightedTargets, loss_of_rows, plain_targets, weights_of


class MembersEvaluator(Evaluator):
    """Of a MembersProgram: predictions are the mean of the members' outputs.

    Where the rows have weights (rows, members), each member is scored on the rows that weigh
    something for it: the loss is the mean over the members, and metrics are those of each row's
    mean output over the members that it is scored by.
    """

    program: Any

    def output(self, x):
        found = self.program.outputs_of(lambda k: call(self.net, x))
        return map_leaves(lambda out: out.mean(axis=0), found)

    def arguments(self, rows) -> tuple:
        weights = weights_of(rows.y)
        if weights is None or weights.ndim == 1:
            return super().arguments(rows)
        own = np.asarray(weights)[rows.indices]
        places, counts = scored_places(own, batch_rows(rows.x))
        scored = np.flatnonzero(own.any(axis=1))
        return rows.indices[places], counts, rows.indices[scored], rows.x, rows.y

    @no_grad()
    def score(self, *given) -> dict[str, Tensor]:
        return super().score(*given) if len(given) == 4 else self._own_rows(*given)

    def _own_rows(self, places, counts, scored, x, y) -> dict[str, Tensor]:
        """`score` where each member has rows of its own.

        Args:
            places: (members, batches, rows) indices of its rows, padded.
            counts: (members, batches * rows) 1, or 0 where it is padded.
            scored: indices of the rows that some member is scored on.
            x, y: of all rows.
        """
        program, targets = self.program, plain_targets(y)
        weights = weights_of(y).data

        def one(k):
            own = places.data[k.data]

            def outputs(r):
                return call(self.net, map_leaves(lambda leaf: Tensor(leaf.data[r]), x)).data

            found = jax.lax.map(outputs, own)
            prediction = Tensor(found.reshape(-1, *found.shape[2:]))
            rows = own.ravel()
            weight = weights[rows, k.data] * counts.data[k.data]
            target = map_leaves(lambda leaf: Tensor(leaf.data[rows]), targets)
            loss = loss_of_rows(program.loss, prediction, WeightedTargets(target, Tensor(weight)))
            return scores_of(named_terms(loss)), prediction, Tensor(weight)

        scores, predictions, own_weights = program.outputs_of(one)
        scores = {name: value.mean() for name, value in scores.items()}
        if not program.metrics:
            return scores
        mean = _mean_of_rows(places.data, predictions.data, own_weights.data, len(weights))
        target = map_leaves(lambda leaf: Tensor(leaf.data[scored.data]), targets)
        return scores | self.metrics_of(Tensor(mean[scored.data]), target)


def scored_places(weights: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows of each member stand, in equal batches: (places, counts).

    Args:
        weights: (rows, members); a row with a weight above 0 counts.
        size: most rows of a batch.

    Returns:
        (members, batches, rows) indices, the last ones repeated, and (members, batches * rows) 1
        for those that count, 0 for the repeated ones.
    """
    own = [np.flatnonzero(column) for column in weights.T]
    most = max(map(len, own))
    size = min(size, most)
    total = -(-most // size) * size
    places = np.stack([np.concatenate([r, np.full(total - len(r), r[-1])]) for r in own])
    counts = np.stack([np.arange(total) < len(r) for r in own]).astype(np.float32)
    return places.reshape(len(own), -1, size).astype(np.int32), counts


def _mean_of_rows(places, predictions, weights, rows: int):
    """(rows, ...) mean of the members' predictions for each row, by the weights."""
    flat, w = places.ravel(), weights.ravel()
    shape = (-1, *(1,) * (predictions.ndim - 2))
    values = predictions.reshape(-1, *predictions.shape[2:])
    total = jnp.zeros((rows, *values.shape[1:]), values.dtype)
    total = total.at[flat].add(values * w.reshape(shape))
    count = jnp.zeros(rows, w.dtype).at[flat].add(w)
    return total / jnp.where(count > 0, count, 1).reshape(shape)
