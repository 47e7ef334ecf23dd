"""One process at a time works on a folder; one that has ended gives way."""

import json
import os
import re
import subprocess
import sys
import threading

import pytest

from cutaway.errors import RunError
from cutaway.files import Owner
from cutaway.files.manifest import checksum
from cutaway.files.owner import NAME, expect_no_owner
from cutaway.files.writing import PARTIAL

HOLD = """
import sys
from cutaway.files import Owner
with Owner(sys.argv[1], "training"):
    print("in", flush=True)
    sys.stdin.readline()
"""


def hold(folder):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "in\n"
    return child


def test_a_second_process_is_refused_with_the_number_and_start_of_the_first(tmp_path):
    child = hold(tmp_path)
    words = rf"is in use: process {child.pid} has been training there since \d{{4}}-"
    with pytest.raises(RunError, match=words), Owner(tmp_path, "searching"):
        pass
    with pytest.raises(RunError, match=words):
        expect_no_owner(tmp_path)
    child.communicate("\n")
    with Owner(tmp_path, "searching"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_folder_of_a_killed_process_is_taken_over(tmp_path):
    child = hold(tmp_path)
    child.kill()
    child.communicate()
    expect_no_owner(tmp_path)
    with Owner(tmp_path, "training"):
        assert json.loads((tmp_path / NAME).read_text())["process"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_another_process_with_the_number_of_a_dead_one_does_not_keep_the_folder(tmp_path):
    child = hold(tmp_path)
    note = json.loads((tmp_path / NAME).read_text())
    child.communicate("\n")
    (tmp_path / NAME).write_text(json.dumps({**note, "process": os.getpid()}))
    with Owner(tmp_path, "training"):
        pass


def test_a_process_of_another_machine_is_believed_to_run(tmp_path):
    with Owner(tmp_path, "training"):
        note = json.loads((tmp_path / NAME).read_text())
    (tmp_path / NAME).write_text(json.dumps({**note, "process": 10**8, "host": "elsewhere"}))
    words = re.escape(f"if it has ended, delete {tmp_path / NAME}")
    with pytest.raises(RunError, match=words), Owner(tmp_path, "training"):
        pass


def test_a_half_written_note_does_not_keep_the_folder(tmp_path):
    (tmp_path / NAME).write_text('{"process": 1')
    os.utime(tmp_path / NAME, (0, 0))
    with Owner(tmp_path, "training"):
        pass


@pytest.mark.parametrize("links", [True, False])
def test_of_many_at_once_one_gets_in(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            expect_one_of_eight(tmp_path)
    finally:
        sys.setswitchinterval(before)


def expect_one_of_eight(tmp_path):
    """Eight threads at once take over the folder of a process that has ended."""
    (tmp_path / NAME).write_text(json.dumps({"process": 2**22 + 7, "host": "x", "began": "x"}))
    (tmp_path / NAME).write_text((tmp_path / NAME).read_text().replace('"x"', f'"{os.uname()[1]}"'))
    inside, most, refused = [], [], []
    barrier = threading.Barrier(8)
    done = threading.Barrier(8)

    def enter():
        barrier.wait()
        try:
            with Owner(tmp_path, "training"):
                inside.append(1)
                most.append(len(inside))
                done.wait()
        except RunError:
            refused.append(1)
            done.wait()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and len(refused) == 7
    assert os.listdir(tmp_path) == []


def test_a_claim_whose_process_has_ended_is_taken_over_too(tmp_path):
    dead = [json.dumps({"process": 2**22 + k, "host": os.uname()[1], "began": "x"}) for k in (7, 8)]
    (tmp_path / NAME).write_text(dead[0])
    claim = tmp_path / f"{NAME}.{checksum(dead[0].encode())[:16]}{PARTIAL}"
    claim.write_text(dead[1])
    with Owner(tmp_path, "training") as owner:
        assert owner.is_there()
    assert os.listdir(tmp_path) == []


def refuse(*_):
    raise PermissionError(1, "Operation not permitted")
