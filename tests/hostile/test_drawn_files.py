"""Damaged files of every format, drawn at random: each is read, or an error names it.

pytest tests/hostile/test_drawn_files.py --draws 10000 --seed 1
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.samples import write_samples

ROOT = Path(__file__).parents[2]
PEAK_BYTES = 2 * 2**30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "samples").mkdir()
    write_samples(folder / "samples")
    return folder


def test_every_damaged_file_is_read_or_named_in_an_error_within_memory_and_time(folder, request):
    draws, seed = request.config.getoption("--draws"), request.config.getoption("--seed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.batch", str(folder), str(seed), "0", str(draws)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
    )
    last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
    assert done.returncode == 0, f"ended at: {last}\n{done.stderr[-3000:]}"
    found = json.loads(last)
    print(json.dumps({name: value for name, value in found.items() if name != "faults"}, indent=1))
    assert not found["faults"], "\n".join(found["faults"])
    assert sum(found["counts"].values()) == draws
    assert found["peak_bytes"] < PEAK_BYTES
