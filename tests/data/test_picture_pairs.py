"""Pairs of pictures: layouts, directions, palettes, and sets that cannot be used."""

import numpy as np
import pytest
from PIL import Image

from cutaway.data import Framing, find_pairs, looks_like_masks, looks_like_pairs
from cutaway.errors import DataError

PALETTE = [10, 20, 30, 200, 100, 0, 0, 0, 255]


def scene(row):
    """(a drawing of three colors by index, a photograph)."""
    ids = (np.indices((16, 16)).sum(axis=0) // 5 + row).astype(np.uint8) % 3
    photo = np.random.default_rng(row).integers(0, 256, (16, 16, 3), np.uint8)
    return ids, photo


def colors(ids):
    return np.array(PALETTE, np.uint8).reshape(3, 3)[ids]


def save(path, array, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if palette:
        image.putpalette([*PALETTE, *[0] * (768 - 9)])
    image.save(path)


def layout(root, name):
    for row in range(4):
        ids, photo = scene(row)
        split = "train" if row < 3 else "test"
        if name == "side by side":
            save(root / f"{row}.png", np.concatenate([colors(ids), photo], axis=1))
        elif name == "side by side in splits":
            save(root / split / f"{row}.png", np.concatenate([colors(ids), photo], axis=1))
        else:
            a, b = {
                "A and B": (f"A/{row}.png", f"B/{row}.png"),
                "trainA and trainB": (f"{split}A/{row}.png", f"{split}B/{row}.png"),
                "labels and images": (f"labels/{split}/{row}.png", f"images/{split}/{row}.png"),
                "in splits": (f"{split}/edges/{row}.png", f"{split}/photos/{row}.png"),
            }[name]
            save(root / a, ids if "labels" in name else colors(ids), "labels" in name)
            save(root / b, photo)
    return root


LAYOUTS = [
    "A and B",
    "trainA and trainB",
    "labels and images",
    "in splits",
    "side by side",
    "side by side in splits",
]


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_same_pairs_in_other_layouts_are_the_same(name, tmp_path):
    root = layout(tmp_path, name)
    found = find_pairs(root)
    assert looks_like_pairs(root) == found.reason
    assert found.same_size == (16, 16) and len(found) == 4
    assert (found.input_channels, found.target_channels) == (3, 3)
    order = [int(own.split("/")[-1]) for own in found.names]
    for row, number in enumerate(order):
        ids, photo = scene(number)
        x, y = found.example(row)
        np.testing.assert_array_equal(x, colors(ids))
        np.testing.assert_array_equal(y, photo)
        y, x = find_pairs(root, reverse=True).example(row)
        np.testing.assert_array_equal(x, colors(ids))
        np.testing.assert_array_equal(y, photo)
    if name not in ("A and B", "side by side"):
        sizes = {split: [order[k] for k in rows] for split, rows in found.splits.items()}
        assert sizes == {"train": [0, 1, 2], "test": [3]}
    else:
        assert found.splits == {}
    x, y = found.arrays(Framing("stretch", (8, 8)))
    assert x.shape == y.shape == (4, 8, 8, 3) and found.arrays()[0].shape == (4, 16, 16, 3)
    assert found.subset([1]).arrays()[1].shape == (1, 16, 16, 3)


def test_palette_pictures_are_colors_here_ids_beside_and_masks_elsewhere(tmp_path):
    root = layout(tmp_path, "labels and images")
    found = find_pairs(root)
    np.testing.assert_array_equal(found.input_ids(0), scene(int(found.names[0][-1]))[0])
    assert any("palette images" in note and "class ids" in note for note in found.notes)
    assert "the pictures in images are made from those in labels" in found.notes
    assert looks_like_masks(root) is not None  # fits both kinds
    assert find_pairs(layout(tmp_path / "x", "A and B")).input_ids(0) is None


def test_gray_pictures_with_masks_are_no_pairs(tmp_path):
    for row in range(3):
        ids, photo = scene(row)
        save(tmp_path / "images" / f"{row}.png", photo[..., 0])
        save(tmp_path / "labels" / f"{row}.png", ids)
    assert looks_like_masks(tmp_path) is not None and looks_like_pairs(tmp_path) is None
    for name in ("A", "B"):  # gray pictures of which none is a mask
        for row in range(3):
            save(tmp_path / "other" / name / f"{row}.png", scene(row + len(name))[1][..., 0])
    assert looks_like_pairs(tmp_path / "other") is not None
    assert looks_like_masks(tmp_path / "other") is None
    assert find_pairs(tmp_path / "other").target_channels == 1


@pytest.mark.parametrize(
    "how, message",
    [
        ("odd", r"2\.png is 33 pixels wide"),
        ("high", r"2\.png has 40 x 12 pixels, higher than wide"),
        ("partner", r"A/2\.png has no picture in .*B"),
        ("size", r"A/2\.png has 16 x 16 pixels, .*B/2\.png 5 x 5"),
        ("broken", r"2\.png cannot be read as an image"),
        ("empty", "holds no pairs of pictures"),
    ],
)
def test_a_set_that_cannot_be_used_is_an_error_that_names_the_file(how, message, tmp_path):
    if how in ("odd", "high", "broken"):
        layout(tmp_path, "side by side")
        size = {"odd": (12, 33, 3), "high": (40, 12, 3), "broken": (12, 32, 3)}[how]
        save(tmp_path / "2.png", np.zeros(size, np.uint8))
        if how == "broken":
            (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n")
    elif how != "empty":
        layout(tmp_path, "A and B")
        if how == "partner":
            (tmp_path / "B" / "2.png").unlink()
        else:
            save(tmp_path / "B" / "2.png", np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(DataError, match=message) as raised:
        find_pairs(tmp_path)
    assert raised.value.expected


def test_the_real_sets_are_told_apart(shared_data):
    found = find_pairs(shared_data / "facades")
    assert {k: len(v) for k, v in found.splits.items()} == {
        "train": 150,
        "validation": 30,
        "test": 20,
    }
    assert looks_like_pairs(shared_data / "facades") == found.reason
    x, y = found.example(0)
    assert x.shape == y.shape == (256, 256, 3)
    assert {tuple(c) for c in x.reshape(-1, 3)[::97].tolist()} <= {
        (0, 0, 0), (255, 128, 0), (220, 20, 60), (200, 200, 255), (120, 80, 40), (255, 0, 255),
        (255, 255, 0), (128, 64, 128), (0, 128, 128), (0, 160, 0), (0, 64, 255),
    }  # fmt: skip
    for name in ("membrane", "bccd", "cats_dogs", "cifar10_jpeg", "hippocampus", "mnist"):
        assert looks_like_pairs(shared_data / name) is None
