"""Invariant 5: a checkpoint survives a kill at any moment, and resuming gives the same bits."""

import errno
import os
import signal
import subprocess
import sys
import time

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

import cutaway as ct
from cutaway import losses
from cutaway.errors import RunError, ShapeError
from cutaway.files import write_atomically
from cutaway.train import (
    Checkpoints,
    EarlyStopping,
    PlateauRate,
    Trainer,
)
from cutaway.weights import load_weights, save_weights
from cutaway.weights.files import as_safetensors, read_safetensors, save_tensors

SCRIPT = """
import sys
import numpy as np
import cutaway as ct

def make():
    ct.seed(0)
    net = ct.models.mlp((3, 8, 1), dropout=0.2)
    optimizer = ct.AdamW(net, lr=0.01, schedule=ct.optim.Cosine(500), weight_decay=0.1,
                         decay_schedule=ct.optim.FlatCosine(40))
    return ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=optimizer,
                      dropout_schedule=ct.optim.FlatCosine(40))

rng = np.random.default_rng(0)
x = rng.normal(size=(80, 3)).astype(np.float32)
y = x.sum(axis=1) + rng.normal(size=80).astype(np.float32)

if __name__ == "__main__":
    folder, epochs = sys.argv[1], int(sys.argv[2])
    trainer = make()
    checkpoints = ct.Checkpoints(folder, every_seconds=0, resume=True)
    say = lambda trainer, row: print(row["epoch"], flush=True)
    trainer.fit(x, y, epochs=epochs, batch_size=16, validation=0.25,
                callbacks=[ct.EarlyStopping(None), checkpoints, say])
"""


def make():
    scope = {"__name__": "script"}
    exec(SCRIPT, scope)
    return scope["make"](), scope["x"], scope["y"]


def fit(folder, epochs, resume=False, **options):
    trainer, x, y = make()
    callbacks = [
        EarlyStopping(None),
        PlateauRate(ct.optim.ReduceOnPlateau(0.5, 1)),
        Checkpoints(folder, resume=resume),
    ]
    trainer.fit(x, y, epochs=epochs, batch_size=16, validation=0.25, callbacks=callbacks, **options)
    return trainer


def expect_equal(a, b):
    for name, variable in a.program.variables().items():
        np.testing.assert_array_equal(
            variable.numpy(), b.program.variables()[name].numpy(), err_msg=name
        )
    timeless = [[{k: v for k, v in r.items() if k != "seconds"} for r in t.history.rows]
                for t in (a, b)]  # fmt: skip
    assert timeless[0] == timeless[1]


def test_resuming_gives_the_same_bits_as_never_stopping(tmp_path):
    whole = fit(tmp_path / "whole", 8)
    fit(tmp_path / "parts", 3)
    resumed = fit(tmp_path / "parts", 8, resume=True)
    expect_equal(whole, resumed)
    assert resumed.epoch == 8


def test_resuming_a_finished_training_changes_nothing(tmp_path):
    first = fit(tmp_path / "run", 3)
    expect_equal(first, fit(tmp_path / "run", 3, resume=True))


def test_resuming_without_a_checkpoint_starts_from_scratch(tmp_path):
    expect_equal(fit(tmp_path / "a", 2), fit(tmp_path / "b", 2, resume=True))


def test_a_training_that_ended_by_itself_stays_ended(tmp_path):
    def run(resume):
        trainer, x, _ = make()
        callbacks = [EarlyStopping(2), Checkpoints(tmp_path / "run", resume=resume)]
        noise = np.random.default_rng(5).normal(size=80)
        trainer.fit(x, noise, epochs=60, batch_size=20, validation=0.25, callbacks=callbacks)
        return trainer

    first = run(False)
    assert first.epoch < 60  # noise cannot be learned
    again = run(True)
    assert again.epoch == first.epoch and again.stopped == first.stopped


@pytest.mark.parametrize("delay", [0.0, 0.013])
def test_a_kill_at_any_moment_leaves_the_last_good_checkpoint(tmp_path, delay):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    child = subprocess.Popen(
        [sys.executable, script, tmp_path / "run", "1000"], stdout=subprocess.PIPE, text=True
    )
    for line in child.stdout:
        if int(line) >= 3:
            break
    time.sleep(delay)  # somewhere within an epoch or the writing of a checkpoint
    child.send_signal(signal.SIGKILL)
    child.communicate()

    trainer, x, y = make()
    checkpoints = Checkpoints(tmp_path / "run", resume=True)
    callbacks = [EarlyStopping(None), checkpoints, lambda trainer, row: None]
    trainer.fit(x, y, epochs=40, batch_size=16, validation=0.25, callbacks=callbacks)
    whole, x, y = make()
    whole.fit(x, y, epochs=40, batch_size=16, validation=0.25, callbacks=[EarlyStopping(None)])
    expect_equal(trainer, whole)


