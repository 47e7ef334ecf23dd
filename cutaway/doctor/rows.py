"""What several symptoms read off the probes and the network in the same way."""

import math

import numpy as np

from cutaway.doctor.evidence import Evidence
from cutaway.errors import CutawayError
from cutaway.explain import explain
from cutaway.explain.flow import FlowStory
from cutaway.ops import ACTIVATION_FUNCTIONS

STUCK = 0.9  # of the loss of chance: with more than this left, next to nothing was learned
LEARNED = 0.1  # with less than this left, what looks odd inside is how it was learned

STORY_ROWS = 8  # of which an explanation is made: it opens every element


def layers_at(evidence: Evidence, moment: int) -> list:
    """Rows of the layers with weights at a moment (0 the first, -1 the last), in order."""
    return [row for row in evidence.probes.at(moment) if row["role"] == "weights"]


def hidden_at(evidence: Evidence, moment: int) -> list:
    """Rows of the activations at a moment, in order, without the one at the network's output."""
    at_output = {layer.activation_path for layer in evidence.layers if layer.is_last}
    rows = [row for row in evidence.probes.at(moment) if row["role"] == "activation"]
    return [row for row in rows if row["layer"] not in at_output]


def gradient_share(rows: list) -> float:
    """The first layer's ∂L/∂z over the last one's.

    NaN with fewer than three layers, where a gradient is exactly 0 or one is not known.
    """
    sizes = [row["grad"] for row in rows if not math.isnan(row["grad"])]
    if len(sizes) < 3 or not all(0 < size < math.inf for size in sizes):
        return math.nan
    return sizes[0] / sizes[-1]


def flow_at_start(evidence: Evidence) -> FlowStory | None:
    """explain's story of the gradient before training; None of a network that it cannot open."""
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
    """Name of the nn.init that keeps signals their size behind most of the hidden activations."""
    functions = [
        ACTIVATION_FUNCTIONS.get(layer.activation) for layer in evidence.layers if not layer.is_last
    ]
    fitting = [
        "glorot_normal" if f is None else f.traits.activation.fitting_initializer for f in functions
    ]
    if not fitting:
        return "glorot_normal"
    return max(("he_normal", "lecun_normal", "glorot_normal"), key=fitting.count)


def have_finite_data(evidence: Evidence) -> bool:
    """Whether x and y are without NaN and infinity."""
    arrays = (np.asarray(evidence.program.x), np.asarray(evidence.program.y))
    return all(a.dtype.kind != "f" or bool(np.isfinite(a).all()) for a in arrays)


def span(names: list) -> str:
    """Names for `where`: "0", "0 and 2", "0 to 8".

    Example:
        >>> span(["0"]), span(["0", "2"]), span(["0", "2", "4"])
        ('0', '0 and 2', '0 to 4')
    """
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]} to {names[-1]}"
