"""The same pictures, masks and volumes in other forms; predictions keep the form of their input."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from cutaway.runs import prepare
from tests.cli.in_process import cutaway
from tests.runs.drawn_sets import write_masks, write_pairs, write_volumes
from tests.runs.untrained import write_untrained

TINY = {"width": 2, "levels": 2, "size": 32, "validation": 0.3}


def as_ids(ids):
    return Image.fromarray(ids)


def as_palette(ids):
    image = Image.fromarray(ids)
    image.putpalette([10, 20, 30, 200, 100, 0])
    return image


def as_levels(ids):
    return Image.fromarray(255 * ids)


def as_uint16(ids):
    return Image.fromarray(65535 * ids.astype(np.uint16))


def as_small_uint16(ids):
    return Image.fromarray(ids.astype(np.uint16))


def as_bits(ids):
    return Image.fromarray(255 * ids).convert("1")


@pytest.mark.parametrize("form", [as_palette, as_levels, as_uint16, as_small_uint16, as_bits])
def test_masks_in_another_form_are_the_same_data_set(tmp_path, form):
    for name, write in (("one", as_ids), ("other", form)):
        folder = write_masks(tmp_path / name)
        (folder / "classes.txt").write_text("background\ndisk\n")
        for path in (folder / "masks").iterdir():
            write((np.asarray(Image.open(path)) // 255).astype(np.uint8)).save(path)
    one, other = (prepare(tmp_path / name, **TINY) for name in ("one", "other"))
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    assert set(np.unique(one.y)) == {0, 1}
    for name in ("names", "counts", "size", "channels", "ignore"):
        assert getattr(one.preprocessing, name) == getattr(other.preprocessing, name)
    assert {k: v.tolist() for k, v in one.sets.items()} == {
        k: v.tolist() for k, v in other.sets.items()
    }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_turned_by_exif_have_upright_masks_and_predictions(tmp_path, orientation):
    for name in ("one", "other"):
        write_masks(tmp_path / name, 3, (40, 33))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's Transpose that stores it so
    for path in (tmp_path / "other" / "images").iterdir():
        image = Image.open(path)
        if orientation > 1:
            image = image.transpose(Image.Transpose(undo[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(path, exif=exif)
    one, other = (prepare(tmp_path / name, **TINY) for name in ("one", "other"))
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    found = other.preprocessing.input_of(other.frame.row(0, named=True))
    assert found.shape == (40, 33, 1)


def test_pictures_of_mixed_sizes_are_one_data_set_and_each_prediction_has_its_own(tmp_path):
    sizes = ((32, 32), (50, 41), (33, 90))
    for k, size in enumerate(sizes):
        write_masks(tmp_path / f"{k}", 2, size, seed=k)
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for k in range(3):
            for path in (tmp_path / f"{k}" / name).iterdir():
                path.rename(tmp_path / "set" / name / f"{k}{path.name}")
    prepared = prepare(tmp_path / "set", **TINY)
    assert prepared.x.shape[1:] == (32, 32, 1)
    write_untrained(tmp_path / "run", prepared)
    code, _, err = cutaway(
        "predict", tmp_path / "run", tmp_path / "set/images", "--out", tmp_path / "out"
    )
    assert code == 0, err
    for k, size in enumerate(sizes):
        for path in (tmp_path / "out").glob(f"{k}*.png"):
            with Image.open(path) as image:
                assert image.size == size[::-1], path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{kind: an untrained Run}."""
    folder = tmp_path_factory.mktemp("untrained")
    palette = write_masks(folder / "palette")
    for path in (palette / "masks").iterdir():
        as_palette((np.asarray(Image.open(path)) // 255).astype(np.uint8)).save(path)
    gray = write_pairs(folder / "gray")
    for path in (gray / "B").iterdir():
        Image.open(path).convert("L").save(path)
    sets = {
        "levels": (write_masks(folder / "levels"), TINY),
        "palette": (palette, TINY),
        "pairs": (write_pairs(folder / "pairs"), {"width": 2, "size": 16}),
        "gray pairs": (gray, {"width": 2, "size": 16, "kind": "pairs"}),
    }
    return {
        name: write_untrained(folder / "runs" / name, prepare(path, **options))
        for name, (path, options) in sets.items()
    }


def drawn_sizes(count, seed):
    """Sizes from 1 to 700, and the smallest and the largest of each axis."""
    rng = np.random.default_rng(seed)
    drawn = np.exp(rng.uniform(0, np.log(700.999), (count, 2))).astype(int)
    return [(1, 1), (1, 700), (700, 1), (699, 700), *map(tuple, drawn.tolist())]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mode", "values"),
    [("levels", "L", {0, 255}), ("palette", "P", {0, 1}), ("pairs", "RGB", None),
     ("gray pairs", "L", None)],
)  # fmt: skip
def test_a_prediction_has_exactly_the_size_of_its_input(runs, tmp_path, name, mode, values):
    rng = np.random.default_rng(1)
    count = 24 if name == "levels" else 6
    for size in drawn_sizes(count, seed=len(name)):
        Image.fromarray(rng.integers(0, 256, size).astype(np.uint8)).save(tmp_path / "p.png")
        (one,) = runs[name].predict_files(tmp_path / "p.png").each
        (tmp_path / "out.png").write_bytes(one.files["p.png"])
        with Image.open(tmp_path / "out.png") as image:
            assert (image.size, image.mode) == (size[::-1], mode)
            assert values is None or set(np.unique(np.asarray(image))) <= values
            if mode == "P":
                assert image.getpalette()[:6] == [10, 20, 30, 200, 100, 0]


def affines():
    """(name, affine): turned in steps, oblique, mirrored, and sheared ever so little."""
    oblique = np.eye(4)
    turn = np.radians(3)
    oblique[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    oblique[:3, 3] = 5, -3, 7
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0])
    swapped = np.eye(4)[[2, 0, 1, 3]]
    both = swapped @ np.diag([1.0, -1.0, 1.0, 1.0])
    both[:3, 3] = 0.5, 1e-3, -999
    return {"oblique": oblique, "mirrored": mirrored, "swapped": swapped, "both": both}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int16])
