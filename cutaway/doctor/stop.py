"""stop: a training that no longer moves though more can be attained, and at what kind of point.

Three questions, the cheap ones first. Does it still move (more training from its end)? Is there
more to be attained (another start, another rate, Adam)? How does the loss curve where it stands
(both ends of the Hessian's spectrum; only where the first two say that it is stuck)?
"""

import dataclasses

from cutaway.doctor.finding import Measure
from cutaway.doctor.reruns import ADAM_RATES, WORTH, RerunResult
from cutaway.errors import CutawayError
from cutaway.landscape.hessian import NEAR, Curvature, curvature

# Share of the way to what is attainable that a third of the program's epochs, added at its end,
# goes if it is stuck. At that pace the rest would take more than 6 times the whole training.
STUCK = 0.05
PARAMETERS = 20_000  # for more, a spectrum takes minutes on two cores
CURVATURE_ROWS = 256
# Smallest eigenvalue by the largest below which there is a way down. What rounding leaves of a 0 is
# 1e-15 of the largest; the saddles of tests/doctor/test_rate_symptoms.py have -0.008 to -0.05.
DOWN = 3e-3
LEVEL = 0.1  # of the way to what is attainable: a fall within reach that counts as none
# A plain larger network that gets so many times as far says that this one cannot.
BEYOND = 3.0
FLAT = 0.05  # of the largest curvature where a usual training begins: below, all is flat
RESTARTS = (1, 2, 3)
MORE_RESTARTS = (4, 5, 6, 7, 8)  # where a plain larger network gets much further than those


@dataclasses.dataclass(frozen=True)
class Stop:
    """Where a training is stuck.

    Attributes:
        kind: "saddle", "plateau", "minimum", or "open" where curvature is not known.
        pace: share of the way to `better` that a third more of the training goes.
        better: a RerunResult that got much further.
        how: what it was, in words.
        by_restart: whether it is the same training from another start.
        curvature: the Curvature at the end of the training, or None.
    """

    kind: str
    pace: float
    better: RerunResult
    how: str
    by_restart: bool
    curvature: Curvature | None

    def measures(self, reruns) -> list:
        return [
            Measure("loss", reruns.base.loss),
            Measure(
                "share of the way to an attainable loss that a third more epochs go",
                self.pace,
                STUCK,
                "below",
                "at this pace the rest takes 6 trainings",
            ),
            Measure(
                f"loss that is attainable ({self.how})",
                self.better.loss,
                reruns.base.loss,
                "below",
                "a rerun at equal steps",
            ),
            Measure("share of the attainable that is left", reruns.gain(self.better), WORTH),
        ]


def find_stop(evidence) -> Stop | None:
    """The Stop of a training, None where it moves, has learned all, or nothing does better."""
    reruns = evidence.reruns
    if not reruns.has_room or reruns.base.broke:
        return None
    ahead = reruns.onward(epochs=max(1, reruns.epochs // 3))
    gone = reruns.base.loss - ahead.loss
    if gone > STUCK * reruns.base.loss + STUCK * abs(reruns.chance):
        return None  # whatever is attainable of a loss above 0, it moves
    found = next((attempt for attempt in _attempts(reruns) if reruns.is_worth(attempt[0])), None)
    if found is None:
        return None
    rerun, how, by_restart = found
    wider = reruns.relative()
    if wider is not None and is_beyond(reruns, wider.loss, rerun.loss):
        best = min(map(reruns.restart, RESTARTS + MORE_RESTARTS), key=lambda found: found.loss)
        if is_beyond(reruns, wider.loss, best.loss):
            return None  # what the network cannot represent is no matter of where it stands
        rerun, how, by_restart = best, "from the best of some starts", True
    gap = reruns.base.loss - rerun.loss
    pace = gone / gap
    if pace > STUCK or reruns.is_worth(reruns.rate(0.1)):
        return None
    shape = _curvature(evidence, reruns.base.trainer)
    usual = None if shape is None else _curvature(evidence, reruns.redrawn(RESTARTS[0]))
    kind = _kind(shape, usual, gap)
    if kind == "slope":
        return None
    return Stop(kind, pace, rerun, how, by_restart, shape)


def is_beyond(reruns, wider: float, reached: float) -> bool:
    """Whether a larger network's loss `wider` is BEYOND times as far down as `reached`."""
    return reruns.base.loss - wider > BEYOND * (reruns.base.loss - reached)


def _attempts(reruns):
    """(rerun, how, whether another start alone did it)."""
    for number in RESTARTS:
        yield reruns.restart(number), f"from start {number} of other weights", True
    for lr in reversed(ADAM_RATES):
        yield reruns.adam(lr), f"Adam at {lr:g} from the same start", False
    for factor in (10.0, 100.0):
        yield reruns.rate(factor), f"{factor:g} times the rate", False


def _curvature(evidence, trainer):
    if sum(p.size for p in trainer.optimizer.parameters) > PARAMETERS:
        return None
    if trainer.prepare is not None:
        return None
    x, y = (a[:CURVATURE_ROWS] for a in evidence.reruns.sample)
    try:
        return curvature(trainer.net, x, y, loss=trainer.loss)
    except CutawayError:
        return None


def _kind(found, usual, gap) -> str:
    """The kind of point, by the gradient, by curvature, and by what curvature is elsewhere."""
    if found is None or usual is None:
        return "open"
    length = found.near / NEAR  # of the weights, at least 1
    if found.verdict != "plateau" and found.gradient_norm * length / 10 > LEVEL * gap:
        return "slope"
    curved = max(abs(found.largest), abs(found.smallest))
    if found.verdict == "plateau" or curved < FLAT * abs(usual.largest):
        return "plateau"
    return "saddle" if found.smallest < -DOWN * abs(found.largest) else "minimum"
