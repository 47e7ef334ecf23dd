"""The processes that run the trials of a search."""

import json
import subprocess
import sys
import time

from cutaway.data import students_path


def test_a_worker_ends_when_the_process_that_started_it_is_killed(tmp_path):
    (tmp_path / "trials").mkdir()
    asked = {"target": "passed", "kind": "table", "epochs": 2, "layers": [4], "test": 0.2}
    task = {
        "out": str(tmp_path),
        "data": str(students_path()),
        "asked": asked,
        "places": list(range(10_000)),
        "log": [],
        "device": "cpu",
        "max_bytes": None,
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "cutaway.search.worker"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(task) + "\n")
    worker.stdin.flush()
    began = time.monotonic()
    while not (tmp_path / "trials" / "001").exists():
        assert worker.poll() is None and time.monotonic() < began + 100
        time.sleep(0.05)
    worker.stdin.close()  # which a kill does too
    try:
        assert worker.wait(timeout=20) == 1
    finally:
        worker.kill()
