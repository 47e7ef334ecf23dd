"""wrong_hidden_activation: one that passes no gradient, none at all, or one that binds units."""

from cutaway.doctor.changes import Reinitialize, ReplaceActivations
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import LEARNED, STUCK, gradient_share, hidden_at, layers_at, span

WHY = {
    "Softmax": "A softmax makes the units of a layer share one unit of output: each rises only as "
    "the others fall, and with n units they are about 1/n, with slopes of at most 1/4.",
    "LogSoftmax": "A log-softmax makes the units of a layer share one unit of probability.",
    "Threshold": "A step function has the slope 0 wherever it has one: act'(z) = 0, so "
    "∂L/∂w_ij^(l) = 0 for all layers up to it.",
    "Sigmoid": "The sigmoid is positive and its slope at most 1/4: signals lose their mean, and "
    "gradients most of their size, at each layer.",
    "": "Without an activation between them, W^(2) (W^(1) x + b^(1)) + b^(2) is one linear map: "
    "the layers together can do no more than one.",
}
WHY["Identity"] = WHY[""]
NEVER = ("Softmax", "LogSoftmax", "Threshold")  # as the activation of a hidden layer
SIGMOIDS = 3  # hidden layers, from which sigmoids are a bad choice and not a matter of taste
REMEDY = (ReplaceActivations("relu"), Reinitialize("he_normal"))


def look(evidence: Evidence) -> Finding | None:
    if evidence.left <= LEARNED:
        return None
    found = _suspects(evidence)
    # linear layers in a row may be meant (a bottleneck, factors of a matrix, the projections of
    # attention): only the experiment tells whether the network lacks something
    if not found or not evidence.helps(*REMEDY):
        return None
    kind, layers = found
    name = kind if kind not in ("", "Identity") else "no activation"
    return Finding(
        "wrong_hidden_activation",
        f"{name} behind layer {span([layer.path for layer in layers])}",
        [
            Measure("hidden layers with it", len(layers)),
            Measure("loss with ReLU in its place", evidence.tried(*REMEDY).loss),
            Measure("loss without", evidence.tried().loss),
        ],
        WHY[kind],
        [
            Prescription("replace the hidden activations by ReLU", (ReplaceActivations("relu"),)),
            Prescription("replace them by ReLU and draw He's weights", REMEDY),
            Prescription("replace them by tanh", (ReplaceActivations("tanh"),)),
        ],
        0.9 if kind in NEVER else 0.8,
    )


def _suspects(evidence):
    """(kind, the layers behind which it is), or None."""
    hidden = [layer for layer in evidence.layers if not layer.is_last]
    kinds = {layer.activation for layer in hidden}
    for kind in NEVER:
        if kind in kinds:
            return kind, [layer for layer in hidden if layer.activation == kind]
    plain = ("", "Identity")
    nonlinear = any(row["kind"] not in plain for row in hidden_at(evidence, 0))
    if hidden and not nonlinear and all(_is_affine(layer) for layer in evidence.layers):
        return hidden[0].activation if hidden[0].activation in plain else "", hidden
    several = len(hidden) >= SIGMOIDS and kinds == {"Sigmoid"}
    # where the gradient is lost altogether, vanishing_gradient says more
    if several and evidence.left >= STUCK and not gradient_share(layers_at(evidence, 0)) < 1e-3:
        return "Sigmoid", hidden
    return None


def _is_affine(layer):
    return type(layer.module).__name__.startswith(("Linear", "Conv"))
