"""Pictures with boxes: from a folder to a detector, on drawn disks and squares."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import cutaway as ct
from cutaway.boxes import grid_of_boxes
from cutaway.errors import OptionError
from cutaway.metrics.detection_errors import ERRORS, iou_matrix
from cutaway.runs import Run, prepare, write_report
from cutaway.runs.class_weights import weights_of_classes
from cutaway.runs.explain import explain_row
from cutaway.runs.found_objects import Truth
from cutaway.runs.object_data import fits_of_boxes, picture_size
from cutaway.runs.object_explain import yolo_lesson
from cutaway.runs.object_networks import GRID, detector_of, fitted_share
from cutaway.runs.object_training import best_threshold
from cutaway.runs.objects import ObjectRows
from tests.runs.drawn_sets import write_masks, write_objects
from tests.runs.small_backbone import small_resnet, with_small_backbone
from tests.runs.untrained import write_untrained

pytestmark = pytest.mark.usefixtures("compile_quickly")

OPTIONS = {
    "model": "yolo",
    "from_": "small",
    "epochs": 3,
    "batch_size": 4,
    "validation": 0.3,
    "lr": 5e-3,
}


@pytest.fixture(autouse=True, scope="module")
def small_body():
    with with_small_backbone():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("objects") / "set", 8, empty=(2,))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    experiment = prepare(folder, **OPTIONS)
    assert experiment.kind == "objects"
    return experiment.train(tmp_path_factory.mktemp("runs") / "run", progress=False)


@pytest.mark.slow
def test_the_history_has_the_average_precision_of_each_epoch(run):
    for name in ("val_ap", "val_ap50", "loss_boxes", "loss_objectness", "val_loss"):
        assert np.isfinite(run.history[name]).all()
    assert run.history["loss"][-1] < run.history["loss"][0]
    for name in ("train", "validation"):
        assert set(run.metrics[name]) >= {"ap", "ap50", "ar_100", "ap50_disk", "ap50_square"}


@pytest.mark.slow
def test_the_frozen_body_keeps_its_weights_and_statistics(run):
    body = small_resnet(pretrained="drawn").state_dict()
    trained = run.net.state_dict()
    for path, value in trained.items():
        if ".body." in path:
            np.testing.assert_array_equal(value, body[path.partition(".body.")[2]])
    assert any(".body." in path for path in trained)


@pytest.mark.slow
def test_an_opened_run_finds_the_same_objects(run, folder):
    rows = run.preprocessing.read(folder)
    found = run.preprocessing.compared(run, rows.to_dicts())
    opened = Run.open(run.path)
    again = opened.preprocessing.compared(opened, opened.preprocessing.read(folder).to_dicts())
    assert len(found) == 8
    for one, other in zip(found, again, strict=True):
        for part, expected in zip(one.found[:3], other.found[:3], strict=True):
            np.testing.assert_array_equal(part, expected)
        assert (one.found.boxes >= 0).all()
        assert (one.found.boxes <= [96, 64, 96, 64]).all()
    assert run.evaluate(folder)[0] == opened.evaluate(folder)[0]


@pytest.mark.slow
def test_two_trainings_with_one_seed_are_the_same_bit_for_bit_also_resumed(run, folder, tmp_path):
    shorter = prepare(folder, **{**OPTIONS, "epochs": 1, "schedule": "constant"})
    shorter.train(tmp_path / "b", progress=False)
    options = {**OPTIONS, "epochs": 2, "schedule": "constant"}
    resumed = prepare(folder, **options).train(tmp_path / "b", resume=True, progress=False)
    whole = prepare(folder, **options).train(tmp_path / "c", progress=False)
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
    assert whole.metrics["validation"] == resumed.metrics["validation"]


def test_boxes_are_put_back_into_pictures_of_any_size():
    rows = ObjectRows((64, 96), 3, ["a"], [1])
    boxes = np.array([[10.0, 20.0, 110.0, 90.0], [0.0, 0.0, 300.0, 200.0]])
    framed = rows.framing.geometry((200, 300)).boxes(boxes)
    assert framed[1].tolist() == [0.0, 0.0, 96.0, 64.0]
    found = {
        "boxes": framed, "scores": np.array([0.9, 0.4]), "classes": np.array([0, 0]),
        "valid": np.array([True, True]),
    }  # fmt: skip
    put_back = rows.restored_detections(found, (200, 300))
    np.testing.assert_allclose(put_back.boxes, boxes, atol=1e-9)
    assert put_back.above(0.5).boxes.shape == (1, 4)


def test_the_size_of_pictures_follows_from_theirs():
    same, mixed = np.array([[240, 320]] * 3), np.array([[240, 320], [900, 600], [500, 375]])
    assert picture_size(None, same) == (256, 320)
    assert picture_size(None, mixed) == (320, 320)
    assert picture_size(None, np.array([[1080, 1920]])) == (192, 320)
    assert picture_size((100, 33), same) == (128, 64)
    assert picture_size(416, same) == (320, 416)
    assert picture_size(416, mixed) == (416, 416)


def test_the_threshold_has_the_largest_mean_f1():
    recall, precision = np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.5, 2 / 3])
    assert best_threshold([(recall, precision, np.array([0.9, 0.6, 0.3]))]) == 0.3
    assert best_threshold([(recall, precision, np.array([0.9, 0.2, 0.1]))]) == 0.1
    none = np.full(1, np.nan)
    assert best_threshold([(none, np.zeros(1), np.ones(1))]) == 0.5


def test_ignored_objects_are_neither_taught_nor_counted():
    rows = ObjectRows((64, 96), 3, ["a"], [1])
    truth = Truth(np.array([[0.0, 0, 10, 10], [20, 20, 40, 40]]), np.array([0, 0]),
                  np.array([True, False]))  # fmt: skip
    target = rows.framed_target(truth, (64, 96), 4)
    assert target["valid"].tolist() == [True, False, False, False]
    assert target["boxes"][0].tolist() == [20, 20, 40, 40]


def test_gray_pictures_are_taught_as_they_are_predicted(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "gray")
    for path in (tmp_path / "gray" / "images").iterdir():
        with Image.open(path) as picture:
            picture.convert("L").save(path)
    prepared = prepare(tmp_path / "gray", **OPTIONS)
    x, y = next(iter(prepared.stream.blocks(0)))
    assert x.shape[1:] == prepared.x.shape[1:] == (64, 96, 3)
    assert set(y) == set(prepared.y) == {"boxes", "classes", "valid"}


def test_mosaics_windows_and_colors_reach_the_training(folder):
    plain = prepare(folder, **OPTIONS)
    changed = prepare(folder, **OPTIONS, mosaic=0.5, patches=0.5, color=0.3)
    (x, y), (other_x, other_y) = (next(iter(e.stream.blocks(0))) for e in (plain, changed))
    assert other_x.shape == x.shape and other_x.dtype == x.dtype and (other_x != x).any()
    assert other_y["boxes"].shape == (len(x), 4 * y["boxes"].shape[1], 4)
    height, width = x.shape[1:3]
    boxes = other_y["boxes"][other_y["valid"]]
    assert len(boxes) and (boxes >= 0).all() and (boxes <= [width, height] * 2).all()
    with pytest.raises(OptionError, match=r"mosaic is 1\.5"):
        prepare(folder, **OPTIONS, mosaic=1.5)


@pytest.mark.slow
def test_the_lessons_of_all_priors_of_a_picture_are_its_loss(run, folder):
    rows, net = run.preprocessing, run.net
    row = rows.read(folder).to_dicts()[0]
    x = rows.framed(rows.input_of(row))[None]
    truth = rows.framed_truth(row)
    truth["boxes"] = np.concatenate([truth["boxes"], truth["boxes"][:1] + 1])  # two in one cell
    truth["classes"] = np.concatenate([truth["classes"], 1 - truth["classes"][:1]])
    with ct.no_grad():
        raws = [raw.numpy() for raw in net.raw(ct.Tensor(x))]
    y = {
        "boxes": truth["boxes"][None].astype(np.float32),
        "classes": truth["classes"][None],
        "valid": np.ones((1, len(truth["boxes"])), bool),
    }
    expected = {name: term.item() for name, term in net.losses(ct.Tensor(x), y).items()}
    found = dict.fromkeys(expected, 0.0)
    told = set()
    for candidate in range(sum(raw[..., 0].size for raw in raws)):
        numbers = range(len(truth["boxes"]))
        lesson, terms = yolo_lesson(
            net, raws, candidate, truth["boxes"], truth["classes"], numbers, rows.names
        )
        told.add(lesson[:40])
        for name, term in terms.items():
            found[name] += term
    assert found == pytest.approx(expected, rel=1e-3)
    assert len(told) >= 2


def test_class_weights_are_balanced_or_named(folder):
    names, counts = ["a", "b", "c"], [30, 10, 0]
    assert weights_of_classes("balanced", names, counts) == pytest.approx([2 / 3, 2.0, 1.0])
    assert weights_of_classes(" b = 2.5,a=0.5", names, counts) == [0.5, 2.5, 1.0]
    for given, words in (
        ("d=2", "no class 'd'"), ("a", "'a'"), ("a=x", "'a=x'"), ("a=0", "above 0"), ("", "''"),
        ("a=nan", "'a=nan'"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            weights_of_classes(given, names, counts)
    for model in ("yolo", "ssd", "faster-rcnn"):
        prepared = prepare(folder, **{**OPTIONS, "model": model}, class_weights="square=3")
        assert prepared.spec["class_weights"] == [1.0, 3.0]
        assert detector_of(prepared.spec).class_weights == (1.0, 3.0)
    assert "class_weights" not in prepare(folder, **OPTIONS).spec


def test_wrong_options_are_named(folder):
    with pytest.raises(OptionError, match="one of faster-rcnn, yolo, ssd, mask-rcnn, fast-rcnn"):
        prepare(folder, model="yolov3-tiny", from_="small")
    with pytest.raises(OptionError, match="dropout"):
        prepare(folder, dropout=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["ssd", "faster-rcnn", pytest.param("fast-rcnn", marks=pytest.mark.longest)]
)
def test_other_detectors_are_trained_opened_explained_and_resumed_to_the_same_bits(
    folder, tmp_path, model
):
    options = {**OPTIONS, "model": model, "schedule": "constant"}
    prepare(folder, **{**options, "epochs": 1}).train(tmp_path / "a", progress=False)
    resumed = prepare(folder, **{**options, "epochs": 2}).train(
        tmp_path / "a", resume=True, progress=False
    )
    whole = prepare(folder, **{**options, "epochs": 2}).train(tmp_path / "b", progress=False)
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
    opened = Run.open(tmp_path / "a")
    assert opened.evaluate(folder) == whole.evaluate(folder)
    if model.endswith("rcnn"):  # hardly trained: any score will do
        opened.net.regions = opened.net.regions._replace(score=0.0)
    explained = explain_row(opened, folder, 0, box=0)
    made = explained.parts[1][1]
    found = explained.parts[0][1].found
    rows = opened.preprocessing
    back = rows.framing.undo_boxes(made.box[None], (64, 96))[0]
    np.testing.assert_allclose(back, found.boxes[0], atol=1e-2)
    assert made.score == pytest.approx(found.scores[0], rel=1e-4)


@pytest.mark.slow
def test_the_arithmetic_of_a_box_leads_to_the_box_and_what_covers_it_is_left_out(run, folder):
    rows = run.preprocessing
    for box in range(3):
        explained = explain_row(run, folder, 0, box=box)
        headings = [heading for heading, _ in explained.parts]
        assert headings[0] == "Boxes" and headings[2] == "Boxes that it left out"
        listed, made, left_out, matching, share, seen = (part for _, part in explained.parts)
        assert seen.layer == made.layer
        back = rows.framing.undo_boxes(made.box[None], (64, 96))[0]
        np.testing.assert_allclose(back, listed.found.boxes[box], atol=1e-2)
        assert made.score == pytest.approx(listed.found.scores[box], rel=1e-4)
        own = np.clip(made.box, 0, [96, 64, 96, 64])[None]
        np.testing.assert_allclose(iou_matrix(own, left_out.boxes)[0], left_out.overlaps, atol=1e-4)
        assert (left_out.overlaps > 0.45).all() and (left_out.scores <= made.score).all()
        assert 0 <= share.inside <= 1
        assert matching.verdict in ERRORS
        json.dumps(explained.to_dict())
        assert all(len(line) <= 80 for line in explained.text().split("\n"))
    with pytest.raises(OptionError, match="there is no box 5000"):
        explain_row(run, folder, 0, box=5000)


def test_a_box_of_another_kind_of_data_is_refused(tmp_path):
    masks = prepare(write_masks(tmp_path / "m", 4), width=4, levels=2, size=32, epochs=1)
    with pytest.raises(OptionError, match="a run of pictures with boxes"):
        explain_row(write_untrained(tmp_path / "r", masks), None, 0, box=1)


@pytest.mark.slow
def test_predictions_are_drawn_and_written_and_read_again(run, folder, tmp_path):
    run.preprocessing.threshold = 0.0
    found = run.predict_files(folder / "images")
    assert found.names[:2] == ["00.png", "labels/00.txt"] and found.inputs[0].endswith("00.png")
    rows = []
    for one in found.each:
        rows += one.rows
        assert next(iter(one.files)).endswith(".png")
    last = found.last()
    assert len(json.loads(last["detections.json"])["annotations"]) == len(rows)
    assert last["detections.csv"].count(b"\n") == len(rows) + 1
    frame, _ = run.predict(folder / "images")
    assert frame.columns == ["picture", "class", "score", "x1", "y1", "x2", "y2"]
    assert len(frame) == len(rows)


@pytest.mark.slow
def test_the_report_shows_boxes_priors_and_the_worst_pictures(folder, tmp_path):
    prepared = prepare(folder, **{**OPTIONS, "epochs": 1})
    trained = prepared.train(tmp_path / "r", progress=False)
    write_report(prepared, trained)
    page = (tmp_path / "r" / "report.html").read_text()
    for text in ("AP50", "background", "how well the best prior fits", "missed", "invented"):
        assert text in page


def test_the_grid_of_fast_rcnn_fits_the_boxes_of_the_training_set(folder):
    prepared = prepare(folder, **{**OPTIONS, "model": "fast-rcnn"})
    rows, spec = prepared.preprocessing, prepared.spec
    frame = prepared.frame[prepared.sets["train"]]
    best, labels = fits_of_boxes(rows, frame, spec)
    boxes = np.concatenate([row["target"].boxes for row in frame.to_dicts()])
    grid = grid_of_boxes((64, 96), spec["priors"], share=spec["share"])
    np.testing.assert_allclose(best, iou_matrix(boxes, grid.astype(float)).max(axis=1), atol=1e-5)
    assert len(boxes) == len(labels) and best.min() >= 0.5
    assert prepared.net.source == "grid" and prepared.net.shapes == [
        tuple(p) for p in spec["priors"]
    ]


def test_a_grid_of_small_objects_has_no_more_boxes_than_can_be_read():
    coarse = fitted_share([(8, 8), (9, 8)], (256, 320))["share"]
    assert 1 <= coarse < fitted_share([(60, 50)], (256, 320))["share"]
    assert 0.8 * GRID < len(grid_of_boxes((256, 320), [(8, 8), (9, 8)], share=coarse)) <= GRID


def test_a_search_begins_with_the_pretrained_weights(folder):
    prepared = prepare(folder, **OPTIONS)
    other = prepared.with_options(dataclasses.replace(prepared.options, lr=0.1))
    state = other.net.state_dict()
    for path, value in small_resnet(pretrained="drawn").state_dict().items():
        if f"net.body.{path}" in state:
            np.testing.assert_array_equal(state[f"net.body.{path}"], value)


def test_a_split_that_pictures_cannot_have_says_which_they_can(folder):
    for split, words in (("group:patient", "have no columns"), ("nowhere.txt", "no such list")):
        with pytest.raises(OptionError, match=words) as caught:
            prepare(folder, **OPTIONS, split=split)
        assert "train.txt, val.txt, test.txt" in str(caught.value)
        assert "COLUMN" not in str(caught.value)
