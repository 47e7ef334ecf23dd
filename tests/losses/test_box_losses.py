"""Losses of detectors: smooth L1, focal, hard negatives as PyTorch's; YOLO as darknet's loops."""

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cutaway import losses
from cutaway.engine import Tensor, float64
from cutaway.errors import OptionError, ShapeError
from tests.oracles import oracle

RNG = np.random.default_rng(0)


def terms_and_gradients(call, *values):
    """({name: term}, gradients of their sum), compiled."""

    def run(*values):
        leaves = [Tensor(v, requires_grad=True) for v in values]
        terms = call(*leaves)
        sum(terms.values()).backward()
        return {name: term.data for name, term in terms.items()}, [x.grad for x in leaves]

    return jax.jit(run)(*values)


@pytest.mark.parametrize("beta", [0.0, 1 / 9, 1.0, 2.5])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_smooth_l1_and_its_gradient_are_pytorch_s(beta, reduction):
    x, y = RNG.normal(size=(2, 5, 4)) * 2
    with float64():
        mine, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        loss = losses.smooth_l1(mine, y, beta=beta, reduction=reduction)
        expected = F.smooth_l1_loss(theirs, torch.tensor(y), beta=beta, reduction=reduction)
        loss.sum().backward()
        expected.sum().backward()
        np.testing.assert_allclose(loss.numpy(), expected.detach(), rtol=1e-12)
        np.testing.assert_allclose(mine.grad, theirs.grad, rtol=1e-12)
    with pytest.raises(OptionError, match="beta is -1"):
        losses.smooth_l1(x, y, beta=-1)


@pytest.mark.parametrize("gamma", [0.0, 1.5, 2.0])
def test_binary_focal_and_its_gradient_are_torchvision_s(gamma):
    theirs = oracle("torchvision.ops").sigmoid_focal_loss
    z, y = RNG.normal(size=(6, 3)) * 3, RNG.integers(0, 2, (6, 3))
    with float64():
        mine, leaf = Tensor(z, requires_grad=True), torch.tensor(z, requires_grad=True)
        options = {"gamma": gamma, "class_weights": (0.75, 0.25)}
        loss = losses.binary_focal_with_logits(mine, y, reduction="sum", **options)
        expected = theirs(leaf, torch.tensor(y, dtype=leaf.dtype), 0.25, gamma, "sum")
        loss.backward()
        expected.backward()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
        np.testing.assert_allclose(mine.grad, leaf.grad, rtol=1e-8, atol=1e-14)
        plain = losses.binary_cross_entropy_with_logits(z, y).item()
        assert losses.binary_focal_with_logits(z, y, gamma=0).item() == pytest.approx(plain)
        extreme = Tensor(np.array([80.0, -80.0]), requires_grad=True)
        losses.binary_focal_with_logits(extreme, [1, 1]).backward()
        assert np.isfinite(extreme.grad).all()


def single_shot_by_hand(codes, logits, wanted, labels):
    """torchvision's SSD: the losses over the whole batch's positives, negatives by their loss."""
    count = max(1, int((labels > 0).sum()))
    positive = labels > 0
    boxes = F.smooth_l1_loss(codes[positive], wanted[positive], reduction="sum")
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    each = each.view(labels.shape)
    negative = each.detach().clone()
    negative[positive] = -np.inf
    order = negative.sort(1, descending=True)[1]
    background = order.sort(1)[1] < 3 * positive.sum(1, keepdim=True)
    return boxes / count, (each[positive].sum() + each[background].sum()) / count


