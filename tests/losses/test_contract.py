"""What holds for every loss: shapes, weights, types, compiling."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F

import cutaway as ct
from cutaway import losses
from cutaway.engine import Tensor, check_gradient, float64
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.losses import LOSS_ALIASES, LOSSES, expects

RNG = np.random.default_rng(1)
Z = RNG.normal(size=(5, 3))
P = RNG.dirichlet(np.ones(3), 5)
SOFT = RNG.dirichlet(np.ones(3), 5)
LABELS = RNG.integers(0, 3, 5)
W = np.array([0.5, 2.0, 0.1])

WEIGHTED = [name for name in LOSSES if "cross_entropy" in name]


def fitting(name):
    """(prediction (5, 3), target) that suit the loss."""
    wants = expects(LOSSES[name])
    prediction = P if wants.output == "probability" else Z
    target = {"labels": LABELS, "binary": np.round(SOFT), "sign": np.round(SOFT)}
    return prediction, target.get(wants.target, SOFT)


ELEMENTWISE = [n for n in LOSSES if expects(LOSSES[n]).target in ("binary", "sign", "real")]


@pytest.mark.parametrize("rows", [0, 1])  # where a batch ends
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_column_and_a_vector_fit_each_other_for_any_number_of_rows(name, rows):
    loss = LOSSES[name]
    p, y = P[:rows, 0], np.round(SOFT[:rows, 0])
    flat = loss(p, y, reduction="sum").item()
    assert loss(p[:, None], y, reduction="sum").item() == pytest.approx(flat)
    assert loss(p, y[:, None], reduction="sum").item() == pytest.approx(flat)
    assert loss(p[:, None], y, reduction="none").shape == (rows, 1)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shapes", [((3, 1), (3, 3)), ((3,), (1, 3)), ((3, 1), (1,)), ((2,), ())])
def test_targets_are_never_stretched(name, shapes):
    with pytest.raises(ShapeError, match="predictions have shape"):
        LOSSES[name](np.full(shapes[0], 0.5), np.ones(shapes[1]))


@pytest.mark.parametrize("name", LOSSES)
def test_the_tape_calls_every_loss_by_its_public_name(name):
    prediction, target = fitting(name)
    loss = LOSSES[name](Tensor(prediction, requires_grad=True), target)
    assert loss.record.operation.name == name


@pytest.mark.parametrize("name", LOSSES)
def test_bfloat16_stays_bfloat16_in_value_and_gradient(name):
    prediction, target = fitting(name)
    options = {"row_weights": np.arange(5.0)}
    if name in WEIGHTED:
        options["class_weights"] = W[:2] if "binary" in name else W
    wide = Tensor(prediction, requires_grad=True)
    narrow = Tensor(jnp.asarray(prediction, jnp.bfloat16), requires_grad=True)
    results = [LOSSES[name](p, target, **options) for p in (wide, narrow)]
    for out in results:
        out.backward()
    assert results[1].dtype == narrow.grad.dtype == jnp.bfloat16
    assert LOSSES[name](narrow, target).dtype == jnp.bfloat16
    assert results[1].item() == pytest.approx(results[0].item(), rel=0.03)
    np.testing.assert_allclose(narrow.grad.astype(np.float32), wide.grad, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64, np.float32, bool])
def test_labels_may_be_of_any_type(kind):
    labels = np.array([0, 1, 1, 0, 1])
    for name in ("sparse_categorical_cross_entropy", "binary_cross_entropy", "hinge"):
        prediction = P if name.startswith("sparse") else P[:, 0]
        expected = LOSSES[name](prediction, labels.astype(np.int32)).item()
        assert LOSSES[name](prediction, labels.astype(kind)).item() == expected


def test_whole_numbers_as_predictions_do_not_round_the_targets():
    assert losses.mean_squared_error([1, 2], [1.5, 2.5]).item() == 0.25
    assert losses.mean_absolute_error(2, 1.5).item() == 0.5


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_class_weights_of_distributions_equal_pytorch(reduction):
    with float64():
        for z, y in ((Z, SOFT), (Z * 50, SOFT)):
            a, b = Tensor(z, requires_grad=True), torch.tensor(z, requires_grad=True)
            out = losses.categorical_cross_entropy_with_logits(
                a, y, class_weights=W, reduction=reduction
            )
            expected = F.cross_entropy(
                b, torch.tensor(y), weight=torch.tensor(W), reduction=reduction
            )
            out.sum().backward()
            expected.sum().backward()
            np.testing.assert_allclose(out.numpy(), expected.detach(), rtol=1e-10)
            np.testing.assert_allclose(a.grad, b.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_binary_class_weights_with_shares_equal_pytorchs_pos_weight(reduction):
    with float64():
        a, b = Tensor(Z, requires_grad=True), torch.tensor(Z, requires_grad=True)
        out = losses.binary_cross_entropy_with_logits(
            a, SOFT, class_weights=(1, 3.5), reduction=reduction
        )
        expected = F.binary_cross_entropy_with_logits(
            b, torch.tensor(SOFT), pos_weight=torch.tensor(3.5), reduction=reduction
        )
        out.sum().backward()
        expected.sum().backward()
        np.testing.assert_allclose(out.numpy(), expected.detach(), rtol=1e-10)
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-10)
        probabilities = losses.binary_cross_entropy(
            1 / (1 + np.exp(-Z)), SOFT, class_weights=(1, 3.5), reduction=reduction
        )
        np.testing.assert_allclose(probabilities.numpy(), out.numpy(), rtol=1e-10)


def test_one_hot_and_sparse_losses_agree_with_class_and_row_weights():
    hot, rows = np.eye(3)[LABELS], np.array([1.0, 0.0, 2.0, 0.5, 1.0])
    for ending in ("", "_with_logits"):
        for reduction in ("mean", "sum", "none"):
            a, b = (Tensor(P, requires_grad=True) for _ in range(2))
            options = {"class_weights": W, "row_weights": rows, "reduction": reduction}
            dense = LOSSES["categorical_cross_entropy" + ending](a, hot, **options)
            sparse = LOSSES["sparse_categorical_cross_entropy" + ending](b, LABELS, **options)
            dense.sum().backward()
            sparse.sum().backward()
            np.testing.assert_allclose(dense.numpy(), sparse.numpy(), rtol=1e-5)
            np.testing.assert_allclose(a.grad, b.grad, rtol=1e-5, atol=1e-7)


def test_shares_with_class_and_row_weights_equal_central_differences():
    rows = np.array([1.0, 0.0, 2.0, 0.5, 1.0])
    for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        prediction = P if name == "binary_cross_entropy" else Z
        check_gradient(
            lambda p, n=name: LOSSES[n](p, SOFT, class_weights=(0.3, 2), row_weights=rows),
            prediction,
        )


def test_weights_of_the_rows_of_a_batch_of_sequences_run_along_the_batch():
    z, y = RNG.normal(size=(3, 3, 4)), RNG.integers(0, 4, (3, 3))
    loss = losses.sparse_categorical_cross_entropy_with_logits
    some = loss(z, y, row_weights=[1, 0, 0]).item()
    assert some == pytest.approx(loss(z[:1], y[:1]).item(), rel=1e-6)
    mask = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]], bool)  # padded at the end
    some = loss(z, y, row_weights=mask).item()
    assert some == pytest.approx(loss(z[mask], y[mask]).item(), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weights", [[1.0], np.ones(4), np.ones((5, 2)), 2.0])
def test_row_weights_of_another_shape_are_refused(name, weights):
    prediction, target = fitting(name)
    with pytest.raises(ShapeError, match="row_weights has shape"):
        LOSSES[name](prediction, target, row_weights=weights)


@pytest.mark.parametrize("name", WEIGHTED)
def test_class_weights_that_do_not_fit_are_refused(name):
    prediction, target = fitting(name)
    with pytest.raises(ShapeError, match=r"class_weights has shape \(4,\)"):
        LOSSES[name](prediction, target, class_weights=[1, 2, 3, 4])
    bad = (1, -2) if "binary" in name else (1, -2, 1)
    with pytest.raises(OptionError, match="the weight of class 1 is -2"):
        LOSSES[name](prediction, target, class_weights=bad)


@pytest.mark.parametrize("bad", [0.5, np.nan])
def test_a_label_that_is_no_whole_number_is_named(bad):
    labels = LABELS.astype(np.float32)
    labels[2] = bad
    with pytest.raises(DataError, match=f"the label {bad} in row 2 is not an integer"):
        losses.sparse_categorical_cross_entropy(P, labels)


def test_a_weight_of_zero_for_all_rows_gives_zero():
    for name in LOSSES:
        prediction, target = fitting(name)
        p = Tensor(prediction, requires_grad=True)
        loss = LOSSES[name](p, target, row_weights=np.zeros(5))
        loss.backward()
        assert loss.item() == 0 and not np.asarray(p.grad).any(), name


@pytest.mark.parametrize("name", LOSSES)
def test_compiled_losses_equal_eager_ones_with_weights_from_the_batch(name):
    scale = ct.nn.Parameter(np.ones(3, np.float32))
    net = ct.Linear(3, 3)
    net.scale = scale
    prediction, target = fitting(name)

    def step(x, y, w):
        net.scale.grad = None
        loss = LOSSES[name](net.scale * x, y, row_weights=w)
        loss.backward()
        return loss, Tensor(net.scale.grad)

    arguments = [Tensor(np.asarray(a, np.float32)) for a in (prediction, target, np.arange(5))]
    eager = step(*arguments)
    compiled = ct.jit(step, net)(*arguments)
    for a, b in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("bad", [-1, 3])
def test_a_label_out_of_range_makes_a_compiled_loss_nan(bad):
    labels = LABELS.copy()
    labels[0] = bad
    for ending in ("", "_with_logits"):
        loss = LOSSES["sparse_categorical_cross_entropy" + ending]
        assert np.isnan(ct.jit(loss, ct.Linear(1, 1))(Tensor(P), Tensor(labels)).item())


def test_hinges_equal_scikit_learn_and_central_differences():
    scores, y = RNG.normal(size=40) * 2, RNG.integers(0, 2, 40)
    expected = sklearn.metrics.hinge_loss(y, scores)
    assert losses.hinge(scores, y).item() == pytest.approx(expected, rel=1e-5)
    values = losses.hinge(scores, y, reduction="none").numpy() ** 2
    assert losses.squared_hinge(scores, 2 * y - 1).item() == pytest.approx(values.mean(), rel=1e-5)
    for reduction in ("mean", "sum", "none"):
        check_gradient(lambda s, r=reduction: losses.squared_hinge(s, y, reduction=r), scores)


def test_short_names_lead_to_losses_and_hide_none():
    assert set(LOSS_ALIASES.values()) <= set(LOSSES) and not set(LOSS_ALIASES) & set(LOSSES)


def test_a_loss_with_a_penalty_has_the_gradient_of_both():
    def loss(w):
        fit = losses.mean_squared_error(Tensor(Z) @ w, np.ones((5, 1)))
        return fit + losses.l2_penalty([w], 0.3) + losses.l1_penalty(iter([w]), 0.2)

    check_gradient(loss, np.array([[0.5], [-1.0], [2.0]]))
    # PyTorch's weight_decay λ adds λ w to the gradient: l2 with strength λ/2
    w = Tensor([1.5, -2.0], requires_grad=True)
    losses.l2_penalty([w], 0.1 / 2).backward()
    np.testing.assert_allclose(w.grad, 0.1 * np.array([1.5, -2.0]), rtol=1e-6)
    for none in ([], iter(())):
        with pytest.raises(OptionError, match="without parameters"):
            losses.l1_penalty(none, 0.1)
    with pytest.raises(OptionError, match="strength is inf"):
        losses.l2_penalty([w], float("inf"))


def test_options_fixed_with_partial_are_kept():
    loss = functools.partial(losses.huber, delta=2.0)
    assert loss([3.0], [0.0]).item() == 4.0  # 2 (3 - 2/2)
