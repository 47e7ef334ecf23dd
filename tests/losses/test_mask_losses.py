"""Losses for masks: Dice by the paper's formula, ignored labels, pixel weights, focal."""

import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cutaway as ct
from cutaway import losses
from cutaway.engine import Tensor, check_gradient, float64
from cutaway.errors import DataError, OptionError, ShapeError

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(2, 4, 5, 3))
Y = RNG.integers(0, 3, (2, 4, 5))
Y[1][Y[1] == 2] = 0  # a class that the second example does not have
PIXELS = RNG.uniform(0.2, 3, Y.shape)
IGNORING = np.where(RNG.random(Y.shape) < 0.3, 255, Y)


def dice_by_hand(z, y, *, smooth=1.0, background=False, over="example", pixels=None, ignore=None):
    """(mean loss, ∂/∂z) with PyTorch's derivative of the paper's formula."""
    z = torch.tensor(z, requires_grad=True)
    p = torch.softmax(z, -1)
    y, w = torch.tensor(y), torch.ones(y.shape, dtype=z.dtype)
    if pixels is not None:
        w = w * torch.tensor(pixels)
    if ignore is not None:
        w = w * (y != ignore)
        y = torch.where(y == ignore, 0, y)
    g = F.one_hot(y, z.shape[-1])
    axes = (1, 2) if over == "example" else (0, 1, 2)
    w = w[..., None]
    d = (2 * (w * p * g).sum(axes) + smooth) / (
        (w * p**2).sum(axes) + (w * g**2).sum(axes) + smooth
    )
    loss = 1 - d[..., 0 if background else 1 :].mean()
    loss.backward()
    return loss.item(), z.grad.numpy()


@pytest.mark.parametrize("over", ["example", "batch"])
@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_dice_and_its_gradient_are_the_papers(over, background, smooth):
    options = {"smooth": smooth, "background": background, "over": over}
    with float64():
        for more in ({}, {"pixels": PIXELS}, {"ignore": 255}):
            y = IGNORING if "ignore" in more else Y
            expected, gradient = dice_by_hand(Z, y, **options, **more)
            z = Tensor(Z, requires_grad=True)
            given = {"row_weights": more.get("pixels"), "ignore_index": more.get("ignore")}
            loss = losses.soft_dice_with_logits(z, y, **options, **given)
            loss.backward()
            assert loss.item() == pytest.approx(expected, rel=1e-12)
            np.testing.assert_allclose(z.grad, gradient, rtol=1e-9, atol=1e-14)


def test_the_derivative_by_a_probability_is_the_formula_of_the_paper():
    # ∂D/∂p_j = 2 [g_j (Σp² + Σg²) - 2 p_j Σpg] / (Σp² + Σg²)², section 3
    p, g = RNG.uniform(size=7), np.array([0, 1, 1, 0, 0, 1, 0])
    expected = 2 * (g * ((p**2).sum() + g.sum()) - 2 * p * (p * g).sum())
    expected = expected / ((p**2).sum() + g.sum()) ** 2
    with float64():
        x = Tensor(np.stack([1 - p, p], axis=-1)[None], requires_grad=True)
        losses.soft_dice(x, g[None], smooth=0).backward()
        np.testing.assert_allclose(x.grad[0, :, 1], -expected, rtol=1e-12)
        np.testing.assert_array_equal(x.grad[0, :, 0], 0)
        check_gradient(lambda p: losses.soft_dice(p, g[None], background=True), x.data)


def test_an_absent_class_is_right_only_where_it_is_not_predicted_and_smooth_says_so():
    y = np.zeros((1, 4), int)
    sure = np.stack([np.full((1, 4), 9.0), np.full((1, 4), -9.0)], axis=-1)
    assert losses.soft_dice_with_logits(sure, y).item() == pytest.approx(0, abs=1e-6)
    assert losses.soft_dice_with_logits(sure, y, smooth=0).item() == 1
    assert losses.soft_dice_with_logits(-sure, y).item() == pytest.approx(1 - 1 / 5)


def test_dice_with_cross_entropy_is_the_sum_of_both():
    options = {"ignore_index": 255, "row_weights": PIXELS}
    with float64():
        parts = [Tensor(Z, requires_grad=True) for _ in range(2)]
        loss = losses.dice_cross_entropy_with_logits(
            parts[0], IGNORING, class_weights=[1, 2, 3], cross_entropy_weight=0.5, **options
        )
        dice = losses.soft_dice_with_logits(parts[1], IGNORING, **options)
        entropy = losses.sparse_categorical_cross_entropy_with_logits(
            parts[1], IGNORING, class_weights=[1, 2, 3], **options
        )
        loss.backward()
        (dice + 0.5 * entropy).backward()
        assert loss.item() == pytest.approx((dice + 0.5 * entropy).item(), rel=1e-12)
        np.testing.assert_allclose(parts[0].grad, parts[1].grad, rtol=1e-10, atol=1e-15)
        each = losses.dice_cross_entropy_with_logits(Z, Y, reduction="none")
        for row, one in enumerate(each.numpy()):
            alone = losses.dice_cross_entropy_with_logits(Z[row : row + 1], Y[row : row + 1])
            assert one == pytest.approx(alone.item(), rel=1e-12)
        for reduction in ("sum", "none"):
            check_gradient(
                lambda z, r=reduction: losses.dice_cross_entropy_with_logits(
                    z, Y, reduction=r, class_weights=[1, 2, 3]
                ),
                Z,
            )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("class_weights", [None, [0.5, 2.0, 1.0]])
