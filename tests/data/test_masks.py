"""Pictures with masks: the same set in other forms, and sets that cannot be used."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from cutaway.data import (
    ExampleAugmentation,
    Framing,
    MaskCoding,
    RandomGeometry,
    find_masks,
    looks_like_masks,
    stream_examples,
)
from cutaway.data.raw_masks import read_raw_mask
from cutaway.errors import DataError, OptionError

COLORS = {"sky": (70, 130, 180), "road": (128, 64, 128), "car": (0, 0, 142)}
SIZES = [(20, 30), (24, 18), (16, 16), (40, 25)]


def scene(row, classes=3):
    """(picture, mask) of a row: a gray disk on a ramp, and stripes of classes."""
    height, width = SIZES[row % 4]
    y, x = np.mgrid[:height, :width]
    picture = np.stack([4 * x + row, 3 * y, 60 + 0 * x], -1).astype(np.uint8)
    return picture, ((x + 2 * y + row) // 9 % classes).astype(np.uint8)


def save(path, array, palette=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if palette is not None:
        image.putpalette([*palette, *[0] * (768 - len(palette))])
    image.save(path, **options)


def folder(root, write, classes=3, rows=4, pictures="images", masks="masks"):
    """A set whose masks `write(path, ids)` writes."""
    for row in range(rows):
        picture, ids = scene(row, classes)
        save(root / pictures / f"{row}.png", picture)
        (root / masks).mkdir(parents=True, exist_ok=True)
        write(root / masks / f"{row}.png", ids)
    return root


def as_colors(path, ids):
    table = np.array(list(COLORS.values()), np.uint8)
    save(path, table[ids])


FORMS = {
    "gray": lambda path, ids: save(path, ids),
    "16 bits": lambda path, ids: save(path, ids.astype(np.uint16)),
    "palette": lambda path, ids: save(path, ids, palette=[0, 0, 0, 9, 99, 9, 200, 0, 77]),
    "levels": lambda path, ids: save(path, np.array([0, 128, 255], np.uint8)[ids]),
    "three equal channels": lambda path, ids: save(path, np.repeat(ids[..., None], 3, -1)),
    "gray and alpha": lambda path, ids: Image.merge(
        "LA", [Image.fromarray(ids), Image.new("L", ids.shape[::-1], 255)]
    ).save(path),
    "tiff": lambda path, ids: save(path.with_suffix(".tif"), ids, compression="tiff_lzw"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_masks_in_other_forms_are_the_same_ids(form, tmp_path):
    found = find_masks(folder(tmp_path, FORMS[form]))
    assert len(found) == 4 and len(found.classes) == 3 and found.ignore == 255
    assert found.channels == 3 and found.names == ["0", "1", "2", "3"]
    for row in range(4):
        picture, ids = scene(row)
        np.testing.assert_array_equal(found.picture(row), picture)
        np.testing.assert_array_equal(found.mask(row), ids)
        assert found.mask(row).dtype == np.uint8
        np.testing.assert_array_equal(found.counts[row], np.bincount(ids.ravel(), minlength=3))
    assert not found.has_ignored


@pytest.mark.parametrize("form", ["0 and 255", "1 bit", "0 and 1", "0 and 65535", "smooth"])
def test_two_classes_are_the_same_in_every_form(form, tmp_path):
    def write(path, ids):
        if form == "1 bit":
            Image.fromarray(ids * 255).convert("1").save(path)
        elif form == "smooth":
            big = Image.fromarray(ids * 255).resize((ids.shape[1] * 5, ids.shape[0] * 5))
            big.resize(ids.shape[::-1], Image.Resampling.BILINEAR).save(path)
        else:
            high = {"0 and 255": np.uint8(255), "0 and 1": np.uint8(1)}
            save(path, ids * high.get(form, np.uint16(65535)))

    root = folder(tmp_path, write, classes=2)
    found = find_masks(root, threshold=127 if form == "smooth" else None)
    assert len(found.classes) == 2
    if form in ("0 and 255", "1 bit"):  # and are written to look the same
        (tmp_path / "out.png").write_bytes(found.coding.encoded(found.mask(0)))
        pictures = [Image.open(p) for p in (tmp_path / "out.png", root / "masks" / "0.png")]
        np.testing.assert_array_equal(*(np.asarray(p.convert("RGB")) for p in pictures))
    for row in range(4):
        wrong = found.mask(row) != scene(row, 2)[1]
        assert wrong.mean() < 0.06 if form == "smooth" else not wrong.any()


def test_colors_are_read_with_a_table_given_or_beside_the_masks(tmp_path):
    root = folder(tmp_path, as_colors)
    with pytest.raises(DataError, match=r"0\.png is in color.*no table of colors") as raised:
        find_masks(root)
    assert "classes.csv" in raised.value.fix
    given = find_masks(root, colors=COLORS)
    lines = {
        "classes.csv": ["name,r,g,b", *(f"{n},{r},{g},{b}" for n, (r, g, b) in COLORS.items())],
        "labelmap.txt": [
            "# label:color",
            *(f"{n}:{r},{g},{b}::" for n, (r, g, b) in COLORS.items()),
        ],
        "label_colors.txt": [f"{r} {g} {b} {n}" for n, (r, g, b) in COLORS.items()],
    }
    for name, content in lines.items():
        (root / name).write_text("\n".join(content))
        found = find_masks(root)
        (root / name).unlink()
        for one in (found, given):
            assert one.classes == list(COLORS)
            np.testing.assert_array_equal(one.mask(1), scene(1)[1])
    with pytest.raises(DataError, match=r"0\.png holds the colors \(0, 0, 142\)"):
        find_masks(root, colors={k: COLORS[k] for k in ("sky", "road")})
    void = find_masks(
        root, colors={"sky": COLORS["sky"], "road": COLORS["road"], "void": COLORS["car"]}
    )
    assert void.classes == ["sky", "road"] and void.has_ignored
    np.testing.assert_array_equal(void.mask(0), np.where(scene(0)[1] == 2, 255, scene(0)[1]))


def test_palettes_that_differ_need_a_table(tmp_path):
    flat = [v for color in COLORS.values() for v in color]

    def write(path, ids):
        if path.stem == "1":  # the same colors, otherwise numbered
            save(path, np.array([2, 0, 1], np.uint8)[ids], palette=[*flat[3:], *flat[:3]])
        else:
            save(path, ids, palette=flat)

    root = folder(tmp_path, write)
    with pytest.raises(DataError, match=r"palettes of .*0\.png and .*1\.png differ"):
        find_masks(root)
    found = find_masks(root, colors=COLORS)
    for row in range(4):
        np.testing.assert_array_equal(found.mask(row), scene(row)[1])


def test_a_photograph_turned_by_exif_has_its_mask_upright_or_turned_with_it(tmp_path):
    picture, ids = scene(1)
    for row, (orientation, turned) in enumerate([(6, False), (8, False), (6, True), (3, False)]):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = np.rot90(picture, {6: 1, 8: -1, 3: 2}[orientation])
        mask = np.rot90(ids, 1) if turned else ids
        save(tmp_path / "images" / f"{row}.png", np.ascontiguousarray(stored), exif=exif)
        save(tmp_path / "masks" / f"{row}.png", np.ascontiguousarray(mask))
    found = find_masks(tmp_path)
    for row in range(4):
        np.testing.assert_array_equal(found.picture(row), picture)
        np.testing.assert_array_equal(found.mask(row), ids)


def layout(root, name):
    """The same four pictures and masks in another layout."""
    for row in range(4):
        picture, ids = scene(row)
        split = "train" if row < 2 else "test"
        places = {
            "suffix": (f"{row}.jpg.png", f"{row}.jpg_mask.png"),
            "beside": (f"{row}.jpg", f"{row}.png"),
            "splits below": (f"images/{split}/{row}.png", f"labels/{split}/{row}.png"),
            "splits above": (f"{split}/imgs/{row}.png", f"{split}/gt/{row}_gt.png"),
            "prefixes": (f"images/image_{row}.png", f"masks/mask_{row}.png"),
            "endings": (f"Images/{row}.png", f"Masks/{row}_mask.png"),
            "no names": (f"left/{row}.png", f"right/{row}.png"),
            "beside splits, as CamVid": (f"{split}/{row}.png", f"{split}annot/{row}.png"),
            "beside splits, as Carvana": (f"{split}/{row}.jpg", f"{split}_masks/{row}_mask.gif"),
            "deeper, as Pets": (f"images/{row}.jpg", f"annotations/trimaps/{row}.png"),
            "patients": (f"p{row // 2}/{row}.tif", f"p{row // 2}/{row}_mask.tif"),
        }[name]
        for place, array in zip(places, (picture, ids), strict=True):
            save(root / place, array)


@pytest.mark.parametrize(
    "name",
    [
        "suffix",
        "beside",
        "splits below",
        "splits above",
        "prefixes",
        "endings",
        "no names",
        "beside splits, as CamVid",
        "beside splits, as Carvana",
        "deeper, as Pets",
        "patients",
    ],
)
def test_layouts_are_recognized(name, tmp_path):
    layout(tmp_path, name)
    assert looks_like_masks(tmp_path) is not None
    found = find_masks(tmp_path)
    assert len(found) == 4 and found.reason == looks_like_masks(tmp_path)
    for row, own in enumerate(found.names):
        np.testing.assert_array_equal(found.mask(row), scene(int(re.findall(r"\d", own)[-1]))[1])
    if "splits" in name:
        assert {k: v.tolist() for k, v in found.splits.items()} in (
            {"train": [0, 1], "test": [2, 3]},
            {"train": [2, 3], "test": [0, 1]},
        )
        assert found.subset(found.splits["test"]).names == ["test/2", "test/3"]
    else:
        assert found.splits == {}


def test_pascal_vocs_layout_has_its_lists_palette_and_border(tmp_path):
    palette = [
        sum((k >> (3 * bit + shift) & 1) << (7 - bit) for bit in range(8))
        for k in range(256)
        for shift in range(3)
    ]
    assert palette[15 * 3 : 15 * 3 + 3] == [192, 128, 128]  # person
    for row in range(5):
        picture, ids = scene(row)
        save(tmp_path / "JPEGImages" / f"2007_{row}.jpg", picture)
        if row < 4:
            ids = np.where(ids == 2, 15, ids)
            ids[0] = 255
            save(tmp_path / "SegmentationClass" / f"2007_{row}.png", ids, palette=palette)
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_0\n2007_2\n")
    (lists / "val.txt").write_text("2007_1\n2007_3\n")
    found = find_masks(tmp_path)
    assert looks_like_masks(tmp_path) == "JPEGImages and SegmentationClass, as in Pascal VOC"
    assert len(found) == 4 and found.classes[15] == "person" and len(found.classes) == 21
    assert found.has_ignored and (found.mask(0)[0] == 255).all()
    assert {k: v.tolist() for k, v in found.splits.items()} == {
        "train": [0, 2],
        "validation": [1, 3],
    }


def test_names_of_classes_and_ids_outside_them(tmp_path):
    root = folder(tmp_path, FORMS["gray"])
    (root / "classes.txt").write_text("sky\nroad\ncar\nboat\n")
    found = find_masks(root)
    assert found.classes == ["sky", "road", "car", "boat"]
    assert any("no pixel of 1 of 4 classes: boat" in note for note in found.notes)
    (root / "classes.txt").write_text("0: sky\n2: car\n1: road\n")
    assert find_masks(root).classes == ["sky", "road", "car"]
    (root / "classes.txt").write_text("road\ncar\n")
    assert find_masks(root).classes == ["background", "road", "car"]
    assert find_masks(root, classes=["a", "b", "c"]).classes == ["a", "b", "c"]
    (root / "classes.txt").write_text("background\nroad\n")
    with pytest.raises(DataError, match=r"0\.png holds the ids 2.*") as raised:
        find_masks(root)
    assert "the 2 classes of" in raised.value.expected


def test_names_of_two_classes(tmp_path):
    root = folder(tmp_path, lambda path, ids: save(path, ids * np.uint8(255)), classes=2)
    for content, names in (("cell", ["background", "cell"]), ("wall\ncell", ["wall", "cell"])):
        (root / "classes.txt").write_text(content)
        assert find_masks(root).classes == names
    (root / "classes.txt").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match=r"hold 0 and 255 only, such as .*0\.png") as raised:
        find_masks(root)
    assert "list two classes there" in raised.value.fix
    for path, came in ((root / "none", "there is no folder"), (root / "classes.txt", "is a file")):
        with pytest.raises(DataError, match=came):
            find_masks(path)


def test_other_masks_are_read_in_the_coding_of_a_trained_set(tmp_path):
    trained = find_masks(folder(tmp_path / "a", FORMS["levels"]))
    few = folder(tmp_path / "b", lambda path, ids: FORMS["levels"](path, ids * 0 + 2))
    options = {"coding": trained.coding, "classes": trained.classes, "channels": 1}
    found = find_masks(few, **options)
    assert found.classes == ["0", "128", "255"] and (found.mask(0) == 2).all()
    assert found.picture(0).shape == (20, 30, 1)
    with pytest.raises(DataError, match=r"0\.png holds the values 1, 2, which are not classes"):
        find_masks(folder(tmp_path / "c", FORMS["gray"]), **options)
    with pytest.raises(OptionError, match="0 classes for a coding of 3"):
        find_masks(few, coding=trained.coding)


def test_a_value_that_is_ignored(tmp_path):
    def write(path, ids):
        ids[:3] = 255
        save(path, ids)

    found = find_masks(folder(tmp_path, write))
    assert len(found.classes) == 3 and found.has_ignored
    assert any("255 is not a class" in note for note in found.notes)
    assert (found.mask(0)[:3] == 255).all() and found.counts[0].sum() == 17 * 30
    other = find_masks(folder(tmp_path / "other", FORMS["gray"]), ignore=2)
    assert other.classes == ["0", "1"]
    np.testing.assert_array_equal(other.mask(0) == 255, scene(0)[1] == 2)


def spoiled(root, how):
    folder(root, FORMS["gray"])
    if how == "mask without picture":
        (root / "images" / "2.png").unlink()
    elif how == "picture without mask":
        (root / "masks" / "2.png").unlink()
    elif how == "sizes":
        save(root / "masks" / "2.png", scene(0)[1])
    elif how == "background":
        for path in (root / "masks").iterdir():
            save(path, np.zeros_like(scene(int(path.stem))[1]))
    elif how == "empty":
        shutil.rmtree(root / "images")
        shutil.rmtree(root / "masks")
    elif how == "broken":
        content = (root / "masks" / "2.png").read_bytes()
        (root / "masks" / "2.png").write_bytes(content[:70])
    elif how == "jpeg":
        for path in list((root / "masks").iterdir()):
            Image.open(path).save(path.with_suffix(".jpg"))
            path.unlink()
    elif how == "photographs":
        for path in (root / "masks").iterdir():
            noise = np.random.default_rng(0).integers(0, 256, scene(int(path.stem))[1].shape)
            save(path, noise.astype(np.uint8))
    elif how == "two forms":
        for path in (root / "masks").iterdir():
            save(
                path,
                (scene(int(path.stem), 2)[1] * (1 if path.stem == "1" else 255)).astype(np.uint8),
            )
    elif how == "twice":
        shutil.copy(root / "masks" / "2.png", root / "masks" / "2.bmp")
    elif how == "instances":
        for path in (root / "masks").iterdir():
            ids = scene(int(path.stem))[1].astype(np.uint16)
            save(path, np.arange(ids.size, dtype=np.uint16).reshape(ids.shape) + 300)


@pytest.mark.parametrize(
    "how, message",
    [
        ("mask without picture", r"masks/2\.png has no picture in .*images"),
        ("picture without mask", r"images/2\.png has no mask in .*masks"),
        ("sizes", r"masks/2\.png has 20 x 30 pixels, its picture .*images/2\.png 16 x 16"),
        ("background", r"hold only class '0': all 4 of them, such as 0\.png"),
        ("empty", "holds no pictures with masks"),
        ("broken", r"masks/2\.png cannot be read as an image"),
        ("jpeg", r"masks/0\.jpg is a JPEG"),
        ("photographs", r"different values, .*masks/\d\.png alone .*: they are not class ids"),
        ("two forms", r"1\.png holds 0 and 1, .*0\.png 0 and 255"),
        ("twice", r"2\.(bmp|png) and 2\.(bmp|png) have the same name"),
        ("instances", "they are not class ids"),
    ],
)
def test_a_set_that_cannot_be_used_is_an_error_that_names_the_file(how, message, tmp_path):
    spoiled(tmp_path, how)
    with pytest.raises(DataError, match=message) as raised:
        find_masks(tmp_path)
    assert raised.value.expected


def test_masks_that_change_after_the_scan_are_named(tmp_path):
    found = find_masks(folder(tmp_path, FORMS["gray"]))
    save(tmp_path / "masks" / "1.png", np.full(SIZES[1], 9, np.uint8))
    with pytest.raises(DataError, match=r"1\.png holds the values 9, which are not classes"):
        found.mask(1)
    save(tmp_path / "masks" / "1.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(DataError, match=r"1\.png has 5 x 5 pixels"):
        found.mask(1)


def test_arrays_need_one_size_or_a_framing(tmp_path):
    found = find_masks(folder(tmp_path, FORMS["gray"]))
    with pytest.raises(DataError, match=r"1\.png has 24 x 18 pixels, .*0\.png 20 x 30"):
        found.arrays()
    framing = Framing("pad", (40, 32))
    x, y = found.arrays(framing)
    assert x.shape == (4, 40, 32, 3) and y.shape == (4, 40, 32) and x.dtype == y.dtype == np.uint8
    assert found.bytes_of_arrays(framing) == x.nbytes + y.nbytes
    for row in range(4):
        geometry = framing.geometry(SIZES[row])
        np.testing.assert_array_equal(geometry.undo_mask(y[row]), scene(row)[1])
        assert (y[row] == 255).sum() == 40 * 32 - np.prod(SIZES[row])
    one = find_masks(tmp_path).subset([2])
    assert one.arrays()[1].shape == (1, 16, 16)
    names = tmp_path / "names.txt"
    names.write_text("2.png\nimages/0.png\n")
    assert found.rows_named(names).tolist() == [0, 2]
    names.write_text("7\n")
    with pytest.raises(DataError, match=r"names\.txt lists '7', the name of no files"):
        found.rows_named(names)


def test_a_stream_gives_the_same_examples_from_memory_and_from_files(tmp_path):
    found = find_masks(folder(tmp_path, FORMS["gray"]))
    augment = ExampleAugmentation(RandomGeometry((12, 12), flips=(1,)), mask_fill=found.ignore)
    streams = [
        stream_examples(found, augment, repeats=3, memory_bytes=memory, block_rows=5)
        for memory in (0, 10**6)
    ]
    blocks = [list(stream.blocks(1)) for stream in streams]
    assert [len(y) for _, y in blocks[0]] == [5, 5, 2] and blocks[0][0][0].shape == (5, 12, 12, 3)
    for (x, y), (again_x, again_y) in zip(*blocks, strict=True):
        np.testing.assert_array_equal(x, again_x)
        np.testing.assert_array_equal(y, again_y)
    shutil.rmtree(tmp_path / "masks")
    assert len(list(streams[1].blocks(1))) == 3
    with pytest.raises(DataError, match="there is no file of that name"):
        list(streams[0].blocks(1))


@pytest.mark.parametrize("form", ["gray", "16 bits", "palette", "levels", "colors"])
def test_a_prediction_is_written_in_the_form_of_the_masks(form, tmp_path):
    write = as_colors if form == "colors" else FORMS[form]
    colors = COLORS if form == "colors" else None
    found = find_masks(folder(tmp_path, write), colors=colors)
    coding = MaskCoding.from_json(found.coding.to_json())
    assert coding == found.coding
    out = tmp_path / "out.png"
    out.write_bytes(coding.encoded(found.mask(1)))
    np.testing.assert_array_equal(coding.ids(read_raw_mask(out), out), found.mask(1))
    if form != "16 bits":  # the very pixels, and the palette
        a, b = Image.open(out), Image.open(tmp_path / "masks" / "1.png")
        assert np.array_equal(np.asarray(a.convert("RGB")), np.asarray(b.convert("RGB"))) or (
            form == "gray" and a.mode == "P"
        )


def test_real_sets_are_recognized(shared_data):
    membrane = find_masks(shared_data / "membrane")
    assert len(membrane) == 30 and membrane.classes == ["black", "white"]
    assert membrane.channels == 1 and membrane.same_size == (512, 512)
    facades = find_masks(shared_data / "facades")
    assert {k: len(v) for k, v in facades.splits.items()} == {
        "train": 150,
        "validation": 30,
        "test": 20,
    }
    assert facades.classes[10] == "window" and facades.coding.colors[10] == (0, 64, 255)
    for name in ("bccd", "cats_dogs", "mnist", "hippocampus"):
        assert looks_like_masks(shared_data / name) is None
    assert looks_like_masks(shared_data / "iris" / "iris.csv") is None
