import gzip

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cutaway.data import find_idx, read_idx, students_path, write_wav
from cutaway.errors import DataError
from cutaway.runs import prepare, recognize


def idx(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    for split, rows in (("train", 5), ("t10k", 3)):
        images = gzip.compress(idx(np.zeros((rows, 4, 4))))
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(images)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx(np.arange(rows)))
    return folder


def test_idx_files_are_paired_by_name(mnist):
    found = find_idx(mnist)
    assert list(found) == ["train", "test"]
    x, y = (read_idx(path) for path in found["test"])
    assert x.shape == (3, 4, 4) and y.tolist() == [0, 1, 2]
    assert recognize(mnist).kind == "images"
    assert recognize(mnist / "train-labels-idx1-ubyte").kind == "images"
    assert recognize(mnist / "train-images-idx3-ubyte.gz").kind == "images"


def test_folders_of_classes_are_recognized_by_what_is_in_them(tmp_path):
    for k, name in enumerate(("cats", "dogs")):
        (tmp_path / "i" / "train" / name).mkdir(parents=True)
        (tmp_path / "s" / name).mkdir(parents=True)
        Image.new("L", (2, 2)).save(tmp_path / "i" / "train" / name / "0.JPG", "jpeg")
        write_wav(tmp_path / "s" / name / f"{k}.wav", [0.0], 8000)
    found = recognize(tmp_path / "i")
    assert (found.kind, found.reason) == ("images", "2 images in the splits train")
    found = recognize(tmp_path / "s")
    assert (found.kind, found.reason) == ("recordings", "2 recordings in the folders cats, dogs")
    with pytest.raises(DataError, match="is a single image"):
        recognize(tmp_path / "i" / "train" / "cats" / "0.JPG")
    with pytest.raises(DataError, match="holds 1 recordings and no folders"):
        recognize(tmp_path / "s" / "cats")


def test_the_bundled_table_is_named_where_the_first_page_s_command_does_not_find_it(tmp_path):
    (tmp_path / ".hidden").write_text("")
    with pytest.raises(DataError, match="there is no") as failure:
        recognize(tmp_path / "students.csv")
    assert str(students_path()) in str(failure.value)
    with pytest.raises(DataError) as failure:
        recognize(tmp_path / "others.csv")
    assert "hidden" not in str(failure.value)


def test_folders_of_nothing_known_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no"):
        recognize(tmp_path / "none")
    with pytest.raises(DataError, match="holds no images"):
        recognize(tmp_path)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"name the file inside it: a\.csv"):
        recognize(tmp_path)
    (tmp_path / "masks").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "masks" / "0.png")
    with pytest.raises(
        DataError, match="holds the folder 'masks', as detection and segmentation datasets do"
    ):
        recognize(tmp_path)


def kind_of(tmp_path, **columns):
    pl.DataFrame(columns).write_csv(tmp_path / "t.csv")
    return recognize(tmp_path / "t.csv").kind


def test_a_table_is_a_table_unless_clearly_otherwise(tmp_path):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=60).round(3).tolist()
    labels = ["yes", "no"] * 30
    words = ["sun", "rain", "wind", "snow", "cloud", "storm", "fog"]
    texts = [" ".join(rng.choice(words, 8)) for _ in range(60)]
    dates = [f"{2000 + k // 12}-{k % 12 + 1:02}" for k in range(60)]
    assert recognize(students_path()).kind == "table"
    assert kind_of(tmp_path, a=numbers, b=labels) == "table"
    assert kind_of(tmp_path, text=texts, label=labels) == "text"
    assert kind_of(tmp_path, text=texts) == "text"
    # one text among many features
    assert kind_of(tmp_path, text=texts, **{f"x{k}": numbers for k in range(5)}) == "table"
    # short texts and names
    assert kind_of(tmp_path, name=[" ".join(t.split()[:2]) for t in texts], y=labels) == "table"
    assert kind_of(tmp_path, month=dates, value=numbers) == "series"
    # out of order, at unequal steps, of several numbers
    assert kind_of(tmp_path, month=dates[::-1], value=numbers) == "table"
    squares = [dates[k] for k in (0, 1, 4, 9, 16, 25, 36, 49)]
    assert kind_of(tmp_path, month=squares, value=numbers[:8]) == "table"
    assert kind_of(tmp_path, month=dates, a=numbers, b=numbers) == "table"
    # who names a target asks for a table
    pl.DataFrame({"month": dates, "value": numbers}).write_csv(tmp_path / "t.csv")
    assert recognize(tmp_path / "t.csv", target="value").kind == "table"


