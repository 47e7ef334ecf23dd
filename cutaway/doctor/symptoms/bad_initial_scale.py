"""bad_initial_scale: initial weights are far too large or too small to preserve the signal."""

import dataclasses
import math

import numpy as np

from cutaway.doctor.changes import Reinitialize
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import LEARNED, fitting_initializer, layers_at, span
from cutaway.nn import Embedding
from cutaway.nn.init import fans
from cutaway.story.text import number

EXPLAINS = ("flow", "unstable", "slow")

# Outside the band from 1/√(3 fan_in) (LeCun's uniform, PyTorch's default) to √(2/fan_in) (He) by
# this factor. GPT-2's 0.02 is 0.3 of the lower end at width 64, and more in wider layers.
TOO_LARGE = 3.0
TOO_SMALL = 0.2
# Small weights lie near the saddle at 0. If the Hessian proves that training is stuck there,
# saddle_point says more.
AT_A_SADDLE = 0.5


@dataclasses.dataclass(frozen=True)
class _Scale:
    path: str
    std: float
    ratio: float  # to the nearer end of the band; 1 inside it
    usual: float  # the nearer end of the band


def look(evidence: Evidence) -> Finding | None:
    if evidence.relative_loss <= LEARNED:
        return None
    scales = _scales(evidence)
    found = [s for s in scales if s.ratio > TOO_LARGE or s.ratio < TOO_SMALL]
    if not found or len(scales) < 2:
        return None  # with a single layer no signal passes from layer to layer
    name = fitting_initializer(evidence)
    # trained weights may lie outside the band too, and with normalization between layers the scale
    # does not matter: only an experiment can tell
    if not evidence.helps(Reinitialize(name)):
        return None
    worst = max(found, key=lambda s: abs(math.log(s.ratio)))
    large = worst.ratio > 1
    measures = [
        Measure(
            f"standard deviation of the initial {worst.path}, {number(worst.std)}, relative to the "
            "nearer end of the usual range",
            worst.ratio,
            TOO_LARGE if large else TOO_SMALL,
            "above" if large else "below",
            "He et al. 2015, eq. 10; LeCun et al. 1998, sec. 4.6",
        ),
        Measure("initial loss", evidence.initial_loss),
        Measure("loss with reinitialized weights", evidence.tried(Reinitialize(name)).loss),
        Measure("loss without the change", evidence.tried().loss),
    ]
    return Finding(
        "bad_initial_scale",
        span([s.path for s in found]),
        measures,
        _explanation(evidence, worst, large),
        [
            Prescription(
                f"reinitialize the weights with {name} and set the biases to 0",
                (Reinitialize(name),),
            )
        ],
        AT_A_SADDLE if begins_at_saddle(evidence) else 0.88,
        cured=evidence.tried(Reinitialize(name)).loss / evidence.tried().loss,
    )


def begins_at_saddle(evidence) -> bool:
    """Whether the weights start too small and the Hessian proves that training is stuck there."""
    if not any(s.ratio < TOO_SMALL for s in _scales(evidence)):
        return False
    return evidence.stop is not None and evidence.stop.kind == "saddle"


def _explanation(evidence, worst, large):
    stds = [row["std"] for row in layers_at(evidence, 0)]
    text = (
        f"var(z^(l)) = fan_in · var(w^(l)) · E[(O^(l-1))²]: with a standard deviation of "
        f"{number(worst.std)} instead of {number(worst.usual)}, each layer "
        f"{'amplifies' if large else 'attenuates'} the signal"
    )
    if len(stds) > 1 and all(math.isfinite(s) for s in stds):
        text += (
            f"; the standard deviation of z goes from {number(stds[0])} in layer 1 to "
            f"{number(stds[-1])} in layer {len(stds)}"
        )
    if large:
        return text + ". The first outputs are far off, activations saturate, and steps overshoot."
    return text + ". The outputs hardly depend on the input, and gradients shrink in the same way."


def _scales(evidence) -> list:
    net = evidence.plan.program.net
    embeddings = [path for path, m in net.modules().items() if isinstance(m, Embedding)]
    found = []
    for path, parameter in net.named_parameters().items():
        inside = any(path.startswith(f"{e}.") for e in embeddings)
        # the scale of recurrent weights acts through time: see vanishing_gradient
        recurrent = path.endswith(".hidden_weight")
        if parameter.ndim < 2 or inside or recurrent or not parameter.requires_grad:
            continue
        std = float(np.sqrt(np.mean(parameter.numpy().astype(np.float64) ** 2)))
        fan_in, fan_out = fans(parameter.shape)
        high = math.sqrt(2 / fan_in)
        low = min(1 / math.sqrt(3 * fan_in), math.sqrt(2 / (fan_in + fan_out)))
        if std == 0:  # symmetric_weights, or a branch that starts at 0 on purpose
            continue
        ratio = std / high if std > high else std / low if std < low else 1.0
        found.append(_Scale(path, std, ratio, high if std > high else low))
    return found