def test_the_single_shot_loss_is_torchvision_s_and_an_empty_picture_teaches_what_is_background():
    # few positives: where negatives do not suffice, torchvision counts positives twice
    labels = RNG.integers(-14, 4, (3, 40)).clip(0)
    labels[1] = 0
    assert 0 < (labels > 0).sum(axis=1).max() <= 10
    codes, wanted = RNG.normal(size=(2, 3, 40, 4))
    logits = RNG.normal(size=(3, 40, 4))
    with float64():
        theirs = [torch.tensor(v, requires_grad=True) for v in (codes, logits)]
        found, mine = terms_and_gradients(
            lambda c, z: losses.single_shot_loss(c, z, wanted, labels, least_negatives=0),
            codes,
            logits,
        )
        expected = single_shot_by_hand(*theirs, torch.tensor(wanted), torch.tensor(labels))
        sum(expected).backward()
        for one, two in zip((found["boxes"], found["classes"]), expected, strict=True):
            assert float(one) == pytest.approx(two.item(), rel=1e-12)
        for one, two in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, two.grad, rtol=1e-9, atol=1e-14)
        empty = codes[1:2], logits[1:2], wanted[1:2], labels[1:2]
        assert losses.single_shot_loss(*empty, least_negatives=0)["classes"].item() == 0
        taught = losses.single_shot_loss(*empty)["classes"].item()
        each = -np.log(np.exp(logits[1, :, 0]) / np.exp(logits[1]).sum(axis=-1))
        assert taught == pytest.approx(np.sort(each)[-3:].sum())
    with pytest.raises(ShapeError, match="single_shot_loss"):
        losses.single_shot_loss(codes[:, :3], logits, wanted, labels)


def test_weights_of_the_classes_of_the_single_shot_loss_are_pytorch_s():
    labels = RNG.integers(0, 4, (2, 30))  # few are background: all of them are negatives
    codes, wanted = RNG.normal(size=(2, 2, 30, 4))
    logits = RNG.normal(size=(2, 30, 4))
    weights = (0.5, 3.0, 1.25)
    with float64():
        call = losses.single_shot_loss
        plain = call(codes, logits, wanted, labels)
        found = call(codes, logits, wanted, labels, class_weights=weights)
    expected = F.cross_entropy(
        torch.tensor(logits).flatten(0, 1),
        torch.tensor(labels).flatten(),
        weight=torch.tensor((1.0, *weights), dtype=torch.float64),
        reduction="sum",
    )
    assert found["classes"].item() == pytest.approx(expected.item() / (labels > 0).sum(), rel=1e-6)
    assert found["boxes"].item() == plain["boxes"].item()
    with pytest.raises(ShapeError, match="class_weights has shape"):
        call(codes, logits, wanted, labels, class_weights=(1.0, *weights))


PRIORS = np.array([[10, 14], [23, 27], [37, 58], [20, 50]], float)
HEADS = [(2, 3), (1, 2)]
SIZE = (64, 96)
TRUTHS = np.array(
    [
        [[10, 10, 45, 60], [12, 12, 44, 58], [60, 20, 82, 48], [5, 5, 9, 60]],
        [[0, 0, 0, 0], [70, 0, 96, 30], [9, 9, 9, 30], [84, 50, 96, 64]],
        [[0, 0, 96, 64], [0, 0, 96, 64], [0, 0, 96, 64], [0, 0, 96, 64]],
    ],
    float,
)
CLASSES = np.array([[0, 2, 1, 1], [0, 1, 0, 2], [0, 0, 0, 0]])
VALID = np.array([[True] * 4, [False, True, True, True], [False] * 4])
TARGET = {"boxes": TRUTHS, "classes": CLASSES, "valid": VALID}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def iou(a, b):
    side = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    both = side.prod()
    return both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both)


def seen_truths(b):
    """(box, class) of a picture, as darknet reads them: nothing without width or height."""
    for box, kind, valid in zip(TRUTHS[b], CLASSES[b], VALID[b], strict=True):
        if valid and (box[2:] > box[:2]).all():
            yield box, kind


