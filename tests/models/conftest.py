"""Which checks of the contract every run of the tests makes; the others are slow."""

import sys

import pytest

# one of each kind; their relatives are made of the same parts
LIGHT = {
    *("mlp", "lenet5", "curve_cnn", "lstm", "transformer", "forecaster", "language"),
    *("cifar_resnet", "BERT tiny, classifier", "GRU translator", "WaveNet"),
    *("dense variational autoencoder",),
}
COSTLY = {  # all but counts, shapes, and one step with its gradients
    "test_the_compiled_step_does_what_the_eager_one_does",
    "test_it_trains_in_bfloat16",
    "test_explain_opens_it",
    "test_draw_shows_it",
    "test_saved_weights_make_another_copy_the_same_network",
    "test_it_learns_one_batch_by_heart",
}


@pytest.hookimpl(tryfirst=True)  # before -m decides
def pytest_collection_modifyitems(items):
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("subject")
        if case and item.originalname in COSTLY and case.name not in LIGHT:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def same_draws():
    """PyTorch draws the same weights whichever tests ran before; else a ReLU near 0 may differ."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
