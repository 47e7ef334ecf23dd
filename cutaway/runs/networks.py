"""The network of a run: a spec in JSON values, and the network built from it."""

import functools
from collections.abc import Callable

from cutaway.errors import RunError
from cutaway.losses import LOSSES
from cutaway.models import pretrained_backbone, transfer
from cutaway.nn import Dropout, Linear, Sequential, Standardize
from cutaway.runs.kinds import KINDS
from cutaway.runtime.exhaustion import explaining_placing

# by task
DEFAULT_LOSSES = {
    "binary": "binary_cross_entropy_with_logits",
    "multiclass": "sparse_categorical_cross_entropy_with_logits",
    "regression": "mean_squared_error",
}
NARROWER = "narrower layers: the weights of one grow with its width times that of the next"


def build_network(spec: dict):
    """The network that `spec` describes, with newly initialized weights.

    Raises:
        RunError: no kind of data has such a network.
        OutOfMemoryError: it does not fit into the memory of the device.
    """
    with explaining_placing("the network", NARROWER):
        return _builder(spec["model"])(spec)


def loss_of(spec: dict) -> Callable:
    """The loss that `spec` names, with its options if there are any: "loss" and "loss_options"."""
    options = spec.get("loss_options", {})
    loss = LOSSES[spec["loss"]]
    return functools.partial(loss, **options) if options else loss


def _builder(model: str):
    known = []
    for kind in KINDS.values():
        networks = kind.networks()
        if model in networks:
            return networks[model]
        known += networks
    raise RunError(
        f"no kind of data has a network {model!r}",
        expected="one of " + ", ".join(dict.fromkeys(known)),
        fix="open the run with the version of Cutaway that wrote it",
    )


def standardized(build):
    """A builder of a network for (..., channels) inputs that are standardized first."""

    def built(spec):
        return build(
            spec["channels"],
            spec["outputs"],
            widths=spec["widths"],
            dropout=spec["dropout"],
            mean=spec["mean"],
            std=spec["std"],
        )

    return built


def transferred(spec, body):
    """`body`, frozen, with a new head: standardization, dropout, one linear layer."""
    backbone, _ = pretrained_backbone(spec["from"])
    return transfer(body, build_head(spec, body.num_features), inputs=backbone.first_layer())


def build_head(spec, width: int):
    """A new head on `width` features; the mean and std of its standardization are set later."""
    return Sequential(
        Standardize([0.0] * width, [1.0] * width),
        Dropout(spec["dropout"]),
        Linear(width, spec["outputs"]),
    )


def build_transfer(spec):
    """The network for a spec of transfer learning, with a new head."""
    backbone, _ = pretrained_backbone(spec["from"])
    net = transferred(spec, backbone.build())
    return net if spec["unfrozen"] is None else net.unfreeze_from(spec["unfrozen"])
