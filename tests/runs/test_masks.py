"""Pictures with masks: from a folder to predicted masks of the size and coding of the input."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score

import cutaway as ct
from cutaway.cli.use import predict_command
from cutaway.data import read_table
from cutaway.errors import DataError, OptionError
from cutaway.models import BasicBlock, ResNet
from cutaway.models.pretrained import PRETRAINED_BACKBONES, ImageBackbone
from cutaway.runs import Run, prepare, recognize, write_report
from cutaway.runs.dense import split_rows
from cutaway.runs.explain import explain_row
from cutaway.runs.export import export_run_onnx
from tests.runs.drawn_sets import disk, write_masks

SMALL = {"width": 4, "levels": 2, "size": 32, "epochs": 3, "lr": 0.02, "schedule": "constant"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of the data, Run) of a small network that has learned something."""
    folder = tmp_path_factory.mktemp("masks")
    write_masks(folder / "disks", 10)
    prepared = prepare(folder / "disks", **{**SMALL, "epochs": 20}, test=0.2)
    run = prepared.train(folder / "run", progress=False)
    write_report(prepared, run)
    return folder / "disks", run


def test_a_folder_of_pictures_and_masks_is_recognized(tmp_path):
    found = recognize(write_masks(tmp_path / "a", 3))
    reason = "3 pictures in images with masks of the same names in masks"
    assert (found.kind, found.reason) == ("masks", reason)


def test_a_small_network_learns_disks_and_its_scores_are_those_of_scikit_learn(trained):
    folder, run = trained
    opened = Run.open(run.path)
    scores, _ = opened.evaluate(folder)
    assert scores["mean_iou"] > 0.75 > scores["baseline_mean_iou"]
    frame = opened.preprocessing.read(folder)
    truth, predicted = [], []
    for row in frame.to_dicts():
        whole = opened.preprocessing.predict_whole(opened, opened.preprocessing.input_of(row))
        truth.append(opened.preprocessing.target_of(row).ravel())
        predicted.append((whole[..., 1] >= opened.preprocessing.threshold).ravel().astype(int))
    truth, predicted = np.concatenate(truth), np.concatenate(predicted)
    assert scores["mean_iou"] == pytest.approx(jaccard_score(truth, predicted, average="macro"))
    dice = f1_score(truth, predicted, average=None)
    names = opened.preprocessing.names
    assert [scores[f"dice_{name}"] for name in names] == pytest.approx(dice.tolist())
    assert scores["pixel_accuracy"] == pytest.approx((truth == predicted).mean())


def test_the_threshold_is_the_best_on_the_validation_pictures_and_is_kept(trained):
    _, run = trained
    kept = Run.open(run.path).preprocessing.threshold
    assert kept == run.preprocessing.threshold
    assert json.loads((run.path / "preprocessing.json").read_text())["threshold"] == kept


def test_predictions_of_gray_pictures_are_the_mean_of_four_turns_and_turn_with_them(trained):
    _, run = trained
    opened = Run.open(run.path)
    rows = opened.preprocessing
    x = disk((32, 32), np.random.default_rng(3))[0][..., None]
    found = rows.predict_whole(opened, x)
    views = [np.rot90(opened.outputs(np.rot90(x, k)[None])[0], -k) for k in range(4)]
    np.testing.assert_allclose(found, np.mean(views, axis=0), atol=1e-6)
    np.testing.assert_allclose(rows.predict_whole(opened, np.rot90(x)), np.rot90(found), atol=1e-5)


@pytest.mark.parametrize("option", [{}, {"turns": False}, {"augment": False}])
def test_predictions_are_turned_only_where_the_training_turned_pictures(tmp_path, option):
    prepared = prepare(write_masks(tmp_path / "disks", 4), **SMALL, **option)
    assert prepared.preprocessing.turned == (not option)
    assert prepared.preprocessing.to_json()["turned"] == (not option)


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (13, 5), (32, 32), (33, 95)])
def test_a_prediction_has_the_size_and_the_values_of_the_set(trained, tmp_path, size):
    _, run = trained
    picture, _ = disk(size, np.random.default_rng(1))
    Image.fromarray(picture).save(tmp_path / "p.png")
    found = run.predict_files(tmp_path / "p.png")
    assert found.names == ["p.png", "p_overlay.png"]
    (one,) = found.each
    for name, content in one.files.items():
        (tmp_path / "out.png").write_bytes(content)
        with Image.open(tmp_path / "out.png") as image:
            assert image.size == size[::-1], name
            if name == "p.png":
                assert set(np.unique(np.asarray(image))) <= {0, 255}
    assert (one.rows[0]["height"], one.rows[0]["width"]) == size


