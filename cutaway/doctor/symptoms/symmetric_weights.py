"""symmetric_weights: the units of a layer are identical and stay identical."""

import math

from cutaway.doctor.changes import Reinitialize
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import fitting_initializer, layers_at, span
from cutaway.story.text import number

EXPLAINS = ("slow",)

# Identical units get identical gradients; only the order of float32 additions separates them, by
# about 1e-7 per step. Randomly initialized units differ by about √2 of their norm.
EQUAL = 1e-3


def look(evidence: Evidence) -> Finding | None:
    # units that separate during training, as in residual branches starting at 0, differ at the end
    trained = {id(p) for p in evidence.trainer.optimizer.parameters if p.requires_grad}
    last = {layer.path: layer for layer in evidence.layers if layer.is_last}
    modules = evidence.net.modules()
    found = [
        row
        for row in layers_at(evidence, -1)
        if row["units_apart"] < EQUAL
        and row["layer"] not in last  # each output has its own target, hence its own gradient
        and any(id(p) in trained for p in _weights(modules.get(row["layer"])))
    ]
    if not found or evidence.trainer.optimizer.step_count.data == 0:
        return None
    row = found[0]
    l, zero = row["number"], _start_norm(evidence, row["layer"]) == 0  # noqa: E741
    text = (
        f"All units of layer {l} have the same w_j^({l}) and b_j^({l}), hence the same O_j^({l}) "
        f"and the same ∂L/∂w_ij^({l}): however long it trains, the layer acts as a single unit."
    )
    if zero:
        text += f" Its weights were initialized to 0, so ∂L/∂O^({l - 1}) was 0 as well."
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
                "randomly initialized units differ by about √2",
            )
        ],
        text + f" Final loss relative to chance level: {number(evidence.relative_loss)}.",
        [Prescription(f"initialize the weights randomly with {name}", (Reinitialize(name),))],
        0.97,
        path=row["layer"],
    )


look_live = look  # it makes no experiment


def _weights(module):
    return [] if module is None else module.parameters()


def _start_norm(evidence, path):
    rows = [row for row in layers_at(evidence, 0) if row["layer"] == path]
    return rows[0]["weight"] if rows else math.nan
