"""Several processes train what one process trains, and end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import cutaway as ct
from cutaway.errors import OptionError, RunError
from cutaway.runtime import distributed
from cutaway.runtime.launcher import free_port

TRAININGS = Path(__file__).with_name("shared_trainings.py")
NETWORKS = ("mlp", "block_of_resnet", "lstm", "transformer")
STUDENTS = Path(ct.__file__).parent / "data" / "students.csv"


def launched(processes: int, script: Path, *arguments, restarts: int = 0):
    """What `cutaway launch` prints, and its exit code."""
    command = [sys.executable, "-m", "cutaway", "launch", "--processes", str(processes)]
    command += ["--restarts", str(restarts), str(script), *map(str, arguments), "--processes", "9"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def by_one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    subprocess.run([sys.executable, str(TRAININGS), str(folder)], check=True, timeout=300)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_train_what_one_trains(by_one, processes, tmp_path):
    done = launched(processes, TRAININGS, tmp_path)
    assert done.returncode == 0, done.stderr
    for name in NETWORKS:
        alone = np.load(by_one / f"{name}-0.npz")
        first = np.load(tmp_path / f"{name}-0.npz")
        for part in alone.files:
            np.testing.assert_allclose(first[part], alone[part], rtol=1e-5, atol=1e-5, err_msg=name)
        for process in range(1, processes):
            other = np.load(tmp_path / f"{name}-{process}.npz")
            assert all(np.array_equal(first[part], other[part]) for part in first.files), name


@pytest.mark.slow
def test_the_command_trains_the_same_network_in_two_processes(tmp_path):
    for processes in (1, 2):
        command = [sys.executable, "-m", "cutaway", "train", str(STUDENTS), "--target", "passed"]
        command += ["--epochs", "4", "--no-preflight", "--processes", str(processes), "--out"]
        out = str(tmp_path / f"by_{processes}")
        done = subprocess.run([*command, out], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    one, two = (load_file(next((tmp_path / f"by_{n}").glob("*.safetensors"))) for n in (1, 2))
    assert one.keys() == two.keys()
    for path, array in one.items():
        np.testing.assert_allclose(two[path], array, rtol=1e-5, atol=1e-5)
    assert {p.name for p in tmp_path.iterdir()} == {"by_1", "by_2"}


FAILING = """
import os, signal, sys
import numpy as np
import cutaway as ct

ct.distributed.start()
me, what, folder = ct.distributed.process_index(), *sys.argv[1:3]
x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
net = ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 1))
if what == "rows":
    x = x + me
if what == "leave" and me == 1:
    os._exit(9)
trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
keeping = ct.train.Checkpoints(folder, every_seconds=0, resume=True)

