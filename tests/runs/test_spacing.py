"""Volumes with voxels of several sizes: resampled for the network, predicted as they came."""

import nibabel
import numpy as np
import pytest

from cutaway.cli.options import settings
from cutaway.data import find_volumes
from cutaway.errors import DataError, OptionError
from cutaway.runs import Run, prepare
from cutaway.runs.explain import explain_row
from cutaway.runs.options.volumes import VolumeOptions, parse_spacing
from cutaway.runs.volumes import standardized
from tests.cli.in_process import cutaway
from tests.runs.untrained import write_untrained

SPACINGS = ((1, 1, 1), (1, 1, 3), (2, 1, 1), (1.5, 1.5, 1.5))  # millimeters
TINY = {"model": "unet", "width": 2, "levels": 2, "size": 8, "validation": 0.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A ball of 18 mm in the middle of 36 mm, in voxels of several sizes."""
    root = tmp_path_factory.mktemp("voxels") / "set"
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    for k, spacing in enumerate(SPACINGS):
        axes = [(np.arange(round(36 / step)) + 0.5) * step - 18 for step in spacing]
        ball = sum(a**2 for a in np.meshgrid(*axes, indexing="ij")) < 9**2
        values = np.where(ball, 90, 20) + np.random.default_rng(k).normal(0, 5, ball.shape)
        affine = np.diag([*spacing, 1.0])
        for name, array in (("images", values.astype(np.float32)), ("labels", ball * 1)):
            image = nibabel.Nifti1Image(np.asarray(array, np.float32), affine)
            nibabel.save(image, root / name / f"{k}.nii.gz")
    return root


def test_voxels_that_differ_are_an_error_whose_fix_is_an_option(folder):
    with pytest.raises(DataError, match="has voxels of") as refused:
        prepare(folder, **TINY)
    assert "(--spacing 1.25,1,1.25)" in refused.value.fix


def test_resampled_volumes_are_alike_and_masks_come_back_as_they_were(folder, tmp_path):
    prepared = prepare(folder, **TINY, spacing=(1.5, 1.5, 1.5))
    run = write_untrained(tmp_path / "run", prepared)
    rows = Run.open(run.path).preprocessing
    assert rows.spacing == (1.5, 1.5, 1.5)
    resampled = find_volumes(folder, spacing=1.5).at_spacing(1.5)
    assert resampled.sizes.tolist() == [[24, 24, 24]] * 4
    assert find_volumes(folder, spacing=1.5).sizes.tolist()[1] == [36, 36, 12]
    volume = 4 / 3 * np.pi * 9**3
    for k, row in enumerate(prepared.frame.to_dicts()):
        x, target = rows.input_of(row), rows.target_of(row)
        assert x.shape == (24, 24, 24, 1) and target.shape == (24, 24, 24)
        np.testing.assert_array_equal(x, standardized(resampled.volume(k)))
        np.testing.assert_array_equal(target, resampled.mask(k))
        assert target.sum() * 1.5**3 == pytest.approx(volume, rel=0.1)
        # a network that is right of every voxel: its prediction, put back, is right too
        right = np.stack([target == 0, target == 1], axis=-1).astype(np.float32)
        back = rows.restored(row, right)
        assert back.shape[:3] == rows.own_target(row).shape
        assert rows.compare(row, back, rows.own_target(row)).mean_dice > 0.9
    # a volume that is not resampled comes back bit for bit
    row = prepared.frame.row(3, named=True)
    np.testing.assert_array_equal(rows.own_target(row), rows.target_of(row))


def test_a_run_with_a_spacing_predicts_and_scores_volumes_as_they_are(folder, tmp_path):
    prepared = prepare(folder, **TINY, spacing=(1.5,))
    run = write_untrained(tmp_path / "run", prepared)
    code, _, err = cutaway("predict", run.path, folder / "images", "--out", tmp_path / "out")
    assert code == 0, err
    for k, spacing in enumerate(SPACINGS):
        made = nibabel.load(tmp_path / "out" / f"{k}.nii.gz")
        assert made.shape == tuple(round(36 / step) for step in spacing)
        np.testing.assert_array_equal(made.affine, np.diag([*spacing, 1.0]))
    scores, _ = run.evaluate(folder)
    counts = sum(one.counts for one in run.preprocessing.compared(run, prepared.frame.to_dicts()))
    voxels = sum(np.prod([round(36 / step) for step in spacing]) for spacing in SPACINGS)
    assert counts.sum() == voxels and scores["pixel_accuracy"] == np.trace(counts) / voxels


@pytest.mark.slow
def test_the_dice_that_is_explained_is_that_of_the_volume_as_it_is(folder, tmp_path):
    run = write_untrained(tmp_path / "run", prepare(folder, **TINY, spacing=(1.5,)))
    dice = explain_row(run, folder, 1).parts[0][1]
    assert dice.counts.sum() == 36 * 36 * 12


def test_the_flag_is_one_number_or_three():
    assert settings(["spacing=1,1,2.5"]) == {"spacing": (1.0, 1.0, 2.5)}
    assert parse_spacing("2") == (2.0,) and VolumeOptions(spacing=2).spacing == 2
    for wrong in ((1.0, 2.0), (1.0, 1.0, 0.0), (float("nan"),)):
        with pytest.raises(OptionError):
            VolumeOptions(spacing=wrong)
    with pytest.raises(OptionError, match="the spacing '1;2'"):
        parse_spacing("1;2")
