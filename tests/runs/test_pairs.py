"""Pairs of pictures: pix2pix from a folder to pictures of the size of the input."""

import dataclasses
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutaway.data import Geometry, find_pairs
from cutaway.doctor.sources import findings_of
from cutaway.errors import DataError, OptionError
from cutaway.nn import Dropout
from cutaway.runs import Run, pair_rows, prepare, recognize, write_report
from cutaway.runs.mean_colors import MeanColors
from cutaway.runs.options.flags import declared_options
from cutaway.runs.options.picture_pairs import PairOptions
from cutaway.runs.pair_rows import ComparedPair, PairRows
from cutaway.runs.picture_pairs import halvings, open_discriminator, picture_size
from cutaway.train import AdversarialProgram, History
from tests.runs.drawn_sets import write_pairs

SMALL = {"width": 2, "size": 16, "epochs": 3, "schedule": "constant", "validation": 0.3}


@pytest.fixture
def no_features(monkeypatch):
    """The feature distance takes a network of its own, which is tested elsewhere."""
    monkeypatch.setattr(PairRows, "_distances", lambda self, compared: None)


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
    assert refused.value.fix == "choose it: --kind masks or --kind pairs or --kind objects"


@pytest.mark.slow
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


KILLED = """
import json, os, sys
from pathlib import Path
import jax
from cutaway.runs import prepare
from cutaway.train import AdversarialProgram, Checkpoints

whole, seen = AdversarialProgram.generator_terms, []

def between(_):  # the discriminator has moved, the generator has not
    seen.extend(Path(sys.argv[2], "checkpoints").glob("*"))
    if len(seen) > 2:
        os.kill(os.getpid(), 9)

def terms(self, x, example, y):
    found = whole(self, x, example, y)
    jax.debug.callback(between, found["generator"].data)
    return found

AdversarialProgram.generator_terms = terms
Checkpoints.__init__.__kwdefaults__["every_seconds"] = 0
prepare(sys.argv[1], **json.loads(sys.argv[3])).train(sys.argv[2], progress=False)
"""


@pytest.mark.slow
def test_a_training_killed_between_the_two_halves_of_a_step_is_resumed_to_the_same_bits(
    tmp_path, no_features
):
    folder, options = write_pairs(tmp_path / "pairs"), {**SMALL, "batch_size": 1}
    whole, resumed = (prepare(folder, **options) for _ in range(2))
    whole.train(tmp_path / "a", progress=False)
    command = [sys.executable, "-c", KILLED, folder, tmp_path / "b", json.dumps(options)]
    assert subprocess.run(command, check=False).returncode == -9
    begun = [path.name for path in (tmp_path / "b" / "checkpoints").iterdir()]
    assert begun and not (tmp_path / "b" / "metrics.json").exists()
    run = resumed.train(tmp_path / "b", resume=True, progress=False)
    assert len(run.history) == 3
    for name in ("net", "discriminator"):
        before, after = (getattr(one, name).state_dict() for one in (whole, resumed))
        for path, value in before.items():
            np.testing.assert_array_equal(value, after[path])


@pytest.mark.slow
@pytest.mark.longest
def test_eight_pairs_of_facades_are_overfitted(tmp_path, shared_data, no_features):
    found = find_pairs(shared_data / "facades")
    for file, name, count in (("train.txt", "train", 8), ("val.txt", "validation", 1)):
        names = [found.names[k] for k in found.splits[name][:count]]
        (tmp_path / file).write_text("\n".join(names))
    prepared = prepare(
        shared_data / "facades", kind="pairs", size=64, augment=False, split=str(tmp_path),
        batch_size=8, epochs=160, lr=1e-3,
    )  # fmt: skip
    run = prepared.train(tmp_path / "run", progress=False)
    # ZOO.md, section 4: the acceptance, of values from -1 to 1; the mean colors have 0.32
    assert run.metrics["train"]["l1"] <= 0.10
    assert run.metrics["train"]["baseline_l1"] > 0.25


