import threading
import time

import numpy as np
import pytest
from PIL import Image

from cutaway.data import (
    ArrayStream,
    Compose,
    ImageStream,
    Normalize,
    RandomCrop,
    RandomFlip,
    files_by_label,
    find_images,
    load_images,
    stream_images,
)
from cutaway.errors import DataError, OptionError


def save(path, value, size=(8, 8), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    color = (value,) * 3 if mode == "RGB" else value
    Image.new(mode, size, color).save(path)


@pytest.fixture
def folder(tmp_path):
    """20 PNGs of class a, whose values are 0 to 19, and 30 of b, from 100 on."""
    for k in range(20):
        save(tmp_path / "a" / f"{k:02}.png", k)
    for k in range(30):
        save(tmp_path / "b" / f"{k:02}.png", 100 + k)
    return tmp_path


def test_files_are_found_by_class_and_split(tmp_path):
    for split, count in (("Train", 3), ("val", 2), ("test", 1)):
        for name in ("10", "9"):
            for k in range(count):
                save(tmp_path / split / name / "deeper" / f"{k}.PNG", k)
    (tmp_path / "Train" / "9" / "notes.txt").touch()
    (tmp_path / "Train" / "9" / "._0.png").touch()
    (tmp_path / "Train" / ".cache").mkdir()
    found = find_images(tmp_path)
    assert {name: len(part) for name, part in found.items()} == {
        "train": 6,
        "validation": 4,
        "test": 2,
    }
    assert found["train"].classes == found["test"].classes == ["9", "10"]
    assert found["train"].labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert all(p.parts[-3] == "9" for p in found["train"].paths[:3])


def test_a_test_split_without_classes_is_left_out(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "train" / name / "0.png", 0)
    save(tmp_path / "test" / "0.png", 0)
    assert list(find_images(tmp_path)) == ["train"]


def test_folders_that_cannot_be_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        find_images(tmp_path / "none")
    save(tmp_path / "file.png", 0)
    with pytest.raises(DataError, match=r"file\.png is a file"):
        find_images(tmp_path / "file.png")
    with pytest.raises(DataError, match="holds no folders, but 1 images at its top level"):
        find_images(tmp_path)
    (tmp_path / "file.png").unlink()
    with pytest.raises(DataError, match="holds no folders"):
        find_images(tmp_path)
    save(tmp_path / "cats" / "0.png", 0)
    with pytest.raises(DataError, match="only one class, 'cats', with 1 images"):
        find_images(tmp_path)
    (tmp_path / "dogs").mkdir()
    with pytest.raises(DataError, match="no images in the folder dogs"):
        find_images(tmp_path)
    save(tmp_path / "dogs" / "0.png", 0)
    save(tmp_path / "loose.png", 0)
    with pytest.raises(DataError, match="1 images next to its 2 folders"):
        find_images(tmp_path)


def test_classes_of_the_test_split_must_be_those_of_training(tmp_path):
    for name in ("train/a", "train/b", "test/b", "test/c"):
        save(tmp_path / name / "0.png", 0)
    with pytest.raises(DataError, match="the class 'c', which is not in the training data"):
        find_images(tmp_path)
    save(tmp_path / "Training" / "a" / "0.png", 0)
    with pytest.raises(DataError, match="expected: one folder for train"):
        find_images(tmp_path)


def test_labels_can_come_from_names(tmp_path):
    for name in ("10_x.png", "9_y.png", "10_z.png"):
        save(tmp_path / name, 0)
    found = files_by_label(tmp_path, [".png"], lambda p: p.name.split("_")[0], what="images")
    assert found.classes == ["9", "10"]
    assert [p.name for p in found.paths] == ["9_y.png", "10_x.png", "10_z.png"]
    assert found.labels.tolist() == [0, 1, 1]
    with pytest.raises(DataError, match="holds no images"):
        files_by_label(tmp_path, [".jpg"], str, what="images")


def test_images_in_memory_are_in_the_order_of_their_paths(folder):
    images = load_images(find_images(folder)["train"])
    assert images.x.shape == (50, 8, 8, 3) and images.x.dtype == np.uint8
    assert images.x[:, 0, 0, 0].tolist() == [*range(20), *range(100, 130)]
    assert images.y.tolist() == [0] * 20 + [1] * 30 and images.y.dtype == np.int32
    assert images.skipped == {}


def test_gray_images_have_one_channel_unless_one_is_colored(tmp_path):
    save(tmp_path / "a" / "0.png", 3, mode="L")
    save(tmp_path / "b" / "0.png", 5, mode="I;16")
    assert load_images(find_images(tmp_path)["train"]).x.shape == (2, 8, 8, 1)
    save(tmp_path / "b" / "1.png", 5)
    assert load_images(find_images(tmp_path)["train"]).x.shape == (3, 8, 8, 3)


def test_different_sizes_need_a_size(folder):
    save(folder / "a" / "large.png", 0, size=(16, 12))
    found = find_images(folder)["train"]
    with pytest.raises(DataError, match=r"different sizes: 8x8 \(50\), 12x16 \(1\)"):
        load_images(found)
    assert load_images(found, 4).x.shape == (51, 4, 4, 3)
    with pytest.raises(OptionError, match="size is"):
        load_images(found, (4, 0))


def test_a_broken_image_is_named_and_skipped_only_on_request(folder):
    bad = folder / "b" / "00.png"
    bad.write_bytes(bad.read_bytes()[:50])
    found = find_images(folder)["train"]
    with pytest.raises(DataError, match=r"b/00\.png cannot be read"):
        load_images(found, 8)
    images = load_images(found, 8, skip_unreadable=2)
    assert list(images.skipped) == [bad] and "cannot be read" in images.skipped[bad]
    assert len(images.x) == len(images.y) == len(images.paths) == 49
    assert images.x[20:, 0, 0, 0].tolist() == list(range(101, 130))

    with pytest.raises(DataError, match=r"b/00\.png cannot be read"):
        list(ImageStream(found, 8, block_rows=8).blocks(0))
    stream = ImageStream(found, 8, block_rows=8, skip_unreadable=2)
    blocks = list(stream.blocks(0))
    assert sum(len(y) for _, y in blocks) == 49 and list(stream.skipped) == [bad]
    assert all((y == (x[:, 0, 0, 0] >= 100)).all() for x, y in blocks)


def test_if_nothing_can_be_read_that_is_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_text("no picture")
    found = find_images(tmp_path)["train"]
    with pytest.raises(DataError, match="none of the 2 files"):
        load_images(found)
    with pytest.raises(DataError, match="none of the 2 images"):
        load_images(found, 8, skip_unreadable=2)
    with pytest.raises(DataError, match="none of the 2 rows"):
        list(ImageStream(found, 8, skip_unreadable=2).blocks(0))


def test_a_stream_gives_every_image_once_in_an_order_of_the_seed(folder):
    stream = ImageStream(find_images(folder)["train"], (8, 8), block_rows=16, threads=2)
    assert (stream.rows, stream.block_rows) == (50, 16)
    blocks = list(stream.blocks(0))
    assert [len(y) for _, y in blocks] == [16, 16, 16, 2]
    x = np.concatenate([x for x, _ in blocks])
    y = np.concatenate([y for _, y in blocks])
    values = x[:, 0, 0, 0]
    assert sorted(values) == [*range(20), *range(100, 130)]
    np.testing.assert_array_equal(y, values >= 100)
    again = np.concatenate([x for x, _ in stream.blocks(0)])
    other = np.concatenate([x for x, _ in stream.blocks(1)])
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, other)


