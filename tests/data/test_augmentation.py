import numpy as np
import pytest
from PIL import Image, ImageEnhance

from cutaway.data import (
    ColorJitter,
    Compose,
    Normalize,
    RandAugment,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomResizedCrop,
)
from cutaway.data.augmentation import jittered
from cutaway.data.randaugment import OPERATIONS
from cutaway.errors import OptionError, ShapeError

STEPS = [
    RandomFlip(),
    RandomCrop(3),
    RandomResizedCrop(),
    ColorJitter(),
    RandAugment(),
    RandomErasing(1.0),
]


def rng(seed=0):
    return np.random.default_rng(seed)


def images(rows=6, size=12, channels=3):
    """Smooth random pictures."""
    noise = rng(1).integers(0, 256, (rows, 3, 3, channels), dtype=np.uint8)
    out = np.empty((rows, size, size, channels), np.uint8)
    for k in range(rows):
        for c in range(channels):
            out[k, :, :, c] = Image.fromarray(noise[k, :, :, c]).resize((size, size))
    return out


@pytest.mark.parametrize("step", STEPS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_step_repeats_with_its_seed_and_leaves_its_input_alone(step, channels):
    batch = images(channels=channels)
    before = batch.copy()
    out = step(batch, rng())
    np.testing.assert_array_equal(batch, before)
    assert out.shape == batch.shape and out.dtype == np.uint8
    np.testing.assert_array_equal(out, step(batch, rng()))
    assert not np.array_equal(out, step(batch, rng(1)))
    assert step(batch[:0], rng()).shape == (0, 12, 12, channels)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_to_flip_is_to_mirror_and_twice_is_nothing(dtype):
    batch = images().astype(dtype)[:, :, :7]
    flip = RandomFlip(1.0)
    np.testing.assert_array_equal(flip(batch, rng()), batch[:, :, ::-1])
    np.testing.assert_array_equal(flip(flip(batch, rng()), rng()), batch)
    np.testing.assert_array_equal(RandomFlip(0.0)(batch, rng()), batch)
    strided = batch[::2, ::-1]  # not in one piece
    np.testing.assert_array_equal(flip(strided, rng()), strided[:, :, ::-1])
    many = np.repeat(batch, 200, axis=0)
    flipped = (RandomFlip(0.25)(many, rng()) != many).any(axis=(1, 2, 3))
    assert abs(flipped.mean() - 0.25) < 0.05


def test_a_crop_moves_the_image_and_fills_up():
    batch = np.arange(1, 50, dtype=np.float32).reshape(1, 7, 7, 1)
    np.testing.assert_array_equal(RandomCrop(0)(batch, rng()), batch)
    seen = set()
    padded = np.pad(batch[0, :, :, 0], 2, constant_values=-1)
    for seed in range(150):
        out = RandomCrop(2, fill=-1)(batch, rng(seed))[0, :, :, 0]
        places = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(out, padded[top : top + 7, left : left + 7])
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == 25


def test_a_resized_crop_of_everything_is_everything():
    batch = images()
    whole = RandomResizedCrop(area=(1, 1), ratio=(1, 1))
    np.testing.assert_array_equal(whole(batch, rng()), batch)
    constant = np.full((4, 9, 9, 3), 77, np.uint8)
    assert (RandomResizedCrop()(constant, rng()) == 77).all()


@pytest.mark.parametrize("place, enhancer", [(0, "Brightness"), (1, "Contrast"), (2, "Color")])
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.6])
def test_each_change_of_color_is_pillows(place, enhancer, factor):
    batch = images(3)
    factors = np.ones((3, 3), np.float32)
    factors[:, place] = factor
    out = jittered(batch, factors)
    for image, changed in zip(batch, out, strict=True):
        expected = getattr(ImageEnhance, enhancer)(Image.fromarray(image)).enhance(factor)
        difference = np.abs(changed.astype(int) - np.asarray(expected).astype(int))
        assert difference.max() <= 1  # Pillow rounds the gray level first


