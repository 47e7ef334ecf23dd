"""Prediction by tiles, and U-Net's weights of borders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve, distance_transform_edt, label

from cutaway.data import border_weights, predict_tiles
from cutaway.data.tiles import tile_starts
from cutaway.errors import DataError, OptionError, ShapeError


def rng(seed=0):
    return np.random.default_rng(seed)


KERNEL = rng(3).normal(size=(5, 5))


def valid(tiles):
    """A network of one valid 5 x 5 convolution."""
    windows = np.lib.stride_tricks.sliding_window_view(tiles[..., 0], (5, 5), axis=(1, 2))
    return np.einsum("bhwij,ij->bhw", windows, KERNEL)[..., None]


@given(
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.tuples(st.integers(5, 20), st.integers(5, 20)),
    st.integers(1, 5),
)
def test_valid_convolutions_in_tiles_are_those_of_the_whole_mirrored_picture(size, tile, batch):
    picture = rng().normal(size=(*size, 1))
    expected = convolve(picture[..., 0], KERNEL[::-1, ::-1], mode="reflect")
    found = predict_tiles(valid, picture, tile, batch_size=batch)
    assert found.shape == (*size, 1) and found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-4)


@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12)),
    st.integers(0, 6),
)
def test_what_depends_on_a_pixel_alone_is_the_same_in_tiles(size, tile, overlap):
    volume = rng().normal(size=(*size, 2)).astype(np.float32)
    overlap = [min(overlap, n // 2) for n in tile]

    def predict(tiles):
        assert tiles.shape == (4, *tile, 2)  # one shape: compiled once
        return tiles[..., :1] * 3 + tiles[..., 1:]

    found = predict_tiles(predict, volume, tile, overlap=overlap)
    np.testing.assert_allclose(found, volume[..., :1] * 3 + volume[..., 1:], atol=1e-5)


def test_neighbors_are_blended_linearly():
    numbers = iter(range(99))

    def predict(tiles):
        return np.full(tiles.shape[:2], next(numbers), float)

    # one tile at a time, predicted in order: maps of 0, 1 and 2
    found = predict_tiles(predict, np.zeros((20, 1)), (8,), overlap=2, batch_size=1)
    expected = [0] * 6 + [0.25, 0.75] + [1] * 4 + [1.25, 1.75] + [2] * 6
    np.testing.assert_allclose(found, expected, atol=1e-6)


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 20))
def test_tiles_cover_an_axis_with_at_least_the_overlap(size, tile, overlap):
    overlap = min(overlap, tile // 2)
    starts = tile_starts(size, tile, overlap)
    if size <= tile:
        assert len(starts) == 1 and starts[0] <= 0 and starts[0] + tile >= size
        return
    assert starts[0] == 0 and starts[-1] == size - tile
    steps = np.diff(starts)
    assert (steps <= tile - overlap).all() and steps.max() - steps.min() <= 1


def test_a_picture_on_disk_is_read_tile_by_tile_into_an_array_on_disk(tmp_path):
    picture = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (70, 90, 1))
    picture[...] = rng().integers(0, 256, picture.shape)
    out = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float32, (70, 90, 2))
    found = predict_tiles(lambda t: np.concatenate([t, 255 - t], -1), picture, (32, 32), out=out)
    assert found is out
    np.testing.assert_allclose(out[..., 0], picture[..., 0], atol=1e-3)


def test_what_does_not_fit_together_is_named():
    picture = np.zeros((9, 9, 1))
    with pytest.raises(ShapeError, match=r"maps of size \(5, 8\) from tiles of \(8, 8\)"):
        predict_tiles(lambda t: t[:, :5], picture, (8, 8))
    with pytest.raises(ShapeError, match=r"maps of size \(7, 7\)"):
        predict_tiles(lambda t: t[:, 1:, 1:], picture, (8, 8))
    with pytest.raises(OptionError, match="overlap is 5"):
        predict_tiles(lambda t: t, picture, (8, 8), overlap=5)
    with pytest.raises(ShapeError, match="a picture of shape"):
        predict_tiles(lambda t: t, picture[0], (8, 8))
    with pytest.raises(DataError, match="NaN"):
        predict_tiles(lambda t: t * np.nan, picture, (8, 8))


def equation_2(objects, w0=10, sigma=5):
    """The second term of the U-Net paper's equation 2, object by object over the whole mask."""
    distances = np.sort(
        [distance_transform_edt(objects != k) for k in range(1, objects.max() + 1)], axis=0
    )
    term = w0 * np.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2))
    return np.where(objects == 0, term, 0)


@pytest.mark.parametrize("shape, sigma", [((60, 90), 5), ((60, 90), 2), ((14, 20, 17), 3)])
def test_borders_weigh_as_equation_2_of_the_paper_says(shape, sigma):
    noise = convolve(rng().normal(size=shape), np.ones((5,) * len(shape)), mode="wrap")
    mask = (noise > np.quantile(noise, 0.6)).astype(np.uint8)
    objects, count = label(mask)
    assert count > 4
    expected = 1 + equation_2(objects, 7, sigma)
    found = border_weights(mask, w0=7, sigma=sigma, class_weights=(1, 1))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    numbered = border_weights(
        objects * 3, w0=7, sigma=sigma, class_weights=(1, 1), are_objects=True
    )
    np.testing.assert_allclose(numbered, expected, atol=1e-4)


def test_classes_are_balanced_and_ignored_pixels_weigh_nothing():
    mask = np.zeros((10, 10), np.uint8)
    mask[:, 9] = 1
    weights = border_weights(mask)  # one object: no border between two
    assert weights[0, 0] == pytest.approx(100 / 90 / 2) and weights[0, 9] == pytest.approx(5)
    assert weights.mean() == pytest.approx(1)
    mask[:5] = 255
    weights = border_weights(mask, ignore=255)
    assert (weights[:5] == 0).all() and weights[5:].mean() == pytest.approx(1)
    touching = np.array([[1, 1, 0, 2, 2]])  # of two classes
    assert border_weights(touching, class_weights=(1, 2, 3))[0].tolist() == pytest.approx(
        [2, 2, 1 + 10 * np.exp(-4 / 50), 3, 3]
    )
    with pytest.raises(OptionError, match="class_weights"):
        border_weights(touching, class_weights=(1, 2))
    with pytest.raises(ShapeError, match="type float64"):
        border_weights(np.zeros((3, 3)))