def test_what_fits_in_memory_and_what_does_not_give_the_same(folder):
    found = find_images(folder)["train"]
    options = {"block_rows": 40, "transform": Compose(RandomFlip(), RandomCrop(2))}
    memory = stream_images(found, 8, **options)
    files = stream_images(found, 8, memory_bytes=1000, **options)
    assert isinstance(memory, ArrayStream) and isinstance(files, ImageStream)
    for (x, y), (x2, y2) in zip(memory.blocks(3), files.blocks(3), strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)


def test_a_seed_gives_the_same_with_any_number_of_threads():
    x = np.random.default_rng(0).integers(0, 256, (200, 6, 6, 3), dtype=np.uint8)
    y = np.arange(200)
    transform = Compose(RandomFlip(), RandomCrop(2), Normalize.fit(x))
    one = list(ArrayStream(x, y, transform=transform, block_rows=90, threads=1).blocks(5))
    many = list(ArrayStream(x, y, transform=transform, block_rows=90, threads=4, ahead=1).blocks(5))
    assert len(one) == 3
    for (x1, y1), (x2, y2) in zip(one, many, strict=True):
        assert x1.dtype == np.float32
        np.testing.assert_array_equal(x1, x2)
        np.testing.assert_array_equal(y1, y2)


def threads_of_streams():
    return [t for t in threading.enumerate() if t.name.startswith("cutaway-data")]


