"""The prepared run on a GPU, tried out on tiny sizes: every part comes to its end."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.device import card, report
from benchmarks.device import run as device_run
from benchmarks.device.networks import cases
from tests.compiling import SLOW_PROGRAMS
from tests.oracles import oracle

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.longest
def test_a_tiny_run_brings_every_part_to_its_end(tmp_path):
    oracle("transformers")
    done = subprocess.run(
        [ROOT / "benchmarks" / "device.sh", "--tiny", "--minutes", "15", "--out", tmp_path],
        env={**os.environ, "PYTHON": sys.executable, "XLA_FLAGS": SLOW_PROGRAMS},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads((tmp_path / "device.json").read_text())
    assert found["machine"]["missing"] == {} and found["machine"]["jax"]
    assert all(rate > 0 for rate in found["machine"]["product_tflops"].values())
    parts = found["parts"]
    assert parts["right"]["tests"]["PASSED"] > 5 and parts["right"]["tests"]["failures"] == []
    checks = {check["check"]: check.get("passed") for check in parts["right"]["checks"]}
    assert len(checks) > 15 and all(checks.values()), checks
    networks = parts["fast"]["networks"]
    assert [n["network"] for n in networks] == [case.name for case in cases(tiny=True)]
    for n in networks:
        assert n["flops"] > 0 and n["cutaway_kernels"], n
        if "primitive descriptor" in n.get("torch_error", ""):
            continue  # PyTorch's LSTM in bfloat16 needs more of a processor than it has
        assert n["times_torch"] > 0, n
        # both sides are the same network, but for PyTorch's second bias of each gate
        spare = 2 * 4 * 8 if n["network"].startswith("LSTM") else 0
        assert n["torch_parameters"] == n["cutaway_parameters"] + spare
    why = parts["why"]["networks"]
    assert {n["network"] for n in why if n.get("torch_kernels")} == set(parts["why"]["worst"])
    assert all(n["torch_kernels"][0]["name"] == "all kernels" for n in why if "torch_kernels" in n)
    assert [n["torch_compile"]["compiled_ms"] > 0 for n in why if "torch_compile" in n] == [True]
    for trained in parts["whole"].values():
        assert trained["code"] == 0 and trained["device"] and trained["result"], trained
    assert len(list((tmp_path / "hlo").iterdir())) == sum("hlo" in n for n in networks) >= 7
    text = (tmp_path / "device.md").read_text()
    assert all(f"## {part}" in text for part in ("Right", "Fast", "Why", "Whole"))


def test_peaks_are_those_of_the_data_sheets():
    assert card.peaks("NVIDIA H100 80GB HBM3")["bfloat16"] == 989e12
    assert card.peaks("NVIDIA A100-SXM4-40GB")["float32"] == 19.5e12
    assert card.peaks("Intel Xeon") == {}


def test_what_failed_and_what_was_skipped_stands_in_the_report():
    checks = [
        {"check": "a", "tolerance": 0, "error": 1.0, "passed": False},
        {"check": "b", "tolerance": 0, "raised": "ValueError: no", "passed": False},
        {"check": "c", "tolerance": 0, "skipped": "no time was left"},
    ]
    tests = {"PASSED": 1, "FAILED": 1, "ERROR": 0, "failures": ["tests/x.py::test_y"]}
    tests |= {"complete": False, "seconds": 3.0}
    networks = [
        {"network": "A", "skipped": "2 s were left"},
        {"network": "B", "error": "its process ended with -11"},
    ]
    found = {"machine": {"missing": {"polars": "ImportError"}}, "parts": {}}
    found["parts"] = {
        "right": {"tests": tests, "checks": checks},
        "fast": {"networks": networks},
        "why": {"failed": "KeyError: 'x'"},
    }
    text = report.markdown(found)
    for told in ("missing: polars", "failed: tests/x.py::test_y", "| a | 1 | 0 | **wrong** |",
                 "ValueError: no", "skipped", "not run: 2 s were left", "ended with -11",
                 "failed: KeyError", "the time was over before their end"):  # fmt: skip
        assert told in text, told


def test_the_tests_that_run_on_a_card_are_there():
    assert [t for t in (*device_run.TESTS, *device_run.TINY_TESTS) if not (ROOT / t).exists()] == []


def test_one_network_that_hangs_costs_no_other(tmp_path, monkeypatch):
    given = argparse.Namespace(out=tmp_path, minutes=1.0, tiny=True, parts=["fast"])
    run, began = device_run.Run(given), []

    def start(name, until, *arguments, **environment):
        began.append((tmp_path / "fast.now").exists())
        if len(began) > 1:
            return subprocess.Popen([sys.executable, "-c", ""])
        # hangs in its first network, which began long ago
        (tmp_path / "fast.now").write_text(json.dumps({"began": time.time() - 60, "seconds": 1}))
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    monkeypatch.setattr(run, "start", start)
    found = device_run.fast(run, time.time() + 30)["networks"]
    first = cases(tiny=True)[0].name
    assert found == [{"network": first, "error": "stopped: it was stuck"}]
    assert began == [False, False]  # no mark of the first is left for the second to be killed by
