"""cutaway export: the file, what it says on the terminal, and wrong input."""

import json

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def folder(cutaway, tmp_path_factory):
    """A folder with a run of one epoch."""
    folder = tmp_path_factory.mktemp("students")
    done = cutaway("train", "--epochs", "1", "--no-preflight", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_file_runs_elsewhere_and_the_terminal_says_what_it_takes(cutaway, folder):
    done = cutaway("export", "runs/students", "--onnx", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "Input features: (rows, 3), float32" in done.stdout
    assert "study: (study - " in done.stdout
    assert "is the probability of 1 (otherwise 0)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    session = onnxruntime.InferenceSession(
        folder / "runs" / "students" / "network.onnx", providers=["CPUExecutionProvider"]
    )
    assert session.run(None, {"features": np.zeros((5, 3), np.float32)})[0].shape == (5, 1)

    named = cutaway("export", "runs/students", "--onnx", "a.onnx", "--json", folder=folder)
    about = json.loads(named.stdout)
    assert (folder / "a.onnx").exists() and about["out"] == "a.onnx" and about["rows"] is None
    weights = cutaway("export", "runs/students", "w.safetensors", "--safetensors", folder=folder)
    assert "tensors" in weights.stdout and (folder / "w.safetensors").exists()


def test_export_without_a_form_or_a_run_is_an_error(cutaway, folder):
    for arguments, words in (
        (("runs/students",), "--onnx or --safetensors"),
        (("runs/students", "--onnx", "--safetensors"), "--onnx or --safetensors"),
        (("runs/none", "--onnx"), "runs/none"),
    ):
        done = cutaway("export", *arguments, folder=folder)
        assert done.returncode == 2 and words in done.stderr