def test_threads_end_when_nobody_reads_any_more():
    stream = ArrayStream(np.zeros((5000, 2)), np.zeros(5000), block_rows=10, threads=3)
    blocks = stream.blocks(0)
    next(blocks)
    assert threads_of_streams()
    blocks.close()
    assert not threads_of_streams()
    next(iter(stream.blocks(0)))  # as Trainer looks at the first block
    assert not threads_of_streams()
    list(stream.blocks(0))
    assert not threads_of_streams()


def test_no_more_blocks_are_made_than_asked_for():
    made = []

    def transform(x, rng):
        made.append(len(x))
        return x

    stream = ArrayStream(
        np.zeros((1000, 2)), np.zeros(1000), block_rows=10, threads=2, ahead=2, transform=transform
    )
    blocks = stream.blocks(0)
    next(blocks)
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        assert len(made) <= 3
    blocks.close()


def test_errors_in_a_thread_reach_the_reader_and_end_the_threads():
    def transform(x, rng):
        if (x == 7).any():
            raise ZeroDivisionError("seven")
        return x

    stream = ArrayStream(
        np.arange(100)[:, None], np.zeros(100), block_rows=5, threads=2, transform=transform
    )
    with pytest.raises(ZeroDivisionError, match="seven"):
        list(stream.blocks(0))
    assert not threads_of_streams()


def test_waiting_is_counted():
    def slow(x, rng):
        time.sleep(0.02)
        return x

    stream = ArrayStream(np.zeros((40, 2)), np.zeros(40), block_rows=10, threads=1, transform=slow)
    assert np.isnan(stream.rows_per_second)
    list(stream.blocks(0))
    assert stream.waited_seconds >= 0.05 and stream.busy_seconds >= 0.08
    assert stream.made_rows == 40 and 0 < stream.rows_per_second <= 500


def test_streams_that_cannot_be_are_named():
    with pytest.raises(DataError, match="3 inputs and 2 targets"):
        ArrayStream(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(DataError, match="no rows"):
        ArrayStream(np.zeros((0, 2)), np.zeros(0))
    for name in ("block_rows", "threads", "ahead"):
        with pytest.raises(OptionError, match=name):
            ArrayStream(np.zeros((3, 2)), np.zeros(3), **{name: 0})


def test_real_images_are_read(shared_data):
    found = find_images(shared_data / "cifar10_jpeg")
    assert len(found["train"]) == 5000 and len(found["test"]) == 1000
    assert found["train"].classes[0] == "airplane" and len(found["train"].classes) == 10
    test = load_images(found["test"].subset(np.arange(0, 1000, 20)))
    assert test.x.shape == (50, 32, 32, 3) and np.bincount(test.y).tolist() == [5] * 10
    with Image.open(test.paths[0]) as image:
        np.testing.assert_array_equal(test.x[0], np.asarray(image))
