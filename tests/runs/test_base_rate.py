"""A new classifier predicts how often each class occurs."""

import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway.doctor.preflight import preflight
from cutaway.doctor.sources import plan_of
from cutaway.models import cnn, time_series_cnn
from cutaway.runs import prepare
from cutaway.runs.base_rate import base_rate_bias, start_at_base_rate
from cutaway.runs.finished_run import Run
from cutaway.runs.table import TableOptions, prepare_table


def frame(rare: int, rows: int = 620, classes=("no", "yes"), seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(rows) % rare == 0, classes[1], classes[0])
    return pl.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows), "y": y})


def last_bias(net):
    return [m for m in net.modules().values() if hasattr(m, "weight")][-1].bias.numpy()


def test_the_bias_gives_the_frequencies_of_the_classes():
    # σ(ln (1/30)) = 1/31; softmax of ln p is p
    (z,) = base_rate_bias("binary_cross_entropy_with_logits", [300, 10])
    assert 1 / (1 + np.exp(-z)) == pytest.approx(10 / 310)
    counts = np.array([900, 60, 30, 10])
    z = base_rate_bias("sparse_categorical_cross_entropy_with_logits", counts)
    np.testing.assert_allclose(np.exp(z) / np.exp(z).sum(), counts / 1000)


def test_classes_about_alike_losses_without_a_base_rate_and_balanced_weights_leave_it():
    loss = "binary_cross_entropy_with_logits"
    assert base_rate_bias(loss, [60, 40]) is None
    assert base_rate_bias("hinge", [300, 10]) is None
    assert base_rate_bias(loss, [300, 10], [310 / 600, 310 / 20]) is None


def test_a_table_of_one_to_thirty_starts_no_worse_than_knowing_nothing():
    prepared = prepare_table(frame(31), "y", TableOptions(epochs=20))
    looked = preflight(plan_of(prepared))
    assert "initial_loss" not in [f.code for f in looked.findings]
    counts = prepared.preprocessing.class_counts
    assert last_bias(prepared.net) == pytest.approx(np.log(counts[1] / counts[0]), rel=1e-5)


def test_weights_of_the_classes_count_as_rows():
    options = TableOptions(epochs=2, class_weights="balanced")
    assert not last_bias(prepare_table(frame(31), "y", options).net).any()


def test_a_search_starts_at_the_base_rate_too():
    prepared = prepare_table(frame(31), "y", TableOptions(epochs=2))
    other = prepared.with_options(TableOptions(epochs=2, layers=(4,)))
    assert last_bias(other.net) == pytest.approx(last_bias(prepared.net))


def test_a_run_opens_with_the_weights_that_it_was_saved_with(tmp_path):
    run = prepare_table(frame(31), "y", TableOptions(epochs=2)).train(tmp_path / "a")
    for path, value in Run.open(tmp_path / "a").net.state_dict().items():
        np.testing.assert_array_equal(value, run.net.state_dict()[path])


@pytest.mark.parametrize("model", ["bag", "lstm", "transformer"])
def test_the_bias_is_that_of_the_scores_of_texts(model):
    texts = [f"{'good' if k % 31 else 'bad'} thing number {k} of them all" for k in range(310)]
    data = pl.DataFrame({"text": texts, "label": [str(int(k % 31 == 0)) for k in range(310)]})
    prepared = prepare(data, "label", kind="text", model=model, epochs=1)
    shift = last_bias(prepared.net)
    assert shift == pytest.approx(np.log(prepared.preprocessing.class_counts[1]) - np.log(
        prepared.preprocessing.class_counts[0]), rel=1e-5)  # fmt: skip
    _shifts_the_scores(prepared.net, prepared.x[:4], shift)


class Rows:
    task, class_counts = "multiclass", [900, 60, 40]


@pytest.mark.parametrize(
    ("build", "shape"),
    [(cnn, (2, 16, 16, 1)), (time_series_cnn, (2, 16, 1))],
    ids=["images", "series"],
)
def test_the_bias_is_that_of_the_scores_of_images_and_series(build, shape):
    net = build(1, 3)
    x = np.random.default_rng(0).normal(size=shape)
    start_at_base_rate(net, {"loss": "sparse_categorical_cross_entropy_with_logits"}, Rows)
    shift = last_bias(net)
    assert shift == pytest.approx(np.log([0.9, 0.06, 0.04]), rel=1e-5)
    _shifts_the_scores(net, x.astype(np.float32), shift)


def test_a_trained_bias_stays():
    net = ct.Sequential(ct.Linear(2, 3))
    net[0].bias.data = net[0].bias.data + 0.5
    start_at_base_rate(net, {"loss": "sparse_categorical_cross_entropy_with_logits"}, Rows)
    assert (net[0].bias.numpy() == 0.5).all()


def _shifts_the_scores(net, x, shift):
    net.eval()
    before = net(x).numpy()
    layers = [m for m in net.modules().values() if hasattr(m, "weight")]
    layers[-1].bias.data = 0 * layers[-1].bias.data
    np.testing.assert_allclose(
        before - net(x).numpy(), np.broadcast_to(shift, before.shape), atol=1e-4
    )
