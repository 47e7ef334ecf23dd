"""Images as runs: folders and IDX files, from decoding to predictions."""

import gzip
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import DataError, OptionError, RunError
from cutaway.runs import Run, prepare, write_report
from cutaway.runs.images import ImageOptions, prepare_images
from cutaway.train import Callback

RNG = np.random.default_rng(0)
QUICK = {"epochs": 2, "batch_size": 8}


def painted(bright, size=12, channels=3):
    """A dark or a bright image with noise."""
    level = 200 if bright else 40
    shape = (size, size, channels) if channels > 1 else (size, size)
    return np.clip(RNG.normal(level, 20, shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """photos/{train,test}/{bright,dark}/*.png"""
    root = tmp_path_factory.mktemp("photos")
    for split, count in (("train", 20), ("test", 5)):
        for name in ("bright", "dark"):
            place = root / split / name
            place.mkdir(parents=True)
            for k in range(count):
                Image.fromarray(painted(name == "bright")).save(place / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    prepared = prepare(folder, **QUICK)
    run = prepared.train(tmp_path_factory.mktemp("out") / "run", progress=False)
    return prepared, run


def test_a_folder_of_images_is_recognized_and_the_choice_explained(trained):
    prepared, run = trained
    assert prepared.kind == "images"
    assert "images in the splits" in prepared.why and "convolutional" in prepared.why
    assert prepared.x.dtype == np.uint8 and prepared.x.shape == (40, 12, 12, 3)
    assert len(prepared.training) == 32 and len(prepared.validation) == 8
    assert set(run.metrics) >= {"train", "validation", "test", "waited_for_data"}


def test_a_saved_run_of_images_gives_the_same_predictions(trained, folder):
    _, run = trained
    again = Run.open(run.path)
    scores, _ = again.evaluate(folder)
    assert scores == pytest.approx(run.metrics["test"])
    frame, _ = again.predict(folder / "test" / "bright")  # images without classes
    each = ["probability of bright", "probability of dark"]
    assert frame.columns == ["path", "prediction", "probability", *each] and frame.height == 5
    np.testing.assert_allclose(frame.select(each).sum_horizontal(), 1, atol=2e-6)
    single, _ = again.predict(folder / "test" / "bright" / "0.png")
    assert single["probability"][0] == pytest.approx(frame["probability"][0], abs=1e-6)


def test_the_report_shows_the_worst_images(trained):
    prepared, run = trained
    page = write_report(prepared, run).read_text()
    assert page.count('src="data:image/png;base64,') == 8
    assert (
        "Of 8 validation images none is predicted wrong" in page
        and "Conv2d(3, 32, kernel_size=3" in page
    )


def test_the_same_seed_gives_the_same_weights_with_augmentation(folder, trained, tmp_path):
    _, first = trained
    second = prepare(folder, **QUICK).train(tmp_path / "again", progress=False)
    a, b = first.net.state_dict(), second.net.state_dict()
    assert all((a[k] == b[k]).all() for k in a)


@pytest.mark.slow
def test_idx_files_become_gray_images(tmp_path):
    def write(name, array):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (tmp_path / name).write_bytes(gzip.compress(header + array.tobytes()))

    for prefix, count in (("train", 40), ("t10k", 10)):
        labels = np.arange(count, dtype=np.uint8) % 2
        write(f"{prefix}-labels-idx1-ubyte.gz", labels)
        images = np.stack([painted(bright, 14, 1) for bright in labels])
        write(f"{prefix}-images-idx3-ubyte.gz", images)
    prepared = prepare(tmp_path, **QUICK)
    assert prepared.x.shape == (40, 14, 14, 1) and prepared.preprocessing.classes == ["0", "1"]
    run = prepared.train(tmp_path / "run", progress=False)
    assert Run.open(run.path).evaluate(tmp_path)[0] == pytest.approx(run.metrics["test"])


def test_validation_folders_are_what_is_held_out(tmp_path):
    for split, count in (("train", 6), ("val", 3)):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            for k in range(count):
                Image.fromarray(painted(name == "a")).save(tmp_path / split / name / f"{k}.png")
    prepared = prepare_images(tmp_path, ImageOptions(batch_size=4))
    assert len(prepared.training) == 12 and len(prepared.validation) == 6
    assert prepared.y[prepared.validation].tolist() == [0, 0, 0, 1, 1, 1]


def test_corrupt_images_are_named_or_skipped(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(8):
            Image.fromarray(painted(name == "a")).save(tmp_path / name / f"{k}.png")
    (tmp_path / "b" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(DataError, match=r"3\.png"):
        prepare(tmp_path, batch_size=4)
    prepared = prepare(tmp_path, batch_size=4, skip_unreadable=1, size=12, epochs=1)
    assert len(prepared.x) == 15 and prepared.preprocessing.skipped is None
    bad = tmp_path / "b" / "3.png"
    assert f"skipped 1 of 16 images: {bad} cannot be read as an image" in prepared.notes[0]
    run = prepared.train(tmp_path / ".run", progress=False)
    assert list(run.metrics["skipped_files"]) == [str(bad)]
    assert str(bad) in write_report(prepared, run).read_text()
    (tmp_path / "a" / "5.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"2 of 16 images cannot be read: .*a/5\.png.*b/3\.png"
    ) as e:
        prepare(tmp_path, batch_size=4, skip_unreadable=1, size=12)
    assert e.value.expected.startswith("at most 1 of them (skip_unreadable); each a valid image")
    assert "skip_unreadable=2 (--skip-unreadable 2)" in e.value.fix
    assert len(prepare(tmp_path, batch_size=4, skip_unreadable=2, size=12).x) == 14


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda path: prepare(path, layers=(3,)), OptionError, "not an option for labeled images"),
        (lambda path: prepare(path, "passed"), OptionError, "not a table"),
        (lambda path: prepare(path, kind="tables"), DataError, "no kind 'tables'"),
        (lambda path: prepare(path / "nothing"), DataError, "nothing"),
        (lambda path: prepare(path, model="vgg"), OptionError, "model for images 'vgg'"),
        (lambda path: prepare(path, batch_size=999), OptionError, "batch_size is 999"),
    ],
)
def test_what_does_not_fit_is_named(folder, call, error, says):
    with pytest.raises(error, match=says):
        call(folder)


def test_images_that_do_not_fit_in_memory_are_streamed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("cutaway.runs.images.LARGEST_BYTES", 10_000)
    monkeypatch.setattr("cutaway.runs.images.MEASURED", 8)
    prepared = prepare(folder, **QUICK)
    assert prepared.training_rows == 32 and len(prepared.training) == len(prepared.validation) == 8
    assert len(prepared.x) == 16 and any(
        "decoded again in every epoch" in note for note in prepared.notes
    )
    run = prepared.train(tmp_path / "run", progress=False)
    assert run.metrics["validation"]["accuracy"] >= 0.5
    assert run.history["loss"][-1] < run.history["loss"][0]
    monkeypatch.setattr("cutaway.runs.images.LARGEST_BYTES", 1000)
    with pytest.raises(DataError, match=r"images of 12 x 12 take"):
        run.predict(folder)


def test_a_class_that_training_did_not_have_is_named(trained, tmp_path):
    for name in ("bright", "pale"):
        (tmp_path / name).mkdir()
        Image.fromarray(painted(True)).save(tmp_path / name / "0.png")
    scores, notes = trained[1].evaluate(tmp_path)
    assert scores["accuracy"] == 0.5 and any("('pale') count as wrong" in note for note in notes)
    (tmp_path / "bright").rename(tmp_path / "dusky")
    with pytest.raises(DataError, match="none of the 2 images has a class of the training data"):
        trained[1].evaluate(tmp_path)


class Spoiling(Callback):
    """Damages an image of a stream after an epoch, as a failing disk does."""

    def __init__(self, path, epoch):
        self.path, self.epoch = path, epoch

    def on_epoch(self, trainer, row):
        if row["epoch"] == self.epoch:
            self.path.write_bytes(b"")


@pytest.fixture
def streamed(folder, tmp_path, monkeypatch):
    """(a copy of the folder, a function that trains on it as a stream)."""
    monkeypatch.setattr("cutaway.runs.images.LARGEST_BYTES", 10_000)
    monkeypatch.setattr("cutaway.runs.images.MEASURED", 8)
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)

    def train(out, *callbacks, resume=False, **options):
        prepared = prepare(photos, **{**QUICK, "epochs": 4, **options})
        run = prepared.train(tmp_path / out, resume=resume, callbacks=callbacks, progress=False)
        return prepared, run

    return photos, train


@pytest.mark.slow
def test_an_image_of_a_stream_that_becomes_unreadable_is_skipped_and_resuming_is_bit_equal(
    streamed, tmp_path
):
    photos, train = streamed
    first = prepare(photos, **QUICK)
    # one of the stream that is also in the sample on which the scale is measured
    measured = {str(p) for p in first.frame[first.training]["path"]}
    bad = next(p for p in first.stream.folder.paths if str(p) in measured)
    whole = bad.read_bytes()
    prepared, expected = train("whole", Spoiling(bad, 2), skip_unreadable=1)
    assert list(expected.metrics["skipped_files"]) == [str(bad)]
    (note,) = prepared.stream.notes
    assert f"skipped 1 of 32 training images: {bad} cannot be read" in note
    assert note.endswith("; an epoch has 31") and note in prepared.notes
    assert f"{bad} cannot be read" in write_report(prepared, expected).read_text()

    bad.write_bytes(whole)
    with pytest.raises(DataError, match=f"{bad} cannot be read as an image: it is empty") as e:
        train("run", Spoiling(bad, 2))
    assert "skip_unreadable=1 (--skip-unreadable 1)" in e.value.fix
    assert f"the state after epoch 2 was saved to {tmp_path / 'run'}" in e.value.fix
    assert "remove" not in e.value.fix  # the split would be another one
    _, run = train("run", Spoiling(bad, 99), resume=True, skip_unreadable=1)
    assert run.history["loss"] == expected.history["loss"]
    for name, value in expected.net.state_dict().items():
        np.testing.assert_array_equal(run.net.state_dict()[name], value)


@pytest.mark.slow
def test_an_image_that_was_skipped_stays_skipped_when_a_stream_is_resumed(streamed):
    photos, train = streamed
    bad = prepare(photos, **QUICK).stream.folder.paths[0]
    whole = bad.read_bytes()
    train("run", Spoiling(bad, 1), epochs=3, schedule="constant", skip_unreadable=1)
    bad.write_bytes(whole)  # as after a disk is mounted again
    prepared, run = train(
        "run", Spoiling(bad, 99), resume=True, schedule="constant", skip_unreadable=1
    )
    assert list(prepared.stream.skipped) == [bad] and "an epoch has 31" in prepared.notes[-1]
    bad.write_bytes(whole)
    _, expected = train("other", Spoiling(bad, 1), schedule="constant", skip_unreadable=1)
    for name, value in expected.net.state_dict().items():
        np.testing.assert_array_equal(run.net.state_dict()[name], value)


@pytest.mark.slow
def test_images_in_memory_are_resumed_with_the_same_files_only(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(8):
            Image.fromarray(painted(name == "a")).save(tmp_path / "photos" / name / f"{k}.png")
    options = {"batch_size": 4, "size": 12, "epochs": 1}
    prepare(tmp_path / "photos", **options).train(tmp_path / "run", progress=False)
    bad = tmp_path / "photos" / "b" / "3.png"
    bad.write_bytes(b"")
    prepared = prepare(tmp_path / "photos", skip_unreadable=1, **{**options, "epochs": 2})
    with pytest.raises(RunError, match=rf"was trained with {bad}, which cannot be read now"):
        prepared.train(tmp_path / "run", resume=True, progress=False)
