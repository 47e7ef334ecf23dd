import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cutaway import losses
from cutaway.engine import Tensor, check_gradient, float64
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.losses import LOSSES, expects
from cutaway.nn import Linear, Sequential

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(7, 4))
LABELS = RNG.integers(0, 4, 7)
HOT = np.eye(4)[LABELS]
SOFT = RNG.dirichlet(np.ones(4), 7)
P = RNG.dirichlet(np.ones(4), 7)
BITS = RNG.integers(0, 2, (7, 4))
PROBABILITIES = RNG.uniform(0.05, 0.95, (7, 4))
W = np.array([0.5, 2.0, 1.0, 0.1])
SMOOTHED = {"class_weights": W, "label_smoothing": 0.3}


def nll(p, y, **options):
    return F.nll_loss(torch.log(p), y, **options)


# name, options of ours, prediction, target, PyTorch's
CASES = [
    ("mean_squared_error", {}, Z, SOFT, F.mse_loss),
    ("mean_absolute_error", {}, Z, SOFT, F.l1_loss),
    ("huber", {"delta": 0.7}, Z, SOFT, functools.partial(F.huber_loss, delta=0.7)),
    ("binary_cross_entropy", {}, PROBABILITIES, BITS, F.binary_cross_entropy),
    ("binary_cross_entropy_with_logits", {}, Z, BITS, F.binary_cross_entropy_with_logits),
    ("sparse_categorical_cross_entropy_with_logits", {}, Z, LABELS, F.cross_entropy),
    (
        "sparse_categorical_cross_entropy_with_logits",
        {"class_weights": W},
        Z,
        LABELS,
        functools.partial(F.cross_entropy, weight=torch.tensor(W)),
    ),
    ("sparse_categorical_cross_entropy", {}, P, LABELS, nll),
    (
        "sparse_categorical_cross_entropy",
        {"class_weights": W},
        P,
        LABELS,
        functools.partial(nll, weight=torch.tensor(W)),
    ),
    (
        "sparse_categorical_cross_entropy_with_logits",
        {"label_smoothing": 0.1},
        Z,
        LABELS,
        functools.partial(F.cross_entropy, label_smoothing=0.1),
    ),
    (
        "sparse_categorical_cross_entropy_with_logits",
        {"label_smoothing": 0.3, "class_weights": W},
        Z,
        LABELS,
        functools.partial(F.cross_entropy, label_smoothing=0.3, weight=torch.tensor(W)),
    ),
    (
        "categorical_cross_entropy_with_logits",
        {"label_smoothing": 0.2},
        Z,
        SOFT,
        functools.partial(F.cross_entropy, label_smoothing=0.2),
    ),
    ("categorical_cross_entropy_with_logits", {}, Z, SOFT, F.cross_entropy),
    ("categorical_cross_entropy_with_logits", {}, Z, HOT, F.cross_entropy),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{'-'.join(c[1])}")
def test_losses_equal_pytorch_values_and_gradients(case, dtype, reduction):
    name, options, prediction, target, theirs = case
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-10}
    if dtype == "float32":
        theirs = functools.partial(
            theirs.func if isinstance(theirs, functools.partial) else theirs,
            **{
                k: v.float() if isinstance(v, torch.Tensor) else v
                for k, v in getattr(theirs, "keywords", {}).items()
            },
        )
    kind = torch.float32 if dtype == "float32" else torch.float64
    b = torch.tensor(prediction, dtype=kind, requires_grad=True)
    labels = target.ndim == 1
    expected = theirs(
        b, torch.tensor(target) if labels else torch.tensor(target, dtype=kind), reduction=reduction
    )
    expected.backward(torch.full_like(expected, 0.9))
    with float64():
        a = Tensor(prediction.astype(dtype), requires_grad=True)
        kept = target if labels else target.astype(dtype)
        out = getattr(losses, name)(a, kept, reduction=reduction, **options)
        assert out.dtype == dtype
        out.backward(np.full(out.shape, 0.9))
        np.testing.assert_allclose(out.numpy(), expected.detach().numpy(), **tolerance)
        np.testing.assert_allclose(a.grad, b.grad.numpy(), **tolerance)