def test_ignored_labels_count_for_nothing_as_in_pytorch(reduction, class_weights):
    with float64():
        z, other = Tensor(Z, requires_grad=True), torch.tensor(Z, requires_grad=True)
        options = {"ignore_index": 255, "reduction": reduction}
        loss = losses.sparse_categorical_cross_entropy_with_logits(
            z, IGNORING, class_weights=class_weights, **options
        )
        weight = None if class_weights is None else torch.tensor(class_weights, dtype=other.dtype)
        expected = F.cross_entropy(
            other.movedim(-1, 1), torch.tensor(IGNORING), weight=weight, **options
        )
        loss.sum().backward()
        expected.sum().backward()
        np.testing.assert_allclose(loss.numpy(), expected.detach(), rtol=1e-12)
        np.testing.assert_allclose(z.grad, other.grad, rtol=1e-10, atol=1e-15)
        p = losses.sparse_categorical_cross_entropy(
            torch.softmax(other, -1).detach().numpy(), IGNORING, class_weights=class_weights,
            **options,
        )  # fmt: skip
        np.testing.assert_allclose(p.numpy(), expected.detach(), rtol=1e-12)


def test_a_label_out_of_range_is_still_named_beside_ignored_ones():
    bad = IGNORING.copy()
    bad[1, 2, 3] = 3
    for loss in (
        losses.sparse_categorical_cross_entropy_with_logits,
        losses.soft_dice_with_logits,
        losses.dice_cross_entropy_with_logits,
        losses.focal_with_logits,
    ):
        with pytest.raises(DataError, match=r"the label 3 in position \(1, 2, 3\) is out of range"):
            loss(Z, bad, ignore_index=255)
        compiled = ct.jit(functools.partial(loss, ignore_index=255), ct.Linear(1, 1))
        assert np.isnan(compiled(Tensor(Z), Tensor(bad)).item())
        assert np.isfinite(compiled(Tensor(Z), Tensor(IGNORING)).item())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_focal_loss_is_its_formula_with_pytorchs_derivative(gamma):
    alpha = np.array([0.25, 1.0, 2.0])
    with float64():
        z, other = Tensor(Z * 3, requires_grad=True), torch.tensor(Z * 3, requires_grad=True)
        loss = losses.focal_with_logits(z, Y, gamma=gamma, class_weights=alpha, reduction="sum")
        p = torch.softmax(other, -1).gather(-1, torch.tensor(Y)[..., None])[..., 0]
        expected = (-torch.tensor(alpha)[Y] * (1 - p) ** gamma * torch.log(p)).sum()
        loss.backward()
        expected.backward()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        np.testing.assert_allclose(z.grad, other.grad, rtol=1e-9, atol=1e-14)
        plain = losses.sparse_categorical_cross_entropy_with_logits(Z, Y).item()
        assert losses.focal_with_logits(Z, Y, gamma=0).item() == pytest.approx(plain)
        sure = Tensor(np.array([[60.0, -60.0]]), requires_grad=True)  # p = 1
        losses.focal_with_logits(sure, [0], gamma=gamma).backward()
        np.testing.assert_allclose(sure.grad, 0, atol=1e-50)


def test_border_weights_are_the_equation_of_the_u_net_at_hand_worked_places():
    mask = np.zeros((3, 9), int)
    mask[:, 0], mask[:, 4] = 1, 1  # two objects, three pixels between them
    found = losses.border_weights(mask)
    background, of_object = 0.5 / (21 / 27), 0.5 / (6 / 27)
    for column, (d1, d2) in {1: (1, 3), 2: (2, 2), 3: (1, 3), 5: (1, 5), 8: (4, 8)}.items():
        expected = background + 10 * np.exp(-((d1 + d2) ** 2) / 50)
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-6)
    np.testing.assert_allclose(found[:, [0, 4]], of_object, rtol=1e-6)
    numbered = np.where(mask == 1, 1 + np.arange(9), 0)  # objects that have numbers
    np.testing.assert_array_equal(losses.border_weights(numbered), found)
    assert losses.border_weights(np.zeros((3, 3))).tolist() == np.ones((3, 3)).tolist()
    one = losses.border_weights([[1, 0]], balance=False)  # no second object, no border
    assert one.tolist() == [[1, 1]]
    with pytest.raises(ShapeError, match=r"the mask has shape \(3,\)"):
        losses.border_weights([0, 1, 0])


def test_what_dice_cannot_mean_is_refused():
    with pytest.raises(OptionError, match="the predictions have one class"):
        losses.soft_dice_with_logits(Z[..., :1], Y * 0)
    with pytest.raises(OptionError, match='reduction="none" of one Dice over the whole batch'):
        losses.soft_dice_with_logits(Z, Y, over="batch", reduction="none")
    with pytest.raises(OptionError, match="over 'pixels'"):
        losses.soft_dice_with_logits(Z, Y, over="pixels")
