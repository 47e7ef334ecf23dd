"""wrong_hidden_activation: none, one that passes no gradient, or one that couples the units."""

from cutaway import ops
from cutaway.doctor.changes import Reinitialize, ReplaceActivations
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import LEARNED, STUCK, gradient_ratio, hidden_at, layers_at, span
from cutaway.nn import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
)

EXPLAINS = ("slow", "vanishing_gradient", "dead_units", "saturated_units")

SIGMOIDS = 3  # hidden layers from which on sigmoids are a poor choice and not a matter of taste
REMEDY = (ReplaceActivations("relu"), Reinitialize("he_normal"))
CONVOLUTIONS = (Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
AFFINE = (Linear, *CONVOLUTIONS)


def look(evidence: Evidence) -> Finding | None:
    if evidence.relative_loss <= LEARNED:
        return None
    found = _suspects(evidence)
    # consecutive linear layers may be intended (a bottleneck, a low-rank factorization, the
    # projections of attention): only the experiment shows whether the network lacks something
    if not found or not evidence.helps(*REMEDY):
        return None
    title, layers = found
    return Finding(
        "wrong_hidden_activation",
        f"{'no activation' if _is_linear(title) else title} after layer "
        f"{span([layer.path for layer in layers])}",
        [
            Measure("hidden layers with it", len(layers)),
            Measure("loss with ReLU instead", evidence.tried(*REMEDY).loss),
            Measure("loss without the change", evidence.tried().loss),
        ],
        _explanation(title),
        [
            Prescription("use ReLU after the hidden layers", (ReplaceActivations("relu"),)),
            Prescription(
                "use ReLU after the hidden layers and reinitialize with he_normal", REMEDY
            ),
            Prescription("use tanh after the hidden layers", (ReplaceActivations("tanh"),)),
        ],
        0.9 if _never_fits(title) else 0.8,
    )


def _explanation(title) -> str:
    if _is_linear(title):
        return (
            "Without an activation between them, W^(2) (W^(1) x + b^(1)) + b^(2) is a single "
            "linear map: together the layers can represent no more than one layer can."
        )
    traits = ops.ACTIVATION_FUNCTIONS[title].traits
    slope = ops.ACTIVATION_TRAITS[title].largest_slope
    if slope == 0:
        return (
            f"{title} has slope 0 wherever it is differentiable: act'(z) = 0, so ∂L/∂w_ij^(l) = 0 "
            "for all layers up to it."
        )
    if traits.edges == "rowwise":
        return (
            f"{title} couples the units of a layer: they share one unit of probability, so one can "
            "rise only if the others fall, and with n units each has about 1/n of it."
        )
    return (
        f"{title} is never negative and its slope is at most {slope:g}: the outputs are not "
        "centered on 0, and the gradient shrinks at each layer."
    )


def _is_linear(title) -> bool:
    return title not in ops.ACTIVATION_TRAITS or ops.ACTIVATION_TRAITS[title].changes_nothing


def _never_fits(title) -> bool:
    """Whether no hidden layer should have it: its units are coupled, or pass no gradient."""
    function = ops.ACTIVATION_FUNCTIONS.get(title)
    if function is None:
        return False
    return function.traits.edges == "rowwise" or ops.ACTIVATION_TRAITS[title].largest_slope == 0


def _is_sigmoid(title) -> bool:
    """Whether it saturates on both sides, at values that are not negative."""
    function = ops.ACTIVATION_FUNCTIONS.get(title)
    if function is None or function.traits.edges != "elementwise":
        return False
    activation = ops.ACTIVATION_TRAITS[title]
    return activation.saturates and activation.range[0] >= 0


def _suspects(evidence):
    """(title of the activation, the layers that it follows), or None."""
    hidden = [layer for layer in evidence.layers if not layer.is_last]
    titles = list(dict.fromkeys(layer.activation for layer in hidden))
    for title in filter(_never_fits, titles):
        return title, [layer for layer in hidden if layer.activation == title]
    nonlinear = any(not _is_linear(row["kind"]) for row in hidden_at(evidence, 0))
    affine = all(isinstance(layer.module, AFFINE) for layer in evidence.layers)
    if hidden and not nonlinear and affine:
        return "", hidden
    several = len(hidden) >= SIGMOIDS and all(map(_is_sigmoid, titles))
    # where the gradient vanishes altogether, vanishing_gradient says more
    if (
        several
        and evidence.relative_loss >= STUCK
        and not gradient_ratio(layers_at(evidence, 0)) < 1e-3
    ):
        return titles[0], hidden
    return None