def test_smoothed_class_numbers_and_their_one_hot_rows_cost_the_same():
    for reduction in ("mean", "sum"):
        sparse = losses.sparse_categorical_cross_entropy_with_logits(
            Z, LABELS, reduction=reduction, **SMOOTHED
        )
        hot = losses.categorical_cross_entropy_with_logits(Z, HOT, reduction=reduction, **SMOOTHED)
        assert sparse.item() == pytest.approx(hot.item(), rel=1e-6)


def test_class_weights_of_binary_losses_weigh_each_class():
    z, y = Z[:, 0], BITS[:, 0]
    weights = np.where(y == 1, 3.0, 0.5)
    values = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    expected = (weights * values).sum() / weights.sum()
    for name, prediction in (
        ("binary_cross_entropy_with_logits", z),
        ("binary_cross_entropy", 1 / (1 + np.exp(-z))),
    ):
        with float64():
            loss = getattr(losses, name)(prediction, y, class_weights=(0.5, 3.0))
            assert loss.item() == pytest.approx(expected, rel=1e-10)


def test_rows_of_weight_zero_do_not_count():
    weights = np.array([1, 0, 2, 0, 1, 1, 0])
    kept = weights > 0
    for name, prediction, target in (
        ("mean_squared_error", Z[:, 0], SOFT[:, 0]),
        ("huber", Z[:, 0], SOFT[:, 0]),
        ("hinge", Z[:, 0], BITS[:, 0]),
        ("binary_cross_entropy_with_logits", Z[:, 0], BITS[:, 0]),
        ("sparse_categorical_cross_entropy_with_logits", Z, LABELS),
        ("categorical_cross_entropy_with_logits", Z, HOT),
        ("kl_divergence", P, SOFT),
    ):
        loss = getattr(losses, name)
        some = loss(prediction, target, row_weights=weights).item()
        rows = loss(prediction[kept], target[kept], reduction="none").numpy()
        assert some == pytest.approx(np.average(rows, weights=weights[kept]), rel=1e-5), name


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("name", "prediction", "target", "options"),
    [
        ("mean_squared_error", Z, SOFT, {}),
        ("mean_absolute_error", Z, SOFT, {}),
        ("huber", Z, SOFT, {"delta": 0.5}),
        ("binary_cross_entropy", PROBABILITIES, BITS, {"class_weights": (0.3, 2.0)}),
        ("binary_cross_entropy_with_logits", Z, BITS, {"class_weights": (0.3, 2.0)}),
        ("categorical_cross_entropy", P, SOFT, {"class_weights": W}),
        ("categorical_cross_entropy_with_logits", Z, SOFT, {"class_weights": W}),
        ("sparse_categorical_cross_entropy", P, LABELS, {"class_weights": W}),
        ("sparse_categorical_cross_entropy_with_logits", Z, LABELS, {"class_weights": W}),
        ("categorical_cross_entropy_with_logits", Z, SOFT, SMOOTHED),
        ("sparse_categorical_cross_entropy_with_logits", Z, LABELS, SMOOTHED),
        ("kl_divergence", P, SOFT, {}),
        ("hinge", Z, BITS, {}),
    ],
)
def test_losses_equal_central_differences(name, prediction, target, options, reduction):
    loss = getattr(losses, name)
    rows = {"row_weights": np.linspace(0.2, 1.5, len(target))}
    for extra in ({}, rows):
        check_gradient(
            lambda z, extra=extra: loss(z, target, reduction=reduction, **options, **extra),
            prediction,
        )
    assert set(LOSSES) >= {name}