def test_changes_of_color_follow_one_another():
    # dark enough that nothing is cut off on the way
    batch = (images(4) // 4 + 60).astype(np.float32) / 255
    factors = np.array([[1.2, 0.8, 0.5]], np.float32).repeat(4, axis=0)
    step_by_step = batch
    for k in range(3):
        alone = np.ones_like(factors)
        alone[:, k] = factors[:, k]
        step_by_step = jittered(step_by_step, alone)
    np.testing.assert_allclose(jittered(batch, factors), step_by_step, atol=1e-6)
    as_bytes = jittered((batch * 255).round().astype(np.uint8), factors)
    np.testing.assert_allclose(as_bytes / 255, jittered(batch, factors), atol=0.6 / 255)
    none = ColorJitter(0, 0, 0)
    np.testing.assert_array_equal(none(images(), rng()), images())


def test_colors_stay_within_their_range():
    out = jittered(images(), np.full((6, 3), 2, np.float32))
    assert out.max() == 255  # not around the corner to 0
    assert jittered(images() / 255.0, np.full((6, 3), 2, np.float32)).max() <= 1


def test_erasing_takes_one_rectangle_within_its_area():
    batch = np.ones((200, 20, 30, 1), np.float32)
    out = RandomErasing(0.5, area=(0.1, 0.3), fill=-7)(batch, rng())
    erased = out[..., 0] == -7
    assert ((out == 1) | (out == -7)).all()
    hit = erased.any(axis=(1, 2))
    assert abs(hit.mean() - 0.5) < 0.1
    for mask in erased[hit]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns)  # one whole rectangle
        assert np.ptp(rows) == len(rows) - 1 and np.ptp(columns) == len(columns) - 1
        assert mask.mean() < 0.33


def test_randaugment_without_strength_or_operations_is_nothing():
    batch = images(40, size=24)  # equalize needs some pixels
    np.testing.assert_array_equal(RandAugment(operations=0)(batch, rng()), batch)
    batch = batch // 2 + 40
    for name, operation in OPERATIONS.items():
        image = Image.fromarray(batch[0])
        out = np.asarray(operation(image, 0.0, 1, 128))
        if name not in ("auto contrast", "equalize"):
            np.testing.assert_array_equal(out, batch[0], err_msg=name)
        changed = np.asarray(operation(image, 1.0, -1, 128))
        assert np.array_equal(changed, batch[0]) == (name == "identity"), name


def test_randaugments_geometry_is_what_it_says():
    image = Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10))
    moved = np.asarray(OPERATIONS["translate x"](image, 2 / 4.5, 1, 255))  # 0.2 of 10 columns
    np.testing.assert_array_equal(moved[:, :8], np.asarray(image)[:, 2:])
    assert (moved[:, 8:] == 255).all()
    moved = np.asarray(OPERATIONS["translate y"](image, 2 / 4.5, -1, 255))
    np.testing.assert_array_equal(moved[2:], np.asarray(image)[:8])
    inverted = np.asarray(OPERATIONS["solarize"](image, 1.0, 1, 0))
    np.testing.assert_array_equal(inverted, 255 - np.asarray(image))
    kept = np.asarray(OPERATIONS["posterize"](image, 1.0, 1, 0))
    np.testing.assert_array_equal(kept, np.asarray(image) & 0b11110000)


def test_normalize_gives_mean_zero_and_deviation_one():
    batch = images(300, channels=3)  # more than are read at a time
    batch[..., 1] //= 2
    step = Normalize.fit(batch)
    np.testing.assert_allclose(step.mean, batch.mean(axis=(0, 1, 2)) / 255, rtol=1e-5)
    np.testing.assert_allclose(step.std, batch.std(axis=(0, 1, 2)) / 255, rtol=1e-4)
    out = step(batch)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(out.std(axis=(0, 1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(step.undo(out), batch / 255, atol=1e-6)
    np.testing.assert_allclose(step(batch / 255.0), out, atol=1e-5)
    assert Normalize.fit(np.full((2, 3, 3, 1), 9, np.uint8)).std == (1.0,)


def test_composed_steps_draw_one_after_the_other():
    batch = images()
    both = Compose(RandomFlip(), RandomCrop(2))(batch, rng(3))
    same = rng(3)
    np.testing.assert_array_equal(both, RandomCrop(2)(RandomFlip()(batch, same), same))
    assert repr(Compose(RandomFlip(1.0))) == "Compose(RandomFlip(probability=1.0))"


def test_wrong_batches_and_options_are_named():
    with pytest.raises(ShapeError, match=r"RandomFlip: the batch has shape \(12, 12, 3\)"):
        RandomFlip()(images()[0], rng())
    with pytest.raises(ShapeError, match="so 1 channels"):
        Normalize((0.5,) * 3, (1,) * 3)(images(channels=1))
    with pytest.raises(OptionError, match="holds int64"):
        RandomCrop()(images().astype(np.int64), rng())
    for step in (RandAugment(), RandomResizedCrop()):
        with pytest.raises(OptionError, match="put this step before Normalize"):
            step(images().astype(np.float32), rng())
    with pytest.raises(OptionError, match="Normalize: mean"):
        Normalize((0.5,), (0.0,))
    with pytest.raises(OptionError, match="RandomFlip: probability"):
        RandomFlip(1.5)
    with pytest.raises(OptionError, match="ColorJitter: contrast"):
        ColorJitter(contrast=-1)
    with pytest.raises(OptionError, match="RandAugment: magnitude"):
        RandAugment(magnitude=31)
    with pytest.raises(OptionError, match=r"RandomErasing: area\[0\]"):
        RandomErasing(area=(0.5, 0.2))
