"""ImageClassifier keeps scikit-learn's conventions, and trains as `cutaway train` on a folder."""

import copy
import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

import cutaway as ct
from cutaway.runs.images import ImageOptions, prepare_images

RNG = np.random.default_rng(0)
Y = np.array(["level", "upright"] * 24)
SMALL = {"width": 2, "max_iter": 4, "random_state": 0}


def pictures(size=8, channels=None) -> np.ndarray:
    """Gray noise with a bright bar, level or upright."""
    shape = (48, size, size) if channels is None else (48, size, size, channels)
    x = np.random.default_rng(1).integers(0, 90, shape, dtype=np.uint8)
    for k, y in enumerate(Y):
        where = slice(k % (size - 2), k % (size - 2) + 2)
        x[(k, where) if y == "level" else (k, slice(None), where)] += 150
    return x


X = pictures()


def same_weights(one, other) -> bool:
    one, other = one.network_.state_dict(), other.network_.state_dict()
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def fitted():
    return ct.ImageClassifier(**SMALL).fit(X, Y)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pictures in colors, as files: (folder, paths, labels) in the folder's order."""
    root = tmp_path_factory.mktemp("images")
    for k, (image, y) in enumerate(zip(pictures(channels=3), Y, strict=True)):
        (root / y).mkdir(exist_ok=True)
        Image.fromarray(image).save(root / y / f"{k:02d}.png")
    paths = [path for name in ("level", "upright") for path in sorted((root / name).iterdir())]
    return root, paths, [path.parent.name for path in paths]


@pytest.mark.slow
def test_of_paths_the_network_is_the_one_that_a_training_of_the_folder_makes(folder, tmp_path):
    root, paths, labels = folder
    experiment = prepare_images(root, ImageOptions(width=2, epochs=4, seed=0, size=12))
    run = experiment.train(tmp_path / "run", progress=False)
    by_path = ct.ImageClassifier(12, **SMALL).fit([str(path) for path in paths], labels)
    trained = run.net.state_dict()
    ours = by_path.network_.state_dict()
    assert all(np.array_equal(trained[k], ours[k]) for k in trained)
    predicted, _ = run.predict(root)
    assert by_path.predict(paths).tolist() == predicted["prediction"].to_list()
    images = [Image.open(path) for path in paths]
    by_image = ct.ImageClassifier(12, **SMALL).fit(images, labels)
    assert same_weights(by_path, by_image)
    assert images[0].format == "PNG"  # they stay as they were
    decoded = by_path._reading.read(paths[:4])
    np.testing.assert_array_equal(by_path.predict_proba(decoded), by_path.predict_proba(paths[:4]))


def test_probabilities_are_float64_and_an_image_does_not_depend_on_its_neighbors(fitted):
    found = fitted.predict_proba(X)
    assert found.dtype == np.float64 and found.shape == (48, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    alone = np.concatenate([fitted.predict_proba(X[k : k + 1]) for k in range(3)])
    np.testing.assert_allclose(alone, found[:3], rtol=1e-10)
    np.testing.assert_array_equal(fitted.predict_proba(X[..., None]), found)
    np.testing.assert_array_equal(fitted.predict_proba(list(X)), found)
    np.testing.assert_array_equal(fitted.predict_proba(X.astype(np.int64)), found)


@pytest.mark.slow
def test_bars_are_told_apart_also_in_floats():
    floats = X / 255
    options = {**SMALL, "width": 8, "max_iter": 25}
    model = ct.ImageClassifier(**options).fit(floats, Y)
    assert model.score(floats, Y) > 0.9
    assert model.score(X[:2] / 255, Y[:2]) >= 0.5
    with pytest.raises(ValueError, match="uint8, and was trained on float32"):
        model.predict(X)


@pytest.mark.slow
def test_a_copy_a_pickle_and_a_clone_are_as_scikit_learn_has_them(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(copy.deepcopy(fitted).predict_proba(X), again.predict_proba(X))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict("no images at all")
    assert same_weights(fresh.fit(X, Y), fitted)
    assert "Conv" in fitted._repr_html_()
    with pytest.raises(ValueError, match="call fit first"):
        again.diagnose()


@pytest.mark.slow
def test_weights_partial_fit_and_a_warm_start(fitted):
    by_class = ct.ImageClassifier(**SMALL, class_weight={"level": 3}).fit(X, Y)
    weights = np.where(Y == "level", 3, 1)
    assert same_weights(by_class, ct.ImageClassifier(**SMALL).fit(X, Y, sample_weight=weights))
    assert not same_weights(by_class, fitted)
    model = ct.ImageClassifier(width=4, augment=False, lr=0.01, random_state=0)
    for _ in range(6):
        model.partial_fit(X, Y, classes=["level", "upright"])
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, Y)
    assert same_weights(model.partial_fit(X, Y), again)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    warm = copy.deepcopy(fitted).set_params(warm_start=True)
    before = warm.loss_curve_[0]
    assert warm.fit(X, Y).loss_curve_[0] < before
    with pytest.raises(ValueError, match="as in training"):
        warm.fit(X[:, :6], Y)


@pytest.mark.slow
def test_a_grid_is_searched_in_threads_and_folds_are_scored_in_processes():
    import joblib

    with joblib.parallel_config(backend="threading", n_jobs=2):
        search = GridSearchCV(ct.ImageClassifier(**SMALL), {"width": [2, 3]}, cv=2).fit(X, Y)
    assert len(search.cv_results_["mean_test_score"]) == 2
    scores = []
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            scores.append(cross_val_score(ct.ImageClassifier(**SMALL), X, Y, cv=2))
    assert scores[0].tolist() == scores[1].tolist()


@pytest.mark.slow
def test_an_explanation_is_that_of_the_network_for_the_image(fitted):
    why = fitted.explain(X[0], "level")
    assert np.exp(-why.loss) == pytest.approx(fitted.predict_proba(X[:1])[0, 0], rel=1e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((48, 64)), "shape .48, 64.*reshape"),
        (["no such file.png"] * 48, "there is no file no such file.png|cannot be read"),
        (["a text", 3], "a list of int, str"),
        ("folder", "one path"),
        ([np.ones((8, 8)), np.ones((9, 8))], "arrays of 2 shapes: .8, 8. and .9, 8"),
        (np.ones((4, 3, 8, 8)), "8 channels.*channels last"),
        (np.full((4, 8, 8), 300), "values from 300 to 300"),
        (np.full((4, 8, 8), np.nan), "NaN or infinite"),
        (np.ones((4, 8, 8), bool), "bool of shape"),
        ([], "no images"),
        (X[:47], "inconsistent numbers of samples"),
    ],
)
def test_what_are_no_images_is_said(given, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ct.ImageClassifier(**SMALL).fit(given, Y)


def test_arrays_have_no_other_size_than_their_own():
    with pytest.raises(ValueError, match="size=16 with an array of 8 x 8 pixels"):
        ct.ImageClassifier(16, **SMALL).fit(X, Y)
