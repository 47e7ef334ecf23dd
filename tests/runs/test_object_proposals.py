"""Fast R-CNN on the regions of another run's first stage, on drawn disks and squares."""

import shutil

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor.sources import experiment_of_run
from cutaway.errors import OptionError, RunError
from cutaway.metrics.detection_errors import iou_matrix
from cutaway.runs import Run, prepare
from cutaway.runs.explain import explain_row
from cutaway.runs.object_proposals import open_proposer
from tests.runs.drawn_sets import write_objects
from tests.runs.small_backbone import with_small_backbone
from tests.runs.untrained import write_untrained

pytestmark = pytest.mark.usefixtures("compile_quickly")

OPTIONS = {"from_": "small", "epochs": 1, "batch_size": 4, "validation": 0.3, "lr": 5e-3}
FAST = {**OPTIONS, "model": "fast-rcnn"}


@pytest.fixture(autouse=True, scope="module")
def small_body():
    with with_small_backbone():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("objects") / "set", 8)


@pytest.fixture(scope="module")
def first(folder, tmp_path_factory):
    """The run of a Faster R-CNN, hardly trained."""
    prepared = prepare(folder, **OPTIONS, model="faster-rcnn", size=64)
    return write_untrained(tmp_path_factory.mktemp("runs") / "first", prepared)


@pytest.mark.slow
def test_regions_are_those_of_the_other_run_and_so_is_the_size(folder, first):
    prepared = prepare(folder, **FAST, proposals=first.path)
    rows = prepared.preprocessing
    assert f"regions are those that {first.path} proposes" in prepared.why
    assert rows.size == first.preprocessing.size == (64, 64)
    x = ct.Tensor(rows.transform(prepared.frame[:2]).x)
    theirs = first.net.propose(first.net.maps(x), rows.size)["boxes"]
    net = prepared.net
    np.testing.assert_allclose(net.with_proposals(x)[1]["boxes"], theirs, rtol=1e-5, atol=1e-3)
    frozen = net.network.parameters()
    assert frozen and not any(one.requires_grad for one in frozen)
    other = prepared.with_options(prepared.options)
    for path, value in net.network.state_dict().items():
        np.testing.assert_array_equal(value, first.net.state_dict()[path])
        np.testing.assert_array_equal(value, other.net.network.state_dict()[path])
    best, labels = prepared.fits(prepared.frame[:2])
    truths = [rows.framed_truth(row)["boxes"] for row in prepared.frame[:2].to_dicts()]
    by_hand = [iou_matrix(t, np.asarray(p, float)).max(axis=1) for t, p in zip(
        truths, theirs, strict=True)]  # fmt: skip
    np.testing.assert_allclose(best, np.concatenate(by_hand), atol=1e-3)
    assert len(labels) == len(best)


def test_pictures_that_the_proposing_network_was_trained_on_are_named(folder, first):
    same = prepare(folder, **FAST, proposals=first.path)
    assert not any("proposes" in note or "regions are" in note for note in same.notes)
    other = prepare(folder, **{**FAST, "seed": 5}, proposals=first.path)
    (note,) = [note for note in other.notes if "the regions are those of first" in note]
    both = np.intersect1d(other.sets["validation"], same.sets["train"])
    assert f"{len(both)} of {len(other.sets['validation'])} pictures" in note


def test_what_cannot_propose_is_refused(folder, first, tmp_path):
    with pytest.raises(OptionError, match=r"model='yolo'(.|\n)*--model fast-rcnn"):
        prepare(folder, **OPTIONS, model="yolo", proposals=first.path)
    with pytest.raises(RunError, match="missing"):
        prepare(folder, **FAST, proposals=tmp_path / "missing")
    yolo = write_untrained(tmp_path / "yolo", prepare(folder, **OPTIONS, model="yolo"))
    with pytest.raises(OptionError, match=r"is yolo, which proposes no regions"):
        prepare(folder, **FAST, proposals=yolo.path)
    with pytest.raises(OptionError, match=r"in pictures of 64 x 64 pixels, here they are 32 x 32"):
        prepare(folder, **FAST, proposals=first.path, size=(32, 32))


@pytest.mark.slow
@pytest.mark.longest
def test_a_run_stands_on_its_own_and_is_resumed_to_the_same_bits(folder, first, tmp_path):
    lent = shutil.copytree(first.path, tmp_path / "lent")
    options = {**FAST, "schedule": "constant", "proposals": lent}
    prepare(folder, **options).train(tmp_path / "a", progress=False)
    options["epochs"] = 2
    resumed = prepare(folder, **options).train(tmp_path / "a", resume=True, progress=False)
    whole = prepare(folder, **options).train(tmp_path / "b", progress=False)
    shutil.rmtree(lent)
    begun = first.net.state_dict()
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
        if path.startswith("network."):
            np.testing.assert_array_equal(value, begun[path.removeprefix("network.")])
    opened = Run.open(tmp_path / "a")
    assert opened.evaluate(folder) == whole.evaluate(folder)
    assert open_proposer(opened.path).size == (64, 64)
    again = experiment_of_run(opened)  # as the doctor does
    assert again.options.proposals == str(opened.path)
    opened.net.regions = opened.net.regions._replace(score=0.0)  # hardly trained
    explained = explain_row(opened, folder, 0, box=0)
    (_, listed), (_, made) = explained.parts[:2]
    assert made.origin.startswith("Proposal ") and "objectness" in made.origin
    size = (64, 96)
    back = opened.preprocessing.framing.undo_boxes(made.box[None], size)[0]
    np.testing.assert_allclose(back, listed.found.boxes[0], atol=1e-2)
    assert made.score == pytest.approx(listed.found.scores[0], rel=1e-4)