def yolo3_gradient(raw, head):
    """∂L/∂raw by the loops of darknet's yolo_layer.c, times -1 as darknet's delta is."""
    grad = np.zeros(raw.shape)
    batch, rows, columns, priors, outputs = raw.shape
    stride = np.array([SIZE[1] / columns, SIZE[0] / rows])
    for b in range(batch):
        for j, i, n in np.ndindex(rows, columns, priors):
            t = raw[b, j, i, n]
            center = (sigmoid(t[:2]) + np.array([i, j])) * stride
            side = PRIORS[head[n]] * np.exp(t[2:4])
            box = np.concatenate([center - side / 2, center + side / 2])
            best = max([iou(box, truth) for truth, _ in seen_truths(b)], default=0)
            grad[b, j, i, n, 4] = 0 if best > 0.7 else sigmoid(t[4])
        touched = set()
        for truth, kind in seen_truths(b):
            side = truth[2:] - truth[:2]
            shapes = [
                (lambda m: m / (side.prod() + p.prod() - m))(np.minimum(side, p).prod())
                for p in PRIORS
            ]
            best = int(np.argmax(shapes))
            if best not in head:
                continue
            n = head.index(best)
            at = (truth[:2] + truth[2:]) / 2 / stride
            i, j = (int(v) for v in at)
            t, g = raw[b, j, i, n], grad[b, j, i, n]
            scale = 2 - side.prod() / np.prod(SIZE)
            g[:2] = scale * (sigmoid(t[:2]) - (at - [i, j]))
            g[2:4] = scale * (t[2:4] - np.log(side / PRIORS[best]))
            g[4] = sigmoid(t[4]) - 1
            if (j, i, n) in touched:
                g[5 + kind] = sigmoid(t[5 + kind]) - 1
            else:
                g[5:] = sigmoid(t[5:]) - np.eye(outputs - 5)[kind]
            touched.add((j, i, n))
    return grad / batch


def test_the_gradient_of_yolo3_is_that_of_darknet_s_loops():
    raws = [RNG.normal(size=(3, 2, 3, 2, 8)), RNG.normal(size=(3, 4, 6, 2, 8)) * 0.3]
    with float64():
        # one prediction right on its truth, so that it is ignored although nobody's partner
        raws[1][0, 1, 2, 0, :4] = [0, 0, np.log(33 / 23), np.log(48 / 27)]
        options = {"priors": PRIORS, "heads": HEADS, "size": SIZE}
        terms, found = terms_and_gradients(
            lambda a, b: losses.yolo3_loss([a, b], TARGET, **options), *raws
        )
        for raw, gradient, head in zip(raws, found, HEADS, strict=True):
            expected = yolo3_gradient(raw, list(head))
            np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-9)
        assert set(terms) == {"center", "size", "objectness", "classes"}
        # of the picture without objects all objectness, and nothing else
        assert np.abs(found[0][2, ..., 4]).min() > 0 and not found[0][2, ..., :4].any()


def complete_iou(a, b):
    """IoU - d²/c² - αv of two boxes, as the paper writes it."""
    (wa, ha), (wb, hb) = a[2:] - a[:2], b[2:] - b[:2]
    between = ((a[:2] + a[2:] - b[:2] - b[2:]) ** 2).sum() / 4
    around = ((np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2])) ** 2).sum()
    v = 4 / np.pi**2 * (np.arctan(wb / hb) - np.arctan(wa / ha)) ** 2
    return iou(a, b) - between / around - v * v / (1 - iou(a, b) + v)