def test_text_files_are_text_and_tables_in_them_are_tables(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("anna\nbert\n")
    assert recognize(path).kind == "language"
    path.write_text("To be, or not to be,\nthat is\nthe question\n")
    assert recognize(path).kind == "language"
    path.write_text("a;b\n1;2\n3;4\n")
    assert recognize(path).kind == "table"
    path.write_text("".join(f"{k % 2}\tthis is number {k} of them\n" for k in range(20)))
    found = recognize(path)
    assert (found.kind, found.reason.startswith("each line is a label, a tab")) == ("text", True)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not utf-16-le text"):
        recognize(path)


def test_recordings_may_say_their_class_in_their_names(tmp_path):
    for name in ("yes_1", "yes_2", "no_1", "no_2"):
        (tmp_path / f"{name}.wav").touch()
    assert recognize(tmp_path).kind == "recordings"
    (tmp_path / "other.wav").touch()
    with pytest.raises(DataError, match="no folders"):
        recognize(tmp_path)


@pytest.mark.parametrize(
    "path, kind",
    [
        ("ag_news_7600/train.csv", "text"),
        ("airline_passengers/airline-passengers.csv", "series"),
        ("bmi_500/500_Person_Gender_Height_Weight_Index.csv", "table"),
        ("cats_dogs", "images"),
        ("cifar10_jpeg", "images"),
        ("daily_min_temperatures/daily-min-temperatures.csv", "series"),
        ("iris/iris.csv", "table"),
        ("mnist", "images"),
        ("monthly_sunspots/monthly-sunspots.csv", "series"),
        ("names/names.txt", "language"),
        ("pima_diabetes/pima-indians-diabetes.csv", "table"),
        ("placement/placement.csv", "table"),
        ("sentiment_sentences/imdb_labelled.txt", "text"),
        ("sms_spam/SMSSpamCollection", "text"),
        ("student_performance/student-mat.csv", "table"),
        ("tinyshakespeare/input.txt", "language"),
        ("titanic/titanic.csv", "table"),
        ("ucr_gunpoint", "time-series-classification"),
        ("ucr_gunpoint/GunPoint_TEST.tsv", "time-series-classification"),
        ("wine_quality/winequality-red.csv", "table"),
    ],
)
def test_real_data_are_recognized(shared_data, path, kind):
    assert recognize(shared_data / path).kind == kind


def _pictures(folder, count=3, *, masks=False):
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        pixels = np.random.default_rng(k).integers(0, 256, (16, 16, 3)).astype(np.uint8)
        image = Image.fromarray(np.eye(16, dtype=np.uint8) if masks else pixels)
        image.save(folder / f"{k}.png")


@pytest.mark.parametrize(
    ("pictures", "boxes", "said"),
    [
        ("images", "labels/0.txt", "a txt file per picture"),
        ("images/train", "labels/train/0.txt", "a txt file per picture"),
        ("train/images", "train/labels/0.txt", "a txt file per picture"),
        (".", "0.txt", "a txt file per picture"),
        ("JPEGImages", "Annotations/0.xml", "xml files of Pascal VOC in Annotations"),
    ],
)
def test_pictures_with_boxes_are_neither_masks_nor_classes(tmp_path, pictures, boxes, said):
    _pictures(tmp_path / pictures)
    (tmp_path / boxes).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / boxes).write_text("0 0.5 0.5 0.2 0.2")
    found = recognize(tmp_path)
    assert found.kind == "objects" and said in found.reason


@pytest.mark.parametrize(
    ("pictures", "boxes", "said"),
    [
        ("images", "annotations/instances.json", r"annotations/ holds \.json files, as COCO"),
        ("train", "train/_annotations.coco.json", r"train/_annotations\.coco\.json, as COCO"),
    ],
)
def test_boxes_that_cannot_be_read_are_neither_masks_nor_classes(tmp_path, pictures, boxes, said):
    _pictures(tmp_path / pictures)
    (tmp_path / boxes).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / boxes).write_text("0 0.5 0.5 0.2 0.2")
    with pytest.raises(DataError, match=f"holds images with boxes: {said}") as refused:
        recognize(tmp_path)
    assert "masks/" in refused.value.fix and "a folder per class" in refused.value.fix


def test_masks_beside_boxes_are_asked_for_and_texts_beside_recordings_are_no_boxes(tmp_path):
    _pictures(tmp_path / "m" / "images")
    _pictures(tmp_path / "m" / "masks", masks=True)
    (tmp_path / "m" / "labels").mkdir()
    (tmp_path / "m" / "labels" / "0.txt").write_text("0 0.5 0.5 0.2 0.2")
    with pytest.raises(DataError, match="fits several kinds") as refused:
        recognize(tmp_path / "m")
    assert refused.value.fix == "choose it: --kind masks or --kind objects"
    (tmp_path / "r").mkdir()
    write_wav(tmp_path / "r" / "a.wav", [0.0], 8000)
    (tmp_path / "r" / "a.txt").write_text("what is said")
    with pytest.raises(DataError, match="holds 1 recordings and no folders"):
        recognize(tmp_path / "r")


def test_two_folders_that_may_be_masks_or_pairs_are_asked_for_and_the_kind_decides(tmp_path):
    _pictures(tmp_path / "images")
    _pictures(tmp_path / "labels")
    with pytest.raises(DataError, match="fits several kinds of data") as refused:
        recognize(tmp_path)
    text = str(refused.value)
    assert "pictures with masks (3 pictures in images with masks" in text
    assert "pairs of pictures (3 pictures" in text
    assert refused.value.fix == "choose it: --kind masks or --kind pairs"
    found = prepare(tmp_path, kind="pairs", width=2, size=16, validation=0.4)
    assert (found.kind, len(found.sets["train"])) == ("pairs", 2)


def test_folders_of_classes_with_equal_file_names_are_images(tmp_path):
    for name in ("cats", "dogs"):
        _pictures(tmp_path / name)
    assert recognize(tmp_path).kind == "images"
