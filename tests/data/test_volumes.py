"""Volumes with labels: orientations, data types, affines, and sets that cannot be used."""

import gzip
import json
import sys

import nibabel
import numpy as np
import pytest

from cutaway.data import (
    Framing,
    find_volumes,
    looks_like_volumes,
    read_labels,
    read_volume,
    write_volume,
)
from cutaway.errors import DataError, OptionError, install_extra

SPACING = np.array([1.0, 2.0, 1.5])


def scene(row):
    """(volume, labels, affine) of a row, along right, anterior, superior."""
    shape = (6 + row, 8, 5)
    rng = np.random.default_rng(row)
    volume = rng.normal(100, 20, shape).round().astype(np.float32)
    labels = (np.indices(shape).sum(axis=0) // 4 % 3).astype(np.uint8)
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = -10, 5, row
    return volume, labels, affine


def save(path, array, affine, codes="RAS", dtype=None):
    """Write an array whose axes run to RAS, stored along the axes of these codes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, affine)
    there = nibabel.orientations.axcodes2ornt(tuple(codes))
    image = image.as_reoriented(there)
    if dtype is not None:
        image.set_data_dtype(dtype)
    nibabel.save(image, path)


def folder(root, rows=3, codes="RAS", label_dtype=np.uint8, suffix=".nii.gz"):
    for row in range(rows):
        volume, labels, affine = scene(row)
        save(root / "images" / f"case_{row}{suffix}", volume, affine, codes)
        save(root / "labels" / f"case_{row}{suffix}", labels.astype(label_dtype), affine, codes)
    return root


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIR"])
@pytest.mark.parametrize("label_dtype", [np.uint8, np.int16, np.float32])
def test_the_same_volumes_in_other_orientations_and_types_are_the_same(
    codes, label_dtype, tmp_path
):
    suffix = ".nii" if codes == "LPS" else ".nii.gz"
    found = find_volumes(folder(tmp_path, codes=codes, label_dtype=label_dtype, suffix=suffix))
    assert found.names == ["case_0", "case_1", "case_2"] and found.classes == ["0", "1", "2"]
    assert found.channels == 1 and found.label_dtype == label_dtype
    for row in range(3):
        volume, labels, affine = scene(row)
        np.testing.assert_array_equal(found.volume(row)[..., 0], volume)
        np.testing.assert_array_equal(found.mask(row), labels)
        np.testing.assert_allclose(found.headers[row].affine, affine, atol=1e-5)
        np.testing.assert_allclose(found.spacings[row], SPACING, rtol=1e-6)
        np.testing.assert_array_equal(found.counts[row], np.bincount(labels.ravel()))
    assert any("store floats" in note for note in found.notes) == (label_dtype is np.float32)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIR"])
def test_what_is_written_has_the_orientation_affine_and_type_of_its_input(codes, tmp_path):
    root = folder(tmp_path, codes=codes)
    _, header = read_volume(root / "images" / "case_1.nii.gz")
    labels = scene(1)[1]
    write_volume(tmp_path / "out.nii.gz", labels, header, dtype=np.uint8)
    written = nibabel.load(tmp_path / "out.nii.gz")
    source = nibabel.load(root / "labels" / "case_1.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(source.dataobj))
    np.testing.assert_allclose(written.affine, source.affine, atol=1e-6)
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(read_labels(tmp_path / "out.nii.gz")[0], labels)
    with pytest.raises(DataError, match="does not hold the values 0 to 300"):
        write_volume(tmp_path / "x.nii", np.where(labels > 0, 300, 0), header, dtype=np.uint8)
    with pytest.raises(DataError, match="a volume of shape"):
        write_volume(tmp_path / "x.nii", labels[:2], header)


def test_factor_offset_and_channels_of_a_file_are_applied(tmp_path):
    array = np.arange(2 * 3 * 4 * 2, dtype=np.int16).reshape(2, 3, 4, 2)
    image = nibabel.Nifti1Image(array, np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    nibabel.save(image, tmp_path / "x.nii")
    stored = np.asarray(nibabel.load(tmp_path / "x.nii").dataobj)
    volume, header = read_volume(tmp_path / "x.nii")
    assert header.channels == 2 and volume.dtype == np.float32
    np.testing.assert_allclose(volume, stored)
    with pytest.raises(DataError, match=r"x\.nii has 2 channels"):
        read_labels(tmp_path / "x.nii")


def test_msds_list_has_splits_and_names(tmp_path):
    root = folder(tmp_path)
    entries = [
        {"image": f"./images/case_{k}.nii.gz", "label": f"./labels/case_{k}.nii.gz"}
        for k in range(3)
    ]
    content = {
        "training": entries[:2],
        "test": entries[2:],
        "labels": {"0": "background", "1": "front", "2": "back", "3": "tail"},
    }
    (root / "dataset.json").write_text(json.dumps(content))
    found = find_volumes(root)
    assert looks_like_volumes(root) == found.reason == "dataset.json lists 3 volumes with labels"
    assert found.classes == ["background", "front", "back", "tail"]
    assert {k: v.tolist() for k, v in found.splits.items()} == {"train": [0, 1], "test": [2]}
    assert "no voxel of 1 of 4 classes: tail" in found.notes
    # unlabeled test volumes, as in the challenge, are left out; nnU-Net names labels the other way
    content |= {"test": ["./imagesTs/x.nii.gz"], "labels": {"background": 0, "a": 1, "b": 2}}
    (root / "dataset.json").write_text(json.dumps(content))
    found = find_volumes(root)
    assert len(found) == 2 and found.splits == {} and found.classes == ["background", "a", "b"]
    content["labels"] = {"0": "background", "1": "a"}
    (root / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"labels/case_0\.nii\.gz hold 2") as raised:
        find_volumes(root)
    assert "0 background, 1 a" in raised.value.expected
    content["training"][0]["label"] = "labels/none.nii.gz"
    (root / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"dataset\.json lists the label file .*none\.nii\.gz"):
        find_volumes(root)


def test_other_labels_are_read_with_the_classes_of_a_trained_set(tmp_path):
    for row in range(2):
        volume, labels, affine = scene(row)
        save(tmp_path / "images" / f"{row}.nii.gz", volume, affine)
        save(tmp_path / "labels" / f"{row}.nii.gz", labels * 0 + 4, affine)
    found = find_volumes(tmp_path, classes=["a", "b"], numbers=[0, 4])
    assert found.classes == ["a", "b"] and (found.mask(1) == 1).all()
    with pytest.raises(DataError, match=r"0\.nii\.gz hold 4") as raised:
        find_volumes(tmp_path, classes=["a", "b"], numbers=[0, 2])
    assert raised.value.expected == "the numbers of the classes: 0 a, 2 b"
    with pytest.raises(OptionError, match="1 numbers for 2 classes"):
        find_volumes(tmp_path, classes=["a", "b"], numbers=[0])


def test_lists_of_other_files_are_not_volumes(tmp_path):
    (tmp_path / "dataset.json").write_text("{broken")
    assert looks_like_volumes(tmp_path) is None
    root = folder(tmp_path)
    assert looks_like_volumes(root) is not None
    with pytest.raises(DataError, match=r"dataset\.json cannot be read as a list of volumes"):
        find_volumes(root)


def test_nnunets_folders_have_a_number_of_the_channel(tmp_path):
    for row in range(2):
        volume, labels, affine = scene(row)
        save(tmp_path / "imagesTr" / f"a_{row}_0000.nii.gz", volume, affine)
        save(tmp_path / "labelsTr" / f"a_{row}.nii.gz", labels, affine)
    assert find_volumes(tmp_path).names == ["a_0", "a_1"]
    save(tmp_path / "imagesTr" / "a_1_0001.nii.gz", scene(1)[0], scene(1)[2])
    with pytest.raises(DataError, match="several channels of a volume"):
        find_volumes(tmp_path)


def test_labels_without_an_affine_take_that_of_their_volume(tmp_path):
    root = folder(tmp_path, codes="LPS")
    for row in range(3):
        stored = nibabel.load(root / "labels" / f"case_{row}.nii.gz")
        bare = nibabel.Nifti1Image(np.asarray(stored.dataobj), None)
        nibabel.save(bare, root / "labels" / f"case_{row}.nii.gz")
    found = find_volumes(root)
    for row in range(3):
        np.testing.assert_array_equal(found.mask(row), scene(row)[1])
    assert any("3 label files have no affine" in note for note in found.notes)


def test_volumes_are_resampled_to_one_spacing_and_put_back(tmp_path):
    root = folder(tmp_path)
    volume, labels, affine = scene(5)
    thick = affine @ np.diag([1, 1, 3, 1])
    save(root / "images" / "other.nii.gz", volume, thick)
    save(root / "labels" / "other.nii.gz", labels, thick)
    with pytest.raises(DataError, match=r"other\.nii\.gz has voxels of 1 x 2 x 4\.5 mm") as raised:
        find_volumes(root)
    assert raised.value.fix == "resample them: spacing=(1, 2, 1.5) (--spacing 1,2,1.5)"
    found = find_volumes(root, spacing=(1, 2, 1.5))
    row = found.names.index("other")
    geometry = found.resampled(row, (1, 2, 1.5))
    assert geometry.output_size == (11, 8, 15)
    fine = geometry.mask(found.mask(row))
    np.testing.assert_array_equal(geometry.undo_mask(fine), labels)


def test_arrays_are_framed(tmp_path):
    found = find_volumes(folder(tmp_path))
    x, y = found.arrays(Framing("pad", (8, 8, 8)))
    assert x.shape == (3, 8, 8, 8, 1) and x.dtype == np.float32 and y.dtype == np.uint8
    assert found.bytes_of_arrays(Framing("pad", (8, 8, 8))) == x.nbytes + y.nbytes
    assert (y[0] == 255).sum() == 512 - 6 * 8 * 5
    assert found.subset([2, 0]).names == ["case_2", "case_0"]


def spoiled(root, how):
    folder(root)
    image, label = root / "images" / "case_1.nii.gz", root / "labels" / "case_1.nii.gz"
    volume, labels, affine = scene(1)
    if how == "truncated":
        image.write_bytes(image.read_bytes()[:-40])
    elif how == "truncated labels":
        label.write_bytes(label.read_bytes()[:-40])
    elif how == "short":
        content = gzip.decompress(label.read_bytes())
        label.write_bytes(gzip.compress(content[:-40]))
    elif how == "nan":
        volume[2, 3, 1] = np.nan
        save(image, volume, affine)
    elif how == "no label":
        label.unlink()
    elif how == "no image":
        image.unlink()
    elif how == "sizes":
        save(label, labels[:, :-1], affine)
    elif how == "place":
        moved = affine.copy()
        moved[0, 3] += 40
        save(label, labels, moved)
    elif how == "rotated":
        cos, sin = np.cos(0.4), np.sin(0.4)
        turn = np.array([[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        save(image, volume, turn @ affine)
        save(label, labels, turn @ affine)
    elif how == "voxels":
        for path, array in ((image, volume), (label, labels)):
            save(path, array, affine @ np.diag([2, 1, 1, 1]))
    elif how == "background":
        for row in range(3):
            _, labels, affine = scene(row)
            save(root / "labels" / f"case_{row}.nii.gz", labels * 0, affine)
    elif how == "fractions":
        save(label, labels.astype(np.float32) * 0.4, affine)
    elif how == "negative":
        save(label, labels.astype(np.int16) - 1, affine)
    elif how == "plane":
        nibabel.save(nibabel.Nifti1Image(volume[:, :, 0], affine), image)
    elif how == "text":
        image.write_bytes(b"not a volume")
    elif how == "channels":
        save(image, np.stack([volume, volume], -1), affine)
    elif how == "flat affine":
        stored = nibabel.load(image)
        stored.header["srow_x"] = 0
        stored.header["sform_code"] = 1
        raw = bytearray(gzip.decompress(image.read_bytes()))
        raw[280:296] = bytes(16)
        image.write_bytes(gzip.compress(bytes(raw)))


@pytest.mark.parametrize(
    "how, message",
    [
        ("truncated", r"images/case_1\.nii\.gz cannot be read: not a valid gzip file"),
        ("truncated labels", r"labels/case_1\.nii\.gz cannot be read: not a valid gzip file"),
        ("short", r"labels/case_1\.nii\.gz cannot be read as a NIfTI file"),
        ("nan", r"images/case_1\.nii\.gz holds NaN or infinity in 1 voxels.*\(2, 3, 1\)"),
        ("no label", r"images/case_1\.nii\.gz has no label file in .*labels"),
        ("no image", r"labels/case_1\.nii\.gz has no volume in .*images"),
        ("sizes", r"labels/case_1\.nii\.gz have 7 x 7 x 5 voxels, their volume .* 7 x 8 x 5"),
        ("place", r"labels/case_1\.nii\.gz lie 40 mm from their volume"),
        ("rotated", r"images/case_1\.nii\.gz is rotated by 23 degrees, .*case_0\.nii\.gz by 0"),
        ("voxels", r"images/case_1\.nii\.gz has voxels of 2 x 2 x 1\.5 mm, .*case_0"),
        ("background", r"hold only the class '0': all 3 of them, such as case_0\.nii\.gz"),
        ("fractions", r"labels .*case_1\.nii\.gz hold 0\.[48]"),
        ("negative", r"labels .*case_1\.nii\.gz hold numbers from -1 to 1"),
        ("plane", r"images/case_1\.nii\.gz: its shape is \(7, 8\)"),
        ("text", r"images/case_1\.nii\.gz: it begins with 6e 6f 74 20"),
        ("channels", r"case_1\.nii\.gz has 2 channels, .*case_0\.nii\.gz 1"),
        ("flat affine", r"images/case_1\.nii\.gz: its affine has no inverse"),
    ],
)
def test_a_set_that_cannot_be_used_is_an_error_that_names_the_file(how, message, tmp_path):
    spoiled(tmp_path, how)
    with pytest.raises(DataError, match=message):
        find_volumes(tmp_path).arrays(Framing("pad", (8, 8, 8)))


def test_a_volume_of_declared_terabytes_is_refused_before_memory_is_asked_for(tmp_path):
    save(tmp_path / "x.nii", np.zeros((4, 4, 4), np.uint8), np.eye(4))
    content = bytearray((tmp_path / "x.nii").read_bytes())
    content[42:48] = np.array([30_000] * 3, "<i2").tobytes()
    (tmp_path / "x.nii").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"x\.nii: .*TiB, from") as raised:
        read_volume(tmp_path / "x.nii")
    assert "--max-bytes" in raised.value.fix


def test_without_nibabel_the_error_says_what_to_install(tmp_path, monkeypatch):
    root = folder(tmp_path, rows=2)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    assert looks_like_volumes(root) is not None
    with pytest.raises(DataError, match="nibabel, which is not installed") as raised:
        find_volumes(root)
    assert raised.value.fix == install_extra("volumes")


def test_the_real_set_is_recognized(shared_data):
    found = find_volumes(shared_data / "hippocampus")
    assert {k: len(v) for k, v in found.splits.items()} == {"train": 40, "test": 10}
    assert found.classes == ["background", "Anterior", "Posterior"]
    assert found.counts.sum(axis=0)[1:].sum() / found.counts.sum() == pytest.approx(0.05, abs=0.01)
    for name in ("membrane", "facades", "iris"):
        assert looks_like_volumes(shared_data / name) is None
