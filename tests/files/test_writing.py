"""A reader sees the old content or the new one; devices, pipes and links stay what they are."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from cutaway.errors import RunError
from cutaway.files import replacing, sweep, write_atomically


def test_a_link_stays_a_link_and_the_file_behind_it_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"
    assert [p.name for p in (tmp_path / "real").iterdir()] == ["file"]


def test_a_device_is_written_to_and_not_replaced():
    before = os.stat("/dev/null")
    write_atomically("/dev/null", b"content")
    after = os.stat("/dev/null")
    assert stat.S_ISCHR(after.st_mode) and after.st_ino == before.st_ino


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"content")
    reader.join()
    assert found == [b"content"] and stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_after_an_error_the_old_content_stays_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail():
        with replacing(path) as partial:
            partial.write_bytes(b"half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_partial_files_of_killed_processes_are_swept_and_others_are_not(tmp_path):
    code = (
        "import os, sys; from cutaway.files import replacing\n"
        "with replacing(sys.argv[1]) as partial:\n"
        "    partial.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "file"], check=False)
    (tmp_path / ".mine").write_bytes(b"")
    (tmp_path / "mine.partial").write_bytes(b"")
    assert len(os.listdir(tmp_path)) == 3
    assert len(sweep(tmp_path)) == 1
    assert sorted(os.listdir(tmp_path)) == [".mine", "mine.partial"]


def test_a_full_disk_says_how_much_was_needed_and_is_free(tmp_path):
    code = (
        "import resource, sys; from cutaway.files import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomically(sys.argv[1], bytes(2_500_000))"
    )
    path = tmp_path / "file"
    done = subprocess.run(
        [sys.executable, "-c", code, path], check=False, capture_output=True, text=True
    )
    assert (
        f"RunError: {path} cannot be written: File too large: 2.5 MB were needed, " in done.stderr
    )
    assert f" MB are free in {tmp_path}" in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="name a file in this folder"):
        write_atomically(tmp_path / "folder", b"")
    assert os.listdir(tmp_path) == ["folder"]