def test_the_discriminator_learns_at_a_fraction_of_the_generator_s_rate(tmp_path):
    folder = write_pairs(tmp_path / "pairs")
    program = prepare(folder, **SMALL, lr=0.008, discriminator_rate=0.25).make_trainer().program
    assert isinstance(program, AdversarialProgram)
    assert program.optimizer.base_lr.item() == pytest.approx(0.008)
    assert program.discriminator_optimizer.base_lr.item() == pytest.approx(0.002)
    with pytest.raises(OptionError, match="discriminator rate"):
        prepare(folder, **SMALL, discriminator_rate=0.0)


def test_the_doctor_names_a_discriminator_that_wins_and_an_option_that_slows_it(tmp_path):
    prepared = prepare(write_pairs(tmp_path / "pairs"), **SMALL)
    rows = [
        {"epoch": k, "loss": 1.0, "loss_discriminator": loss} for k, loss in ((1, 0.5), (2, 0.02))
    ]
    run: Any = SimpleNamespace(history=History(rows))
    (finding,) = findings_of(run, prepared)
    assert finding.code == "winning_discriminator"
    assert "--discriminator-rate" in str(finding.prescriptions[0])
    assert "discriminator_rate" in declared_options(PairOptions)


def test_the_baseline_of_label_maps_is_the_mean_color_of_each_class(tmp_path, no_features):
    for name in ("A", "B"):
        (tmp_path / name).mkdir()
    left = np.zeros((12, 12, 3), np.uint8)
    left[:, :6] = 255  # a class of white pixels, one of black ones
    for k, (white, black) in enumerate(((0, 90), (60, 100), (30, 110), (200, 200))):
        Image.fromarray(left).save(tmp_path / "A" / f"{k}.png")
        right = np.where(left, np.uint8(white), np.uint8(black))
        Image.fromarray(right).save(tmp_path / "B" / f"{k}.png")
    (tmp_path / "test.txt").write_text("3\n")
    prepared = prepare(
        tmp_path, kind="pairs", size=12, width=2, validation=0.3, split=str(tmp_path / "test.txt")
    )
    rows, held = prepared.preprocessing, prepared.sets["validation"].tolist()
    train = prepared.sets["train"].tolist()
    assert sorted(train + held) == [0, 1, 2]
    assert rows.mean_colors.name == "the mean color of each class"
    new = left.copy()
    new[0, 0] = 7  # a color that no training input has
    made = PairRows.from_json(rows.to_json()).simple_target(new)
    white, black = (np.array(values)[train].mean() for values in ((0, 60, 30), (90, 100, 110)))
    expected = np.where(left, white, black) / 127.5 - 1
    expected[0, 0] = (white + black) / 2 / 127.5 - 1
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_the_baseline_of_photographs_is_one_mean_color(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3)).astype(np.uint8)
    target = np.float32([[[0.25]], [[0.5]], [[-0.6]]])[:, None] * np.ones((3, 12, 12, 1))
    geometry = Geometry.of((12, 12))
    found = MeanColors.of([(x, y, geometry) for x, y in zip(pictures, target, strict=True)])
    assert found.name == "the mean color"
    np.testing.assert_allclose(found.made(pictures[0], geometry), 0.05, atol=1e-6)


def test_the_feature_distance_stands_beside_that_of_the_mean_colors(tmp_path, monkeypatch):
    class Means:  # in place of the pretrained network: the mean color of each picture
        def features(self, pictures):
            return pictures.mean(axis=(1, 2), dtype=np.float64)[:, None, None]

    monkeypatch.setattr(pair_rows, "_feature_network", Means)
    rows = PairRows((32, 32), 3, 3, reverse=False)
    target = np.zeros((32, 32, 3), np.float32)
    compared = [ComparedPair({}, target, target, target + 0.2, target + k) for k in (0.0, 0.4)]
    scores = rows.score_compared(compared)
    made, baseline = (np.rint((1 + v) * 127.5) for v in (0.2, np.array([0.0, 0.4])))
    real = np.rint(127.5)
    assert scores["feature_distance"] == pytest.approx(3 * (made - real) ** 2)
    apart = (baseline.mean() - real) ** 2 + baseline.std() ** 2
    assert scores["baseline_feature_distance"] == pytest.approx(3 * apart)
    text = rows.headline(scores, "picture", 2)
    assert (text.before, text.score) == ("Feature distance: ", "1875")
    assert "2 validation pairs, the mean color 3750 (ratio 0.50)" in text.after


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
