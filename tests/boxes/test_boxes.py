"""Arithmetic of boxes: suppression, matching, coding and sampling as torchvision does them."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutaway import boxes

# written by write_torchvision_values.py
VALUES = dict(np.load(Path(__file__).with_name("torchvision_values.npz")))
RNG = np.random.default_rng(0)


half = jax.jit(functools.partial(boxes.suppress, threshold=0.5))


def falling(kept, scores):
    """The indices kept, by falling scores."""
    order = np.argsort(-scores, kind="stable")
    return order[np.asarray(kept)[order]]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_suppression_keeps_what_torchvision_keeps_also_of_equal_boxes_and_scores(threshold):
    b, scores, groups = (VALUES[f"nms_{k}"] for k in ("boxes", "scores", "groups"))
    compiled = jax.jit(functools.partial(boxes.suppress, threshold=threshold))
    np.testing.assert_array_equal(falling(compiled(b, scores), scores), VALUES[f"nms_{threshold}"])
    kept = compiled(b, scores, groups=groups)
    np.testing.assert_array_equal(falling(kept, scores), VALUES[f"grouped_nms_{threshold}"])


def test_an_overlap_of_exactly_the_threshold_is_kept_and_of_a_tie_the_first():
    b = jnp.array([[0.0, 0, 2, 1], [0, 0, 1, 1], [0, 0, 2, 1]])
    kept = half(b, jnp.array([0.9, 0.8, 0.9]))
    assert kept.tolist() == [True, True, False]


def test_what_a_suppressed_box_covers_is_kept():
    b = jnp.array([[0.0, 0, 10, 1], [3, 0, 13, 1], [6, 0, 16, 1]])  # a chain: IoU 7/13 and 4/16
    kept = half(b, jnp.array([3.0, 2.0, 1.0]))
    assert kept.tolist() == [True, False, True]


def test_padding_and_nan_are_never_kept_and_suppress_nothing():
    b = jnp.zeros((4, 4)).at[:, 2:].set(5)
    scores = jnp.array([jnp.nan, 9.0, 0.5, 0.4])
    valid = jnp.array([True, False, True, True])
    kept = half(b, scores, valid=valid)
    assert kept.tolist() == [False, False, True, False]
    assert boxes.suppress(b[:0], scores[:0], threshold=0.5).shape == (0,)


def test_detections_are_the_best_of_all_classes_padded_to_the_limit():
    b = jnp.array([[0.0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9], [1, 1, 1, 1]])
    scores = jnp.array([[0.5, 0.1], [0.9, 0.3], [0.2, 0.05], [0.99, 0.99]])
    options = {"score_threshold": 0.1, "iou_threshold": 0.5, "least_side": 0.5}
    select = jax.jit(functools.partial(boxes.select_detections, limit=5, **options))
    found = select(b, scores)
    assert found["classes"].tolist() == [0, 1, 0, -1, -1]
    assert found["rows"].tolist() == [1, 1, 2, -1, -1]
    assert found["valid"].tolist() == [True, True, True, False, False]
    np.testing.assert_allclose(found["scores"], [0.9, 0.3, 0.2, 0, 0])
    assert found["boxes"][0].tolist() == [0, 0, 4, 5] and not found["boxes"][3:].any()
    # boxes of each class, and fewer than the limit in all
    each = jnp.stack([b, b + 100], axis=1)
    few = functools.partial(boxes.select_detections, limit=20, candidates=2, **options)
    found = jax.jit(few)(each, scores)
    assert found["boxes"][1].tolist() == [100, 100, 104, 105] and found["boxes"].shape == (20, 4)
    none = select(b, scores * 0)
    assert not none["valid"].any() and none["classes"].tolist() == [-1] * 5


def test_iou_of_all_pairs_is_torchvision_s_and_0_without_area():
    np.testing.assert_allclose(
        boxes.pairwise_iou(VALUES["a"], VALUES["b"]), VALUES["pairwise"], atol=1e-6
    )
    point = jnp.ones((1, 4))
    assert boxes.pairwise_iou(point, point).item() == 0
    # COCO: of a box with a crowd, the part of the box that lies inside
    crowd = jnp.array([[0.0, 0, 100, 100]])
    assert boxes.overlap_with_crowd(jnp.array([[90.0, 0, 110, 10]]), crowd).item() == 0.5


@pytest.mark.parametrize("kind", ["threshold", "ties", "forced"])
def test_priors_are_matched_as_in_torchvision(kind):
    match = {
        "threshold": functools.partial(boxes.match_by_threshold, positive=0.5),
        "ties": functools.partial(boxes.match_with_ties, positive=0.7, negative=0.3),
        "forced": functools.partial(boxes.match_with_forced, positive=0.5),
    }[kind]
    overlaps = boxes.pairwise_iou(VALUES["truths"], VALUES["priors"])
    expected = VALUES[f"matched_{kind}"]
    match = jax.jit(match)
    np.testing.assert_array_equal(match(overlaps, jnp.ones(6, bool)), expected)
    # padding changes nothing
    padded = jnp.concatenate([overlaps, jnp.ones((2, 80))])
    valid = jnp.arange(8) < 6
    np.testing.assert_array_equal(match(padded, valid), expected)
    # nor is anything for a truth of an empty picture
    assert set(np.asarray(match(padded, valid & False)).tolist()) == {boxes.BACKGROUND}
    assert set(np.asarray(match(overlaps[:0], valid[:0])).tolist()) == {boxes.BACKGROUND}


def test_a_truth_that_overlaps_nothing_drags_no_prior_with_it():
    # torchvision gives [0, 0, 0, 0]: every prior with IoU 0 to truth 1 has the largest one
    overlaps = jnp.array([[0.8, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    there = jnp.ones(2, bool)
    for match in (
        functools.partial(boxes.match_with_ties, positive=0.7, negative=0.3),
        functools.partial(boxes.match_with_forced, positive=0.7),
        functools.partial(boxes.match_one_to_one, positive=0.7),
    ):
        assert match(overlaps, there).tolist() == [0, -1, -1, -1]


def test_two_truths_with_the_same_best_prior_both_get_one_where_the_paper_says_so():
    overlaps = jnp.array([[0.9, 0.3, 0.6], [0.8, 0.4, 0.0]])
    there = jnp.ones(2, bool)
    assert boxes.match_with_forced(overlaps, there, positive=0.5).tolist() == [1, -1, 0]
    assert boxes.match_one_to_one(overlaps, there, positive=0.5).tolist() == [0, 1, 0]


def test_codes_are_torchvision_s_and_finite_for_boxes_without_area():
    truths = VALUES["truths"][np.arange(80) % 6]
    codes = boxes.encode_boxes(truths, VALUES["priors"], weights=(10, 10, 5, 5))
    np.testing.assert_allclose(codes, VALUES["codes"], rtol=1e-5, atol=1e-4)
    point, prior = jnp.ones(4), jnp.array([0.0, 0, 0, 8])
    assert np.isfinite(boxes.encode_boxes(point, prior)).all()
    np.testing.assert_allclose(boxes.to_corners(boxes.to_centers(truths)), truths, atol=1e-5)


def test_a_sample_has_so_many_positives_at_most_and_negatives_for_the_rest():
    positive = jnp.asarray(RNG.random((3, 50)) < [[0.3], [0.02], [0.9]])
    numbers = jnp.asarray(RNG.random((3, 50)))
    sample = jax.jit(functools.partial(boxes.sample_balanced, count=16, fraction=0.25))
    chosen, rest = map(np.asarray, sample(positive, ~positive, numbers))
    positive, numbers = np.asarray(positive), np.asarray(numbers)
    assert not (chosen & ~positive).any() and not (rest & positive).any()
    count = positive.sum(axis=1)
    np.testing.assert_array_equal(chosen.sum(axis=1), np.minimum(count, 4))
    expected = np.minimum(50 - count, 16 - np.minimum(count, 4))
    np.testing.assert_array_equal(rest.sum(axis=1), expected)
    # those with the smallest numbers
    for row in range(3):
        smallest = np.sort(np.asarray(numbers[row])[np.asarray(positive[row])])[:4]
        np.testing.assert_array_equal(np.sort(numbers[row][chosen[row]]), smallest)
    rows, there = boxes.indices_of(chosen | rest, 16)
    for row in range(3):
        np.testing.assert_array_equal(rows[row][there[row]], np.flatnonzero((chosen | rest)[row]))
    rows, there = boxes.indices_of(chosen, 60)
    assert rows.shape == there.shape == (3, 60) and there.sum() == chosen.sum()


def test_hard_negatives_are_three_for_each_positive_with_the_largest_losses():
    losses, positive = RNG.random((4, 30)).astype(np.float32), RNG.random((4, 30)) < 0.1
    positive[2], positive[3] = False, np.arange(30) < 12
    found = np.asarray(boxes.hard_negatives(losses, positive))
    for row in range(4):
        free = np.flatnonzero(~positive[row])
        order = free[np.argsort(-losses[row][free], kind="stable")]
        expected = order[: 3 * positive[row].sum()]
        np.testing.assert_array_equal(np.flatnonzero(found[row]), np.sort(expected))
    assert not found[2].any()
    assert boxes.hard_negatives(losses, positive, least=5)[2].sum() == 5
    allowed = np.arange(30) < 15
    assert not boxes.hard_negatives(losses, positive, allowed=allowed)[:, 15:].any()


def test_the_best_candidates_of_all_classes_together_give_the_same_detections():
    low = RNG.uniform(0, 60, (60, 2))
    b = jnp.asarray(np.concatenate([low, low + RNG.uniform(5, 40, (60, 2))], axis=1))
    scores = jnp.asarray(RNG.uniform(size=(60, 5)))
    options = {"score_threshold": 0.3, "iou_threshold": 0.4, "limit": 400}
    each = boxes.select_detections(b, scores, **options)
    together = boxes.select_detections(b, scores, together=True, candidates=300, **options)
    by_class = jnp.broadcast_to(b[:, None], (60, 5, 4))
    other = boxes.select_detections(by_class, scores, together=True, candidates=300, **options)
    for name, value in each.items():
        np.testing.assert_array_equal(together[name], value)
        np.testing.assert_array_equal(other[name], value)
    fewer = boxes.select_detections(b, scores, together=True, candidates=10, **options)
    assert fewer["valid"].sum() <= 10
    np.testing.assert_array_equal(fewer["boxes"][0], each["boxes"][0])
