"""Volumes with labels: from NIfTI files to NIfTI files with the same affine."""

import nibabel
import numpy as np
import pytest

from cutaway.errors import DataError
from cutaway.runs import Run, prepare, recognize, write_report
from cutaway.runs.segmentation import Compared
from cutaway.runs.volumes import VolumeRows
from tests.runs.drawn_sets import write_volumes

SMALL = {
    "width": 4,
    "levels": 2,
    "epochs": 20,
    "lr": 0.03,
    "schedule": "constant",
    "validation": 0.25,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    write_volumes(folder / "balls")
    prepared = prepare(folder / "balls", model="unet", **SMALL)
    run = prepared.train(folder / "run", progress=False)
    write_report(prepared, run)
    return folder / "balls", run


def test_nifti_files_are_recognized_and_their_spacing_is_kept(tmp_path):
    found = recognize(write_volumes(tmp_path / "a"))
    assert (found.kind, found.reason) == (
        "volumes",
        "4 volumes in images with label files of the same names in labels",
    )


def test_a_predicted_volume_has_the_size_affine_and_data_type_of_the_set(trained, tmp_path):
    folder, run = trained
    opened = Run.open(run.path)
    found = opened.predict_files(folder / "images")
    assert found.names[:2] == ["0.nii.gz", "0_overlay.png"]
    for k, one in enumerate(found.each):
        one.files[f"{k}.nii.gz"](tmp_path / "out.nii.gz")
        given = nibabel.load(folder / "images" / f"{k}.nii.gz")
        made = nibabel.load(tmp_path / "out.nii.gz")
        assert made.shape == given.shape and made.get_data_dtype() == np.float32
        np.testing.assert_array_equal(made.affine, given.affine)
        values = np.asarray(made.dataobj)
        assert set(np.unique(values)) <= {0, 1}
        milliliters = values.sum() * 2 / 1000  # a voxel has 2 mm³
        assert one.rows[0]["1 (ml)"] == pytest.approx(milliliters, abs=1e-3)


def test_scores_of_volumes_are_better_than_those_of_the_usual_class(trained):
    folder, run = trained
    scores, _ = run.evaluate(folder)
    assert scores["mean_dice"] > 0.7 and scores["mean_iou"] > scores["baseline_mean_iou"]
    assert "wrong pixels" in (run.path / "report.html").read_text()


@pytest.mark.slow
def test_a_training_on_volumes_is_resumed_to_the_same_bits_and_scores(tmp_path):
    folder = write_volumes(tmp_path / "balls", ((8, 8, 8), (9, 8, 8), (8, 10, 8), (8, 8, 8)))
    options = {**SMALL, "size": 8, "model": "unet"}
    whole = prepare(folder, **{**options, "epochs": 3}).train(tmp_path / "a", progress=False)
    prepare(folder, **{**options, "epochs": 1}).train(tmp_path / "b", progress=False)
    resumed = prepare(folder, **{**options, "epochs": 3}).train(
        tmp_path / "b", resume=True, progress=False
    )
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
    assert whole.preprocessing.to_json() == resumed.preprocessing.to_json()
    for name in ("train", "validation"):
        assert whole.metrics[name] == resumed.metrics[name]


def test_volumes_smaller_than_the_strides_of_the_network_are_named(tmp_path):
    folder = write_volumes(tmp_path / "small", ((12, 12, 12), (12, 7, 12), (12, 12, 12)))
    with pytest.raises(DataError, match=r"1\.nii\.gz has 12 x 7 x 12 voxels"):
        prepare(folder)


def test_the_dice_of_an_example_leaves_the_background_out():
    counts = np.array([[90, 5, 0], [5, 10, 0], [0, 0, 10]])  # Dice 0.95, 2/3 and 1
    rows = VolumeRows((8, 8, 8), 1, ["background", "a", "b"], [0, 1, 2], [1, 1, 1],
                      label_dtype="uint8")  # fmt: skip
    assert rows.own == [1, 2]
    one = Compared({}, counts, None, rows.own)
    assert one.mean_dice == pytest.approx((2 / 3 + 1) / 2)
    scores = rows.score_compared([one])
    assert scores["worst_mean_dice"] == scores["mean_dice"] == one.mean_dice
