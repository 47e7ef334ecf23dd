"""Pairs of pictures: pix2pix from a folder to pictures of the size of the input."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import DataError
from cutaway.nn import Dropout
from cutaway.runs import Run, prepare, recognize, write_report
from cutaway.runs.picture_pairs import PairRows, halvings, open_discriminator, picture_size
from tests.runs.drawn_sets import write_pairs

SMALL = {"width": 2, "size": 16, "epochs": 3, "schedule": "constant", "validation": 0.3}


@pytest.fixture
def no_features(monkeypatch):
    """The feature distance takes a network of its own, which is tested elsewhere."""
    monkeypatch.setattr(PairRows, "_distance", lambda self, compared: None)


def test_two_folders_of_pictures_in_color_are_recognized(tmp_path):
    found = recognize(write_pairs(tmp_path / "a"))
    assert (found.kind, found.reason) == (
        "pairs",
        "6 pictures in A with pictures of the same names in B",
    )


def test_a_folder_that_fits_several_kinds_names_them(shared_data):
    with pytest.raises(DataError, match="fits several kinds") as refused:
        recognize(shared_data / "facades")
    assert "pictures with masks" in str(refused.value)
    assert refused.value.fix == "choose it: --kind masks or --kind pairs"


def test_pix2pix_predicts_pictures_of_the_input_s_size_and_keeps_its_discriminator(
    tmp_path, no_features
):
    folder = write_pairs(tmp_path / "pairs")
    prepared = prepare(folder, **SMALL)
    run = prepared.train(tmp_path / "run", progress=False)
    assert run.metrics["best_epoch"] is None
    assert "discriminator" in run.history.columns[2]
    assert "truth" in write_report(prepared, run).read_text()
    opened = Run.open(run.path)
    assert {"l1", "ssim", "gradient_ratio", "baseline_l1"} <= set(opened.evaluate(folder)[0])
    kept = open_discriminator(opened)
    assert prepared.discriminator is not None and kept is not None
    for path, value in prepared.discriminator.state_dict().items():
        np.testing.assert_array_equal(value, kept.state_dict()[path])
    Image.new("RGB", (29, 7), "red").save(tmp_path / "p.png")
    (one,) = opened.predict_files(tmp_path / "p.png").each
    (tmp_path / "out.png").write_bytes(one.files["p.png"])
    with Image.open(tmp_path / "out.png") as image:
        assert (image.size, image.mode) == ((29, 7), "RGB")
    # the same picture alone and beside others: predictions do not depend on the batch
    x = prepared.x[:3]
    np.testing.assert_allclose(opened.outputs(x[:1])[0], opened.outputs(x)[0], atol=1e-5)


@pytest.mark.slow
def test_an_adversarial_training_is_resumed_to_the_same_bits(tmp_path, no_features):
    folder = write_pairs(tmp_path / "pairs")
    whole = prepare(folder, **SMALL)
    whole.train(tmp_path / "a", progress=False)
    prepare(folder, **{**SMALL, "epochs": 1}).train(tmp_path / "b", progress=False)
    resumed = prepare(folder, **SMALL)
    resumed.train(tmp_path / "b", resume=True, progress=False)
    for name in ("net", "discriminator"):
        before, after = (getattr(one, name).state_dict() for one in (whole, resumed))
        for path, value in before.items():
            np.testing.assert_array_equal(value, after[path])


def test_sizes_of_generators_can_be_halved():
    sizes = np.array([[256, 256], [200, 300]])
    assert picture_size(None, sizes) == (128, 128) and halvings((128, 128)) == 7
    assert picture_size(None, np.array([[100, 90]])) == (64, 64)
    assert picture_size((97, 50), sizes) == (100, 52) and halvings((100, 52)) == 2
    # SSIM needs 11 pixels; found after the training, that would come too late
    assert picture_size(8, sizes) == picture_size(None, np.array([[5, 9]])) == (12, 12)
    assert picture_size(512, sizes) == (512, 512) and halvings((512, 512)) == 8


@pytest.mark.parametrize(("given", "rate"), [({}, 0.5), ({"dropout": 0.25}, 0.25)])
def test_the_generator_drops_out_what_was_asked_for(tmp_path, given, rate):
    prepared = prepare(write_pairs(tmp_path / "pairs"), **SMALL, **given)
    rates = [m.p for m in prepared.net.modules().values() if isinstance(m, Dropout)]
    assert rates and set(rates) == {rate}


def test_other_options_begin_with_fresh_networks(tmp_path):
    prepared = prepare(write_pairs(tmp_path / "pairs"), **SMALL)
    other = prepared.with_options(dataclasses.replace(prepared.options, width=3, seed=1))
    assert other.discriminator is not None and prepared.discriminator is not None
    assert other.discriminator is not prepared.discriminator
    assert other.net.summary().total > prepared.net.summary().total
    assert other.found == {}
