"""The example of detectors, in short, on real data."""

import pytest

from tests.docs.scripts import example


@pytest.mark.slow
@pytest.mark.longest
def test_the_cells_example_trains_detectors_beside_boxes_at_random(shared_data, capsys):
    found = example("cells").main(
        shared_data / "bccd", models=["yolo"], epochs=4, size=128, batch_size=16
    )
    assert set(found) == {"boxes at random", "yolo"}
    assert found["boxes at random"]["ap50"] < 0.15
    assert found["yolo"]["ap50"] > 2 * found["boxes at random"]["ap50"]
    printed = capsys.readouterr().out
    assert "yolo: AP50" in printed
    assert "center x" in printed  # the arithmetic of a box
