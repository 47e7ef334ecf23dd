"""Pictures with boxes: COCO, Pascal VOC, YOLO and tables say the same, and bad boxes are named."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from cutaway.data import (
    ExampleAugmentation,
    Framing,
    RandomGeometry,
    find_objects,
    looks_like_objects,
    stream_examples,
)
from cutaway.data.outlines import outline_mask, runs_of_text
from cutaway.data.yolo_labels import names_of_yaml
from cutaway.errors import DataError, OptionError

# (40 wide, 30 high): boxes x1 y1 x2 y2 and class of each picture, the last one without
SIZE = (30, 40)
BOXES = {
    "a": [([4, 6, 20, 26], "cat"), ([0, 0, 40, 30], "dog")],
    "b": [([10, 3, 12, 9], "dog")],
    "c": [],
}


def write_pictures(folder, names=BOXES, size=SIZE):
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        Image.fromarray(np.full((*size, 3), 40 * k + 9, np.uint8)).save(folder / f"{name}.png")


def coco_content(boxes=BOXES, **more):
    ids = {"dog": 7, "cat": 3, "horse": 90}
    images = [
        {"id": 10 + k, "file_name": f"{n}.png", "width": 40, "height": 30}
        for k, n in enumerate(boxes)
    ]
    annotations = [
        {
            "id": 100 * k + j,
            "image_id": 10 + k,
            "category_id": ids[kind],
            "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
            "iscrowd": 0,
        }
        for k, own in enumerate(boxes.values())
        for j, (b, kind) in enumerate(own)
    ]
    categories = [{"id": v, "name": k} for k, v in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories, **more}


def write_coco(root, content=None):
    write_pictures(root / "images")
    (root / "annotations.json").write_text(json.dumps(content or coco_content()))
    return root


def voc_text(own, size=SIZE, difficult=0):
    objects = "".join(
        f"<object><name>{kind}</name><difficult>{difficult}</difficult><bndbox>"
        f"<xmin>{b[0] + 1}</xmin><ymin>{b[1] + 1}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax>"
        "</bndbox></object>"
        for b, kind in own
    )
    width, height = size[1], size[0]
    return (
        f"<annotation><size><width>{width}</width><height>{height}</height></size>"
        f"{objects}</annotation>"
    )


def write_voc(root):
    write_pictures(root / "JPEGImages")
    (root / "Annotations").mkdir()
    for name, own in BOXES.items():
        if own:
            (root / "Annotations" / f"{name}.xml").write_text(voc_text(own))
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "train.txt").write_text("a\nc\n")
    (root / "ImageSets" / "Main" / "test.txt").write_text("b\n")
    return root


def write_yolo(root):
    write_pictures(root / "images")
    (root / "labels").mkdir()
    kinds = ["horse", "dog", "cat"]
    for name, own in BOXES.items():
        lines = [
            f"{kinds.index(kind)} {(b[0] + b[2]) / 80} {(b[1] + b[3]) / 60} "
            f"{(b[2] - b[0]) / 40} {(b[3] - b[1]) / 30}\n"
            for b, kind in own
        ]
        if own:
            (root / "labels" / f"{name}.txt").write_text("".join(lines))
    (root / "data.yaml").write_text("path: .\nnc: 3  # classes\nnames: [horse, 'dog', \"cat\"]\n")
    return root


def write_table(root, header="filename,width,height,class,xmin,ymin,xmax,ymax"):
    write_pictures(root / "photos")
    lines = [header] if header else []
    for name, own in BOXES.items():
        for b, kind in own or [([""] * 4, "")]:
            corners = ",".join(map(str, b))
            if header:
                lines.append(f"photos/{name}.png,40,30,{kind},{corners}")
            else:
                lines.append(f"{name}.png,{corners},{kind}")
    (root / "boxes.csv").write_text("\n".join(lines) + "\n")
    return root


WRITERS = {"coco": write_coco, "voc": write_voc, "yolo": write_yolo, "table": write_table}
CLASSES = {
    "coco": ["cat", "dog", "horse"],  # by their ids
    "voc": ["cat", "dog"],
    "yolo": ["horse", "dog", "cat"],
    "table": ["cat", "dog"],
}


@pytest.mark.parametrize("form", WRITERS)
def test_all_forms_give_the_same_boxes_and_keep_pictures_without_any(form, tmp_path):
    root = WRITERS[form](tmp_path)
    assert looks_like_objects(root)
    found = find_objects(root)
    assert found.classes == CLASSES[form]
    assert [name.rpartition("/")[2] for name in found.names] == ["a", "b", "c"]
    for row, own in enumerate(BOXES.values()):
        expected = np.array([b for b, _ in own], np.float32).reshape(-1, 4)
        np.testing.assert_allclose(found.boxes[row], expected, atol=1e-4)
        assert [found.classes[k] for k in found.labels[row]] == [kind for _, kind in own]
    assert "1 of 3 pictures have no boxes" in found.notes
    assert found.capacity == 8 and found.counts.sum() == 3
    picture, target = found.example(1)
    assert picture.shape == (*SIZE, 3) and target["valid"].tolist() == [True] + [False] * 7
    assert target["boxes"].shape == (8, 4) and target["boxes"].dtype == np.float32
    x, y = found.arrays(Framing("letterbox", (80, 80)))
    assert x.shape == (3, 80, 80, 3) and y["boxes"].shape == (3, 8, 4)
    np.testing.assert_allclose(y["boxes"][0, 0], [8, 22, 40, 62], atol=1e-4)
    assert find_objects(root, form=form).names == found.names
    subset = found.subset([1])
    assert subset.capacity == 8 and subset.example(0)[1]["valid"].sum() == 1


def test_splits_are_those_of_lists_folders_and_files(tmp_path):
    voc = find_objects(write_voc(tmp_path / "voc"))
    assert {k: v.tolist() for k, v in voc.splits.items()} == {"train": [0, 2], "test": [1]}
    for split in ("train", "valid"):
        write_yolo(tmp_path / "yolo" / split)
    yolo = find_objects(tmp_path / "yolo")
    assert {k: len(v) for k, v in yolo.splits.items()} == {"train": 3, "validation": 3}
    for split in ("train", "val"):
        write_pictures(tmp_path / "coco" / "images" / split)
        path = tmp_path / "coco" / f"instances_{split}.json"
        path.write_text(json.dumps(coco_content()))
    coco = find_objects(tmp_path / "coco")
    assert {k: v.tolist() for k, v in coco.splits.items()} == {
        "train": [0, 1, 2],
        "validation": [3, 4, 5],
    }
    assert coco.names[0] == "images/train/a" and coco.names[3] == "images/val/a"
    assert len(find_objects(tmp_path / "coco" / "instances_val.json").names) == 3


def test_pictures_for_training_are_those_of_trainval_but_for_val(tmp_path):
    lists = write_voc(tmp_path) / "ImageSets" / "Main"
    (lists / "train.txt").rename(lists / "trainval.txt")
    found = find_objects(tmp_path).splits
    assert {k: v.tolist() for k, v in found.items()} == {"train": [0, 2], "test": [1]}
    (lists / "val.txt").write_text("c\n")
    found = find_objects(tmp_path).splits
    assert {k: v.tolist() for k, v in found.items()} == {
        "train": [0], "validation": [2], "test": [1],
    }  # fmt: skip


def test_splits_of_yolo_may_be_lists_or_folders_that_data_yaml_names(tmp_path):
    root = write_yolo(tmp_path)
    names = (root / "data.yaml").read_text()
    (root / "lists").mkdir()
    (root / "lists" / "train.txt").write_text("./images/c.png\nimages/a.png\n")
    (root / "lists" / "val.txt").write_text("/somewhere/else/b.png\n")
    (root / "data.yaml").write_text(f"{names}train: lists/train.txt\nval: 'lists/val.txt'  # b\n")
    found = find_objects(root).splits
    assert {k: v.tolist() for k, v in found.items()} == {"train": [0, 2], "validation": [1]}
    (root / "lists" / "val.txt").write_text("images/d.png\n")
    with pytest.raises(DataError, match=r"lists 'images/d.png', which is not there"):
        find_objects(root)
    (root / "data.yaml").write_text(f"{names}train: images\nval: images\n")
    assert find_objects(root).splits == {}  # the same pictures: no split


def test_many_pictures_without_boxes_come_first_and_yolo_is_recognized(tmp_path):
    root = write_yolo(tmp_path)
    for k in range(60):
        (root / "labels" / f"0{k:02}.txt").write_text("")
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(root / "images" / f"0{k:02}.png")
    assert find_objects(root).counts.sum() == 3


def test_a_table_may_have_no_header_or_sides_or_splits(tmp_path):
    bare = find_objects(write_table(tmp_path / "bare", header=None))
    assert [len(b) for b in bare.boxes] == [2, 1, 0]
    write_pictures(tmp_path / "sides")
    (tmp_path / "sides" / "boxes.csv").write_text(
        "Image;X;Y;Width;Height;Label;split\na.png;1;2;10;5;9;train\nb;3;3;4;4;10;test\n"
    )
    with pytest.raises(DataError, match="names the picture 'b'"):
        find_objects(tmp_path / "sides")
    path = tmp_path / "sides" / "boxes.csv"
    path.write_text(path.read_text().replace("\nb;", "\nb.png;"))
    found = find_objects(path)
    assert found.boxes[0].tolist() == [[1, 2, 11, 7]] and found.classes == ["9", "10"]
    assert {k: v.tolist() for k, v in found.splits.items()} == {"train": [0], "test": [1]}


def test_crowds_and_difficult_objects_are_kept_but_not_taught(tmp_path):
    content = coco_content()
    runs = {"counts": [0, 30 * 40], "size": [30, 40]}
    content["annotations"][1] |= {"iscrowd": 1, "segmentation": runs}
    found = find_objects(write_coco(tmp_path / "coco", content))
    assert found.ignored[0].tolist() == [False, True] and len(found.boxes[0]) == 2
    assert found.target(0)["valid"].sum() == 1 and found.mask(0, 1).all()
    assert any("1 boxes are crowds or difficult" in note for note in found.notes)
    root = write_voc(tmp_path / "voc")
    (root / "Annotations" / "a.xml").write_text(voc_text(BOXES["a"], difficult=1))
    assert find_objects(root).ignored[0].tolist() == [True, True]


def test_masks_are_those_of_pycocotools():
    # pycocotools 2.0.11: encode, and frPyObjects of a polygon
    runs = "311011OO110O33NM00N71I21M012"
    bits = np.unpackbits(np.array([112, 21, 60, 65, 153, 90, 151, 190], np.uint8))[:63]
    mask = outline_mask({"counts": runs, "size": [9, 7]}, (9, 7))
    np.testing.assert_array_equal(mask, bits.reshape(9, 7).astype(bool))
    long = (
        "d02a0O31b0000A=[OI=7CI=7CI=7CI=ME1N2=ME1N2=ME1N2=ME1N2=7CI=7CI=7CI=7CI=7CI=7CI=7CI=7CIl0J8"
    )
    long += "0" * 21 + "\\OO11O"
    counts = runs_of_text(long)
    expected = np.zeros((40, 33), bool)
    expected[5:30, 4:20], expected[10:14, 8:12] = True, False
    expected[0, 32] = expected[39, 0] = True
    expected[20:22] ^= True
    mask = outline_mask({"counts": counts, "size": [40, 33]}, (40, 33))
    np.testing.assert_array_equal(mask, expected)
    polygon = outline_mask([[3, 4, 28.5, 6, 20, 35, 5, 30]], (40, 33))
    assert abs(int(polygon.sum()) - 564) < 12
    # a rectangle covers exactly its pixels
    square = outline_mask([[2, 3, 7, 3, 7, 6, 2, 6]], (10, 10))
    assert square[3:6, 2:7].all() and square.sum() == 15
    for bad in ("0#", "o", "0" * 3, [2**62, 2**62, 2**62, 2**62 + 63]):
        with pytest.raises(DataError):
            outline_mask({"counts": bad, "size": [9, 7]}, (9, 7))


def test_polygons_of_yolo_are_boxes_and_outlines(tmp_path):
    root = write_yolo(tmp_path)
    (root / "labels" / "b.txt").write_text("1 0.25 0.2 0.5 0.2 0.5 0.6 0.25 0.6\n")
    found = find_objects(root)
    np.testing.assert_allclose(found.boxes[1], [[10, 6, 20, 18]], atol=1e-4)
    mask = found.mask(1, 0)
    assert mask[6:18, 10:20].all() and mask.sum() == 12 * 10
    assert found.mask(0, 0)[6:26, 4:20].all() and found.mask(0, 0).sum() == 20 * 16


@pytest.mark.parametrize(
    "text",
    ["names:\n  0: a b\n  1: 'c'\n", "names:\n- a b\n- c\nnc: 2\n", "nc: 2\nnames: {0: a b, 1: c}",
     "names: ['a b',\n  c]\n"],
)  # fmt: skip
def test_names_of_classes_in_a_yaml(text, tmp_path):
    (tmp_path / "data.yaml").write_text(text)
    assert names_of_yaml(tmp_path / "data.yaml") == ["a b", "c"]


def many(bad, count=60):
    """Boxes of three pictures, some of them bad."""
    good = [([k % 30, k % 20, k % 30 + 5, k % 20 + 6], "cat") for k in range(count)]
    return {"a": good + bad, "b": good, "c": []}


@pytest.mark.parametrize(
    ("box", "what"),
    [
        ([5, 5, 5, 9], "annotation 60 (cat), x1 y1 x2 y2 = 5 5 5 9, has no area"),
        ([20, 9, 8, 12], "annotation 60 (cat), x1 y1 x2 y2 = 20 9 8 12, ends before it begins"),
        ([50, 5, 60, 9], "lies outside of the picture, 40 x 30 pixels"),
    ],
)
def test_a_few_bad_boxes_are_left_out_and_named_with_file_and_number(box, what, tmp_path):
    found = find_objects(write_coco(tmp_path, coco_content(many([(box, "cat")]))))
    assert len(found.boxes[0]) == 60
    note = next(note for note in found.notes if "left out" in note)
    assert "annotations.json" in note and what in note


def test_boxes_in_another_convention_are_an_error_that_says_which(tmp_path):
    wrong = {k: [([b[2], b[3], b[0], b[1]], c) for b, c in own] for k, own in BOXES.items()}
    with pytest.raises(DataError, match=r"(?s)3 of 3 boxes are bad.*look like x y w h"):
        find_objects(write_coco(tmp_path / "inverted", coco_content(wrong)))
    # corners written as x, y, width, height reach beyond the picture
    content = coco_content()
    for annotation in content["annotations"]:
        annotation["bbox"] = [20, 20, 39, 29]
    with pytest.raises(DataError, match=r"(?s)reaches beyond.*corners in place of width"):
        find_objects(write_coco(tmp_path / "corners", content))
    # pixels in place of fractions
    root = write_yolo(tmp_path / "pixels")
    (root / "labels" / "b.txt").write_text("1 11 6 2 6\n")
    with pytest.raises(DataError, match=r"(?s)b\.txt: line 1 is.*divide by the width"):
        find_objects(root)


def test_a_set_is_found_one_or_two_folders_deeper(tmp_path):
    root = write_voc(tmp_path / "download" / "VOCdevkit" / "VOC2012")
    for path in (root, tmp_path / "download" / "VOCdevkit", tmp_path / "download"):
        found = find_objects(path)
        assert found.root == root and len(found) == 3
        assert {k: v.tolist() for k, v in found.splits.items()} == {"train": [0, 2], "test": [1]}
    assert "Annotations" in str(looks_like_objects(tmp_path / "download"))
    write_yolo(tmp_path / "zip" / "set")
    assert len(find_objects(tmp_path / "zip")) == 3
    # a picture at the top: the folder is no wrapping
    write_pictures(tmp_path / "zip", ["z"])
    assert looks_like_objects(tmp_path / "zip") is None


@pytest.mark.parametrize("is_flat", [False, True])
def test_pictures_of_equal_names_in_the_splits_of_voc_are_different_pictures(is_flat, tmp_path):
    for split in ("train", "valid"):
        root = write_voc(tmp_path / split)
        (root / "ImageSets" / "Main" / "train.txt").unlink()
        for part in ("JPEGImages", "Annotations") if is_flat else ():
            for path in (root / part).iterdir():
                path.rename(root / path.name)
            (root / part).rmdir()
    found = find_objects(tmp_path)
    assert [len(b) for b in found.boxes] == [2, 1, 0, 2, 1, 0]
    assert {k: v.tolist() for k, v in found.splits.items()} == {
        "train": [0, 1, 2], "validation": [3, 4, 5],
    }  # fmt: skip


def test_xml_files_may_lie_in_folders_of_splits_like_their_pictures(tmp_path):
    root = write_voc(tmp_path)
    shutil.rmtree(root / "ImageSets")
    for name, split in (("a", "train"), ("b", "val")):
        for part, suffix in (("JPEGImages", "png"), ("Annotations", "xml")):
            (root / part / split).mkdir()
            path = root / part / f"{name}.{suffix}"
            path.rename(root / part / split / path.name)
    (root / "JPEGImages" / "c.png").rename(root / "JPEGImages" / "val" / "c.png")
    (root / "Annotations").rename(root / "annotations")
    (root / "JPEGImages").rename(root / "images")
    found = find_objects(root)
    assert {k: v.tolist() for k, v in found.splits.items()} == {"train": [0], "validation": [1, 2]}
    assert [len(b) for b in found.boxes] == [2, 1, 0]


def test_data_yaml_may_be_named_itself_and_lie_elsewhere(tmp_path):
    root = write_yolo(tmp_path / "set")
    for part, suffix in (("images", "png"), ("labels", "txt")):
        for split, names in (("train", "ac"), ("val", "b")):
            (root / part / split).mkdir()
            for path in [root / part / f"{name}.{suffix}" for name in names]:
                if path.exists():
                    path.rename(root / part / split / path.name)
    (root / "data.yaml").unlink()
    elsewhere = tmp_path / "my.yaml"
    rest = "train: images/train\nval: images/val\nnames: [horse, dog, cat]\n"
    for given in (f"path: {root}  # absolute\n", "path: set\n"):
        elsewhere.write_text(given + rest)
        assert looks_like_objects(elsewhere)
        found = find_objects(elsewhere)
        assert found.classes == CLASSES["yolo"]
        assert {k: len(v) for k, v in found.splits.items()} == {"train": 2, "validation": 1}
    (root / "data.yaml").write_text("path: /home/somebody/set\n" + rest)  # of another machine
    for path in (root, root / "data.yaml"):
        assert find_objects(path).names == found.names
    elsewhere.write_text("path: /home/somebody/set\n" + rest)
    with pytest.raises(DataError, match=r"my\.yaml names the folder /home/somebody/set"):
        find_objects(elsewhere)
    elsewhere.write_text("names: none\n")
    assert looks_like_objects(elsewhere) is None


def test_ids_without_names_that_begin_with_1_are_told(tmp_path):
    root = write_yolo(tmp_path)
    (root / "data.yaml").unlink()
    found = find_objects(root)  # 1 and 2 of horse, dog, cat
    assert any("their ids begin with 1: in YOLO they count from 0" in n for n in found.notes)
    (root / "labels" / "b.txt").write_text("0 .5 .5 .2 .2 0.9\n")  # with the score of a detection
    found = find_objects(root)
    assert not any("begin with" in n for n in found.notes)
    np.testing.assert_allclose(found.boxes[1], [[16, 12, 24, 18]], atol=1e-4)


def test_a_class_named_background_is_told(tmp_path):
    root = write_voc(tmp_path)
    assert not any("background" in n for n in find_objects(root).notes)
    path = root / "Annotations" / "b.xml"
    path.write_text(path.read_text().replace("dog", "background"))
    assert any("is background by itself" in note for note in find_objects(root).notes)


def test_what_cannot_be_read_is_named_with_file_and_place(tmp_path):
    content = coco_content()
    content["annotations"][2]["category_id"] = 4
    with pytest.raises(DataError, match=r"annotations\.json: annotation 100 is of category 4"):
        find_objects(write_coco(tmp_path / "1", content))
    content = coco_content()
    content["annotations"][0]["bbox"][2] = None
    with pytest.raises(DataError, match=r"annotation 0 \(cat\) is .*nan"):
        find_objects(write_coco(tmp_path / "2", content))
    content = coco_content()
    content["annotations"][0]["image_id"] = "x"
    with pytest.raises(DataError, match="of image 'x', which is not listed"):
        find_objects(write_coco(tmp_path / "3", content))
    content = coco_content(images=[*coco_content()["images"], {"id": 99, "file_name": "z.png"}])
    with pytest.raises(DataError, match=r"names the picture 'z\.png'"):
        find_objects(write_coco(tmp_path / "4", content))
    content = coco_content()
    content["images"][0]["width"] = 41
    with pytest.raises(DataError, match=r"a\.png has 30 x 41 pixels, the file .* has 30 x 40"):
        find_objects(write_coco(tmp_path / "5", content))
    root = write_yolo(tmp_path / "6")
    (root / "labels" / "b.txt").write_text("\n3 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match=r"(?s)b\.txt: line 2 is of class 3.*from 0 to 2"):
        find_objects(root)
    (root / "labels" / "b.txt").write_text("1 0.5 0.5 0.1\n")
    with pytest.raises(DataError, match=r"b\.txt: line 1 is '1 0\.5 0\.5 0\.1'"):
        find_objects(root)
    root = write_voc(tmp_path / "7")
    (root / "Annotations" / "d.xml").write_text(voc_text([]))
    with pytest.raises(DataError, match=r"d\.xml has no picture"):
        find_objects(root)
    (root / "Annotations" / "d.xml").write_text("<annotation><object>")
    (root / "JPEGImages" / "d.png").write_bytes((root / "JPEGImages" / "a.png").read_bytes())
    with pytest.raises(DataError, match=r"d\.xml cannot be read as an annotation of Pascal VOC"):
        find_objects(root)
    write_pictures(tmp_path / "8")
    with pytest.raises(DataError, match="holds no pictures with boxes"):
        find_objects(tmp_path / "8")
    with pytest.raises(DataError, match="3 pictures and no box"):
        find_objects(write_coco(tmp_path / "9", coco_content({"a": [], "b": [], "c": []})))
    with pytest.raises(OptionError, match="pascal"):
        find_objects(root, form="pascal")


def test_classes_of_a_trained_set_number_those_of_another_one(tmp_path):
    found = find_objects(write_voc(tmp_path), classes=["dog", "horse", "cat"])
    assert found.labels[0].tolist() == [2, 0] and found.classes == ["dog", "horse", "cat"]
    with pytest.raises(DataError, match="boxes of the class 'cat'"):
        find_objects(tmp_path, classes=["dog"])


def test_corners_of_voc_that_count_from_0_are_noticed(tmp_path):
    root = write_voc(tmp_path)
    text = (root / "Annotations" / "b.xml").read_text().replace("<xmin>11<", "<xmin>0<")
    (root / "Annotations" / "b.xml").write_text(text)
    found = find_objects(root)
    assert found.boxes[1].tolist() == [[0, 4, 12, 9]]
    assert "corners count from 0: some are 0" in found.notes


def test_streams_of_boxes_are_moved_with_their_pictures_and_padded_to_one_number(tmp_path):
    found = find_objects(write_coco(tmp_path))
    roles = {"boxes": "boxes", "classes": "other", "valid": "valid"}
    augment = ExampleAugmentation(RandomGeometry(flips=(1,)), y_roles=roles)
    seen = set()
    for seed in range(4):
        for x, y in stream_examples(found, augment, block_rows=3).blocks(seed):
            assert x.shape == (3, *SIZE, 3) and y["boxes"].shape == (3, 8, 4)
            order = y["valid"].sum(axis=1)
            assert sorted(order.tolist()) == [0, 1, 2]
            seen.add(tuple(y["boxes"][list(order).index(1), 0].tolist()))
    assert seen == {(10, 3, 12, 9), (28, 3, 30, 9)}