def test_a_predicted_volume_has_the_affine_and_orientation_of_its_input_and_the_type_of_the_set(
    tmp_path, dtype
):
    folder = write_volumes(tmp_path / "set", ((12, 8, 9),) * 4)
    for path in (folder / "labels").iterdir():
        image = nibabel.load(path)
        values = np.asarray(image.dataobj).astype(dtype)
        nibabel.save(nibabel.Nifti1Image(values, image.affine), path)
    prepared = prepare(folder, model="unet", **{**TINY, "size": 8})
    run = write_untrained(tmp_path / "run", prepared)
    (tmp_path / "new").mkdir()
    values = np.random.default_rng(0).normal(50, 20, (9, 12, 7)).astype(np.int16)
    for name, affine in affines().items():
        image = nibabel.Nifti1Image(values, affine)
        nibabel.save(image, tmp_path / "new" / f"{name}.nii.gz")
    code, _, err = cutaway("predict", tmp_path / "run", tmp_path / "new", "--out", tmp_path / "out")
    assert code == 0, err
    for name, affine in affines().items():
        made = nibabel.load(tmp_path / "out" / f"{name}.nii.gz")
        assert made.shape == values.shape and made.get_data_dtype() == dtype
        np.testing.assert_allclose(made.affine, affine, atol=1e-6)
        assert (np.linalg.det(made.affine) < 0) == (np.linalg.det(affine) < 0)
        # each voxel is that of the volume as the network sees it, put back by nibabel alone
        row = {"name": name, "input": str(tmp_path / "new" / f"{name}.nii.gz")}
        x = run.preprocessing.input_of(row)
        ids = run.preprocessing.ids_of(run.preprocessing.predict_whole(run, x))
        canonical = nibabel.as_closest_canonical(made)
        np.testing.assert_array_equal(np.asarray(canonical.dataobj), ids)
