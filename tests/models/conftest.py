"""Which checks of the contract every run of the tests makes; the others are slow."""

import sys

import pytest

# one of each kind; their relatives are made of the same parts, and are slow tests
LIGHT = {
    *("mlp", "lenet5", "time_series_cnn", "transformer", "cifar_resnet", "WaveNet"),
    *("BERT tiny, classifier", "GRU translator", "dense variational autoencoder"),
}


@pytest.hookimpl(tryfirst=True)  # before -m decides
def pytest_collection_modifyitems(items):
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("subject")
        if case and case.name not in LIGHT:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def same_draws():
    """PyTorch draws the same weights whichever tests ran before; else a ReLU near 0 may differ."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
