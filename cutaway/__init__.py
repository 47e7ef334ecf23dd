"""Cutaway: deep learning with the side panel off.

    import cutaway as ct

    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1), ct.Sigmoid())
    trainer = ct.Trainer(net, loss=ct.losses.binary_cross_entropy, optimizer=ct.SGD(net, lr=0.1))
    history = trainer.fit(x, y, epochs=200, batch_size=4, validation=0.2)

Names are loaded when they are first used, so that `import cutaway` and `cutaway --help` are quick.
"""

import importlib

from cutaway.supplied import supply

__version__ = "0.1.0"

# where each public name lives; what stands here is what `ct.` offers
_HOMES = {
    "cutaway.engine": (
        "Tensor",
        "check_gradient",
        "float64",
        "gradients",
        "no_grad",
    ),
    "cutaway.engine.operation": ("operation",),
    "cutaway.nn": (
        "AdaptiveAvgPool",
        "Add",
        "AllSteps",
        "AvgPool",
        "BatchNorm",
        "Buffer",
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
        "Dropout",
        "Embedding",
        "Flatten",
        "GRU",
        "GlobalAvgPool",
        "GlobalMaxPool",
        "GroupNorm",
        "InstanceNorm",
        "LSTM",
        "LastStep",
        "LayerNorm",
        "LearnedPositions",
        "Linear",
        "LocalResponseNorm",
        "MaxPool",
        "Module",
        "MultiHeadAttention",
        "Parameter",
        "Perceptron",
        "RMSNorm",
        "RNN",
        "Residual",
        "Sequential",
        "SinusoidalPositions",
        "SpatialDropout",
        "SqueezeExcite",
        "Standardize",
        "StochasticDepth",
        "TransformerEncoder",
        "TransformerEncoderLayer",
        "Upsample",
        "detach",
        "init",
        "jit",
        "recompute",
        "seed",
        # activations
        "ELU",
        "GELU",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyReLU",
        "LogSoftmax",
        "PReLU",
        "ReLU",
        "ReLU6",
        "SELU",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Softplus",
        "Tanh",
        "Threshold",
    ),
    "cutaway.ops.precision": ("matmul_precision",),
    "cutaway.runtime": ("cache_programs", "device", "distributed", "use_device"),
    "cutaway.optim": (
        "SGD",
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "AveragedMomentum",
        "ExponentialAverage",
        "Momentum",
        "Nadam",
        "Nesterov",
        "RMSprop",
    ),
    "cutaway.models": ("features_of", "network", "transfer"),
    "cutaway.train": (
        "Callback",
        "Checkpoints",
        "CutMix",
        "EarlyStopping",
        "GradualUnfreezing",
        "History",
        "Mixup",
        "Probes",
        "Trainer",
        "loggers",
    ),
    "cutaway.doctor": ("diagnose", "treat"),
    "cutaway.diagram": ("draw",),
    "cutaway.estimators": (
        "Classifier",
        "ImageClassifier",
        "Regressor",
        "TextClassifier",
        "TextRegressor",
    ),
    "cutaway.explain": ("attribute", "explain_update"),
    "cutaway.landscape": ("curvature", "loss_surface", "race"),
    "cutaway.story": ("write_page",),
    "cutaway.weights": ("load_into", "load_weights", "read_weights", "save_weights"),
    "cutaway.runs": ("Run", "TableOptions", "push_to_hub", "train_table"),
    "cutaway.search": ("compare", "tune"),
}
_PACKAGES = (
    "data",
    "doctor",
    "errors",
    "diagram",
    "estimators",
    "explain",
    "export",
    "files",
    "landscape",
    "losses",
    "metrics",
    "models",
    "nn",
    "ops",
    "optim",
    "runs",
    "search",
    "story",
    "studio",
    "train",
    "weights",
)
# packages whose leaves are found by being there: a new one needs no line above
_OPEN = ("cutaway.nn", "cutaway.optim")
CALLABLE_PACKAGES = ("explain", "studio")  # by callable_package.make_callable
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF, *_PACKAGES]

# functions that a package calls and one of higher rank has
supply("diagnose", "cutaway.doctor")
supply("network_html", "cutaway.diagram.network_html")


def __getattr__(name):
    if name in _HOME_OF:
        if _HOME_OF[name] == "cutaway.engine":
            importlib.import_module("cutaway.ops")  # a Tensor without its operators is none
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif name in _PACKAGES:
        value = importlib.import_module(f"cutaway.{name}")
    else:
        value = _leaf(name)
    globals()[name] = value
    return value


def _leaf(name):
    """A class of an open package, by its name."""
    if name[:1].isupper():
        for home in _OPEN:
            found = getattr(importlib.import_module(home), name, None)
            if isinstance(found, type):
                return found
    raise AttributeError(f"module 'cutaway' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
