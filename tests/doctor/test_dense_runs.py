"""What is told of runs of masks, volumes and pairs: each set or network here has one fault."""

import numpy as np
import pytest
from PIL import Image

from cutaway.doctor.sources import experiment_of_run, findings_of
from cutaway.errors import DataError
from cutaway.runs import prepare
from tests.runs.drawn_sets import write_masks, write_pairs, write_volumes
from tests.runs.untrained import write_untrained

TINY = {"width": 2, "levels": 2, "validation": 0.3}


def found_in(path, experiment, **history):
    """{code: Finding} of a run of this Experiment, as `cutaway doctor` begins with them."""
    run = write_untrained(path, experiment, **history)
    return {one.code: one for one in findings_of(run, experiment_of_run(run))}


def claiming(experiment, number):
    """The experiment with a network that gives one class everywhere."""
    state = experiment.net.state_dict()
    (name,) = [path for path in state if path.endswith("head.bias")]
    bias = np.full(state[name].shape, -50, np.float32)
    bias[number] = 50
    experiment.net.load_state_dict({**state, name: bias})
    return experiment


def mixed(experiment):
    """The experiment with a network that gives either class somewhere: its pixels decide."""
    state = experiment.net.state_dict()
    (name,) = [path for path in state if path.endswith("head.bias")]
    x = experiment.x[:1]
    maps = experiment.net.eval()(x).numpy()
    gap = np.median(maps[..., 1] - maps[..., 0])
    experiment.net.load_state_dict({**state, name: np.array([gap, 0], np.float32)})
    return experiment


def test_masks_beside_their_pictures_are_found_before_and_after_training(tmp_path):
    folder = write_masks(tmp_path / "set", 8, (64, 64))
    sound = prepare(folder, **TINY, size=32)
    assert not any("shifted" in note for note in sound.notes)
    assert "shifted_masks" not in found_in(tmp_path / "sound", sound)
    for path in (folder / "masks").iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.roll(mask, (-5, 4), (0, 1))).save(path)
    moved = prepare(folder, **TINY, size=32)
    (note,) = [note for note in moved.notes if "shifted" in note]
    assert "moved 5 pixels down and 4 pixels to the left" in note
    found = found_in(tmp_path / "moved", moved)["shifted_masks"]
    assert "moved 5 pixels down" in found.explanation and "grid" in found.prescriptions[0].text


@pytest.mark.parametrize(("number", "name"), [(0, "black"), (1, "white")])
def test_a_network_of_masks_that_claims_one_class_everywhere_is_found(tmp_path, number, name):
    prepared = claiming(prepare(write_masks(tmp_path / "set"), **TINY, size=32), number)
    found = found_in(tmp_path / "run", prepared)["one_class_predicted"]
    assert found.explanation == f"The network predicts {name!r} everywhere."
    assert "--lr" in found.prescriptions[0].text


def test_a_network_of_volumes_that_claims_foreground_everywhere_is_found(tmp_path):
    folder = write_volumes(tmp_path / "set", ((8, 8, 8),) * 4)
    prepared = prepare(folder, **TINY, size=8, model="unet")
    assert "one_class_predicted" not in found_in(tmp_path / "a", mixed(prepared))
    found = found_in(tmp_path / "b", claiming(prepared, 1))["one_class_predicted"]
    assert found.where == "class 1"
    assert found.evidence[1].value == 1.0 and found.evidence[0].value < 0.5


def test_a_discriminator_that_wins_is_found(tmp_path):
    folder = write_pairs(tmp_path / "set")
    prepared = prepare(folder, width=2, size=16, validation=0.3)
    for name, losses, expected in (
        ("wins", (0.6, 0.2, 0.02, 0.01), True),
        ("even", (0.7, 0.7, 0.69, 0.68), False),
    ):
        rows = [
            {"epoch": k, "loss": 1.0, "loss_discriminator": loss, "loss_generator": 2.0}
            for k, loss in enumerate(losses, 1)
        ]
        found = found_in(tmp_path / name, prepared, history=rows)
        assert ("winning_discriminator" in found) == expected


def test_masks_whose_values_are_no_classes_are_refused_before_a_network_sees_them(tmp_path):
    folder = write_masks(tmp_path / "set")
    for path in (folder / "masks").iterdir():
        soft = np.linspace(0, 255, 32 * 32).reshape(32, 32)
        Image.fromarray(soft.astype(np.uint8)).save(path)
    with pytest.raises(DataError, match="hold 256 different values"):
        prepare(folder, **TINY, size=32)
    # read as two classes by a threshold, they are
    prepared = prepare(folder, **TINY, size=32, threshold=127)
    assert set(np.unique(prepared.y)) == {0, 1}


@pytest.mark.parametrize("value", [0, 255])
def test_masks_of_one_class_only_are_refused(tmp_path, value):
    folder = write_masks(tmp_path / "set")
    for path in (folder / "masks").iterdir():
        Image.fromarray(np.full((32, 32), value, np.uint8)).save(path)
    with pytest.raises(DataError, match="hold only"):
        prepare(folder, **TINY, size=32)


def test_masks_without_any_object_are_told(tmp_path):
    folder = write_masks(tmp_path / "set")
    for k in (1, 3):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(folder / "masks" / f"{k:02}.png")
    notes = prepare(folder, **TINY, size=32).notes
    assert "2 of 6 masks hold one class only, such as 01.png" in notes
