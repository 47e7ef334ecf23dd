"""What several symptoms read from the probes and the network."""

import math

import numpy as np

from cutaway.doctor.evidence import Evidence
from cutaway.errors import CutawayError
from cutaway.explain import explain
from cutaway.explain.flow import FlowStory
from cutaway.ops import ACTIVATION_TRAITS

STUCK = 0.9  # of the chance-level loss: above this, next to nothing was learned
LEARNED = 0.1  # below this, whatever looks odd inside did no harm

STORY_ROWS = 8  # rows of an explanation, which treats every element on its own


def layers_at(evidence: Evidence, moment: int) -> list:
    """The probes' rows of the layers with weights at a moment (0 the first, -1 the last)."""
    return [row for row in evidence.probes.at(moment) if row["role"] == "weights"]


def hidden_at(evidence: Evidence, moment: int) -> list:
    """The probes' rows of the activations at a moment, without the one at the network's output."""
    at_output = {layer.activation_path for layer in evidence.layers if layer.is_last}
    rows = [row for row in evidence.probes.at(moment) if row["role"] == "activation"]
    return [row for row in rows if row["layer"] not in at_output]


def gradient_ratio(rows: list) -> float:
    """∂L/∂z of the first layer relative to that of the last.

    NaN with fewer than three layers, or if a gradient is exactly 0 or unknown.
    """
    sizes = [row["grad"] for row in rows if not math.isnan(row["grad"])]
    if len(sizes) < 3 or not all(0 < size < math.inf for size in sizes):
        return math.nan
    return sizes[0] / sizes[-1]


def flow_at_start(evidence: Evidence) -> FlowStory | None:
    """explain's FlowStory before training; None for a network that it cannot explain."""
    net, program = evidence.program.fresh().net, evidence.program
    if program.trainer.prepare is not None:
        return None
    x, y = program.x[:STORY_ROWS], program.y[:STORY_ROWS]
    try:
        flow = explain(net, x, y, loss=program.trainer.loss).flow()
    except (CutawayError, TypeError, ValueError, IndexError):
        return None
    return flow if len(flow.layers) > 1 else None


def fitting_initializer(evidence: Evidence) -> str:
    """Name in nn.init of the initializer that fits most of the hidden activations."""
    activations = [
        ACTIVATION_TRAITS.get(layer.activation) for layer in evidence.layers if not layer.is_last
    ]
    fitting = ["glorot_normal" if a is None else a.fitting_initializer for a in activations]
    if not fitting:
        return "glorot_normal"
    return max(("he_normal", "lecun_normal", "glorot_normal"), key=fitting.count)


def have_finite_data(evidence: Evidence) -> bool:
    """Whether x and y contain neither NaN nor infinity."""
    arrays = (np.asarray(evidence.program.x), np.asarray(evidence.program.y))
    return all(a.dtype.kind != "f" or bool(np.isfinite(a).all()) for a in arrays)


def span(names: list) -> str:
    """Names in a finding's `where`: "0", "0 and 2", "0 to 8".

    Example:
        >>> from cutaway.doctor.rows import span
        >>> span(["0"]), span(["0", "2"]), span(["0", "2", "4"])
        ('0', '0 and 2', '0 to 4')
    """
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]} to {names[-1]}"
