"""What a detector is compared with, on drawn pictures."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from cutaway.runs import prepare
from cutaway.runs.kinds import KINDS
from cutaway.runs.object_rivals import mean_boxes_score, object_rivals
from cutaway.runs.object_training import ObjectExperiment
from cutaway.search.learning_curve import compare
from tests.runs.drawn_sets import write_objects
from tests.runs.small_backbone import with_small_backbone

OPTIONS = {"model": "yolo", "from_": "small", "epochs": 1, "test": 0.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("rivals") / "set", 40)


def same_box(folder):
    """All objects in one place, of one size."""
    path = folder / "boxes.json"
    content = json.loads(path.read_text())
    for one in content["annotations"]:
        one["bbox"] = [10, 10, 20, 20] if one["category_id"] == 3 else [50, 30, 20, 20]
    path.write_text(json.dumps(content))
    return folder


def test_the_mean_boxes_are_right_where_all_boxes_are_alike_and_only_there(folder, tmp_path):
    with with_small_backbone():
        varied = prepare(folder, **OPTIONS)
        alike = prepare(same_box(write_objects(tmp_path / "set", 40)), **OPTIONS)
    assert isinstance(alike, ObjectExperiment) and isinstance(varied, ObjectExperiment)
    rows = object_rivals(alike).pool
    # the disk is in every picture, the square in some: found in the others, it is invented
    assert mean_boxes_score(alike, rows) > 0.7
    assert mean_boxes_score(varied, rows) < 0.6


def test_the_learning_curves_of_detectors_are_those_of_all_models_on_the_same_rows(
    folder, monkeypatch, tmp_path
):
    seen = []

    def train(self, out, *, progress):
        seen.append((self.options.model, self.options.seed, self.sets))
        score = {"yolo": 0.5, "ssd": 0.25, "faster-rcnn": 0.75}[self.options.model]
        return SimpleNamespace(metrics={"stopped": None, "test": {"ap50": score}})

    monkeypatch.setattr(ObjectExperiment, "train", train)
    with with_small_backbone():
        found = compare(folder, sizes=1, seeds=2, out=tmp_path / "c", **OPTIONS)
    assert list(found.scores) == ["network", "ssd", "faster-rcnn", "mean boxes"]
    assert found.sizes == [28] and found.summary["test_rows"] == 12
    assert found.scores["network"].tolist() == [[0.5, 0.5]]
    assert [(model, seed) for model, seed, _ in seen] == [
        (model, seed) for seed in (0, 1) for model in ("yolo", "ssd", "faster-rcnn")
    ]
    for number, (_, _, sets) in enumerate(seen):
        rows = np.concatenate([*sets.values()])
        assert np.unique(rows).size == rows.size == 40
        for name, own in sets.items():
            np.testing.assert_array_equal(own, seen[number // 3 * 3][2][name])
    assert "is better than ssd (0.25" in found.verdict() and "faster-rcnn (0.75" in found.verdict()
    told = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert told["score"] == "AP50" and "mean box of each class" in told["method"]
    assert KINDS["objects"].is_compared and not KINDS["masks"].is_compared
