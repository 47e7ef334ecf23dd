"""What the JSON files of runs of masks, volumes, pairs and boxes hold: nothing else is read."""

import copy

import numpy as np
import pytest

from cutaway.data import MaskCoding
from cutaway.errors import CutawayError
from cutaway.runs.masks import MaskRows
from cutaway.runs.mean_colors import MeanColors
from cutaway.runs.networks import build_network
from cutaway.runs.objects import ObjectRows
from cutaway.runs.pair_rows import PairRows
from cutaway.runs.volumes import VolumeRows

CODING = MaskCoding("levels", [0, 255], colors=[(0, 0, 0), (255, 255, 255)])
MEANS = MeanColors(np.array([-0.25]), np.array([0, 9]), np.array([[-0.5], [0.75]]))
ROWS = {
    "masks": MaskRows((32, 48), 1, ["black", "white"], CODING, [9, 7], threshold=0.35),
    "volumes": VolumeRows(
        (8, 8, 16), 2, ["background", "a"], [0, 3], [5, 6], label_dtype="float32", threshold=0.5
    ),
    "pairs": PairRows((16, 16), 3, 1, MEANS, reverse=True),
    "objects": ObjectRows((64, 96), 3, ["cat", "dog"], [3, 0], how="stretch", threshold=0.25),
}
COLORS = [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("kind", ROWS)
def test_what_was_written_is_read_again(kind):
    value = ROWS[kind].to_json()
    again = type(ROWS[kind]).from_json(copy.deepcopy(value))
    assert again.to_json() == value
    assert again.size == ROWS[kind].size


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("masks", {"size": [32, 10**9]}),
        ("masks", {"size": [60_000, 60_000]}),
        ("masks", {"size": [32]}),
        ("masks", {"channels": 2}),
        ("masks", {"classes": ["black"], "counts": [9]}),
        ("masks", {"classes": ["black", "black"]}),
        ("masks", {"classes": ["a", "b", "c"], "counts": [1, 2, 3]}),
        ("masks", {"counts": [9, -7]}),
        ("masks", {"threshold": 1.5}),
        ("masks", {"turned": 4}),
        ("masks", {"coding": {}}),
        ("masks", {"coding": {**CODING.to_json(), "values": [255, 255]}}),
        ("masks", {"coding": {**CODING.to_json(), "form": "threshold"}}),
        ("masks", {"coding": {**CODING.to_json(), "colors": COLORS[:1]}}),
        ("masks", {"coding": {**CODING.to_json(), "colors": [[0, 0, 0], [0, 0, 256]]}}),
        ("volumes", {"size": [8, 8]}),
        ("volumes", {"size": [2**16, 2**16, 2**16]}),
        ("volumes", {"label_dtype": "object"}),
        ("volumes", {"label_dtype": "uint8", "numbers": [0, 300]}),
        ("volumes", {"numbers": [3, 3]}),
        ("volumes", {"numbers": [0, 2**40]}),
        ("objects", {"size": [64]}),
        ("objects", {"size": [64, 2**20]}),
        ("objects", {"how": "crop"}),
        ("objects", {"classes": []}),
        ("objects", {"classes": ["cat", "cat"]}),
        ("objects", {"counts": [3]}),
        ("objects", {"counts": [3, -1]}),
        ("objects", {"threshold": 2}),
        ("objects", {"channels": 4}),
        ("pairs", {"mean_colors": {**MEANS.to_json(), "mean": [0.0, 0.0, 0.0]}}),
        ("pairs", {"mean_colors": {**MEANS.to_json(), "mean": [7.0]}}),
        ("pairs", {"mean_colors": {**MEANS.to_json(), "codes": [9, 0]}}),
        ("pairs", {"mean_colors": {**MEANS.to_json(), "codes": [0, 256**3]}}),
        ("pairs", {"mean_colors": {**MEANS.to_json(), "means": [[0.5]]}}),
        ("pairs", {"mean_colors": {**MEANS.to_json(), "means": [[0.5], [0.5, 0.5]]}}),
        ("pairs", {"target_channels": 0}),
        ("pairs", {"reverse": "yes"}),
    ],
)
def test_values_that_no_run_has_are_refused(kind, changed):
    rows = ROWS[kind]
    with pytest.raises((ValueError, CutawayError)):
        type(rows).from_json({**rows.to_json(), **changed})


@pytest.mark.parametrize("model", ["unet", "unet-3d", "vnet-3d", "pix2pix-generator"])
@pytest.mark.parametrize("levels", [10**9, 2.0, "a"])
def test_networks_with_more_levels_than_pieces_can_be_halved_are_refused(model, levels):
    spec = {"model": model, "channels": 1, "outputs": 2, "base": 1, "levels": levels}
    with pytest.raises(CutawayError, match="levels is"):
        build_network({**spec, "dropout": 0.0, "mean": [0.0], "std": [1.0]})


def test_colors_of_drawings_are_those_of_the_classes():
    again = MaskRows.from_json(ROWS["masks"].to_json())
    np.testing.assert_array_equal(again.colors, COLORS)
