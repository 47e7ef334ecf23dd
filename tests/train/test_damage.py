"""Damaged checkpoints are never believed, full disks lose no state, and trained work stays."""

import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import RunError
from cutaway.train import Checkpoints, Trainer
from cutaway.train.checkpoint import read_state, write_state

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 3)).astype(np.float32)
Y = X.sum(axis=1)


def fit(folder, epochs, *callbacks, resume=False, **options):
    ct.seed(0)
    net = ct.models.mlp((3, 8, 1), dropout=0.2)
    trainer = Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.Adam(net))
    checkpoints = Checkpoints(folder, resume=resume, every_seconds=0)
    callbacks = [checkpoints, lambda trainer, row: None, *callbacks]  # one epoch at a time
    trainer.fit(X, Y, epochs=epochs, batch_size=16, seed=0, callbacks=callbacks, **options)
    return trainer, checkpoints


def expect_equal(a, b):
    for name, value in a.program.snapshot().items():
        np.testing.assert_array_equal(value, b.program.snapshot()[name], err_msg=name)


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_the_last_two_checkpoints_are_kept_and_nothing_else(tmp_path):
    fit(tmp_path, 4)
    names = ["epoch-000003.safetensors", "epoch-000004.safetensors"]
    assert sorted(os.listdir(tmp_path)) == names


def test_any_flipped_bit_of_a_checkpoint_is_noticed(tmp_path):
    arrays = {"a": np.arange(20, dtype=np.float32), "t": np.array(3), "none": np.zeros((0, 2))}
    path = tmp_path / "state.safetensors"
    write_state(path, arrays, {"history": [{"loss": 0.5}], "odd": '"sha256":"'})
    whole = path.read_bytes()
    found, notes = read_state(path)
    assert {k: (v.shape, v.dtype) for k, v in found.items()} == {
        k: (v.shape, v.dtype) for k, v in arrays.items()
    }
    np.testing.assert_array_equal(found["a"], arrays["a"])
    assert notes["history"] == [{"loss": 0.5}]
    for bit in range(8 * len(whole)):
        flip(path, bit)
        with pytest.raises(RunError, match="is damaged: its content is not what was written"):
            read_state(path)
        path.write_bytes(whole)
    for size in (0, 7, 8, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(RunError, match="is damaged"):
            read_state(path)


def test_the_newest_undamaged_checkpoint_counts_and_what_it_costs_is_said(tmp_path):
    whole, _ = fit(tmp_path / "whole", 6)
    fit(tmp_path / "run", 4)
    newest = tmp_path / "run" / "epoch-000004.safetensors"
    flip(newest, 8 * (newest.stat().st_size - 40))
    words = r"epoch-000004\.safetensors is damaged.*resumed from epoch 3, so that 1 epoch must be"
    with pytest.warns(UserWarning, match=words):
        resumed, checkpoints = fit(tmp_path / "run", 6, resume=True)
    expect_equal(resumed, whole)
    assert len(checkpoints.notes) == 1


def test_if_all_checkpoints_are_damaged_the_error_names_one_and_they_stay(tmp_path):
    fit(tmp_path, 3)
    for path in tmp_path.iterdir():
        flip(path, 8 * 200)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(RunError, match=r"epoch-000003\.safetensors is damaged"):
        fit(tmp_path, 5, resume=True)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_training_that_is_not_resumed_does_not_replace_another_ones_checkpoints(tmp_path):
    fit(tmp_path, 2)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(RunError, match="holds the checkpoint of epoch 2 of an earlier training"):
        fit(tmp_path, 3)
    assert sorted(os.listdir(tmp_path)) == before
    Checkpoints(tmp_path).clear()
    assert os.listdir(tmp_path) == []


def test_while_the_disk_is_full_the_training_goes_on_and_the_last_checkpoint_stays(
    tmp_path, monkeypatch
):
    whole, _ = fit(tmp_path / "whole", 6)
    real = os.fsync

    def fill(trainer, row):
        def full(handle):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full if row["epoch"] in (2, 3, 4) else real)

    ct.seed(0)
    net = ct.models.mlp((3, 8, 1), dropout=0.2)
    trainer = Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.Adam(net))
    checkpoints = Checkpoints(tmp_path / "run", every_seconds=0)
    words = "No space left on device: .* were needed, .* the checkpoint of epoch 1 is undamaged"
    with pytest.warns(UserWarning, match=words):
        trainer.fit(
            X, Y, epochs=6, batch_size=16, seed=0, callbacks=[fill, checkpoints]
        )  # fmt: skip
    assert len(checkpoints.notes) == 3
    expect_equal(trainer, whole)
    assert sorted(os.listdir(tmp_path / "run")) == [
        "epoch-000005.safetensors",
        "epoch-000006.safetensors",
    ]


FULL = """
import sys, resource
sys.path.insert(0, sys.argv[3])
import test_damage
def fill(trainer, row):
    if row["epoch"] == 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
test_damage.fit(sys.argv[1], int(sys.argv[2]), fill)
"""


def test_a_disk_that_stays_full_ends_in_words_and_resuming_gives_the_same_bits(tmp_path):
    code = [sys.executable, "-W", "ignore", "-c", FULL, tmp_path / "run", "5"]
    done = subprocess.run(
        [*code, os.path.dirname(__file__)], check=False, capture_output=True, text=True
    )
    assert "epoch-000005.safetensors cannot be written: File too large: " in done.stderr
    assert "the checkpoint of epoch 2 is undamaged" in done.stderr
    assert sorted(os.listdir(tmp_path / "run")) == [
        "epoch-000001.safetensors",
        "epoch-000002.safetensors",
    ]
    resumed, _ = fit(tmp_path / "run", 5, resume=True)
    expect_equal(resumed, fit(tmp_path / "whole", 5)[0])


def test_a_checkpoint_folder_that_was_removed_is_made_again(tmp_path):
    remove = lambda trainer, row: row["epoch"] == 2 and shutil.rmtree(tmp_path / "run")  # noqa: E731
    fit(tmp_path / "run", 4, remove)
    assert len(os.listdir(tmp_path / "run")) == 2


def test_kills_leave_a_checkpoint_that_is_whole_and_nothing_half_written_at_the_end(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import test_damage\n"
        "test_damage.fit(sys.argv[1], 10**6, lambda t, row: print(row['epoch'], flush=True))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "run", os.path.dirname(__file__)],
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(random.Random(0).randrange(5, 9)):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    newest = max(int(p.stem[6:]) for p in (tmp_path / "run").glob("epoch-*"))
    resumed, _ = fit(tmp_path / "run", newest + 2, resume=True)
    expect_equal(resumed, fit(tmp_path / "whole", newest + 2)[0])
    assert len(os.listdir(tmp_path / "run")) == 2
