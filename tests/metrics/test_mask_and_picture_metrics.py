"""Scores of masks, regions and pictures beside scikit-learn's and scikit-image's."""

import numpy as np
import pytest
import skimage.data
import skimage.metrics
import sklearn.metrics

import cutaway as ct
from cutaway import metrics
from cutaway.errors import DataError, OptionError, ShapeError

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, (4, 9, 7))
GUESS = np.where(RNG.random(TRUTH.shape) < 0.6, TRUTH, RNG.integers(0, 3, TRUTH.shape))
IGNORING = np.where(RNG.random(TRUTH.shape) < 0.2, 255, TRUTH)


def test_scores_of_a_set_of_masks_are_scikit_learns_of_all_its_pixels():
    scores = metrics.MaskScores(3, ignore_index=255)
    for truth, guess in zip(IGNORING, GUESS, strict=True):
        scores.collect(truth, guess)
    found = scores.result()
    counts = IGNORING != 255
    y, p = IGNORING[counts], GUESS[counts]
    np.testing.assert_array_equal(scores.confusion, sklearn.metrics.confusion_matrix(y, p))
    iou = sklearn.metrics.jaccard_score(y, p, average=None)
    dice = sklearn.metrics.f1_score(y, p, average=None)
    np.testing.assert_allclose(found["iou"], iou)
    np.testing.assert_allclose(found["dice"], dice)
    assert found["mean_iou"] == pytest.approx(iou.mean())
    assert found["mean_dice"] == pytest.approx(dice[1:].mean())
    assert found["pixel_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(y, p))
    each = [
        sklearn.metrics.jaccard_score(t[t != 255], g[t != 255], average="macro")
        for t, g in zip(IGNORING, GUESS, strict=True)
    ]
    assert found["picture_iou"] == pytest.approx(np.mean(each)) != found["mean_iou"]
    assert [one["mean_iou"] for one in scores.of_pictures()] == pytest.approx(each)


def test_a_metric_of_masks_is_that_of_all_rows_together_and_weights_exclude_rows():
    p = np.eye(3)[GUESS] * 0.5 + 0.1
    y, g = IGNORING[:3].ravel(), GUESS[:3].ravel()
    y, g = y[y != 255], g[y != 255]
    expected = {
        "pixel_accuracy": sklearn.metrics.accuracy_score(y, g),
        "mean_iou": sklearn.metrics.jaccard_score(y, g, average="macro"),
        "mean_dice": sklearn.metrics.f1_score(y, g, average=None)[1:].mean(),
    }
    for name, value in expected.items():
        metric = metrics.METRICS[name]
        found = metric(p, IGNORING, np.array([1, 1, 1, 0]), ignore_index=255)
        assert float(found) == pytest.approx(value, rel=1e-6), name
    compiled = ct.jit(lambda p, y: ct.Tensor(metrics.mean_iou(p, y)), ct.Linear(1, 1))
    whole = sklearn.metrics.jaccard_score(TRUTH.ravel(), GUESS.ravel(), average="macro")
    assert compiled(p, TRUTH).item() == pytest.approx(whole, rel=1e-6)


def test_a_class_that_does_not_occur_has_no_score_and_is_in_no_mean():
    scores = metrics.MaskScores(4)
    scores.collect([[0, 1]], [[0, 1]])
    assert np.isnan(scores.result()["iou"][2:]).all() and scores.result()["mean_iou"] == 1
    p = np.eye(4)[[[0, 1]]]
    assert float(metrics.mean_iou(p, [[0, 1]])) == float(metrics.mean_dice(p, [[0, 1]])) == 1
    assert np.isnan(metrics.MaskScores(2).result()["mean_iou"])


def test_masks_that_do_not_fit_are_refused():
    scores = metrics.MaskScores(2)
    with pytest.raises(ShapeError, match=r"a mask of shape \(1, 2\), a prediction of \(2,\)"):
        scores.collect([[0, 1]], [0, 1])
    with pytest.raises(DataError, match="the true class 255 in picture 0"):
        scores.collect([0, 255], [0, 1])
    with pytest.raises(ShapeError, match="labels"):
        metrics.mean_iou(np.ones((2, 4, 3)), np.ones((2, 5)))


def test_rand_error_and_variation_of_information_are_scikit_images():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        membrane = rng.random((30, 30)) > 0.62
        truth = metrics.connected_regions(~membrane)
        holes = membrane & (rng.random((30, 30)) > 0.1)
        prediction = metrics.connected_regions(~holes)
        np.testing.assert_array_equal(truth, skimage.measure.label(~membrane, connectivity=1))
        found = metrics.adapted_rand_error(truth, prediction)
        error, recall, precision = skimage.metrics.adapted_rand_error(truth, prediction)
        # scikit-image divides by the pairs of the truth and calls it precision; what merges
        # regions, as holes do, makes pairs of the prediction wrong
        np.testing.assert_allclose(found, (error, precision, recall), rtol=1e-10)
        assert found[1] < found[2]
        np.testing.assert_allclose(
            metrics.variation_of_information(truth, prediction),
            skimage.metrics.variation_of_information(truth, prediction),
            atol=1e-10,
        )
    assert metrics.adapted_rand_error([0, 0], [1, 2]) == (0, 1, 1)
    assert metrics.adapted_rand_error([1, 2, 3], [3, 1, 2]) == (0, 1, 1)  # numbers do not matter
    with pytest.raises(ShapeError, match="label images of equal shape"):
        metrics.variation_of_information([1, 2], [1])


def test_ssim_is_scikit_images_with_the_papers_window():
    picture = skimage.data.astronaut()[::8, ::8] / 255.0
    noisy = np.clip(picture + 0.1 * RNG.normal(size=picture.shape), 0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = skimage.metrics.structural_similarity(
        picture, noisy, data_range=1.0, channel_axis=-1, **options
    )
    found = metrics.structural_similarity(picture, noisy, data_range=1)
    assert found == pytest.approx(expected, rel=1e-10)
    grey = metrics.structural_similarity(picture[..., 0], noisy[..., 0], data_range=1)
    expected = skimage.metrics.structural_similarity(
        picture[..., 0], noisy[..., 0], data_range=1.0, **options
    )
    assert grey == pytest.approx(expected, rel=1e-10)
    with pytest.raises(ShapeError, match="at least 11 x 11"):
        metrics.structural_similarity(picture[:10], noisy[:10], data_range=1)
    with pytest.raises(ShapeError, match="one pair of pictures at a time"):
        metrics.structural_similarity(picture[None], noisy[None], data_range=1)


def test_scores_of_pictures_are_those_of_the_set():
    scores = metrics.PictureScores(data_range=2)
    with pytest.raises(OptionError, match="no pictures were collected"):
        scores.result()
    real = RNG.uniform(-1, 1, (3, 16, 16, 3)) * np.array([1.0, 0.5, 0.1])[:, None, None, None]
    made = real / 2 + 0.1
    for x, y in zip(real, made, strict=True):
        scores.collect(x, y)
    found = scores.result()
    assert found["l1"] == pytest.approx(np.abs(real - made).mean())
    assert found["gradient_ratio"] == pytest.approx(0.5)
    assert found["ssim"] == pytest.approx(np.mean([one["ssim"] for one in scores.each]))


def test_the_frechet_distance_does_not_depend_on_how_a_set_was_collected():
    a, b = RNG.normal(size=(40, 5)), 2 * RNG.normal(size=(30, 5)) + 1
    whole, parts = metrics.DiagonalFrechet(), metrics.DiagonalFrechet()
    whole.collect(a, b)
    for k in range(0, 40, 10):
        parts.collect(a[k : k + 10], b[k : k + 10] if k < 30 else b[:0])
    expected = ((a.mean(0) - b.mean(0)) ** 2 + (a.std(0) - b.std(0)) ** 2).sum()
    assert whole.result() == pytest.approx(expected) == parts.result()
    with pytest.raises(OptionError, match="one of the sets is empty"):
        metrics.DiagonalFrechet().result()