def yolo4_terms(raws, share):
    """The terms by plain loops."""
    terms = {"boxes": 0.0, "objectness": 0.0, "classes": 0.0}
    for raw, head in zip(raws, HEADS, strict=True):
        batch, rows, columns, priors, outputs = raw.shape
        stride = np.array([SIZE[1] / columns, SIZE[0] / rows])
        for b in range(batch):
            owner, kinds = {}, {}
            for truth, kind in seen_truths(b):
                side = truth[2:] - truth[:2]
                both = np.minimum(side, PRIORS).prod(axis=1)
                shapes = both / (side.prod() + np.prod(PRIORS, axis=1) - both)
                i, j = (int(v) for v in (truth[:2] + truth[2:]) / 2 / stride)
                for n, prior in enumerate(head):
                    if prior == np.argmax(shapes) or shapes[prior] > share:
                        owner[j, i, n] = truth
                        kinds.setdefault((j, i, n), []).append(kind)
            for j, i, n in np.ndindex(rows, columns, priors):
                t = raw[b, j, i, n]
                center = (sigmoid(t[:2]) + np.array([i, j])) * stride
                side = PRIORS[head[n]] * np.exp(t[2:4])
                box = np.concatenate([center - side / 2, center + side / 2])
                best = max([iou(box, truth) for truth, _ in seen_truths(b)], default=0)
                p, chances = sigmoid(t[4]), sigmoid(t[5:])
                if (j, i, n) in owner:
                    terms["boxes"] += 3 * (1 - complete_iou(box, owner[j, i, n]))
                    terms["objectness"] -= np.log(p)
                    on = np.isin(np.arange(outputs - 5), kinds[j, i, n])
                    terms["classes"] -= np.log(np.where(on, chances, 1 - chances)).sum()
                elif best <= 0.7:
                    terms["objectness"] -= np.log(1 - p)
    return {name: value / batch for name, value in terms.items()}


@pytest.mark.parametrize("share", [1.0, 0.213, 0.05])
def test_yolo4_is_its_formula_in_plain_loops(share):
    raws = [RNG.normal(size=(3, 2, 3, 2, 8)) * 0.3, RNG.normal(size=(3, 4, 6, 2, 8)) * 0.3]
    with float64():
        options = {"priors": PRIORS, "heads": HEADS, "size": SIZE, "share": share}
        terms, found = terms_and_gradients(
            lambda a, b: losses.yolo4_loss([a, b], TARGET, **options), *raws
        )
    expected = yolo4_terms(raws, share)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected)
    # a step against the gradient lowers the loss: the boxes learn too
    after = yolo4_terms([r - 1e-4 * np.asarray(g) for r, g in zip(raws, found, strict=True)], share)
    assert after["boxes"] < expected["boxes"] and sum(after.values()) < sum(expected.values())
    assert not np.asarray(found[0])[2, ..., :4].any()  # the picture without objects


@pytest.mark.slow
def test_weights_of_classes_scale_what_objects_of_these_classes_teach():
    raws = [RNG.normal(size=(1, 2, 3, 2, 8)) * 0.3, RNG.normal(size=(1, 4, 6, 2, 8)) * 0.3]
    options = {"priors": PRIORS, "heads": HEADS, "size": SIZE}

    def terms(classes, weights):
        target = {
            "boxes": np.array([[[5, 5, 28, 32], [50, 20, 90, 60]]], float),
            "classes": np.array([classes]),
            "valid": np.array([[k >= 0 for k in classes]]),
        }
        with float64():
            found = losses.yolo4_loss(raws, target, **options, class_weights=weights)
        return {name: term.item() for name, term in found.items()}

    plain = terms((0, 2), None)
    assert terms((0, 2), (1.0, 1.0, 1.0)) == pytest.approx(plain)
    of_0, of_2, both = (terms((0, 2), w) for w in ((0, 9, 1), (1, 9, 0), (5, 9, 2)))
    for name in ("objectness", "classes"):  # linear in the weights
        first, last = plain[name] - of_0[name], plain[name] - of_2[name]
        assert first > 0 and last > 0
        assert both[name] == pytest.approx(plain[name] + 4 * first + last)
    assert plain["classes"] == pytest.approx(of_0["classes"] + of_2["classes"])
    assert both["boxes"] == plain["boxes"]
    assert terms((-1, -1), (5, 9, 2)) == pytest.approx(terms((-1, -1), None))
    with pytest.raises(ShapeError, match="class_weights has shape"):
        terms((0, 2), (1.0, 1.0))


