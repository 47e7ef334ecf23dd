"""saturated_units: sigmoids and tanhs so far out that their slope, and with it learning, is 0."""

from cutaway.doctor.changes import InsertLayerNorm, LearningRate, Reinitialize, ScaleInputs
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import LEARNED, STUCK, hidden_at, layers_at, span
from cutaway.ops import ACTIVATION_FUNCTIONS
from cutaway.story.text import number

# A tanh of a normal z of spread 1 has a slope below 5% on 3% of its elements; of spread 3 on 47%.
# Gates of recurrent layers are no activations of their own and are not looked at.
MOST = 0.5


def look(evidence: Evidence) -> Finding | None:
    if evidence.left <= LEARNED:  # networks that have learned well are sure of themselves
        return None
    start, end = (_saturated(evidence, moment) for moment in (0, -1))
    found = start or end
    if not found:
        return None
    if not (evidence.left >= STUCK or (start and _would_be_better(evidence))):
        return None
    worst = max(found, key=lambda row: row["saturated"])
    layer = next((r for r in layers_at(evidence, 0) if r["number"] == worst["number"]), None)
    share, l = worst["saturated"], worst["number"]  # noqa: E741
    when = "before training" if start else "after training"
    bound = f"{ACTIVATION_FUNCTIONS[worst['kind']].traits.activation.largest_slope:g}"
    text = (
        f"{share:.0%} of the elements of O^({l}) lie where act' is below 5% of its largest value, "
        f"{bound}. ∂L/∂w_ij^({l}) has the factor act'(z_j^({l})), so they learn next to nothing."
    )
    if start and layer is not None:
        text += f" The spread of z^({l}) was {number(layer['std'])} at the start; 1 would be good."
    return Finding(
        "saturated_units",
        f"layer {span([row['layer'] for row in found])}",
        [
            Measure(
                f"share of saturated elements of {worst['layer']}, {when}",
                share,
                MOST,
                "above",
                "a tanh of a normal z of spread 3 has 0.47",
            ),
            Measure("loss as a share of that of chance", evidence.left, LEARNED),
        ],
        text,
        _prescriptions(bool(start)),
        0.75 if start else 0.5,
    )


def _saturated(evidence, moment):
    rows = hidden_at(evidence, moment)
    return [row for row in rows if row["saturated"] > MOST and _saturates(row["kind"])]


def _saturates(title):
    return title in ACTIVATION_FUNCTIONS and ACTIVATION_FUNCTIONS[title].traits.activation.saturates


def _would_be_better(evidence):
    return evidence.helps(Reinitialize("glorot_normal")) or evidence.helps(ScaleInputs())


def _prescriptions(from_the_start):
    redraw = Prescription(
        "draw the weights anew (glorot_normal) with biases 0", (Reinitialize("glorot_normal"),)
    )
    scale = Prescription(
        "scale the inputs and draw the weights anew", (ScaleInputs(), *redraw.changes)
    )
    slower = Prescription("a tenth of the learning rate", (LearningRate(0.1),))
    norms = Prescription("put a layer norm behind each hidden layer", (InsertLayerNorm(),))
    return [redraw, scale, norms] if from_the_start else [slower, norms, scale]