def look(trainer, row):
    if row["epoch"] == 3 and what == f"still {me}":
        os.kill(os.getpid(), signal.SIGSTOP)
    if row["epoch"] != 3 or me != 1:
        return
    if what == "error":
        raise ValueError("row 7 is strange")
    if what == "kill" and not os.path.exists(folder + "/killed"):
        open(folder + "/killed", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "stop":
        trainer.stop("enough")

x_y = (x, x.sum(1, keepdims=True))
trainer.fit(*x_y, epochs=6, batch_size=16, seed=0, callbacks=[look, keeping], progress=False)
print("epochs", trainer.epoch, "stopped", trainer.stopped)
"""


@pytest.fixture
def failing(tmp_path):
    script = tmp_path / "failing.py"
    script.write_text(FAILING)
    return script


def test_the_error_of_one_process_ends_all_and_stands_last(failing, tmp_path):
    done = launched(2, failing, "error", tmp_path / "kept")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ValueError: row 7 is strange")
    assert "another process of this training has ended" in done.stderr


@pytest.mark.slow
def test_a_killed_process_is_named_and_a_restart_goes_on_from_the_checkpoint(failing, tmp_path):
    done = launched(2, failing, "kill", tmp_path / "kept", restarts=1)
    assert done.returncode == 0, done.stderr
    assert "process 1 was ended by SIGKILL" in done.stderr
    assert "epochs 6 stopped None" in done.stdout
    assert [p.suffix for p in (tmp_path / "kept").glob("epoch-000006*")] == [".safetensors"]


@pytest.mark.slow
def test_a_process_that_ends_without_a_word_is_named_with_its_exit_code(failing, tmp_path):
    done = launched(2, failing, "leave", tmp_path / "kept")
    assert done.returncode == 9
    assert done.stderr.splitlines()[-1] == "cutaway: process 1 ended with exit code 9"


def test_only_messages_that_do_not_arrive_count_as_a_loss():
    loss = "another process of this training has ended: Gloo"
    with pytest.raises(RunError, match=loss), distributed.explaining_loss():
        raise ValueError("Gloo all-reduce failed: Connection closed by peer")
    with pytest.raises(ValueError, match="row 7"), distributed.explaining_loss():
        raise ValueError("row 7 is strange")


@pytest.mark.slow
def test_one_process_goes_on_where_two_were_ended(failing, tmp_path):
    assert launched(2, failing, "kill", tmp_path / "kept").returncode == 128 + signal.SIGKILL
    done = launched(1, failing, "kill", tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    assert "epochs 6 stopped None" in done.stdout


@pytest.mark.slow
def test_all_stop_where_one_of_them_stops(failing, tmp_path):
    done = launched(2, failing, "stop", tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["epochs", "3", "stopped", "stopped", "by", "another", "process"]


def test_processes_with_different_rows_are_refused(failing, tmp_path):
    done = launched(2, failing, "rows", tmp_path / "kept")
    assert done.returncode == 1
    assert "process 1 has rows other than those of process 0" in done.stderr


def test_a_script_alone_goes_on_alone():
    ct.distributed.start()
    assert (ct.distributed.process_count(), ct.distributed.is_first()) == (1, True)
    with pytest.raises(OptionError, match="all three of them, or none"):
        ct.distributed.start("127.0.0.1:1234")


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_the_launcher_passes_on_who_asks_for_an_end_and_starts_nothing_anew(asked, tmp_path):
    script = tmp_path / "waits.py"
    script.write_text(
        "import signal, sys, time\n"
        "for one in (signal.SIGINT, signal.SIGTERM):\n"
        "    signal.signal(one, lambda *_: (print('asked', flush=True), sys.exit(3)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "cutaway", "launch", "--restarts", "1", str(script)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, asked)
    assert process.communicate(timeout=60)[0] == "asked\n"
    assert process.returncode != 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_processes_end_where_their_launcher_was_killed(tmp_path):
    script = tmp_path / "waits.py"
    script.write_text(
        "import os, time\nimport cutaway as ct\n"
        "ct.distributed.start()\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-m", "cutaway", "launch", "--processes", "1", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        words = Path(f"/proc/{launcher.stdout.readline().strip()}/cmdline")
        assert words.read_bytes()
        launcher.kill()
    for _ in range(600):
        if not words.exists() or not words.read_bytes():  # a dead process that nobody waits for
            return
        time.sleep(0.05)
    pytest.fail("it goes on")


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_stands_still_ends_all_and_is_named(which, failing, tmp_path):
    done = launched(2, failing, f"still {which}", tmp_path / "kept")
    assert done.returncode == 128 + signal.SIGSTOP
    last = f"cutaway: process {which} was silent: it was stopped by a signal, and was ended"
    assert done.stderr.splitlines()[-1] == last


ALONE = """
import os, sys
import numpy as np
import cutaway as ct
from jax.experimental import multihost_utils

ct.distributed.start(sys.argv[1], 2, int(sys.argv[2]))
net = ct.Linear(3, 1)
x = np.ones((8, 3), np.float32)
leave = lambda *_: os._exit(9)  # as one that a cluster has killed, without a launcher that sees it
if sys.argv[2:] == ["1", "before a fit"]:
    leave()
if sys.argv[2:] == ["1", "while weights are handed out"]:
    multihost_utils.broadcast_one_to_all = leave
ct.Trainer(net, loss=ct.losses.mean_squared_error).fit(x, x[:, :1], epochs=1, progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before a fit", "while weights are handed out"])
def test_a_process_that_is_lost_is_told_without_a_launcher_too(moment, tmp_path):
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    commands = [[sys.executable, str(script), address, index, moment] for index in "01"]
    lost = subprocess.Popen(commands[1])
    done = subprocess.run(commands[0], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, lost.wait()) == (1, 9)
    assert "RunError: another process of this training has ended: " in done.stderr
    assert "Traceback" not in done.stderr