def test_maps_and_targets_that_do_not_fit_are_refused():
    raw = np.zeros((3, 2, 3, 2, 8))
    with pytest.raises(ShapeError, match="for 3 priors"):
        losses.yolo3_loss([raw], TARGET, priors=PRIORS, heads=[(1, 2, 3)], size=SIZE)
    with pytest.raises(ShapeError, match="for 3 pictures"):
        bad = {**TARGET, "classes": CLASSES[:2]}
        losses.yolo3_loss([raw], bad, priors=PRIORS, heads=HEADS[:1], size=SIZE)


def yolo2_gradient(raw, priors):
    """∂L/∂raw by the loops of darknet's region_layer.c, with its gradients of the sigmoids."""
    grad = np.zeros(raw.shape)
    batch, rows, columns, count, outputs = raw.shape
    stride = np.array([SIZE[1] / columns, SIZE[0] / rows])
    own = priors * stride

    def decoded(b, j, i, n):
        t = raw[b, j, i, n]
        center, side = (sigmoid(t[:2]) + np.array([i, j])) * stride, own[n] * np.exp(t[2:4])
        return np.concatenate([center - side / 2, center + side / 2])

    for b in range(batch):
        for j, i, n in np.ndindex(rows, columns, count):
            best = max([iou(decoded(b, j, i, n), truth) for truth, _ in seen_truths(b)], default=0)
            grad[b, j, i, n, 4] = 0 if best > 0.6 else sigmoid(raw[b, j, i, n, 4])
        for truth, kind in seen_truths(b):
            side = truth[2:] - truth[:2]
            shapes = [np.minimum(side, p).prod() for p in own]
            shapes = [m / (side.prod() + p.prod() - m) for m, p in zip(shapes, own, strict=True)]
            n, at = int(np.argmax(shapes)), (truth[:2] + truth[2:]) / 2 / stride
            i, j = (int(v) for v in at)
            t, g = raw[b, j, i, n], grad[b, j, i, n]
            scale = 2 - side.prod() / np.prod(SIZE)
            g[:2] = scale * (sigmoid(t[:2]) - (at - [i, j]))
            g[2:4] = scale * (t[2:4] - np.log(side / own[n]))
            g[4] = 5 * (sigmoid(t[4]) - iou(decoded(b, j, i, n), truth))
            softmax = np.exp(t[5:]) / np.exp(t[5:]).sum()
            g[5:] = softmax - np.eye(outputs - 5)[kind]
    slope = sigmoid(raw) * (1 - sigmoid(raw))
    for k in (0, 1, 4):
        grad[..., k] *= slope[..., k]
    return grad / batch


def test_the_gradient_of_yolo2_is_that_of_darknet_s_loops():
    priors, raw = np.array([[1.0, 1.5], [2.5, 3.0]]), RNG.normal(size=(3, 4, 6, 2, 8))
    with float64():
        late, found = terms_and_gradients(
            lambda raw: losses.yolo2_loss(raw, TARGET, priors=priors, size=SIZE, seen=12_800), raw
        )
        np.testing.assert_allclose(found[0], yolo2_gradient(raw, priors), rtol=1e-6, atol=1e-9)
        early, _ = terms_and_gradients(
            lambda raw: losses.yolo2_loss(raw, TARGET, priors=priors, size=SIZE, seen=0), raw
        )
        assert float(early["priors"]) > 0 and float(late["priors"]) == 0


