"""frozen_parameters: weights are not trained, though the network needs them to be."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from cutaway.doctor.changes import Unfreeze
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import LEARNED, span
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.story.text import number

EXPLAINS = ("slow",)

# A frozen backbone is pretrained: with its weights shuffled the network does worse. Weights that do
# as well when shuffled were never trained, so freezing them preserves nothing.
AS_GOOD = 0.8


@dataclasses.dataclass(frozen=True)
class ShuffleFrozen:
    """Shuffles the entries of each frozen weight."""

    text = "shuffle the frozen weights"

    def apply(self, plan: TrainingPlan) -> TrainingPlan:
        plan = dataclasses.replace(plan, program=plan.program.copied())
        rng = np.random.default_rng(0)
        for parameter in frozen(plan.program).values():
            values = rng.permutation(parameter.numpy().ravel())
            parameter.data = jnp.asarray(values.reshape(parameter.shape))
        return plan


def frozen(trainer) -> dict:
    """{path: Parameter} of those that no step updates."""
    moved = {id(p) for p in trainer.optimizer.parameters if p.requires_grad}
    return {path: p for path, p in trainer.net.named_parameters().items() if id(p) not in moved}


def look(evidence: Evidence) -> Finding | None:
    untrained = frozen(evidence.plan.program)
    weights = [path for path, p in untrained.items() if p.ndim > 1]
    if not weights or evidence.relative_loss <= LEARNED:
        return None
    if not evidence.helps(Unfreeze()):
        return None
    shuffled = evidence.tried(ShuffleFrozen()).loss
    if not shuffled * AS_GOOD <= evidence.tried().loss:
        return None
    unlisted = [path for path in weights if untrained[path].requires_grad]
    if not unlisted:  # someone froze them: that is said, and is no fault
        evidence.note(
            f"Frozen on purpose (requires_grad is False): {span(weights)}. Trained too, the loss "
            f"would be {number(evidence.tried(Unfreeze()).loss)} instead of "
            f"{number(evidence.tried().loss)}, and with these weights shuffled "
            f"{number(shuffled)}: they are as good as random."
        )
        return None
    every = evidence.plan.program.net.parameters()
    fraction = sum(p.size for p in untrained.values()) / sum(p.size for p in every)
    return Finding(
        "frozen_parameters",
        span(weights),
        [
            Measure("fraction of the parameters that are not trained", fraction, 0.0),
            Measure("loss when they are trained too", evidence.tried(Unfreeze()).loss),
            Measure("loss without the change", evidence.tried().loss),
            Measure("loss with these weights shuffled", shuffled, evidence.tried().loss / AS_GOOD,
                    "below", "a pretrained backbone is worse when shuffled"),
        ],
        f"w ← w - η ∂L/∂w never happens for {span(weights)}: the optimizer was not given "
        f"{'them' if unlisted == weights else span(unlisted)}. Their values are as good as random, "
        "so keeping them preserves nothing.",
        [Prescription("train all parameters", (Unfreeze(),))],
        0.93,
    )  # fmt: skip
