"""The gradient through the time steps of a recurrent layer."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from cutaway.doctor.evidence import Evidence
from cutaway.doctor.heads import loss_of
from cutaway.engine import Tensor
from cutaway.errors import CutawayError
from cutaway.explain.layerwise import plain_forward, replaced
from cutaway.nn.recurrent import Recurrent
from cutaway.nn.trees import map_leaves

ROWS = 64  # on which the gradient is computed


@dataclasses.dataclass(frozen=True)
class TimeGradientRatio:
    """The gradient at the first time step relative to the last.

    Attributes:
        path: of the recurrent layer.
        steps: number of time steps.
        ratio: root mean square of ∂L/∂x at the first step over that at the last.
    """

    path: str
    steps: int
    ratio: float


def time_gradient_ratio(evidence: Evidence) -> TimeGradientRatio | None:
    """Of the first recurrent layer, before training; None if there is none."""
    trainer, plan = evidence.plan.fresh(), evidence.plan
    layers = {p: m for p, m in trainer.net.modules().items() if isinstance(m, Recurrent)}
    if not layers:
        return None
    path, layer = next(iter(layers.items()))
    caught = []

    def catch(module, x, *rest, **named):
        leaf = Tensor(x.data, requires_grad=True)
        caught.append(leaf)
        return plain_forward(module, leaf, *rest, **named)

    program = trainer.program
    x, y = (map_leaves(Tensor, tree) for tree in plan.examples(slice(ROWS)))
    try:
        with replaced({layer: catch}):
            loss_of(program, map_leaves(Tensor, program.inputs(x)), y).backward()
    except CutawayError:
        return None
    grad = caught[0].grad if caught else None
    if grad is None or grad.ndim != 3 or grad.shape[1] < 3:
        return None
    sizes = np.asarray(jnp.sqrt((grad**2).mean(axis=(0, 2))), np.float64)
    last = sizes[-1] if sizes[-1] > 0 else np.nan
    return TimeGradientRatio(path, len(sizes), float(sizes[0] / last))