def test_a_checkpoint_of_another_network_or_other_options_is_refused(tmp_path):
    fit(tmp_path / "run", 2)
    trainer, x, y = make()
    net = ct.models.mlp((3, 9, 1), dropout=0.2)
    other = Trainer(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net))
    checkpoints = Checkpoints(tmp_path / "run", resume=True)
    with pytest.raises(RunError, match=r"net.0.weight of shape \(3, 8\)"):
        other.fit(x, y, epochs=3, batch_size=16, callbacks=[checkpoints])
    with pytest.raises(RunError, match="started with batch_size=16, not 8"):
        trainer.fit(x, y, epochs=3, batch_size=8, callbacks=[checkpoints])


def test_after_ctrl_c_the_last_whole_epoch_is_saved(tmp_path):
    trainer, x, y = make()
    press = lambda trainer, row: row["epoch"] == 3 and os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
    trainer.fit(x, y, epochs=50, batch_size=16, validation=0.25,
                callbacks=[EarlyStopping(None), Checkpoints(tmp_path / "run"), press])  # fmt: skip
    assert trainer.stopped == "interrupted"
    resumed, x, y = make()
    resumed.fit(x, y, epochs=8, batch_size=16, validation=0.25,
                callbacks=[EarlyStopping(None), Checkpoints(tmp_path / "run", resume=True),
                           lambda trainer, row: None])  # fmt: skip
    whole, x, y = make()
    whole.fit(x, y, epochs=8, batch_size=16, validation=0.25, callbacks=[EarlyStopping(None)])
    expect_equal(resumed, whole)


def test_a_resume_goes_on_with_hyperparameters_changed_during_the_training(tmp_path):
    def lower(trainer, row):
        trainer.optimizer.betas, trainer.optimizer.lr = (0.5, 0.75), 0.002

    trainer, x, y = make()
    trainer.fit(x, y, epochs=2, batch_size=16, callbacks=[Checkpoints(tmp_path / "run"), lower])
    resumed, x, y = make()
    checkpoints = Checkpoints(tmp_path / "run", resume=True)
    resumed.fit(x, y, epochs=3, batch_size=16, callbacks=[checkpoints])
    assert resumed.optimizer.betas == (0.5, 0.75)
    assert float(resumed.optimizer.base_lr.data) == pytest.approx(0.002)


def test_weights_travel_through_safetensors(tmp_path):
    a, b = ct.models.mlp((3, 4, 2)), ct.models.mlp((3, 4, 2))
    save_weights(a, tmp_path / "w.safetensors")
    load_weights(b, tmp_path / "w.safetensors")
    for path, value in a.state_dict().items():
        np.testing.assert_array_equal(value, b.state_dict()[path])


def test_the_library_reads_arrays_of_every_type_as_they_were_written(tmp_path):
    types = [*"?bhilBHILefdF", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]
    tensors: dict = {f"w.{np.dtype(t)}": np.arange(6).reshape(2, 3).astype(t) for t in types}
    tensors |= {"número": np.array(3, np.float32), "empty": np.zeros((0, 3), np.float32)}
    path = tmp_path / "w.safetensors"
    save_tensors(tensors, path, {"notes": 'a "note"'})
    with safe_open(path, "numpy") as file:
        assert file.metadata() == {"notes": 'a "note"'} and set(file.keys()) == set(tensors)
        for name in set(tensors) - {"w.bfloat16", "w.float8_e4m3fn", "w.float8_e5m2"}:
            found = file.get_tensor(name)
            assert found.dtype == tensors[name].dtype and found.shape == np.shape(tensors[name])
            np.testing.assert_array_equal(found, tensors[name])
    floats: dict = {name: array for name, array in tensors.items() if array.dtype == np.float32}
    assert as_safetensors(floats) == safetensors.numpy.save(floats, {"format": "cutaway"})
    read = read_safetensors(path.read_bytes(), path)
    assert all(read[name].tobytes() == array.tobytes() for name, array in tensors.items())


def test_truncated_missing_and_foreign_weights_are_named_and_change_nothing(tmp_path):
    net = ct.models.mlp((3, 4, 2))
    path = tmp_path / "w.safetensors"
    save_weights(net, path)
    whole = path.read_bytes()
    before = net.state_dict()
    for cut in (5, 100, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(RunError, match=r"w.safetensors is corrupted"):
            load_weights(net, path)
    with pytest.raises(RunError, match="cannot be read: No such file"):
        load_weights(net, tmp_path / "none")
    save_weights(ct.models.mlp((3, 5, 2)), path)
    with pytest.raises(ShapeError, match=r"0.weight has shape \(3, 5\)"):
        load_weights(net, path)
    save_weights(ct.models.mlp((3, 4, 4, 2)), path)
    with pytest.raises(
        RunError, match=r"do not match this architecture: unexpected 4\.bias, 4\.weight"
    ):
        load_weights(net, path)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "below", b"x")
