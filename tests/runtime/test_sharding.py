"""Several devices train what one trains, also where each has only a part of the parameters."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from safetensors.numpy import load_file

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.runtime import sharding
from cutaway.runtime.gpu_shares import gpus_in, shared_out

HERE = Path(__file__).parent
TRAININGS, STATE = HERE / "shared_trainings.py", HERE / "sharded_state.py"
NETWORKS = ("mlp", "block_of_resnet", "lstm", "transformer")
SHARDED = {"shard_parameters": True, "least_sharded": 256}


def run(script: Path, folder: Path, count: int, **options) -> Path:
    """Run a script by one process that has so many devices: GPUs, or those made of one CPU."""
    if ct.device().kind != "cpu" and len(jax.devices()) < count:
        pytest.skip(f"needs {count} GPUs")
    folder.mkdir()
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    command = [sys.executable, str(script), str(folder), json.dumps(options)]
    done = subprocess.run(
        command,
        env=os.environ | {"XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def expect_close(folder: Path, other: Path, name: str) -> None:
    one, two = np.load(folder / name), np.load(other / name)
    assert one.files == two.files
    for part in one.files:
        np.testing.assert_allclose(one[part], two[part], rtol=1e-5, atol=1e-5, err_msg=part)


@pytest.fixture(scope="module")
def by_one(tmp_path_factory):
    return run(TRAININGS, tmp_path_factory.mktemp("devices") / "one", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("devices", "options"),
    [
        (1, {"devices": "all", "shard_parameters": True}),
        (2, {"devices": "all"}),
        (4, {"devices": 3}),
        (4, {"shard_parameters": True, "least_sharded": 16}),
        (4, {"tensor": 2, "least_sharded": 16, "shard_parameters": True}),
    ],
    ids=str,
)
def test_several_devices_train_what_one_trains(by_one, devices, options, tmp_path):
    several = run(TRAININGS, tmp_path / "several", devices, **options)
    for name in NETWORKS:
        expect_close(several, by_one, f"{name}-0.npz")


def test_large_arrays_lie_in_equal_parts_and_what_a_user_gets_is_whole(tmp_path):
    folder = run(STATE, tmp_path / "run", 4, **SHARDED)
    said = json.loads((folder / "said-0.json").read_text())
    assert said["devices"] == 4
    parted = {path for path, (shape, _, _) in said["seen"].items() if np.prod(shape) >= 256}
    slots = ("optimizer.state.m.0", "optimizer.state.v.0", "average.values.0")
    assert parted == {"net.0.weight", *slots}
    for path, (_, size, parts) in said["seen"].items():
        assert parts == [size // 4 if path in parted else size] * 4, path
    # a step that donates reuses the memory of the parts, and the new ones lie where the old did
    donated = said["donated"]
    assert donated["gone"] == donated["same place"] == [True, True]
    assert donated["losses"][1] < donated["losses"][0]
    # both weights on the way forward, and the second anew on the way back: none stays whole
    assert donated["gathers"] == 3
    found = np.load(folder / "found-0.npz")
    assert found["net.0.weight"].shape == (12, 64)
    kept = load_file(next((folder / "kept").glob("epoch-000004*")))
    assert kept["optimizer.state.m.0"].shape == (12, 64)
    assert kept["average.values.0"].shape == (12, 64)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"tensor": 2}], ids=str)
def test_a_sharded_training_with_micro_batches_average_and_best_weights_is_that_of_one_device(
    options, tmp_path
):
    one = run(STATE, tmp_path / "one", 1)
    several = run(STATE, tmp_path / "several", 4, **SHARDED, **options)
    expect_close(several, one, "found-0.npz")
    files = [next((folder / "kept").glob("epoch-000004*")) for folder in (several, one)]
    ours, theirs = map(load_file, files)
    for path, array in theirs.items():
        np.testing.assert_allclose(ours[path], array, rtol=1e-5, atol=1e-5, err_msg=path)


@pytest.mark.slow
def test_a_checkpoint_of_four_devices_is_resumed_by_one(tmp_path):
    folder = run(STATE, tmp_path / "run", 4, **SHARDED)
    first = np.load(folder / "found-0.npz")
    (folder / "found-0.npz").unlink()
    again = tmp_path / "again"
    again.mkdir()
    (folder / "kept").rename(again / "kept")
    subprocess.run([sys.executable, str(STATE), str(again)], check=True, timeout=300)
    second = np.load(again / "found-0.npz")
    assert first["losses"].tolist() == second["losses"].tolist()
    np.testing.assert_allclose(first["net.0.weight"], second["net.0.weight"], rtol=1e-6)


@pytest.mark.slow
def test_the_command_trains_the_same_network_on_two_devices(tmp_path):
    data = Path(ct.__file__).parent / "data" / "students.csv"
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    command = [sys.executable, "-m", "cutaway", "train", str(data), "--target", "passed"]
    command += ["--epochs", "4", "--no-preflight", "--out"]
    for out, options in (("one", []), ("two", ["--devices", "2", "--shard-parameters"])):
        subprocess.run(
            [*command, str(tmp_path / out), *options],
            env=os.environ | {"XLA_FLAGS": flags},
            capture_output=True,
            check=True,
        )
    one, two = (load_file(next((tmp_path / n).glob("*.safetensors"))) for n in ("one", "two"))
    for path, array in one.items():
        np.testing.assert_allclose(two[path], array, rtol=1e-5, atol=1e-5)


def launched(folder: Path, **options):
    command = [sys.executable, "-m", "cutaway", "launch", "--processes", "2", str(STATE)]
    command += [str(folder), json.dumps(options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="GPUs may")
def test_processes_on_cpus_may_not_shard_parameters(tmp_path):
    done = launched(tmp_path, shard_parameters=True)
    assert done.returncode == 1
    assert "sharded over several processes on CPUs" in done.stderr
    assert "or train in one process" in done.stderr


@pytest.mark.slow
def test_parts_in_several_processes_are_joined_for_checkpoints_and_for_each_process(tmp_path):
    # whatever sums may be worth between CPUs: both have the same in the end, and save it
    done = launched(tmp_path, shard_parameters=True, least_sharded=256, unchecked=True)
    assert done.returncode == 0, done.stderr
    first, second = (np.load(tmp_path / f"found-{process}.npz") for process in (0, 1))
    for part in first.files:
        np.testing.assert_array_equal(first[part], second[part], err_msg=part)
    for process in (0, 1):
        said = json.loads((tmp_path / f"said-{process}.json").read_text())
        assert said["seen"]["net.0.weight"][1:] == [12 * 64 * 4, [12 * 64 * 2]]
    kept = load_file(next((tmp_path / "kept").glob("epoch-000004*")))
    assert kept["optimizer.state.v.0"].shape == (12, 64)


# the rule, for four devices that need not be there


@pytest.fixture
def grid(monkeypatch):
    def arrange(rows, columns, **options):
        devices = np.array(jax.devices() * (rows * columns)).reshape(rows, columns)[:rows]
        layout = sharding.Layout("all", tensor=columns, least_sharded=64, **options)
        found = type("Mesh", (), {"devices": devices, "size": rows * columns})()
        monkeypatch.setattr(sharding, "_layout", layout)
        monkeypatch.setattr(sharding, "mesh", lambda: found)

    return arrange


def test_a_large_array_lies_along_its_largest_axis_that_divides(grid):
    grid(4, 1, shard_parameters=True)
    rows = sharding.ROWS
    assert sharding.parts_of((8, 64)) == PartitionSpec(None, rows)
    assert sharding.parts_of((128, 64)) == PartitionSpec(rows, None)
    assert sharding.parts_of((12, 99)) == PartitionSpec(rows, None)
    assert sharding.parts_of((3, 3, 16, 32)) == PartitionSpec(None, None, None, rows)
    for whole in [(), (63,), (7, 9), (11, 99)]:
        assert sharding.parts_of(whole) == PartitionSpec()
    assert sharding.parts_in_use((128, 64)) == PartitionSpec()


def test_the_outputs_of_a_wide_layer_lie_over_the_columns_also_in_use(grid):
    grid(2, 2, shard_parameters=True)
    rows, columns = sharding.ROWS, sharding.COLUMNS
    assert sharding.parts_of((128, 64)) == PartitionSpec(rows, columns)
    assert sharding.parts_in_use((128, 64)) == PartitionSpec(None, columns)
    assert sharding.parts_of((128, 10)) == PartitionSpec(rows, None)  # 5 a column are too few
    assert sharding.parts_of((128,)) == PartitionSpec(rows)
    grid(2, 2)
    assert sharding.parts_of((128, 64)) == PartitionSpec(None, columns)
    assert sharding.parts_of((128, 10)) == PartitionSpec()


# which GPUs a process gets


def test_each_process_gets_gpus_of_its_own():
    listed = "GPU 0: NVIDIA H100 (UUID: GPU-a)\nGPU 1: NVIDIA H100 (UUID: GPU-b)\n"
    listed += "  MIG 1g.10gb Device 0: (UUID: MIG-c)\n"
    assert gpus_in({}, listed) == ["0", "1"]
    assert gpus_in({"CUDA_VISIBLE_DEVICES": "4,GPU-x, 7"}, listed) == ["4", "GPU-x", "7"]
    assert gpus_in({"CUDA_VISIBLE_DEVICES": "2,-1,3"}, listed) == ["2"]
    assert gpus_in({"CUDA_VISIBLE_DEVICES": ""}, listed) == []
    name = "CUDA_VISIBLE_DEVICES"
    assert shared_out(["0", "1", "2", "3"], 2) == [{name: "0,1"}, {name: "2,3"}]
    assert shared_out(["0", "1", "2", "3"], 3) == [{name: "0"}, {name: "1"}, {name: "2"}]
    assert shared_out(["4", "5"], 1) == [{}]
    assert shared_out([], 2) == [{}, {}]
    with pytest.raises(OptionError, match="3 processes for 2 GPUs"):
        shared_out(["0", "1"], 3)


def test_devices_that_are_not_there_are_an_error():
    count = len(jax.devices())
    with pytest.raises(OptionError, match=re.escape(f"expected: at most {count}")):
        ct.distributed.start(devices=count + 1)
    with pytest.raises(OptionError, match="devices is 'some'"):
        ct.distributed.start(devices="some")
    with pytest.raises(OptionError, match="tensor=1000 with"):
        ct.distributed.start(tensor=1000)
    assert sharding.device_count() == 1
