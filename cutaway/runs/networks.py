"""The network for each kind of data: a spec in JSON values, and the network built from it."""

from cutaway.errors import OptionError
from cutaway.losses import LOSSES, expects
from cutaway.models import (
    TEXT_MODELS,
    Forecaster,
    LanguageModel,
    TableNetwork,
    cnn,
    mlp,
    pretrained_backbone,
    text_network,
    time_series_cnn,
    transfer,
)
from cutaway.nn import (
    ACTIVATIONS,
    GRU,
    INITIALIZERS,
    LSTM,
    Dropout,
    Linear,
    Sequential,
    Sigmoid,
    Softmax,
    Standardize,
)
from cutaway.runtime.exhaustion import explaining_placing

DEFAULT_LOSSES = {
    "binary": "binary_cross_entropy_with_logits",
    "multiclass": "sparse_categorical_cross_entropy_with_logits",
    "regression": "mean_squared_error",
}


def table_spec(options, preprocessing) -> dict:
    """The spec of the network for a table: JSON values, for `build_network`."""
    task = preprocessing.task
    loss = options.loss or DEFAULT_LOSSES[task]
    outputs = len(preprocessing.classes) if task == "multiclass" else 1
    return {
        "model": "mlp",
        "loss": loss,
        "num_features": len(preprocessing.features) - len(preprocessing.embeddings),
        "embeddings": [[levels, width] for _, levels, width in preprocessing.embeddings],
        "layers": list(options.layers),
        "outputs": outputs,
        "activation": options.activation,
        "output": _output_activation(task, loss),
        "dropout": options.dropout,
        "init": options.init,
    }


def _output_activation(task: str, loss: str) -> str | None:
    """Name of the output activation that the loss expects."""
    wants = expects(LOSSES[loss])
    assert wants is not None  # every loss of LOSSES declares what it expects
    fits = {
        "binary": wants.target != "labels" and wants.target != "one_hot",
        "multiclass": wants.target in ("labels", "one_hot", "real"),
        "regression": wants.target == "real",
    }
    if not fits[task]:
        raise OptionError(
            f"the loss {loss} does not fit the target: it is for "
            f"{'classes' if task == 'regression' else wants.target + ' targets'}, and this is a "
            f"{task} task",
            expected=f"a loss for {task}, by default {DEFAULT_LOSSES[task]}",
            fix="omit the loss, or set task",
        )
    if task == "regression" or wants.output in ("logit", "score"):
        return None
    return "sigmoid" if task == "binary" else "softmax"


NARROWER = "narrower layers: the weights of one grow with its width times that of the next"


def build_network(spec: dict):
    """The network that `spec` describes, with newly initialized weights.

    Raises:
        OutOfMemoryError: it does not fit into the memory of the device.
    """
    with explaining_placing("the network", NARROWER):
        return BUILDERS[spec["model"]](spec)


def _build_mlp(spec):
    named = {
        "activation": ACTIVATIONS[spec["activation"]],
        "output": {"sigmoid": Sigmoid, "softmax": Softmax, None: None}[spec["output"]],
        "dropout": spec["dropout"],
        "weights": INITIALIZERS[spec["init"]],
    }
    if spec["embeddings"]:
        return TableNetwork(
            spec["num_features"], spec["embeddings"], spec["layers"], spec["outputs"], **named
        )
    return mlp((spec["num_features"], *spec["layers"], spec["outputs"]), **named)


def _standardized(build):
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


def _build_forecaster(spec):
    return Forecaster(
        spec["channels"],
        spec["outputs"],
        hidden=spec["hidden"],
        target=spec["target"],
        dropout=spec["dropout"],
    )


def _build_text(spec):
    return text_network(
        spec["tokens"],
        spec["outputs"],
        model=spec["model"].removeprefix("text_"),
        dropout=spec["dropout"],
    )


def _language(recurrent):
    def built(spec):
        return LanguageModel(
            spec["tokens"],
            hidden_features=spec["hidden"],
            num_layers=spec["layers"],
            dropout=spec["dropout"],
            recurrent=recurrent,
        )

    return built


def transferred(spec, body):
    """`body`, frozen, with a new head: standardization, dropout, one linear layer."""
    backbone, _ = pretrained_backbone(spec["from"])
    inputs = Standardize(backbone.mean, backbone.std) if backbone.examples == "images" else None
    return transfer(body, build_head(spec, body.num_features), inputs=inputs)


def build_head(spec, width: int):
    """A new head on `width` features; the mean and std of its standardization are set later."""
    return Sequential(
        Standardize([0.0] * width, [1.0] * width),
        Dropout(spec["dropout"]),
        Linear(width, spec["outputs"]),
    )


def _build_transfer(spec):
    backbone, _ = pretrained_backbone(spec["from"])
    net = transferred(spec, backbone.build())
    return net if spec["unfrozen"] is None else net.unfreeze_from(spec["unfrozen"])


BUILDERS = {
    "transfer": _build_transfer,
    "mlp": _build_mlp,
    "cnn": _standardized(cnn),
    "time_series_cnn": _standardized(time_series_cnn),
    "lstm": _build_forecaster,
}
BUILDERS |= {f"text_{name}": _build_text for name in TEXT_MODELS}
BUILDERS |= {"language_lstm": _language(LSTM), "language_gru": _language(GRU)}
