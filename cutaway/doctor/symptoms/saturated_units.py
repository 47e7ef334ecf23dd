"""saturated_units: sigmoid or tanh units so far from 0 that their slope nearly vanishes."""

from cutaway.doctor.changes import InsertLayerNorm, LearningRate, Reinitialize, ScaleInputs
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import LEARNED, STUCK, hidden_at, layers_at, span
from cutaway.ops import ACTIVATION_TRAITS
from cutaway.story.text import number

FAMILY = "flow"
EXPLAINS = ("slow", "vanishing_gradient")

# The tanh of a normal z with standard deviation 1 has a slope below 5% on 3% of its elements; with
# standard deviation 3, on 47%. The gates of recurrent layers are not activations of their own and
# are not examined.
MOST = 0.5


def look(evidence: Evidence) -> Finding | None:
    if evidence.relative_loss <= LEARNED:  # networks that have learned well are confident
        return None
    start, end = (_saturated(evidence, moment) for moment in (0, -1))
    found = start or end
    if not found:
        return None
    if not (evidence.relative_loss >= STUCK or (start and _would_be_better(evidence))):
        return None
    worst = max(found, key=lambda row: row["saturated"])
    layer = next((r for r in layers_at(evidence, 0) if r["number"] == worst["number"]), None)
    share, l = worst["saturated"], worst["number"]  # noqa: E741
    when = "before training" if start else "after training"
    bound = f"{ACTIVATION_TRAITS[worst['kind']].largest_slope:g}"
    text = (
        f"{share:.0%} of the elements of O^({l}) lie where act' is below 5% of its maximum, "
        f"{bound}. ∂L/∂w_ij^({l}) contains the factor act'(z_j^({l})), so they hardly learn."
    )
    if start and layer is not None:
        text += (
            f" The standard deviation of z^({l}) was {number(layer['std'])} at the start; about 1 "
            "is recommended."
        )
    return Finding(
        "saturated_units",
        f"layer {span([row['layer'] for row in found])}",
        [
            Measure(
                f"fraction of saturated elements of {worst['layer']}, {when}",
                share,
                MOST,
                "above",
                "0.47 for the tanh of a normal z with standard deviation 3",
            ),
            Measure("loss relative to chance level", evidence.relative_loss, LEARNED),
        ],
        text,
        _prescriptions(bool(start)),
        0.75 if start else 0.5,
        path=worst["layer"],
    )


look_live = look  # where next to nothing is learned, it makes no experiment


def _saturated(evidence, moment):
    rows = hidden_at(evidence, moment)
    return [row for row in rows if row["saturated"] > MOST and _saturates(row["kind"])]


def _saturates(title):
    return title in ACTIVATION_TRAITS and ACTIVATION_TRAITS[title].saturates


def _would_be_better(evidence):
    return evidence.helps(Reinitialize("glorot_normal")) or evidence.helps(ScaleInputs())


def _prescriptions(from_the_start):
    redraw = Prescription(
        "reinitialize the weights with glorot_normal and set the biases to 0",
        (Reinitialize("glorot_normal"),),
    )
    scale = Prescription(
        "standardize the inputs and reinitialize the weights with glorot_normal",
        (ScaleInputs(), *redraw.changes),
    )
    slower = Prescription("divide the learning rate by 10", (LearningRate(0.1),))
    norms = Prescription("add a LayerNorm after each hidden layer", (InsertLayerNorm(),))
    return [redraw, scale, norms] if from_the_start else [slower, norms, scale]
