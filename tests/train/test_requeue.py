"""A training stops before its time limit, is saved and requeued, and the same command resumes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError

TRAINING = """
import os, signal, sys
import numpy as np
import cutaway as ct

ct.distributed.start()
me, folder, how = ct.distributed.process_index(), *sys.argv[1:3]
last = ct.distributed.process_count() - 1
rng = np.random.default_rng(0)
x = rng.normal(size=(64, 3)).astype(np.float32)
ct.seed(0)
net = ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 1))
trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.Adam(net, lr=0.05))

def look(trainer, row):
    mark = folder + "/mark"
    if row["epoch"] == 4 and me == last and how == "signal" and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGUSR1)

callbacks = [
    ct.train.Requeue(signal="USR1", minutes_before=2),  # before the one that saves, on purpose
    ct.train.Checkpoints(folder + "/kept", every_seconds=1000, resume=True),
    look,
]
x_y = (x, x.sum(1, keepdims=True))
trainer.fit(*x_y, epochs=9, batch_size=16, seed=0, callbacks=callbacks, progress=False)
np.savez(f"{folder}/weights-{me}.npz", **net.state_dict())
print("epochs", trainer.epoch, "from", trainer.first_epoch, "stopped", trainer.stopped)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "training.py"
    path.write_text(TRAINING)
    return path


@pytest.fixture
def slurm(tmp_path):
    """The environment of a job, whose scontrol writes down what it was asked for."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "scontrol"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"SLURM_JOB_ID": "4711", "PATH": path}


def run(script: Path, how: str, name: str, environment=None, launch=()):
    folder = script.parent / name
    folder.mkdir(exist_ok=True)
    command = [sys.executable, *launch, str(script), str(folder), how]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment
    )


def launched(processes: int) -> tuple:
    return ("-m", "cutaway", "launch", "--processes", str(processes))


def expect_equal_weights(script: Path, name: str) -> None:
    alone, other = (np.load(script.parent / n / "weights-0.npz") for n in ("alone", name))
    for part in alone.files:
        np.testing.assert_allclose(other[part], alone[part], rtol=1e-5, atol=1e-5)


@pytest.fixture
def handler():
    """Puts back what a signal did before."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def trained(callbacks):
    """A network after a fit, with its Trainer."""
    ct.seed(0)
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    net = ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 1))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
    target = x.sum(1, keepdims=True)
    trainer.fit(x, target, epochs=9, batch_size=16, seed=0, callbacks=callbacks, progress=False)
    return net, trainer


@pytest.mark.usefixtures("handler")
def test_at_the_signal_a_training_is_saved_and_the_same_fit_resumes(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    keeping = {"folder": tmp_path, "every_seconds": 1000, "resume": True}
    epochs = []

    def look(trainer, row):
        epochs.append(row["epoch"])
        if row["epoch"] == 4:
            os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(SystemExit) as end:
        trained([ct.train.Requeue("SIGUSR1"), ct.train.Checkpoints(**keeping), look])
    assert (end.value.code, epochs) == (75, [1, 2, 3, 4])
    net, trainer = trained([ct.train.Requeue("SIGUSR1"), ct.train.Checkpoints(**keeping)])
    assert (trainer.epoch, trainer.stopped, len(trainer.history)) == (9, None, 9)
    alone, _ = trained([])
    for name, array in alone.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[name], array)


@pytest.mark.slow
def test_without_slurm_the_launcher_starts_the_training_anew_by_itself(script):
    assert run(script, "never", "alone").returncode == 0
    done = run(script, "signal", "stopped", launch=launched(2))
    assert done.returncode == 0, done.stderr
    assert "starting anew, as the script asks for" in done.stderr
    assert "epochs 9" in done.stdout
    expect_equal_weights(script, "stopped")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_in_a_job_of_slurm_scontrol_is_asked_once_for_a_requeue(processes, script, slurm, tmp_path):
    assert run(script, "never", "alone").returncode == 0
    launch = launched(processes) if processes > 1 else ()
    first = run(script, "signal", "job", slurm, launch)
    assert first.returncode == 75, first.stderr
    assert (tmp_path / "asked").read_text() == "requeue 4711\n"
    second = run(script, "signal", "job", slurm, launch)
    assert second.returncode == 0, second.stderr
    assert (tmp_path / "asked").read_text() == "requeue 4711\n"
    expect_equal_weights(script, "job")


@pytest.mark.slow
def test_shortly_before_the_time_limit_of_a_job_its_task_is_requeued(script, slurm, tmp_path):
    tasks = {"SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "3"}
    soon = slurm | tasks | {"SLURM_JOB_END_TIME": str(int(time.time()) + 60)}
    assert run(script, "never", "job", soon).returncode == 75
    assert (tmp_path / "asked").read_text() == "requeue 4700_3\n"
    late = slurm | {"SLURM_JOB_END_TIME": str(int(time.time()) + 6000)}
    done = run(script, "never", "job", late)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_refused_requeue_is_an_error_that_says_so(script, slurm, tmp_path):
    program = tmp_path / "programs" / "scontrol"
    program.write_text("#!/bin/sh\necho Requested operation is not permitted >&2\nexit 1\n")
    done = run(script, "signal", "job", slurm, launched(2))
    assert done.returncode == 1
    assert "Requested operation is not permitted" in done.stderr
    assert list((tmp_path / "job" / "kept").glob("*.safetensors"))


def test_wrong_signals_and_missing_checkpoints_are_refused():
    wrongs: list[Any] = ["KILL", "nothing", 9]
    for wrong in wrongs:
        with pytest.raises(OptionError, match="can be caught"):
            ct.train.Requeue(wrong)
    net = ct.Linear(2, 1)
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(OptionError, match=r"without Checkpoints\(resume=True\)"):
        trainer.fit(np.ones((4, 2)), np.ones((4, 1)), callbacks=[ct.train.Requeue()])
    assert signal.getsignal(signal.SIGUSR1) is before