def test_targets_of_regression_losses_get_their_gradient_too():
    for loss in (losses.mean_squared_error, losses.huber):
        check_gradient(loss, Z, SOFT)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_losses_on_logits_are_exact_at_ten_thousand(reduction):
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], np.float32)
    for name, target, torchs in (
        ("sparse_categorical_cross_entropy_with_logits", np.array([1, 1]), F.cross_entropy),
        (
            "categorical_cross_entropy_with_logits",
            np.array([[0, 0, 1], [0.5, 0.25, 0.25]], np.float32),
            F.cross_entropy,
        ),
        (
            "binary_cross_entropy_with_logits",
            np.array([[0, 0, 1], [1, 1, 0]], np.float32),
            F.binary_cross_entropy_with_logits,
        ),
    ):
        a = Tensor(z, requires_grad=True)
        b = torch.tensor(z, requires_grad=True)
        out = getattr(losses, name)(a, target, reduction=reduction)
        expected = torchs(b, torch.tensor(target), reduction=reduction)
        out.sum().backward()
        expected.sum().backward()
        np.testing.assert_allclose(out.numpy(), expected.detach(), rtol=1e-6)
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-6, atol=1e-7)


def test_certain_mistakes_cost_much_and_not_infinity():
    # PyTorch's floor of -100 under logarithms
    p = Tensor([0.0, 1.0], requires_grad=True)
    loss = losses.binary_cross_entropy(p, np.array([1, 0]))
    loss.backward()
    assert loss.item() == 100 and np.isfinite(p.grad).all()
    q = Tensor([[0.0, 1.0]], requires_grad=True)
    loss = losses.sparse_categorical_cross_entropy(q, np.array([0]))
    loss.backward()
    assert np.isfinite(loss.item()) and np.isfinite(q.grad).all()


def test_the_subgradient_of_the_absolute_error_at_zero_is_zero():
    p = Tensor([1.0, 2.0, 0.0], requires_grad=True)
    losses.mean_absolute_error(p, np.array([1.0, 0.0, 3.0]), reduction="sum").backward()
    assert p.grad.tolist() == [0, 1, -1]


def test_chance_among_k_classes_costs_ln_k():
    for k in (2, 10, 1000):
        loss = losses.sparse_categorical_cross_entropy_with_logits(np.zeros((3, k)), [0, 1, k - 1])
        assert loss.item() == pytest.approx(np.log(k), rel=1e-6)


def test_divergence_is_cross_entropy_less_entropy_and_zero_for_equals():
    with float64():
        cross = losses.categorical_cross_entropy(P, SOFT).item()
        entropy = -(SOFT * np.log(SOFT)).sum(axis=1).mean()
        assert losses.kl_divergence(P, SOFT).item() == pytest.approx(cross - entropy, rel=1e-10)
        assert losses.kl_divergence(SOFT, SOFT).item() == pytest.approx(0, abs=1e-15)
        expected = F.kl_div(
            torch.log(torch.tensor(P)), torch.tensor(SOFT), reduction="batchmean"
        ).item()
        assert losses.kl_divergence(P, SOFT).item() == pytest.approx(expected, rel=1e-10)


def test_hinge_takes_both_kinds_of_signs():
    scores = np.array([2.0, 0.5, -3.0, 0.2])
    for target in ([1, 1, -1, -1], [1, 1, 0, 0]):
        values = losses.hinge(scores, np.array(target), reduction="none").tolist()
        np.testing.assert_allclose(values, [0, 0.5, 0, 1.2], rtol=1e-6)


@pytest.mark.parametrize("name", ["mean_squared_error", "binary_cross_entropy_with_logits"])
def test_a_column_of_predictions_never_meets_a_row_of_targets(name):
    loss = getattr(losses, name)
    column, row = Z[:, :1], BITS[:, 0]
    assert loss(column, row).item() == pytest.approx(loss(column[:, 0], row).item())
    with pytest.raises(ShapeError, match=r"predictions have shape \(7, 4\), targets \(7,\)"):
        loss(Z, row)
    with pytest.raises(ShapeError, match=r"targets \(6,\)"):
        loss(column, row[:6])


