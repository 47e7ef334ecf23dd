"""Losses of masks and volumes that a training is asked for, and U-Net's weights of borders."""

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.special import log_softmax

from cutaway.cli.options import settings
from cutaway.engine import Tensor
from cutaway.errors import OptionError
from cutaway.runs import prepare
from cutaway.runs.networks import loss_of
from cutaway.runs.options.masks import MaskOptions
from cutaway.runs.options.volumes import VolumeOptions
from cutaway.runs.segmentation import pixel_loss
from cutaway.train.row_weights import WeightedTargets, loss_of_rows
from tests.runs.drawn_sets import write_masks, write_volumes

TINY = {"width": 2, "levels": 2, "augment": False, "validation": 0.25}


def cross_entropy(log_p, y):
    return -np.take_along_axis(log_p, y[..., None], -1).mean()


def dice(log_p, y):
    """V-Net's formula, with 1 added above and below; mean over all classes and examples."""
    p, g, axes = np.exp(log_p), np.eye(log_p.shape[-1])[y], tuple(range(1, y.ndim))
    above, below = 2 * (p * g).sum(axes) + 1, (p**2 + g**2).sum(axes) + 1
    return (1 - above / below).mean()


def focal(log_p, y):
    of_label = np.take_along_axis(log_p, y[..., None], -1)
    return -((1 - np.exp(of_label)) ** 2 * of_label).mean()


LOSSES = {
    "cross-entropy": cross_entropy,
    "dice": dice,
    "dice-cross-entropy": lambda log_p, y: dice(log_p, y) + cross_entropy(log_p, y),
    "focal": focal,
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("options", [MaskOptions, VolumeOptions])
def test_a_loss_with_a_short_name_is_the_one_of_its_paper(name, options):
    loss = loss_of(pixel_loss(options(**settings([f"loss={name}"])), ignore=255))
    rng = np.random.default_rng(0)
    size = (2, *(4, 3, 5)[: options.AXES])
    z, y = rng.normal(size=(*size, 3)).astype(np.float32), rng.integers(0, 3, size)
    by_hand = LOSSES[name](log_softmax(z.astype(float), -1), y)
    assert loss(z, y).item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("write", [write_masks, write_volumes])
def test_the_loss_that_is_asked_for_is_minimized(tmp_path, write):
    prepared = prepare(write(tmp_path / "set"), **TINY, **settings(["loss=dice-cross-entropy"]))
    assert prepared.spec["loss"] == "dice_cross_entropy_with_logits"
    y = np.asarray(prepared.y[:2]).astype(int)
    z = np.random.default_rng(0).normal(size=(*y.shape, 2)).astype(np.float32)
    by_hand = LOSSES["dice-cross-entropy"](log_softmax(z.astype(float), -1), y)
    assert prepared.make_trainer().loss(z, y).item() == pytest.approx(by_hand, rel=1e-5)


def test_pictures_have_cross_entropy_and_volumes_dice_by_default(tmp_path):
    masks = prepare(write_masks(tmp_path / "a"), **TINY)
    volumes = prepare(write_volumes(tmp_path / "b"), **TINY)
    assert masks.spec["loss"] == "sparse_categorical_cross_entropy_with_logits"
    assert volumes.spec["loss"] == "soft_dice_with_logits"
    for prepared in (masks, volumes):
        assert len(next(iter(prepared.stream.blocks(0)))) == 2  # no weights


def test_a_loss_of_other_targets_is_refused(tmp_path):
    folder = write_masks(tmp_path / "a")
    with pytest.raises(OptionError, match=r"the loss mean_squared_error(.|\n)*dice-cross-entropy"):
        prepare(folder, **settings(["loss=mse"]))
    with pytest.raises(OptionError, match="border weight"):
        prepare(folder, border_weight=-1.0)


def write_squares(folder, count=4):
    """Two squares of 32 x 32 pixels' pictures, four pixels apart."""
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 4:14] = mask[8:24, 18:28] = 255
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
        for k in range(count):
            Image.fromarray(mask).save(folder / name / f"{k}.png")
    return folder, mask > 0


def test_border_weights_are_those_of_the_paper_and_scale_the_loss(tmp_path):
    folder, mask = write_squares(tmp_path / "squares")
    prepared = prepare(folder, **TINY, size=32, border_weight=10.0)
    _, y, weights = next(iter(prepared.stream.blocks(0)))
    np.testing.assert_array_equal(y[0], mask)
    # between them, d1 + d2 = 5 at every pixel of their rows: 1 + 10 exp(-5² / (2 · 5²))
    np.testing.assert_allclose(weights[0][10:22, 14:18], 1 + 10 * np.exp(-0.5), rtol=1e-5)
    np.testing.assert_array_equal(weights[0][mask], 1)
    trainer = prepared.make_trainer()
    z = np.random.default_rng(0).normal(size=(*y.shape, 2)).astype(np.float32)
    found = loss_of_rows(trainer.loss, z, WeightedTargets(y, Tensor(weights))).item()
    each = -np.take_along_axis(log_softmax(z.astype(float), -1), y[..., None].astype(int), -1)
    assert found == pytest.approx(np.average(each[..., 0], weights=weights), rel=1e-5)


@pytest.mark.slow
def test_border_weights_change_a_training(tmp_path):
    folder, _ = write_squares(tmp_path / "squares")
    states = []
    for k, weight in enumerate((0.0, 10.0)):
        prepared = prepare(folder, **TINY, size=32, epochs=1, border_weight=weight)
        prepared.train(tmp_path / f"run{k}", progress=False)
        states.append(prepared.net.state_dict())
    assert any(not np.array_equal(states[0][path], states[1][path]) for path in states[0])


def test_border_weights_of_volumes_are_moved_with_the_labels(tmp_path):
    folder = tmp_path / "balls"
    write_volumes(folder)
    for path in (folder / "labels").iterdir():  # two slabs, two voxels apart
        given = nibabel.load(path)
        labels = np.zeros(given.shape, np.float32)
        labels[2:4], labels[6:8] = 1, 1
        nibabel.save(nibabel.Nifti1Image(labels, given.affine), path)
    prepared = prepare(folder, **{**TINY, "augment": True}, border_weight=10.0)
    for _, y, weights in prepared.stream.blocks(0):
        assert weights.shape == y.shape
        between = weights > 1.5
        assert between.any() and not (y[between] == 1).any()
        assert weights.max() == pytest.approx(1 + 10 * np.exp(-(3**2) / (2 * 5**2)), rel=1e-4)
