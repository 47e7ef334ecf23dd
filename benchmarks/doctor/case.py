"""What a plan of the suite is: how it is built, its true code, its twin, its reference fix."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

import cutaway as ct
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.errors import TrainingError

from .data import Data, load

HALVES = ("set", "held")  # thresholds are set on the first, the score is that of the second
FIRST_SEED = {"set": 0, "held": 1000}
CHANGES = ("program", "x", "y", "validation", "epochs", "batch_size")  # what a fix may touch

FAULTS, HEALTHY = {}, {}


@dataclasses.dataclass(frozen=True)
class Case:
    """A plan with one known fault, or a healthy one.

    Attributes:
        name: of the case.
        code: the true code; "" for a healthy plan.
        build: function (data, width, well) -> TrainingPlan; well=True gives the healthy twin.
        data, widths: two each, of the two halves of the suite.
        also: codes that name the same fault as rightly.
        repairable: whether a change of the plan can fix it; not so where the data are wrong.
        fix: function (plan, twin) -> TrainingPlan, the reference fix; by default all that differs
            from the twin is made as it is there.
        clean: whether both are judged on the twin's validation rows, because the fault spoils
            the plan's own.
    """

    name: str
    code: str
    build: Callable
    data: tuple
    widths: tuple
    also: tuple = ()
    repairable: bool = True
    fix: Callable | None = None
    clean: bool = False

    def drawn(self, half: str, number: int = 0) -> "Drawn":
        """The case with the data set and width of a half, and its seed of this number."""
        place = HALVES.index(half)
        return Drawn(self, FIRST_SEED[half] + number, self.widths[place], self.data[place])


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A case at one seed, width and data set."""

    case: Case
    seed: int
    width: int
    data: str

    @functools.cached_property
    def plan(self) -> TrainingPlan:
        return self._built(well=False)

    @functools.cached_property
    def twin(self) -> TrainingPlan:
        """The same without the fault; of a healthy plan itself."""
        return self._built(well=True)

    def fix(self, plan: TrainingPlan) -> TrainingPlan:
        """The reference fix, done to the plan."""
        if self.case.fix is not None:
            return self.case.fix(plan, self.twin)
        return dataclasses.replace(plan, **{name: getattr(self.twin, name) for name in CHANGES})

    @property
    def judged_by(self) -> tuple | None:
        """(x, y) to judge by; None: each plan by its own validation rows."""
        return self.twin.validation if self.case.clean else None

    def _built(self, *, well):
        ct.seed(self.seed)
        plan = self.case.build(load(self.data), self.width, well)
        return dataclasses.replace(plan, seed=self.seed)


def fault(code, data, widths, **options):
    """Decorator: enter a function (data, width, well) -> TrainingPlan as a case with a fault."""

    def enter(build):
        name = f"{code}/{build.__name__}"
        FAULTS[name] = Case(name, code, build, data, widths, **options)
        return build

    return enter


def healthy(data, widths, **options):
    """Decorator: enter a function (data, width) -> TrainingPlan as a healthy case."""

    def enter(build):
        name = f"healthy/{build.__name__}"
        both = functools.wraps(build)(lambda data, width, well: build(data, width))
        HEALTHY[name] = Case(name, "", both, data, widths, **options)
        return build

    return enter


def plan(
    data: Data, net, *, optimizer, epochs, loss=None, batch_size=32, penalty=None
) -> TrainingPlan:
    """A TrainingPlan on the data, with the loss that fits logits or numbers by default."""
    trainer = ct.Trainer(
        net, loss=LOSS_OF[data.task] if loss is None else loss, optimizer=optimizer, penalty=penalty
    )
    held = (data.xv, data.yv)
    return TrainingPlan.of(
        trainer, data.x, data.y, validation=held, epochs=epochs, batch_size=batch_size
    )


LOSS_OF = {
    "multiclass": ct.losses.sparse_categorical_cross_entropy_with_logits,
    "tokens": ct.losses.sparse_categorical_cross_entropy_with_logits,
    "binary": ct.losses.binary_cross_entropy_with_logits,
    "multilabel": ct.losses.binary_cross_entropy_with_logits,
    "regression": ct.losses.mean_squared_error,
}


def worth(plan: TrainingPlan, task: str, *, judged_by=None, seed: int = 0) -> float:
    """How good the plan's network is after training; 0 is chance, 1 perfect, least -1.

    R² of numbers; of classes the mean accuracy over the classes, rescaled so that chance is 0;
    of tokens the share of the chance loss that is gone.
    """
    try:
        trainer = plan.run(seed)
        x, y = judged_by or plan.validation
        out = np.asarray(trainer.predict(x), np.float64)
    except TrainingError as error:
        if "the loss became" not in str(error):  # a plan that cannot be run
            raise
        return -1.0
    if not np.isfinite(out).all():
        return -1.0
    return max(-1.0, _SCALES[task](out, np.asarray(y), trainer))


def _r2(out, y, trainer):
    return 1 - float(((out - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum())


def _of_labels(out, y, trainer):
    labels = y.ravel() if y.size == len(y) else y.argmax(axis=-1)
    chosen = np.round(out[:, 0]) if out.shape[-1] == 1 else out.argmax(axis=-1)
    return _above_chance(chosen, labels)


def _of_bits(out, y, trainer):
    wants = ct.losses.expects(trainer.loss)
    middle = 0.5 if wants is None or wants.output in ("probability", "any") else 0.0
    columns = range(y.shape[-1])
    return float(np.mean([_above_chance(out[:, k] > middle, y[:, k] > 0.5) for k in columns]))


def _above_chance(chosen, labels):
    classes = np.unique(labels)
    right = np.mean([np.mean(chosen[labels == c] == c) for c in classes])
    return float((right - 1 / len(classes)) / (1 - 1 / len(classes)))


def _of_tokens(out, y, trainer):
    top = out.max(axis=-1, keepdims=True)
    logs = out - top - np.log(np.exp(out - top).sum(axis=-1, keepdims=True))
    loss = -np.take_along_axis(logs, y[..., None].astype(int), axis=-1).mean()
    shares = np.bincount(y.ravel().astype(int)) / y.size
    shares = shares[shares > 0]
    return 1 - float(loss) / -float((shares * np.log(shares)).sum())


_SCALES = {
    "regression": _r2,
    "multiclass": _of_labels,
    "binary": _of_bits,
    "multilabel": _of_bits,
    "tokens": _of_tokens,
}


def task_of(drawn: Drawn) -> str:
    return load(drawn.data).task