@pytest.mark.parametrize("bad", [-1, 4])
def test_a_label_out_of_range_is_named_with_its_row(bad):
    labels = LABELS.copy()
    labels[3] = bad
    for loss in (
        losses.sparse_categorical_cross_entropy,
        losses.sparse_categorical_cross_entropy_with_logits,
    ):
        with pytest.raises(DataError, match=f"the label {bad} in row 3 is out of range") as caught:
            loss(P, labels)
        assert "labels from 0 to 3, for 4 outputs" in str(caught.value)


def test_wrong_options_are_named():
    with pytest.raises(OptionError, match="unknown reduction 'average'"):
        losses.mean_squared_error(Z, SOFT, reduction="average")
    with pytest.raises(OptionError, match="delta is 0"):
        losses.huber(Z, SOFT, delta=0)
    with pytest.raises(ShapeError, match="row_weights has shape"):
        losses.mean_squared_error(Z, SOFT, row_weights=np.ones(3))
    with pytest.raises(ShapeError, match="for integer labels use the sparse loss"):
        losses.categorical_cross_entropy(P, LABELS)


@pytest.mark.parametrize(
    ("name", "target"), [("sparse_categorical", LABELS), ("categorical", HOT), ("binary", BITS)]
)
def test_smoothing_outside_its_range_is_named(name, target):
    loss = getattr(losses, f"{name}_cross_entropy_with_logits")
    with pytest.raises(OptionError, match=r"label_smoothing is 1\.5"):
        loss(Z, target, label_smoothing=1.5)


@pytest.mark.parametrize("weights", [None, [0.5, 2.0]])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_smoothing_of_two_classes_equals_pytorch_s_of_the_logits_zero_and_z(weights, reduction):
    z = torch.tensor(Z[:, 0], requires_grad=True)
    weight = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    both = torch.stack([torch.zeros_like(z), z], dim=1)
    labels = torch.tensor(BITS[:, 0])
    theirs = F.cross_entropy(both, labels, weight, reduction=reduction, label_smoothing=0.3)
    theirs.sum().backward()
    with float64():
        ours = Tensor(Z[:, 0], requires_grad=True)
        loss = losses.binary_cross_entropy_with_logits(
            ours, BITS[:, 0], class_weights=weights, reduction=reduction, label_smoothing=0.3
        )
        loss.sum().backward()
    np.testing.assert_allclose(loss.numpy(), theirs.detach(), rtol=1e-10)
    np.testing.assert_allclose(ours.grad, z.grad, rtol=1e-10)


def test_what_a_loss_expects_is_known_through_partial():
    assert expects(functools.partial(losses.huber, delta=2.0)).target == "real"
    assert expects(lambda p, y: p) is None
    for loss in LOSSES.values():
        partner = expects(loss).partner
        assert partner is None or expects(LOSSES[partner]).partner == loss.__name__


def test_penalties_are_sums_and_pull_weights_by_their_gradient():
    net = Sequential(Linear(3, 2), Linear(2, 1))
    flat = np.concatenate([p.numpy().ravel() for p in net.parameters()])
    for penalty, value, slope in (
        (losses.l1_penalty, np.abs(flat).sum(), np.sign),
        (losses.l2_penalty, (flat**2).sum(), lambda w: 2 * w),
    ):
        loss = penalty(net.parameters(), 0.1)
        assert loss.item() == pytest.approx(0.1 * value, rel=1e-5)
        loss.backward()
        for p in net.parameters():
            np.testing.assert_allclose(p.grad, 0.1 * slope(p.numpy()), rtol=1e-5)
            p.grad = None
    with pytest.raises(OptionError, match="strength is -1"):
        losses.l1_penalty(net.parameters(), -1)
