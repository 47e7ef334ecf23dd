"""stop: a training that is stuck although a lower loss is attainable, and at what kind of point.

Three questions, the cheap ones first. Does it still progress (more training from its end)? Is a
lower loss attainable (other initial weights, another learning rate, Adam)? How does the loss curve
at its end (both ends of the Hessian's spectrum; only if the first two say that it is stuck)?
"""

import dataclasses
import functools
from typing import TYPE_CHECKING

from cutaway.doctor.finding import Measure
from cutaway.doctor.heads import summed
from cutaway.doctor.reruns import ADAM_RATES, WORTH, RerunResult
from cutaway.errors import CutawayError
from cutaway.nn.trees import take_rows

if TYPE_CHECKING:
    from cutaway.landscape.hessian import Curvature

# A training is stuck if a third more epochs cover at most this fraction of the attainable loss
# reduction. At that pace the rest would take more than 6 times the whole training.
STUCK = 0.05
PARAMETERS = 20_000  # with more, a spectrum takes minutes on two cores
CURVATURE_ROWS = 256
# There is a direction of descent if the smallest eigenvalue relative to the largest is below -DOWN.
# Rounding turns 0 into 1e-15 of the largest; the saddles of tests/doctor/test_rate_symptoms.py have
# -0.008 to -0.05.
DOWN = 3e-3
LEVEL = 0.1  # of the attainable loss reduction: a predicted decrease below it counts as none
# If a larger plain network reduces the loss this many times as much, this network lacks capacity.
BEYOND = 3.0
FLAT = 0.05  # of the largest curvature at usual initial weights: below it, the loss is flat
RESTARTS = (1, 2, 3)
MORE_RESTARTS = (4, 5, 6, 7, 8)  # if a larger plain network gets much lower than those


@dataclasses.dataclass(frozen=True)
class Stop:
    """Where a training is stuck.

    Attributes:
        kind: "saddle"; "shallow", a saddle that curves down only slightly; "plateau"; "minimum"; or
            "open" if the curvature is not known.
        pace: fraction of the loss reduction of `better` that a third more epochs achieve.
        better: a RerunResult with a much lower loss.
        how: what it was, in words.
        by_restart: whether it is the same training from other initial weights.
        curvature: the Curvature at the end of the training, or None.
    """

    kind: str
    pace: float
    better: RerunResult
    how: str
    by_restart: bool
    curvature: "Curvature | None"

    def measures(self, reruns) -> list:
        return [
            Measure("loss", reruns.base.loss),
            Measure(
                "fraction of the attainable reduction that a third more epochs achieve",
                self.pace,
                STUCK,
                "below",
                "at this pace the rest takes 6 trainings",
            ),
            Measure(
                f"attainable loss ({self.how})",
                self.better.loss,
                reruns.base.loss,
                "below",
                "a rerun with the same number of steps",
            ),
            Measure("attainable loss reduction missed (fraction)", reruns.gain(self.better), WORTH),
        ]


def find_stop(evidence) -> Stop | None:
    """The Stop of a training; None if it progresses, has converged, or nothing does better."""
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return None
    ahead = reruns.onward(epochs=max(1, reruns.epochs // 3))
    gone = reruns.base.loss - ahead.loss
    if gone > STUCK * reruns.base.loss + STUCK * abs(reruns.chance):
        return None  # it still progresses, whatever is attainable
    found = next((attempt for attempt in _attempts(reruns) if reruns.is_worth(attempt[0])), None)
    if found is None:
        return None
    rerun, how, by_restart = found
    wider = reruns.relative()
    if wider is not None and is_beyond(reruns, wider.loss, rerun.loss):
        best = min(map(reruns.restart, RESTARTS + MORE_RESTARTS), key=lambda found: found.loss)
        if is_beyond(reruns, wider.loss, best.loss):
            return None  # the network lacks capacity: where it stands does not matter
        rerun, how, by_restart = best, "best of several initializations", True
    gap = reruns.base.loss - rerun.loss
    pace = gone / gap
    if pace > STUCK or reruns.is_worth(reruns.rate(0.1)):
        return None
    shape = _curvature(evidence, reruns.base.trainer)
    usual = None if shape is None else _curvature(evidence, reruns.reinitialized(RESTARTS[0]))
    kind = _kind(shape, usual, gap)
    if kind == "slope":
        return None
    return Stop(kind, pace, rerun, how, by_restart, shape)


def is_beyond(reruns, wider: float, reached: float) -> bool:
    """Whether a larger network's loss `wider` is a BEYOND times larger reduction than `reached`."""
    return reruns.base.loss - wider > BEYOND * (reruns.base.loss - reached)


def _attempts(reruns):
    """(rerun, how, whether other initial weights alone did it)."""
    for number in RESTARTS:
        yield reruns.restart(number), f"other initial weights, seed {number}", True
    for lr in reversed(ADAM_RATES):
        yield reruns.adam(lr), f"Adam, lr={lr:g}, same initial weights", False
    for factor in (10.0, 100.0):
        yield reruns.rate(factor), f"{factor:g} times the learning rate", False


def _curvature(evidence, trainer):
    size = sum(p.size for p in trainer.optimizer.parameters)
    if size > PARAMETERS:
        evidence.not_checked(
            "whether training is stuck at a saddle point, a plateau or a local minimum",
            f"the curvature of {size:,} parameters takes minutes",
        )
        return None
    if trainer.prepare is not None:
        return None
    from cutaway.landscape.hessian import curvature

    if trainer.loss is None:
        evidence.not_checked("saddle points", "the curvature of an objective is not computed")
        return None
    x, y = take_rows(evidence.reruns.sample, slice(CURVATURE_ROWS))
    try:
        loss = functools.partial(summed, loss=trainer.loss)
        return curvature(trainer.net, x, y, loss=loss)
    except CutawayError:
        return None


def _kind(found, usual, gap) -> str:
    """The kind of point, by the gradient, the curvature, and the curvature at usual weights."""
    if found is None or usual is None:
        return "open"
    from cutaway.landscape.hessian import NEAR

    length = found.near / NEAR  # of the weights, at least 1
    if found.verdict != "plateau" and found.gradient_norm * length / 10 > LEVEL * gap:
        return "slope"
    curved = max(abs(found.largest), abs(found.smallest))
    if found.verdict == "plateau" or curved < FLAT * abs(usual.largest):
        return "plateau"
    if found.smallest < -DOWN * abs(found.largest):
        return "saddle"
    # a minimum has no direction of descent, however slight
    return "shallow" if found.smallest < -found.smallest_bound else "minimum"
