"""symmetric_weights: units of a layer that are copies of each other and stay so."""

import math

from cutaway.doctor.changes import Reinitialize
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import fitting_initializer, layers_at, span
from cutaway.story.text import number

# Equal units get equal gradients; only the order of additions in float32 tells them apart, which
# is about 1e-7 a step. Units that were drawn differ by about √2 of their norm.
EQUAL = 1e-3


def look(evidence: Evidence) -> Finding | None:
    # what trains apart, such as residual branches that begin at 0, is apart at the end
    trained = {id(p) for p in evidence.trainer.optimizer.parameters if p.requires_grad}
    last = {layer.path: layer for layer in evidence.layers if layer.is_last}
    modules = evidence.net.modules()
    found = [
        row
        for row in layers_at(evidence, -1)
        if row["units_apart"] < EQUAL
        and row["layer"] not in last  # each output has a target, so a gradient, of its own
        and any(id(p) in trained for p in _weights(modules.get(row["layer"])))
    ]
    if not found or evidence.trainer.optimizer.step_count.data == 0:
        return None
    row = found[0]
    l, zero = row["number"], _start_norm(evidence, row["layer"]) == 0  # noqa: E741
    text = (
        f"All units of layer {l} have the same w_j^({l}) and b_j^({l}), hence the same O_j^({l}) "
        f"and the same ∂L/∂w_ij^({l}): however long it trains, the layer is worth one unit."
    )
    if zero:
        text += f" Its weights began at 0, so with them ∂L/∂O^({l - 1}) was 0 as well."
    name = fitting_initializer(evidence)
    return Finding(
        "symmetric_weights",
        f"layer {span([r['layer'] for r in found])}",
        [
            Measure(
                f"largest distance between the weights of two units of {row['layer']}, "
                "relative to their norm, after training",
                row["units_apart"],
                EQUAL,
                "below",
                "drawn units differ by about √2",
            )
        ],
        text + f" Loss at the end: {number(evidence.left)} of that of chance.",
        [Prescription(f"draw the weights at random ({name})", (Reinitialize(name),))],
        0.97,
    )


def _weights(module):
    return [] if module is None else module.parameters()


def _start_norm(evidence, path):
    rows = [row for row in layers_at(evidence, 0) if row["layer"] == path]
    return rows[0]["weight"] if rows else math.nan
