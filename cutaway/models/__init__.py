"""Known networks, one architecture a file; a file is imported when one of its names is used."""

import importlib

# which file each network lives in; no network is called as its file, which would hide it
_HOMES = {
    "autoencoder": (
        "Autoencoder",
        "VariationalAutoencoder",
        "convolutional_autoencoder",
        "convolutional_vae",
        "dense_autoencoder",
        "dense_vae",
    ),
    "backbone": ("Backbone",),
    "convolutional": ("cnn", "curve_cnn"),
    "forecast": ("Forecaster",),
    "language": ("LanguageModel",),
    "perceptron": ("Perceptron", "mlp"),
    "table": ("TableNetwork",),
    "text": (
        "TEXT_MODELS",
        "BagOfEmbeddings",
        "LSTMClassifier",
        "TransformerClassifier",
        "text_network",
    ),
    "wave": ("WaveBlock", "WaveNet"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"cutaway.models has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"cutaway.models.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
