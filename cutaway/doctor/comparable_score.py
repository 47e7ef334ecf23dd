"""ComparableScore: one metric for programs whose losses, inputs or units differ."""

import functools
import math

import numpy as np

from cutaway.doctor.training_plan import TrainingPlan, evenly_spaced
from cutaway.engine import Tensor
from cutaway.errors import CutawayError
from cutaway.losses import expects
from cutaway.losses.terms import columns_of, named_terms
from cutaway.nn.trees import count_rows, leaves, map_leaves, take_rows

ROWS = 1000  # most rows on which a plan is evaluated


class ComparableScore:
    """The error of trained programs, on a common scale.

    Programs with the same loss are compared by it, in the units of the first one. Otherwise all are
    compared by their balanced error rate (the mean over the classes) or, for regression, by the
    mean absolute error.

    Args:
        plan: the reference.
        others: programs that are compared with it.

    Attributes:
        what: name of the metric.
    """

    def __init__(self, plan: TrainingPlan, others=()):
        self.plan = plan
        same = all(_same(plan.program.loss, p.program.loss) for p in others)
        self.by_loss = same or expects(plan.program.loss) is None
        self.classes = _target_kind(plan) != "real" or any(
            _target_kind(p) != "real" for p in others
        )
        self.what = "loss" if self.by_loss else "balanced error rate" if self.classes else (
            "mean absolute error"
        )  # fmt: skip

    def sample(self, trainer, plan: TrainingPlan) -> float:
        """Of a trainer of `plan`, on training rows."""
        x, _ = plan.spread(ROWS)
        _, y = self.plan.spread(ROWS)
        return self._measured(trainer, plan, x, y)

    def validation(self, trainer, plan: TrainingPlan) -> float | None:
        """On the validation set, None if there is none."""
        if plan.validation is None or self.plan.validation is None:
            return None
        x, y = plan.validation[0], self.plan.validation[1]
        rows = evenly_spaced(count_rows(x), ROWS)
        return self._measured(trainer, plan, *take_rows((x, y), rows))

    def _measured(self, trainer, plan, x, y):
        try:
            if self.plan.program.objective is not None:
                return float(trainer.evaluate(x, y)["loss"])
            found = trainer.predict(x)
            if not all(np.isfinite(leaf).all() for leaf in leaves(found)):
                return math.inf
            predicted = _in_units_of(self.plan, plan, found)
            if self.by_loss:
                outputs = map_leaves(lambda leaf: Tensor(leaf.astype(np.float32)), predicted)
                terms = named_terms(self.plan.program.loss(outputs, map_leaves(Tensor, y)))
                return float(columns_of(terms)["loss"].item())
            if self.classes:
                return _wrong(plan.program.loss, predicted, y)
            return float(np.abs(predicted.reshape(len(y), -1) - y.reshape(len(y), -1)).mean())
        except CutawayError:
            return math.inf


def _in_units_of(first, plan, predicted):
    """The predictions of a plan in float64, in the units of the first one."""
    numbers = iter(range(len(leaves(predicted))))

    def converted(leaf):
        number, leaf = next(numbers), leaf.astype(np.float64)
        if plan.target_scale is not None and number in plan.target_scale:
            mean, std = plan.target_scale[number]
            leaf = leaf * std + mean
        if first.target_scale is not None and number in first.target_scale:
            mean, std = first.target_scale[number]
            leaf = (leaf - mean) / std
        return leaf

    return map_leaves(converted, predicted)


def _target_kind(plan):
    wants = expects(plan.program.loss)
    return "real" if wants is None else wants.target


def _same(a, b):
    return _plain(a) == _plain(b)


def _plain(loss):
    options = {}
    while isinstance(loss, functools.partial):
        options = {**loss.keywords, **options}
        loss = loss.func
    return loss, repr(sorted(options.items()))


def _wrong(loss, predicted, y):
    """Error rate, the mean over the true classes."""
    if predicted.shape[-1] > 1 and predicted.ndim > 1:
        if y.shape == predicted.shape and not (y.sum(-1) == 1).all():
            return _wrong_each(loss, predicted, y)  # several labels for each row
        truth = y.argmax(-1) if y.shape == predicted.shape else y.reshape(predicted.shape[:-1])
        return _balanced(predicted.argmax(-1), truth)
    return _wrong_each(loss, predicted, y)


def _wrong_each(loss, predicted, y):
    wants = expects(loss)
    cut = 0.0 if wants is not None and wants.output in ("logit", "score") else 0.5
    return _balanced(predicted.ravel() > cut, y.ravel() > 0.5)


def _balanced(answers, truth):
    answers, truth = np.ravel(answers), np.ravel(truth)
    return float(np.mean([(answers[truth == c] != c).mean() for c in np.unique(truth)]))