def test_predictions_go_into_a_table_a_file_or_a_folder_by_the_name_of_out(trained, tmp_path):
    folder, run = trained
    picture = next((folder / "images").iterdir())

    def predict(data, out):
        predict_command(run.path, data, out=out, force=False, as_json=True)

    predict(folder / "images", tmp_path / "shares.csv")
    assert len(read_table(tmp_path / "shares.csv")) == 10
    predict(picture, tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as image:
        assert set(np.unique(np.asarray(image))) <= {0, 255}
    predict(picture, tmp_path / "all")
    assert len([*(tmp_path / "all").iterdir()]) == 2
    for data, name in ((picture, "mask.jpg"), (folder / "images", "masks.png")):
        with pytest.raises(OptionError, match=r"expected: a folder, a file \.png for one input"):
            predict(data, tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_search_begins_each_trial_with_the_pretrained_weights(tmp_path, monkeypatch):
    monkeypatch.setitem(
        PRETRAINED_BACKBONES, "small", ImageBackbone(f"{__name__}:small_resnet", "drawn", "small")
    )
    prepared = prepare(write_masks(tmp_path / "disks", 4), from_="small", size=32)
    other = prepared.with_options(dataclasses.replace(prepared.options, lr=0.1))
    state = other.net.state_dict()
    for path, value in small_resnet(pretrained="drawn").state_dict().items():
        if not path.startswith("head"):
            np.testing.assert_array_equal(state[f"body.{path}"], value)


def small_resnet(classes=1000, *, pretrained=None):
    """Without a file: its weights are those of seed 7."""
    if pretrained is not None:
        ct.seed(7)
    return ResNet(BasicBlock, (1, 1, 1, 1), num_classes=classes, widths=(4, 8, 8, 8))


def test_the_report_shows_pictures_beside_truth_and_prediction(trained):
    _, run = trained
    page = (run.path / "report.html").read_text()
    for text in ("worst", "wrong pixels", "Mean IoU", "threshold", "truth"):
        assert text in page
    assert page.count("<img") == 7 + 4


@pytest.mark.slow
def test_an_exported_network_takes_pictures_of_other_sizes(trained, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    _, run = trained
    about = export_run_onnx(run, tmp_path / "net.onnx")
    assert about["inputs"]["pictures"]["shape"] == ["batch", "size_1", "size_2", 1]
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    for shape in ((2, 32, 32, 1), (1, 16, 48, 1)):
        x = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        (found,) = session.run(None, {"pictures": x})
        p = np.exp(found) / np.exp(found).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(p, run.outputs(x), atol=1e-5)


@pytest.mark.slow
def test_a_mask_is_explained_by_its_dice_and_by_what_a_pixel_rests_on(trained):
    folder, run = trained
    story = explain_row(run, folder, 1)
    dice, pixel = (part for _, part in story.parts)
    scores = run.preprocessing.compared(run, run.preprocessing.read(folder).to_dicts()[1:2])
    np.testing.assert_array_equal(dice.counts, scores[0].counts)
    true, predicted = dice.counts[1].sum(), dice.counts[:, 1].sum()
    value = 2 * dice.counts[1, 1] / (true + predicted)
    line = f"2 · {dice.counts[1, 1]:,} / ({true:,} + {predicted:,}) = {value:.3f}"
    assert line in story.text()
    # two levels: 3x3 twice, pool, twice, up, twice; never more than 18 pixels
    assert all(end - first <= 18 for first, end in pixel.field)
    assert "Receptive field" in str(story) and story.to_dict()["row"] == 1
    with pytest.raises(DataError, match="there is no row 99"):
        explain_row(run, folder, 99)


@pytest.mark.slow
def test_a_training_on_masks_is_resumed_to_the_same_bits(tmp_path):
    folder = write_masks(tmp_path / "disks")
    whole = prepare(folder, **SMALL).train(tmp_path / "a", progress=False)
    prepare(folder, **{**SMALL, "epochs": 1}).train(tmp_path / "b", progress=False)
    resumed = prepare(folder, **SMALL).train(tmp_path / "b", resume=True, progress=False)
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
    assert whole.preprocessing.to_json() == resumed.preprocessing.to_json()
    assert whole.metrics["train"] == resumed.metrics["train"]
    assert whole.metrics["validation"] == resumed.metrics["validation"]


def test_pictures_without_masks_cannot_be_scored(trained):
    folder, run = trained
    with pytest.raises(DataError, match="the pictures have no targets"):
        run.evaluate(folder / "images")


class Names:
    """What split_rows asks of a folder."""

    root = "set"

    def __init__(self, count, splits):
        self.names = [f"{k:02}" for k in range(count)]
        self.splits = splits

    def rows_named(self, path):
        return np.array([self.names.index(name) for name in path.read_text().split()])


class Asked:
    split, test, validation, seed = None, 0.0, 0.2, 0


def test_a_split_comes_from_a_file_a_folder_the_set_or_chance(tmp_path):
    (tmp_path / "test.txt").write_text("00\n03\n")
    (tmp_path / "val.txt").write_text("01\n")
    asked = Asked()
    sets, _ = split_rows(Names(10, {}), asked)
    assert [len(sets[name]) for name in ("train", "validation")] == [8, 2] and "test" not in sets
    asked.split = str(tmp_path / "test.txt")
    sets, notes = split_rows(Names(10, {}), asked)
    assert sets["test"].tolist() == [0, 3] and len(sets["train"]) + len(sets["validation"]) == 8
    assert notes == ["test set: 2, used for the final scores only"]
    asked.split = str(tmp_path)
    sets, _ = split_rows(Names(5, {}), asked)
    assert {k: v.tolist() for k, v in sets.items()} == {
        "train": [2, 4], "validation": [1], "test": [0, 3]
    }  # fmt: skip
    asked.split = None
    own = {"train": np.arange(3), "validation": np.array([3]), "test": np.array([4])}
    assert split_rows(Names(5, own), asked)[0]["train"].tolist() == [0, 1, 2]
    (tmp_path / "train.txt").write_text("00\n")
    asked.split = str(tmp_path)
    with pytest.raises(DataError, match="lists 00 for train and for test"):
        split_rows(Names(5, {}), asked)
    asked.split = str(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="holds no lists"):
        split_rows(Names(5, {}), asked)
