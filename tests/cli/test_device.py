"""--device and --precision, and a lack of memory, as the command line says them."""

import json
import subprocess
import sys

import pytest

from cutaway.errors import install_extra
from cutaway.runtime import device, on_gpu
from tests.cli.conftest import ENVIRONMENT

SMALL = ("--epochs", "2", "--layers", "8", "--no-preflight")


@pytest.fixture(scope="module")
def trained(cutaway, tmp_path_factory):
    """A folder in which `cutaway train` ran on the CPU, and what it printed."""
    folder = tmp_path_factory.mktemp("device")
    done = cutaway(
        "train", *SMALL, "--device", "cpu", "--precision", "bfloat16", "--out", "run", folder=folder
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_training_names_its_device_and_precision_in_80_columns(trained):
    folder, printed = trained
    line = next(line for line in printed.splitlines() if line.startswith("Device: "))
    assert line.startswith("Device: CPU (") and "core" in line
    assert "), bfloat16" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 80
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["device"].startswith("CPU (") and metrics["precision"] == "bfloat16"
    report = (folder / "run" / "report.html").read_text()
    assert f"s on {metrics['device']}, bfloat16." in report


def test_a_summary_names_what_the_run_was_trained_on(cutaway, trained):
    folder, _ = trained
    shown = cutaway("summary", "run", folder=folder).stdout
    assert "Trained on: CPU (" in shown and "), bfloat16" in " ".join(shown.split())
    told = json.loads(cutaway("summary", "run", "--json", folder=folder).stdout)
    assert told["device"].startswith("CPU (") and told["precision"] == "bfloat16"


def test_a_bench_names_its_device_and_precision(cutaway, tmp_path):
    given = ("bench", "--seconds", "0.1", "--device", "cpu", "--precision", "tensorfloat32")
    shown = cutaway(*given, folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "Device: CPU (" in shown.stdout and "tensorfloat32" in shown.stdout
    told = json.loads(cutaway(*given, "--json", folder=tmp_path).stdout)
    assert told["device"].startswith("CPU (") and told["precision"] == "tensorfloat32"


@pytest.mark.parametrize(
    "command",
    [
        ("train",),
        ("tune",),
        ("compare",),
        ("bench",),
        ("predict", "run", "new.csv"),
        ("evaluate", "run", "new.csv"),
        ("generate", "run"),
        ("explain", "run"),
        ("doctor", "run"),
        ("export", "run", "--onnx"),
        ("race",),
    ],
)
def test_every_command_that_computes_takes_a_device(command, monkeypatch):
    """The option is read, and used before the command begins."""
    from typer.testing import CliRunner

    from cutaway import runtime
    from cutaway.cli.app import app

    class Asked(Exception):
        pass

    def use_device(kind):
        raise Asked(kind)

    monkeypatch.setattr(runtime, "use_device", use_device)
    done = CliRunner().invoke(app, [*command, "--device", "gpu"])
    assert isinstance(done.exception, Asked) and str(done.exception) == "gpu"


def test_an_unknown_device_or_precision_is_wrong_input(cutaway, tmp_path):
    done = cutaway("train", "--device", "cuda", folder=tmp_path)
    assert done.returncode == 2 and "unknown device 'cuda'" in done.stderr
    assert "one of cpu, gpu" in done.stderr
    done = cutaway("train", "--precision", "half", folder=tmp_path)
    assert done.returncode == 2 and "unknown precision 'half'" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(on_gpu(), reason="there is a GPU")
def test_a_missing_gpu_is_wrong_input_that_says_what_to_install(cutaway, tmp_path):
    if "JAX_PLATFORMS" in ENVIRONMENT:
        pytest.skip("JAX was told which platforms it may use")
    done = cutaway("train", "--device", "gpu", folder=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert install_extra("cuda") in done.stderr
    as_json = cutaway("train", "--device", "gpu", "--json", folder=tmp_path)
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout)["error"]["type"] == "OptionError"


@pytest.mark.skipif(not on_gpu(), reason="the hint is for GPUs")
def test_on_a_gpu_the_faster_precisions_are_named(cutaway, tmp_path):
    done = cutaway("train", *SMALL, folder=tmp_path)
    assert f"Device: {device()}" in " ".join(done.stdout.split())
    assert "--precision tensorfloat32 or bfloat16" in done.stdout


def test_a_lack_of_memory_is_a_failure_told_without_a_traceback(cutaway, tmp_path):
    wide = ("train", "--layers", "2000000,2000000")
    done = cutaway(*wide, folder=tmp_path)
    assert done.returncode == 1
    assert "the network does not fit in the memory of the" in done.stderr
    assert "narrower layers" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
    told = json.loads(cutaway(*wide, "--json", folder=tmp_path).stdout)
    assert told["error"]["type"] == "OutOfMemoryError"


def test_what_no_part_explains_is_still_told_as_a_lack_of_memory(monkeypatch, capsys):
    import jax
    import jax.numpy as jnp

    from cutaway.cli import app as module

    def command(**options):
        x = jnp.ones((2_000_000, 1))
        jax.jit(lambda x: jnp.sort(x * x.T, axis=1))(x).block_until_ready()

    monkeypatch.setattr(module, "app", command)
    monkeypatch.setattr(module.sys, "argv", ["cutaway"])
    with pytest.raises(SystemExit) as caught:
        module.run()
    assert caught.value.code == 1
    told = capsys.readouterr().err
    assert "this command does not fit" in told and "bug in Cutaway" not in told


@pytest.mark.slow
def test_a_searchs_trials_have_the_precision_that_was_set(cutaway, tmp_path):
    done = cutaway(
        "tune", "--trials", "2", "--jobs", "2", "--device", "cpu", "--out", "t", "--epochs", "2",
        "--set", "layers=8", "--set", "precision=bfloat16", "--json", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "t" / "best" / "metrics.json").read_text())
    assert metrics["precision"] == "bfloat16" and metrics["device"].startswith("CPU (")


@pytest.mark.skipif(on_gpu(), reason="there is a GPU")
@pytest.mark.parametrize("options", [(), ("--device", "gpu")])
def test_a_gpu_that_jax_was_told_of_and_does_not_find_is_no_fault_of_ours(
    options, tmp_path, monkeypatch
):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    done = subprocess.run(
        [sys.executable, "-m", "cutaway", "train", *options],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and install_extra("cuda") in done.stderr
    assert not any(tmp_path.iterdir())


def test_tensorfloat32_on_a_cpu_is_called_what_it_is(cutaway, tmp_path):
    done = cutaway("train", *SMALL, "--precision", "tensorfloat32", folder=tmp_path)
    told = " ".join(done.stdout.split())
    assert ("tensorfloat32 (same as float32 on a CPU)" in told) != on_gpu()
