"""Folders of masks, volumes and pairs that no training can use: `cutaway train` says why."""

import re

import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.cli.in_process import cutaway
from tests.runs.drawn_sets import write_masks, write_volumes


def save(path, values):
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def without_picture(folder):
    (write_masks(folder) / "images" / "03.png").unlink()


def without_mask(folder):
    (write_masks(folder) / "masks" / "03.png").unlink()


def without_masks(folder):
    for path in (write_masks(folder) / "masks").iterdir():
        path.unlink()


def of_another_size(folder):
    save(write_masks(folder) / "masks" / "02.png", np.zeros((32, 30)))


def in_color(folder):
    for k, path in enumerate(sorted((write_masks(folder) / "masks").iterdir())):
        save(path, np.full((32, 32, 3), [0, 90 + k, 200]))


def all_background(folder):
    for path in (write_masks(folder) / "masks").iterdir():
        save(path, np.zeros((32, 32)))


def soft(folder):
    for path in (write_masks(folder) / "masks").iterdir():
        save(path, np.arange(32 * 32).reshape(32, 32) % 256)


def outside(folder):
    for path in (write_masks(folder) / "masks").iterdir():
        save(path, np.asarray(Image.open(path)) // 255)
    (folder / "classes.txt").write_text("background\ndisk\n")
    save(folder / "masks" / "04.png", np.full((32, 32), 7))


def three_names(folder):
    write_masks(folder)
    (folder / "classes.txt").write_text("background\ndisk\nring\n")


def empty(folder):
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)


def nan(folder):
    path = write_volumes(folder) / "images" / "1.nii.gz"
    values = np.full((16, 11, 8), np.nan, np.float32)
    nibabel.save(nibabel.Nifti1Image(values, nibabel.load(path).affine), path)


def truncated(folder):
    path = write_volumes(folder) / "images" / "2.nii.gz"
    path.write_bytes(path.read_bytes()[:-400])


def other_voxels(folder):
    write_volumes(folder)
    affine = np.diag([-1.0, 1.0, 5.0, 1.0])
    for name in ("images", "labels"):
        path = folder / name / "1.nii.gz"
        nibabel.save(nibabel.Nifti1Image(nibabel.load(path).get_fdata(), affine), path)


def rotated(folder):
    write_volumes(folder)
    turn = np.radians(40)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    for name in ("images", "labels"):
        path = folder / name / "1.nii.gz"
        nibabel.save(nibabel.Nifti1Image(nibabel.load(path).get_fdata(), affine), path)


def small(folder):
    write_volumes(folder, ((12, 12, 12), (12, 7, 12), (12, 12, 12)))


def odd_width(folder):
    for k in range(3):
        (folder / "train").mkdir(parents=True, exist_ok=True)
        save(folder / "train" / f"{k}.png", np.full((16, 33, 3), 9))


CASES = [  # how the folder is written, its kind, what the error says, and the fix
    (without_picture, None, r"masks/03\.png has no picture", "add"),
    (without_mask, None, r"images/03\.png has no mask", "add"),
    (without_masks, "masks", "masks holds no masks", "check the path"),
    (of_another_size, None, r"masks/02\.png has 32 x 30 pixels, its picture", "resize the mask"),
    (in_color, "masks", r"masks/00\.png is in color", r"classes\.csv"),
    (all_background, "masks", r"masks hold only class '0'.*00\.png", "check that these are"),
    (soft, "masks", r"masks/0\d\.png alone 256", "--threshold 0"),
    (outside, None, r"masks/04\.png holds the ids 7", "list the missing classes"),
    (three_names, None, r"hold 0 and 255 only, such as .*masks/0\d\.png", "--ignore-value 255"),
    (empty, "masks", "images holds no pictures", "check the path"),
    (nan, None, r"images/1\.nii\.gz holds NaN or infinity in 1,408 voxels", "nan_to_num"),
    (truncated, None, r"images/2\.nii\.gz", "copy it again"),
    (other_voxels, None, r"1\.nii\.gz", "spacing"),
    (rotated, None, r"1\.nii\.gz", "resample"),
    (small, None, r"1\.nii\.gz has 12 x 7 x 12 voxels", "crop larger parts"),
    (odd_width, "pairs", r"0\.png", "side by side|crop|even"),
]  # fmt: skip


@pytest.mark.parametrize(("write", "kind", "came", "fix"), CASES)
def test_a_set_that_cannot_be_used_is_an_error_that_names_the_file_and_a_fix(
    tmp_path, write, kind, came, fix
):
    write(tmp_path / "set")
    asked = [] if kind is None else ["--kind", kind]
    before = sorted(tmp_path.rglob("*"))
    code, _, err = cutaway("train", tmp_path / "set", *asked, "--out", tmp_path / "run")
    assert code == 2
    assert re.search(came, err.partition("expected:")[0]), err
    assert "bug in Cutaway" not in err and "expected:" in err, err
    assert re.search(fix, err.partition("fix:")[2]), err
    assert sorted(tmp_path.rglob("*")) == before
