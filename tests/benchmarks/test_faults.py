"""Faults on purpose, a few of each: what the benchmark counts, and that it finds nothing."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

import cutaway as ct
from benchmarks.faults import checks, checksums, disks, flips, kills, shared_kills


def test_hashing_is_counted_to_the_byte(tmp_path):
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    net = ct.models.mlp((8, 4, 10))
    _, hashing = checksums.of_training(net, x, np.arange(64) % 10, tmp_path, epochs=2)
    (written,) = tmp_path.glob("*.safetensors")
    assert hashing.hashed == written.stat().st_size
    assert hashing.seconds > 0


def test_leftovers_lost_epochs_and_changed_numbers_are_found(tmp_path):
    run, reference = tmp_path / "run", tmp_path / "reference"
    history = "epoch,loss,seconds\n1,0.5,{0}\n2,0.25,{1}\n"
    (reference / "checkpoints").mkdir(parents=True)
    (reference / "history.csv").write_text(history.format(0.1, 0.2))
    (reference / "metrics.json").write_text('{"loss": 0.25, "seconds": 1.5}')
    for epoch in (1, 2):
        (reference / "checkpoints" / f"epoch-{epoch:06d}.safetensors").write_bytes(b"state")
    shutil.copytree(reference, run)
    (run / "history.csv").write_text(history.format(0.3, 0.4))
    (run / "metrics.json").write_text('{"loss": 0.25, "seconds": 9.5}')
    (run / "checkpoints" / "epoch-000001.safetensors").rename(
        run / "checkpoints" / "epoch-000003.safetensors"
    )
    assert checks.leftovers(run, reference) == checks.unequal(run, reference) == []
    kept = checks.Kept(run)
    kept.epochs = [0.3, 0.4]
    assert kept.lost(run) == []
    kept.epochs = [0.1, 0.4]
    assert kept.lost(run) == ["2 epochs of the checkpoint were trained again"]
    (run / ".history.csv.1234.partial").touch()
    (run / "checkpoints" / "epoch-000004.safetensors").touch()
    (run / "metrics.json").write_text('{"loss": 0.26, "seconds": 1.5}')
    left = [".history.csv.1234.partial", "checkpoints/epoch-000002.safetensors"]
    assert checks.leftovers(run, reference) == left
    assert checks.half_written(tmp_path) == ["run/.history.csv.1234.partial"]
    assert checks.unequal(run, reference) == ["metrics.json"]


def test_an_answer_is_believed_only_if_it_differs_in_more_than_times(tmp_path):
    before = flips.Answer(0, "accuracy 0.75\n40 epochs in 1.2 s", "")
    assert flips._same(before, flips.Answer(0, "accuracy 0.75\n40 epochs in 0.9 s", ""))
    assert not flips._same(before, flips.Answer(0, "accuracy 0.70\n40 epochs in 1.2 s", ""))
    assert not flips._same(before, flips.Answer(0, before.out, "note: odd"))
    assert flips._is_named("a/b.json", f"the file {tmp_path}/a/b.json is damaged", tmp_path)
    assert not flips._is_named("a/b.json", f"the file {tmp_path}/a/c.json is damaged", tmp_path)
    assert flips._is_named("a/b.json", "a/b.json is\ndamaged: what", tmp_path)
    assert not flips._is_named("a/b.json", "a/b.json: as it was written", tmp_path)


@pytest.mark.slow
@pytest.mark.longest
def test_kills_lose_nothing_and_leave_nothing(tmp_path):
    trials = kills.run_kills(4, 1, 2, ("table",), folder=tmp_path)
    assert [trial.faults for trial in trials] == [{}] * 4
    assert sum(trial.killed > 0 for trial in trials) >= 3


@pytest.mark.slow
@pytest.mark.longest
def test_kills_of_several_processes_lose_nothing_and_leave_nothing(tmp_path):
    trials = kills.run_kills(3, 1, 1, ("table",), folder=tmp_path, kind=shared_kills.SharedKills)
    assert [trial.faults for trial in trials] == [{}] * 3
    assert sum(trial.killed > 0 for trial in trials) >= 2


def test_weights_that_are_far_or_missing_are_named(tmp_path):
    for name, weights in {
        "a": {"w": np.zeros(3, np.float32)},
        "b": {"w": np.array([0, 2e-5, 0], np.float32)},
        "c": {"w": np.array([0, np.nan, 0], np.float32)},
        "d": {"v": np.zeros(3, np.float32)},
    }.items():
        (tmp_path / name).mkdir()
        save_file(weights, tmp_path / name / "weights.safetensors")
    far = [shared_kills.far(tmp_path / name, tmp_path / "a") for name in "abcd"]
    assert far == [[], ["w by 2.0e-05"], ["w by nan"], ["weights.safetensors"]]


@pytest.mark.slow
@pytest.mark.longest
def test_no_flipped_bit_is_believed(tmp_path):
    found = flips.run_flips(16, 1, ("table", "tune"), folder=tmp_path)
    assert [flip for flip in found if flip.verdict in flips.WRONG] == []
    assert sum(flip.verdict in ("said", "said in a note") for flip in found) >= 4


@pytest.mark.slow
@pytest.mark.longest
def test_full_disks_lose_no_state(tmp_path):
    trials = disks.run_disks(3, 1, ("table",), folder=tmp_path)
    assert [trial.faults for trial in trials] == [{}] * 3
