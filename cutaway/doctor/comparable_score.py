"""ComparableScore: one metric for programs whose losses, inputs or units differ."""

import functools
import math

import numpy as np

from cutaway.doctor.training_plan import TrainingPlan
from cutaway.engine import Tensor
from cutaway.errors import CutawayError
from cutaway.losses import expects

ROWS = 1000  # most rows on which a program is evaluated


class ComparableScore:
    """The error of trained programs, on a common scale.

    Programs with the same loss are compared by it, in the units of the first one. Otherwise all are
    compared by their balanced error rate (the mean over the classes) or, for regression, by the
    mean absolute error.

    Args:
        program: the reference.
        others: programs that are compared with it.

    Attributes:
        what: name of the metric.
    """

    def __init__(self, program: TrainingPlan, others=()):
        self.program = program
        same = all(_same(program.trainer.loss, p.trainer.loss) for p in others)
        self.by_loss = same or expects(program.trainer.loss) is None
        self.classes = _target_kind(program) != "real" or any(
            _target_kind(p) != "real" for p in others
        )
        self.what = "loss" if self.by_loss else "balanced error rate" if self.classes else (
            "mean absolute error"
        )  # fmt: skip

    def sample(self, trainer, program: TrainingPlan) -> float:
        """Of a trainer of `program`, on training rows."""
        rows = np.unique(np.linspace(0, len(program.x) - 1, ROWS).astype(int))
        return self._measured(trainer, program, program.x[rows], self.program.y[rows])

    def validation(self, trainer, program: TrainingPlan) -> float | None:
        """On the validation set, None if there is none."""
        if program.validation is None or self.program.validation is None:
            return None
        x, y = np.asarray(program.validation[0]), np.asarray(self.program.validation[1])
        rows = np.unique(np.linspace(0, len(x) - 1, ROWS).astype(int))
        return self._measured(trainer, program, x[rows], y[rows])

    def _measured(self, trainer, program, x, y):
        try:
            predicted = trainer.predict(x).astype(np.float64)
            if not np.isfinite(predicted).all():
                return math.inf
            predicted = _in_units_of(self.program, program, predicted)
            if self.by_loss:
                predicted = predicted.astype(np.float32)
                return float(self.program.trainer.loss(Tensor(predicted), Tensor(y)).item())
            if self.classes:
                return _wrong(program.trainer.loss, predicted, y)
            return float(np.abs(predicted.reshape(len(y), -1) - y.reshape(len(y), -1)).mean())
        except CutawayError:
            return math.inf


def _in_units_of(first, program, predicted):
    if program.target_scale is not None:
        mean, std = program.target_scale
        predicted = predicted * std + mean
    if first.target_scale is not None:
        mean, std = first.target_scale
        predicted = (predicted - mean) / std
    return predicted


def _target_kind(program):
    wants = expects(program.trainer.loss)
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
