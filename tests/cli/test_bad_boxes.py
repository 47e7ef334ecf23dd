"""Pictures with boxes that no training can use: `cutaway train` says which file and box, and why.

The cases are complaints of users of other detectors: boxes of no area, in another order or
convention, ids that count from 1, labels that are not found.
"""

import json
import re
import shutil

import pytest

from tests.cli.in_process import cutaway
from tests.runs.box_forms import split_folders, write_table, write_voc, write_yolo
from tests.runs.drawn_sets import write_objects


def changed(folder, change, *, empty=()):
    """A set as COCO with another content."""
    path = write_objects(folder, 8, empty=empty) / "boxes.json"
    content = json.loads(path.read_text())
    content = change(content) or content
    path.write_text(json.dumps(content))


def with_boxes(of_box):
    """A function of a folder that writes COCO with other boxes."""

    def change(content):
        for one in content["annotations"]:
            one["bbox"] = of_box(*one["bbox"])

    return lambda folder: changed(folder, change)


def with_line(line, name="labels/02.txt"):
    """A function of a folder that writes YOLO with this file of labels."""
    return lambda folder: (write_yolo(folder) / name).write_text(line + "\n")


def with_lines(change):
    """A function of a folder that writes YOLO with all lines of labels changed."""

    def write(folder):
        for path in (write_yolo(folder) / "labels").iterdir():
            lines = [change(line) + "\n" for line in path.read_text().splitlines() if line]
            path.write_text("".join(lines))

    return write


def without(name, write):
    """A function of a folder that writes a set without a file or folder of it."""

    def written(folder):
        path = write(folder) / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return written


def xml(pattern, text, name="03"):
    """A function of a folder that writes Pascal VOC with texts replaced in one file, or all."""

    def write(folder):
        for path in (write_voc(folder) / "Annotations").glob(f"{name}.xml"):
            path.write_text(re.sub(pattern, text, path.read_text()))

    return write


def sides_as_corners(folder):
    corners = r"<xmin>(\d+)(.*?)<ymin>(\d+)(.*?)<xmax>(\d+)<(.*?)<ymax>(\d+)<"

    def sides(m):
        w, h = int(m[5]) - int(m[1]), int(m[7]) - int(m[3])
        return f"<xmin>{m[1]}{m[2]}<ymin>{m[3]}{m[4]}<xmax>{w}<{m[6]}<ymax>{h}<"

    xml(corners, sides, "*")(folder)


def invented(content):
    content["annotations"].append(
        {"id": 99, "image_id": 3, "category_id": 3, "bbox": [0, 0, 0, 0], "iscrowd": 0}
    )


def one_more_category(content):
    content["annotations"][4]["category_id"] = 5


def categories_from_zero(content):
    content["categories"] = [{"id": 0, "name": "disk"}, {"id": 1, "name": "square"}]
    for one in content["annotations"]:
        one["category_id"] -= 2


def not_a_number(content):
    content["annotations"][3]["bbox"][2] = float("nan")


def far_outside(content):
    content["annotations"][3]["bbox"] = [200, 200, 9, 9]


def listed_twice(content):
    content["images"].append({**content["images"][2], "id": 77})


def all_crowds(content):
    for one in content["annotations"]:
        one["iscrowd"] = 1


def as_results(content):
    return [{**one, "score": 0.5} for one in content["annotations"]]


def nan_in_a_table(folder):
    path = write_table(folder) / "boxes.csv"
    path.write_text(path.read_text() + "01.png,1,2,nan,9,disk\n")


def two_of_one_name(write, name):
    def written(folder):
        path = write(folder) / name
        shutil.copy(path, path.with_suffix(".jpg"))

    return written


def in_two_folders(folder):
    write_objects(folder, 8)
    (folder / "more").mkdir()
    shutil.copy(folder / "images" / "03.png", folder / "more" / "03.png")


def in_another_folder(folder):
    (write_yolo(folder) / "labels").rename(folder / "annotations")


def two_sets(folder):
    for year in ("VOC2007", "VOC2012"):
        write_voc(folder / "VOCdevkit" / year)


def no_box_for_training(folder):
    split_folders(write_yolo(folder, empty=(0, 1, 2)), {"train": 3, "val": 5})


def no_box_for_validation(folder):
    split_folders(write_yolo(folder, empty=(5, 6, 7)), {"train": 5, "val": 3})


def other_names(folder):
    (write_yolo(folder) / "data.yaml").write_text("nc: 3\nnames: [disk, square]\n")


