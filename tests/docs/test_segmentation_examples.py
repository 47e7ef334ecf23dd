"""The examples of masks, volumes and pairs, in short, on real data."""

import numpy as np
import pytest

from tests.docs.scripts import example

pytestmark = [pytest.mark.slow, pytest.mark.longest]


def test_the_membrane_example_scores_slices_beside_gray_values(shared_data, capsys):
    found = example("membrane").main(
        shared_data / "membrane", tested=(24,), width=2, levels=2, size=64, epochs=1
    )
    # ZOO.md: 0.623 on slices 24 to 29, where the smoothed gray value is below 110
    assert 0.55 < found["gray values"]["dice"] < 0.7
    assert set(found["U-Net"]) == {"dice", "rand_error"}
    assert "adapted Rand error" in capsys.readouterr().out


def test_the_hippocampus_example_scores_volumes_beside_their_mean_place(shared_data):
    pytest.importorskip("nibabel")
    found = example("hippocampus").main(
        shared_data / "hippocampus", model="unet", width=2, levels=2, epochs=1
    )
    # ZOO.md: 0.684 and 0.675, with a mean of the training masks
    assert found["mean place"]["anterior"] == pytest.approx(0.684, abs=0.05)
    assert found["mean place"]["posterior"] == pytest.approx(0.675, abs=0.05)


class MeanColor:
    """A feature distance that takes the colors themselves for features."""

    def __init__(self):
        self.seen = []

    def collect(self, real, made):
        self.seen.append((real.astype(float), made.astype(float)))

    def result(self):
        ((real, made),) = self.seen
        parts = [(a.mean((0, 1, 2)), a.std((0, 1, 2))) for a in (real, made)]
        return float(sum(((p - q) ** 2).sum() for p, q in zip(*parts, strict=True)))


def test_the_facades_example_compares_pix2pix_with_the_colors_of_the_classes(
    shared_data, monkeypatch
):
    from cutaway.runs.pair_rows import PairRows

    monkeypatch.setattr(PairRows, "_distances", lambda self, compared: None)
    found = example("facades").main(
        shared_data / "facades", l1=False, feature_distance=MeanColor, size=16, width=2, epochs=1
    )
    colors = found["mean color of each class"]
    assert colors["relative"] == 1 and colors["gradient_ratio"] < 0.7
    assert np.isfinite(found["pix2pix"]["relative"])