def yolo1_by_hand(boxes, confidence, classes):
    """The paper's eq. 3 as loops."""
    terms = dict.fromkeys(("center", "size", "objectness", "empty", "classes"), 0.0)
    batch, rows, columns, count, _ = boxes.shape
    picture = np.array([SIZE[1], SIZE[0]])
    for b in range(batch):
        of_cell = {}
        for truth, kind in seen_truths(b):
            at = (truth[:2] + truth[2:]) / 2 / picture * [columns, rows]
            of_cell.setdefault((int(at[1]), int(at[0])), (truth, kind, at))
        for j, i in np.ndindex(rows, columns):
            chosen = -1
            if (j, i) in of_cell:
                truth, kind, at = of_cell[j, i]
                place, side = at - [i, j], (truth[2:] - truth[:2]) / picture
                made = []
                for x, y, w, h in boxes[b, j, i]:
                    center = (np.array([x + i, y + j])) / [columns, rows] * picture
                    half = np.array([w, h]) ** 2 * picture / 2
                    made.append(np.concatenate([center - half, center + half]))
                overlaps = [iou(box, truth) for box in made]
                assert max(overlaps) > 0
                chosen = int(np.argmax(overlaps))
                own = boxes[b, j, i, chosen]
                terms["center"] += 5 * ((own[:2] - place) ** 2).sum()
                terms["size"] += 5 * ((own[2:] - np.sqrt(side)) ** 2).sum()
                terms["objectness"] += (confidence[b, j, i, chosen] - overlaps[chosen]) ** 2
                terms["classes"] += ((classes[b, j, i] - np.eye(3)[kind]) ** 2).sum()
            for n in range(count):
                if n != chosen:
                    terms["empty"] += 0.5 * confidence[b, j, i, n] ** 2
    return {name: value / batch for name, value in terms.items()}


def test_yolo1_is_the_sum_of_squares_of_the_paper():
    boxes, confidence = RNG.uniform(0.2, 0.9, (3, 4, 6, 2, 4)), RNG.uniform(size=(3, 4, 6, 2))
    classes = RNG.uniform(size=(3, 4, 6, 3))
    with float64():
        found, gradients = terms_and_gradients(
            lambda *maps: losses.yolo1_loss(*maps, TARGET, size=SIZE), boxes, confidence, classes
        )
        expected = yolo1_by_hand(boxes, confidence, classes)
        assert {k: float(v) for k, v in found.items()} == pytest.approx(expected, rel=1e-6)
        # linear outputs, squared errors: the gradient of the confidences is 2 λ (C - Ĉ) / batch
        assert np.isfinite(gradients[0]).all() and (np.asarray(gradients[1])[2] > 0).all()
        np.testing.assert_allclose(gradients[1][2], confidence[2] / 3, rtol=1e-9)


def test_masked_cross_entropy_over_priors_is_pytorch_s():
    z, y = RNG.normal(size=(2, 7, 5)), RNG.integers(-1, 5, (2, 7))
    mask = RNG.random((2, 7)) < 0.6
    with float64():
        mine, theirs = Tensor(z, requires_grad=True), torch.tensor(z, requires_grad=True)
        loss = losses.sparse_categorical_cross_entropy_with_logits(
            mine, y, ignore_index=-1, row_weights=mask, reduction="sum"
        )
        chosen = torch.tensor(mask & (y >= 0))
        expected = F.cross_entropy(theirs[chosen], torch.tensor(y)[chosen], reduction="sum")
        (loss / 4).backward()
        (expected / 4).backward()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        np.testing.assert_allclose(mine.grad, theirs.grad, rtol=1e-10, atol=1e-15)


def test_losses_of_boxes_need_no_value_that_a_compiled_step_lacks():
    shapes = jax.eval_shape(
        lambda raw, target: losses.yolo2_loss(
            raw, target, priors=[[1.0, 1.0]], size=(32, 32), seen=None
        )["center"].data,
        np.zeros((2, 4, 4, 1, 7), np.float32),
        {"boxes": np.zeros((2, 0, 4)), "classes": np.zeros((2, 0), int),
         "valid": np.zeros((2, 0), bool)},
    )  # fmt: skip
    assert shapes.shape == ()