CASES = {  # how the folder is written, what the error says, and the fix
    # 1: empty pictures
    "a box of zeros for nothing": (
        lambda folder: changed(folder, invented, empty=(2,)),
        r"boxes\.json: annotation 99 \(disk\), x1 y1 x2 y2 = 0 0 0 0, has no area",
        "a picture without objects needs no box",
    ),
    # 2: boxes of no area, in the wrong order, in another convention
    "no area": (
        xml(r"<xmin>\d+<(.*?)<xmax>\d+<", r"<xmin>3<\1<xmax>3<"),
        r"Annotations/03\.xml: object 1 \(disk\), x1 y1 x2 y2 = 3 \d+ 3 \d+, has no area",
        "correct the boxes",
    ),
    "second corner first": (
        with_boxes(lambda x, y, w, h: [x + w, y + h, -w, -h]),
        r"boxes\.json: annotation 1 \(disk\), .*ends before it begins",
        "look like x y w h",
    ),
    "corners in COCO": (
        with_boxes(lambda x, y, w, h: [x, y, x + w, y + h]),
        r"boxes\.json: annotation \d+ \(\w+\), .*reaches beyond the picture",
        "corners in place of width and height",
    ),
    "sides in Pascal VOC": (
        sides_as_corners,
        r"Annotations/0\d\.xml: object \d \(\w+\), .*ends before it begins",
        "look like x y w h",
    ),
    "sides in a table of corners": (
        lambda folder: write_table(folder, sides=True),
        r"boxes\.csv: line \d \(\w+\), .*ends before it begins",
        r"write x \+ w and y \+ h",
    ),
    "pixels in YOLO": (with_line("0 30 30 10 10"), r"02\.txt: line 1 is '0 30", "divide by"),
    "outside": (
        lambda folder: changed(folder, far_outside),
        r"annotation 4 \(square\), .*= 200 200 209 209, lies outside of the picture",
        "correct the boxes",
    ),
    "outside in YOLO": (
        with_line("0 1.5 0.5 0.1 0.1"),
        r"labels/02\.txt: line 1, .*lies outside of the picture, 96 x 64 pixels",
        "correct the boxes",
    ),
    # 3: NaN
    "NaN in COCO": (
        lambda folder: changed(folder, not_a_number),
        r"boxes\.json: annotation 4 \(square\) is 55 37 nan",
        "correct or remove it",
    ),
    "NaN in YOLO": (with_line("0 nan 0.5 0.1 0.1"), r"02\.txt: line 1 is nan", "correct or remove"),
    "NaN in Pascal VOC": (
        xml(r"<xmax>\d+<", "<xmax>nan<"),
        r"03\.xml: object 1 \(disk\) is \d+ \d+ nan",
        "correct or remove",
    ),
    "NaN in a table": (nan_in_a_table, r"boxes\.csv: line \d+ \(disk\) is 1 2 nan 9", "correct"),
    # 4: no labels, wrong folders
    "no box in COCO": (
        lambda folder: write_objects(folder, 8, empty=range(8)),
        "holds 8 pictures and no box",
        "belong to these pictures",
    ),
    "no box in YOLO": (
        lambda folder: write_yolo(folder, empty=range(8)),
        "holds 8 pictures and no box: its 8 txt files are empty",
        "check the program",
    ),
    "no labels": (
        lambda folder: [path.unlink() for path in (write_yolo(folder) / "labels").iterdir()],
        "holds 8 pictures and no box: there is no file in .*labels",
        "put the files",
    ),
    "crowds only": (
        lambda folder: changed(folder, all_crowds),
        r"holds 8 pictures and no box, but for \d+ crowds or difficult",
        "neither iscrowd nor difficult",
    ),
    "labels in another folder": (
        in_another_folder, r"annotations/00\.txt has boxes as YOLO", "rename .*s to labels"
    ),
    "a training set without boxes": (
        no_box_for_training, "the train set of .* has no boxes: 3 of the 8", "more pictures"
    ),
    "a validation set without boxes": (
        no_box_for_validation, "the validation set of .* has no boxes: 3 of the 8", "more pictures"
    ),
    "results without pictures": (
        lambda folder: changed(folder, as_results),
        r"boxes\.json is a list of results or annotations, without images",
        'under "annotations"',
    ),
    "two sets": (two_sets, r"VOCdevkit holds several sets .*: VOC2007, VOC2012", "name one of"),
    # 5: classes off by one
    "ids from 1 in YOLO": (
        lambda folder: write_yolo(folder, shift=1),
        r"labels/0\d\.txt: line \d is of class 2",
        "ids go from 1 to 2, in YOLO they count from 0: subtract 1",
    ),
    "a class without a name": (
        with_line("7 0.5 0.5 0.1 0.1"),
        r"labels/02\.txt: line 1 is of class 7",
        "number the classes from 0, or add their names",
    ),
    "names and their number": (other_names, r"data\.yaml: nc is 3, and there are 2", "correct nc"),
    "an unlisted category": (
        lambda folder: changed(folder, one_more_category),
        r"boxes\.json: annotation 5 is of category 5",
        "add the category",
    ),
    "categories off by one": (
        lambda folder: changed(folder, categories_from_zero),
        r"boxes\.json: annotation \d+ is of category 2",
        "categories from 1 to 2, the list from 0 to 1: they are off by one",
    ),
    # pictures and files that do not fit each other
    "no picture in COCO": (
        without("images/03.png", lambda folder: write_objects(folder, 8)),
        r"boxes\.json names the picture '03\.png'",
        "put the pictures",
    ),
    "no pictures at all": (
        without("images", lambda folder: write_objects(folder, 8)),
        r"names the picture '00\.png', of which .* has none",
        "put the pictures",
    ),
    "no picture in Pascal VOC": (
        without("JPEGImages/03.png", write_voc), r"Annotations/03\.xml has no picture", "add the"
    ),
    "no picture in YOLO": (
        without("images/03.png", write_yolo), r"labels/03\.txt has no picture", "add the picture"
    ),
    "no picture in a table": (
        without("images/03.png", write_table), r"boxes\.csv names the picture '03\.png'", "put the"
    ),
    "labels of a picture that does not exist": (
        with_line("0 .5 .5 .1 .1", "labels/99.txt"), r"labels/99\.txt has no picture", "remove"
    ),
    "pictures of one name in YOLO": (
        two_of_one_name(write_yolo, "images/03.png"),
        r"images/03\.jpg and 03\.png have the same name",
        "rename or remove",
    ),
    "pictures of one name in Pascal VOC": (
        two_of_one_name(write_voc, "JPEGImages/03.png"),
        r"JPEGImages/03\.jpg and 03\.png have the same name",
        "rename or remove",
    ),
    "pictures of one name in COCO": (
        in_two_folders, r"names the picture '03\.png', of which .* has 2", "put the pictures"
    ),
    "a picture listed twice": (
        lambda folder: changed(folder, listed_twice),
        r"boxes\.json: the images 3 and 77 are both .*02\.png",
        "give all annotations of the picture one image_id",
    ),
    # lines of YOLO
    "4 columns": (with_line("0 .5 .5 .1"), r"02\.txt: line 1 is '0 \.5 \.5 \.1'", "four numbers"),
    "4 columns everywhere": (
        with_lines(lambda line: line.partition(" ")[2]),
        r"labels/00\.txt: line 1 is '0\.",
        "write the class as an integer",
    ),
    "half a corner": (
        with_line("0 .1 .1 .3 .1 .3 .4 .5"), r"02\.txt: line 1 is '0 \.1", "four numbers"
    ),
    "commas": (
        with_lines(lambda line: line.replace(" ", ",")),
        r"labels/00\.txt cannot be read as labels of YOLO \(line 1",
        "spaces between them",
    ),
    "names in place of ids": (
        with_lines(lambda line: "disk" + line[1:]),
        r"labels/00\.txt cannot be read as labels of YOLO \(line 1: 'disk",
        "the class as an integer from 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_boxes_that_cannot_be_used_are_an_error_that_names_the_file_and_a_fix(tmp_path, case):
    write, came, fix = CASES[case]
    write(tmp_path / "set")
    before = sorted(tmp_path.rglob("*"))
    code, _, err = cutaway("train", tmp_path / "set", "--out", tmp_path / "run")
    assert code == 2
    assert re.search(came, err.partition("expected:")[0]), err
    assert "bug in Cutaway" not in err and "expected:" in err, err
    assert re.search(fix, err.partition("fix:")[2]), err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_list_of_results_is_no_text_to_learn(tmp_path):
    changed(tmp_path / "set", as_results)
    code, _, err = cutaway("train", tmp_path / "set" / "boxes.json", "--out", tmp_path / "run")
    assert code == 2 and "is a list of results or annotations" in err
